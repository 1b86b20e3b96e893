"""The layers of the encoder: embeddings, attention, feed-forward. Post-LayerNorm, as BERT.

Attribute names are Hugging Face's, so that `named_weights()` is the canonical checkpoint. Shapes: B rows, L positions,
E embedding, H hidden, N heads, D = H / N the width of one head, K keys (L, and those of the past), S another encoder's.
Unusual here: what is added to the scores is called attention_mask, as Keras keeps the name mask for itself.
Source: Clark et al. (2020) and google-research/electra, model/modeling.py.
"""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from electra.config import ElectraConfig
from electra.errors import InputError
from electra.outputs import BaseModelOutputWithPastAndCrossAttentions
from electra.tf.activations import ACTIVATIONS
from electra.tf.modules import Dropout, Embedding, LayerNorm, Linear, Module, shape_of

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy


class ElectraEmbeddings(Module):
    """Word, token type and position tables, summed, normalised. (B, L) ids -> (B, L, E).

    The row of [PAD] starts like any other, but looking it up gives it no gradient, as in Hugging Face's model. That
    differs from the original only where padding is neither masked nor left out of the loss.
    """

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.word_embeddings = Embedding(config.vocab_size, config.embedding_size, config.pad_token_id)
        self.position_embeddings = Embedding(config.max_position_embeddings, config.embedding_size)
        self.token_type_embeddings = Embedding(config.type_vocab_size, config.embedding_size)
        self.LayerNorm = LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.has_absolute_positions = config.position_embedding_type == "absolute"

    def call(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        first_position: int | Tensor = 0,
    ) -> Tensor:
        """Token types default to 0, positions to first_position, first_position + 1, ..."""
        total = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds  # (B, L, E)
        total = tf.cast(total, self.compute_dtype)
        length = shape_of(total)[1]
        types = tf.constant(0) if token_type_ids is None else token_type_ids
        total = total + self.token_type_embeddings(types)
        if self.has_absolute_positions:
            if position_ids is None:
                position_ids = tf.range(first_position, first_position + length)
            total = total + self.position_embeddings(position_ids)
        return self.dropout(self.LayerNorm(total))


KeysAndValues = tuple[Tensor, ...]  # (B, N, K, D) twice; with cross-attention, (B, N, S, D) twice after them


class ElectraSelfAttention(Module):
    """Multi-head attention without its output layer: over the text itself, or over another encoder's states (is_cross)."""

    def __init__(self, config: ElectraConfig, is_cross: bool = False) -> None:
        super().__init__()
        self.is_cross = is_cross
        self.heads = list(range(config.num_attention_heads))  # those not pruned, by their number in the whole model
        self.attention_head_size = config.hidden_size // config.num_attention_heads
        self.query = Linear(config.hidden_size, config.hidden_size)
        self.key = Linear(config.hidden_size, config.hidden_size)
        self.value = Linear(config.hidden_size, config.hidden_size)
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.position_embedding_type = "absolute" if is_cross else config.position_embedding_type
        if self.position_embedding_type != "absolute":
            self.max_position_embeddings = config.max_position_embeddings
            self.distance_embedding = Embedding(2 * config.max_position_embeddings - 1, self.attention_head_size)

    def call(
        self,
        hidden: Tensor,
        attention_mask: Tensor | None,
        head_mask: Tensor | None,
        past: KeysAndValues | None = None,
        source: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, KeysAndValues]:
        """hidden (B, L, H), attention_mask (B, 1, 1 or L, K), head_mask (N, 1, 1) -> context (B, L, H), weights, cache.

        past     keys and values of an earlier call
        source   (B, S, H) what is looked at: the text itself, or another encoder's states
        The weights (B, N, L, K) are those after dropout and head mask.
        """
        query = self._heads(self.query(hidden))  # (B, N, L, D)
        key, value = self._keys_and_values(hidden if source is None else source, past)
        scores = tf.matmul(query, key, transpose_b=True)  # (B, N, L, K)
        if self.position_embedding_type != "absolute":
            scores = scores + self._relative_scores(query, key)
        scores = tf.cast(scores, _wide(scores)) / math.sqrt(self.attention_head_size)
        if attention_mask is not None:
            scores = scores + tf.cast(attention_mask, scores.dtype)
        weights = self.dropout(tf.cast(tf.nn.softmax(scores), value.dtype))
        if head_mask is not None:
            weights = weights * tf.cast(head_mask, weights.dtype)
        context = tf.matmul(weights, value)  # (B, N, L, D)
        rows, heads, length, size = shape_of(context)
        context = tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [rows, length, heads * size])  # (B, L, N D)
        return context, weights, (key, value)

    def _keys_and_values(self, source: Tensor, past: KeysAndValues | None) -> tuple[Tensor, Tensor]:
        if self.is_cross and past is not None:
            return past[0], past[1]  # another encoder's states are the same at every step
        key, value = self._heads(self.key(source)), self._heads(self.value(source))
        if past is None:
            return key, value
        return tf.concat([past[0], key], axis=2), tf.concat([past[1], value], axis=2)

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, N D) -> (B, N, L, D)"""
        rows, length, _ = shape_of(x)
        return tf.transpose(tf.reshape(x, [rows, length, len(self.heads), self.attention_head_size]), [0, 2, 1, 3])

    def _relative_scores(self, query: Tensor, key: Tensor) -> Tensor:
        """What distance adds to the scores, (B, N, L, K). Shaw et al. (2018), Huang et al. (2020)."""
        length, keys = shape_of(query)[2], shape_of(key)[2]
        there = tf.range(keys)
        here = there[keys - length :]
        distance = here[:, None] - there[None, :] + self.max_position_embeddings - 1
        table = self.distance_embedding(distance)  # (L, K, D)
        scores = tf.einsum("bnld,lrd->bnlr", query, table)
        if self.position_embedding_type == "relative_key_query":
            scores = scores + tf.einsum("bnrd,lrd->bnlr", key, table)
        return scores


class ElectraResidual(Module):
    """A linear layer back to H, dropout, and LayerNorm of the sum with what came before."""

    def __init__(self, width: int, config: ElectraConfig) -> None:
        super().__init__()
        self.dense = Linear(width, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def call(self, x: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(x)) + before)


class ElectraAttention(Module):
    """Attention with its output layer. (B, L, H) -> (B, L, H)."""

    def __init__(self, config: ElectraConfig, is_cross: bool = False) -> None:
        super().__init__()
        self.self = ElectraSelfAttention(config, is_cross)
        self.output = ElectraResidual(config.hidden_size, config)

    def call(
        self,
        hidden: Tensor,
        attention_mask: Tensor | None,
        head_mask: Tensor | None,
        past: KeysAndValues | None = None,
        source: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, KeysAndValues]:
        context, weights, cache = self.self(hidden, attention_mask, head_mask, past, source)
        return self.output(context, hidden), weights, cache


class ElectraIntermediate(Module):
    """The wide half of the feed-forward layer. (B, L, H) -> (B, L, intermediate_size)."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.intermediate_size)
        self.activation = ACTIVATIONS[config.hidden_act]

    def call(self, hidden: Tensor) -> Tensor:
        return self.activation(self.dense(hidden))


