"""The processes that train one run together, and what they have to agree on.

A launcher (torchrun, or whatever sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT) starts the same command N times. Each
process works out its rows of every batch; process 0 writes what a run writes.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from electra.errors import UsageError

T = TypeVar("T")


class Team(Protocol):
    """All processes of a run, as one of them sees them. Every process makes the same calls in the same order."""

    rank: int
    size: int

    def first(self, make: Callable[[], T]) -> T:
        """What `make` gives in process 0, once all have come here; an error of ours there is raised everywhere."""

    def sum(self, numbers: Sequence[int]) -> list[int]:
        """The numbers of all processes, added up."""

    def gather(self, value: T) -> list[T]:
        """The values of all processes, in the order of their ranks."""


class Alone:
    """One process."""

    rank, size = 0, 1

    def first(self, make: Callable[[], T]) -> T:
        """What `make` gives."""
        return make()

    def sum(self, numbers: Sequence[int]) -> list[int]:
        """The numbers."""
        return list(numbers)

    def gather(self, value: T) -> list[T]:
        """The value alone."""
        return [value]


def rank_and_size() -> tuple[int, int]:
    """Which process of how many this is, as its launcher says; (0, 1) where there was none.

    Raises UsageError where it says half of it.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    if size == "1":
        return 0, 1
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise UsageError(
            f"WORLD_SIZE is {size}, so this is one of several processes, but {', '.join(missing)} is not set. Start them with "
            "torchrun, or unset WORLD_SIZE to train in one process"
        )
    return int(os.environ["RANK"]), int(size)


@contextmanager
def open_team(framework: str) -> Iterator[Team]:
    """The processes that were started together with this one, connected until the block ends."""
    rank, size = rank_and_size()
    if size == 1:
        yield Alone()
        return
    if framework != "torch":
        raise UsageError(
            f"{size} processes were started, and --framework {framework} trains in one. JAX spreads a batch over all devices of "
            "its machine by itself; several processes are for --framework torch"
        )
    from electra.torch.team import Processes

    with Processes(rank, size) as team:
        yield team
