"""What happens to a pretraining run when the machine fails it: disk, memory, workers, clock, another process."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_run import small_settings

from electra.disk import lock, swap
from electra.errors import DataError, TryAgainError
from electra.training.pretrain import pretrain
from electra.training.run import RunFolder, read_metrics
from electra.weights.checkpoint import write_folder_atomically

HERE = Path(__file__).parent
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
DAMAGES = {
    "missing": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-2]),
    "flipped": lambda file: file.write_bytes(file.read_bytes()[:-1] + bytes([file.read_bytes()[-1] ^ 1])),
}


def script(name, *words, before=(), **environment):
    command = [*before, sys.executable, HERE / name, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ONE_THREAD | environment)


@pytest.mark.fault(6, 7)
@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_file_of_the_newest_checkpoint_is_damaged_the_one_before_is_taken(short_run, tmp_path, damage):
    older, newest = RunFolder(short_run).steps()
    files = [file.relative_to(newest) for file in newest.rglob("*") if file.is_file()]
    assert len(files) > 12
    for number, name in enumerate(files):
        run = RunFolder(tmp_path / str(number))
        shutil.copytree(short_run / "checkpoints", run.checkpoints)
        DAMAGES[damage](run.checkpoints / newest.name / name)
        notes = []
        assert run.newest(notes.append).name == older.name
        assert str(name.name) in notes[0]


@pytest.mark.fault(8)
def test_a_run_that_has_to_be_continued_is_not_begun(corpus, tmp_path):
    with pytest.raises(DataError, match="has no checkpoint to continue from"):
        pretrain(small_settings(), corpus, tmp_path / "run", resume="must", panel=False)
    assert not (tmp_path / "run").exists()
    pretrain(small_settings(steps=5), corpus, tmp_path / "run", panel=False)
    pretrain(small_settings(steps=5), corpus, tmp_path / "run", resume="must", panel=False)


@pytest.mark.fault(2)
def test_a_disk_that_fills_up_stops_a_run_which_goes_on_when_there_is_room(
    corpus, texts, tokenizer, tmp_path, own_mounts
):
    (tmp_path / "disk").mkdir()
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    words = [corpus, texts / "texts.txt", tmp_path / "tokenizer", tmp_path / "disk", *(["mount"] if own_mounts else [])]
    done = script("full_disk.py", *words, before=own_mounts or ())
    assert done.returncode == 0, done.stderr


@pytest.mark.fault(35)
def test_a_batch_that_the_memory_does_not_hold_is_computed_in_parts(corpus, tmp_path):
    done = script("little_memory.py", corpus, tmp_path / "run", 2048)
    assert done.returncode == 0, done.stderr
    records = list(read_metrics(tmp_path / "run/metrics.jsonl"))
    notes = [record["text"] for record in records if record["kind"] == "note"]
    assert notes, "the memory was not too small"
    assert "out of memory" in notes[0]
    assert "parts of 1024 rows" in notes[0]
    pretrain(
        small_settings(batch_size=2048, steps=2, log_every=1, eval_every=2, eval_rows=64, max_length=64),
        corpus, tmp_path / "whole", panel=False,
    )  # fmt: skip
    expected = [record for record in read_metrics(tmp_path / "whole/metrics.jsonl") if record["kind"] == "train"]
    found = [record for record in records if record["kind"] == "train"]
    assert [record["tokens"] for record in found] == [record["tokens"] for record in expected]
    assert [record["loss"] for record in found] == pytest.approx([record["loss"] for record in expected], rel=1e-4)


@pytest.fixture(scope="module")
def quiet(corpus, tmp_path_factory):
    """A run nothing happened to."""
    folder = tmp_path_factory.mktemp("quiet") / "run"
    pretrain(small_settings(steps=60), corpus, folder, panel=False)
    return folder


def same_networks(one, other):
    return all(
        (one / name / "model.safetensors").read_bytes() == (other / name / "model.safetensors").read_bytes()
        for name in ("discriminator", "generator")
    )


def test_a_run_that_has_memory_for_no_row_keeps_the_updates_it_made(corpus, tmp_path, quiet, monkeypatch):
    from electra.torch.backend import Backend

    whole = Backend.train_step

    def train_step(self, parts, *, step, learning_rate):
        if step == 7:
            raise MemoryError("out of memory")
        return whole(self, parts, step=step, learning_rate=learning_rate)

    monkeypatch.setattr(Backend, "train_step", train_step)
    with pytest.raises(TryAgainError, match="does not hold one row"):
        pretrain(small_settings(steps=60), corpus, tmp_path / "run", panel=False)
    assert [path.name for path in RunFolder(tmp_path / "run").steps()] == ["step-00000005", "step-00000007"]
    monkeypatch.undo()
    pretrain(small_settings(steps=60), corpus, tmp_path / "run", panel=False)
    assert same_networks(tmp_path / "run", quiet)


def kill_workers(run, times):
    """In a thread: kill a worker each time that metrics appear after the last one was replaced."""

    def work():
        killed = set()
        while len(killed) < times:
            alive = [child for child in multiprocessing.active_children() if child.pid not in killed]
            if alive and (run / "metrics.jsonl").exists() and "train" in (run / "metrics.jsonl").read_text():
                os.kill(alive[0].pid, signal.SIGKILL)
                killed.add(alive[0].pid)
            time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.fault(33)
def test_a_data_worker_killed_in_a_run_changes_nothing(quiet, corpus, tmp_path):
    killer = kill_workers(tmp_path / "run", times=1)
    pretrain(small_settings(steps=60, workers=1), corpus, tmp_path / "run", panel=False)
    killer.join()
    assert same_networks(quiet, tmp_path / "run")


@pytest.mark.fault(33)
def test_a_data_worker_killed_again_stops_the_run_which_was_saved_and_goes_on(quiet, corpus, tmp_path):
    run = RunFolder(tmp_path / "run")
    killer = kill_workers(run.path, times=2)
    settings = small_settings(steps=60, workers=1, checkpoint_every=1000, log_every=1)
    with pytest.raises(TryAgainError, match="a loader process died twice"):
        pretrain(settings, corpus, run.path, panel=False)
    killer.join()
    last = max(record["step"] for record in read_metrics(run.metrics_file) if record["kind"] == "train")
    assert [checkpoint.name for checkpoint in run.steps()] == [f"step-{last:08d}"]
    pretrain(settings, corpus, run.path, panel=False)
    assert same_networks(quiet, run.path)


HOLDER = """
import sys, time
from pathlib import Path
from electra.disk.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.fault(42)
def test_a_run_that_another_process_is_at_work_on_is_left_alone(corpus, tmp_path):
    run = tmp_path / "run"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, run], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(TryAgainError, match=rf"run is in use by process {holder.pid} on \S+, since") as caught:
        pretrain(small_settings(steps=2), corpus, run, panel=False)
    assert caught.value.exit_code == 75
    assert not (run / "settings.json").exists()
    holder.kill()
    holder.communicate()
    assert (run / lock.LOCK).exists()
    pretrain(small_settings(steps=2), corpus, run, panel=False)
    assert not (run / lock.LOCK).exists()


