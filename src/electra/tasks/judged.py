"""A measure of predictions in a form that is cheap to take again over other examples, for bootstrap and randomisation.

What a measure needs of each example is worked out once: counts of a class (right, answered, in the truth), or the numbers
themselves. Then the measure over a resample is a sum or two, where scoring it anew would read every sentence's spans again.

Shapes: n examples whose truth is known, N classes, labels or types of entities.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electra.tasks import metrics
from electra.tasks.answers import evaluate_v1, raw_scores
from electra.tasks.check import truth as truth_of
from electra.tasks.labels import names_of
from electra.tasks.tagging import Tagging
from electra.tasks.task import Array, Example, Kind, Prediction, QuestionExample


@dataclass(frozen=True)
class Judged:
    """data (n, ...): what the measure needs of each example. measure: of any such rows."""

    data: Array
    measure: Callable[[Array], float]

    def over(self, rows: Array) -> float:
        """The measure over examples by number, some of them repeated: what `statistics.bootstrap` asks for."""
        return self.measure(self.data[rows])

    def mixed_with(self, other: "Judged") -> Callable[[Array], float]:
        """The measure of this system's answers where a row (n,) is False, of the other's where it is True."""

        def score(takes_other: Array) -> float:
            chosen = takes_other.reshape(-1, *[1] * (self.data.ndim - 1))
            return self.measure(np.where(chosen, other.data, self.data))

        return score


def judged(
    kind: Kind,
    measure: str,
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    labels: tuple[str, ...],
) -> Judged | None:
    """A score of `kind.scores` in that form; None for measures that have none here.

    Two systems that are to be compared need the same examples and labels.
    """
    pairs = [(example, prediction) for example, prediction in zip(examples, predictions, strict=True)]
    known = [(truth, p, example) for example, p in pairs if (truth := truth_of(example)) is not None]
    if kind.name == "regression":
        numbers = np.array([(float(truth), p["value"]) for truth, p, _ in known], np.float64).reshape(-1, 2)
        return Judged(numbers, lambda rows: NUMBERS[measure](rows[:, 0], rows[:, 1])) if measure in NUMBERS else None
    if kind.name == "classification" and measure == "roc_auc":
        ranked = [(p["probabilities"][labels[1]], str(truth) == labels[1]) for truth, p, _ in known]
        return Judged(
            np.array(ranked, np.float64).reshape(-1, 2), lambda rows: metrics.roc_auc(rows[:, 0], rows[:, 1] > 0)
        )
    if kind.name in ("classification", "choice"):
        counts = _counts([((str(truth),), (str(p["label"]),)) for truth, p, _ in known], labels)
        return _of_counts(counts, measure, positive=labels.index(labels[-1]), all_classes=False)
    if kind.name == "multi-label":
        sets = [(names_of(truth), tuple(p["labels"])) for truth, p, _ in known]
        if measure == "subset_accuracy":
            return Judged(np.array([set(a) == set(b) for a, b in sets], np.float64), lambda rows: float(rows.mean()))
        return _of_counts(_counts(sets, labels), measure, positive=None, all_classes=True)
    if isinstance(kind, Tagging):
        return _of_tags(kind, measure, [(example, p) for _, p, example in known], labels)
    return _of_answers(measure, [(example, p) for _, p, example in known])  # type: ignore[misc]


NUMBERS: dict[str, Callable[[Array, Array], float]] = {
    "pearson": metrics.pearson,
    "spearman": metrics.spearman,
    "mse": metrics.mean_squared_error,
}


def _of_answers(measure: str, pairs: Sequence[tuple[QuestionExample, Prediction]]) -> Judged | None:
    """Means over questions, scored one by one; data (n,) is NaN for questions that do not count."""
    asked, _, name = measure.rpartition("_")  # no_answer_f1: of questions without an answer
    answers = {str(i): [answer.text for answer in example.answers or ()] for i, (example, _) in enumerate(pairs)}
    given = {str(i): prediction["answer"] for i, (_, prediction) in enumerate(pairs)}
    is_there = np.array([bool(texts) for texts in answers.values()])
    counts = {"": np.ones(len(pairs), bool), "has_answer": is_there, "no_answer": ~is_there}
    if name not in ("f1", "exact") or asked not in counts:
        return None
    if is_there.all():
        key = {"f1": "f1", "exact": "exact_match"}[name]
        values = [evaluate_v1({i: answers[i]}, given)[key] / 100 for i in answers]
    else:
        values = list(raw_scores(answers, given)[name].values())
    return Judged(np.where(counts[asked], values, np.nan), _mean_of_known)


def _mean_of_known(rows: Array) -> float:
    known = rows[~np.isnan(rows)]
    return float(known.mean()) if len(known) else float("nan")


def _of_tags(
    kind: Tagging, measure: str, pairs: Sequence[tuple[Example, Prediction]], labels: tuple[str, ...]
) -> Judged | None:
    learned = [(kind.learned(example), prediction["tags"]) for example, prediction in pairs]  # type: ignore[arg-type]
    if kind.has_spans(labels) and measure != "accuracy":
        found = [(kind.spans_of(truth), kind.spans_of(answer)) for truth, answer in learned]
        types = sorted({span[-1] for pair in found for side in pair for span in side} | {label[2:] for label in labels})
        return _of_counts(_counts(found, types, of=lambda span: span[-1]), measure, positive=None, all_classes=False)
    words = [[(i, tag) for i, tag in enumerate(side)] for pair in learned for side in pair]
    counts = _counts(list(zip(words[::2], words[1::2], strict=True)), labels, of=lambda word: word[1])
    name = "f1_macro" if measure == "f1_macro" else "accuracy"
    return _of_counts(counts, name, positive=None, all_classes=False)


def _counts(
    pairs: Sequence[tuple[Sequence[Any], Sequence[Any]]],
    classes: Sequence[str],
    of: Callable[[Any], str] = lambda thing: thing,
) -> Array:
    """(n, N, 3): things of a class that are in both truth and answer, in the answer, in the truth."""
    number = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((len(pairs), len(classes), 3), np.int32)
    for i, (truth, answer) in enumerate(pairs):
        there, answered = set(truth), set(answer)
        for column, things in enumerate((there & answered, answered, there)):
            for thing in things:
                counts[i, number[of(thing)], column] += 1
    return counts


def _of_counts(counts: Array, measure: str, *, positive: int | None, all_classes: bool) -> Judged | None:
    """all_classes: macro over all of them, not only over those in truth or answers."""

    def micro(rows: Array, index: int) -> float:
        return metrics.rates(*rows.sum((0, 1)))[index]

    def f1(rows: Array) -> float:
        if positive is None:
            return micro(rows, 2)
        return metrics.rates(*rows[:, positive].sum(0)).f1

    def f1_macro(rows: Array) -> float:
        right, answered, there = rows.sum(0).T
        present = answered + there
        kept = np.ones(len(present), bool) if all_classes else present > 0
        return float((2 * right[kept] / np.maximum(present[kept], 1)).mean()) if kept.any() else 0.0

    measures: dict[str, Callable[[Array], float]] = {
        "accuracy": lambda rows: micro(rows, 1),
        "precision": lambda rows: micro(rows, 0),
        "recall": lambda rows: micro(rows, 1),
        "f1_micro": lambda rows: micro(rows, 2),
        "f1": f1,
        "f1_macro": f1_macro,
        "matthews": lambda rows: metrics.matthews_of(*rows.sum(0).T),
    }
    return Judged(counts, measures[measure]) if measure in measures else None
