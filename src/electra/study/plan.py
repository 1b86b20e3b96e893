"""What a study is going to run, and how long it will take, in lines of text."""

from collections import Counter
from pathlib import Path

from electra.study.contents import Study
from electra.study.pieces import pieces_of, results_of, waiting
from electra.study.times import times_of
from electra.training.panel import clock


def plan_of(study: Study, out: Path, corpus: Path, *, jobs: int, threads: int) -> list[str]:
    """A line for the runs of each variant and budget, one for each task, and the sum."""
    seconds = times_of(study, out, corpus, threads=threads)
    left = [piece.name for piece in waiting(study, out)]
    each: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for piece in pieces_of(study):
        what = piece.task or f"pretraining, {piece.variant}, {piece.budget}"
        each[what] += round(seconds[piece.name])
        count[what] += 1
    runs_first = sorted(each, key=lambda what: what in study.tasks)
    lines = [study.title, *(f"  {count[what]} x {what}: {clock(each[what])}" for what in runs_first)]
    total, rest = sum(seconds.values()), sum(seconds[name] for name in left)
    told = "measured on pieces that are done" if results_of(study, out) else "from a short measurement"
    return [
        *lines,
        f"{len(seconds)} pieces of {clock(total)} in all; {len(left)} to go, {clock(rest)} one after another, about "
        f"{clock(rest / jobs)} with {jobs} at a time on {threads} thread{'s' * (threads != 1)} each ({told})",
    ]
