"""The layers of the encoder: embeddings, attention, feed-forward. Post-LayerNorm, as BERT.

Module names are Hugging Face's, so that `state_dict()` is the canonical checkpoint. Shapes: B rows, L positions,
E embedding, H hidden, N heads, D = H / N the width of one head, K keys (L, and those of the past), S another encoder's.
Source: Clark et al. (2020) and google-research/electra, model/modeling.py.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from electra.config import ElectraConfig
from electra.errors import InputError
from electra.outputs import BaseModelOutputWithPastAndCrossAttentions
from electra.torch.activations import ACTIVATIONS

# On CPU the two paths of attention take the same time up to about this many positions (H 128 and 256, forward and
# backward, one core); from there on torch's fused one is faster. On GPU it is always taken: it keeps no (L, L) scores.
FUSED_FROM = 256


def _is_short(hidden: Tensor) -> bool:
    """Whether the explicit path is as fast. Not asked of an exported graph, which serves every length."""
    return not torch.compiler.is_exporting() and not hidden.is_cuda and hidden.shape[1] < FUSED_FROM


def _table(rows: int, width: int, padding_id: int | None = None) -> nn.Embedding:
    """A table of zeros, which post_init or a file fills. PyTorch's own first numbers, drawn on the meta device, would
    import its compiler: three seconds before the first answer."""
    return nn.Embedding(rows, width, padding_id, _weight=torch.zeros(rows, width))


class ElectraEmbeddings(nn.Module):
    """Word, token type and position tables, summed, normalised. (B, L) ids -> (B, L, E).

    The row of [PAD] starts like any other, but looking it up gives it no gradient, as in Hugging Face's model. That
    differs from the original only where padding is neither masked nor left out of the loss.
    """

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.word_embeddings = _table(config.vocab_size, config.embedding_size, config.pad_token_id)
        self.position_embeddings = _table(config.max_position_embeddings, config.embedding_size)
        self.token_type_embeddings = _table(config.type_vocab_size, config.embedding_size)
        self.LayerNorm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.has_absolute_positions = config.position_embedding_type == "absolute"

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        first_position: int = 0,
    ) -> Tensor:
        """Token types default to 0, positions to first_position, first_position + 1, ..."""
        total = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds  # (B, L, E)
        length = total.shape[1]
        types = self.token_type_embeddings
        total = total + (types.weight[0] if token_type_ids is None else types(token_type_ids))
        if self.has_absolute_positions:
            table = self.position_embeddings
            if position_ids is None:
                total = total + table.weight[first_position : first_position + length]
            else:
                total = total + table(position_ids)
        return self.dropout(self.LayerNorm(total))


KeysAndValues = tuple[Tensor, ...]  # (B, N, K, D) twice; with cross-attention, (B, N, S, D) twice after them


class ElectraSelfAttention(nn.Module):
    """Multi-head attention without its output layer: over the text itself, or over another encoder's states (is_cross)."""

    def __init__(self, config: ElectraConfig, is_cross: bool = False) -> None:
        super().__init__()
        self.is_cross = is_cross
        self.heads = list(range(config.num_attention_heads))  # those not pruned, by their number in the whole model
        self.attention_head_size = config.hidden_size // config.num_attention_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)
        self.position_embedding_type = "absolute" if is_cross else config.position_embedding_type
        if self.position_embedding_type != "absolute":
            self.max_position_embeddings = config.max_position_embeddings
            self.distance_embedding = _table(2 * config.max_position_embeddings - 1, self.attention_head_size)

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        head_mask: Tensor | None,
        with_weights: bool,
        past: KeysAndValues | None = None,
        source: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None, KeysAndValues]:
        """hidden (B, L, H), mask for the scores (B, 1, 1 or L, K), head_mask (N, 1, 1) -> context (B, L, H), weights, cache.

        past     keys and values of an earlier call
        source   (B, S, H) what is looked at: the text itself, or another encoder's states
        The weights (B, N, L, K) are those after dropout and head mask; None from the fused path.
        """
        query = self._heads(self.query(hidden))  # (B, N, L, D)
        key, value = self._keys_and_values(hidden if source is None else source, past)
        # The one choice of path: the fused kernel where nobody asks for what it cannot give and L is long enough.
        explicit = with_weights or head_mask is not None or self.position_embedding_type != "absolute"
        if explicit or _is_short(hidden):
            context, weights = self._explicit(query, key, value, mask, head_mask)
        else:
            context, weights = self._fused(query, key, value, mask), None
        return context.transpose(1, 2).flatten(2), weights, (key, value)  # (B, L, N D)

    def _keys_and_values(self, source: Tensor, past: KeysAndValues | None) -> tuple[Tensor, Tensor]:
        if self.is_cross and past is not None:
            return past[0], past[1]  # another encoder's states are the same at every step
        key, value = self._heads(self.key(source)), self._heads(self.value(source))
        if past is None:
            return key, value
        return torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, N D) -> (B, N, L, D)"""
        return x.unflatten(-1, (len(self.heads), self.attention_head_size)).transpose(1, 2)

    def _explicit(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, head_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        scores = query @ key.transpose(-1, -2)  # (B, N, L, K)
        if self.position_embedding_type != "absolute":
            scores = scores + self._relative_scores(query, key)
        scores = scores / math.sqrt(self.attention_head_size)
        if mask is not None:
            scores = scores + mask
        weights = self.dropout(scores.softmax(-1))
        if head_mask is not None:
            weights = weights * head_mask
        return weights.to(value.dtype) @ value, weights

    def _fused(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None:
            # A mask made in float32 would become -inf in a narrower type, and a row of -inf would be NaN.
            mask = mask.clamp(min=torch.finfo(query.dtype).min).to(query.dtype)
        dropout = self.dropout.p if self.training else 0.0
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)

    def _relative_scores(self, query: Tensor, key: Tensor) -> Tensor:
        """What distance adds to the scores, (B, N, L, K). Shaw et al. (2018), Huang et al. (2020)."""
        there = torch.arange(key.shape[2], device=query.device)
        here = there[key.shape[2] - query.shape[2] :]
        distance = here[:, None] - there[None, :] + self.max_position_embeddings - 1
        table = self.distance_embedding(distance).to(query.dtype)  # (L, K, D)
        scores = torch.einsum("bnld,lrd->bnlr", query, table)
        if self.position_embedding_type == "relative_key_query":
            scores = scores + torch.einsum("bnrd,lrd->bnlr", key, table)
        return scores


class ElectraResidual(nn.Module):
    """A linear layer back to H, dropout, and LayerNorm of the sum with what came before."""

    def __init__(self, width: int, config: ElectraConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(width, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(x)) + before)


class ElectraAttention(nn.Module):
    """Attention with its output layer. (B, L, H) -> (B, L, H)."""

    def __init__(self, config: ElectraConfig, is_cross: bool = False) -> None:
        super().__init__()
        self.self = ElectraSelfAttention(config, is_cross)
        self.output = ElectraResidual(config.hidden_size, config)

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        head_mask: Tensor | None,
        with_weights: bool,
        past: KeysAndValues | None = None,
        source: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None, KeysAndValues]:
        context, weights, cache = self.self(hidden, mask, head_mask, with_weights, past, source)
        return self.output(context, hidden), weights, cache


class ElectraIntermediate(nn.Module):
    """The wide half of the feed-forward layer. (B, L, H) -> (B, L, intermediate_size)."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = ACTIVATIONS[config.hidden_act]

    def forward(self, hidden: Tensor) -> Tensor:
        return self.activation(self.dense(hidden))


