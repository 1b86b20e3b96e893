"""Let each write, fsync and rename of a saving fail, one after the other: python failing_disk.py SCENARIO FOLDER MODE STRIDE

Run with faults.c preloaded. For every k a fork does the saving on a fresh copy of what was there before, and its k-th operation
is refused, done by half, or the process is killed at it. Then what is there must be the old or the new, whole, for those who
read it; and the same saving, done again on a disk that works, must leave the new and nothing beside it.
"""

import ctypes
import json
import os
import shutil
import sys
import warnings
from errno import EIO, ENOSPC
from pathlib import Path

import numpy as np

from electra.config import ElectraConfig
from electra.data.corpus import Corpus
from electra.data.prepare import prepare
from electra.errors import ElectraError
from electra.first_weights import first_weights
from electra.tokenization import (
    ElectraTokenizer,
    ElectraTokenizerFast,
    load_tokenizer,
    read_vocabulary,
    write_vocabulary,
)
from electra.training.run import RunFolder
from electra.weights.checkpoint import write_manifest
from electra.weights.files import write_tensors
from electra.weights.folders import read_weights, save_model
from electra.weights.names import tensors

MODES = {"refused": 1, "half": 2, "killed": 3}
SIZES = dict(embedding_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "river", "teacher", "engine"]


def config_of(vocab_size):
    return ElectraConfig(
        vocab_size=vocab_size, max_position_embeddings=8, architectures=["ElectraForPreTraining"], **SIZES
    )


def model_of(vocab_size):
    config = config_of(vocab_size)
    return config, first_weights(tensors(config), 0.02, 0)


class Model:
    """A model folder on record with another model's files in it: other shapes, and shards where there was one file."""

    def old(self, folder):
        save_model(folder, *model_of(10), "5GB", ["safetensors"])
        write_manifest(folder, {})

    def new(self, folder):
        save_model(folder, *model_of(12), "400", ["safetensors"])

    def read(self, folder):
        config, arrays = ElectraConfig.from_pretrained(folder), read_weights(folder)
        expected = model_of(vars(config)["vocab_size"])[1]
        assert arrays.keys() == expected.keys()
        assert all(np.array_equal(arrays[name], expected[name]) for name in expected)
        return vars(config)["vocab_size"]


class Tokenizer:
    """The four files of a tokenizer, and one file of the user's."""

    def _write(self, folder, words):
        write_vocabulary(folder.with_suffix(".txt"), words)
        ElectraTokenizer(folder.with_suffix(".txt")).save_pretrained(folder)

    def old(self, folder):
        self._write(folder, WORDS)
        (folder / "notes.txt").write_text("mine")

    def new(self, folder):
        self._write(folder, [*WORDS, "garden"])

    def read(self, folder):
        assert (folder / "notes.txt").read_text() == "mine"
        assert len(read_vocabulary(folder.with_suffix(".txt"))) in (8, 9)
        return load_tokenizer(folder).fingerprint()


class Corpora:
    """A prepared corpus over another."""

    def __init__(self, folder):
        write_vocabulary(folder / "vocab.txt", WORDS)
        self.tokenizer = ElectraTokenizerFast(folder / "vocab.txt")
        for name, text in (("a", "river\n\nteacher river\n\n"), ("b", "engine\n\nriver engine\n\nteacher\n\n")):
            (folder / f"{name}.txt").write_text(text)
        self.folder = folder

    def _prepare(self, name, out):
        prepare(self.folder / f"{name}.txt", out / "corpus", self.tokenizer, held_out=0.3, processes=1, overwrite=True)

    def old(self, out):
        self._prepare("a", out)

    def new(self, out):
        self._prepare("b", out)

    def read(self, out):
        for split in ("train", "validation"):
            corpus = Corpus.open(out / "corpus", split)
            corpus.verify()
        load_tokenizer(corpus.tokenizer_folder)
        return corpus.fingerprint


