"""What travels from the corpus to the objective: plain arrays, the same for every framework.

Shapes: B rows, L positions, M masked positions. Integers are int32, weights float32. A field may hold NumPy arrays or a
framework's tensors: whoever moves a batch to a device replaces the arrays one by one (see `map_arrays`).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

Array = Any  # numpy.ndarray, torch.Tensor, jax.Array or tf.Tensor: shared code uses only what all four have
T = TypeVar("T", "Batch", "Masked")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One batch of examples.

    input_ids       (B, L)   token ids, 0 where padded
    attention_mask  (B, L)   1 on real tokens
    token_type_ids  (B, L)   segment: 0 for [CLS] A [SEP], 1 for B [SEP]
    position_ids    (B, L)   only packed rows: the position inside its own document
    document_ids    (B, L)   only packed rows: 1, 2, ... per document of the row, 0 on padding; attention stays inside
    """

    input_ids: Array
    attention_mask: Array
    token_type_ids: Array
    position_ids: Array | None = None
    document_ids: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Masked:
    """A batch with some tokens hidden from the generator.

    input_ids     (B, L)   the text as the generator sees it
    positions     (B, M)   where it is asked; 0 on unused slots
    original_ids  (B, M)   what stood there
    weights       (B, M)   1 on used slots, 0 on unused ones
    noise         (B, M) uniform in [0, 1) for drawing one token per slot, or (B, M, V) for Gumbel noise per token
    temperature   (B, 1)   of the samples, where it changes from step to step
    candidates    (B, L)   only for two towers: 1 on the tokens that could have been hidden
    """

    input_ids: Array
    positions: Array
    original_ids: Array
    weights: Array
    noise: Array
    temperature: Array | None = None
    candidates: Array | None = None


def map_arrays(value: T, convert: Callable[[Array], Array]) -> T:
    """The same batch with `convert` applied to every array it holds."""
    held = {f.name: getattr(value, f.name) for f in fields(value)}
    return replace(value, **{name: convert(array) for name, array in held.items() if array is not None})
