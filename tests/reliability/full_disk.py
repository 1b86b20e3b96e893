"""A disk that fills up under a run, and has room again: python full_disk.py CORPUS TEXTS TOKENIZER FOLDER [MOUNT]

With MOUNT, FOLDER is a tmpfs of a few megabytes that a file fills; else the size that files may have is limited, which is real
too but no lack of room before a run begins.
"""

import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch

from electra.data.corpus import Corpus
from electra.data.prepare import prepare
from electra.errors import DiskFullError
from electra.tokenization import load_tokenizer
from electra.training.pretrain import pretrain
from electra.training.run import RunFolder
from electra.weights.checkpoint import verify_manifest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from small_run import small_settings

corpus, texts, tokenizer, disk = map(Path, sys.argv[1:5])
is_mounted = len(sys.argv) > 5
torch.set_num_threads(1)


def fill():
    if not is_mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        return
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(10_000)):
                pass
        except OSError:
            pass


def free():
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    (disk / "filler").unlink(missing_ok=True)


def refused(act):
    """The message of the error that `act` ends with."""
    try:
        act()
    except DiskFullError as error:
        found = error
    else:
        raise AssertionError("there was room")
    assert found.exit_code == 75
    assert "bytes are free" in str(found), found
    return str(found)


def train(folder, **changes):
    pretrain(small_settings(steps=3000, checkpoint_every=5, **changes), corpus, folder, panel=False)


def full_under_a_run():
    """Fill the disk once there is a checkpoint; the run ends, its newest checkpoint is whole, and with room it goes on."""
    run = RunFolder(disk / "run")
    thread = threading.Thread(target=lambda: (wait_for(lambda: run.steps()), fill()))
    thread.start()
    told = refused(lambda: train(run.path))
    thread.join()
    assert "make room and run the same command again" in told, told
    checkpoint = run.newest(print)
    verify_manifest(checkpoint)
    free()
    before = json.loads((checkpoint / "state.json").read_text())["step"]
    thread = threading.Thread(target=lambda: (wait_for(lambda: int(run.steps()[-1].name[5:]) > before), fill()))
    thread.start()
    refused(lambda: train(run.path))
    thread.join()
    free()


def wait_for(condition):
    while not condition():
        time.sleep(0.002)


def full_under_a_corpus():
    fill()
    told = refused(lambda: prepare(texts, disk / "corpus", load_tokenizer(tokenizer), processes=1))
    assert str(disk / "corpus") in told
    free()
    prepare(texts, disk / "corpus", load_tokenizer(tokenizer), processes=1)
    Corpus.open(disk / "corpus").verify()


if is_mounted:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", disk], check=True)
full_under_a_run()
full_under_a_corpus()
if is_mounted:
    told = refused(lambda: train(disk / "large", keep_checkpoints=40))
    assert "bytes more for 40 checkpoints" in told, told
    assert not (disk / "large" / "metrics.jsonl").exists()
