"""The interval of a score: with a width where it is a share of right answers, none where resamples cannot tell."""

import pytest

from electra.tasks.answering import Answering
from electra.tasks.choice import Choice
from electra.tasks.classification import Classification, MultiLabel
from electra.tasks.statistics import wilson
from electra.tasks.task import Answer, ChoiceExample, QuestionExample, TextExample
from electra.training.tune_scores import measured

TOPICS = ("a", "b")
CONTEXT = "Ann sleeps in Rome."


def texts(labels):
    return [TextExample(id="", text="", label=label) for label in labels]


def classes(labels):
    return [{"label": label, "probabilities": {name: float(name == label) for name in TOPICS}} for label in labels]


def questions(answered):
    right = (Answer(text="Rome", start=14),)
    return [
        QuestionExample(id="", question="", context=CONTEXT, answers=right if is_there else ()) for is_there in answered
    ]


TRUTH = list("ab" * 10)
WRONG = [*"ba", *TRUTH[2:]]
SHARES = {
    "accuracy": (Classification(), texts(TRUTH), classes(WRONG), TOPICS, "accuracy", (18, 20)),
    "without a mistake": (Classification(), texts(TRUTH), classes(TRUTH), TOPICS, "accuracy", (20, 20)),
    "nothing right": (Classification(), texts("a" * 9), classes("b" * 9), TOPICS, "accuracy", (0, 9)),
    "choices": (
        Choice(),
        [ChoiceExample(id="", prompt="", choices=("x", "y"), label=i % 2) for i in range(8)],
        [{"label": 0}] * 8,
        ("0", "1"),
        "accuracy",
        (4, 8),
    ),
    "sets of labels": (
        MultiLabel(), texts([("a",), ("a", "b"), ()]), [{"labels": ["a"]}] * 3, TOPICS, "subset_accuracy", (1, 3)
    ),
    "answers to the letter": (
        Answering(), questions([True] * 5), [{"answer": "Rome"}] * 4 + [{"answer": "in Rome"}], ("answer",), "exact", (4, 5)
    ),
    "of questions with an answer": (
        Answering(), questions([True, True, False]), [{"answer": "Rome"}, {"answer": ""}, {"answer": ""}],
        ("answer", "no answer"), "has_answer_exact", (1, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SHARES.values(), ids=SHARES)
def test_a_share_of_right_answers_has_wilsons_interval_and_the_kinds_own_value(case):
    kind, examples, predictions, labels, name, (right, count) = case
    found, expected = measured(kind, examples, predictions, labels, name), wilson(right, count)
    assert found.value == pytest.approx(kind.scores(examples, predictions, labels)[name])
    assert (found.low, found.high, found.method) == (expected.low, expected.high, "wilson")


def test_another_measure_has_the_bootstraps_and_none_where_no_resample_differs():
    found = measured(Classification(), texts(TRUTH), classes(WRONG), TOPICS, "f1")
    assert found.method == "bootstrap"
    assert found.low < found.value < found.high
    perfect = measured(Classification(), texts(TRUTH), classes(TRUTH), TOPICS, "f1")
    assert (perfect.value, perfect.low, perfect.high, perfect.resamples) == (1.0, None, None, 1000)
