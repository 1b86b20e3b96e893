"""Ends a process when another one of its run falls silent: a machine that was switched off closes no connection.

Each process counts up a number of its own in the store that brought them together. Process 0 watches all, the others
watch process 0, and what it finds it leaves in the store for them.

Unusual here: one thread talks to the store and another judges, because a store on a dead machine may never answer.
"""

import os
import sys
import threading
import time
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from electra.errors import RunFailedError

SILENCE = 40.0  # seconds without a beat that a process is given
BEAT = 2.0  # seconds between beats
LAST = 10.0  # seconds that the store is given for what it was asked last
ALARM = "electra/alarm"


class Heartbeat:
    """The beats of process `rank` of `size`, and its watch over the others'."""

    def __init__(self, rank: int, size: int, *, silence: float = SILENCE, beat: float = BEAT) -> None:
        self.rank, self.silence, self.beat = rank, silence, beat
        self.watched = range(1, size) if rank == 0 else range(1)
        self.heard = dict.fromkeys(self.watched, time.monotonic())  # rank -> when its number last changed
        self.alarm = ""  # why all have to end
        self.stopped = threading.Event()
        works = (self._talk, self._judge)
        self.threads = [threading.Thread(target=work, name=f"electra {work.__name__}", daemon=True) for work in works]

    def start(self) -> None:
        """Beat and watch until `stop`."""
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """No more beats. A thread that is inside the store when the interpreter ends would take the process down, by a signal."""
        self.stopped.set()
        for thread in self.threads:
            thread.join(LAST)

    def _talk(self) -> None:
        try:
            address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            store = TCPStore(address, port, timeout=timedelta(seconds=self.silence))  # a connection of its own
            counted: dict[int, int] = {}
            while not self.stopped.is_set():
                store.add(_key(self.rank), 1)
                if self.alarm:
                    store.set(ALARM, self.alarm)
                elif store.check([ALARM]):
                    self.alarm = store.get(ALARM).decode()
                for rank in self.watched:
                    count = store.add(_key(rank), 0)
                    if count != counted.get(rank):
                        counted[rank], self.heard[rank] = count, time.monotonic()
                self.stopped.wait(self.beat)
        except RuntimeError:
            return  # nobody is heard of any more

    def _judge(self) -> None:
        while not self.stopped.wait(self.beat):
            silent = [rank for rank, last in self.heard.items() if time.monotonic() - last > self.silence]
            if silent and not self.alarm:
                self.alarm = f"process {silent[0]} was not heard of for {self.silence:.0f} seconds"
                self.stopped.wait(2 * self.beat)  # the others hear of it
            if self.alarm and not self.stopped.is_set():
                print(
                    f"electra: {self.alarm}, and process {self.rank} ends with it. The checkpoints are whole; the same "
                    "command continues",
                    file=sys.stderr, flush=True,
                )  # fmt: skip
                os._exit(RunFailedError.exit_code)


def _key(rank: int) -> str:
    return f"electra/beat/{rank}"
