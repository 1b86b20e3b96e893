"""A study of seconds: real processes that are stopped, killed and gone on with, and what is left of them."""

import fcntl
import json
import re
import subprocess
import sys
import time

import pytest
from small_run import MODEL

from electra.cli import main

STUDY = """
title = "Two ways of learning"
preset = "tiny"
seeds = 1
evaluations = 4
data = "data"
[budgets]
tokens = 100_000
[settings]
start = "original"
generator_width = 0.5
max_length = 32
batch_size = 8
warmup_steps = 4
eval_rows = 16
precision = "float32"
model = {model}
[variants.electra]
[variants.mlm]
objective = "mlm"
[finetune]
seeds = 2
epochs = 4
max_length = 32
learning_rate = 5e-3
precision = "float32"
[tasks.cola]
"""
TIMES = {"seconds", "clock_seconds", "process_seconds", "health"}  # one finding is that a run became slow


@pytest.fixture(scope="module")
def study(texts, tmp_path_factory):
    """A study file, with a task whose sentences are accepted where they begin with a capital T."""
    place = tmp_path_factory.mktemp("study")
    model = ", ".join(f"{key} = {value}" for key, value in MODEL.items())
    (place / "study.toml").write_text(STUDY.replace("{model}", f"{{{model}}}"))
    folder = place / "data" / "CoLA"
    folder.mkdir(parents=True)
    lines = [line for line in (texts / "texts.txt").read_text().splitlines() if line]
    rows = [f"x\t{number % 2}\t\t{line if number % 2 else line[4:]}\n" for number, line in enumerate(lines[:160])]
    (folder / "train.tsv").write_text("".join(rows[:120]))
    (folder / "dev.tsv").write_text("".join(rows[120:]))
    return place / "study.toml"


def command(study, corpus, out, *words):
    return ["study", str(study), str(out), "--corpus", str(corpus), "--threads", "1", *map(str, words)]


def of_time(sentence):
    return "minutes" in sentence or "ended with the finding" in sentence


