"""`electra serve` with ten times more to do than it can, beside 50 clients that never finish a request.

    python benchmarks/serving.py [--seconds 60] [--times 10] [--size small]
    python benchmarks/serving.py --table

A classifier with random weights, at the server's defaults, is asked about lines of real text, one a request, by one process
on the same machine. "alone": one client, a request after the other. "capacity": 64 clients, each at once again. "overload":
requests begin at a fixed pace, `times` the capacity, whether the ones before were answered or not; a request for which no
connection is free (400 are open) is counted and not sent. Latency is from a request's first byte to its answer's last.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from document import table, write_section
from machine import described, facts
from texts import LONGEST, files_of, lines_of, vocabulary
from turns import arguments, parsed, write_results

SIZES = ("tiny", "small", "base")
CLIENTS = 64  # that show the capacity
MOST = 400  # connections of the overload: more than the queue is long, fewer than the server has
SLOW = 50  # clients that send a letter a second
SHARES = {"alone": 1 / 6, "capacity": 1 / 3, "overload": 1.0}  # of --seconds


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the overload; the others are shorter")
    parser.add_argument("--times", type=float, default=10.0, help="of the capacity")
    parser.add_argument("--size", default="small", choices=SIZES)
    options = parsed(parser, "serving")
    if options.table:
        write_section("serving", section(json.loads(options.out.read_text())))
        return
    seconds = min(options.seconds, 6.0) if options.quick else options.seconds
    result: dict[str, Any] = facts(options.threads) | {"size": options.size, "times": options.times, "seconds": seconds}
    with tempfile.TemporaryDirectory() as place, served(Path(place), options) as (process, port):
        lines = lines_of(files_of(options.corpus))
        bodies = [json.dumps({"inputs": [{"text": line}]}).encode() for line in lines[:: max(1, len(lines) // 5000)]]
        result |= asyncio.run(measure(process, port, bodies, seconds, options.times))
    write_results(options.out, result)


@contextmanager
def served(folder: Path, options: Any) -> Iterator[tuple[psutil.Process, int]]:
    """A server of a classifier with random weights: its process and its port."""
    from electra.config import ElectraConfig
    from electra.first_weights import first_weights
    from electra.tasks.classification import Classification
    from electra.tokenization import load_tokenizer
    from electra.training.tune_files import Purpose
    from electra.weights.folders import save_model
    from electra.weights.names import tensors

    config = ElectraConfig.of_size(options.size, architectures=["ElectraForSequenceClassification"])
    shapes = tensors(config) | tensors(config, "sequence_classification")
    save_model(folder / "model", config, first_weights(shapes, config.initializer_range, 0), "5GB", ["safetensors"])
    load_tokenizer(vocabulary(files_of(options.corpus), config.vocab_size)).save_pretrained(folder / "model")
    kind = Classification()
    Purpose(name="own", kind=kind, measure="accuracy", labels=("no", "yes"), max_length=LONGEST).write(folder / "model")
    command = [sys.executable, "-m", "electra", "serve", f"model={folder / 'model'}", "--port", "0"]
    with subprocess.Popen([*command, "--threads", str(options.threads)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = next((line for line in process.stderr if "http://" in line), "")
        if not told:
            raise SystemExit("the server did not come up")
        try:
            yield psutil.Process(process.pid), int(told.partition("http://")[2].partition(";")[0].rpartition(":")[2])
        finally:
            process.terminate()


# -- the load -----------------------------------------------------------------------------------------------------------


async def measure(
    process: psutil.Process, port: int, bodies: Sequence[bytes], seconds: float, times: float
) -> dict[str, Any]:
    """All three measurements, each with the server's memory and the processor's seconds of both sides."""
    found: dict[str, Any] = {}
    requests = itertools.cycle([request(body) for body in bodies])
    await closed_loop(port, requests, 1, 0.5)
    for name, share in SHARES.items():
        memory = asyncio.create_task(watch_memory(process))
        used = own_seconds(psutil.Process()), own_seconds(process)
        started = time.perf_counter()
        if name == "overload":
            slow = [asyncio.create_task(never_finish(port)) for _ in range(SLOW)]
            pace = times * found["capacity"]["answered_a_second"]
            answers, unsent = await open_loop(port, requests, pace, share * seconds)
            for one in slow:
                one.cancel()
        else:
            answers, unsent = (
                await closed_loop(port, requests, CLIENTS if name == "capacity" else 1, share * seconds),
                0,
            )
        took = time.perf_counter() - started
        memory.cancel()
        peaks = await memory
        found[name] = told(answers, unsent, took) | {
            "clients_cpu_seconds": own_seconds(psutil.Process()) - used[0],
            "server_cpu_seconds": own_seconds(process) - used[1],
            "peak_mb": max(peaks) / 1e6,
        }
        print(name, json.dumps(found[name]), flush=True)
    return {"measured": found}


async def closed_loop(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> list[tuple[int, float]]:
    """Statuses and seconds where each client asks again as soon as it is answered."""
    ends = time.perf_counter() + seconds
    answers: list[tuple[int, float]] = []

    async def ask() -> None:
        client = await connected(port)
        while time.perf_counter() < ends:
            answers.append(await client.ask(next(requests)))
            if client.is_closed:
                client = await connected(port)
        client.close()

    await asyncio.gather(*(ask() for _ in range(clients)))
    return answers


async def open_loop(
    port: int, requests: Iterator[bytes], pace: float, seconds: float
) -> tuple[list[tuple[int, float]], int]:
    """Statuses and seconds where requests begin at a pace, and how many found no connection free."""
    answers: list[tuple[int, float]] = []
    free: list[Client] = []
    unsent = 0

    async def ask(client: Client | None) -> None:
        try:
            client = client if client and not client.is_closed else await connected(port)
            answers.append(await client.ask(next(requests)))
        except OSError:
            answers.append((0, 0.0))
            return
        if client.is_closed:
            return
        free.append(client)

    asked: set[asyncio.Task[None]] = set()
    started, begun = time.perf_counter(), 0
    while (now := time.perf_counter() - started) < seconds:
        due = int(pace * now)
        for _ in range(due - begun):
            if len(asked) >= MOST:
                unsent += 1
                continue
            task = asyncio.create_task(ask(free.pop() if free else None))
            asked.add(task)
            task.add_done_callback(asked.discard)
        begun = due
        await asyncio.sleep(0.002)
    await asyncio.gather(*asked)
    for client in free:
        client.close()
    return answers, unsent


async def never_finish(port: int) -> None:
    """A client that sends a letter of a header a second, and begins again when it is closed."""
    while True:
        try:
            client = await connected(port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        client.transport.write(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        while not client.is_closed:
            await asyncio.sleep(1)
            client.transport.write(b"a")


class Client(asyncio.Protocol):
    """One connection, which asks and reads one answer at a time."""

    def __init__(self) -> None:
        self.is_closed, self.held, self.started = False, b"", 0.0
        self.answer: asyncio.Future[tuple[int, float]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def ask(self, sent: bytes) -> tuple[int, float]:
        """The status and the seconds of one request; status 0 where the server closed the connection before it answered."""
        self.answer = asyncio.get_running_loop().create_future()
        self.started, self.held = time.perf_counter(), b""
        if self.is_closed:
            return 0, 0.0
        self.transport.write(sent)
        return await self.answer

    def data_received(self, data: bytes) -> None:
        self.held += data
        head, found, body = self.held.partition(b"\r\n\r\n")
        if not found or self.answer is None or self.answer.done():
            return
        if len(body) >= int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            self.is_closed = self.is_closed or b"\r\nconnection: close" in head
            self.answer.set_result((int(head[9:12]), time.perf_counter() - self.started))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if self.answer is not None and not self.answer.done():
            self.answer.set_result((0, time.perf_counter() - self.started))

    def close(self) -> None:
        self.transport.close()


async def connected(port: int) -> Client:
    return (await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port))[1]


def request(body: bytes) -> bytes:
    head = ("POST /v1/models/model/predict HTTP/1.1", "Host: localhost", "Content-Type: application/json")
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def watch_memory(process: psutil.Process) -> list[int]:
    """The server's memory, ten times a second until this is cancelled."""
    found = []
    try:
        while True:
            found.append(process.memory_info().rss)
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        return found


