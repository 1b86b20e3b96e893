"""The layers of the encoder: embeddings, attention, feed-forward. Post-LayerNorm, as BERT.

Module names are Hugging Face's, so that the parameter tree is that of its Flax classes. Shapes: B rows, L positions,
E embedding, H hidden, N heads, D = H / N the width of one head, K keys (L, or the room of the cache), S another encoder's.
Source: Clark et al. (2020) and google-research/electra, model/modeling.py.
"""

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from electra.config import ElectraConfig
from electra.errors import InputError
from electra.flax.activations import activation
from electra.flax.initial import dense, norm, table
from electra.outputs import BaseModelOutputWithPastAndCrossAttentions
from electra.weights.names import heads_left


class FlaxElectraEmbeddings(nn.Module):
    """Word, token type and position tables, summed, normalised. (B, L) ids -> (B, L, E).

    The row of [PAD] starts like any other, but looking it up gives it no gradient, as in Hugging Face's model. That
    differs from the original only where padding is neither masked nor left out of the loss.
    """

    config: ElectraConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        config = self.config
        self.word_embeddings = table(config, config.vocab_size, config.embedding_size, self.dtype)
        self.position_embeddings = table(config, config.max_position_embeddings, config.embedding_size, self.dtype)
        self.token_type_embeddings = table(config, config.type_vocab_size, config.embedding_size, self.dtype)
        self.LayerNorm = norm(config, self.dtype)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def __call__(
        self,
        input_ids: Array,
        token_type_ids: Array | None = None,
        position_ids: Array | None = None,
        first_position: Array | int = 0,
        deterministic: bool = True,
    ) -> Array:
        """Token types default to 0, positions to first_position, first_position + 1, ..."""
        words = self.word_embeddings(input_ids)  # (B, L, E)
        is_padding = (input_ids == self.config.pad_token_id)[..., None]
        total = jnp.where(is_padding, jax.lax.stop_gradient(words), words)
        types = self.token_type_embeddings
        total = total + types(jnp.zeros(1, jnp.int32) if token_type_ids is None else token_type_ids)
        if self.config.position_embedding_type == "absolute" or self.is_initializing():
            positions = first_position + jnp.arange(input_ids.shape[1]) if position_ids is None else position_ids
            total = total + self.position_embeddings(positions)
        return self.dropout(self.LayerNorm(total), deterministic=deterministic)


KeysAndValues = tuple[Array, ...]  # (B, N, K, D) twice; with cross-attention, (B, N, S, D) twice after them