def without_times(value):
    """Plain values without what a clock says, and without sentences about it."""
    if isinstance(value, dict):
        return {key: without_times(held) for key, held in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [without_times(one) for one in value if not (isinstance(one, str) and of_time(one))]
    return value


def started(study, corpus, out, piece, *, lines):
    """A process that makes the study, once its piece has written so many lines of metrics."""
    words = [sys.executable, "-m", "electra", *command(study, corpus, out)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    metrics = piece / "run" / "metrics.jsonl"
    while not metrics.exists() or metrics.read_text().count("\n") < lines:
        assert process.poll() is None
        time.sleep(0.005)
    return process


def read(out):
    return json.loads((out / "study.json").read_text())


@pytest.fixture(scope="module")
def whole(study, corpus, tmp_path_factory):
    """The study made in one go, two pieces at a time."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(command(study, corpus, out, "--jobs", 2)) == 0
    return out


def test_a_study_that_was_stopped_and_killed_ends_with_the_same_numbers(study, corpus, whole, tmp_path, capfd):
    out = tmp_path / "out"
    assert main(command(study, corpus, out, "--limit-minutes", 0.0001)) == 75
    assert "4 of 4 pieces to go" in capfd.readouterr().err

    first = out / "pieces" / "electra-100000tok-seed0"
    process = started(study, corpus, out, first, lines=5)
    process.terminate()
    _, said = process.communicate()
    assert process.returncode == 75
    assert "the same command continues" in said
    with open(first / "lock", "a+") as lock:  # nobody works there any more
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert list((first / "run" / "checkpoints").iterdir())

    process = started(study, corpus, out, first, lines=20)
    process.kill()
    process.communicate()
    assert not list((out / "results").iterdir())

    assert main(command(study, corpus, out)) == 0
    held = read(out)
    assert held["pieces"] == {"planned": 4, "done": 4, "left": []}
    assert without_times(held) == without_times(read(whole))
    kept = [path.suffix for path in out.glob("pieces/*/run/**/*") if "cola" in str(path)]
    assert ".safetensors" not in kept  # tuned weights are not kept
    assert not list(out.glob("pieces/*/run/checkpoints"))


def test_the_page_has_curves_tables_and_what_cannot_be_concluded(whole):
    page, text = ((whole / name).read_text() for name in ("study.html", "study.md"))
    for part in (page, text):
        assert "Two ways of learning" in part
        assert "fewer than 3" in part
    assert page.count("<svg") == len(list(whole.glob("study-*.svg"))) == 8  # three measures and a task, over two costs
    assert "src=" not in page
    assert "href=" not in page.replace("xlink:href=", "")
    assert all((whole / f"study-{number}.svg").exists() for number in range(1, 9))


def test_what_a_run_gets_is_its_budget(whole):
    held = read(whole)
    for run in held["runs"]:
        assert run["tokens"] == pytest.approx(100_000, rel=0.02)
        assert run["flops"] > 0
        assert run["settings"]["warmup_steps"] == 4
        assert [round(4 * one["step"] / run["steps"]) for one in run["evaluations"]] == [1, 2, 3, 4]
    assert {score["task"] for score in held["scores"]} == {"held-out text", "cola"}


def test_minutes_are_counted_at_the_speed_that_was_measured_before(study, corpus, tmp_path, capfd):
    minutes, out = study.with_name("minutes.toml"), tmp_path / "out"
    text = study.read_text().replace("tokens = 100_000", "minutes = 0.02").replace("seeds = 1", "seeds = 2", 1)
    minutes.write_text(text.partition("[finetune]")[0])
    assert main(command(minutes, corpus, out, "--measure")) == 0
    assert re.search(r"\[2/2\] \w+, a step: \d+\.\d\d ms in float32", capfd.readouterr().err)
    speeds = {path.stem: json.loads(path.read_text())["step_seconds"] for path in (out / "speeds").iterdir()}
    assert set(speeds) == {"electra", "mlm"}
    assert not list((out / "results").iterdir())
    assert main(command(minutes, corpus, out)) == 0
    runs = read(out)["runs"]
    assert len(runs) == 4
    for run in runs:
        assert run["steps"] == round(1.2 / speeds[run["variant"]])
        assert run["seconds"] == pytest.approx(run["steps"] * speeds[run["variant"]])
        assert run["evaluations"][-1]["seconds"] == pytest.approx(run["seconds"])
        assert run["clock_seconds"] > 0


def test_a_study_whose_settings_changed_is_not_gone_on_with(study, corpus, whole, tmp_path, capfd):
    other = study.with_name("other.toml")
    other.write_text(study.read_text().replace("batch_size = 8", "batch_size = 4"))
    out = tmp_path / "out"
    folder = out / "pieces" / "electra-100000tok-seed0"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_bytes((whole / folder.relative_to(out) / "settings.json").read_bytes())
    only = other.read_text().partition("[variants.mlm]")[0]
    other.write_text(only)
    assert main(command(other, corpus, out)) == 1
    assert "begun with other settings" in capfd.readouterr().err


def test_two_studies_in_one_folder_are_told_apart(study, corpus, whole):
    with open(whole / "lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(command(study, corpus, whole)) == 75


def test_a_plan_tells_pieces_and_times_without_making_any(study, corpus, whole, tmp_path, capfd):
    assert main(command(study, corpus, tmp_path / "out", "--dry-run")) == 0
    measured = capfd.readouterr().out
    assert "1 x pretraining, electra, 100,000 tokens: " in measured
    assert "2 x cola: " in measured
    assert "4 to go" in measured
    assert "from a short measurement" in measured
    assert not (tmp_path / "out" / "results").exists()
    assert main(command(study, corpus, whole, "--dry-run", "--jobs", 2)) == 0
    assert "0 to go, 0s one after another" in capfd.readouterr().out
