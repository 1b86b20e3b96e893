"""What SECURITY.md promises: no network unasked, nothing unpickled, no path that leaves its folder."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_run import MODEL
from small_tuning import ADJECTIVES, NOUNS

from electra.data.corpus import Corpus
from electra.disk.replace import settle
from electra.errors import DataError, ElectraError, WeightsError
from electra.tokenization import load_tokenizer
from electra.weights.checkpoint import MANIFEST, verify_manifest
from electra.weights.sources import open_source

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

# Every command in one process, so that frameworks are imported once. argv: a file of commands, their words between tabs.
WAY = """
import sys
from electra.cli import main
if __name__ == "__main__":
    for line in open(sys.argv[1]):
        words = line.rstrip("\\n").split("\\t")
        assert main(words) == 0, words
"""


def test_from_text_to_an_answer_nobody_asks_for_the_network(texts, tmp_path):
    place = tmp_path
    recipe = "".join(f"{key} = {value}\n" for key, value in MODEL.items())
    (place / "recipe.toml").write_text(
        'preset = "tiny"\nstart = "original"\nsteps = 4\nbatch_size = 8\nmax_length = 32\nthreads = 1\nworkers = 1\n'
        f"[model]\n{recipe}"
    )
    rows = [f"the {adjective} {noun}\t{adjective}" for noun in NOUNS for adjective in ADJECTIVES]
    (place / "train.tsv").write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    (place / "ask.txt").write_text("the old garden\n")
    tune = ["finetune", place / "run", place / "tuned", "--train", place / "train.tsv", "--kind", "classification"]
    commands = [
        ["vocab", texts, "--out", place / "vocabulary", "--size", 200],
        ["prepare", texts, "--tokenizer", place / "vocabulary", "--out", place / "corpus", "--processes", 2],
        ["pretrain", place / "corpus", place / "run", "--recipe", place / "recipe.toml"],
        ["report", place / "run"],
        ["inspect", place / "run", "the old garden"],
        ["verify", place / "run" / "discriminator"],
        ["convert", place / "run" / "discriminator", place / "flax", "--to", "flax"],
        [*tune, "--seeds", 1, "--epochs", 1, "--max-length", 32, "--threads", 1],
        ["predict", place / "tuned" / "model", place / "ask.txt"],
        ["doctor"],
    ]
    (place / "commands").write_text("\n".join("\t".join(map(str, words)) for words in commands) + "\n")
    (place / "way.py").write_text(WAY)
    asked = place / "asked"
    path = os.pathsep.join([str(HERE / "guard"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "NETWORK_GUARD": str(asked), "MPLCONFIGDIR": str(place / "mpl")}
    done = subprocess.run(
        [sys.executable, place / "way.py", place / "commands"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not asked.exists(), asked.read_text()
    probe = "import socket; socket.create_connection(('localhost', 9))"
    assert subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True).returncode == 1
    assert "getaddrinfo" in asked.read_text()


@pytest.mark.fault(5)
def test_the_source_unpickles_only_what_its_own_processes_sent():
    """Workers of one run speak in pickles over pipes of their own; the weights-only loader of PyTorch is asked by name."""
    words = ("pickle.load", "pickle.Unpickler", "torch.load(", "allow_pickle=True", "joblib", "dill", "eval(", "exec(")
    found = {
        (path.relative_to(ROOT / "src/electra").as_posix(), line.strip())
        for path in (ROOT / "src").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if any(word in line for word in words) and not line.strip().endswith((".eval()", "model.eval()"))
    }
    assert found == {
        ("data/workers.py", "copy = pickle.loads(pickle.dumps(error))"),
        ("weights/pickles.py", 'state = torch.load(path, map_location="cpu", weights_only=True)'),
    }


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


@pytest.mark.fault(5)
def test_a_pickle_in_place_of_any_file_is_not_run(short_run, corpus, tmp_path, monkeypatch):
    shutil.copytree(short_run / "discriminator", tmp_path / "model")
    shutil.copytree(corpus, tmp_path / "corpus")
    monkeypatch.chdir(tmp_path)
    readers = (
        lambda: open_source(Path("model"), allow_pickle_weights=True),
        lambda: load_tokenizer("model"),
        lambda: Corpus.open("corpus").verify(),
    )
    refused = 0
    for file in [path for path in tmp_path.rglob("*") if path.is_file()]:
        whole = file.read_bytes()
        file.write_bytes(pickle.dumps(Bomb()))
        for read in readers:
            try:
                read()
            except ElectraError:
                refused += 1
        file.write_bytes(whole)
    (tmp_path / "model/model.safetensors").rename("model/pytorch_model.bin")
    Path("model/pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    for read in readers[:1]:
        with pytest.raises(WeightsError, match="refused by the weights-only loader"):
            read()
    assert refused > 8
    assert not Path("exploded").exists()


@pytest.mark.fault(40)
@pytest.mark.parametrize("name", ["../precious", "/tmp/precious", "a/../../precious", "..", 3])
def test_what_a_folder_says_of_its_own_files_never_reaches_outside_of_it(name, tmp_path):
    (tmp_path / "precious").write_text("mine")
    folder = tmp_path / "model"
    (folder / ".committed-1-aa").mkdir(parents=True)
    (folder / ".committed-1-aa" / ".removed").write_text(json.dumps([name]))
    with pytest.raises(DataError, match="is not a list of files in its folder"):
        settle(folder)
    (folder / MANIFEST).write_text(json.dumps({"files": {str(name): {"size": 4, "sha256": "0" * 64}}}))
    with pytest.raises(DataError, match='has no "files"' if name != 3 else "3 is missing"):
        verify_manifest(folder)
    assert (tmp_path / "precious").read_text() == "mine"
