"""The curves of a run while it is written: a page on loopback that reads the run's own files and nothing else.

    RUN/metrics.jsonl -> whole lines from a byte on -> the page draws what is new
    RUN/held_out.jsonl -> the line of one evaluation -> its rows, piece by piece with what became of each

Unusual here: what was read is told by a mark of the file. A run that goes on after a kill writes its metrics anew, so a reader
with an old mark begins again. Charts and numbers are those of `electra report`.
"""

import json
import os
import sys
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from electra.errors import DataError, UsageError
from electra.training.held_out import VERDICTS, judged
from electra.training.panel import EVALUATED, SHOWN
from electra.training.report import CHARTS
from electra.training.run import RunFolder, read_metrics
from electra.training.styles import style
from electra.training.then_and_now import told

MOST_BYTES = 1 << 22  # of metrics in one answer
FILES = {  # address -> (file of this package, content type)
    "/": ("watching/index.html", "text/html"),
    "/assets/page.css": ("page/page.css", "text/css"),
    "/assets/icon.svg": ("page/icon.svg", "image/svg+xml"),
    "/assets/watch.css": ("watching/watch.css", "text/css"),
    "/assets/watch.js": ("watching/watch.js", "text/javascript"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Watched:
    """A run under way or finished. Raises DataError where the folder holds none."""

    def __init__(self, run: Path) -> None:
        self.run = RunFolder(run)
        if not self.run.settings_file.is_file():
            raise DataError(f"{run} is not a run folder: it has no settings.json (electra pretrain makes one)")

    def facts(self) -> dict[str, Any]:
        """What the run is, and what is drawn of it."""
        held = self.run.settings()
        if "steps" not in held.get("settings", {}):
            raise DataError(f"{self.run.path} is no run of electra pretrain: its settings.json names no steps")
        charts = [
            {
                "title": title,
                "text": text,
                "unit": unit,
                "lines": [{"kind": kind, "metric": metric, "label": label} for kind, metric, label in lines],
            }
            for title, text, unit, lines in CHARTS
        ]
        return {
            "name": self.run.path.resolve().name,
            "steps": held["settings"]["steps"],
            "settings": held["settings"],
            "machine": held.get("machine", {}),
            "charts": charts,
            "train": {metric: label for metric, (label, _) in SHOWN.items()},
            "verdicts": VERDICTS,
            "evaluation": {metric: label for metric, (label, _) in EVALUATED.items()},
        }

    def news(self, begin: int, mark: str) -> dict[str, Any]:
        """The records after byte `begin` of the file with this mark; of another file, from its first byte on.

        {"mark", "begin", "end", "records", "is_all", "age"}: the next call begins at end. A line that is still written is left
        for it. age is in seconds since the file was written to.
        """
        path = self.run.metrics_file
        if not path.is_file():
            return {"mark": "", "begin": 0, "end": 0, "records": [], "is_all": True, "age": 0.0}
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            own = f"{status.st_dev}-{status.st_ino}"
            begin = begin if mark == own and 0 <= begin <= status.st_size else 0
            file.seek(begin)
            held = file.read(MOST_BYTES)
        whole = held[: held.rfind(b"\n") + 1]
        end = begin + len(whole)
        records = [record for line in whole.splitlines() if (record := _record(line)) is not None]
        age = max(0.0, time.time() - status.st_mtime)
        return {
            "mark": own,
            "begin": begin,
            "end": end,
            "records": records,
            "is_all": len(held) < MOST_BYTES,
            "age": age,
        }

    def held_out(self, step: int) -> dict[str, Any]:
        """The rows of the evaluation after `step`: {"rows": [{"told", "has_scores", "pieces": [{"text", ...}]}]}.

        Without rows where there is no such evaluation, or the run is older than these files.
        """
        path = self.run.held_out_file
        lines = read_metrics(path) if path.is_file() else iter(())
        found: dict[str, Any] = next((line for line in lines if line["step"] == step), {"rows": []})
        rows = [
            {"told": told(row), "has_scores": "scores" in row, "pieces": [asdict(one) for one in judged(row)]}
            for row in found["rows"]
        ]
        return {"rows": rows}


def _record(line: bytes) -> Any:
    """A record; None where a kill left half a line that others follow."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def watch(run: Path, port: int) -> int:
    """Serve the page of a run on this machine until Ctrl-C. Raises UsageError where the port cannot be had."""
    watched = Watched(run)
    watched.facts()
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(watched))
    except (OSError, OverflowError) as error:
        raise UsageError(f"127.0.0.1:{port} cannot be had: {error}; choose another --port, or 0 for any") from None
    server.daemon_threads = True
    with server:
        print(
            f"electra watch: {run} at http://127.0.0.1:{server.server_port}; Ctrl-C ends it",
            file=sys.stderr,
            flush=True,
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _handler(watched: Watched) -> type[BaseHTTPRequestHandler]:
    page = files("electra.serving")
    shown = {address: (page.joinpath(file).read_bytes(), kind) for address, (file, kind) in FILES.items()}
    shown["/assets/text.css"] = style("text").encode(), "text/css"

    class Handler(BaseHTTPRequestHandler):
        """Fixed addresses; no path of a request reaches the file system."""

        timeout = 10.0  # seconds a client may take for its headers

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path in shown:
                return self.answer(200, *shown[address.path])
            try:
                if address.path == "/v1/run":
                    return self.json(200, watched.facts())
                asked = {name: values[0] for name, values in parse_qs(address.query).items()}
                if address.path == "/v1/records":
                    return self.json(200, watched.news(_number(asked.get("begin")), asked.get("mark", "")))
                if address.path == "/v1/held_out":
                    return self.json(200, watched.held_out(_number(asked.get("step"))))
            except (DataError, OSError) as error:
                return self.json(503, {"error": {"code": "unreadable", "message": str(error)}})
            return self.json(404, {"error": {"code": "not_found", "message": f"expected one of {', '.join(shown)}"}})

        def json(self, status: int, value: Any) -> None:
            self.answer(status, json.dumps(value).encode(), "application/json")

        def answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: a request every other second says nothing."""

    return Handler
