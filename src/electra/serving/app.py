"""What may be asked, and who answers: a route for each address, models from a fixed table, the page's files from memory.

No path of a request reaches the file system.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from electra.errors import did_you_mean
from electra.serving.batching import Answer, Job, Model, Worker
from electra.serving.faults import Fault, encode, left
from electra.serving.limits import Limits
from electra.serving.metrics import Metrics
from electra.serving.openapi import document
from electra.serving.reading import Room, read_body, read_inputs, read_suggestion

# endings of the page's files -> their content type
PAGE_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ROUTER_CODES = {404: "not_found", 405: "bad_method"}


class Service:
    """Models that answer requests until they are asked to stop. Made on a running loop.

    models      by the name they are served as
    connected   how many connections are open
    """

    def __init__(
        self, models: Mapping[str, Model], limits: Limits, connected: Callable[[], int], *, has_keys: bool
    ) -> None:
        self.models, self.limits = models, limits
        self.metrics = Metrics(self._queued, lambda: self.in_flight, connected)
        self.workers: dict[str, Worker] = {}
        for name, model in models.items():
            # A generator is asked by its discriminator too: both are in one thread.
            owner = next((own for own, other in models.items() if getattr(other, "generator", None) is model), None)
            self.workers[name] = self.workers[owner] if owner else Worker(models, limits, self._count_batch)
        self.is_draining = False
        self.in_flight = 0  # requests for answers
        self.jobs: set[Job] = set()
        self.room = Room(limits)
        kinds = {name: model.kind for name, model in models.items()}
        suggesting = [name for name, model in models.items() if suggest_of(model)]
        self.document = encode(document(kinds, suggesting, limits, has_keys=has_keys))
        self.page = page_files()
        self.app = Starlette(
            routes=[
                Route("/v1/models/{name}/predict", self.predict, methods=["POST"]),
                Route("/v1/models/{name}/suggest", self.suggest, methods=["POST"]),
                Route("/", self.show_page),
                Route("/assets/{file}", self.show_page),
                Route("/healthz", self.show_health),
                Route("/readyz", self.show_readiness),
                Route("/metrics", self.show_metrics),
                Route("/openapi.json", self.show_document),
                Route("/v1/models", self.list_models),
            ],
            exception_handlers={Fault: _told, HTTPException: _told_by_router},
        )
        self.app.router.redirect_slashes = False

    # -- answers --------------------------------------------------------------------------------------------------------

    async def predict(self, request: Request) -> Response:
        """Answers to the inputs of a request, in their order."""
        name = self._find(request)
        with self._flight():
            body = await self._read(request, name)
            inputs = read_inputs(body, self.models[name].kind, self.limits)
            answers = await self._wait(request, self.workers[name], self.workers[name].submit(name, inputs))
        return _json({"predictions": answers})

    async def suggest(self, request: Request) -> Response:
        """What a model would write in place of a part of a text."""
        name = self._find(request)
        make = suggest_of(self.models[name])
        if make is None:
            raise Fault(
                404, "no_suggestions", f"{name} is no discriminator with its generator; GET /v1/models lists kinds"
            )
        with self._flight():
            values = read_suggestion(await self._read(request, name), self.limits)
            job = self.workers[name].submit(name, [values], lambda: {"suggestions": make(**values)})
            (answer,) = await self._wait(request, self.workers[name], job)
        return _json(answer)

    def _find(self, request: Request) -> str:
        """The model of the address. Raises Fault (404) where it is not in the table."""
        name: str = request.path_params["name"]
        if name not in self.models:
            near, known = did_you_mean(name[:60], self.models), ", ".join(self.models)
            raise Fault(404, "unknown_model", f"found {name[:60]!r}{near}, expected one of: {known}")
        request.state.model = name
        return name

    async def _read(self, request: Request, name: str) -> bytes:
        """The body, where there is room for what it asks: no work goes into one that would be refused."""
        body = await read_body(request, self.limits, self.room)
        self.workers[name].check_room()
        return body

    @contextmanager
    def _flight(self) -> Iterator[None]:
        """Requests that come while the server stops are refused; those that came before are answered."""
        if self.is_draining:
            raise Fault(503, "draining", "the server is stopping; send it to another one", retry_after=1)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    async def _wait(self, request: Request, worker: Worker, job: Job) -> list[Answer]:
        """The answers of a job. Raises Fault where its time is over or its client has left, and takes it out of the queue."""
        self.jobs.add(job)
        request.state.inputs = len(job.inputs)
        leaving = asyncio.create_task(_until_left(request))
        try:
            seconds = job.expires - time.monotonic()
            ends: list[asyncio.Future[Any]] = [job.future, leaving]
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if job.future.done():
                return job.future.result()
        finally:
            leaving.cancel()
            self.jobs.discard(job)
            if not job.future.done():
                worker.drop(job)
        if leaving.done():
            raise left()
        waited = f"no answer after {self.limits.deadline_seconds:g} seconds"
        if job.has_begun:
            raise Fault(504, "deadline", f"{waited}; send fewer or shorter inputs")
        raise Fault(503, "deadline", f"{waited} in the queue; send it again later", retry_after=worker.retry_after)

    # -- stopping -------------------------------------------------------------------------------------------------------

    def begin_drain(self) -> None:
        """Take no new requests for answers; /readyz says so."""
        self.is_draining = True

    def stop(self) -> None:
        """End all workers, and tell the requests that still wait."""
        for worker in self.workers.values():
            worker.close()
        for job in list(self.jobs):
            if not job.future.done():
                job.future.set_exception(Fault(503, "draining", "the server stops; send it again", retry_after=1))

    # -- everything else ------------------------------------------------------------------------------------------------

    async def show_health(self, request: Request) -> Response:
        """The process lives."""
        return _text("ok\n")

    async def show_readiness(self, request: Request) -> Response:
        """Whether a request for answers would be taken."""
        dead = [name for name, worker in self.workers.items() if not worker.thread.is_alive()]
        if self.is_draining or dead:
            raise Fault(
                503, "not_ready", f"{', '.join(dead)} ended" if dead else "the server is stopping", retry_after=1
            )
        return _text("ready\n")

    async def show_metrics(self, request: Request) -> Response:
        """Counts, for Prometheus."""
        return _text(self.metrics.text())

    async def show_document(self, request: Request) -> Response:
        """The OpenAPI document of this server."""
        return Response(self.document, media_type="application/json")

    async def list_models(self, request: Request) -> Response:
        """The models there are."""
        rows = [
            {
                "name": name,
                "kind": model.kind,
                "labels": list(model.labels) if model.labels else None,
                "max_length": model.max_length,
            }
            for name, model in self.models.items()
        ]
        return _json({"models": rows})

    async def show_page(self, request: Request) -> Response:
        """A file of the page, from memory."""
        name = request.path_params.get("file", "index.html")
        if name not in self.page:
            raise Fault(404, "not_found", f"found {name[:60]!r}, expected one of: {', '.join(self.page)}")
        return Response(self.page[name], media_type=PAGE_TYPES[PurePath(name).suffix])

    def _queued(self) -> dict[tuple[str, ...], float]:
        return {(name,): len(worker.waiting) for name, worker in self.workers.items()}

    def _count_batch(self, name: str, inputs: int) -> None:
        self.metrics.batches.observe(inputs, name)


def suggest_of(model: Model) -> Callable[..., list[dict[str, Any]]] | None:
    """A model's way of making suggestions, where it has one."""
    found: Callable[..., list[dict[str, Any]]] | None = getattr(model, "suggest", None)
    return found if getattr(model, "generator", None) else None


def page_files() -> dict[str, bytes]:
    """The files of the page that this package brings, by name."""
    folder = files("electra.serving") / "page"
    found = folder.iterdir() if folder.is_dir() else ()
    return {file.name: file.read_bytes() for file in found if PurePath(file.name).suffix in PAGE_TYPES}


async def _until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(value: Mapping[str, Any]) -> Response:
    return Response(encode(value), media_type="application/json")


def _text(text: str) -> Response:
    return Response(text, media_type="text/plain")


async def _told(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Fault)
    request.state.code = fault.code
    return Response(fault.body, fault.status, fault.headers, "application/json")


async def _told_by_router(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = ROUTER_CODES.get(error.status_code, "bad_request")
    fault = Fault(
        error.status_code, code, f"{request.method} {request.url.path[:60]!r}: {error.detail}; see /openapi.json"
    )
    request.state.code = code
    return Response(fault.body, fault.status, {**(error.headers or {})}, "application/json")
