"""One run on several processes: the same batches on any number of them, the same losses and weights, and the same ends."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_run import small_settings

from electra.errors import ConfigError, UsageError
from electra.training.pretrain import pretrain
from electra.training.run import RunFolder, read_metrics
from electra.training.steps import Steps
from electra.training.team import rank_and_size
from electra.weights.checkpoint import verify_manifest
from electra.weights.files import read_tensors

HERE = Path(__file__).parent


def arrays_of(parts):
    """All rows of some parts, by the name of the array."""
    kinds = [[part[kind] for part in parts] for kind in (0, 1)]
    return {
        f"{kind} {name}": np.concatenate([getattr(value, name) for value in values])
        for kind, values in enumerate(kinds)
        for name, held in vars(values[0]).items()
        if held is not None
    }


@pytest.mark.parametrize(
    "changes",
    [
        dict(examples="packed"),
        dict(examples="segments"),
        dict(examples="segments", gumbel_noise=True, draw_with_replacement=True),
    ],
    ids=["packed", "segments", "as shipped"],
)
def test_batches_and_masks_are_the_same_for_any_number_of_processes_and_parts(corpus, changes):
    settings = small_settings(**changes)
    whole = Steps(corpus, "train", settings)
    for size, accumulate in ((1, 4), (2, 1), (2, 2), (3, 1), (4, 2), (8, 1)):
        own = replace(settings, accumulate=accumulate)
        for step in (0, 5):
            parts = [part for rank in range(size) for part in Steps(corpus, "train", own, rank, size)(step)]
            assert len(parts) == size * accumulate
            found, expected = arrays_of(parts), arrays_of(whole(step))
            assert found.keys() == expected.keys()
            for name, array in expected.items():
                np.testing.assert_array_equal(found[name], array, err_msg=name)
        held_out = arrays_of(Steps(corpus, "train", own, size - 1, size).held_out())
        for name, array in arrays_of(whole.held_out()).items():
            np.testing.assert_array_equal(held_out[name], array, err_msg=name)


@pytest.fixture(scope="module")
def runs(corpus, tmp_path_factory):
    """The folder that team_runs.py filled, and what its runs ended with."""
    folder = tmp_path_factory.mktemp("teams")
    done = subprocess.run(
        [sys.executable, HERE / "team_runs.py", corpus, folder],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout), done.stderr


def seen(folder, name):
    """The batches a run trained on, of each step, the rows of all its processes in order."""
    files = sorted(folder.glob(f"{name}-*-*.npz"), key=lambda path: [int(n) for n in path.stem.split("-")[-2:]])
    steps = {}
    for file in files:
        for key, array in np.load(file).items():
            steps.setdefault(key, []).append(array)
    return {key: np.concatenate(arrays) for key, arrays in steps.items()}


KEPT = ("loss", "mlm_loss", "gradient_norm", "tokens", "replaced_share", "accuracy_on_replaced", "discriminator_loss",
        "prediction_loss", "cloze_loss")  # fmt: skip


def losses(folder, name):
    """Kind, step and what does not depend on the clock, of each record of a run."""
    return [
        [record["kind"], record["step"], *(record[key] for key in KEPT if key in record)]
        for record in read_metrics(folder / name / "metrics.jsonl")
    ]


def test_every_run_ended_as_one_process_ends(runs):
    _, ended, told = runs
    codes = [codes for name, codes in ended if name not in ("changing", "diverging", "starving")]
    assert not any(code for each in codes for code in each), told
    assert [codes for name, codes in ended if name == "changing"] == [[75] * 4, [75] * 2, [0]], told


@pytest.mark.parametrize("name", ["two", "three", "four", "sharded", "changing"])
def test_the_order_of_examples_and_masks_is_that_of_one_process_bit_for_bit(runs, name):
    folder, _, _ = runs
    expected, found = seen(folder, "one"), seen(folder, name)
    assert len({key.split()[0] for key in expected}) == 12
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)


PAIRS = [(name, "one") for name in ("two", "three", "four", "sharded", "changing")]
PAIRS += [(f"{name} on two", name) for name in ("disentangled", "copying", "towers")]


@pytest.mark.parametrize(("name", "alone"), PAIRS)
def test_losses_and_weights_are_those_of_one_process(runs, name, alone):
    folder, _, _ = runs
    for found, expected in zip(losses(folder, name), losses(folder, alone), strict=True):
        assert found[:2] == expected[:2]
        assert found[2:] == pytest.approx(expected[2:], rel=2e-5), found[:2]
    last = RunFolder(folder / alone).steps()[-1]
    files = [path.relative_to(folder / alone) for path in last.rglob("*.safetensors")]
    assert len(files) >= 3
    for file in files:
        ours, theirs = (read_tensors(folder / run / file) for run in (name, alone))
        assert ours.keys() == theirs.keys()
        for key, array in theirs.items():
            np.testing.assert_allclose(ours[key], array, atol=2e-6, rtol=2e-4, err_msg=f"{file}, {key}")


def test_bfloat16_learns_the_same_on_two_processes(runs):
    folder, _, _ = runs
    for found, expected in zip(losses(folder, "half sharded"), losses(folder, "half"), strict=True):
        assert found[2:4] == pytest.approx(expected[2:4], rel=2e-2), found[:2]


def test_one_process_asked_to_stop_stops_all_after_the_same_step(runs):
    folder, _, _ = runs
    for number, (size, steps) in enumerate(((4, range(4)), (2, range(4, 8)), (1, range(8, 12)))):
        files = [folder / f"changing-{number}-{rank}.npz" for rank in range(size)]
        assert [{int(key.split()[0]) for key in np.load(file)} for file in files] == [set(steps)] * size


def test_a_loss_that_is_not_finite_ends_all_processes_with_the_same_words(runs):
    folder, ended, told = runs
    assert [codes for name, codes in ended if name == "diverging"] == [[1, 1]]
    words = [line.partition(": ")[2] for line in told.splitlines() if line.startswith("diverging")]
    assert len(words) == 2
    assert words[0] == words[1]
    assert list(read_metrics(folder / "diverging" / "metrics.jsonl"))[-1]["kind"] == "failure"
    for checkpoint in RunFolder(folder / "diverging").steps():
        verify_manifest(checkpoint)


@pytest.mark.fault(10)
@pytest.mark.parametrize("name", ["returning", "returning sharded"])
def test_all_processes_return_together_when_the_weights_of_one_go_wrong(runs, name):
    folder, _, _ = runs
    (one,) = json.loads((folder / name / "returns.json").read_text())["returns"]
    assert (one["at"], one["to"], one["next_batch"]) == (9, 6, 9)
    records = [record for record in read_metrics(folder / name / "metrics.jsonl") if record["kind"] == "train"]
    assert [record["step"] for record in records] == list(range(1, 13))
    assert all(np.isfinite(record["loss"]) for record in records)
    verify_manifest(RunFolder(folder / name).steps()[-1])


def test_after_a_return_all_processes_have_the_same_weights(runs):
    folder, _, _ = runs
    first, second = (np.load(folder / f"returning.{rank}.npz") for rank in (0, 1))
    kept = read_tensors(folder / "returning" / "discriminator")
    assert len(first.files) > 10
    for name in first.files:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    common = kept.keys() & set(first.files)
    assert len(common) > 10
    for name in common:
        np.testing.assert_array_equal(kept[name], first[name], err_msg=name)


@pytest.mark.fault(35)
def test_a_process_without_memory_ends_all_says_what_to_change_and_the_run_goes_on_with_that(runs):
    folder, ended, told = runs
    assert [codes for name, codes in ended if name == "starving"] == [[75] * 2, [1, 2], [0, 0]], told
    assert "starving, process 1: step 2: the memory of process 1 does not hold its part" in told
    assert "continue with a larger --accumulate than 1, or on more processes" in told
    assert "starving, process 0: process 0 lost another of the run" in told
    assert "continuing after step 1 of 2" in told
    verify_manifest(RunFolder(folder / "starving").steps()[-1])
    records = read_metrics(folder / "starving" / "metrics.jsonl")
    assert [record["step"] for record in records if record["kind"] == "train"] == [1, 2]


def test_other_frameworks_and_half_an_environment_are_refused(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="RANK, MASTER_ADDR, MASTER_PORT is not set"):
        rank_and_size()
    for name, value in (("RANK", "0"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    assert rank_and_size() == (0, 2)
    with pytest.raises(UsageError, match="2 processes were started, and --framework flax trains in one"):
        pretrain(small_settings(), corpus, tmp_path / "run", framework="flax", panel=False)


def test_what_parallel_may_be():
    with pytest.raises(ConfigError, match=r"parallel is 'fsdp2' \(did you mean \"fsdp\""):
        small_settings(parallel="fsdp2")
