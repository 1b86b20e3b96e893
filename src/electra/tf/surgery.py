"""Changing the size of a model that has weights: another vocabulary, fewer attention heads."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from electra.errors import ConfigError
from electra.first_weights import first_weights
from electra.tf.modules import Variable, replace_weight
from electra.weights.names import TIED_TABLE, WORD_TABLE


def resize_vocabulary(model: Any, size: int) -> None:
    """Cut or extend the word table of a model, and its output table and bias, to `size` tokens.

    A Keras optimizer knows variables, not names: compile the model again before it trains on.
    """
    pad = model.config.pad_token_id
    if size < 1 or (pad is not None and pad >= size):
        raise ConfigError(
            f"the new vocabulary has {size} tokens; expected at least one, and pad_token_id {pad} among them"
        )
    std = model.config.initializer_range
    table = model.get_input_embeddings()
    replace_weight(table, "embeddings", _resized(table.embeddings, size, std, WORD_TABLE))
    table.rows = size
    output = model.get_output_embeddings()
    if output is not None:
        replace_weight(output, "bias", _resized(output.bias, size, 0.0, ""))
        output.units = size
        if not model.is_tied:
            kernel = _resized(output.kernel, size, std, TIED_TABLE, transpose=True)
            replace_weight(output, "_kernel", kernel)
    model.config.vocab_size = size


def _resized(old: Variable, size: int, std: float, name: str, transpose: bool = False) -> np.ndarray[Any, Any]:
    """The first rows of `old`; new ones from the truncated normal of the model's first weights, or 0 where std is 0."""
    rows = old.numpy().T if transpose else old.numpy()
    new = np.zeros((size, *rows.shape[1:]), rows.dtype)
    if std:
        new[:] = first_weights({name: new.shape}, std, int(np.random.randint(1 << 31)))[name]
    kept = min(size, len(rows))
    new[:kept] = rows[:kept]
    return new.T if transpose else new


def prune_heads(encoder: Any, heads: Mapping[Any, Sequence[int]]) -> None:
    """Remove attention heads of a TFElectraModel and note it in its config; layer -> heads as in the unpruned model."""
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
    columns = np.concatenate([np.arange(place * size, (place + 1) * size) for place in keep])
    for layer in (inner.query, inner.key, inner.value):
        _cut(layer, columns, 1)
    _cut(attention.output.dense, columns, 0)
    inner.heads = [inner.heads[place] for place in keep]


def _cut(layer: Any, keep: np.ndarray[Any, Any], dimension: int) -> None:
    """Leave the layer only some of its outputs (dimension 1) or inputs (dimension 0)."""
    replace_weight(layer, "_kernel", layer.kernel.numpy().take(keep, dimension))
    if dimension == 1:
        replace_weight(layer, "bias", layer.bias.numpy()[keep])
        layer.units = len(keep)
    else:
        layer.inputs = len(keep)
        layer.input_spec = None
