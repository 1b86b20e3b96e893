"""From folders to a server that answers until it is told to stop, and then answers what it has taken."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType

import uvicorn

from electra.errors import UsageError
from electra.serving.app import Service
from electra.serving.batching import Model
from electra.serving.front import Front
from electra.serving.guard import Config
from electra.serving.limits import Limits

BACKLOG = 1024  # connections the system holds until they are accepted
THREAD_SECONDS = 1.0  # for a batch to end after its answers are of no use any more


class Server(uvicorn.Server):
    """uvicorn's server, which answers what is in flight before it stops: at the first signal; a second one ends it at once."""

    def __init__(self, config: Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self.drain_ends = 0.0
        self.is_whole = True  # whether all that was taken was answered

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the drain, another one ends it."""
        if self.service.is_draining:
            self.force_exit = self.should_exit = True
            return
        self.drain_ends = time.monotonic() + self.service.limits.drain_seconds
        self.service.begin_drain()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether it is time to leave the loop."""
        is_done = await super().on_tick(counter)
        if not self.service.is_draining:
            return is_done
        is_idle = self.service.in_flight == 0
        if not (is_done or is_idle or time.monotonic() > self.drain_ends):
            return False
        self.is_whole = is_idle
        self.service.stop()
        return True


def bind(host: str, port: int) -> socket.socket:
    """The address, taken but not listened on yet. Raises UsageError where it cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise UsageError(f"{host} is no address: {error.strerror}; give another --host") from None
    # asyncio sends small answers at once (TCP_NODELAY) on sockets that name their protocol alone; others wait 40 ms for an ack
    address = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    address.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        address.bind((host, port))
    except (OSError, OverflowError) as error:
        address.close()
        reason = (
            error.strerror if isinstance(error, OSError) else "a port is a number from 0 (any that is free) to 65535"
        )
        raise UsageError(f"{host}:{port} cannot be had: {reason}; choose another --host or --port") from None
    return address


def serve(
    models: Mapping[str, Model],
    address: socket.socket,
    limits: Limits,
    keys: Sequence[str] = (),
    *,
    is_logged: bool = False,
) -> int:
    """Answer until a signal comes, and then what is in flight. 0, or 1 where requests were left without an answer."""
    address.listen(BACKLOG)
    host, port = address.getsockname()[:2]
    named = ", ".join(f"{name} ({model.kind})" for name, model in models.items())
    place = f"[{host}]" if ":" in host else host
    print(f"electra serve: {named} at http://{place}:{port}; Ctrl-C ends it", file=sys.stderr, flush=True)
    return asyncio.run(_serve(models, address, limits, keys, is_logged))


async def _serve(
    models: Mapping[str, Model], address: socket.socket, limits: Limits, keys: Sequence[str], is_logged: bool
) -> int:
    service = Service(models, limits, lambda: len(server.server_state.connections), has_keys=bool(keys))
    front = Front(service.app, service.metrics, keys, is_logged=is_logged)
    server = Server(Config(front, limits, service.metrics.closed), service)
    await server.serve([address])
    service.stop()
    for worker in service.workers.values():
        worker.thread.join(THREAD_SECONDS)
    if any(worker.thread.is_alive() for worker in service.workers.values()):
        print("electra serve: a batch was cut off", file=sys.stderr, flush=True)
        os._exit(1)  # a thread inside a framework cannot be ended, and may crash an interpreter that ends around it
    return 0 if server.is_whole else 1
