"""Files of text to a prepared corpus: on all cores, on many machines, in bounded memory, restartable at any moment.

The text is cut into portions (plan.py), which workers read, tokenize and put on disk (work.py), and at the end they are
assembled (assemble.py) in a staging folder that becomes the corpus by one rename. After a kill the same call finds what
is finished. The result is the same bytes as without the kill, and for any number of processes, machines and shards.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra.data import plan, units
from electra.data.assemble import assemble, no_usable_lines
from electra.data.corpus import DESCRIPTION, read_description
from electra.data.description import describe_settings, describe_tokenizer, differences, listed
from electra.data.plan import Portion
from electra.data.readers import Reading
from electra.data.sources import check_choice, find_sources
from electra.data.staging import Staging
from electra.data.units import UNIT_FORMAT, is_finished
from electra.data.work import ENGINES, Job, Progress, finish
from electra.disk.space import write_error
from electra.errors import CorpusError, ElectraError, UnfinishedError, UsageError

UINT16_IDS = 1 << 16


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


@dataclass(frozen=True)
class ShardInfo:
    """What prepare_shard made: bytes on disk, lines and tokens count what this call did; was_reused: nothing was left."""

    shard: str
    portions: int
    size: int
    lines: int
    tokens: int
    seconds: float
    was_reused: bool


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
    engine: str = "processes",
    only_assemble: bool = False,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> CorpusInfo:
    """Tokenize `sources` (files, folders, globs, addresses) into the corpus folder `out`; see corpus.py for what it holds.

    documents, text_field, errors, max_bad_records: as readers.Reading. held_out: the share of documents kept for
    validation, chosen by a hash of their text. processes: how many work, at most (default: all cores; 1 works in this
    process). engine: "processes" of this machine, or "ray". only_assemble: all shards were made by prepare_shard; that
    one is missing is an error, not work to do.

    An identical finished corpus is reused. One made otherwise is an error that lists the differences, unless
    `overwrite`. Raises CorpusError on text that yields nothing, WriteError where `out` cannot be written, TryAgainError
    where another prepare is at work on `out` or a worker process was killed twice: finished work is kept, so the call
    can be repeated. Raises UnfinishedError, which names them, where shards are missing.
    """
    began = time.monotonic()
    reading = Reading(documents=documents, text_field=text_field, errors=errors, max_bad_records=max_bad_records)
    request = _Request.of(sources, Path(out), tokenizer, reading, held_out, engine)
    finished = _finished(request, overwrite)
    if finished is not None:
        return CorpusInfo(request.out, True, time.monotonic() - began, finished)
    with _staged(request, is_shard=False) as staging:
        if only_assemble:
            _check_finished(request, staging)
        else:
            finish(
                request.portions, request.job(staging), tokenizer, engine=engine, processes=processes or _cores(),
                progress=progress, began=began,
            )  # fmt: skip
        folder = staging.fresh_corpus()
        shutil.copytree(staging.tokenizer, folder / "tokenizer")
        description = assemble(
            staging.units, len(request.portions), folder, reading=reading, held_out=held_out,
            ids_dtype=request.ids_dtype, settings=request.settings, tokenizer=request.tokenizer_told,
        )  # fmt: skip
        if not sum(split["lines"] for split in description["splits"].values()):
            staging.discard()
            raise CorpusError(no_usable_lines(description))
        staging.publish(folder)
    return CorpusInfo(request.out, False, time.monotonic() - began, description)


def prepare_shard(
    shard: str,
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
    engine: str = "processes",
    progress: Callable[[Progress], None] | None = None,
) -> ShardInfo:
    """Do one shard ("3/16") of prepare, with the same arguments; prepare() makes the corpus when all are done.

    Shards may run at the same time, on any machines that see the sources and the folder that holds `out`. Finished work
    is kept; the same call continues after a kill. Raises CorpusError where shards of `out` were made otherwise.
    """
    began = time.monotonic()
    number, of = _parsed(shard)
    reading = Reading(documents=documents, text_field=text_field, errors=errors, max_bad_records=max_bad_records)
    request = _Request.of(sources, Path(out), tokenizer, reading, held_out, engine)
    mine = [portion for portion in request.portions if portion.number % of == number - 1]
    if _finished(request, False) is not None:
        return ShardInfo(shard, len(mine), 0, 0, 0, time.monotonic() - began, True)
    with _staged(request, is_shard=True) as staging:
        staging.note_shards(of)
        told = finish(
            mine, request.job(staging), tokenizer, engine=engine, processes=processes or _cores(), progress=progress,
            began=began,
        )  # fmt: skip
    size = sum(portion.size for portion in mine)
    return ShardInfo(shard, len(mine), size, told.lines, told.tokens, time.monotonic() - began, not told.seconds)


@dataclass(frozen=True)
class _Request:
    """What prepare was asked for, checked, and how the text is cut."""

    out: Path
    tokenizer: Any
    reading: Reading
    settings: dict[str, Any]
    tokenizer_told: dict[str, Any]
    portions: list[Portion]

    @classmethod
    def of(cls, sources: Any, out: Path, tokenizer: Any, reading: Reading, held_out: float, engine: str) -> "_Request":
        if not 0 <= held_out < 1:
            raise UsageError(f"held_out is {held_out}, expected a share from 0 to below 1")
        check_choice("engine", engine, ENGINES)
        files = find_sources(sources)
        settings = describe_settings(files, reading, held_out)
        return cls(
            out, tokenizer, reading, settings, describe_tokenizer(tokenizer), plan.plan(files, reading, plan.RANGE)
        )

    @property
    def ids_dtype(self) -> str:
        """How ids are stored."""
        return "<u2" if self.tokenizer_told["vocab_size"] <= UINT16_IDS else "<u4"

    def job(self, staging: Staging) -> Job:
        """What a worker has to know."""
        return Job(staging.units, staging.tokenizer, self.ids_dtype, self.reading, units.UNIT)


@contextmanager
def _staged(request: _Request, *, is_shard: bool) -> Iterator[Staging]:
    """The staging folder of this request, with the tokenizer in it; a place that cannot be written is a WriteError."""
    cut = [UNIT_FORMAT, plan.RANGE, units.UNIT]
    job = {"units": cut, "settings": request.settings, "tokenizer": request.tokenizer_told}
    try:
        with Staging(request.out, job, is_shard=is_shard) as staging:
            staging.keep_tokenizer(request.tokenizer)
            yield staging
    except ElectraError:
        raise
    except OSError as error:
        raise write_error(request.out, error) from error


def _check_finished(request: _Request, staging: Staging) -> None:
    """Raise UnfinishedError where shards are missing."""
    missing = [portion.number for portion in request.portions if not is_finished(staging.units, portion.number)]
    if not missing:
        return
    of = staging.noted_shards()
    shards = [f"{number}/{of}" for number in sorted({one % of + 1 for one in missing})]
    named = ", ".join(shards[:10]) + f" and {len(shards) - 10} more" * (len(shards) > 10)
    is_one = len(shards) == 1
    error = UnfinishedError(
        f"{request.out}: {'shard' if is_one else 'shards'} {named} {'is' if is_one else 'are'} not finished "
        f"({len(missing)} of {len(request.portions)} portions are missing)"
    )
    error.shards = shards
    raise error


def _parsed(shard: str) -> tuple[int, int]:
    """ "3/16" as numbers."""
    found = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f'shard is "{shard}", expected NUMBER/OF, from 1/16 to 16/16 for sixteen of them')
    return int(found[1]), int(found[2])


def _finished(request: _Request, overwrite: bool) -> dict[str, Any] | None:
    """The description of an identical corpus at `out`; None where one is to be made."""
    out = request.out
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / DESCRIPTION).exists():
        raise CorpusError(f"{out} exists and is not a prepared corpus; choose another folder or remove it")
    if overwrite:
        return None
    description = read_description(out)
    changes = differences(
        {"tokenizer": description["tokenizer"]} | description["settings"],
        {"tokenizer": request.tokenizer_told} | request.settings,
    )
    if changes:
        raise CorpusError(
            f"{out} is a corpus prepared otherwise:\n{listed(changes)}\n"
            "Choose another folder, or overwrite it (overwrite=True)"
        )
    return description


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
