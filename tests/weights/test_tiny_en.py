"""electra-tiny-en, the model that comes with the package: whole, small, measured as it is, and of use at once."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors import safe_open

import electra
from electra.cli import main
from electra.weights.folders import NETWORKS
from electra.weights.shipped import OWN

MODEL = OWN / "electra-tiny-en"
MEASURED = Path(__file__).parents[2] / "benchmarks/results/tiny_en.json"


def test_it_is_as_it_was_made(capsys):
    for folder in (MODEL, *(MODEL / name for name in NETWORKS)):
        assert main(["verify", str(folder)]) == 0, capsys.readouterr().out


def test_both_networks_are_bfloat16_and_under_25_mb():
    files = [MODEL / name / "model.safetensors" for name in NETWORKS]
    assert sum(file.stat().st_size for file in files) < 25e6
    for file in files:
        with safe_open(file, "np") as tensors:
            assert {tensors.get_slice(name).get_dtype() for name in tensors.keys()} == {"BF16"}  # noqa: SIM118


def test_its_numbers_are_of_these_weights_and_its_card_says_them():
    report, card = json.loads(MEASURED.read_text()), (MODEL / "README.md").read_text(encoding="utf-8")
    weights = b"".join(file.read_bytes() for file in sorted(MODEL.rglob("*.safetensors")))
    assert report["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert f"ROC-AUC {report['detection']['roc_auc']:.3f}" in card
    assert "CC BY-SA 4.0" in card


def test_it_answers_in_a_new_process_from_an_empty_folder(tmp_path):
    command = [sys.executable, "-m", "electra", "inspect", "electra-tiny-en", "--json"]
    done = subprocess.run(
        [*command, "The river flows through the city and into the because."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    words = json.loads(done.stdout)["words"]
    assert max(words, key=lambda word: word["score"])["text"] == "because"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "class_name"), NETWORKS.items())
def test_transformers_computes_the_same(name, class_name):
    tokenizer = electra.ElectraTokenizer.from_pretrained(MODEL / name)
    ids = torch.tensor([tokenizer("The old mill stood by the river.")["input_ids"]])
    theirs = getattr(transformers, class_name).from_pretrained(MODEL / name, dtype=torch.float32).eval()
    ours = getattr(electra, class_name).from_pretrained(MODEL / name).float().eval()
    with torch.no_grad():
        torch.testing.assert_close(ours(ids).logits, theirs(ids).logits, rtol=0, atol=2e-5)
