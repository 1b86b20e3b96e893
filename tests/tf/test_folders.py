"""Folders: every format read by every class, exchanged with PyTorch bit for bit and with transformers 4; sizes changed."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import torch
from pairs import TINY, assert_close, gradients, make_pair

import electra
from electra.errors import ConfigError, InputError, WeightsError
from electra.heads import HEADS
from electra.tf import TFElectraForMaskedLM, TFElectraForPreTraining, share_embeddings
from electra.weights.files import read_tensors
from electra.weights.matching import NewWeightsWarning

TF_HEADS = [head for head in HEADS if "tf" in head.frameworks]
every_head = pytest.mark.parametrize("head", TF_HEADS, ids=lambda head: head.name)
IDS = np.arange(1, 19).reshape(2, 9)


def ids_for(head):
    return np.stack([IDS, IDS[::-1]], 1) if head.name == "multiple_choice" else IDS


@every_head
@pytest.mark.parametrize("writer", ["torch", "tf"])
def test_a_folder_of_one_framework_is_read_by_the_other_bit_for_bit(head, writer, tmp_path):
    theirs, ours = make_pair(head.class_name, **TINY)
    state = {name: value.numpy() for name, value in theirs.state_dict().items()}
    for formats in (["safetensors"], ["h5"], ["msgpack"]):
        (theirs if writer == "torch" else ours).save_pretrained(tmp_path, formats=formats)
        read, back = type(ours).from_pretrained(tmp_path), type(theirs).from_pretrained(tmp_path)
        assert read.arrays().keys() == ours.arrays().keys()
        assert all(np.array_equal(value, state[name]) for name, value in read.arrays().items())
        assert all(np.array_equal(value, state[name]) for name, value in back.state_dict().items())
        assert read.config == back.config
        assert read.config.architectures == [head.class_name]


def test_what_both_write_is_the_same_file(tmp_path):
    theirs, ours = make_pair("ElectraForMaskedLM", **TINY)
    for name, model in (("torch", theirs), ("tf", ours)):
        model.save_pretrained(tmp_path / name)
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "torch" / file).read_bytes() == (tmp_path / "tf" / file).read_bytes()
    ours.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("model-*.safetensors"))) > 1
    again = TFElectraForMaskedLM.from_pretrained(tmp_path / "shards")
    assert all(np.array_equal(v, ours.arrays()[k]) for k, v in again.arrays().items())


REFERENCE = """
import sys
import numpy as np
import transformers
transformers.logging.set_verbosity_error()
for name in sys.argv[2:]:
    model = getattr(transformers, "TF" + name).from_pretrained(f"{sys.argv[1]}/{name}")
    ids = np.load(f"{sys.argv[1]}/{name}/ids.npy")
    np.save(f"{sys.argv[1]}/{name}/answer.npy", model(ids, training=False)[0])
    model.save_pretrained(f"{sys.argv[1]}/{name}/theirs")
