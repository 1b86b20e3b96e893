"""Scores with what chance does to them: intervals over examples, and the comparison of two fine-tunings.

Unusual here: no text or sentence is read again for a resample; what a measure is made of is counted once for each example
(see tasks/judged.py). And a model without a mistake gets no interval from 1 to 1: resamples of right answers alone cannot
tell how many wrong ones there may be.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from electra.config import read_json_object
from electra.errors import DataError, UsageError, did_you_mean
from electra.tasks.judged import Judged, judged
from electra.tasks.statistics import (
    Difference,
    Measure,
    SeedTest,
    Spread,
    bootstrap,
    bootstrap_difference,
    compare_seeds,
    spread,
    wilson,
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

# kind -> the measures that are a share of examples, each of them right or wrong whatever the others are
SHARES = {
    "classification": ("accuracy",),
    "choice": ("accuracy",),
    "multi-label": ("subset_accuracy",),
    "answering": ("exact", "has_answer_exact", "no_answer_exact", "no_answer_f1"),
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A score with its interval of 95% over the examples.

    low, high   None where all resamples score the same, as they do without a mistake: they cannot tell
    method      wilson: of a share of examples answered rightly; bootstrap: of any other measure, percentiles of resamples
    resamples   how many; none of Wilson's
    """

    value: float
    low: float | None
    high: float | None
    method: Literal["wilson", "bootstrap"]
    resamples: int


def measured(
    kind: Kind, examples: Sequence[Example], predictions: Sequence[Prediction], labels: tuple[str, ...], name: str
) -> Measured:
    """A score of `kind.scores` with its interval. All truths must be known."""
    held, everything = _judged(kind, examples, predictions, labels, name), np.arange(len(examples))
    if name in SHARES.get(kind.name, ()):
        count = int(np.isfinite(held.data.reshape(len(examples), -1)[:, 0]).sum())  # NaN: it does not count
        share = wilson(round(held.over(everything) * count), count)
        return Measured(value=share.value, low=share.low, high=share.high, method="wilson", resamples=0)
    resamples = _affordable(lambda: held.over(everything))
    found = bootstrap(held.over, len(examples), resamples=resamples)
    tells = found.high - found.low > 1e-12  # sums in another order differ by less
    low, high = (found.low, found.high) if tells else (None, None)
    return Measured(value=found.value, low=low, high=high, method="bootstrap", resamples=resamples)


def measured_difference(
    kind: Kind,
    examples: Sequence[Example],
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    labels: tuple[str, ...],
    name: str,
) -> Difference:
    """A score of `kind.scores`, first minus second, with its interval over the examples. All truths must be known."""
    ours, theirs = (_judged(kind, examples, predictions, labels, name).over for predictions in (first, second))
    everything = np.arange(len(examples))
    resamples = _affordable(lambda: (ours(everything), theirs(everything)))
    return bootstrap_difference(ours, theirs, len(examples), resamples=resamples)


def _judged(
    kind: Kind, examples: Sequence[Example], predictions: Sequence[Prediction], labels: tuple[str, ...], name: str
) -> Judged:
    held = judged(kind, name, examples, predictions, labels)
    if held is None:
        raise UsageError(f'{kind.name} has no measure "{name}"')
    return held


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
    runs = [_Run(first), _Run(second)]
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


def compare_many(firsts: Sequence[Path], seconds: Sequence[Path], measure: str) -> Difference:
    """The mean over all seeds of several runs minus that of others, with its interval over the dev examples all were judged on.

    Raises DataError where a run is not finished, or was judged on other examples.
    """
    runs = {path: _Run(path) for path in (*firsts, *seconds)}
    one = runs[firsts[0]]
    for path, run in runs.items():
        if run.fingerprint != one.fingerprint or run.kind_name != one.kind_name:
            raise DataError(
                f"{path} was judged on other dev examples than {firsts[0]}: their scores cannot be compared"
            )
    ours, theirs = ([runs[path].measure(measure) for path in paths] for paths in (firsts, seconds))
    count = len(one.examples)

    def mean_of(measures: Sequence[Measure]) -> Measure:
        return lambda rows: float(np.mean([each(rows) for each in measures]))

    resamples = _affordable(lambda: (mean_of(ours)(np.arange(count)), mean_of(theirs)(np.arange(count))))
    return bootstrap_difference(mean_of(ours), mean_of(theirs), count, resamples=resamples)


class _Run:
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
            _judged(purpose.kind, self.examples, list(read_lines(self._predictions(seed))), purpose.labels, name)
            for seed in self.scores(name)
        ]
        return lambda rows: float(np.mean([held.over(rows) for held in each]))

    def _predictions(self, seed: int) -> Path:
        return self.run / f"seed-{seed}" / "kept" / PREDICTIONS


def told(comparison: Comparison, names: Mapping[str, str]) -> list[str]:
    """The comparison in words. names: what "first" and "second" are called."""
    c = comparison
    lines = [
        f"{names[key]}: {c.measure} {s.median:.4f}, "
        + (f"median of {s.count} seeds, {s.lowest:.4f} to {s.highest:.4f}" if s.count > 1 else "one seed")
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
