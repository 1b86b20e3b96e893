"""What a study is going to run, and how long it will take, in lines of text."""

from collections import Counter
from pathlib import Path

from electra.study.file import Study
from electra.study.pieces import pieces_of, results_of, waiting
from electra.study.times import times_of
from electra.training.panel import clock


def plan_of(study: Study, out: Path, corpus: Path, *, jobs: int, threads: int) -> list[str]:
    """The plan: a line for each variant and budget, and each task; then the sums."""
    seconds = times_of(study, out, corpus, threads=threads)
    left = [piece.name for piece in waiting(study, out)]
    each: Counter[tuple[str, str]] = Counter()
    count: Counter[tuple[str, str]] = Counter()
    for piece in pieces_of(study):
        key = (f"{piece.variant}, {piece.budget}", piece.task or "pretraining")
        each[key] += round(seconds[piece.name])
        count[key] += 1
    lines = [study.title]
    lines += [f"  {what}: {count[what, task]} x {task}, {clock(each[what, task])}" for what, task in each]
    total, rest = sum(seconds.values()), sum(seconds[name] for name in left)
    told = "measured on pieces that are done" if results_of(study, out) else "from a short measurement"
    return [
        *lines,
        f"{len(seconds)} pieces of {clock(total)} in all; {len(left)} to go, {clock(rest)} one after another, about "
        f"{clock(rest / jobs)} with {jobs} at a time on {threads} thread{'s' * (threads != 1)} each ({told})",
    ]
