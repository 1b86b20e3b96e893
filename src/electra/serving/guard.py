"""What a connection may cost: time for a request's headers, time for the whole exchange, and how many may be open.

uvicorn has limits for what an application can see, a whole request. These are for connections that never come so far: without
them a client that opens connections and says nothing, or a letter a second, would keep them open for ever.
"""

import asyncio
import time
from collections.abc import Callable

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from electra.serving.faults import Fault
from electra.serving.limits import HEADER_BYTES, Limits
from electra.serving.metrics import Counter

KEEP_ALIVE_SECONDS = 5  # between two requests of one connection
STOP_SECONDS = 2  # for answers to be taken once nothing more is computed


class Config(uvicorn.Config):
    """The settings of uvicorn, with our limits; `closed` counts connections that a guard closed, by cause."""

    def __init__(self, app: ASGIApp, limits: Limits, closed: Counter) -> None:
        super().__init__(
            app, http=GuardedProtocol, loop="asyncio", ws="none", lifespan="off", interface="asgi3", log_config=None,
            log_level="error", access_log=False, server_header=False, timeout_keep_alive=KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=HEADER_BYTES, timeout_graceful_shutdown=STOP_SECONDS,
        )  # fmt: skip
        self.limits, self.closed = limits, closed


class GuardedProtocol(H11Protocol):
    """uvicorn's connection with a timer: for headers while none are whole, then for the exchange; uvicorn times what is between.

    Where too many connections are open, the one that has waited longest for headers makes place for the new one; where all
    are at work, the new one is refused.
    """

    config: Config
    timer: asyncio.TimerHandle | None = None
    is_timing_exchange = False
    since = 0.0  # when it began to wait for headers

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there: it has to say something soon, if there is place for it."""
        super().connection_made(transport)
        self.since = time.monotonic()
        self._time_headers()
        if len(self.connections) > self.config.limits.connections:
            idle = [
                one
                for one in self.connections
                if isinstance(one, GuardedProtocol) and not one.is_busy and one is not self
            ]
            (min(idle, key=lambda one: one.since) if idle else self).give_way()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        super().data_received(data)
        self._time()

    def on_response_complete(self) -> None:
        """An answer was sent; the next request may be there already."""
        super().on_response_complete()
        self.is_timing_exchange = False
        self.since = time.monotonic()
        if self.is_busy or self.conn.trailing_data[0]:
            self._time()
        else:
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left, or was asked to."""
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse("not_http", Fault(400, "not_http", f"{msg.rstrip('.')}: expected HTTP/1.1"))

    def give_way(self) -> None:
        """Close this connection, because there are too many."""
        retry = Fault(503, "too_many_connections", "all connections are taken; send it again", retry_after=1)
        self._refuse("too_many", retry)

    # -- the timer ------------------------------------------------------------------------------------------------------

    def _time(self) -> None:
        if self.transport.is_closing():
            self._stop_timer()
        elif not self.is_busy:
            if self.timer is None or self.is_timing_exchange:
                self._time_headers()
        elif not self.is_timing_exchange:
            self._start_timer(self.config.limits.request_seconds, self._end_exchange)
            self.is_timing_exchange = True

    def _time_headers(self) -> None:
        self._start_timer(self.config.limits.header_seconds, self._end_headers)
        self.is_timing_exchange = False

    def _start_timer(self, seconds: float, end: Callable[[], None]) -> None:
        self._stop_timer()
        self.timer = self.loop.call_later(seconds, end)

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _end_headers(self) -> None:
        seconds = self.config.limits.header_seconds
        self._refuse("slow_headers", Fault(408, "slow_headers", f"no whole request came in {seconds:g} seconds"))

    def _end_exchange(self) -> None:
        self.config.closed.add("slow_exchange")
        self.transport.abort()  # its buffer may be full: there is no other way to end it

    def _refuse(self, cause: str, fault: Fault) -> None:
        """Tell the client, if it is listening, and close."""
        self.config.closed.add(cause)
        self._stop_timer()
        if self.transport.is_closing():
            return
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(fault.body))),
            ("connection", "close"),
        ]
        try:
            for event in (
                h11.Response(status_code=fault.status, headers=[*headers, *fault.headers.items()]),
                h11.Data(data=fault.body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # a part of an answer was sent before
            pass
        if self.is_busy:  # what still answers the request, whose rest was no HTTP, has nobody to tell
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
