"""A study file is read whole or refused whole, with everything that is wrong in one error."""

from pathlib import Path

import pytest

from electra.errors import ConfigError
from electra.study.contents import Budget
from electra.study.file import read_study
from electra.study.pieces import pieces_of

RECIPES = Path(__file__).parents[2] / "recipes"

GOOD = """
seeds = [3, 5]
[budgets]
flops = 1e12
minutes = [6, 2]
[settings]
learning_rate = 1e-3
model = {hidden_dropout_prob = 0.2}
[variants.plain]
[variants.narrow]
generator_width = 0.125
model = {initializer_range = 0.01}
"""

BAD = """
titel = "x"
seeds = [0, 0]
reference = "narow"
[budgets]
minute = 1
minutes = [0]
[settings]
steps = 4
[variants.a]
objectve = "mlm"
[variants."a b"]
mask_probability = 2
[tasks.colla]
[tasks.cola]
epochs = 0
limit_train = 0
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "study.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_variants_are_the_base_with_shared_and_own_changes(write, corpus):
    study = read_study(write(GOOD), corpus=corpus)
    plain, narrow = study.variants["plain"], study.variants["narrow"]
    assert study.reference == "plain"
    assert (plain.learning_rate, narrow.learning_rate) == (1e-3, 1e-3)
    assert (plain.generator_width, narrow.generator_width) == (None, 0.125)
    assert plain.model == {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.06}
    assert narrow.model["initializer_range"] == 0.01
    assert study.changes == {"plain": {}, "narrow": {"generator_width": 0.125, "model": {"initializer_range": 0.01}}}


def test_pieces_come_by_budget_then_seed_then_variant(write, corpus):
    names = [piece.name for piece in pieces_of(read_study(write(GOOD), corpus=corpus))]
    assert names[:4] == ["plain-2min-seed3", "narrow-2min-seed3", "plain-2min-seed5", "narrow-2min-seed5"]
    assert len(names) == len(set(names)) == 12
    assert [str(Budget("minutes", 1)), str(Budget("tokens", 5e6))] == ["1 minute", "5,000,000 tokens"]


def test_everything_wrong_with_a_file_is_in_one_error(write):
    with pytest.raises(ConfigError) as refused:
        read_study(write(BAD))
    said = str(refused.value)
    for part in (
        "study.toml has 14 problems",
        '"titel" does not exist (did you mean "title"?)',
        "seeds is [0, 0]",
        'reference is "narow"',
        '"budgets.minute" does not exist (did you mean "minutes"?)',
        "budgets.minutes is [0], expected different positive numbers",
        "settings.steps: the study decides it",
        '"objectve" (did you mean "objective"?)',
        'variants.a b: "a b" will name files',
        "variants.a b: mask_probability is 2, expected a number above 0",
        'there is no task "colla" (did you mean "cola"?)',
        "tasks.cola: epochs is 0, expected a positive number",
        "tasks.cola.limit_train is 0",
        "there is no corpus",
        "no folder of their files",
    ):
        assert part in said, said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = ", "is not TOML"),
        ("variants = 3\nbudgets = 2", "variants is 3, expected a table"),
        ("[variants]\na = 1", "variants.a is 1, expected a table"),
        ("[budgets]\ntokens = [true]", "budgets.tokens is [True]"),
        ('preset = "tinny"', 'there is no preset "tinny" (did you mean "tiny"?)'),
        ('preset = "tiny"\nrecipe = "r.toml"', "preset and recipe are both given"),
        ("[variants.a]\nmodel = 3", "variants.a.model is 3, expected a table"),
        ("[tasks.cola]\nset = 3", "tasks.cola"),
        ("seeds = true", "seeds is True"),
        ("evaluations = 0", "evaluations is 0, expected 1 or more"),
        ("title = 3", "title is 3, expected text"),
        ("", "there are no variants"),
    ],
)
def test_files_of_other_forms_are_refused(write, text, said):
    with pytest.raises(ConfigError) as refused:
        read_study(write(text))
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="there is no study"):
        read_study(tmp_path / "none.toml")


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("study-*.toml")), ids=lambda path: path.stem)
def test_the_studies_of_recipes_lack_nothing_but_their_data(recipe, corpus):
    with pytest.raises(ConfigError) as refused:
        read_study(recipe, corpus=corpus)
    assert "has 1 problem:\n  - there are tasks, and no folder of their files" in str(refused.value)
