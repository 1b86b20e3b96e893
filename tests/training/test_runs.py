"""Whole runs: killed, stopped, continued, refused. Real processes, real signals, real files."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from damage import flip_bit
from nightly import examples as some
from small_run import MODEL, small_settings

from electra.errors import CorpusError, DataError, FrozenRunError, RunFailedError
from electra.training.pretrain import pretrain
from electra.training.run import RunFolder, find_model, read_metrics
from electra.training.steps import Steps
from electra.weights.checkpoint import read_manifest, verify_manifest

HERE = Path(__file__).parent
TIMES = {"seconds", "seconds_left", "tokens_per_second"}


def contents(run):
    """Every file of a finished run by its sha256, times of the clock left out, which cards tell too."""
    files = {}
    for path in sorted(run.rglob("*")):
        if path.is_file() and path.name not in ("metrics.jsonl", "state.json", "manifest.json", "README.md"):
            files[str(path.relative_to(run))] = hashlib.sha256(path.read_bytes()).hexdigest()
    told = (record for record in read_metrics(run / "metrics.jsonl") if record.get("finding") != "slower")
    return files, [{k: v for k, v in record.items() if k not in TIMES} for record in told]


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    """An uninterrupted run."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    pretrain(small_settings(), corpus, run, panel=False)
    return run


