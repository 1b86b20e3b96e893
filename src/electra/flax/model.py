"""The encoder, from ids to hidden states."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from electra.config import ElectraConfig
from electra.flax.checks import check_config
from electra.flax.initial import dense
from electra.flax.layers import FlaxElectraEmbeddings, FlaxElectraEncoder
from electra.flax.pretrained import FlaxElectraPreTrainedModel
from electra.outputs import BaseModelOutputWithPastAndCrossAttentions


class FlaxElectraModule(nn.Module):
    """The bare encoder as a Linen module: `apply({"params": params}, ...)` computes, `init` makes parameters.

    dtype                   of the computation; parameters are float32
    gradient_checkpointing  keep each layer's input and compute the rest again for the gradient
    """

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        config = self.config
        check_config(config)
        self.embeddings = FlaxElectraEmbeddings(config, self.dtype)
        if config.embedding_size != config.hidden_size:
            self.embeddings_project = dense(config, config.hidden_size, self.dtype, glorot=True)
        self.encoder = FlaxElectraEncoder(config, self.dtype, self.gradient_checkpointing)

    def __call__(
        self,
        input_ids: Array,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
        position_ids: Array | None = None,
        head_mask: Array | None = None,
        encoder_hidden_states: Array | None = None,
        encoder_attention_mask: Array | None = None,
        past_key_values: Mapping[str, Any] | None = None,
        deterministic: bool = True,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        first_only: bool = False,
    ) -> BaseModelOutputWithPastAndCrossAttentions | tuple[Any, ...]:
        """Encode ids (B, L).

        attention_mask   (B, L) 1 on real tokens, or (B, L, L) 1 where the row's position may look at the column's. A
                         decoder's positions look at themselves and those before, unless the mask is (B, L, L)
        token_type_ids   (B, L), 0 where nobody says. Hugging Face's Flax classes take 1 there, unlike its others
        head_mask        (N,) or (layers, N), multiplied into the attention weights
        Of decoders (is_decoder, and add_cross_attention for the encoder_* arguments):
        encoder_hidden_states (B, S, H) of another encoder, with encoder_attention_mask (B, S) or (B, L, S)
        past_key_values  of the model's init_cache, or what a call with them answered; input_ids are then the L tokens after
                         those of earlier calls, and the columns of attention_mask count those before too
        deterministic    False for dropout, which needs `rngs={"dropout": key}`
        first_only       the caller reads position 0 of last_hidden_state alone, and the others may be left out
        """
        config, past = self.config, past_key_values
        first = past["index"] if past else 0  # tokens of earlier calls
        hidden = self.embeddings(input_ids, token_type_ids, position_ids, first, deterministic)  # (B, L, E)
        if config.embedding_size != config.hidden_size:
            hidden = self.embeddings_project(hidden)  # (B, L, H)
        length = hidden.shape[1]
        if config.is_decoder:
            room = past["layers"][0][0].shape[2] if past else length
            attention_mask = causal_mask(attention_mask, length, first, room)
        output = self.encoder(
            hidden,
            None if attention_mask is None else additive_mask(attention_mask, self.dtype),
            None if head_mask is None else expand_head_mask(head_mask, config),
            config.output_attentions if output_attentions is None else output_attentions,
            config.output_hidden_states if output_hidden_states is None else output_hidden_states,
            past["layers"] if past else None,
            first,
            encoder_hidden_states,
            None if encoder_attention_mask is None else additive_mask(encoder_attention_mask, self.dtype),
            deterministic,
            first_only,
        )
        if past:
            output["past_key_values"] = {"index": first + length, "layers": output.past_key_values}
        return output if wants_dict(config, return_dict) else output.to_tuple()


class FlaxElectraModel(FlaxElectraPreTrainedModel):
    """The bare encoder. last_hidden_state (B, L, H); position 0, [CLS], stands for the whole text. A decoder if so configured."""

    module_class = FlaxElectraModule


def wants_dict(config: ElectraConfig, return_dict: bool | None) -> bool:
    """Whether to answer with an output object instead of a tuple."""
    return config.use_return_dict if return_dict is None else return_dict


def causal_mask(attention_mask: Array | None, length: int, past: Array | int, room: int) -> Array:
    """Which keys each position of a decoder may look at: (B, L, K) from (B, K) or nothing; (B, L, K) as it is.

    K is `room`, the keys a cache has place for; a mask of fewer columns says nothing of those to come.
    """
    unsaid = 0 if attention_mask is None else room - attention_mask.shape[-1]
    if attention_mask is not None and attention_mask.ndim == 3:
        return jnp.pad(attention_mask, ((0, 0), (0, 0), (0, unsaid)))
    before = (jnp.arange(room)[None, :] <= past + jnp.arange(length)[:, None])[None]
    if attention_mask is None:
        return before
    return before * jnp.pad(attention_mask, ((0, 0), (0, unsaid)), constant_values=1)[:, None, :]


def additive_mask(attention_mask: Array, dtype: Any) -> Array:
    """What is added to the scores: 0 where allowed, the smallest number where not. (B, 1, 1 or L, L).

    The smallest number, not -inf: a row that is all padding then attends evenly instead of becoming NaN. Scores are at
    least float32 whatever `dtype`.
    """
    dtype = jnp.promote_types(dtype, jnp.float32)
    shaped = attention_mask[:, None, None, :] if attention_mask.ndim == 2 else attention_mask[:, None, :, :]
    return (1.0 - shaped.astype(dtype)) * jnp.finfo(dtype).min


def expand_head_mask(head_mask: Array, config: ElectraConfig) -> Array:
    """(N,) or (layers, N) -> (layers, N, 1, 1)."""
    shape = (config.num_hidden_layers, head_mask.shape[-1])
    return jnp.broadcast_to(head_mask.astype(jnp.float32), shape)[:, :, None, None]
