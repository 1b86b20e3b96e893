"""Continuing a text with FlaxElectraForCausalLM: greedy, or by sampling, with the keys and values kept.

Unusual here: the prompt is read, and each token chosen, by one compiled function; the loop is Python's, so it ends where
all texts have ended. Greedy texts equal PyTorch's; beam search is PyTorch's alone.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from electra.errors import UsageError
from electra.flax.compiled import compiled

NEW_TOKENS = 20  # where nobody says, and the model takes as many; as in Hugging Face's


def generate(
    model: Any,
    input_ids: Any,
    attention_mask: Any = None,
    *,
    max_length: int | None = None,
    max_new_tokens: int | None = None,
    do_sample: bool = False,
    temperature: float = 1.0,
    top_k: int = 50,
    top_p: float = 1.0,
    eos_token_id: int | list[int] | None = None,
    pad_token_id: int | None = None,
    encoder_hidden_states: Any = None,
    encoder_attention_mask: Any = None,
    params: Any = None,
    prng_key: Any = None,
) -> Array:
    """Continue texts (B, L); returns ids (B, at most max_length), the prompt included.

    max_length            tokens with the prompt; or max_new_tokens, without it (20, or as many as the model takes)
    do_sample             draw the next token from the distribution, by prng_key, instead of taking the likeliest
    temperature, top_k, top_p   of sampling: divides the logits; keeps the k likeliest (0: all); keeps the likeliest tokens
                          that have p together
    eos_token_id          what ends a text (the config's; None: nothing); pad_token_id fills the rest of the row
    attention_mask        (B, L); without one, padding in the prompt is not looked at
    Raises UsageError on what cannot be done.
    """
    config = model.config
    eos = config.eos_token_id if eos_token_id is None else eos_token_id
    ends = jnp.asarray([] if eos is None else eos, jnp.int32).reshape(-1)
    pad = config.pad_token_id if pad_token_id is None else pad_token_id
    ids = jnp.asarray(input_ids, jnp.int32)
    _check(config, ids, temperature, top_k, top_p)
    prompt, limit = ids.shape[1], _limit(config, ids.shape[1], max_length, max_new_tokens)
    if attention_mask is None:
        holds_padding = pad not in np.asarray(ends) and bool((ids == pad).any())
        attention_mask = ids != pad if holds_padding else jnp.ones_like(ids)
    mask = jnp.pad(jnp.asarray(attention_mask, jnp.int32), ((0, 0), (0, limit - prompt)), constant_values=1)
    source = {"encoder_hidden_states": encoder_hidden_states, "encoder_attention_mask": encoder_attention_mask}
    source = {name: jnp.asarray(value) for name, value in source.items() if value is not None}
    choose = compiled(model, _step, do_sample, temperature, top_k, top_p)
    step = partial(choose, model.params if params is None else params)
    key = jax.random.key(0) if prng_key is None else prng_key
    cache, running = model.init_cache(len(ids), limit), jnp.ones(len(ids), bool)
    texts, new = [ids], ids
    for place in range(prompt, limit):
        tokens, cache = step(new, mask, cache, source, jax.random.fold_in(key, place))
        new = jnp.where(running, tokens, pad)[:, None]
        texts.append(new)
        running &= ~jnp.isin(new[:, 0], ends)
        source = {name: value for name, value in source.items() if name == "encoder_attention_mask"}  # states are kept
        if len(ends) and not running.any():
            break
    return jnp.concatenate(texts, 1)


def _step(
    module: Any, do_sample: bool, temperature: float, top_k: int, top_p: float,
    params: Any, ids: Array, mask: Array, cache: Any, source: Any, key: Any,
) -> tuple[Array, Any]:  # fmt: skip
    """The next token (B,) after ids (B, l), and the cache with them."""
    output = module.apply({"params": params}, ids, mask, past_key_values=cache, return_dict=True, **source)
    logits = output.logits[:, -1].astype(jnp.float32)  # (B, V)
    tokens = (
        jax.random.categorical(key, _narrowed(logits, temperature, top_k, top_p)) if do_sample else logits.argmax(-1)
    )
    return tokens.astype(jnp.int32), output.past_key_values


def _narrowed(logits: Array, temperature: float, top_k: int, top_p: float) -> Array:
    """The distribution to draw from: temperature, then the k likeliest, then the likeliest that have p together."""
    logits = logits / temperature
    if top_k:
        least = jax.lax.top_k(logits, min(top_k, logits.shape[-1]))[0][:, -1:]
        logits = jnp.where(logits < least, -jnp.inf, logits)
    if top_p < 1:
        order = logits.argsort(-1)
        ascending = jnp.take_along_axis(logits, order, -1)
        dropped = jax.nn.softmax(ascending, -1).cumsum(-1) <= 1 - top_p
        kept = jnp.where(dropped.at[:, -1].set(False), -jnp.inf, ascending)
        logits = jnp.take_along_axis(kept, order.argsort(-1), -1)
    return logits


def _limit(config: Any, prompt: int, max_length: int | None, max_new_tokens: int | None) -> int:
    if max_length is not None and max_new_tokens is not None:
        raise UsageError(f"both max_length {max_length} and max_new_tokens {max_new_tokens} were given; give one")
    longest = min(prompt + NEW_TOKENS, config.max_position_embeddings) if max_length is None else max_length
    limit = longest if max_new_tokens is None else prompt + max_new_tokens
    if limit <= prompt:
        raise UsageError(
            f"the prompt has {prompt} tokens, and {limit} are allowed with it; raise max_length or set max_new_tokens"
        )
    if limit > config.max_position_embeddings:
        raise UsageError(
            f"{limit} tokens were asked for, but the model takes {config.max_position_embeddings} "
            "(max_position_embeddings)"
        )
    return limit


def _check(config: Any, input_ids: Array, temperature: float, top_k: int, top_p: float) -> None:
    """Raise UsageError with everything that cannot be done."""
    problems = []
    if not config.is_decoder:
        problems.append("the model has is_decoder false; load it with is_decoder=True")
    if input_ids.ndim != 2 or input_ids.shape[1] == 0:
        problems.append(
            f"input_ids have shape {tuple(input_ids.shape)}; expected (rows, positions) with one token at least"
        )
    if temperature <= 0 or not 0 < top_p <= 1 or top_k < 0:
        problems.append(
            f"temperature {temperature}, top_k {top_k}, top_p {top_p}: expected temperature above 0, top_k of 0 or more, "
            "top_p above 0 and at most 1"
        )
    if problems:
        raise UsageError("generate cannot do this:\n" + "\n".join(f"  - {problem}" for problem in problems))
