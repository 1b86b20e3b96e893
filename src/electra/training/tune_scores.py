"""Scores with what chance does to them: intervals over examples, and the comparison of two fine-tunings.

Unusual here: no text or sentence is read again for a resample. Answers to questions are scored one by one, since their
measures are means; of the others, what they are made of is counted once for each example (see tasks/judged.py).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electra.config import read_json_object
from electra.errors import DataError, UsageError, did_you_mean
from electra.tasks.judged import judged
from electra.tasks.statistics import (
    Difference,
    Interval,
    Measure,
    SeedTest,
    Spread,
    bootstrap,
    bootstrap_difference,
    compare_seeds,
    spread,
)
from electra.tasks.task import Example, Kind, Prediction
from electra.training.tune_files import (
    PREDICTIONS,
    RESULTS,
    examples_fingerprint,
    read_examples,
    read_lines,
    read_purpose,
)

RESAMPLES, FEWEST = 1000, 100
SECONDS = 20.0  # resampling takes about so long at most, by fewer resamples


def measure_of(
    kind: Kind, examples: Sequence[Example], predictions: Sequence[Prediction], labels: tuple[str, ...], name: str
) -> Measure:
    """One score as a function of which examples count, some of them repeatedly. All truths must be known."""
    held = judged(kind, name, examples, predictions, labels)
    if held is not None:
        return held.over
    # Answers to questions: the measures are means over questions, so each is scored once.
    each = [kind.scores([e], [p], labels).get(name, np.nan) for e, p in zip(examples, predictions, strict=True)]
    values = np.array(each, np.float64)
    return lambda rows: float(np.nanmean(values[rows]))


def interval_of(measure: Measure, count: int) -> tuple[Interval, int]:
    """The score with the interval of 95%, and over how many resamples it was taken."""
    resamples = _affordable(lambda: measure(np.arange(count)))
    return bootstrap(measure, count, resamples=resamples), resamples


def _affordable(once: Callable[[], Any]) -> int:
    started = time.perf_counter()
    once()
    seconds = time.perf_counter() - started
    return int(min(RESAMPLES, max(FEWEST, SECONDS / max(seconds, 1e-9))))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two fine-tunings on the same dev examples, in one measure: first minus second.

    examples   the mean over the seeds of each, and its interval over the examples
    seeds      a test over the seeds both have; None where they share none
    """

    measure: str
    first: Spread
    second: Spread
    examples: Difference
    resamples: int
    seeds: SeedTest | None
    paired: tuple[int, ...]


def compare_runs(first: Path, second: Path, measure: str | None = None) -> Comparison:
    """Compare two finished runs. Raises DataError where they were not judged on the same examples, by the same measure."""
    runs = [_Judged(first), _Judged(second)]
    one, other = runs
    if one.kind_name != other.kind_name or one.fingerprint != other.fingerprint:
        raise DataError(
            f"{first} was judged on {len(one.examples):,} dev examples ({one.task}, sha256 {one.fingerprint[:12]}), {second} on "
            f"{len(other.examples):,} ({other.task}, sha256 {other.fingerprint[:12]}): scores on different examples cannot be "
            "compared; fine-tune both with the same dev file"
        )
    name = measure or one.summary["measure"]
    known = [known for known in one.summary["spread"] if known in other.summary["spread"]]
    if name not in known:
        raise UsageError(f'there is no measure "{name}"{did_you_mean(name, known)}; both runs have {", ".join(known)}')
    ours, theirs, count = one.measure(name), other.measure(name), len(one.examples)
    resamples = _affordable(lambda: (ours(np.arange(count)), theirs(np.arange(count))))
    paired = tuple(sorted(one.scores(name).keys() & other.scores(name).keys()))
    return Comparison(
        measure=name,
        first=spread(list(one.scores(name).values())),
        second=spread(list(other.scores(name).values())),
        examples=bootstrap_difference(ours, theirs, count, resamples=resamples),
        resamples=resamples,
        seeds=compare_seeds(*([run.scores(name)[seed] for seed in paired] for run in runs)) if paired else None,
        paired=paired,
    )


class _Judged:
    """A finished run with what it was judged on."""

    def __init__(self, run: Path) -> None:
        if not (run / RESULTS).is_file():
            raise DataError(f"{run} has no {RESULTS}: expected the folder of a finished electra finetune")
        self.run, self.summary = run, read_json_object(run / RESULTS)
        self.kind_name, self.task = self.summary["kind"], self.summary["task"]
        if self.summary["chosen"] is None:
            raise DataError(f"the runs of all seeds of {run} failed; there is nothing to compare")
        self.examples = read_examples(run / "dev.jsonl", self.kind_name)
        self.fingerprint = examples_fingerprint(self.examples)

    def scores(self, name: str) -> dict[int, float]:
        """By seed, of the seeds that did not fail."""
        return {r["seed"]: r["scores"][name] for r in self.summary["seeds"].values() if "scores" in r}

    def measure(self, name: str) -> Measure:
        """The mean of a score over the seeds, as a function of the examples."""
        purpose = read_purpose(self.run / "model")
        each = [
            measure_of(purpose.kind, self.examples, list(read_lines(self._predictions(seed))), purpose.labels, name)
            for seed in self.scores(name)
        ]
        return lambda rows: float(np.mean([measure(rows) for measure in each]))

    def _predictions(self, seed: int) -> Path:
        return self.run / f"seed-{seed}" / "kept" / PREDICTIONS


def told(comparison: Comparison, names: Mapping[str, str]) -> list[str]:
    """The comparison in words. names: what "first" and "second" are called."""
    c = comparison
    lines = [
        f"{names[key]}: {c.measure} {s.median:.4f}, median of {s.count} seeds, {s.lowest:.4f} to {s.highest:.4f}"
        for key, s in (("first", c.first), ("second", c.second))
    ]
    e = c.examples
    verdict = "more than chance" if e.low > 0 or e.high < 0 else "no difference is shown"
    lines.append(
        f"difference of the means {e.value:+.4f}, 95% interval over the dev examples {e.low:+.4f} to {e.high:+.4f} "
        f"(p = {e.p:.2g}, {c.resamples} resamples): {verdict} over examples"
    )
    lines.append(
        f"over seeds: {c.seeds.words}" if c.seeds else "over seeds: the runs share none, so they cannot be paired"
    )
    return lines