class FlaxElectraSelfAttention(nn.Module):
    """Multi-head attention without its output layer: over the text itself, or over another encoder's states (is_cross)."""

    config: ElectraConfig
    heads: int  # those not pruned
    is_cross: bool = False
    dtype: Any = jnp.float32

    def setup(self) -> None:
        config = self.config
        self.attention_head_size = config.hidden_size // config.num_attention_heads
        width = self.heads * self.attention_head_size
        self.query = dense(config, width, self.dtype)
        self.key = dense(config, width, self.dtype)
        self.value = dense(config, width, self.dtype)
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)
        self.position_embedding_type = "absolute" if self.is_cross else config.position_embedding_type
        if self.position_embedding_type != "absolute":
            rows = 2 * config.max_position_embeddings - 1
            self.distance_embedding = table(config, rows, self.attention_head_size, self.dtype)

    def __call__(
        self,
        hidden: Array,
        mask: Array | None,
        head_mask: Array | None,
        past: KeysAndValues | None = None,
        first_position: Array | int = 0,
        source: Array | None = None,
        deterministic: bool = True,
    ) -> tuple[Array, Array, KeysAndValues]:
        """hidden (B, L, H), mask for the scores (B, 1, 1 or L, K), head_mask (N, 1, 1) -> context (B, L, H), weights, cache.

        past     keys and values of earlier calls, with room for these, which go to first_position and on
        source   (B, S, H) what is looked at: the text itself, or another encoder's states
        The weights (B, N, L, K) are those after dropout and the head mask.
        """
        query = self._heads(self.query(hidden))  # (B, N, L, D)
        key, value = self._keys_and_values(hidden if source is None else source, past, first_position)
        scores = query @ key.swapaxes(-1, -2)  # (B, N, L, K)
        if self.position_embedding_type != "absolute":
            scores = scores + self._relative_scores(query, key, first_position)
        scores = scores / math.sqrt(self.attention_head_size)
        scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
        if mask is not None:
            scores = scores + mask
        weights = self.dropout(jax.nn.softmax(scores, -1), deterministic=deterministic)
        if head_mask is not None:
            weights = weights * head_mask
        context = weights.astype(value.dtype) @ value  # (B, N, L, D)
        return context.swapaxes(1, 2).reshape(*hidden.shape[:2], -1), weights, (key, value)  # (B, L, N D)

    def _keys_and_values(self, source: Array, past: KeysAndValues | None, first: Array | int) -> tuple[Array, Array]:
        if self.is_cross and past is not None:
            return past[0], past[1]  # another encoder's states are the same at every step
        key, value = self._heads(self.key(source)), self._heads(self.value(source))
        if past is None:
            return key, value
        update, place = jax.lax.dynamic_update_slice, (0, 0, first, 0)
        return update(past[0], key.astype(past[0].dtype), place), update(past[1], value.astype(past[1].dtype), place)

    def _heads(self, x: Array) -> Array:  # (B, L, N D) -> (B, N, L, D)
        return x.reshape(*x.shape[:2], self.heads, self.attention_head_size).swapaxes(1, 2)

    def _relative_scores(self, query: Array, key: Array, first_position: Array | int) -> Array:
        """What distance adds to the scores, (B, N, L, K). Shaw et al. (2018), Huang et al. (2020)."""
        there = jnp.arange(key.shape[2])
        here = first_position + jnp.arange(query.shape[2])
        distance = here[:, None] - there[None, :] + self.config.max_position_embeddings - 1
        embedded = self.distance_embedding(distance)  # (L, K, D)
        scores = jnp.einsum("bnld,lrd->bnlr", query, embedded)
        if self.position_embedding_type == "relative_key_query":
            scores = scores + jnp.einsum("bnrd,lrd->bnlr", key, embedded)
        return scores


class FlaxElectraResidual(nn.Module):
    """A linear layer back to H, dropout, and LayerNorm of the sum with what came before."""

    config: ElectraConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.dense = dense(self.config, self.config.hidden_size, self.dtype)
        self.LayerNorm = norm(self.config, self.dtype)
        self.dropout = nn.Dropout(self.config.hidden_dropout_prob)

    def __call__(self, x: Array, before: Array, deterministic: bool = True) -> Array:
        return self.LayerNorm(self.dropout(self.dense(x), deterministic=deterministic) + before)


class FlaxElectraAttention(nn.Module):
    """Attention with its output layer. (B, L, H) -> (B, L, H)."""

    config: ElectraConfig
    heads: int
    is_cross: bool = False
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.self: Any = FlaxElectraSelfAttention(self.config, self.heads, self.is_cross, self.dtype)
        self.output = FlaxElectraResidual(self.config, self.dtype)

    def __call__(
        self, hidden: Array, *arguments: Any, deterministic: bool = True
    ) -> tuple[Array, Array, KeysAndValues]:
        """Arguments and answer as FlaxElectraSelfAttention's."""
        context, weights, cache = self.self(hidden, *arguments, deterministic=deterministic)
        return self.output(context, hidden, deterministic), weights, cache


class FlaxElectraIntermediate(nn.Module):
    """The wide half of the feed-forward layer. (B, L, H) -> (B, L, intermediate_size)."""

    config: ElectraConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.dense = dense(self.config, self.config.intermediate_size, self.dtype)
        self.activation = activation(self.config.hidden_act)

    def __call__(self, hidden: Array) -> Array:
        return self.activation(self.dense(hidden))


