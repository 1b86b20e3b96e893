"""Changing the size of a model that has weights: another vocabulary, fewer attention heads."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from electra.errors import ConfigError


def resize_vocabulary(model: Any, size: int, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Cut or extend the word table of a model, and its output table and bias, to `size` tokens.

    An optimizer goes on with the new tables: what it remembers of the rows that stay is kept, of new rows it starts at 0.
    """
    pad = model.config.pad_token_id
    if size < 1 or (pad is not None and pad >= size):
        raise ConfigError(
            f"the new vocabulary has {size} tokens; expected at least one, and pad_token_id {pad} among them"
        )
    before = dict(model.named_parameters())
    old = model.get_input_embeddings()
    table = nn.Embedding(size, old.embedding_dim, old.padding_idx, device=old.weight.device, dtype=old.weight.dtype)
    table.weight = _resized(old.weight, size, model.config.initializer_range)
    output = model.get_output_embeddings()
    if output is not None:
        output.bias = _resized(output.bias, size, 0.0)
        output.out_features = size
        if not model.is_tied:
            output.weight = _resized(output.weight, size, model.config.initializer_range)
    model.config.vocab_size = size
    model.set_input_embeddings(table)
    if optimizer is not None:
        for name, parameter in model.named_parameters():
            if parameter is not before[name]:
                _hand_over(optimizer, before[name], parameter)


def _resized(old: nn.Parameter, size: int, std: float) -> nn.Parameter:
    """The first rows of `old`; new ones from the truncated normal of the model's first weights, or 0 where std is 0."""
    new = torch.zeros(size, *old.shape[1:], device=old.device, dtype=old.dtype)
    if std:
        nn.init.trunc_normal_(new, std=std, a=-2 * std, b=2 * std)
    kept = min(size, len(old))
    new[:kept] = old.detach()[:kept]
    return nn.Parameter(new, requires_grad=old.requires_grad)


def _hand_over(optimizer: torch.optim.Optimizer, old: Tensor, new: Tensor) -> None:
    """Put `new` in the place of `old`, with the rows of its state that both have."""
    for group in optimizer.param_groups:
        group["params"] = [new if parameter is old else parameter for parameter in group["params"]]
    state = optimizer.state.pop(old, None)
    if state is not None:
        kept = min(len(old), len(new))
        for key, value in state.items():
            if torch.is_tensor(value) and value.shape == old.shape:
                state[key] = torch.zeros_like(new)
                state[key][:kept] = value[:kept]
        optimizer.state[new] = state


def prune_heads(encoder: Any, heads: Mapping[Any, Sequence[int]]) -> None:
    """Remove attention heads of an ElectraModel and note it in its config; layer -> heads as in the unpruned model."""
    _check_heads(encoder.config, heads)
    pruned = {int(layer): set(gone) for layer, gone in encoder.config.pruned_heads.items()}
    for layer, gone in heads.items():
        pruned.setdefault(int(layer), set()).update(gone)
        apply_pruning(encoder.encoder.layer[int(layer)].attention, pruned[int(layer)])
    encoder.config.pruned_heads = {layer: sorted(gone) for layer, gone in sorted(pruned.items())}


def _check_heads(config: Any, heads: Mapping[Any, Sequence[int]]) -> None:
    layers, number = config.num_hidden_layers, config.num_attention_heads
    for layer, gone in heads.items():
        if not 0 <= int(layer) < layers or not all(0 <= head < number for head in gone):
            raise ConfigError(
                f"layer {layer} has no heads {list(gone)}; layers are 0 to {layers - 1}, heads 0 to {number - 1}"
            )


def apply_pruning(attention: Any, pruned: set[int]) -> None:
    """Cut the heads in `pruned`, counted as in the unpruned model, out of one ElectraAttention."""
    inner = attention.self
    keep = [place for place, head in enumerate(inner.heads) if head not in pruned]
    if not keep:
        raise ConfigError("a layer cannot lose all its attention heads; leave at least one")
    size = inner.attention_head_size
    columns = torch.cat([torch.arange(place * size, (place + 1) * size) for place in keep])
    inner.query, inner.key, inner.value = (_cut(layer, columns, 0) for layer in (inner.query, inner.key, inner.value))
    attention.output.dense = _cut(attention.output.dense, columns, 1)
    inner.heads = [inner.heads[place] for place in keep]


def _cut(layer: nn.Linear, keep: Tensor, dimension: int) -> nn.Linear:
    """The layer with only some of its outputs (dimension 0) or inputs (dimension 1)."""
    keep = keep.to(layer.weight.device)
    weight = layer.weight.detach().index_select(dimension, keep)
    cut = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    cut.weight = nn.Parameter(weight, requires_grad=layer.weight.requires_grad)
    bias = layer.bias.detach().clone()
    cut.bias = nn.Parameter(
        bias.index_select(0, keep) if dimension == 0 else bias, requires_grad=layer.bias.requires_grad
    )
    return cut
