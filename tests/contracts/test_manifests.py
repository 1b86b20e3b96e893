"""In three frameworks: weights that are not what their manifest.json says are refused, and loaded on request."""

import numpy as np
import pytest
from damage import flip_bit

import electra
from electra.errors import WeightsError
from electra.verification.checks import CHANGED, OK, verify
from electra.verification.record import seal
from electra.weights.files import read_tensors

CLASSES = {
    "torch": "ElectraForPreTraining",
    "tf": "TFElectraForPreTraining",
    "flax": "FlaxElectraForPreTraining",
}
SIZES = dict(
    vocab_size=40, embedding_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    max_position_embeddings=16,
)  # fmt: skip


@pytest.fixture(params=CLASSES)
def model_class(request):
    return getattr(electra, CLASSES[request.param])


@pytest.fixture
def folder(model_class, tmp_path):
    """A model folder on record."""
    model_class(electra.ElectraConfig(**SIZES)).save_pretrained(tmp_path / "model")
    seal(tmp_path / "model", with_logits=False)
    return tmp_path / "model"


def same(model, folder, into):
    """Whether a model has the tensors of a folder."""
    model.save_pretrained(into)
    held, expected = read_tensors(into), read_tensors(folder)
    return held.keys() == expected.keys() and all(np.array_equal(held[name], expected[name]) for name in expected)


@pytest.mark.fault(4)
def test_a_flipped_bit_is_refused_and_loaded_on_request(model_class, folder, tmp_path):
    assert same(model_class.from_pretrained(folder), folder, tmp_path / "whole")
    flip_bit(folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"model\.safetensors has other content.*sha256 .*check_manifest=False"):
        model_class.from_pretrained(folder)
    assert same(model_class.from_pretrained(folder, check_manifest=False), folder, tmp_path / "flipped")


@pytest.mark.fault(4)
def test_a_model_saved_over_its_record_loads_and_is_told_as_new(model_class, folder, tmp_path):
    other = model_class(electra.ElectraConfig(**SIZES | {"intermediate_size": 24}))
    other.save_pretrained(folder)
    assert same(model_class.from_pretrained(folder), folder, tmp_path / "again")
    (files, *_) = verify(folder)
    assert (files.answer, files.words) == (CHANGED, "config.json is new; model.safetensors is new")
    seal(folder, with_logits=False)
    assert verify(folder)[0].answer == OK
