"""What a server gives away at most. Every limit has a finite default, and all of them are checked together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from electra.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds of one server. Raises ConfigError that lists every bad value.

    Source: OWASP API4:2023 (bound the body, its fields, time, connections and memory).
    """

    max_body_bytes: int = 1_000_000  # of a request
    max_inputs: int = 64  # of a request
    max_characters: int = 20_000  # of all texts of one input
    queue: int = 256  # inputs that wait, of each model
    batch_size: int = 32  # inputs a model is given at once
    deadline_seconds: float = 10.0  # from a request's last byte to its answer
    header_seconds: float = 10.0  # for a request's line and headers
    body_seconds: float = 10.0  # for its body
    connections: int = 512  # open at once
    drain_seconds: float = 30.0  # for what is in flight when the server is asked to stop

    def __post_init__(self) -> None:
        problems = [
            f"{key} is {getattr(self, key)!r}, expected {expected}"
            for keys, is_good, expected in RANGES
            for key in keys.split()
            if not is_good(getattr(self, key))
        ]
        if self.queue < self.max_inputs:
            problems.append(
                f"queue is {self.queue}, expected at least max_inputs ({self.max_inputs}): a request must fit"
            )
        if problems:
            lines = "\n".join(f"  - {text}" for text in problems)
            raise ConfigError(f"limits of the server have {len(problems)} problem{'s' * (len(problems) > 1)}:\n{lines}")

    @property
    def room_for_bodies(self) -> int:
        """Bytes of bodies that are being read at the same time, of all requests together."""
        return BODIES * self.max_body_bytes

    @property
    def request_seconds(self) -> float:
        """From a request's headers to the last byte of its answer, whatever the client does."""
        return self.body_seconds + self.deadline_seconds + WRITE_SECONDS


BODIES = 64  # of full size, that may be read at the same time
WRITE_SECONDS = 10.0  # for a client to take its answer
HEADER_BYTES = 16_384  # of a request's line and headers

# limits, what is good, what the error says is expected
RANGES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("max_inputs queue batch_size connections", lambda value: value >= 1, "at least 1"),
    ("max_body_bytes", lambda value: 64 <= value <= 1 << 30, "64 bytes to 1 GiB"),
    ("max_characters", lambda value: value >= 1, "at least 1"),
    (
        "deadline_seconds header_seconds body_seconds drain_seconds",
        lambda value: 0 < value <= 3600,
        "above 0, at most an hour",
    ),
)
