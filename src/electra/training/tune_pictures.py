"""What the chosen model of a fine-tuning answers on dev, as pictures: what is mixed up, each label, how sure it is, numbers.

Kinds without classes have no matrix, kinds without probabilities no diagram: a picture is drawn where it means something.
"""

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from math import exp
from typing import Any

import numpy as np

from electra.tasks.answers import raw_scores
from electra.tasks.labels import names_of
from electra.tasks.task import Example, Kind, Prediction
from electra.training.chart import line_chart

MOST_LABELS = 20  # that are shown; of more, the most frequent
TENTHS = 10  # groups of answers by their probability
LEAST = 5  # answers of such a group

Pairs = Counter[tuple[str, str]]  # (truth, answer)


def pictures(kind: Kind, examples: Sequence[Example], predictions: Sequence[Prediction]) -> str:
    """The sections of the page; "" where nothing of an answer can be drawn."""
    given = list(zip(examples, predictions, strict=True))
    pairs: Pairs = Counter(pair for example, prediction in given for pair in _pairs(kind, example, prediction))
    drawn = [
        _matrix(pairs),
        _labels(_marks(kind, given, pairs)),
        _sureness(_probabilities(kind, given)),
        _numbers(kind, given),
    ]
    return f'<div class="charts">{"".join(drawn)}</div>' if any(drawn) else ""


# -- classes ------------------------------------------------------------------------------------------------------------


def _pairs(kind: Any, example: Any, prediction: Prediction) -> Sequence[tuple[str, str]]:
    if "tags" in prediction:
        return [] if example.tags is None else list(zip(kind.learned(example), prediction["tags"], strict=True))
    label = getattr(example, "label", None)
    return [] if label is None or "label" not in prediction else [(str(label), str(prediction["label"]))]


def _matrix(pairs: Pairs) -> str:
    """Rows are the truth, columns the answers."""
    if not pairs:
        return ""
    counts: Counter[str] = Counter()
    for (truth, answer), count in pairs.items():
        counts[truth] += count
        counts[answer] += 0
    labels = [label for label, _ in counts.most_common(MOST_LABELS)]
    head = "<tr><th>truth \\ answer" + "".join(f"<th>{html.escape(label)}" for label in labels)
    rows = "".join(
        f"<tr><th>{html.escape(truth)}"
        + "".join(_cell(pairs[truth, answer], counts[truth] or 1, truth == answer) for answer in labels)
        for truth in labels
    )
    more = f" The {MOST_LABELS} most frequent of {len(counts)}." if len(counts) > MOST_LABELS else ""
    return _section(
        "What is mixed up",
        f"By the chosen model on dev; rows are the truth, columns the answers, darker where more of a row is.{more}",
        f'<table class="matrix">{head}{rows}</table>',
    )


def _cell(count: int, total: int, is_right: bool) -> str:
    if not count:
        return '<td class="none">0'
    tint = "caught" if is_right else "missed"
    return f'<td style="--tint: var(--{tint}); --share: {30 + 70 * count / total:.0f}%">{count:,}'


Marks = dict[str, tuple[int, int, int]]  # label -> answered rightly, answered, true


def _marks(kind: Kind, given: Sequence[tuple[Any, Prediction]], pairs: Pairs) -> Marks:
    right, answered, true = Counter[str](), Counter[str](), Counter[str]()
    for (truth, answer), count in pairs.items():
        true[truth] += count
        answered[answer] += count
        right[truth] += count * (truth == answer)
    if kind.name == "multi-label":
        for example, prediction in given:
            truths, answers = set(names_of(example.label)), set(prediction["labels"])
            true.update(truths)
            answered.update(answers)
            right.update(truths & answers)
    names = (name for name, _ in (true + answered).most_common())
    return {name: (right[name], answered[name], true[name]) for name in names if name != "O"}


def _labels(marks: Marks) -> str:
    if not marks:
        return ""
    shown = sorted(marks, key=lambda name: -marks[name][2])[:MOST_LABELS]
    rows = "".join(
        f"<tr><th>{html.escape(name)}{_bar(right, answered)}{_bar(right, true)}{_bar(2 * right, answered + true)}<td>{true:,}"
        for name, (right, answered, true) in ((name, marks[name]) for name in shown)
    )
    more = f" The {MOST_LABELS} most frequent of {len(marks)}." if len(marks) > MOST_LABELS else ""
    return _section(
        "Each label",
        "Precision: how many of its answers are right. Recall: how many of its examples get it. F1: between the two, nearer "
        f"the lower one.{more}",
        f'<table class="labels"><tr><th>label<th>precision<th>recall<th>F1<th>on dev{rows}</table>',
    )


def _bar(part: int, whole: int) -> str:
    return f'<td class="bar" style="--share: {100 * part / whole:.1f}%">{part / whole:.3f}' if whole else "<td>none"


# -- probabilities and numbers ------------------------------------------------------------------------------------------


def _probabilities(kind: Kind, given: Sequence[tuple[Any, Prediction]]) -> list[tuple[float, bool]]:
    """Of each answer, how probable it is said to be and whether it is right."""
    if kind.name in ("classification", "choice"):
        return [(p["score"], str(e.label) == str(p["label"])) for e, p in given if e.label is not None]
    if kind.name == "multi-label":
        return [(v, name in names_of(e.label)) for e, p in given for name, v in p["probabilities"].items()]
    if kind.name == "answering":
        return [(exp(p["score"]), bool(_is_exact(e, p))) for e, p in given if p["answer"] and p["score"] is not None]
    return []


def _is_exact(example: Any, prediction: Prediction) -> float:
    return float(raw_scores({"": [answer.text for answer in example.answers]}, {"": prediction["answer"]})["exact"][""])


def _sureness(answers: Sequence[tuple[float, bool]]) -> str:
    if not answers:
        return ""
    ordered = np.array(sorted(answers), float)
    groups = np.array_split(ordered, max(1, min(TENTHS, len(ordered) // LEAST)))
    points = [(float(group[:, 0].mean()), float(group[:, 1].mean())) for group in groups]
    error = sum(abs(mean - share) * len(g) for (mean, share), g in zip(points, groups, strict=True)) / len(ordered)
    drawn = line_chart(
        [("answers on dev", points)], title="Reliability diagram", unit="share that is right", x="probability it is given",
        level=("as sure as right", 0.0), square=(0.0, 1.0),
    )  # fmt: skip
    return _section(
        "Does it mean what it says?",
        f"{len(answers):,} answers in {len(points)} groups by the probability they are given: below the diagonal the model is "
        f"too sure. The mean distance from it is {error:.3f}.",
        drawn,
    )


def _numbers(kind: Kind, given: Iterable[tuple[Any, Prediction]]) -> str:
    """Answers over the truth, of a regression."""
    if kind.name != "regression":
        return ""
    points = [(float(e.label), float(p["value"])) for e, p in given if e.label is not None]
    values = [value for point in points for value in point]
    if not values or min(values) == max(values):
        return ""
    drawn = line_chart(
        [("dev examples", points)], title="Answers over the truth", unit="answer", x="truth", level=("right", 0.0),
        square=(min(values), max(values)), is_joined=False,
    )  # fmt: skip
    return _section("Answers over the truth", "By the chosen model on dev; on the dashed line they are right.", drawn)


def _section(title: str, text: str, drawn: str) -> str:
    return f'<section><h2>{title}</h2><p>{text}</p><div class="wide">{drawn}</div></section>'
