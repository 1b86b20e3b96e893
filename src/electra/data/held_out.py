"""Which documents are kept for validation: chosen by a hash of their text, in one pass that remembers a few numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class HeldOut:
    """Which documents are held out: those with a key below `bound`, and one exception to it (by its number)."""

    bound: int
    exception: int = -1

    def sides(self, keys: NDArray[np.uint64], has_lines: NDArray[np.bool_], first: int) -> NDArray[np.int8]:
        """The split of each of these documents, -1 for those without lines; `first` is the number of the first."""
        is_held_out = keys < np.uint64(self.bound)
        if first <= self.exception < first + len(keys):
            is_held_out[self.exception - first] ^= True
        return np.where(has_lines, is_held_out, -1).astype(np.int8)


class Choice:
    """Finds what is held out of documents that come a few at a time."""

    def __init__(self, held_out: float) -> None:
        self.bound = min(int(held_out * 2.0**64), 2**64 - 1)
        self.seen = self.with_lines = self.chosen = 0
        self.lowest, self.highest = (2**64, -1), (-1, -1)  # (key, number of the first document with it)

    def add(self, keys: NDArray[np.uint64], has_lines: NDArray[np.bool_]) -> None:
        """Take in the next documents."""
        numbers = np.flatnonzero(has_lines)
        if len(numbers):
            found = keys[numbers]
            low, high = int(found.argmin()), int(found.argmax())
            self.lowest = min(self.lowest, (int(found[low]), self.seen + int(numbers[low])))
            if int(found[high]) > self.highest[0]:
                self.highest = int(found[high]), self.seen + int(numbers[high])
            self.chosen += int((found < np.uint64(self.bound)).sum())
        self.with_lines += len(numbers)
        self.seen += len(keys)

    def rule(self) -> HeldOut:
        """Documents whose key is in the first `held_out` share of all keys.

        Of several documents at least one is held out (where held_out is not 0) and at least one is not.
        """
        if not self.bound or self.with_lines < 2:
            return HeldOut(0)
        if not self.chosen:
            return HeldOut(self.bound, self.lowest[1])
        if self.chosen == self.with_lines:
            return HeldOut(self.bound, self.highest[1])
        return HeldOut(self.bound)
