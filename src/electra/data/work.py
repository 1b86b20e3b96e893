"""The work of prepare: portions of text, read, tokenized and put on disk, by processes of this machine or by Ray.

A worker reads its portion itself. Only a large file that cannot be cut, where there are too few of them to keep all
workers busy, is read here, in units that are sent to the workers.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from electra.data.plan import RANGE, Portion
from electra.data.readers import Reading
from electra.data.units import Unit, cut_units, is_finished, save_unit, tokenize_unit, unit_path, whole_story
from electra.data.workers import one_thread, ordered_map

ENGINES = ("processes", "ray")
LARGE = 4  # ranges; what is larger is read in one piece only where there are
MANY = 4  # of them per worker
START = 50_000_000  # bytes of text that are done while a worker process starts


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
class Done:
    """What one task has done: lines and tokens, and where it ended in bytes of all the portions."""

    position: int
    lines: int
    tokens: int


@dataclass(frozen=True)
class Job:
    """What a worker needs to know to read text, tokenize it and keep it; the tokenizer is loaded once per process."""

    units: Path
    tokenizer_folder: Path
    ids_dtype: str
    reading: Reading
    unit_size: int  # characters

    def __call__(self, task: tuple[int, Unit | Portion]) -> Done:
        """Do one task in a worker; see do()."""
        return self.do(task, _tokenizer(self.tokenizer_folder))

    def do(self, task: tuple[int, Unit | Portion], tokenizer: Any) -> Done:
        """Tokenize a unit, or what is missing of a portion. The number is of bytes in portions before."""
        before, work = task
        if isinstance(work, Unit):
            return self._keep(work, tokenizer, before)
        lines = tokens = 0
        for unit in cut_units(work, self.reading, self.unit_size):
            if self.is_missing(unit):
                done = self._keep(unit, tokenizer, before)
                lines, tokens = lines + done.lines, tokens + done.tokens
        return Done(before + work.size, lines, tokens)

    def is_missing(self, unit: Unit) -> bool:
        """Whether a unit is still to be done."""
        return whole_story(unit_path(self.units, unit.portion, unit.number)) is None

    def _keep(self, unit: Unit, tokenizer: Any, before: int) -> Done:
        tokenized = tokenize_unit(unit, tokenizer, self.ids_dtype)
        save_unit(unit_path(self.units, unit.portion, unit.number), tokenized, unit)
        return Done(before + unit.position, len(tokenized.lengths), len(tokenized.ids))


@cache
def _tokenizer(folder: Path) -> Any:
    from electra.tokenization import load_tokenizer

    return load_tokenizer(folder)


def finish(
    portions: list[Portion],
    job: Job,
    tokenizer: Any,
    *,
    engine: str,
    processes: int,
    progress: Callable[[Progress], None] | None,
    began: float,
) -> Progress:
    """Do all that is missing of the portions. Progress is told after each task; returns the last."""
    total = sum(portion.size for portion in portions)
    start = 0  # bytes that were done before
    large = sum(portion.size > LARGE * RANGE for portion in portions)
    reads_here = 0 < large < MANY * processes

    def tasks() -> Iterator[tuple[int, Unit | Portion]]:
        nonlocal start
        before, begun = 0, False
        for portion in portions:
            if not is_finished(job.units, portion.number):
                begun = True
                if engine == "ray" or (processes > 1 and not (reads_here and portion.size > LARGE * RANGE)):
                    yield before, portion
                else:
                    units = cut_units(portion, job.reading, job.unit_size)
                    yield from ((before, unit) for unit in units if job.is_missing(unit))
            before += portion.size
            start = start if begun else before

    report = Progress(0, total, 0, 0, 0.0, None)
    missing: Iterator[tuple[int, Unit | Portion]] = tasks()
    first = next(missing, None)
    if first is None:  # no worker is begun for nothing
        return report
    missing = chain([first], missing)
    done: Iterator[Done]
    if engine == "ray":
        from electra.data.ray import ray_map

        done = ray_map(job, missing, processes)
    elif processes <= 1:
        done = (job.do(task, tokenizer) for task in missing)
    else:
        is_short = reads_here or total < START * processes  # then a worker more may not be worth its start
        done = ordered_map(
            job, missing, workers=processes, ahead=1, name="prepare", setup=one_thread, as_needed=is_short
        )
    for one in done:
        seconds, fresh = time.monotonic() - began, one.position - start
        left = seconds / fresh * (total - one.position) if fresh > 0 else None
        report = Progress(one.position, total, report.lines + one.lines, report.tokens + one.tokens, seconds, left)
        if progress is not None:
            progress(report)
    return report
