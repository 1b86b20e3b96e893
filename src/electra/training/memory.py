"""Running out of memory: recognised whatever a framework calls it, and answered by the same batch in smaller parts."""

import ctypes
import gc
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np

from electra.batch import Batch, Masked, map_arrays
from electra.training.backend import Part

T = TypeVar("T", Batch, Masked)
# What PyTorch's two allocators, oneDNN, XLA and TensorFlow say.
NAMES = ("OutOfMemoryError", "ResourceExhaustedError")
WORDS = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "resource_exhausted",
         "could not create a primitive", "could not create a memory")  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory."""
    says = str(error).lower()
    is_named = isinstance(error, MemoryError) or type(error).__name__ in NAMES
    return is_named or (isinstance(error, RuntimeError) and any(words in says for words in WORDS))


def give_back_memory() -> None:
    """What a failed attempt left, to the system: the C library may have been told to keep it (torch.backend)."""
    gc.collect()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def rows_of(parts: Sequence[Part]) -> int:
    """Rows of the largest part."""
    return max(len(batch.input_ids) for batch, _ in parts)


def smaller(parts: Sequence[Part], pieces: int) -> list[Part]:
    """Each part as `pieces` parts of about as many rows; together the same rows in the same order."""
    if pieces == 1:
        return list(parts)
    cut: list[Part] = []
    for batch, masked in parts:
        bounds = np.linspace(0, len(batch.input_ids), min(pieces, len(batch.input_ids)) + 1).astype(int)
        for start, stop in pairwise(bounds):
            cut.append((_rows(batch, start, stop), _rows(masked, start, stop)))
    return cut


def _rows(arrays: T, start: int, stop: int) -> T:
    return map_arrays(arrays, lambda array: array[start:stop])