class ElectraLayer(Module):
    """One layer: attention, cross-attention if so configured, then feed-forward, in chunks of positions if so configured."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.attention = ElectraAttention(config)
        if config.add_cross_attention:
            self.crossattention = ElectraAttention(config, is_cross=True)
        self.intermediate = ElectraIntermediate(config)
        self.output = ElectraResidual(config.intermediate_size, config)
        self.chunk = config.chunk_size_feed_forward

    def call(
        self,
        hidden: Tensor,
        attention_mask: Tensor | None,
        head_mask: Tensor | None,
        past: KeysAndValues | None = None,
        encoder_states: Tensor | None = None,
        encoder_mask: Tensor | None = None,
        first_only: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor | None, KeysAndValues]:
        """Returns hidden (B, L, H), weights (B, N, L, K), those of the cross-attention (B, N, L, S), keys and values.

        first_only   only position 0 is worked out, looking at all: L is 1 in what is returned, but for keys and values
        """
        source = hidden
        if first_only:
            hidden, attention_mask = hidden[:, :1], None if attention_mask is None else attention_mask[:, :, :1]
        hidden, weights, cache = self.attention(hidden, attention_mask, head_mask, past, source)
        cross_weights, kept = None, past[2:] if past else ()
        if encoder_states is not None or kept:
            arguments = (hidden, encoder_mask, head_mask, kept or None, encoder_states)
            hidden, cross_weights, kept = self.crossattention(*arguments)
        return self._feed_forward(hidden), weights, cross_weights, (*cache, *kept)

    def _feed_forward(self, hidden: Tensor) -> Tensor:
        length = hidden.shape[1]
        if not self.chunk or length is None:  # of a graph of open length nobody knows how many chunks there are
            return self.output(self.intermediate(hidden), hidden)
        if length % self.chunk:
            raise InputError(
                f"the input has {length} positions, which is not a multiple of chunk_size_feed_forward "
                f"{self.chunk}; pad the rows, or set chunk_size_feed_forward to 0"
            )
        parts = tf.split(hidden, length // self.chunk, axis=1)
        return tf.concat([self.output(self.intermediate(part), part) for part in parts], axis=1)


class ElectraEncoder(Module):
    """The stack of layers."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.layer = [ElectraLayer(config) for _ in range(config.num_hidden_layers)]
        self.has_cross_attention = config.add_cross_attention
        self.can_skip = config.position_embedding_type == "absolute" and not config.chunk_size_feed_forward

    def call(
        self,
        hidden: Tensor,
        attention_mask: Tensor | None,
        head_mask: Tensor | None,
        with_weights: bool = False,
        with_states: bool = False,
        with_cache: bool = False,
        past: Sequence[KeysAndValues] | None = None,
        encoder_states: Tensor | None = None,
        encoder_mask: Tensor | None = None,
        first_only: bool = False,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """hidden (B, L, H), attention_mask (B, 1, 1 or L, K), head_mask (layers, N, 1, 1), past one per layer.

        first_only   the caller reads position 0 alone: the last layer leaves out the others where it can
        Answers with the fields asked for: the hidden states begin with the input's.
        """
        first_only = first_only and self.can_skip and not (with_weights or with_states)
        states, attentions, cross_attentions, caches = [hidden], [], [], []
        for number, layer in enumerate(self.layer):
            hidden, weights, cross_weights, cache = layer(
                hidden, attention_mask, None if head_mask is None else head_mask[number],
                None if past is None else past[number], encoder_states, encoder_mask,
                first_only=first_only and number == len(self.layer) - 1,
            )  # fmt: skip
            if with_states:
                states.append(hidden)
            if with_weights:
                attentions.append(weights)
            if with_weights and cross_weights is not None:
                cross_attentions.append(cross_weights)
            if with_cache:
                caches.append(cache)
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=hidden,
            past_key_values=tuple(caches) if with_cache else None,
            hidden_states=tuple(states) if with_states else None,
            attentions=tuple(attentions) if with_weights else None,
            cross_attentions=tuple(cross_attentions) if with_weights and self.has_cross_attention else None,
        )


def _wide(x: Tensor) -> tf.DType:
    """The type for a softmax over `x`: its own, but float32 at least."""
    return tf.float64 if x.dtype == tf.float64 else tf.float32