class ElectraLayer(nn.Module):
    """One layer: attention, cross-attention if so configured, then feed-forward, in chunks of positions if so configured."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.attention = ElectraAttention(config)
        if config.add_cross_attention:
            self.crossattention = ElectraAttention(config, is_cross=True)
        self.intermediate = ElectraIntermediate(config)
        self.output = ElectraResidual(config.intermediate_size, config)
        self.chunk = config.chunk_size_feed_forward

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        head_mask: Tensor | None,
        with_weights: bool,
        past: KeysAndValues | None = None,
        encoder_states: Tensor | None = None,
        encoder_mask: Tensor | None = None,
        first_only: bool = False,
    ) -> tuple[Tensor, Tensor | None, Tensor | None, KeysAndValues]:
        """Returns hidden (B, L, H), weights (B, N, L, K), those of the cross-attention (B, N, L, S), keys and values.

        first_only   only position 0 is worked out, looking at all: L is 1 in what is returned, but for keys and values
        """
        source = hidden
        if first_only:
            hidden, mask = hidden[:, :1], None if mask is None else mask[:, :, :1]
        hidden, weights, cache = self.attention(hidden, mask, head_mask, with_weights, past, source)
        cross_weights, kept = None, past[2:] if past else ()
        if encoder_states is not None or kept:
            arguments = (hidden, encoder_mask, head_mask, with_weights, kept or None, encoder_states)
            hidden, cross_weights, kept = self.crossattention(*arguments)
        return self._feed_forward(hidden), weights, cross_weights, (*cache, *kept)

    def _feed_forward(self, hidden: Tensor) -> Tensor:
        if not self.chunk:
            return self.output(self.intermediate(hidden), hidden)
        if hidden.shape[1] % self.chunk:
            raise InputError(
                f"the input has {hidden.shape[1]} positions, which is not a multiple of chunk_size_feed_forward "
                f"{self.chunk}; pad the rows, or set chunk_size_feed_forward to 0"
            )
        return torch.cat(
            [self.output(self.intermediate(part), part) for part in hidden.split(self.chunk, dim=1)], dim=1
        )


class ElectraEncoder(nn.Module):
    """The stack of layers."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(ElectraLayer(config) for _ in range(config.num_hidden_layers))
        self.checkpointing: dict[str, Any] | None = None  # arguments of torch's checkpoint; None: keep everything
        self.can_skip = config.position_embedding_type == "absolute" and not config.chunk_size_feed_forward

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        head_mask: Tensor | None,
        with_weights: bool,
        with_states: bool,
        with_cache: bool = False,
        past: Sequence[KeysAndValues] | None = None,
        encoder_states: Tensor | None = None,
        encoder_mask: Tensor | None = None,
        first_only: bool = False,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """hidden (B, L, H), mask (B, 1, 1 or L, K), head_mask (layers, N, 1, 1), past one per layer.

        first_only   the caller reads position 0 alone: the last layer leaves out the others where it can
        Answers with the fields asked for: the hidden states begin with the input's.
        """
        first_only = first_only and self.can_skip and not (with_weights or with_states)
        states, attentions, cross_attentions, caches = [hidden], [], [], []
        for number, layer in enumerate(self.layer):
            arguments = (
                hidden, mask, None if head_mask is None else head_mask[number], with_weights,
                None if past is None else past[number], encoder_states, encoder_mask,
                first_only and number == len(self.layer) - 1,
            )  # fmt: skip
            if self.checkpointing is not None and self.training:
                hidden, weights, cross_weights, cache = checkpoint(layer, *arguments, **self.checkpointing)
            else:
                hidden, weights, cross_weights, cache = layer(*arguments)
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
            cross_attentions=tuple(cross_attentions) if cross_attentions else None,
        )