@pytest.mark.fault(42)
def test_without_flock_a_lock_is_stale_where_its_process_is_gone_from_this_host(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with lock.hold(tmp_path):
        owner = json.loads((tmp_path / lock.LOCK).read_text())
        with pytest.raises(TryAgainError, match=f"process {os.getpid()}"), lock.hold(tmp_path):
            pass
    for changes, is_free in (({"pid": ended.pid}, True), ({"pid": ended.pid, "host": "another"}, False)):
        (tmp_path / lock.LOCK).write_text(json.dumps(owner | changes))
        if is_free:
            with lock.hold(tmp_path):
                pass
        else:
            with pytest.raises(TryAgainError, match="on another"), lock.hold(tmp_path):
                pass


@pytest.mark.fault(43)
def test_a_clock_that_jumps_a_day_back_and_forth_is_not_seen_in_a_run(corpus, tmp_path, failing_system):
    recipe = tmp_path / "recipe.toml"
    settings = small_settings(steps=20, workers=1).to_dict()
    plain = {key: value for key, value in settings.items() if value is not None and key != "model"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    model = [f"{key} = {value}" for key, value in settings["model"].items()]
    recipe.write_text("\n".join([*lines, "[model]", *model]))
    done = subprocess.run(
        [sys.executable, "-m", "electra", "pretrain", corpus, tmp_path / "run", "--recipe", recipe],
        env=ONE_THREAD | {"LD_PRELOAD": str(failing_system), "FAULT_CLOCK": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seconds = [record["seconds"] for record in read_metrics(tmp_path / "run/metrics.jsonl")]
    assert seconds == sorted(seconds)
    assert all(0 <= second < 3600 for second in seconds)


@pytest.mark.fault(43)
@pytest.mark.parametrize("verb", ["pretrain", "prepare", "vocab"])
def test_a_folder_that_is_read_only_is_an_error_before_any_work(verb, corpus, texts, tmp_path, bound_by_permissions):
    place = tmp_path / "read-only"
    place.mkdir(mode=0o555)
    words = {
        "pretrain": [corpus, place / "run", "--preset", "tiny", "--steps", "2"],
        "prepare": [texts, "--tokenizer", corpus / "tokenizer", "--out", place / "corpus"],
        "vocab": [texts, "--out", place / "vocabulary", "--size", "200"],
    }[verb]
    done = subprocess.run(
        [*bound_by_permissions, sys.executable, "-m", "electra", verb, *words], capture_output=True, text=True
    )
    assert done.returncode == 73, done.stderr
    assert "could not be written" in done.stderr
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(place.iterdir())


@pytest.mark.fault(43)
def test_a_link_to_a_folder_stays_one_and_the_folder_it_leads_to_is_written(corpus, texts, tokenizer, tmp_path):
    from electra.data.prepare import prepare

    for name in ("run", "corpus"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
        (tmp_path / name).symlink_to(tmp_path / "elsewhere" / name)
    pretrain(small_settings(steps=2), corpus, tmp_path / "run", panel=False)
    prepare(texts / "texts.txt", tmp_path / "corpus", tokenizer, processes=1)
    for name, file in (("run", "discriminator/model.safetensors"), ("corpus", "corpus.json")):
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "elsewhere" / name / file).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "elsewhere", "run"]


@pytest.mark.fault(43)
def test_where_names_cannot_be_exchanged_a_folder_is_replaced_by_two_renames(tmp_path, monkeypatch):
    monkeypatch.setattr(swap, "exchange", lambda one, other: False)
    for text in ("old", "new"):
        with write_folder_atomically(tmp_path / "folder") as stage:
            (stage / "file").write_text(text)
    assert (tmp_path / "folder/file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.fault(45)
def test_a_device_that_is_not_there_is_refused_by_name_and_none_asked_for_is_the_processor(corpus, tmp_path):
    import torch

    from electra.errors import ConfigError

    for device in ("cuda:99", "abacus"):
        with pytest.raises(ConfigError, match=f"device is '{device}', which cannot be used here"):
            pretrain(small_settings(device=device), corpus, tmp_path / "run", panel=False)
    assert not (tmp_path / "run").exists()
    pretrain(small_settings(steps=1), corpus, tmp_path / "run", panel=False)
    found = RunFolder(tmp_path / "run").settings()["machine"]["device"]
    assert found == ("cuda" if torch.cuda.is_available() else "cpu")
