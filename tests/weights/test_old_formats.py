"""Weight files of transformers' TensorFlow and Flax classes: read, written, exchanged with them, refused when damaged."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import torch

import electra
from electra.errors import UsageError, WeightsError
from electra.heads import HEADS
from electra.weights.folders import read_weights
from electra.weights.names import tensors
from electra.weights.translation import flax_path, from_flax_path, from_keras_path, keras_path

TINY = {"vocab_size": 99, "embedding_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 37}
IDS = np.arange(1, 19).reshape(2, 9)
every_head = pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)


def model_of(head, **changes):
    torch.manual_seed(0)
    is_decoder = head.name == "causal_lm"
    return getattr(electra, head.class_name)(
        electra.ElectraConfig(**(TINY | {"is_decoder": is_decoder} | changes))
    ).eval()


@every_head
@pytest.mark.parametrize(
    "changes", [{}, {"tie_word_embeddings": False}, {"position_embedding_type": "relative_key"}], ids=str
)
def test_every_tensor_has_one_name_in_each_framework_and_comes_back(head, changes):
    config = electra.ElectraConfig(**TINY, **changes)
    names = list(tensors(config) | (tensors(config, head.tensors) if head.name != "encoder" else {}))
    flax, keras = [flax_path(name) for name in names], [keras_path(name) for name in names]
    assert len(set(flax)) == len(set(keras)) == len(names)
    assert [from_flax_path(path) for path in flax] == names
    assert [from_keras_path(f"tf_electra_model_2/{path}:0") for path in keras] == names


@every_head
@pytest.mark.parametrize("name", ["h5", "msgpack"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_model_comes_back_bit_for_bit(head, name, dtype, tmp_path):
    model = model_of(head).to(dtype)
    model.save_pretrained(tmp_path, formats=[name])
    assert not list(tmp_path.glob("*.safetensors"))
    again = type(model).from_pretrained(tmp_path, torch_dtype=dtype)
    for (key, found), (_, expected) in zip(again.state_dict().items(), model.state_dict().items(), strict=True):
        assert torch.equal(found, expected), key


def test_the_formats_of_a_folder_are_those_of_its_last_saving(tmp_path):
    model = model_of(HEADS[0])
    model.save_pretrained(tmp_path, formats=["safetensors", "h5", "msgpack"])
    assert {"model.safetensors", "tf_model.h5", "flax_model.msgpack"} <= {path.name for path in tmp_path.iterdir()}
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    with pytest.raises(UsageError, match=r"formats are \['pickle'\]; expected one or more of safetensors, h5, msgpack"):
        model.save_pretrained(tmp_path, formats=["pickle"])


@pytest.fixture(scope="module")
def transformers():
    """The reference with its TensorFlow classes, which need tf_keras."""
    import transformers

    return transformers


def logits(model, prefix):
    if prefix == "Flax":  # its missing segment ids are ones
        return np.asarray(model(IDS, token_type_ids=np.zeros_like(IDS))[0])
    return np.asarray(model(IDS)[0])


@pytest.mark.fault(16)
@pytest.mark.filterwarnings("ignore")  # of TensorFlow, tf_keras and flax, on being imported
@pytest.mark.parametrize(("prefix", "name"), [("TF", "h5"), ("Flax", "msgpack")])
@pytest.mark.parametrize(
    "class_name", ["ElectraForPreTraining", "ElectraForMaskedLM", "ElectraForSequenceClassification"]
)
def test_the_reference_reads_what_we_write_and_we_read_what_it_writes(transformers, prefix, name, class_name, tmp_path):
    model = getattr(electra, class_name)(electra.ElectraConfig(**TINY)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    model.save_pretrained(tmp_path / "ours", formats=[name])
    theirs = getattr(transformers, prefix + class_name).from_pretrained(tmp_path / "ours")
    with torch.no_grad():
        expected = model(torch.from_numpy(IDS))[0].numpy()
    np.testing.assert_allclose(logits(theirs, prefix), expected, rtol=0, atol=2e-5)
    theirs.save_pretrained(tmp_path / "theirs", **({"safe_serialization": False} if prefix == "TF" else {}))
    again = getattr(electra, class_name).from_pretrained(tmp_path / "theirs")
    for (key, found), (_, value) in zip(again.state_dict().items(), model.state_dict().items(), strict=True):
        assert torch.equal(found, value), key


@pytest.mark.fault(3)
@pytest.mark.parametrize("name", ["tf_model.h5", "flax_model.msgpack"])
@pytest.mark.parametrize("keep", [0, 20, 2000])
def test_a_truncated_file_is_named(name, keep, tmp_path):
    model_of(HEADS[0]).save_pretrained(tmp_path, formats=["h5", "msgpack"])
    whole = (tmp_path / name).read_bytes()
    for other in ("tf_model.h5", "flax_model.msgpack"):
        (tmp_path / other).unlink()
    (tmp_path / name).write_bytes(whole[:keep])
    with pytest.raises(WeightsError, match=f"{name} is not a whole"):
        read_weights(tmp_path)


def test_an_extension_that_is_no_array_is_refused(tmp_path):
    import msgpack

    (tmp_path / "flax_model.msgpack").write_bytes(msgpack.packb({"embeddings": msgpack.ExtType(7, b"abc")}))
    with pytest.raises(WeightsError, match="holds an extension of kind 7"):
        read_weights(tmp_path)
