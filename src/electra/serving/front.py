"""Around every request: who may ask, what a browser may do with the answer, what is counted and logged.

Unusual here: a refusal is sent before the rest of the body is there, and what still comes is thrown away for a second, because
a connection closed at once would take the refusal with it.
"""

import asyncio
import hmac
import json
import sys
import time
import traceback
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from electra.serving.faults import Fault
from electra.serving.metrics import Metrics

OPEN = ("/", "/healthz", "/readyz")  # addresses that need no key, beside the page's files under /assets/
LINGER_SECONDS = 1.0
SECURITY = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }.items()
)


class Front:
    """The application with all that holds for each of its requests.

    keys    one of them must come as `Authorization: Bearer KEY`, where there are any
    is_logged  one line of JSON a request, on standard output; texts are never logged
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, keys: Sequence[str] = (), *, is_logged: bool = False) -> None:
        self.app, self.metrics, self.is_logged = app, metrics, is_logged
        self.digests = [sha256(key.encode()).digest() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        exchange = Exchange(scope, receive, send)
        try:
            if self.may_ask(scope):
                await self.app(scope, exchange.receive, exchange.send)
            else:
                await exchange.refuse(
                    Fault(401, "no_key", "found no key or a wrong one, expected the header Authorization: Bearer KEY")
                )
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if not exchange.status:
                await exchange.refuse(Fault(500, "internal", "a fault of the server; its log says more"))
        finally:
            self.count(scope, exchange, time.monotonic() - started)

    def may_ask(self, scope: Scope) -> bool:
        """Whether the request has a key, or needs none. Takes as long for a wrong key as for a right one."""
        if not self.digests or scope["path"] in OPEN or scope["path"].startswith("/assets/"):
            return True
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        digest = sha256(key.strip().encode()).digest()
        matches = [hmac.compare_digest(digest, known) for known in self.digests]
        return scheme.lower() == "bearer" and any(matches)

    def count(self, scope: Scope, exchange: "Exchange", seconds: float) -> None:
        """Put the request into the metrics and, where it is wanted, the log."""
        state = scope["state"]
        model, code = state.get("model", ""), state.get("code")
        self.metrics.requests.add(model, str(exchange.status))
        self.metrics.seconds.observe(seconds, model)
        if code:
            self.metrics.rejected.add(code)
        if self.is_logged:
            client = (scope.get("client") or ("",))[0]
            line = {
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "client": client,
                "method": scope["method"],
                "path": scope["path"][:200],
                "status": exchange.status,
                "seconds": round(seconds, 6),
            }
            more = {"model": model or None, "inputs": state.get("inputs"), "error": code}
            print(json.dumps(line | {name: value for name, value in more.items() if value is not None}), flush=True)


class Exchange:
    """One request and its answer, as they go by."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.status = 0
        headers = Headers(scope=scope)
        self.is_whole = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers

    async def receive(self) -> Message:
        """The next part of the request."""
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            self.is_whole = True
        return message

    async def send(self, message: Message) -> None:
        """The next part of the answer, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            closing = [] if self.is_whole else [(b"connection", b"close")]
            message = {**message, "headers": [*message["headers"], *SECURITY, *closing]}
            await self._send(message)
        elif self.is_whole or message.get("more_body"):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body"})

    async def _linger(self) -> None:
        """Throw away what still comes of a request that is answered already, until the client stops, for a second at most."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.is_whole:
                    await self.receive()
        except TimeoutError:
            pass

    async def refuse(self, fault: Fault) -> None:
        """Answer with a fault."""
        state: dict[str, Any] = self.scope["state"]
        state["code"] = fault.code
        headers = {"content-type": "application/json", "content-length": str(len(fault.body)), **fault.headers}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": fault.status, "headers": encoded})
        await self.send({"type": "http.response.body", "body": fault.body})
