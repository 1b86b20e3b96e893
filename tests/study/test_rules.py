"""What may be said of a difference, and what cannot be concluded: by rule, on numbers that are written down here."""

import copy

import pytest

from electra.study.rules import cannot, differs_in_question, verdict
from electra.tasks.statistics import compare_seeds, spread
from electra.training.settings import preset


def comparison(first, second, *, examples=None, lower_is_better=False, task="cola"):
    """A row of study.json: scores of both by seed."""
    one, other = spread(first), spread(second)
    test = compare_seeds(first, second)
    return {
        "task": task, "measure": "matthews", "budget": "2min", "first": "new", "second": "old",
        "paired": [str(seed) for seed in range(len(first))], "lower_is_better": lower_is_better, "different_question": [],
        "same_budget": True,
        "ranges_overlap": one.lowest <= other.highest and other.lowest <= one.highest,
        "difference": test.difference, "seeds": vars(test), "examples": examples,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (comparison([0.5, 0.6], [0.1, 0.2]), "no difference shown"),  # two seeds
        (comparison([0.5, 0.6, 0.7], [0.1, 0.2, 0.55]), "no difference shown"),  # overlap
        (comparison([0.5, 0.6, 0.7], [0.1, 0.2, 0.3]), "new is ahead in every run, which 3 seeds cannot prove"),
        (comparison([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]), "old is ahead in every run, which 3 seeds cannot prove"),
        (comparison([0.5] * 6, [0.1] * 6), "new is better"),
        (comparison([0.5] * 6, [0.1] * 6, lower_is_better=True), "old is better"),
        (comparison([0.5] * 6, [0.1] * 6) | {"same_budget": False}, "new is better, but not at the same budget"),
        (comparison([0.5] * 6, [0.1] * 6, examples={"low": -0.1, "high": 0.9}), "no difference shown"),
        (comparison([0.5] * 6, [0.1] * 6, examples={"low": 0.1, "high": 0.7}), "new is better"),
        (comparison([0.5] * 6, [0.5] * 6), "equal"),
        (comparison([0.5] * 6, [0.1] * 6) | {"different_question": ["objective"]}, "not compared"),
        (comparison([0.5] * 6, [0.1] * 6) | {"seeds": None, "paired": []}, "no seed in common"),
    ],
)
def test_a_difference_is_called_one_only_by_rule(row, said):
    assert verdict(row) == said


def cost(variant, seconds=120.0, flops=1e12, tokens=1e6):
    values = {"seconds": seconds, "flops": flops, "tokens": tokens}
    return {"variant": variant, "budget": "2min"} | {key: {"median": value} for key, value in values.items()}


SOUND = {
    "seeds": list(range(6)),
    "budgets": [{"unit": "minutes", "amount": 2.0, "name": "2min", "told": "2 minutes"}],
    "reference": "old",
    "variants": {"old": {"parameters": 1000}, "new": {"parameters": 1020}},
    "tasks": {"cola": {"seeds": 3}},
    "pieces": {"planned": 4, "left": []},
    "machines": ["cpu"],
    "costs": [cost("old"), cost("new", seconds=124.0)],
    "scores": [{"task": "cola", "measure": "matthews", "variant": "new", "budget": "2min", "always": 0.0,
                "collapsed": 0, "runs": 18, "spread": {"median": 0.4}}],
    "comparisons": [comparison([0.5] * 6, [0.1] * 6, examples={"low": 0.1, "high": 0.7})],
    "runs": [],
    "fine_tunings": [],
}  # fmt: skip


def test_of_a_sound_study_nothing_is_held_back():
    assert cannot(SOUND) == []


CHANGES = {
    "1 of 4 pieces are not done": lambda held: held["pieces"]["left"].append("new-2min-seed5"),
    "2 seeds of pretraining, fewer than 3": lambda held: held.update(seeds=[0, 1]),
    "3 seeds: a test over paired runs cannot reach a p below 0.25": lambda held: held.update(seeds=[0, 1, 2]),
    "Fine-tuned with fewer than 3 seeds each: cola": lambda held: held["tasks"].update(cola={"seeds": 2}),
    "new at 2 minutes: not this budget, but +25% of its minutes": lambda held: held["costs"].__setitem__(
        1, cost("new", 150.0)
    ),
    "not the same budget, +25% of its minutes": lambda held: held["costs"].__setitem__(1, cost("new", 150.0)),
    "+50% FLOPs, -20% tokens; only minutes were to be equal": lambda held: held["costs"].__setitem__(
        1, cost("new", 120, 1.5e12, 8e5)
    ),
    "new trains 1,200 parameters, old 1,000": lambda held: held["variants"]["new"].update(parameters=1200),
    "the ranges over the seeds overlap in cola": lambda held: held.update(
        comparisons=[comparison([0.1, 0.5] * 3, [0.2, 0.4] * 3)]
    ),
    "other dev examples might have turned the difference in cola": lambda held: held["comparisons"][0].update(
        examples={"low": -0.1, "high": 0.7}
    ),
    "(objective differ): they are shown, not compared": lambda held: held["comparisons"][0].update(
        different_question=["objective"]
    ),
    "no better than always giving the most frequent answer (0.5000)": lambda held: held["scores"][0].update(always=0.5),
    "3 of 18 runs collapsed": lambda held: held["scores"][0].update(collapsed=3),
    "The run new-2min-seed0 failed": lambda held: held["runs"].append({"name": "new-2min-seed0", "failed": "loss nan"}),
    "1 run ended with the finding plateau": lambda held: held["runs"].append(
        {"name": "new-2min-seed0", "health": {"plateau": "the loss stands"}}
    ),
    "cola-of-new: fine-tunings failed": lambda held: held["fine_tunings"].append(
        {"name": "cola-of-new", "failed_seeds": [1]}
    ),
    "Runs were made on 2 kinds of machine": lambda held: held["machines"].append("cuda"),
    "40 comparisons: about 2 of them": lambda held: held.update(comparisons=held["comparisons"] * 40),
}


@pytest.mark.parametrize("sentence", CHANGES)
def test_each_rule_says_what_it_saw(sentence):
    held = copy.deepcopy(SOUND)
    CHANGES[sentence](held)
    assert any(sentence in said for said in cannot(held)), cannot(held)


def test_held_out_measures_under_other_masks_or_another_generator_are_not_of_one_quantity():
    base = preset("tiny")
    assert differs_in_question(base, preset("tiny", learning_rate=1e-3, batch_size=64)) == []
    assert differs_in_question(base, preset("tiny", objective="mlm", max_length=128)) == ["objective", "max_length"]
