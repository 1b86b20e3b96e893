"""Files of text to a prepared corpus, on all cores, in bounded memory, restartable at any moment.

This process reads and cuts the text into units (units.py), worker processes tokenize them and put them on disk, and at
the end they are assembled (assemble.py) in a staging folder that becomes the corpus by one rename. After a kill the
same call finds the finished units; the result is the same bytes as without the kill, and for any number of processes.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from electra.data.assemble import assemble, no_usable_lines
from electra.data.corpus import DESCRIPTION, read_description
from electra.data.readers import Reading
from electra.data.sources import Source, find_sources
from electra.data.staging import Staging, write_error
from electra.data.units import (
    UNIT_FORMAT,
    Unit,
    cut_units,
    finished_prefix,
    save_unit,
    tokenize_unit,
    unit_path,
    whole_story,
)
from electra.data.workers import ordered_map
from electra.errors import CorpusError, ElectraError, UsageError

UINT16_IDS = 1 << 16


@dataclass(frozen=True)
class Progress:
    """How far prepare is. bytes are of the files on disk; seconds_left is None until there is something to go by."""

    bytes_done: int
    bytes_total: int
    lines: int
    tokens: int
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True)
class CorpusInfo:
    """What prepare made (or found made already: was_reused). `description` is the content of corpus.json."""

    folder: Path
    was_reused: bool
    seconds: float
    description: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the corpus."""
        return str(self.description["fingerprint"])

    @property
    def splits(self) -> dict[str, dict[str, int]]:
        """tokens, lines and documents of "train" and "validation"."""
        return dict(self.description["splits"])

    @property
    def problems(self) -> list[dict[str, Any]]:
        """One entry per source file with a problem, by its path."""
        return list(self.description["problems"])


