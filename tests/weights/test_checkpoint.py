"""Folders written whole: after any end of the writer, the old folder or the new one is there, and damage is found."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from electra.errors import DataError, WriteError
from electra.weights.checkpoint import sweep_stale, verify_manifest, write_folder_atomically


def write(target, text: str) -> None:
    with write_folder_atomically(target) as stage:
        (stage / "state.json").write_text(text)
        (stage / "discriminator").mkdir()
        (stage / "discriminator" / "model.bin").write_text(text * 1000)


@pytest.fixture
def target(tmp_path):
    write(tmp_path / "step-1", "old")
    return tmp_path / "step-1"


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_written_with_its_manifest(target):
    verify_manifest(target)
    assert names(target) == ["discriminator", "manifest.json", "state.json"]
    assert names(target.parent) == ["step-1"]


def test_a_folder_replaces_the_old_one_as_a_whole(target):
    (target / "left-over").write_text("")
    write(target, "new")
    verify_manifest(target)
    assert (target / "state.json").read_text() == "new"
    assert not (target / "left-over").exists()
    assert names(target.parent) == ["step-1"]


def test_a_writer_that_fails_leaves_the_old_folder(target):
    def fail():
        with write_folder_atomically(target) as stage:
            (stage / "state.json").write_text("half")
            raise KeyError("a fault of the caller")

    with pytest.raises(KeyError):
        fail()
    verify_manifest(target)
    assert (target / "state.json").read_text() == "old"
    assert names(target.parent) == ["step-1"]


@pytest.mark.fault(43)
def test_a_place_that_cannot_be_written_is_a_write_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="step-1 could not be written"):
        write(tmp_path / "file" / "step-1", "new")


@pytest.mark.fault(7)
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "state.json").unlink(), "state.json is missing"),
        (lambda folder: (folder / "state.json").write_text("longer"), "state.json has 6 bytes, expected 3"),
        (lambda folder: (folder / "state.json").write_text("odl"), "state.json has other content"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), 'has no "files"'),
        (lambda folder: (folder / "manifest.json").write_text(""), "manifest.json, line 1"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json does not exist"),
    ],
    ids=["missing", "longer", "flipped", "no files", "empty manifest", "no manifest"],
)
def test_damage_is_found(target, damage, message):
    damage(target)
    with pytest.raises(DataError, match=message):
        verify_manifest(target)


@pytest.mark.fault(1, 43)
def test_a_folder_caught_between_the_two_renames_is_put_back(target):
    target.rename(target.with_name(".step-1.stage-old"))
    sweep_stale(target.parent)
    verify_manifest(target)


def test_an_old_folder_already_replaced_is_removed(target):
    write(target.with_name(".step-1.stage-old"), "older")
    sweep_stale(target.parent)
    assert names(target.parent) == ["step-1"]
    assert (target / "state.json").read_text() == "old"


def test_the_stage_of_a_living_process_is_left_alone(target):
    with write_folder_atomically(target) as stage:
        (stage / "state.json").write_text("new")
        assert sweep_stale(target.parent) == []
    assert (target / "state.json").read_text() == "new"


WRITER = """
    import sys
    from pathlib import Path
    from electra.weights.checkpoint import write_folder_atomically
    print("ready", flush=True)
    for number in range(1_000_000):
        with write_folder_atomically(Path(sys.argv[1])) as stage:
            (stage / "number").write_text(str(number))
            (stage / "data").write_bytes(bytes(20_000))
"""


@pytest.mark.fault(1)
@pytest.mark.parametrize("seed", range(8))
def test_a_writer_killed_at_any_moment_leaves_a_whole_folder(tmp_path, seed):
    target = tmp_path / "latest"
    write(target, "before")
    writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), target], stdout=subprocess.PIPE)
    writer.stdout.readline()
    time.sleep(random.Random(seed).uniform(0, 0.05))
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    sweep_stale(tmp_path)
    verify_manifest(target)
    assert names(tmp_path) == ["latest"]
