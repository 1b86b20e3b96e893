"""Ending a run well: the first SIGTERM or Ctrl-C asks the loop to finish its step and save, the second ends at once.

One of several processes goes on saving: its launcher passes on what a terminal or a scheduler sent to it already, and
ends by itself what takes too long.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from signal import SIG_DFL, SIG_IGN, SIGINT, SIGTERM, Signals, signal
from types import FrameType

EXIT_CODES = {SIGTERM: 75, SIGINT: 130}  # try again; and what a shell expects after Ctrl-C


class StopRequest:
    """Whether, and by which signal, the process was asked to stop."""

    signal: Signals | None = None
    agreed: Signals | None = None  # by which all processes of a run stop

    @property
    def exit_code(self) -> int:
        """What the process ends with."""
        asked = self.agreed or self.signal
        return EXIT_CODES[asked] if asked else 0

    @property
    def asked(self) -> list[int]:
        """For each of EXIT_CODES, 1 where it was this signal."""
        return [int(self.signal == number) for number in EXIT_CODES]

    def agree(self, counts: Sequence[int]) -> None:
        """Stop where any process was asked to: `counts` is `asked`, summed over all."""
        self.agreed = next((Signals(number) for number, count in zip(EXIT_CODES, counts, strict=True) if count), None)


@contextmanager
def stop_on_signal(*, of_several: bool = False) -> Iterator[StopRequest]:
    """Listen for SIGTERM and SIGINT inside the block; only the main thread can, elsewhere nothing changes.

    of_several   whether this is one of several processes
    """
    request = StopRequest()

    def ask(number: int, _: FrameType | None) -> None:
        request.signal = Signals(number)
        for each in EXIT_CODES:
            signal(each, SIG_IGN if of_several else SIG_DFL)

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
