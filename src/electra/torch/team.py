"""The processes of a run, connected by torch.distributed; electra.training.team says what each method is for.

Unusual here: what they agree on goes over the processor's network (gloo), on GPUs too, so that no GPU waits for it.
"""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

import torch
import torch.distributed as dist

from electra.errors import ElectraError, RunFailedError
from electra.torch.heartbeat import Heartbeat

T = TypeVar("T")
CPU = torch.device("cpu")


class Processes:
    """A team of several processes. Use as a context: inside it they are connected."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def __enter__(self) -> "Processes":
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        self.heartbeat = Heartbeat(self.rank, self.size)
        self.heartbeat.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self.sum([0])  # who ends first would take the connections of the others with it
            self.heartbeat.stop()
            dist.destroy_process_group()
            return
        self.heartbeat.stop()
        if _is_lost(error):
            reason = str(error).splitlines()[0]
            raise RunFailedError(
                f"process {self.rank} lost another of the run ({reason}). That one says why, or was killed; the checkpoints are "
                "whole, and the same command continues"
            ) from None

    def first(self, make: Callable[[], T]) -> T:
        self.sum([0])
        answer: list[tuple[T | None, ElectraError | None]] = [(None, None)]
        if self.rank == 0:
            try:
                answer = [(make(), None)]
            except ElectraError as found:
                answer = [(None, found)]
        dist.broadcast_object_list(answer, src=0, device=CPU)
        value, error = answer[0]
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    def sum(self, numbers: Sequence[int]) -> list[int]:
        total = torch.tensor(list(numbers), dtype=torch.int64)
        dist.all_reduce(total)
        return total.tolist()

    def gather(self, value: T) -> list[T]:
        values: list[T] = [value] * self.size
        for rank in range(self.size):
            held = [value]
            dist.broadcast_object_list(held, src=rank, device=CPU)
            values[rank] = held[0]
        return values


def _is_lost(error: BaseException) -> bool:
    """Whether a connection between processes broke."""
    is_of_gloo = isinstance(error, RuntimeError) and any(word in str(error) for word in ("gloo", "Connection", "NCCL"))
    return isinstance(error, dist.DistError) or (is_of_gloo and not isinstance(error, ElectraError))