"""


def test_transformers_4_reads_our_tf_model_h5_and_we_read_its(tmp_path):
    models = {}
    for head in TF_HEADS:
        models[head.class_name] = make_pair(head.class_name, std=0.2, **TINY)[1]
        models[head.class_name].save_pretrained(tmp_path / head.class_name, formats=["h5"])
        np.save(tmp_path / head.class_name / "ids.npy", ids_for(head))
    variables = os.environ | {"TF_USE_LEGACY_KERAS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-W", "ignore", "-c", REFERENCE, str(tmp_path), *models]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for head in TF_HEADS:
        folder, model = tmp_path / head.class_name, models[head.class_name]
        np.testing.assert_allclose(np.load(folder / "answer.npy"), model(ids_for(head))[0], atol=2e-5)
        assert (folder / "theirs" / "tf_model.h5").is_file()
        again = type(model).from_pretrained(folder / "theirs")
        assert all(np.array_equal(v, model.arrays()[k]) for k, v in again.arrays().items())


def test_a_head_the_folder_lacks_is_named_and_starts_at_random(tmp_path):
    make_pair("ElectraForPreTraining", **TINY)[0].save_pretrained(tmp_path)
    with pytest.warns(NewWeightsWarning, match=r"does not hold classifier\.dense\.weight.*\(it has discriminator_pred"):
        model, info = electra.TFElectraForSequenceClassification.from_pretrained(
            tmp_path, output_loading_info=True, num_labels=3
        )
    assert sorted(info["missing_keys"]) == sorted(n for n in model.named_weights() if n.startswith("classifier"))
    assert info["unexpected_keys"]
    assert model.config.num_labels == 3
    assert model.classifier.dense.kernel.numpy().std() > 0.01
    encoder = electra.TFElectraModel.from_pretrained(tmp_path)
    np.testing.assert_array_equal(encoder(IDS)[0], model.electra(IDS)[0])


def test_weights_that_do_not_fit_are_refused(tmp_path):
    make_pair("ElectraForPreTraining", **TINY)[0].save_pretrained(tmp_path)
    with pytest.raises(
        WeightsError, match=r"word_embeddings.weight +\(99, 16\) +\(98, 16\) +\[1\]\n\[1\] another vocabulary"
    ):
        TFElectraForPreTraining.from_pretrained(tmp_path, vocab_size=98)
    with pytest.raises(ConfigError, match="dtype is 'flaot16', which is no policy of Keras"):
        TFElectraForPreTraining.from_pretrained(tmp_path, dtype="flaot16")
    with pytest.raises(ConfigError, match='did you mean "num_labels"'):
        TFElectraForPreTraining.from_pretrained(tmp_path, num_label=2)


def test_a_new_model_begins_with_the_first_weights_and_follows_the_seed():
    import keras

    models = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        models.append(TFElectraForPreTraining(electra.ElectraConfig(**TINY)))
    one, two = (model.arrays() for model in models)
    assert all(np.array_equal(value, two[name]) for name, value in one.items())
    words = one["electra.embeddings.word_embeddings.weight"]
    assert words.std() == pytest.approx(0.02 * 0.88, rel=0.1)
    assert np.abs(words).max() <= 0.04
    assert models[0].num_parameters() == sum(value.size for value in one.values())
    released = electra.TFElectraModel(electra.ElectraConfig.small())
    assert released.num_parameters() == 13_483_008


# ----------------------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", [60, 120])
def test_another_vocabulary(tied, size, tmp_path):
    theirs, ours = make_pair("ElectraForMaskedLM", **TINY, tie_word_embeddings=tied)
    before = ours(IDS).logits.numpy()
    table = ours.resize_token_embeddings(size)
    theirs.resize_token_embeddings(size)
    assert table.embeddings.shape == (size, 16)
    assert ours.config.vocab_size == size
    kept = min(size, 99)
    np.testing.assert_allclose(ours(IDS).logits[..., :kept], before[..., :kept], atol=1e-6)
    shapes = {name: tuple(value.shape) for name, value in theirs.named_parameters()}
    assert {name: value.shape for name, value in ours.arrays().items()} == shapes
    assert len(ours.trainable_variables) == len(ours.named_weights())
    assert all(np.isfinite(g).all() for g in gradients(ours, {"input_ids": IDS, "labels": IDS}).values())
    ours.save_pretrained(tmp_path)
    np.testing.assert_array_equal(TFElectraForMaskedLM.from_pretrained(tmp_path)(IDS).logits, ours(IDS).logits)
    assert ours.resize_token_embeddings(pad_to_multiple_of=64).embeddings.shape[0] % 64 == 0


def test_pruned_heads_are_gone_as_in_pytorch_and_stay_so(tmp_path):
    theirs, ours = make_pair("ElectraForPreTraining", **TINY)
    for heads in ({0: [1, 2]}, {0: [0], 1: [3]}):
        theirs.prune_heads(heads)
        ours.prune_heads(heads)
    with torch.no_grad():
        assert_close(ours(IDS), theirs(torch.from_numpy(IDS)), atol=1e-5)
    ours.save_pretrained(tmp_path)
    np.testing.assert_array_equal(TFElectraForPreTraining.from_pretrained(tmp_path)(IDS).logits, ours(IDS).logits)
    with torch.no_grad():
        assert_close(ours(IDS), type(theirs).from_pretrained(tmp_path)(torch.from_numpy(IDS)), atol=1e-5)
    with pytest.raises(ConfigError, match="cannot lose all"):
        ours.prune_heads({0: [3]})


def test_a_generator_shares_the_embeddings_of_its_discriminator():
    config = electra.ElectraConfig(**TINY)
    discriminator, generator = TFElectraForPreTraining(config), TFElectraForMaskedLM(config)
    share_embeddings(generator, discriminator)
    words = discriminator.get_input_embeddings().embeddings
    assert generator.get_input_embeddings().embeddings is words
    before = generator(IDS).logits.numpy()
    words.assign(words * 2)
    assert not np.allclose(generator(IDS).logits, before)
    assert len(generator.trainable_variables) == len(generator.named_weights())
    with pytest.raises(ConfigError, match="vocab_size is 98 in the generator, 99 in the discriminator"):
        share_embeddings(TFElectraForMaskedLM(electra.ElectraConfig(**(TINY | {"vocab_size": 98}))), discriminator)


# ---------------------------------------------------------------------------------------------------------------- checks


WRONG = {
    "nothing": {"input_ids": None},
    "both": {"inputs_embeds": np.zeros((2, 9, 16), np.float32)},
    "an id beyond the vocabulary": {"input_ids": np.where(IDS == 5, 99, IDS)},
    "a negative id": {"input_ids": IDS - 3},
    "ids of one axis": {"input_ids": IDS[0]},
    "empty rows": {"input_ids": IDS[:, :0]},
    "too long": {"input_ids": np.ones((1, 41), np.int64)},
    "a mask of another shape": {"attention_mask": np.ones((2, 8))},
    "a token type beyond": {"token_type_ids": IDS},
    "a position beyond": {"position_ids": IDS * 10},
    "a label beyond": {"labels": IDS},
    "labels of another shape": {"labels": IDS[:, :8]},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_input_is_refused_in_the_words_of_the_pytorch_class(what):
    theirs, ours = make_pair("ElectraForTokenClassification", **TINY)
    call = {"input_ids": IDS} | WRONG[what]
    with pytest.raises(InputError) as expected:
        theirs(**{name: None if value is None else torch.from_numpy(value) for name, value in call.items()})
    with pytest.raises(InputError, match=f"^{re.escape(str(expected.value))}$"):
        ours(**call)


def test_checks_can_be_left_out():
    ours = make_pair("ElectraForPreTraining", **TINY)[1]
    ours.check_inputs = False
    with pytest.raises(tf.errors.InvalidArgumentError):
        ours(IDS + 90)
    assert not ours.electra.check_inputs


def test_a_saved_checkpoint_holds_our_names_and_layout(tmp_path):
    ours = make_pair("ElectraForPreTraining", **TINY)[1]
    ours.save_pretrained(tmp_path)
    kernel = read_tensors(tmp_path)["electra.encoder.layer.0.intermediate.dense.weight"]
    np.testing.assert_array_equal(kernel.T, ours.electra.encoder.layer[0].intermediate.dense.kernel)
