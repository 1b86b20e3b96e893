"""The documentation page's examples run here by changing the import line alone, and give what they give in the reference.

Weights are random, as nobody ships the page's: checkpoints under its names, with the real vocabulary. Long lines are the
page's.
"""

import warnings
from typing import Any

import pytest
import torch
from torch_examples import EXAMPLES

import electra
from electra.heads import HEADS
from electra.weights.matching import NewWeightsWarning

NAMES = {
    "google/electra-small-discriminator": ("ElectraForPreTraining", {}),
    "google/electra-small-generator": ("ElectraForMaskedLM", {}),
    "google/electra-base-discriminator": ("ElectraForPreTraining", {"embedding_size": 32}),
    "google/electra-base-generator": ("ElectraForMaskedLM", {"embedding_size": 32}),
    "bhadresh-savani/electra-base-emotion": (
        "ElectraForSequenceClassification",
        {"id2label": dict(enumerate(["sadness", "joy", "love", "anger", "fear", "surprise"]))},
    ),
    "bhadresh-savani/electra-base-discriminator-finetuned-conll03-english": (
        "ElectraForTokenClassification",
        {"id2label": dict(enumerate(["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]))},
    ),
    "bhadresh-savani/electra-base-squad2": ("ElectraForQuestionAnswering", {}),
}
SIZES = {"embedding_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64}


@pytest.fixture(scope="module")
def checkpoints(minilm, tmp_path_factory):
    """A working directory in which the page's checkpoints are folders."""
    place = tmp_path_factory.mktemp("page")
    tokenizer = electra.ElectraTokenizer(vocab_file=str(minilm / "vocab.txt"))
    torch.manual_seed(0)
    for name, (class_name, changes) in NAMES.items():
        model = getattr(electra, class_name)(electra.ElectraConfig(**(SIZES | changes)))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.3)
        model.save_pretrained(place / name)
        tokenizer.save_pretrained(place / name)
    return place


def run(program: str, package: str) -> dict[str, Any]:
    """The variables an example leaves behind, its import line changed to `package`."""
    left: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NewWeightsWarning)  # multiple choice begins with a new head, as the page says
        exec(compile(program.replace("from transformers import", f"from {package} import"), package, "exec"), left)
    return left


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_page_gives_what_it_gives_there(name, checkpoints, monkeypatch):
    monkeypatch.chdir(checkpoints)
    program, names = EXAMPLES[name]
    ours, theirs = run(program, "electra"), run(program, "transformers")
    for variable in names:
        if torch.is_tensor(ours[variable]):
            torch.testing.assert_close(ours[variable], theirs[variable], rtol=1e-5, atol=1e-5, msg=variable)
        else:
            assert ours[variable] == theirs[variable], variable


def test_the_tokens_are_those_the_page_prints(checkpoints, monkeypatch):
    monkeypatch.chdir(checkpoints)
    left = run(EXAMPLES["ElectraForPreTraining"][0], "electra")
    assert " ".join(left["fake_tokens"]) == "[CLS] the quick brown fox fake over the lazy dog [SEP]"


def test_every_pytorch_class_of_the_page_has_its_example():
    shown = {name.split(",")[0] for name in EXAMPLES}
    assert {head.class_name for head in HEADS if "torch" in head.frameworks} <= shown