class Checkpoint:
    """The next checkpoint of a run, which takes the place of the one before."""

    def _save(self, folder, step):
        def write(stage):
            save_model(stage / "discriminator", *model_of(10 + step), "5GB", ["safetensors"])
            write_tensors(stage / "optimizer.safetensors", {"m": np.full(9, step, np.float32)})

        RunFolder(folder).save(step, write, {"seconds": 0.5}, keep=1)

    def old(self, folder):
        self._save(folder, 1)

    def new(self, folder):
        self._save(folder, 2)

    def read(self, folder):
        checkpoint = RunFolder(folder).newest(lambda note: None)
        step = json.loads((checkpoint / "state.json").read_text())["step"]
        config = ElectraConfig.from_pretrained(checkpoint / "discriminator")
        assert vars(config)["vocab_size"] == 10 + step
        return step


class Result:
    """What a fine-tuning leaves when its seeds are done: results.json and the model of the best one."""

    def __init__(self, folder):
        sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
        import torch
        from small_tuning import data_of, encoder_of, settings_of

        torch.set_num_threads(1)
        letters = "abcdefghijklmnopqrstuvwxyz."
        write_vocabulary(folder / "vocab.txt", [*WORDS, *letters, *(f"##{letter}" for letter in letters)])
        encoder = encoder_of(ElectraTokenizer(folder / "vocab.txt"))
        self.given = data_of(count=16, dev=8), encoder, settings_of(epochs=1, evaluations=1)

    def new(self, folder):
        from electra.training.finetune import finetune

        finetune(*self.given, folder / "run", panel=False, report=False)

    def old(self, folder):
        self.new(folder)
        self.card = (folder / "run/model/README.md").read_text()
        (folder / "run/results.json").unlink()

    def read(self, folder):
        from electra.weights.checkpoint import verify_manifest

        verify_manifest(folder / "run/model")
        assert (folder / "run/model/README.md").read_text() == self.card
        results = folder / "run/results.json"
        return json.loads(results.read_text())["chosen"] if results.exists() else "none yet"


SCENARIOS = {"model": Model, "tokenizer": Tokenizer, "corpus": Corpora, "checkpoint": Checkpoint, "result": Result}


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def strike(scenario, root, mode, number):
    """Do the saving in a fork whose operation of this number fails: None where it has fewer, else how the fork ended."""
    child = os.fork()
    if child == 0:
        libc.fault_arm(os.fsencode(root), MODES[mode], number, EIO if number % 2 else ENOSPC)
        try:
            scenario.new(root / "folder")
            code = 0
        except ElectraError:
            code = 3
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            code = 4
        os._exit(code if libc.fault_seen() >= number else 9)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return None if ended == 9 else ended


def main():
    name, work, mode, stride = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    kind, root = SCENARIOS[name], work / "disk"
    work.mkdir(parents=True)
    scenario = kind(work) if "__init__" in vars(kind) else kind()
    for state in ("before", "after"):
        (work / state / "folder").mkdir(parents=True)
        scenario.old(work / state / "folder")
    scenario.new(work / "after" / "folder")
    old, new = (scenario.read(work / state / "folder") for state in ("before", "after"))
    assert old != new
    found = {old: 0, new: 0}
    number = 1
    while True:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(work / "before", root)
        ended = strike(scenario, root, mode, number)
        if ended is None:
            break
        where = f"{name}, operation {number} {mode}, exit {ended}"
        assert ended == -9 if mode == "killed" else ended in (0, 3), where
        held = scenario.read(root / "folder")
        assert held in (old, new), where
        assert held == new or ended, where
        found[held] += 1
        scenario.new(root / "folder")
        assert scenario.read(root / "folder") == new, where
        assert listing(root) == listing(work / "after"), (where, set(listing(root)) ^ set(listing(work / "after")))
        number += stride
    print(json.dumps({"operations": number - 1, "old": found[old], "new": found[new]}))


if __name__ == "__main__":
    warnings.simplefilter("error")
    libc = ctypes.CDLL(None)
    main()
