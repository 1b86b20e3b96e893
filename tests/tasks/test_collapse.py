"""Runs that collapsed are found, and good ones are left alone."""

import numpy as np
import pytest

from electra.tasks.collapse import collapsed, far_behind
from electra.tasks.task import ChoiceExample, TaggedExample, TextExample


def texts(labels):
    return [TextExample(id=str(i), text="", label=label) for i, label in enumerate(labels)]


def answers(key, values):
    return [{"id": str(i), key: value} for i, value in enumerate(values)]


TRUTH = ["0", "1", "1", "0", "1"] * 40


def test_one_class_for_all_is_a_collapsed_run():
    words = collapsed(texts(TRUTH), answers("label", ["1"] * 199 + ["0"]))
    assert words.startswith(
        'it answers "1" for 199 of 200, where the truth has it for 120: the run collapsed; another seed'
    )


def test_answers_without_a_relation_to_the_truth_are_chance():
    words = collapsed(texts(TRUTH), answers("label", ["1", "1", "0", "1", "0"] * 40))
    assert words.startswith("its answers are no better than chance (Matthews correlation -0.667)")


@pytest.mark.parametrize(
    ("truth", "given"),
    [
        (TRUTH, ["0", "1", "1", "0", "0"] * 40),
        (["1"] * 50, ["1"] * 50),  # one class only is the truth
        (["0"] * 199 + ["1"], ["0"] * 199 + ["1"]),  # rare, and found
        ([None] * 5, ["1"] * 5),
        ([], []),
    ],
)
def test_other_runs_are_left_alone(truth, given):
    assert collapsed(texts(truth), answers("label", given)) is None


def test_no_label_for_any_text_is_a_collapsed_run():
    words = collapsed(texts([("a", "b"), ("a",), ()] * 20), answers("labels", [[]] * 60))
    assert words.startswith("it answers no label for 60 of 60, where the truth has it for 20")
    assert collapsed(texts([("a", "b"), ("c",)] * 5), answers("labels", [["b", "a"], ["c"]] * 5)) is None


def test_near_constant_numbers_are_a_collapsed_run():
    truth = np.linspace(0, 5, 50)
    words = collapsed(texts(truth.tolist()), answers("value", (2.5 + truth / 100).tolist()))
    assert words.startswith("it answers 2.5 to 2.55 for all 50, where the truth goes from 0 to 5: the run collapsed")
    assert collapsed(texts(truth.tolist()), answers("value", (-truth).tolist())).startswith("its answers are no better")
    assert collapsed(texts(truth.tolist()), answers("value", (truth / 2).tolist())) is None


def test_nothing_found_in_any_sentence_is_a_collapsed_run():
    examples = [TaggedExample(id=str(i), words=("a", "b"), tags=("O", "B-X")) for i in range(9)]
    assert "collapsed" in collapsed(examples, answers("tags", [["O", "O"]] * 9))
    assert collapsed(examples, answers("tags", [["O", "B-X"]] * 9)) is None


def test_always_the_same_choice_is_a_collapsed_run():
    examples = [ChoiceExample(id=str(i), prompt="", choices=("a", "b"), label=i % 2) for i in range(8)]
    assert "collapsed" in collapsed(examples, answers("label", [1] * 8))
    assert collapsed(examples, answers("label", [0, 1] * 4)) is None


@pytest.mark.parametrize(
    ("scores", "floor", "examples", "named"),
    [
        ([0.98, 0.13, 0.94], 0.0, 300, {1: 0.96}),
        ([0.86, 0.87, 0.56], 0.5, 300, {2: 0.865}),
        ([0.9, 0.88, 0.1, 0.12, 0.91], 0.0, 300, {2: 0.89, 3: 0.89}),  # two of five
        ([0.924, 0.896, 0.832], 0.496, 250, {}),  # seeds scatter
        ([0.7, 0.7, 0.55], 0.53, 30, {}),  # 30 examples do not tell
        ([0.12, 0.133, 0.058], 0.0, 731, {}),  # nor 731 of correlations so low
        ([0.52, 0.48, 0.5], 0.5, 300, {}),  # none has learned
        ([0.98, 0.13], 0.0, 300, {}),  # of two, either may be the odd one
    ],
)
def test_a_seed_far_below_the_median_of_the_others_is_named_and_scatter_is_not(scores, floor, examples, named):
    assert far_behind(dict(enumerate(scores)), floor=floor, examples=examples) == pytest.approx(named)
