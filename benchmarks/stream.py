"""Corpora larger than a machine: peak memory and speed of `electra prepare` on texts that are generated as they are read.

    python benchmarks/stream.py [--gigabytes 0.1 1 5 20] [--processes 2] [--corpus TEXT ...] [--out FILE.json]
    python benchmarks/stream.py --table

The text is one .txt at an address of a file system of this program's own, for fsspec: FEW_MB of prose (by default what `make
demo` learns from) over and over, every document with the number of its repetition, so that no two are equal. Nothing of it is
stored; the corpus is, twice for a moment (about one byte per byte of text), in the folder --place, and removed. Memory is the
highest sum of the proportional memory of all processes, the text's generation included; time for which the benchmark itself
was stopped (SIGSTOP) is not counted.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import fsspec
import psutil
from document import table, write_section
from prepare import memory_of

from electra.data.prepare import prepare
from electra.inference.machine import processor
from electra.tokenization import load_tokenizer

FEW_MB = 4_000_000
MARK = b"@" * 16
RESULT = Path(__file__).parent / "results" / "stream.json"


@lru_cache(maxsize=1)
def template() -> bytes:
    """The prose of one repetition, with marks where its number goes."""
    return Path(os.environ["STREAM_TEMPLATE"]).read_bytes()


@lru_cache(maxsize=1)
def repetition(number: int) -> bytes:
    """One repetition of the prose."""
    return template().replace(MARK, b"%016d" % number)


class GeneratedFile(io.RawIOBase):
    """The text, of `size` bytes: any place of it can be made from nothing."""

    def __init__(self, size: int) -> None:
        self.size, self.place = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = offset + (0, self.place, self.size)[whence]
        return self.place

    def readinto(self, buffer: Any) -> int:
        number, inside = divmod(self.place, len(template()))
        part = repetition(number)[inside : inside + min(len(buffer), self.size - self.place)]
        buffer[: len(part)] = part
        self.place += len(part)
        return len(part)


class Generated(fsspec.AbstractFileSystem):
    """generated://BYTES.txt is a text of so many bytes."""

    protocol = "generated"

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        name = self._strip_protocol(path)
        return {"name": name, "size": int(name.split(".")[0]), "type": "file"}

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> GeneratedFile:
        return GeneratedFile(self.info(path)["size"])


fsspec.register_implementation("generated", Generated)  # in the workers too, which import this file


def make_template(files: list[Path], path: Path) -> None:
    """Write FEW_MB of the files' documents, a line with a mark before each."""
    from electra.data.readers import read_documents

    parts: list[bytes] = []
    size = 0
    for document in read_documents([str(file) for file in files]):
        parts.append(b"number %s\n%s\n\n" % (MARK, "\n".join(document).encode()))
        size += len(parts[-1])
        if size >= FEW_MB:
            break
    path.write_bytes(b"".join(parts))


def measure(size: int, vocabulary: Path, processes: int, place: Path) -> dict[str, float]:
    """Prepare a text of so many bytes in a process of its own; what it took."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        words = [sys.executable, __file__, "--once", str(size), str(vocabulary), str(processes), f"{folder}/corpus"]
        before, began = os.times(), time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        peak, stopped = watch(process)
        seconds, after = time.perf_counter() - began - stopped, os.times()
        answer, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"prepare ended with {process.returncode}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"bytes": size, "seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak / 1e6} | json.loads(answer)


def watch(process: subprocess.Popen[str]) -> tuple[int, float]:
    """The highest memory of a process and its children, and for how many seconds this program itself was stopped."""
    root, peak, stopped = psutil.Process(process.pid), 0, 0.0
    last = time.perf_counter()
    while process.poll() is None:
        peak = max(peak, memory_of(root))
        time.sleep(0.2)
        now = time.perf_counter()
        stopped += now - last if now - last > 10 else 0
        last = now
    return peak, stopped


def once(size: str, vocabulary: str, processes: str, out: str) -> None:
    """What is measured."""
    info = prepare(f"generated://{size}.txt", out, load_tokenizer(vocabulary), processes=int(processes))
    splits = info.splits.values()
    print(json.dumps({what: sum(split[what] for split in splits) for what in ("tokens", "documents")}))


def write_table() -> None:
    """The section of docs/results.md."""
    held = json.loads(RESULT.read_text())
    rows = []
    for run in held["runs"]:
        size, memory = f"{run['bytes'] / 1e9:g} GB", f"{run['peak_mb']:.0f} MB"
        speeds = [f"{run['bytes'] / 1e6 / run[seconds]:.1f}" for seconds in ("cpu_seconds", "seconds")]
        rows.append([size, f"{run['documents']:,}", f"{run['tokens'] / 1e6:,.0f} million", memory, *speeds])
    lines = [
        "## Texts larger than a machine",
        "",
        f"`python benchmarks/stream.py`: one text, generated as it is read and never stored, prepared by {held['processes']} "
        f"processes on {held['machine']}. {held['note']} Peak memory is of all processes together, as seen five times a second.",
        "",
        *table(("text", "documents", "tokens", "peak memory", "MB per CPU second", "MB/s by the clock"), rows),
        "",
        "Raw results: [stream.json](../benchmarks/results/stream.json).",
    ]
    write_section("stream", lines)


def main() -> None:
    if sys.argv[1:2] == ["--once"]:
        once(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", nargs="*", type=float, default=[0.1, 1, 5, 20])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--corpus", nargs="*", default=[])
    parser.add_argument("--vocab", type=Path, help="by default made of the text")
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--note", default="", help="a sentence on the conditions, for the table")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--table", action="store_true", help="write the section of docs/results.md, measure nothing")
    options = parser.parse_args()
    if options.table:
        write_table()
        return
    from texts import files_of, vocabulary

    files = files_of(options.corpus)
    vocab = options.vocab or vocabulary(files, 30_522)
    machine = f"{processor()}, {os.cpu_count()} cores"
    result: dict[str, Any] = {"machine": machine, "processes": options.processes, "note": options.note, "runs": []}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STREAM_TEMPLATE"] = f"{folder}/template.txt"
        make_template(files, Path(folder) / "template.txt")
        for gigabytes in options.gigabytes:
            found = measure(int(gigabytes * 1e9), vocab, options.processes, options.place)
            print(json.dumps(found), flush=True)
            result["runs"].append(found)
            options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
