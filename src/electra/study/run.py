"""Runs the pieces of a study, some at a time, each in a process of its own, until they are done or it is asked to stop."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from electra.config import read_json_object
from electra.errors import DataError, TryAgainError
from electra.study.contents import Study
from electra.study.pieces import Piece, order_of, pieces_of, result_file, waiting
from electra.study.speed import SPEED, speed_order, to_measure
from electra.training.interrupt import stop_on_signal
from electra.training.panel import clock

try:
    import fcntl
except ImportError:  # not on Windows: two studies in one folder are then not noticed
    fcntl = None  # type: ignore[assignment]

Tell = Callable[[str], None]
LINES = 15  # of a piece's log that an error shows
STOPPED = 75  # exit code: the same command goes on


def corpus_of(study: Study, out: Path, tell: Tell) -> Path:
    """The study's corpus; of text, OUT/corpus, made by electra vocab and electra prepare where it is not there yet."""
    if study.corpus is not None:
        return study.corpus
    vocabulary, corpus = out / "vocabulary", out / "corpus"
    commands = {
        vocabulary: ["vocab", *study.text, "--out", str(vocabulary), "--size", str(study.vocab_size)],
        corpus: ["prepare", *study.text, "--tokenizer", str(vocabulary), "--out", str(corpus)],
    }
    for folder, words in commands.items():
        if not folder.exists():
            tell(f"electra {' '.join(words)}")
            done = subprocess.run(
                [sys.executable, "-m", "electra", *words], check=False, capture_output=True, text=True
            )
            if done.returncode:
                raise DataError(f"electra {words[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return corpus


@dataclass
class Running:
    """A process that makes a piece, or measures."""

    told: str
    result: Path
    process: subprocess.Popen[bytes]
    log: Path
    started: float = field(default_factory=time.perf_counter)

    def ask_to_stop(self) -> None:
        """It saves where it stands and ends; see piece.py."""
        assert self.process.stdin is not None
        self.process.stdin.close()


def run_study(
    study: Study, out: Path, corpus: Path, *, jobs: int, threads: int, limit_minutes: float | None, tell: Tell,
    measure: bool = False, others: Mapping[str, Sequence[str]] | None = None,
) -> int:  # fmt: skip
    """Make the pieces that are not done; 0 when all are, 1 where some ended with an error, 75 or 130 where it was stopped.

    jobs           pieces at a time, each on `threads` threads
    limit_minutes  of this call; then it stops, between pieces or inside them
    measure        only measure how long a step of each variant takes, where that is not known
    others         variant -> the command that makes its pieces of pretraining as piece.py does, instead of ours
    Raises TryAgainError where another process makes the same study.
    """
    for folder in ("results", "speeds"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    with open(out / "lock", "a+") as lock, stop_on_signal() as stop:
        _lock(lock, out)
        deadline = None if limit_minutes is None else time.perf_counter() + 60 * limit_minutes

        def is_over() -> bool:
            return bool(stop.signal) or (deadline is not None and time.perf_counter() >= deadline)

        unknown, commands = to_measure(study, out), others or {}

        def measurement() -> Running | None:
            if not unknown:
                return None
            order = speed_order(study, unknown.pop(0), out, corpus, threads)
            return _start(f"{order['variant']}, a step", order, commands)

        errors = _work(measurement, jobs, is_over, tell, (0, len(unknown)))
        left, total = list(waiting(study, out)), len(pieces_of(study))

        def piece() -> Running | None:
            if (one := _next(left, out)) is None:
                return None
            order = order_of(study, one, out, corpus, threads)
            return _start(str(one), order, commands if one.task is None else {})

        if not errors and not measure:
            errors = _work(piece, jobs, is_over, tell, (total - len(left), total))
        if is_over():
            tell(f"stopped; {len(list(waiting(study, out)))} of {total} pieces to go, the same command continues")
            return stop.exit_code or STOPPED
    return int(errors > 0)


def _work(
    begin: Callable[[], Running | None], jobs: int, is_over: Callable[[], bool], tell: Tell, counts: tuple[int, int]
) -> int:
    """Keep so many processes at work until `begin` has no more or it is over; how many ended with an error.

    counts   how many were done before, and of how many
    """
    running, errors, (done, total) = list[Running](), 0, counts
    try:
        while not is_over():
            while len(running) < jobs and (one := begin()) is not None:
                running.append(one)
            if not running:  # all is done, or what is left waits for runs that failed
                break
            time.sleep(0.02)
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                one.ask_to_stop()  # it has ended: this closes our end of its input
                done += 1
                errors += not _is_well(one, f"[{done}/{total}]", tell)
    finally:
        for one in running:
            one.ask_to_stop()
        for one in running:
            one.process.wait()
    return errors


def _lock(file: IO[str], out: Path) -> None:
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TryAgainError(
                f"another process makes the study in {out}; wait for it or take another folder"
            ) from None


def _next(left: list[Piece], out: Path) -> Piece | None:
    """Take the first piece that can be begun: a fine-tuning when its run is done and did not fail."""
    for piece in list(left):
        if piece.task is None:
            left.remove(piece)
            return piece
        run = result_file(out, piece.run_name)
        if run.is_file():
            left.remove(piece)
            if "failed" not in read_json_object(run):
                return piece
    return None


def _start(told: str, order: Mapping[str, Any], others: Mapping[str, Sequence[str]]) -> Running:
    folder = Path(order["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": str(order["threads"])}
    command = others.get(order["variant"], [sys.executable, "-m", "electra.study.piece"])
    with open(folder / "log.txt", "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment,
            process_group=0 if os.name == "posix" else None,  # Ctrl-C is for the study, which asks its pieces
        )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.flush()
    return Running(told, Path(order["result"]), process, folder / "log.txt")


def _is_well(one: Running, count: str, tell: Tell) -> bool:
    """Say how a process ended; whether it ended well."""
    code = one.process.returncode
    if code or not one.result.is_file():
        lines = one.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LINES:]
        tell(f"{one.told}: ended with {code}; the end of {one.log}:\n  " + "\n  ".join(lines))
        return False
    seconds = time.perf_counter() - one.started
    tell(f"{count} {one.told}: {in_short(read_json_object(one.result))} ({clock(seconds)})")
    return True


def in_short(result: dict[str, Any]) -> str:
    """What a piece reached, in a few words."""
    if "failed" in result:
        return f"failed: {result['failed'].splitlines()[0]}"
    if result["task"] == SPEED:
        return f"{1000 * result['step_seconds']:.2f} ms in {result['machine']['precision']}"
    if result["task"] is not None:
        found = result["spread"].get(result["measure"])
        return "all seeds failed" if found is None else f"{result['measure']} {found['median']:.4f}"
    last = result["evaluations"][-1] if result["evaluations"] else {}
    shown = [f"{key} {last[key]:.4f}" for key in ("roc_auc", "mlm_loss") if key in last]
    return ", ".join([f"{result['steps']:,} steps, {result['seconds']:.0f} s", *shown])
