"""Measures of classification, ranking and regression, defined on every edge, in NumPy.

Numbers are scikit-learn's and SciPy's. Where those warn that a measure is undefined and answer 0 (F1 of a class nobody has,
Matthews of a constant), the answer here is 0.0 without a warning; where SciPy answers NaN (a correlation with a constant)
it is 0.0 too, since what is always the same tells nothing. Of no examples every measure is 0.0.

Unusual here: there is no averaging over a list of classes the caller must know. Classes are those of truth or answers.
Shapes: B examples, N classes or labels.
"""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Labels = Sequence[Hashable] | Array


class Rates(NamedTuple):
    """Precision, recall and F1, and how many the truth has of what they are of."""

    precision: float
    recall: float
    f1: float
    support: int


# -- labels -----------------------------------------------------------------------------------------------------------


def accuracy(truth: Labels, predicted: Labels) -> float:
    """The share of examples answered as the truth has it."""
    rows, columns, _ = _numbered(truth, predicted)
    return float((rows == columns).mean()) if len(rows) else 0.0


def confusion(truth: Labels, predicted: Labels, labels: Sequence[Hashable]) -> Array:
    """How often a class of the truth (row) was answered as a class (column), in the order of `labels`: (N, N) int64.

    Raises ValueError on a class that `labels` does not have.
    """
    number = {label: i for i, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)), np.int64)
    try:
        pairs = [(number[t], number[p]) for t, p in zip(_plain(truth), _plain(predicted), strict=True)]
    except KeyError as error:
        raise ValueError(f"class {error.args[0]!r} is not among {list(labels)}") from None
    np.add.at(table, tuple(np.array(pairs, np.int64).reshape(-1, 2).T), 1)
    return table


def matthews(truth: Labels, predicted: Labels) -> float:
    """The Matthews correlation of two or more classes, -1 to 1; 0.0 where truth or answers are one class only."""
    rows, columns, labels = _numbered(truth, predicted)
    right, answered, there = _counts(rows, columns, len(labels))
    return matthews_of(right, answered, there)


def matthews_of(right: Array, answered: Array, there: Array) -> float:
    """The Matthews correlation from counts of each class (N,): answered rightly, answered, in the truth."""
    total, answered, there = float(there.sum()), answered.astype(np.float64), there.astype(np.float64)
    spread = (total**2 - there @ there) * (total**2 - answered @ answered)
    return float((right.sum() * total - there @ answered) / np.sqrt(spread)) if spread > 0 else 0.0


def per_class(truth: Labels, predicted: Labels) -> dict[Hashable, Rates]:
    """Precision, recall and F1 of each class of truth or answers."""
    rows, columns, labels = _numbered(truth, predicted)
    right, answered, there = _counts(rows, columns, len(labels))
    return {label: rates(right[i], answered[i], there[i]) for i, label in enumerate(labels)}


def f1_of(truth: Labels, predicted: Labels, positive: Hashable) -> float:
    """The F1 of one class, such as "1"; 0.0 where neither truth nor answers have it."""
    found = per_class(truth, predicted).get(positive)
    return found.f1 if found else 0.0


def macro(of: dict[Any, Rates]) -> Rates:
    """The plain mean over classes, and their supports together."""
    if not of:
        return Rates(0.0, 0.0, 0.0, 0)
    precision, recall, f1, support = zip(*of.values(), strict=True)
    return Rates(float(np.mean(precision)), float(np.mean(recall)), float(np.mean(f1)), int(sum(support)))


def f1_macro(truth: Labels, predicted: Labels) -> float:
    """The mean of the classes' F1: rare classes count as much as frequent ones."""
    return macro(per_class(truth, predicted)).f1


def f1_micro(truth: Labels, predicted: Labels) -> float:
    """F1 over all decisions together: with one label an example, the accuracy."""
    return accuracy(truth, predicted)


