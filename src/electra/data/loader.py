"""Batches ahead of time: other processes make them, this one gets them in order.

The values are those of make(start), make(start + 1), ... for any number of workers, because make is a pure function.
"""

from collections.abc import Callable, Generator
from typing import TypeVar

from electra.data.workers import ordered_map
from electra.errors import UsageError

T = TypeVar("T")


def ordered(make: Callable[[int], T], *, start: int, stop: int, workers: int) -> Generator[T]:
    """make(step) for steps start to stop - 1, in order, at most two steps per worker ahead of the consumer.

    workers=0 computes in this process. Otherwise `make` has to be picklable and pure; its exceptions are raised here, a
    killed worker is replaced once, and closing the iterator (or the death of this process) ends the workers.
    """
    if workers < 0:
        raise UsageError(f"workers is {workers}, expected 0 or more")
    if workers == 0 or stop <= start:
        return (make(step) for step in range(start, stop))
    return ordered_map(make, range(start, stop), workers=min(workers, stop - start), name="loader")
