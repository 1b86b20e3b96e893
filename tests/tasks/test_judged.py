"""A measure in the cheap form equals the kind's own score, over all examples, over resamples and over mixed answers."""

import numpy as np
import pytest

from electra.tasks.answering import Answering
from electra.tasks.choice import Choice
from electra.tasks.classification import Classification, MultiLabel, Regression
from electra.tasks.judged import judged
from electra.tasks.statistics import bootstrap_difference, randomisation
from electra.tasks.tagging import Tagging
from electra.tasks.task import Answer, ChoiceExample, QuestionExample, TaggedExample, TextExample

N = 40
NAMES = ("a", "b", "c")
TAGS = ("B-X", "B-Y", "I-X", "I-Y", "O")
ANSWERS = ("The old mill", "mill", "the", "")


def text(label):
    return TextExample(id="", text="", label=label)


def labelled(rng, names):
    shares = rng.dirichlet(np.ones(len(names)))
    return {"label": names[int(shares.argmax())], "probabilities": dict(zip(names, shares, strict=True))}


def tags(rng, known):
    return [known[i] for i in rng.integers(0, len(known), 6)]


def question(rng, share):
    """A question whose answer is one of three, some of them without words; none for a share of them."""
    answers = () if rng.random() < share else (Answer(text=ANSWERS[rng.integers(3)], start=0),)
    return QuestionExample(id="", question="", context="", answers=answers)


def sets(rng):
    return [name for name in NAMES if rng.random() < 0.4]


# kind, labels, an example, a prediction
CASES = {
    "two classes": (
        Classification(),
        NAMES[:2],
        lambda r: text(NAMES[r.integers(2)]),
        lambda r: labelled(r, NAMES[:2]),
    ),
    "three classes": (Classification(), NAMES, lambda r: text(NAMES[r.integers(3)]), lambda r: labelled(r, NAMES)),
    "several labels": (MultiLabel(), NAMES, lambda r: text(tuple(sets(r))), lambda r: {"labels": sets(r)}),
    "numbers": (Regression(), ("value",), lambda r: text(float(r.normal())), lambda r: {"value": r.normal()}),
    "choices": (
        Choice(),
        ("0", "1"),
        lambda r: ChoiceExample(id="", prompt="", choices=("a", "b"), label=int(r.integers(2))),
        lambda r: {"label": int(r.integers(2))},
    ),
    "entities": (
        Tagging(),
        TAGS,
        lambda r: TaggedExample(id="", words=("w",) * 6, tags=tuple(tags(r, TAGS))),
        lambda r: {"tags": tags(r, TAGS)},
    ),
    "answers": (
        Answering(),
        ("answer",),
        lambda r: question(r, 0.0),
        lambda r: {"answer": ANSWERS[r.integers(4)]},
    ),
    "answers or none": (
        Answering(),
        ("answer", "no answer"),
        lambda r: question(r, 0.3),
        lambda r: {"answer": ANSWERS[r.integers(4)]},
    ),
    "plain tags": (
        Tagging(),
        NAMES,
        lambda r: TaggedExample(id="", words=("w",) * 6, tags=tuple(tags(r, NAMES))),
        lambda r: {"tags": tags(r, NAMES)},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_equals_the_kinds_own_score(case):
    kind, labels, example, prediction = case
    rng = np.random.default_rng(0)
    examples, first, second = ([make(rng) for _ in range(N)] for make in (example, prediction, prediction))
    rows, swap = rng.integers(0, N, N), rng.random(N) < 0.5
    mixed = [b if other else a for a, b, other in zip(first, second, swap, strict=True)]
    scores = kind.scores(examples, first, labels)
    resampled = kind.scores([examples[i] for i in rows], [first[i] for i in rows], labels)
    for name, value in scores.items():
        one, other = (judged(kind, name, examples, answers, labels) for answers in (first, second))
        assert one.over(np.arange(N)) == pytest.approx(value, abs=1e-12)
        assert one.over(rows) == pytest.approx(resampled[name], abs=1e-12)
        assert one.mixed_with(other)(swap) == pytest.approx(kind.scores(examples, mixed, labels)[name], abs=1e-12)


def test_examples_whose_truth_is_not_known_are_left_out_and_tests_take_it_as_it_is():
    rng = np.random.default_rng(1)
    examples = [text(NAMES[i % 2]) for i in range(N)] + [text(None)]
    good = [{"label": e.label or "a"} for e in examples]
    random = [labelled(rng, NAMES[:2]) for _ in examples]
    one, other = (judged(Classification(), "accuracy", examples, answers, NAMES[:2]) for answers in (good, random))
    assert len(one.data) == N
    assert bootstrap_difference(one.over, other.over, N, resamples=200).p < 0.02
    assert randomisation(one.mixed_with(other), N, rounds=200) < 0.02
    assert judged(Classification(), "exact", examples, good, NAMES[:2]) is None