def test_a_run_leaves_two_model_folders_its_metrics_and_its_last_checkpoints(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {"settings.json", "metrics.jsonl", "held_out.jsonl", "checkpoints", "discriminator", "generator"}
    assert [path.name for path in RunFolder(finished).steps()] == ["step-00000035", "step-00000040"]
    records = list(read_metrics(finished / "metrics.jsonl"))
    assert [r["step"] for r in records if r["kind"] == "train"] == [5, 10, 15, 20, 25, 30, 35, 40]
    last = [r for r in records if r["kind"] == "evaluation"][-1]
    assert last.keys() >= {"mlm_loss", "discriminator_loss", "prior_loss", "roc_auc", "average_precision"}
    assert records[-2]["mlm_loss"] < records[0]["mlm_loss"]


def test_both_networks_carry_a_card_with_what_was_measured_and_a_picture_of_it(finished):
    evaluation = [r for r in read_metrics(finished / "metrics.jsonl") if r["kind"] == "evaluation"][-1]
    for network in ("discriminator", "generator"):
        folder = finished / network
        card = (folder / "README.md").read_text()
        assert f"| generator loss | {evaluation['mlm_loss']:.3f} |" in card
        assert "](curves.svg)" in card
        assert "40 updates of 8 rows of 32 tokens" in card
        lines = ElementTree.parse(folder / "curves.svg").iterfind(".//{*}polyline")
        assert len(list(lines)) == (6 if network == "discriminator" else 2)
        assert {"README.md", "curves.svg"} <= read_manifest(folder)["files"].keys()
        verify_manifest(folder)


def test_transformers_loads_both_networks_of_a_run(finished):
    import torch
    from transformers import ElectraForMaskedLM, ElectraForPreTraining, ElectraTokenizerFast

    import electra

    ids = ElectraTokenizerFast.from_pretrained(finished / "discriminator")(
        "the old river", return_tensors="pt"
    ).input_ids
    for theirs, ours, name in (
        (ElectraForPreTraining, electra.ElectraForPreTraining, "discriminator"),
        (ElectraForMaskedLM, electra.ElectraForMaskedLM, "generator"),
    ):
        with torch.no_grad():
            expected = theirs.from_pretrained(finished / name).eval()(ids).logits
            found = ours.from_pretrained(finished / name).eval()(ids).logits
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.fault(1)
@pytest.mark.parametrize("examples", ["packed", "segments"])
def test_a_run_killed_twenty_times_ends_bit_for_bit_like_one_that_was_not(corpus, tmp_path, examples):
    kills, steps = (some(20, 200), some(400, 4000)) if examples == "packed" else (3, 400)
    settings = small_settings(steps=steps, checkpoint_every=3, examples=examples)
    pretrain(settings, corpus, tmp_path / "whole", panel=False)
    command = [
        sys.executable,
        HERE / "killed_runs.py",
        corpus,
        tmp_path / "killed",
        str(kills),
        "7",
        examples,
        str(steps),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def command_line(corpus, run, *flags):
    recipe = run.with_suffix(".toml")
    model = "\n".join(f"{key} = {value}" for key, value in MODEL.items())
    recipe.write_text(
        'preset = "tiny"\nstart = "original"\nmax_length = 32\nbatch_size = 8\nwarmup_steps = 4\nthreads = 1\n'
        'precision = "float32"\neval_rows = 16\n'
        f"[model]\n{model}\n"
    )
    return [sys.executable, "-m", "electra", "pretrain", corpus, run, "--recipe", recipe, *flags]


def start(corpus, run, *flags):
    """The command, once it has written a line of metrics."""
    metrics = run / "metrics.jsonl"
    metrics.unlink(missing_ok=True)  # a continued run writes its own lines
    process = subprocess.Popen(command_line(corpus, run, *flags), stderr=subprocess.PIPE, text=True)
    while not metrics.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    return process


@pytest.mark.fault(31, 32)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_ends_the_step_saves_and_the_same_command_continues(corpus, tmp_path, number, code):
    flags = ("--steps", "100000", "--log-every", "5", "--checkpoint-every", "100000")
    process = start(corpus, tmp_path / "run", *flags)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert f"stopped by {number.name}" in told
    assert "Traceback" not in told
    (checkpoint,) = RunFolder(tmp_path / "run").steps()
    stopped_after = json.loads((checkpoint / "state.json").read_text())["step"]

    again = start(corpus, tmp_path / "run", *flags)
    again.send_signal(signal.SIGTERM)
    _, told = again.communicate(timeout=60)
    assert f"continuing after step {stopped_after:,}" in told


@pytest.mark.fault(31)
def test_a_second_signal_ends_at_once(corpus, tmp_path):
    process = start(corpus, tmp_path / "run", "--steps", "100000", "--log-every", "1", "--batch-size", "2048")
    process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode in (-signal.SIGTERM, 75)  # 75 where the step ended between the two


@pytest.mark.fault(10)
def test_a_loss_that_is_not_finite_ends_the_run_and_reaches_no_checkpoint(corpus, tmp_path):
    with pytest.raises(RunFailedError, match=r"learning_rate") as caught:
        pretrain(
            small_settings(learning_rate=1e30, clip_norm=1e30, warmup_steps=0), corpus, tmp_path / "run", panel=False
        )
    assert caught.value.exit_code == 1
    failure = list(read_metrics(tmp_path / "run" / "metrics.jsonl"))[-1]
    assert failure["kind"] == "failure"
    assert failure["examples"] == Steps(corpus, "train", small_settings()).rows(failure["step"] - 1)
    for checkpoint in RunFolder(tmp_path / "run").steps():
        assert json.loads((checkpoint / "state.json").read_text())["step"] < failure["step"]


@pytest.mark.fault(9)
def test_a_run_with_other_settings_or_data_is_refused_with_the_difference(finished, corpus):
    with pytest.raises(FrozenRunError) as caught:
        pretrain(small_settings(learning_rate=2e-3, batch_size=16), corpus, finished, panel=False)
    assert "settings.learning_rate: was 0.0005, is 0.002" in str(caught.value)
    assert "settings.batch_size: was 8, is 16" in str(caught.value)


def test_settings_of_the_machine_may_change(finished, corpus):
    before = contents(finished)
    pretrain(small_settings(workers=1, log_every=7, checkpoint_every=9), corpus, finished, panel=False)
    assert contents(finished) == before


@pytest.mark.fault(4, 7)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(finished, corpus, tmp_path, capfd):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    weights = run / "checkpoints" / "step-00000040" / "discriminator" / "model.safetensors"
    flip_bit(weights, -1)
    pretrain(small_settings(), corpus, run, panel=False)
    told = capfd.readouterr().err
    assert "step-00000040 is damaged" in told
    assert "continuing after step 35" in told
    assert (
        contents(run)[0]["discriminator/model.safetensors"] == contents(finished)[0]["discriminator/model.safetensors"]
    )


@pytest.mark.fault(6)
def test_a_run_whose_checkpoints_are_all_damaged_does_not_begin_anew(finished, corpus, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    for checkpoint in RunFolder(run).steps():
        (checkpoint / "optimizer.safetensors").unlink()
    with pytest.raises(DataError, match=r"optimizer\.safetensors is missing"):
        pretrain(small_settings(), corpus, run, panel=False)


def test_one_and_four_workers_train_the_same(corpus, tmp_path):
    for workers in (1, 4):
        pretrain(small_settings(steps=12, workers=workers), corpus, tmp_path / str(workers), panel=False)
    one, four = (contents(tmp_path / name) for name in ("1", "4"))
    one[0].pop("settings.json"), four[0].pop("settings.json")
    assert one == four


def test_rows_of_a_batch_are_a_pure_function_of_the_step(corpus):
    import numpy as np

    first, second = (Steps(corpus, "train", small_settings(accumulate=2))(7) for _ in range(2))
    assert len(first) == 2
    for (batch, masked), (again, masked_again) in zip(first, second, strict=True):
        np.testing.assert_array_equal(batch.input_ids, again.input_ids)
        np.testing.assert_array_equal(masked.noise, masked_again.noise)


def test_mlm_trains_one_network(corpus, tmp_path):
    pretrain(small_settings(objective="mlm", steps=10), corpus, tmp_path / "run", panel=False)
    assert (tmp_path / "run" / "masked_lm" / "model.safetensors").is_file()
    assert "generator" not in (tmp_path / "run" / "masked_lm" / "README.md").read_text()
    assert not (tmp_path / "run" / "generator").exists()


def test_minutes_become_steps_that_stay(corpus, tmp_path):
    settings = small_settings(minutes=0.02)
    pretrain(settings, corpus, tmp_path / "run", panel=False)
    steps = RunFolder(tmp_path / "run").settings()["settings"]["steps"]
    assert steps >= 1
    pretrain(settings, corpus, tmp_path / "run", panel=False)
    assert RunFolder(tmp_path / "run").settings()["settings"]["steps"] == steps


@pytest.mark.fault(44)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_run_neither_begins_nor_continues_with_a_corpus_in_which_a_bit_has_flipped(corpus, tmp_path, split):
    folder = shutil.copytree(corpus, tmp_path / "corpus")
    pretrain(small_settings(steps=10), folder, tmp_path / "run", panel=False)
    flip_bit(folder / split / "ids.bin")
    for run in ("run", "other"):
        with pytest.raises(CorpusError, match=rf"{split}/ids\.bin is damaged: its sha256 is"):
            pretrain(small_settings(steps=10), folder, tmp_path / run, panel=False)


def test_a_folder_that_is_no_corpus_is_named(tmp_path):
    with pytest.raises(CorpusError, match="electra prepare"):
        pretrain(small_settings(), tmp_path, tmp_path / "run", panel=False)


def test_the_network_of_a_run_is_found_wherever_it_is(finished, tmp_path):
    assert find_model(finished, "generator") == finished / "generator"
    half = tmp_path / "half"
    shutil.copytree(finished / "checkpoints", half / "checkpoints")
    assert find_model(half, "discriminator") == half / "checkpoints" / "step-00000040" / "discriminator"
    assert find_model(finished / "discriminator", "discriminator") == finished / "discriminator"


def test_a_file_that_a_kill_left_half_written_is_removed(tmp_path):
    run = RunFolder(tmp_path)
    run.metrics_file.write_text('{"kind": "train", "step": 1}\n')
    (tmp_path / ".metrics.jsonl.123-abcd.tmp").write_text('{"kind": "tr')
    run.forget_after(1)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
