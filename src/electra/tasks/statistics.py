"""How far a score can be trusted: spread over seeds, intervals over examples, tests of two systems on the same examples.

Two sources of chance are kept apart. Over examples: another dev set would have given another score (bootstrap,
randomisation, McNemar). Over seeds: another run would have (a permutation test on runs paired by seed). A difference must
stand against both.

Unusual here: a test over seeds says what it cannot show. With three pairs of runs no p below 0.25 is possible.
Sources: Efron and Tibshirani (1993); Noreen (1989) for approximate randomisation; McNemar (1947), exact form; Wilson (1927).
Shapes: n examples, R resamples.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Measure = Callable[[Array], float]  # numbers of examples (n,), some repeated -> the measure over them

EXACT = 16  # pairs up to which all 2^n assignments of signs are tried
ROUNDED = 1e-12  # relative: differences that are equal but for rounding count as equal
BLOCK = 4_000_000  # random numbers drawn at once, which bounds memory


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A score over several seeds. `deviation` is the sample's (n - 1); None of one seed."""

    count: int
    median: float
    mean: float
    lowest: float
    highest: float
    deviation: float | None


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value and the interval that covers the true one with the confidence asked for."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Difference(Interval):
    """First minus second, its interval, and p: how often chance alone gives one as large, in either direction."""

    p: float


@dataclass(frozen=True, kw_only=True)
class SeedTest:
    """Of two systems over runs paired by seed: mean difference, p, the smallest p so many runs can reach, and in words."""

    difference: float
    p: float
    smallest_p: float
    words: str


# -- over seeds ---------------------------------------------------------------------------------------------------------


def spread(values: Sequence[float]) -> Spread:
    """Median, mean and spread. Raises ValueError of no values."""
    if not len(values):
        raise ValueError("there are no values to describe")
    held = np.asarray(values, np.float64)
    return Spread(
        count=len(held),
        median=float(np.median(held)),
        mean=float(held.mean()),
        lowest=float(held.min()),
        highest=float(held.max()),
        deviation=float(held.std(ddof=1)) if len(held) > 1 else None,
    )


def compare_seeds(first: Sequence[float], second: Sequence[float], *, level: float = 0.05) -> SeedTest:
    """A two-sided permutation test of the mean difference: under chance, each pair's difference may as well be reversed.

    first, second   scores of the same seeds, in the same order
    level           the p below which a difference is called one
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(
            f"{len(first)} scores and {len(second)}: runs are compared seed by seed, so give as many of both"
        )
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    n, p, smallest = len(differences), sign_flips(differences), min(1.0, 2.0 ** (1 - len(differences)))
    pairs = "1 pair" if n == 1 else f"{n} pairs"
    if smallest > level:
        needed = next(k for k in range(1, 64) if 2.0 ** (1 - k) <= level)
        words = (
            f"{pairs} of runs cannot show a difference: the smallest p they can reach is {smallest:.2g}; "
            f"run {needed} seeds or more"
        )
    elif p <= level:
        words = f"the difference over {pairs} of runs is more than chance (p = {p:.2g})"
    else:
        words = (
            f"no difference is shown by {pairs} of runs (p = {p:.2g}, the smallest they can reach is {smallest:.2g})"
        )
    return SeedTest(difference=float(differences.mean()), p=p, smallest_p=smallest, words=words)


# -- over examples ------------------------------------------------------------------------------------------------------


def wilson(right: int, count: int, *, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a share, `right` of `count` examples: it has a width where all are right, or none, too."""
    if not count:
        raise ValueError("there are no examples to take a share of")
    share, z = right / count, NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low, high = np.clip([middle - half, middle + half], [0, share], [share, 1])  # against rounding
    return Interval(value=share, low=float(low), high=float(high))


def bootstrap(
    measure: Measure, count: int, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
) -> Interval:
    """The percentile interval of any measure over `count` examples.

    measure   gets the numbers of the examples it is to be taken over: `lambda rows: f1(truth[rows], answers[rows])`
    Where every answer is right all resamples score the same, and the interval has no width: that tells nothing.
    """
    values = np.array([measure(rows) for rows in _resamples(count, resamples, seed)])
    return _interval(float(measure(np.arange(count))), values, confidence)


def bootstrap_difference(
    first: Measure, second: Measure, count: int, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
) -> Difference:
    """Of two systems on the same examples: both are measured on each resample.

    p is twice the share of resamples on the other side of zero, where those at zero count half.
    """
    values = np.array([first(rows) - second(rows) for rows in _resamples(count, resamples, seed)])
    everything = np.arange(count)
    found = _interval(float(first(everything) - second(everything)), values, confidence)
    below, above = ((sign * values > 0).sum() + (values == 0).sum() / 2 for sign in (-1, 1))
    return Difference(
        value=found.value, low=found.low, high=found.high, p=min(1.0, 2 * (min(below, above) + 1) / (resamples + 1))
    )


def randomisation(score: Measure, count: int, *, seed: int = 0, rounds: int = 1000) -> float:
    """p of the difference of two systems in any measure, by swapping their answers at random (approximate randomisation).

    score   gets (n,) booleans, and measures the answers of the first system where they are False, of the second where True
    """
    neither = np.zeros(count, bool)
    observed = abs(score(neither) - score(~neither))
    rng = np.random.default_rng(seed)
    as_large = 0
    for _ in range(rounds):
        swapped = rng.random(count) < 0.5
        as_large += abs(score(swapped) - score(~swapped)) >= observed * (1 - ROUNDED)
    return float((as_large + 1) / (rounds + 1))


def sign_flips(differences: Array, *, seed: int = 0, rounds: int = 10_000) -> float:
    """p of the mean of paired differences (n,), two-sided: exact up to 16 pairs that differ, else by random signs."""
    differences = np.asarray(differences, np.float64)
    differences = differences[differences != 0]  # reversing a zero changes nothing
    n = len(differences)
    if not n:
        return 1.0
    observed = abs(differences.sum()) * (1 - ROUNDED)
    if n <= EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ differences) >= observed).mean())
    rng = np.random.default_rng(seed)
    as_large, block = 0, max(1, BLOCK // n)
    for begin in range(0, rounds, block):
        signs = 1.0 - 2.0 * rng.integers(0, 2, (min(block, rounds - begin), n))
        as_large += int((np.abs(signs @ differences) >= observed).sum())
    return (as_large + 1) / (rounds + 1)


def mcnemar(first: Array, second: Array) -> float:
    """p of the difference of two accuracies on the same examples, exact: (n,) booleans, True where right."""
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    n, fewer = one + other, min(one, other)
    term = total = 1  # whole numbers of any size: n over k, and their sum
    for k in range(fewer):
        term = term * (n - k) // (k + 1)
        total += term
    return float(min(1.0, 2 * total / 2**n))


def _resamples(count: int, resamples: int, seed: int) -> Iterator[Array]:
    if not count:
        raise ValueError("there are no examples to draw from")
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield rng.integers(0, count, count)


def _interval(value: float, values: Array, confidence: float) -> Interval:
    low, high = np.nanquantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])  # ROC-AUC may lack a class
    return Interval(value=value, low=float(low), high=float(high))
