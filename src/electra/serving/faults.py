"""What a client is told when it gets no answer: a status, a code for programs, a sentence for people."""

import json
from collections.abc import Mapping
from typing import Any


class Fault(Exception):
    """A request that is not answered. The message says what was found, what was expected, and what to do.

    status           of HTTP: 4xx where the request is at fault, 503 and 504 where it may be sent again
    code             one word that stays the same, for programs
    retry_after      seconds after which the same request may be answered
    """

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    @property
    def headers(self) -> dict[str, str]:
        """Those that belong to the fault."""
        found = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        if self.status == 401:
            found["www-authenticate"] = "Bearer"
        return found

    @property
    def body(self) -> bytes:
        """{"error": {"code", "message"}}"""
        return encode({"error": {"code": self.code, "message": self.message}})


def encode(value: Mapping[str, Any]) -> bytes:
    """JSON as every client reads it. Raises ValueError where a number is not finite."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def left() -> Fault:
    """The client is not there to read it: for the log and the metrics, where 499 is nginx's word for it."""
    return Fault(499, "left", "the client left before the answer")
