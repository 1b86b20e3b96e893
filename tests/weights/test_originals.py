"""Checkpoints of the original code, converted: every tensor it computed from them, and back again to where it restores them.

What the original saved is written anew from the fixtures, with the optimizer's slots and the step, as it leaves a checkpoint.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import numpy_ops
import pytest
import torch
from original import CASES, Case

import electra
from electra.objective import attention_mask, electra_loss
from electra.objectives import mlm_loss
from electra.weights.bundle import Bundle, write_bundle
from electra.weights.convert import GOOGLE_NAME, convert
from electra.weights.sources import open_source

TOWERS = ("two_towers", "electric")  # of their networks we have a class for the discriminator alone
LEFT_OUT = {
    "cloze_predictions/LayerNorm/beta",
    "generator_ltr/encoder/layer_0/output/dense/kernel",
    "generator_rtl/encoder/layer_0/output/dense/kernel",
}


def checkpoint_of(case, folder):
    """The case as the original leaves it: every variable with its two slots, and the step."""
    variables = dict(case.arrays["weights"])
    slots = {
        f"{name}/{slot}": np.ones_like(value) for name, value in variables.items() for slot in ("adam_m", "adam_v")
    }
    write_bundle(folder / "model.ckpt-30", variables | slots | {"global_step": np.array(30)})
    return folder


def converted(case, folder, source=None):
    """The source's networks, and the folder in which each is a model folder."""
    heads = case.facts["discriminator_config"]["num_attention_heads"]
    found = open_source(source or checkpoint_of(case, folder / "google"), num_attention_heads=heads)
    convert(found, folder / "torch", "torch")
    return found, folder / "torch"


class Network:
    """A network loaded by the class of a framework: NumPy in, NumPy out, with everything the original recorded of it."""

    def __init__(self, folder, class_name, prefix, batch):
        self.model = getattr(electra, prefix + class_name).from_pretrained(folder)
        self.batch, self.is_torch = batch, prefix == ""

    def __call__(self, input_ids):
        """Hidden states, of the embeddings first, each (B, L, H); and logits."""
        to = torch.from_numpy if self.is_torch else np.asarray
        inputs = {"attention_mask": to(attention_mask(self.batch)), "token_type_ids": to(self.batch.token_type_ids)}
        with torch.no_grad():
            answer = self.model(to(input_ids), **inputs, output_hidden_states=True)
        return [np.asarray(state) for state in answer.hidden_states], np.asarray(answer.logits)


def close(ours, theirs, atol=2e-5):
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=atol, rtol=1e-4)


def check_states(states, case, prefix):
    """The embeddings, every layer where it was recorded, and the last."""
    real = case.batch.attention_mask > 0
    close(states[0][real], case.goldens[f"{prefix}_embedding_output"][real])
    close(states[-1][real], case.goldens[f"{prefix}_sequence_output"][real])
    layers = case.goldens.get(f"{prefix}_layer_outputs")
    for ours, theirs in [] if layers is None else zip(states[1:], layers, strict=True):
        close(ours[real], theirs[real])


