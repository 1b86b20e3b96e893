"""The encoder on rows without padding, in PyTorch: for answers where our own C (electra.inference.compiled) cannot give them.

    ids (B, L) -> the real tokens, by their rows' lengths (T,) -> layers (T, H) -> hidden states (B, L, H), 0 on padding

Unusual here: it stands where a model's `electra` stood, so every head works on it as it is. All but attention is one product
over all tokens; attention is taken by rows of equal length, which need no mask. Weights are prepared once.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from electra.config import ElectraConfig
from electra.errors import InputError
from electra.outputs import BaseModelOutputWithPastAndCrossAttentions
from electra.torch.checks import check_inputs
from electra.torch.model import ElectraModel

Arrays = Mapping[str, np.ndarray[Any, Any]]
Runs = list[tuple[int, int, int]]  # first token, rows, and length of each run of rows of one length


def why_not(class_name: str, config: ElectraConfig) -> str | None:
    """What keeps a model from answering without padding; None where nothing does."""
    if config.position_embedding_type != "absolute":
        return f"position_embedding_type is {config.position_embedding_type}"
    if config.is_decoder:
        return "the model is a decoder"
    if class_name == "ElectraForMultipleChoice" and config.summary_type != "first":
        return f"summary_type {config.summary_type} reads padding"
    return None


def remove_padding(model: Any, dtype: torch.dtype = torch.float32) -> None:
    """Let a model with a head answer without padding, its encoder in `dtype`, its head in float32."""
    model.electra = UnpaddedEncoder(model.electra, dtype)


class UnpaddedEncoder(nn.Module):
    """In the place of an ElectraModel whose rows begin with a real token. On the CPU; it answers and does not learn."""

    _checks_inputs = False

    def __init__(self, model: ElectraModel, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config, self.embeddings, self.dtype = model.config, model.embeddings, dtype
        self.project = model.embeddings_project if hasattr(model, "embeddings_project") else nn.Identity()
        self.layers = [_Layer(layer, dtype) for layer in model.encoder.layer]

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *_: Any,
        first_only: bool = False,
        **__: Any,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """As ElectraModel's with these arguments: last_hidden_state (B, L, H), or (B, 1, H) with first_only."""
        check_inputs(self.config, input_ids, attention_mask, token_type_ids, None, None)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if not mask[:, 0].all():
            raise InputError("a row begins with padding; pad rows at their end")
        lengths = mask.sum(1)
        order = lengths.argsort(stable=True)
        is_real = mask[order] > 0  # (B, L)
        types = None if token_type_ids is None else token_type_ids[order][is_real]
        hidden = self._embed(input_ids[order][is_real], types, is_real.nonzero()[:, 1])  # (T, H)
        runs = list(_runs(lengths[order].tolist()))
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden, runs, first_only and number == len(self.layers) - 1)
        hidden = hidden.float()
        if first_only:
            out = torch.empty(len(order), 1, hidden.shape[-1])
            out[order, 0] = hidden
        else:
            out = torch.zeros(*mask.shape, hidden.shape[-1])
            rows, positions = is_real.nonzero(as_tuple=True)
            out[order[rows], positions] = hidden
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=out)

    def _embed(self, ids: Tensor, types: Tensor | None, positions: Tensor) -> Tensor:
        tables = self.embeddings
        kinds = tables.token_type_embeddings
        total = tables.word_embeddings(ids) + (kinds.weight[0] if types is None else kinds(types))
        hidden = tables.LayerNorm(total + tables.position_embeddings(positions))  # (T, E)
        return self.project(hidden).to(self.dtype)


class _Layer:
    """An ElectraLayer's weights, query, key and value as one."""

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        inner, self.norm, self.last_norm = (
            layer.attention.self,
            layer.attention.output.LayerNorm,
            layer.output.LayerNorm,
        )
        parts = [inner.query, inner.key, inner.value]
        self.joined = [
            torch.cat([getattr(part, name) for part in parts]).detach().to(dtype) for name in ("weight", "bias")
        ]
        self.attention = _cast(layer.attention.output.dense, dtype)
        self.intermediate, self.output = _cast(layer.intermediate.dense, dtype), _cast(layer.output.dense, dtype)
        self.activation = layer.intermediate.activation
        self.heads, self.width = len(inner.heads), inner.attention_head_size

    def __call__(self, hidden: Tensor, runs: Runs, first_only: bool) -> Tensor:
        """(T, H) -> (T, H), or (B, H) of the first token of each row."""
        joined = functional.linear(hidden, *self.joined).unflatten(-1, (3, self.heads, self.width))  # (T, 3, N, D)
        context, before = [], []
        for begin, rows, length in runs:
            of_rows = joined[begin : begin + rows * length].unflatten(0, (rows, length))
            query, key, value = of_rows.permute(2, 0, 3, 1, 4)  # (rows, N, length, D) each
            if first_only:
                query = query[:, :, :1]
                before.append(hidden[begin : begin + rows * length : length])
            found = functional.scaled_dot_product_attention(query, key, value)
            context.append(found.transpose(1, 2).flatten(0, 1).flatten(1))  # (rows length, N D)
        hidden = torch.cat(before) if first_only else hidden
        hidden = self._normalised(self.norm, functional.linear(torch.cat(context), *self.attention) + hidden)
        wide = self.activation(functional.linear(hidden, *self.intermediate))
        return self._normalised(self.last_norm, functional.linear(wide, *self.output) + hidden)

    def _normalised(self, norm: nn.LayerNorm, x: Tensor) -> Tensor:
        return norm(x.float()).to(x.dtype)


def _cast(layer: nn.Linear, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return layer.weight.detach().to(dtype), layer.bias.detach().to(dtype)


def _runs(lengths: list[int]) -> Iterator[tuple[int, int, int]]:
    """Runs of rows of one length."""
    begin = 0
    for length, rows in groupby(lengths):
        count = len(list(rows))
        yield begin, count, length
        begin += count * length
