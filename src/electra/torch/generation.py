"""Continuing a text with ElectraForCausalLM: greedy, by sampling, or by beam search, with the keys and values kept.

Unusual here: a beam search keeps its finished texts in the same tensors as its running ones, so that a step is a few tensor
operations whatever the number of rows. Results equal those of Hugging Face's generate with the same arguments and seed.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from electra.errors import UsageError

NEW_TOKENS = 20  # where nobody says, and the model takes as many; as in Hugging Face's


@dataclass(frozen=True, kw_only=True)
class Search:
    """How the next token is chosen, and when to stop. Lengths are tokens; `limit` counts the prompt."""

    limit: int
    do_sample: bool
    num_beams: int
    temperature: float
    top_k: int
    top_p: float
    length_penalty: float
    early_stopping: bool
    num_return_sequences: int
    eos: Tensor  # (number of ids that end a text,)
    pad: int


def generate(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    *,
    max_length: int | None = None,
    max_new_tokens: int | None = None,
    do_sample: bool = False,
    num_beams: int = 1,
    temperature: float = 1.0,
    top_k: int = 50,
    top_p: float = 1.0,
    length_penalty: float = 1.0,
    early_stopping: bool = False,
    num_return_sequences: int = 1,
    eos_token_id: int | list[int] | None = None,
    pad_token_id: int | None = None,
    encoder_hidden_states: Tensor | None = None,
    encoder_attention_mask: Tensor | None = None,
) -> Tensor:
    """Continue texts (B, L); returns ids (B times num_return_sequences, at most max_length), the prompt included.

    max_length            tokens with the prompt; or max_new_tokens, without it (20, or as many as the model takes)
    do_sample             draw the next token from the distribution, instead of taking the likeliest
    temperature, top_k, top_p   of the distribution: divide the logits; keep the k likeliest (0: all); keep the likeliest
                          that have p together
    num_beams             texts kept side by side; those that end are ranked by log probability / length ** length_penalty
    early_stopping        stop a row as soon as num_beams texts have ended, not when no better one can come
    eos_token_id          what ends a text (the config's; None: nothing); pad_token_id fills the rest of the row
    attention_mask        (B, L); without one, padding in the prompt is not looked at
    Randomness is torch's own: torch.manual_seed repeats a sample. Raises UsageError on what cannot be done.
    """
    config = model.config
    eos = config.eos_token_id if eos_token_id is None else eos_token_id
    pad = config.pad_token_id if pad_token_id is None else pad_token_id
    search = Search(
        limit=_limit(config, input_ids.shape[1], max_length, max_new_tokens), do_sample=do_sample, num_beams=num_beams,
        temperature=temperature, top_k=top_k, top_p=top_p, length_penalty=length_penalty, early_stopping=early_stopping,
        num_return_sequences=num_return_sequences,
        eos=torch.tensor([] if eos is None else eos, dtype=torch.int64, device=input_ids.device).reshape(-1),
        pad=pad or 0,
    )  # fmt: skip
    _check(config, input_ids, search)
    if attention_mask is None:
        holds_padding = pad is not None and pad not in search.eos and bool((input_ids == pad).any())
        attention_mask = (input_ids != pad).long() if holds_padding else torch.ones_like(input_ids)
    copies = num_beams if num_beams > 1 else num_return_sequences
    decoder = Decoder(
        model,
        input_ids.repeat_interleave(copies, 0),
        attention_mask.repeat_interleave(copies, 0),
        encoder_hidden_states=_repeated(encoder_hidden_states, copies),
        encoder_attention_mask=_repeated(encoder_attention_mask, copies),
    )
    return _beams(decoder, search) if num_beams > 1 else _tokens(decoder, search)


class Decoder:
    """Rows of text under way: their ids (R, L), the mask over them, and the keys and values of what was read."""

    def __init__(self, model: Any, ids: Tensor, mask: Tensor, **source: Tensor | None) -> None:
        self.model, self.ids, self.mask, self.source = model, ids, mask, source
        self.past: Any = None

    def next_logits(self) -> Tensor:
        """(R, V) float32 for the token after each row; reads what was not read yet."""
        known = 0 if self.past is None else self.past[0][0].shape[2]
        output = self.model(
            self.ids[:, known:], self.mask, past_key_values=self.past, use_cache=True, return_dict=True, **self.source
        )
        self.past = output.past_key_values
        return output.logits[:, -1].float()

    def append(self, tokens: Tensor) -> None:
        """One token (R,) more on every row."""
        self.ids = torch.cat([self.ids, tokens[:, None]], 1)
        self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], 1)

    def choose(self, rows: Tensor) -> None:
        """Go on with these rows (R,), some perhaps several times; every row's prompt is as long as its source's."""
        self.ids, self.mask = self.ids[rows], self.mask[rows]
        self.past = tuple(tuple(kept.index_select(0, rows) for kept in layer) for layer in self.past)


def _tokens(decoder: Decoder, search: Search) -> Tensor:
    """Greedy, or by sampling: one token a step on every row that has not ended."""
    running = torch.ones(len(decoder.ids), dtype=torch.bool, device=decoder.ids.device)
    while decoder.ids.shape[1] < search.limit and running.any():
        logits = decoder.next_logits()
        tokens = torch.where(running, _next_tokens(logits, search), search.pad)
        decoder.append(tokens)
        running &= ~torch.isin(tokens, search.eos)
    return decoder.ids


def _next_tokens(logits: Tensor, search: Search) -> Tensor:
    if not search.do_sample:
        return logits.argmax(-1)
    return torch.multinomial(_narrowed(logits, search).softmax(-1), 1)[:, 0]


def _narrowed(logits: Tensor, search: Search) -> Tensor:
    """The distribution to draw from: temperature, then the k likeliest, then the likeliest that have p together."""
    logits = logits / search.temperature
    if search.top_k:
        least = logits.topk(min(search.top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if search.top_p < 1:
        ascending, order = logits.sort(-1)
        dropped = ascending.softmax(-1).cumsum(-1) <= 1 - search.top_p
        dropped[:, -1] = False
        logits = logits.masked_fill(dropped.scatter(1, order, dropped), -torch.inf)
    return logits


def _beams(decoder: Decoder, search: Search) -> Tensor:
    """Beam search: of every row's continuations the K likeliest go on, and the K best that ended are kept."""
    beams, prompt = search.num_beams, decoder.ids.shape[1]
    rows, device = len(decoder.ids) // beams, decoder.ids.device
    first_of_row = torch.arange(rows, device=device)[:, None] * beams  # (B, 1)
    scores = torch.full((rows, beams), -torch.inf, device=device)
    scores[:, 0] = 0  # the K copies of a prompt are one text: only the first may go on
    ended = torch.full((rows, beams, search.limit), search.pad, device=device)
    ended_scores = torch.full((rows, beams), -torch.inf, device=device)
    lengths = torch.full((rows, beams), prompt, device=device)
    is_open = torch.ones(rows, 1, dtype=torch.bool, device=device)  # a better text can still come
    candidates = max(2, 1 + len(search.eos)) * beams  # enough that K of them go on, whatever ends
    for length in range(prompt + 1, search.limit + 1):
        log_probabilities = decoder.next_logits().log_softmax(-1)  # (B K, V)
        vocabulary = log_probabilities.shape[-1]
        totals = (scores.reshape(-1, 1) + log_probabilities).view(rows, -1)
        best, places = totals.topk(min(candidates, totals.shape[1]))  # (B, C)
        sources, tokens = first_of_row + places // vocabulary, places % vocabulary
        texts = torch.cat([decoder.ids[sources], tokens[..., None]], -1)  # (B, C, length)
        ends = torch.isin(tokens, search.eos) | (length == search.limit)

        # Of the K likeliest, those that end join the ended texts, if they are among the K best of them.
        full = ended_scores.isfinite().all(1, keepdim=True)
        joins = ends & is_open & ~(full & search.early_stopping)
        joins[:, beams:] = False
        joining = torch.where(joins, best / (length - prompt) ** search.length_penalty, -torch.inf)
        ended_scores, kept = torch.cat([ended_scores, joining], 1).topk(beams)
        texts = torch.nn.functional.pad(texts, (0, search.limit - length), value=search.pad)
        ended = torch.cat([ended, texts], 1).gather(1, kept[..., None].expand(-1, -1, search.limit))
        lengths = torch.cat([lengths, torch.full_like(places, length)], 1).gather(1, kept)

        scores, going = torch.where(ends, -torch.inf, best).topk(beams)
        decoder.choose(sources.gather(1, going).reshape(-1))
        decoder.append(tokens.gather(1, going).reshape(-1))
        full = ended_scores.isfinite().all(1, keepdim=True)
        hoped = scores[:, :1] / (length - prompt) ** search.length_penalty
        is_open &= ~full | (hoped > ended_scores[:, -1:])
        if not is_open.any() or (search.early_stopping and full.all()):
            break
    longest = int(lengths[:, : search.num_return_sequences].max())
    return ended[:, : search.num_return_sequences, :longest].flatten(0, 1)


def _repeated(rows: Tensor | None, copies: int) -> Tensor | None:
    return None if rows is None else rows.repeat_interleave(copies, 0)


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


def _check(config: Any, input_ids: Tensor, search: Search) -> None:
    """Raise UsageError with everything that cannot be done."""
    problems = []
    if not config.is_decoder:
        problems.append("the model has is_decoder false; load it with is_decoder=True")
    if input_ids.ndim != 2 or input_ids.shape[1] == 0:
        problems.append(
            f"input_ids have shape {tuple(input_ids.shape)}; expected (rows, positions) with one token at least"
        )
    for name in ("num_beams", "num_return_sequences"):
        if getattr(search, name) < 1:
            problems.append(f"{name} is {getattr(search, name)}; expected 1 or more")
    if search.temperature <= 0 or not 0 < search.top_p <= 1 or search.top_k < 0:
        problems.append(
            f"temperature {search.temperature}, top_k {search.top_k}, top_p {search.top_p}: expected temperature above 0, "
            "top_k of 0 or more, top_p above 0 and at most 1"
        )
    if search.do_sample and search.num_beams > 1:
        problems.append("do_sample and num_beams above 1 exclude each other; choose one")
    several = search.num_return_sequences
    if several > 1 and not search.do_sample and several > search.num_beams:
        problems.append(f"num_return_sequences {several} needs do_sample, or num_beams of at least as many")
    if problems:
        raise UsageError("generate cannot do this:\n" + "\n".join(f"  - {problem}" for problem in problems))
