"""The packages of the three frameworks are twins: the same files define the same names in the same order."""

import ast
from pathlib import Path

import pytest

from electra.heads import HEADS, PREFIXES

SOURCE = Path(__file__).parents[2] / "src" / "electra"
TWINS = (
    "ops",
    "activations",
    "layers",
    "model",
    "checks",
    "heads",
    "task_heads",
    "original_heads",
    "optim",
    "backend",
    "tuner",
    "reader",
    "sample",
    "networks",
    "towers",
)
# What a twin may lack: Flax parameters are trees, which optax updates and nothing has to be filled in place.
LACKING = {("tf", "ElectraForCausalLM"), ("flax", "check_labels")}


def names_in(framework: str, file: str) -> list[str]:
    """The public functions and classes of a file, without the framework's prefix."""
    tree = ast.parse((SOURCE / framework / f"{file}.py").read_text(encoding="utf-8"))
    named = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [name.removeprefix(PREFIXES[framework]) for name in named if not name.startswith("_")]


@pytest.mark.parametrize("framework", ["tf", "flax"])
@pytest.mark.parametrize("file", TWINS)
def test_twins_define_the_same_names_in_the_same_order(framework, file):
    ours, theirs = names_in("torch", file), names_in(framework, file)
    common = [name for name in theirs if name in ours]
    assert common == [name for name in ours if name in theirs]
    if file in ("ops", "layers", "heads", "task_heads"):
        assert {(framework, name) for name in ours if name not in theirs} <= LACKING


@pytest.mark.parametrize("framework", PREFIXES)
def test_every_head_of_the_table_is_there(framework):
    import electra

    rows = [head for head in HEADS if framework in head.frameworks]
    for head in rows:
        assert getattr(electra, head.class_in(framework)).__name__ == head.class_in(framework)
    public = [name for name in electra.__all__ if name.startswith(f"{PREFIXES[framework]}Electra")]
    named = {head.class_in(framework) for head in rows}
    assert {name for name in public if name.endswith(("Model", "LM", "ing", "tion", "Choice"))} >= named
