"""What both example builders give: a list of token sequences that become a batch when asked for by number."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from electra.batch import Batch
from electra.errors import CorpusError, UsageError


class Examples(Protocol):
    """Examples of one length, numbered from 0. `fingerprint` changes with anything that changes an example."""

    max_length: int
    fingerprint: str

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def rows(self, indices: NDArray[np.int64]) -> Batch:
        """The examples with these numbers: arrays (len(indices), max_length) int32, padded."""
        ...


def check_length(max_length: int, shortest: int) -> None:
    """Raise UsageError where a row of max_length positions cannot hold an example."""
    if max_length < shortest:
        raise UsageError(f"max_length is {max_length}, expected at least {shortest}: [CLS], [SEP] and some tokens")


def check_some(count: int, where: object) -> None:
    """Raise CorpusError where a corpus gave no example."""
    if not count:
        raise CorpusError(f"{where} gives no example: it has no tokens")


def ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """start, start + 1, ... (length of them) for each pair, one after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    numbers: NDArray[np.int64] = np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)
    return numbers


def chunks(count: int, size: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive chunks of at most `size`."""
    for start in range(0, count, size):
        yield start, min(start + size, count)
