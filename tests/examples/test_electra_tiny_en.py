"""The model that comes with the package: made in small by its own script, and found by its name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import electra
from electra.weights.checkpoint import verify_manifest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(corpus, tmp_path_factory):
    """What the script leaves, out of a second of training and one task of sixty sentences."""
    work = tmp_path_factory.mktemp("tiny-en")
    (work / "CoLA").mkdir()
    for split in ("train", "dev"):
        lines = [f"x\t{i % 2}\t\t{'the old river' if i % 2 else 'river the old'}" for i in range(60)]
        (work / "CoLA" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    settings = {
        "WORK": work, "CORPUS": corpus, "DATA": work, "MINUTES": "0.01", "PRETRAIN": "--threads 1 --max-length 32",
        "MEASURE": f"--rows 16 --sentences 10 --seeds 2 --only cola --jobs 1 --cap 40 --out {work / 'results.json'}",
        "RESULTS": f"--results {work / 'results.json'}",
    }  # fmt: skip
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": str(ROOT / "src")} | {name: str(value) for name, value in settings.items()}
    done = subprocess.run(
        ["sh", "examples/electra-tiny-en/make.sh"], cwd=ROOT, env=os.environ | own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return work


def test_it_has_both_networks_a_card_and_manifests_that_hold(made):
    folder = made / "electra-tiny-en"
    for place in (folder, folder / "discriminator", folder / "generator"):
        assert "CC BY-SA 4.0" in (place / "README.md").read_text(encoding="utf-8")
        verify_manifest(place)
        assert "README.md" in json.loads((place / "manifest.json").read_text())["files"]


def test_the_card_says_what_was_measured(made):
    report, card = json.loads((made / "results.json").read_text()), (made / "electra-tiny-en/README.md").read_text()
    assert f"ROC-AUC {report['detection']['roc_auc']:.3f}" in card
    assert f"{report['pretraining']['electra']['steps']:,} updates" in card
    assert str(made) not in card + json.dumps(report)


def test_it_answers_by_its_name(made, monkeypatch):
    monkeypatch.setenv("ELECTRA_MODELS", str(made))
    assert electra.load("electra-tiny-en").suggest("the old river", 4, 7, 2)
