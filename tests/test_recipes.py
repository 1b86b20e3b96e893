"""Every recipe is read, planned, and begun: two steps of its run, with networks and rows small enough for a test."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_run import MODEL

from electra.cli import main
from electra.training.pretrain import pretrain
from electra.training.run import read_metrics
from electra.training.settings import read_recipe

FOLDER = Path(__file__).parents[1] / "recipes"
RECIPES = sorted(
    path for path in FOLDER.glob("*.toml") if not path.name.startswith("study-")
)  # those are of electra study
SMALL = dict(
    model=MODEL, start="original", steps=2, warmup_steps=1, batch_size=8, max_length=32, eval_rows=8, log_every=1,
    device="cpu", workers=0, threads=1,
)  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_planned_and_begins(recipe, corpus, tmp_path, capsys):
    assert main(["plan", "3.3e9", "--recipe", str(recipe), "--seconds", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"]["flops"] > 0
    pretrain(replace(read_recipe(recipe), **SMALL), corpus, tmp_path / "run", panel=False)
    steps = [record["step"] for record in read_metrics(tmp_path / "run" / "metrics.jsonl") if record["kind"] == "train"]
    assert steps == [1, 2]
