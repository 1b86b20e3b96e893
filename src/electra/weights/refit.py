"""Tables of trained networks, fitted to another vocabulary and to longer texts.

A row of a vocabulary's table follows its piece, whatever number the piece has. Positions beyond the learned ones repeat
these from the first on, as Longformer begins (Beltagy et al., 2020, section 5): neighbours stay neighbours. Relative
distances beyond the learned ones take the farthest.
"""

from collections.abc import Callable, Sequence

import numpy as np

from electra.errors import WeightsError
from electra.weights.files import Array
from electra.weights.names import TIED_TABLE, WORD_TABLE, Shape

VOCABULARY = (WORD_TABLE, TIED_TABLE, "generator_lm_head.bias")  # a row a piece
POSITIONS = "electra.embeddings.position_embeddings.weight"  # (P, E)
DISTANCES = ".distance_embedding.weight"  # (2P - 1, D), from the farthest before to the farthest after


def old_rows(pieces: Sequence[str], wanted: Sequence[str], size: int) -> Array:
    """For each wanted piece its number among the first `size` of `pieces`, -1 where it is new."""
    numbers = {piece: number for number, piece in enumerate(pieces[:size])}
    return np.array([numbers.get(piece, -1) for piece in wanted])


def refit(name: str, array: Array, shape: Shape, rows: Array | None, draw: Callable[[], Array]) -> Array:
    """A tensor in another shape, with all that was learned.

    rows    the old row of each piece, of `old_rows`; None where the vocabulary is the same
    draw    gives first weights of that shape, for the rows of new pieces
    Raises WeightsError where the tensor cannot be brought to that shape.
    """
    if name in VOCABULARY and rows is not None:
        is_kept = (rows >= 0).reshape(-1, *[1] * (array.ndim - 1))
        return np.where(is_kept, array[rows], draw())
    if name == POSITIONS:
        return array[np.arange(shape[0]) % len(array)]
    if name.endswith(DISTANCES):
        more = (shape[0] - len(array)) // 2
        return np.pad(array, ((more, more), (0, 0)), mode="edge")
    if array.shape != shape:
        raise WeightsError(f"{name} has shape {array.shape}, expected {shape}")
    return array
