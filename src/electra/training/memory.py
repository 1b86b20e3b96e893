"""Running out of memory: recognised whatever a framework calls it, and answered by the same batch in smaller parts."""

import ctypes
import gc
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np

from electra.batch import Batch, Masked, map_arrays
from electra.errors import ConfigError, TryAgainError
from electra.training.backend import Part
from electra.training.settings import PretrainSettings
from electra.training.team import Team

T = TypeVar("T", Batch, Masked)
Result = TypeVar("Result")
# What PyTorch's two allocators, oneDNN, XLA and TensorFlow say.
NAMES = ("OutOfMemoryError", "ResourceExhaustedError")
WORDS = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "resource_exhausted",
         "could not create a primitive", "could not create a memory")  # fmt: skip


class InParts:
    """Computes batches in parts that the memory holds: where it does not, the same rows in parts of half the size from then on.

    tell   is given the step and what was decided
    """

    def __init__(self, settings: PretrainSettings, team: Team, tell: Callable[[int, str], None]) -> None:
        self.settings, self.team, self.tell = settings, team, tell
        self.cut = 1  # into how many parts each part of a batch is cut

    def compute(self, step: int, parts: list[Part], work: Callable[[list[Part]], Result]) -> Result:
        """work(parts). Raises TryAgainError where there is no memory for one row, ConfigError in one of several processes."""
        while True:
            try:
                return work(smaller(parts, self.cut))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if self.team.size > 1:  # the others wait for this part, and would for all halves
                    raise ConfigError(
                        f"step {step:,}: the memory of process {self.team.rank} does not hold its part ({error}); continue with "
                        f"a larger --accumulate than {self.settings.accumulate}, or on more processes"
                    ) from None
                self._halve(step, rows_of(parts), str(error).strip().splitlines()[0])
            give_back_memory()

    def _halve(self, step: int, rows: int, told: str) -> None:
        if rows <= self.cut:
            raise TryAgainError(
                f"step {step:,}: the memory does not hold one row of {self.settings.max_length} tokens ({told}). Free some, or "
                "take a smaller size or max_length"
            )
        self.cut *= 2
        size = -(-rows // self.cut)
        self.tell(step, f"out of memory ({told}): batches are computed in parts of {size} rows from step {step:,} on")


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
