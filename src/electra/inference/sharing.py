"""How the rows of a batch are shared out to threads: whole rows to each, or all threads on the same rows."""

from collections import deque
from collections.abc import Sequence
from heapq import heapreplace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
CHUNK = 512  # tokens that go through the layers together: fewer read the weights more often, more gain nothing
ALONE = 8  # tokens that a thread of a team has at least
EVEN = 1.15  # the most tokens a thread may have, to what each would have in even shares, before they go together


class Pace:
    """Whether a team is faster than a thread: by the median of what a token took in the last calls of either way.

    A team waits for its slowest, and other programs come and go, so the slower way is tried again every TRIED calls.
    """

    LAST, TRIED = 8, 16

    def __init__(self) -> None:
        self.seconds: dict[bool, deque[float]] = {way: deque(maxlen=self.LAST) for way in (False, True)}
        self.calls = 0

    def is_faster_together(self) -> bool:
        self.calls += 1
        if min(map(len, self.seconds.values())) < self.LAST:
            return len(self.seconds[True]) < len(self.seconds[False])
        alone, together = (sorted(self.seconds[way])[self.LAST // 2] for way in (False, True))
        return (together < alone) is not (self.calls % self.TRIED == 0)

    def note(self, together: bool, seconds: float) -> None:
        self.seconds[together].append(seconds)


def shared_out(lengths: Array, threads: int) -> list[Array]:
    """Numbers of the rows that go through the layers together, (n,) int32 each: as many tokens in each as can be.

    Longer rows are placed first, where least is.
    """
    count = threads * max(1, -(-int(lengths.sum()) // (threads * CHUNK)))
    shares: list[list[int]] = [[] for _ in range(count)]
    filled = [(0, number) for number in range(count)]
    for row in np.argsort(-lengths, kind="stable").tolist():
        held, number = filled[0]
        shares[number].append(row)
        heapreplace(filled, (held + int(lengths[row]), number))
    return [np.array(rows, np.int32) for rows in shares if rows]


def team_of(lengths: Array, shares: Sequence[Array], threads: int) -> int:
    """How many threads should go through rows together: 1 where they are shared out evenly, or are few tokens."""
    tokens = int(lengths.sum())
    is_even = max((int(lengths[rows].sum()) for rows in shares), default=0) * threads <= EVEN * tokens
    return 1 if is_even or len(shares) > threads else min(threads, max(1, tokens // ALONE))


def in_order(lengths: Array) -> list[Array]:
    """Numbers of rows in their order, (n,) int32 each, cut where CHUNK tokens are full."""
    cuts = np.searchsorted(np.cumsum(lengths), np.arange(CHUNK, int(lengths.sum()), CHUNK))
    parts = np.split(np.arange(len(lengths), dtype=np.int32), np.unique(cuts))
    return [np.ascontiguousarray(rows) for rows in parts if len(rows)]