class FlaxElectraLayer(nn.Module):
    """One layer: attention, cross-attention if so configured, then feed-forward, in chunks of positions if so configured."""

    config: ElectraConfig
    number: int
    dtype: Any = jnp.float32

    def setup(self) -> None:
        config = self.config
        self.attention = FlaxElectraAttention(config, heads_left(config, self.number), dtype=self.dtype)
        if config.add_cross_attention:
            self.crossattention = FlaxElectraAttention(config, config.num_attention_heads, True, self.dtype)
        self.intermediate = FlaxElectraIntermediate(config, self.dtype)
        self.output = FlaxElectraResidual(config, self.dtype)

    def __call__(
        self,
        hidden: Array,
        mask: Array | None,
        head_mask: Array | None,
        past: KeysAndValues | None = None,
        first_position: Array | int = 0,
        encoder_states: Array | None = None,
        encoder_mask: Array | None = None,
        deterministic: bool = True,
        first_only: bool = False,
    ) -> tuple[Array, Array, Array | None, KeysAndValues]:
        """Returns hidden (B, L, H), weights (B, N, L, K), those of the cross-attention (B, N, L, S), keys and values.

        first_only   only position 0 is worked out, looking at all: L is 1 in what is returned, but for keys and values
        """
        source = hidden
        if first_only:
            hidden, mask = hidden[:, :1], None if mask is None else mask[:, :, :1]
        arguments: Any = (mask, head_mask, past[:2] if past else None, first_position, source)
        hidden, weights, cache = self.attention(hidden, *arguments, deterministic=deterministic)
        cross_weights, kept = None, past[2:] if past else ()
        if self.config.add_cross_attention and (encoder_states is not None or kept or self.is_initializing()):
            arguments = (encoder_mask, head_mask, kept or None, 0, encoder_states)
            hidden, cross_weights, kept = self.crossattention(hidden, *arguments, deterministic=deterministic)
        return self._feed_forward(hidden, deterministic), weights, cross_weights, (*cache, *kept)

    def _feed_forward(self, hidden: Array, deterministic: bool) -> Array:
        chunk = self.config.chunk_size_feed_forward
        if not chunk:
            return self.output(self.intermediate(hidden), hidden, deterministic)
        if hidden.shape[1] % chunk:
            raise InputError(
                f"the input has {hidden.shape[1]} positions, which is not a multiple of chunk_size_feed_forward "
                f"{chunk}; pad the rows, or set chunk_size_feed_forward to 0"
            )
        parts = jnp.split(hidden, hidden.shape[1] // chunk, axis=1)
        return jnp.concatenate([self.output(self.intermediate(part), part, deterministic) for part in parts], axis=1)


class FlaxElectraLayers(nn.Module):
    """The layers by their numbers, as the tree names them."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        kind: Any = FlaxElectraLayer
        if self.gradient_checkpointing:
            kind = nn.remat(FlaxElectraLayer, static_argnums=(8, 9))  # the two flags, self included
        self.layers = [kind(self.config, i, self.dtype, name=str(i)) for i in range(self.config.num_hidden_layers)]

    def __call__(self, number: int, *arguments: Any) -> Any:
        return self.layers[number](*arguments)


class FlaxElectraEncoder(nn.Module):
    """The stack of layers."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False  # keep each layer's input and compute the rest again for the gradient

    def setup(self) -> None:
        self.layer = FlaxElectraLayers(self.config, self.dtype, self.gradient_checkpointing)

    def __call__(
        self,
        hidden: Array,
        mask: Array | None,
        head_mask: Array | None,
        with_weights: bool,
        with_states: bool,
        past: Sequence[KeysAndValues] | None = None,
        first_position: Array | int = 0,
        encoder_states: Array | None = None,
        encoder_mask: Array | None = None,
        deterministic: bool = True,
        first_only: bool = False,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """hidden (B, L, H), mask (B, 1, 1 or L, K), head_mask (layers, N, 1, 1), past one per layer.

        first_only   the caller reads position 0 alone: the last layer leaves out the others where it can
        Answers with the fields asked for: the hidden states begin with the input's.
        """
        config = self.config
        can_skip = config.position_embedding_type == "absolute" and not config.chunk_size_feed_forward
        first_only = first_only and can_skip and not (with_weights or with_states)
        states, attentions, cross_attentions, caches = [hidden], [], [], []
        for number in range(config.num_hidden_layers):
            hidden, weights, cross_weights, cache = self.layer(
                number, hidden, mask, None if head_mask is None else head_mask[number],
                None if past is None else past[number], first_position, encoder_states, encoder_mask, deterministic,
                first_only and number == config.num_hidden_layers - 1,
            )  # fmt: skip
            states.append(hidden)
            attentions.append(weights)
            caches.append(cache)
            if cross_weights is not None:
                cross_attentions.append(cross_weights)
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=hidden,
            past_key_values=None if past is None else tuple(caches),
            hidden_states=tuple(states) if with_states else None,
            attentions=tuple(attentions) if with_weights else None,
            cross_attentions=tuple(cross_attentions) if with_weights and cross_attentions else None,
        )