def own_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def told(answers: Sequence[tuple[int, float]], unsent: int, took: float) -> dict[str, Any]:
    """What became of the requests."""
    delays = [1000 * delay for status, delay in answers if status == 200]
    refusals = [1000 * delay for status, delay in answers if status not in (0, 200)]
    begun = len(answers) + unsent
    return {
        "seconds": took,
        "begun": begun,
        "unsent": unsent,
        "statuses": {str(status): count for status, count in sorted(Counter(status for status, _ in answers).items())},
        "answered_a_second": len(delays) / took,
        "refused_share": 1 - len(delays) / max(1, begun - unsent),
        "answered_ms": quantiles(delays),
        "refused_ms": quantiles(refusals),
    }


def quantiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    p50, p99 = np.percentile(values, (50, 99)).tolist()
    return {"p50": p50, "p99": p99, "highest": max(values)}


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    rows = []
    for name, held in result["measured"].items():
        late, refused = held["answered_ms"], held["refused_ms"]
        rows.append(
            [
                name,
                f"{held['begun'] / held['seconds']:,.0f}",
                f"{held['answered_a_second']:,.0f}",
                f"{late['p50']:.0f}, {late['p99']:.0f}",
                f"{100 * held['refused_share']:.0f}%",
                f"{refused['p50']:.0f}, {refused['p99']:.0f}" if refused else "",
                f"{held['peak_mb']:.0f}",
            ]
        )
    head = ("", "begun a second", "answered a second", "p50, p99, ms", "refused", "p50, p99, ms", "peak, MB")
    overload = result["measured"]["overload"]
    statuses = ", ".join(f"{count:,} {status}" for status, count in overload["statuses"].items())
    return [
        "## Serving",
        "",
        f"`python benchmarks/serving.py`: `electra serve` at its defaults, a classifier of size {result['size']} with random",
        f"weights, one line of text a request; clients on the same machine. `overload`: {result['times']:g} times the capacity",
        f"for {result['seconds']:g} seconds, beside {SLOW} clients that send a letter a second. {described(result)}",
        "",
        *table(head, rows),
        "",
        f"Statuses of the overload: {statuses}; {overload['unsent']:,} were not sent, because {MOST} connections were at work.",
        "",
        "File: [serving.json](../benchmarks/results/serving.json).",
    ]


if __name__ == "__main__":
    main()