def check_case(case, folder, prefix=""):
    """The converted networks take the original's way from text to loss: every tensor on it is the original's."""
    goldens, used, real = case.goldens, case.masked.weights > 0, case.batch.attention_mask > 0
    networks = {
        name: Network(folder / name, class_name, prefix, case.batch)
        for name, class_name in (("generator", "ElectraForMaskedLM"), ("discriminator", "ElectraForPreTraining"))
        if (folder / name).is_dir()
    }

    def generate(input_ids, batch, positions):
        if "generator" not in networks:
            return goldens["mlm_logits"]  # of no network of ours
        states, logits = networks["generator"](input_ids)
        check_states(states, case, "generator")
        asked = np.take_along_axis(logits, positions[..., None].astype(np.int64), 1)  # (B, M, V)
        close(asked[used], goldens["mlm_logits"][used])
        return asked

    def discriminate(input_ids, batch):
        states, logits = networks["discriminator"](input_ids)
        check_states(states, case, "disc")
        if case.name == "electric":  # an energy: what the towers say is added, and the odds of a mask
            share = case.config["mask_prob"]
            logits = logits + goldens["cloze_log_prob_of_updated_inputs"] + np.log(share / (1 - share))
        close(logits[real], goldens["disc_logits"][real])
        return logits

    loss = electra_loss if "discriminator" in networks else mlm_loss
    outcome = loss(generate, discriminate, case.batch, case.masked, case.settings, numpy_ops)
    assert outcome.mlm_loss == pytest.approx(float(goldens["mlm_loss"]), rel=1e-5)
    if "discriminator" in networks:
        np.testing.assert_array_equal(outcome.sampled_ids[used], goldens["sampled_ids"][used])
        np.testing.assert_array_equal(outcome.corrupted_ids, goldens["updated_input_ids"])
        errors = numpy_ops.binary_cross_entropy(outcome.discriminator_logits, goldens["disc_labels"])
        assert errors[real].mean() == pytest.approx(float(goldens["disc_loss"]), rel=1e-5)
    if "discriminator" in networks and case.name != "electric":  # whose labels are where a mask was
        np.testing.assert_array_equal(outcome.is_replaced, goldens["disc_labels"] > 0)
    if case.name not in TOWERS:  # the towers are trained by another loss
        assert outcome.loss == pytest.approx(float(goldens["total_loss"]), rel=1e-5)


@pytest.mark.parametrize("name", [*CASES, *TOWERS])
def test_a_converted_checkpoint_computes_every_tensor_the_original_computed(name, tmp_path):
    case = Case(name)
    source, folder = converted(case, tmp_path)
    check_case(case, folder)
    assert (set(source.left_out) >= LEFT_OUT) == (name in TOWERS)
    assert bool(source.left_out) == (name in TOWERS)


@pytest.mark.filterwarnings("ignore")  # of TensorFlow and flax, on being imported
@pytest.mark.parametrize("prefix", ["TF", "Flax"])
def test_so_do_the_classes_of_the_other_frameworks(prefix, tmp_path):
    case = Case("small_projected")
    check_case(case, converted(case, tmp_path)[1], prefix)


@pytest.mark.parametrize("name", [*CASES, *TOWERS])
def test_written_back_tensorflow_restores_the_variables_of_the_original(name, tmp_path):
    """By their names into a graph of TensorFlow 1, as the original restores a checkpoint; and by the reader of checkpoints."""
    import tensorflow as tf

    case = Case(name)
    source, folder = converted(case, tmp_path)
    convert(open_source(folder), tmp_path / "back", "google")
    expected = {key: value for key, value in case.arrays["weights"].items() if key not in source.left_out}
    expected["global_step"] = np.zeros((), np.int64)
    reader = tf.train.load_checkpoint(str(tmp_path / "back"))
    assert {key: tuple(shape) for key, shape in reader.get_variable_to_shape_map().items()} == {
        key: value.shape for key, value in expected.items()
    }
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(key, value.shape, value.dtype, initializer=tf.zeros_initializer())
            for key, value in expected.items()
        ]
        saver = tf.compat.v1.train.Saver(variables)
        saver.restore(session, tf.train.latest_checkpoint(str(tmp_path / "back")))
        restored = session.run(variables)
    written = Bundle(tmp_path / "back" / GOOGLE_NAME)
    for (key, value), found in zip(expected.items(), restored, strict=True):
        original = np.ascontiguousarray(value).tobytes()
        assert found.tobytes() == reader.get_tensor(key).tobytes() == written[key].tobytes() == original, key


def test_a_generator_that_is_the_discriminator_has_its_heads(tmp_path):
    source, _ = converted(Case("tied_generator"), tmp_path)
    assert source.networks["generator"].config.num_attention_heads == 4