def rates(right: float, answered: float, there: float) -> Rates:
    """From counts: what is both answered and true, what is answered, what is true. Nothing over nothing is 0.0."""
    return Rates(
        precision=float(right / answered) if answered else 0.0,
        recall=float(right / there) if there else 0.0,
        f1=float(2 * right / (answered + there)) if answered + there else 0.0,
        support=int(there),
    )


# -- several labels an example: (B, N) bool -----------------------------------------------------------------------------


def per_label(truth: Array, predicted: Array) -> dict[int, Rates]:
    """Precision, recall and F1 of each label, by its column."""
    truth, predicted = np.asarray(truth, bool), np.asarray(predicted, bool)
    counts = zip((truth & predicted).sum(0), predicted.sum(0), truth.sum(0), strict=True)
    return {i: rates(*column) for i, column in enumerate(counts)}


def micro_rates(truth: Array, predicted: Array) -> Rates:
    """Precision, recall and F1 over all labels of all examples together."""
    truth, predicted = np.asarray(truth, bool), np.asarray(predicted, bool)
    return rates((truth & predicted).sum(), predicted.sum(), truth.sum())


def subset_accuracy(truth: Array, predicted: Array) -> float:
    """The share of examples with exactly the labels of the truth."""
    return float((np.asarray(truth, bool) == np.asarray(predicted, bool)).all(1).mean()) if len(truth) else 0.0


# -- numbers: (B,) ------------------------------------------------------------------------------------------------------


def pearson(truth: Array, predicted: Array) -> float:
    """The linear correlation; 0.0 where either side is constant, or there are fewer than two examples."""
    sides = [np.asarray(values, np.float64) for values in (truth, predicted)]
    if len(sides[0]) < 2 or any((side == side[0]).all() for side in sides):
        return 0.0
    # Scaled before they are squared, so that tiny and huge numbers neither vanish nor overflow.
    scaled = [side / np.abs(side).max() for side in sides]
    centred = [side - side.mean() for side in scaled]
    first, second = (side / np.linalg.norm(side) for side in centred)
    return float(np.clip(first @ second, -1.0, 1.0))


def spearman(truth: Array, predicted: Array) -> float:
    """The correlation of the ranks, ties sharing their mean rank; 0.0 as for `pearson`."""
    return pearson(ranks(truth), ranks(predicted))


def mean_squared_error(truth: Array, predicted: Array) -> float:
    """In the square of the values' own unit."""
    errors = np.asarray(truth, np.float64) - np.asarray(predicted, np.float64)
    return float((errors**2).mean()) if len(errors) else 0.0


def ranks(values: Array) -> Array:
    """From 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: Array = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return shared


def roc_auc(scores: Array, labels: Array) -> float:
    """The chance that a positive example scores above a negative one, ties half; NaN where one kind is absent.

    scores (B,), labels (B,) bool.
    """
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return float("nan")
    return float((ranks(scores)[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


# -- helpers ------------------------------------------------------------------------------------------------------------


def _plain(labels: Labels) -> Sequence[Hashable]:
    return labels.tolist() if isinstance(labels, np.ndarray) else labels


def _counts(rows: Array, columns: Array, classes: int) -> list[Array]:
    """Of each class (N,): answered rightly, answered, in the truth."""
    return [np.bincount(values, minlength=classes) for values in (rows[rows == columns], columns, rows)]


def _numbered(truth: Labels, predicted: Labels) -> tuple[Array, Array, list[Hashable]]:
    """Both as numbers into the list of classes, which is in order of appearance."""
    truth, predicted = _plain(truth), _plain(predicted)
    if len(truth) != len(predicted):
        raise ValueError(f"{len(truth)} labels of the truth and {len(predicted)} answers, expected as many of both")
    number: dict[Hashable, int] = {}
    rows, columns = (
        np.array([number.setdefault(label, len(number)) for label in side], np.int64) for side in (truth, predicted)
    )
    return rows, columns, list(number)
