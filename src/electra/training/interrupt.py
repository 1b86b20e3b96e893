"""Ending a run well: the first SIGTERM or Ctrl-C asks the loop to finish its step and save, the second ends at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIG_DFL, SIGINT, SIGTERM, Signals, signal
from types import FrameType

EXIT_CODES = {SIGTERM: 75, SIGINT: 130}  # try again; and what a shell expects after Ctrl-C


class StopRequest:
    """Whether, and by which signal, the process was asked to stop."""

    signal: Signals | None = None

    @property
    def exit_code(self) -> int:
        """What the process ends with."""
        return EXIT_CODES[self.signal] if self.signal else 0


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Listen for SIGTERM and SIGINT inside the block; only the main thread can, elsewhere nothing changes."""
    request = StopRequest()

    def ask(number: int, _: FrameType | None) -> None:
        request.signal = Signals(number)
        for each in EXIT_CODES:
            signal(each, SIG_DFL)

    try:
        before = {each: signal(each, ask) for each in EXIT_CODES}
    except ValueError:
        yield request
        return
    try:
        yield request
    finally:
        for each, handler in before.items():
            signal(each, handler)