def prepare(
    sources: str | Path | Iterable[str | Path],
    out: str | Path,
    tokenizer: Any,
    *,
    documents: str = "auto",
    text_field: str = "text",
    errors: str = "replace",
    max_bad_records: int = 0,
    held_out: float = 0.01,
    processes: int | None = None,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> CorpusInfo:
    """Tokenize `sources` (files, folders, globs) into the corpus folder `out`; see corpus.py for what it holds.

    documents, text_field, errors, max_bad_records: as readers.Reading. held_out: the share of documents kept for
    validation, chosen by a hash of their text. processes: how many tokenize, at most (default: all cores; 1 works in
    this process); there are no more than keep up with the reading.

    An identical finished corpus is reused. One made otherwise is an error that lists the differences, unless
    `overwrite`. Raises CorpusError on text that yields nothing, WriteError where `out` cannot be written, TryAgainError
    where another prepare is at work on `out` or a worker process was killed twice: finished work is kept, so the call
    can be repeated.
    """
    began = time.monotonic()
    reading = Reading(documents=documents, text_field=text_field, errors=errors, max_bad_records=max_bad_records)
    if not 0 <= held_out < 1:
        raise UsageError(f"held_out is {held_out}, expected a share from 0 to below 1")
    out = Path(out)
    files = find_sources(sources)
    told = describe_tokenizer(tokenizer)
    settings = _settings(files, reading, held_out)
    finished = _finished(out, settings, told, overwrite)
    if finished is not None:
        return CorpusInfo(out, True, time.monotonic() - began, finished)
    ids_dtype = "<u2" if told["vocab_size"] <= UINT16_IDS else "<u4"
    try:
        with Staging(out) as staging:
            staging.keep_units_of({"units": UNIT_FORMAT, "settings": settings, "tokenizer": told})
            tokenizer.save_pretrained(staging.tokenizer)
            job = Job(staging.units, staging.tokenizer, ids_dtype)
            count = _tokenize_all(files, reading, job, tokenizer, processes or _cores(), progress, began)
            folder = staging.fresh_corpus()
            shutil.copytree(staging.tokenizer, folder / "tokenizer")
            description = assemble(
                staging.units, count, folder, held_out=held_out, ids_dtype=ids_dtype, settings=settings, tokenizer=told
            )
            if not sum(split["lines"] for split in description["splits"].values()):
                staging.discard()
                raise CorpusError(no_usable_lines(description))
            staging.publish(folder)
    except ElectraError:
        raise
    except OSError as error:
        raise write_error(out, error) from error
    return CorpusInfo(out, False, time.monotonic() - began, description)


def describe_tokenizer(tokenizer: Any) -> dict[str, Any]:
    """What a corpus remembers of its tokenizer. Raises CorpusError where a special token is not in the vocabulary."""
    special_ids = {name: getattr(tokenizer, f"{name}_token_id") for name in ("pad", "unk", "cls", "sep", "mask")}
    absent = [f"[{name.upper()}]" for name, number in special_ids.items() if number is None]
    if absent:
        raise CorpusError(f"the tokenizer's vocabulary has no {', '.join(absent)}; add what is missing to vocab.txt")
    return {
        "fingerprint": tokenizer.fingerprint(),
        "vocab_size": len(tokenizer),
        "normalization": dict(tokenizer.normalization),
        "special_ids": {name: int(number) for name, number in special_ids.items()},
    }


def _settings(files: list[Source], reading: Reading, held_out: float) -> dict[str, Any]:
    """All that the corpus depends on, the tokenizer apart. A file is known by name, size and time of last change."""
    described = [{"name": one.path.name, "size": one.size, "changed_ns": one.path.stat().st_mtime_ns} for one in files]
    return asdict(reading) | {"held_out": held_out, "sources": described}


def _finished(out: Path, settings: dict[str, Any], tokenizer: dict[str, Any], overwrite: bool) -> dict[str, Any] | None:
    """The description of an identical corpus at `out`; None where one is to be made."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / DESCRIPTION).exists():
        raise CorpusError(f"{out} exists and is not a prepared corpus; choose another folder or remove it")
    if overwrite:
        return None
    description = read_description(out)
    changes = differences(
        {"tokenizer": description["tokenizer"]} | description["settings"], {"tokenizer": tokenizer} | settings
    )
    if changes:
        lines = "\n".join(f"  - {change}" for change in changes)
        raise CorpusError(
            f"{out} is a corpus prepared otherwise:\n{lines}\nChoose another folder, or overwrite it (overwrite=True)"
        )
    return description


def differences(held: Any, wanted: Any, name: str = "") -> list[str]:
    """One line per value that differs: 'errors: "replace" there, "skip" asked for'."""
    if isinstance(held, list) and isinstance(wanted, list) and name == "sources":
        held, wanted = ({one["name"]: one for one in sources} for sources in (held, wanted))
    if isinstance(held, dict) and isinstance(wanted, dict):
        keys = sorted({*held, *wanted})
        return [
            line
            for key in keys
            for line in differences(held.get(key), wanted.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if held == wanted else [f"{name}: {_shown(held)} there, {_shown(wanted)} asked for"]


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Job:
    """What a worker process needs to know to tokenize a unit and keep it; the tokenizer is loaded once per process."""

    units: Path
    tokenizer_folder: Path
    ids_dtype: str

    def __call__(self, unit: Unit) -> tuple[int, int, int]:
        """Do one unit in a worker process; its position, lines and tokens."""
        return self.do(unit, _tokenizer(self.tokenizer_folder))

    def do(self, unit: Unit, tokenizer: Any) -> tuple[int, int, int]:
        """Do one unit with this tokenizer."""
        tokenized = tokenize_unit(unit, tokenizer, self.ids_dtype)
        save_unit(unit_path(self.units, unit.number), tokenized, unit)
        return unit.position, len(tokenized.lengths), len(tokenized.ids)


@cache
def _tokenizer(folder: Path) -> Any:
    from electra.tokenization import load_tokenizer

    return load_tokenizer(folder)


def one_thread() -> None:
    """Workers are the parallelism; threads inside them would only compete."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = "1"


def _tokenize_all(
    files: list[Source],
    reading: Reading,
    job: Job,
    tokenizer: Any,
    processes: int,
    progress: Callable[[Progress], None] | None,
    began: float,
) -> int:
    """Finish every unit; returns how many there are. Progress is told after each."""
    number, source = finished_prefix(job.units)
    last = number - 1

    def unfinished() -> Iterator[Unit]:
        nonlocal last
        for unit in cut_units(files, reading, number=number, source=source):
            last = unit.number
            if whole_story(unit_path(job.units, unit.number)) is None:
                yield unit

    done: Iterator[tuple[int, int, int]]
    if processes <= 1:
        done = (job.do(unit, tokenizer) for unit in unfinished())
    else:
        done = ordered_map(
            job, unfinished(), workers=processes, ahead=1, name="prepare", setup=one_thread, as_needed=True
        )
    bytes_total = sum(one.size for one in files)
    at_start = sum(one.size for one in files[:source])
    lines = tokens = 0
    for position, unit_lines, unit_tokens in done:
        lines, tokens = lines + unit_lines, tokens + unit_tokens
        if progress is not None:
            seconds = time.monotonic() - began
            fresh = position - at_start
            left = seconds / fresh * (bytes_total - position) if fresh > 0 else None
            progress(Progress(position, bytes_total, lines, tokens, seconds, left))
    return last + 1
