"""The documentation page's examples run here by changing the import line alone, and give what they give in the reference.

Weights are random, as nobody ships the page's: checkpoints under its names, with the real vocabulary. Long lines are the
page's.
"""

import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from flax_examples import EXAMPLES as FLAX
from tf_examples import EXAMPLES as TF
from torch_examples import EXAMPLES as TORCH

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
    """A working directory in which the page's checkpoints are folders; in its folder `old` without safetensors.

    The reference's TensorFlow classes cannot read what its PyTorch classes write: with safetensors 0.5 or later they fail.
    """
    place = tmp_path_factory.mktemp("page")
    tokenizer = electra.ElectraTokenizer(vocab_file=str(minilm / "vocab.txt"))
    torch.manual_seed(0)
    for name, (class_name, changes) in NAMES.items():
        model = getattr(electra, class_name)(electra.ElectraConfig(**(SIZES | changes)))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.3)
        for folder, formats in ((place / name, ["safetensors"]), (place / "old" / name, ["h5", "msgpack"])):
            model.save_pretrained(folder, formats=formats)
            tokenizer.save_pretrained(folder)
    return place


def run(program: str, package: str) -> dict[str, Any]:
    """The variables an example leaves behind, its import line changed to `package`."""
    left: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NewWeightsWarning)  # some begin with a new head, as the page says
        warnings.filterwarnings("ignore", message=".*is_decoder false")  # the page's causal model in Flax is an encoder
        if package == "transformers":
            warnings.simplefilter("ignore")  # of TensorFlow, tf_keras and flax, on being imported
        exec(compile(program.replace("from transformers import", f"from {package} import"), package, "exec"), left)
    return left


@pytest.mark.parametrize("name", TORCH | TF | FLAX)
def test_an_example_of_the_page_gives_what_it_gives_there(name, checkpoints, monkeypatch):
    monkeypatch.chdir(checkpoints)
    program, names = (TORCH | TF | FLAX)[name]
    ours = run(program, "electra")
    if name not in TORCH:
        monkeypatch.chdir(checkpoints / "old")
    # TensorFlow's losses have one number a row there, which NumPy no longer takes for a number.
    theirs = run(re.sub(r"float\((.*loss)\)", r"float(tf.math.reduce_mean(\1))", program), "transformers")
    for variable in names:
        found, expected = ours[variable], theirs[variable]
        if hasattr(found, "shape"):
            np.testing.assert_allclose(to_numpy(found), to_numpy(expected), rtol=1e-5, atol=2e-5, err_msg=variable)
        else:
            assert found == expected, variable


def to_numpy(array: Any) -> Any:
    return array.detach().numpy() if torch.is_tensor(array) else np.asarray(array)


def test_the_tokens_are_those_the_page_prints(checkpoints, monkeypatch):
    monkeypatch.chdir(checkpoints)
    left = run(TORCH["ElectraForPreTraining"][0], "electra")
    assert " ".join(left["fake_tokens"]) == "[CLS] the quick brown fox fake over the lazy dog [SEP]"


def test_every_class_of_the_page_has_its_example():
    shown = {name.split(",")[0] for name in TORCH | TF | FLAX}
    assert {head.class_in(framework) for head in HEADS for framework in head.frameworks} <= shown
