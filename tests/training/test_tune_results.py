"""What results.json says of several seeds, and how it is told: the median, the baseline, seeds that went wrong, the choice."""

import pytest
from small_tuning import data_of, encoder_of, settings_of

from electra.training.finetune import make_plan
from electra.training.tune_files import PREDICTIONS, write_lines
from electra.training.tune_results import chosen_told, summarise, told


@pytest.fixture(scope="module")
def summary_of(tokenizer, tmp_path_factory):
    """A summary of seeds by what they answered: shares of the truth's distance from its mean, or labels."""

    def make(kind, answers, dev=60):
        data, run = data_of(kind, dev=dev), tmp_path_factory.mktemp("seeds")
        plan = make_plan(data, encoder_of(tokenizer), settings_of(seeds=len(answers)), "torch")
        results = []
        for seed, answer in enumerate(answers):
            if isinstance(answer, str):
                results.append({"seed": seed, "failed": answer})
                continue
            predictions = [answer(example) | {"id": example.id} for example in data.dev]
            (run / f"seed-{seed}" / "kept").mkdir(parents=True)
            write_lines(run / f"seed-{seed}" / "kept" / PREDICTIONS, predictions)
            scores = data.kind.scores(data.dev, predictions, data.labels)
            results.append({"seed": seed, "scores": scores, "step": 9, "seconds": 1.0})
        return summarise(run, plan, data, results, "random weights")

    return make


def right_in(share):
    """Labels of which so many are right, whatever the truth."""
    return lambda example: named(example.label if int(example.id) < 60 * share else other(example.label))


def named(label):
    return {"label": label, "probabilities": {name: float(name == label) for name in ("other", "place")}}


def other(label):
    return {"place": "other", "other": "place"}[label]


def number(noise):
    """The truth with another number beside it, in turn above and below."""
    return lambda example: {"value": example.label + noise * (-1) ** int(example.id)}


def test_a_seed_far_behind_is_named_in_the_results_and_told(summary_of):
    summary = summary_of("regression", [number(0.1), number(40.0), number(0.2)])
    assert summary["far_behind"] == [1]
    assert summary["collapsed"] == []
    assert summary["seeds"]["0"]["far_behind"] is None
    (line,) = [line for line in told(summary) if line.startswith("seed 1")]
    assert line.startswith("seed 1 is far behind: pearson 0.")
    assert "where the median of the others is 0.99" in line


def test_a_seed_that_collapsed_is_not_called_far_behind_too(summary_of):
    constant = lambda example: named("other")  # noqa: E731
    summary = summary_of("classification", [right_in(1.0), constant, right_in(0.95)])
    assert (summary["collapsed"], summary["far_behind"]) == ([1], [])


def test_a_correlation_has_no_baseline_and_the_error_has_one(summary_of):
    lines = told(summary_of("regression", [number(0.1)]))
    assert lines[0].endswith("(one seed: how much another would differ is unknown)")
    assert lines[1].startswith("always the mean of train: mse 27.")
    assert lines[1].endswith(" (a constant answer has no pearson)")


@pytest.mark.parametrize(
    ("kind", "answer", "line"),
    [
        ("classification", right_in(1.0), "always the most frequent label of train: accuracy 0."),
        ("tagging", lambda e: {"tags": list(e.tags)}, "always the most frequent tag of train: f1 0.0000"),
        ("answering", lambda e: {"answer": "old"}, "always no answer: f1 0.0000"),
        ("choice", lambda e: {"label": e.label}, "always the most frequent number of train: accuracy 0."),
        ("multi-label", lambda e: {"labels": list(e.label)}, "always the most frequent set of labels of train: f1_micro 0."),
    ],
)  # fmt: skip
def test_the_constant_answer_is_called_what_it_is(summary_of, kind, answer, line):
    assert told(summary_of(kind, [answer]))[1].startswith(line)


CHOICES = {
    "one seed": ([0.8], "the model is that of seed 0 (accuracy 0.8000)"),
    "one is left": (["it diverged", 0.8], "the model is that of seed 1, the only one that did not fail (accuracy 0.8000)"),
    "all alike": ([0.8] * 3, "the model is that of seed 0, the first: all 3 have accuracy 0.8000 on dev"),
    "both alike": ([0.8] * 2, "the model is that of seed 0, the first: both have accuracy 0.8000 on dev"),
    "the median": (
        [0.7, 0.8, 0.8],
        "the model is that of seed 1, the best on dev (accuracy 0.8000): the median is as high, so its score is hardly "
        "flattered by the choice",
    ),
    "above the median": (
        [0.7, 0.8, 0.9],
        "the model is that of seed 2, the best on dev (accuracy 0.9000): chosen by that score, which flatters it; on other "
        "examples expect less, nearer the median, 0.8000",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("shares", "words"), CHOICES.values(), ids=CHOICES)
def test_what_the_chosen_model_s_score_is_worth_is_said_as_it_is(summary_of, shares, words):
    answers = [share if isinstance(share, str) else right_in(share) for share in shares]
    assert chosen_told(summary_of("classification", answers)) == words
