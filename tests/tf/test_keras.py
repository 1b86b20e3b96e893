"""A Keras user's life: forms of inputs, fit without a loss, metrics, predict, graphs, XLA, precision, export, saving."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from pairs import TINY

import electra
import electra.tf
from electra.errors import InputError

IDS = np.random.default_rng(0).integers(5, 99, (32, 9))
MASK = np.ones_like(IDS)
RIGHT = (IDS[:, 1] > 50).astype(np.int64)


def model_of(name, **changes):
    keras.utils.set_random_seed(3)
    return getattr(electra, name)(electra.ElectraConfig(**(TINY | {"num_hidden_layers": 1} | changes)))


def classifier(**changes):
    return model_of("TFElectraForSequenceClassification", **changes)


# ------------------------------------------------------------------------------------------------------------ the inputs


FORMS = {
    "a tensor": ((tf.constant(IDS),), {}),
    "an array": ((IDS,), {}),
    "lists of numbers": ((IDS.tolist(),), {}),
    "a list in order": (([IDS, MASK],), {}),
    "a tuple in order": (((IDS, MASK, 0 * IDS),), {}),
    "a dictionary": (({"attention_mask": MASK, "input_ids": IDS},), {}),
    "a dictionary and a keyword": (({"input_ids": IDS},), {"attention_mask": MASK}),
    "an encoding": ((electra.BatchEncoding({"input_ids": IDS, "attention_mask": MASK}),), {}),
    "in order": ((IDS, MASK), {}),
    "keywords": ((), {"input_ids": IDS, "attention_mask": MASK}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_inputs_gives_the_same(form):
    model, (args, kwargs) = classifier(), FORMS[form]
    np.testing.assert_array_equal(model(*args, **kwargs).logits, model(input_ids=IDS).logits)


def test_inputs_that_cannot_be_placed_are_named():
    model = classifier()
    with pytest.raises(
        InputError, match=r'the model takes no input_id \(did you mean "input_ids"\?\); it takes input_ids'
    ):
        model({"input_id": IDS})
    with pytest.raises(InputError, match="input_ids given twice"):
        model({"input_ids": IDS}, input_ids=IDS)
    with pytest.raises(InputError, match="13 inputs were given; expected at most 11"):
        model([IDS] * 13)


def test_a_model_stands_in_a_functional_model():
    model, inputs = classifier(), keras.Input((9,), dtype="int32")
    whole = keras.Model(inputs, keras.layers.Dense(1)(model(inputs).logits))
    assert whole(IDS).shape == (32, 1)
    assert len(whole.trainable_variables) == len(model.trainable_variables) + 2


# ------------------------------------------------------------------------------------------------------------------- fit


def compiled(model, **options):
    """Run eagerly: making a graph takes longer than all steps of a test here. Two tests below make them."""
    model.compile(**({"optimizer": keras.optimizers.Adam(3e-3), "run_eagerly": True} | options))
    return model


BATCHES = {
    "labels among the inputs": lambda: dict(x={"input_ids": IDS, "labels": RIGHT}),
    "labels beside them": lambda: dict(x={"input_ids": IDS}, y=RIGHT),
    "labels by name": lambda: dict(x={"input_ids": IDS}, y={"labels": RIGHT}),
    "an array": lambda: dict(x=IDS, y=RIGHT),
}


@pytest.mark.parametrize("form", BATCHES)
def test_fit_minimises_the_model_s_own_loss_on_labels_of_every_form(form):
    model, batch = compiled(classifier(), metrics=["accuracy"]), BATCHES[form]()
    expected = float(model(IDS, labels=RIGHT).loss)
    seen = model.evaluate(**batch, batch_size=16, verbose=0, return_dict=True)
    assert seen["loss"] == pytest.approx(expected, rel=1e-5)
    assert seen["accuracy"] == pytest.approx(np.mean(np.argmax(model(IDS).logits, -1) == RIGHT))
    history = model.fit(**batch, batch_size=16, epochs=3, verbose=0).history
    assert history["loss"][-1] < expected
    assert len(history["accuracy"]) == 3


def test_fit_takes_datasets_and_a_loss_of_the_user_s():
    model = compiled(classifier(), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = tf.data.Dataset.from_tensor_slices(({"input_ids": IDS}, RIGHT)).batch(16)
    seen = model.evaluate(data, verbose=0)
    assert seen == pytest.approx(float(model(IDS, labels=RIGHT).loss), rel=1e-5)
    assert compiled(model, run_eagerly=False, jit_compile=False).evaluate(data, verbose=0) == pytest.approx(
        seen, rel=1e-5
    )


LABELS = {
    "TFElectraForPreTraining": {"labels": (IDS > 50).astype(np.int64)},
    "TFElectraForMaskedLM": {"labels": np.where(IDS > 50, IDS, -100)},
    "TFElectraForTokenClassification": {"labels": np.where(IDS > 20, IDS % 2, -100)},
    "TFElectraForQuestionAnswering": {"start_positions": IDS[:, 0] % 9, "end_positions": IDS[:, 1] % 9},
    "TFElectraForMultipleChoice": {"labels": RIGHT},
}


@pytest.mark.parametrize("name", LABELS)
def test_every_head_is_fitted_evaluated_and_asked(name):
    ids = np.stack([IDS, IDS[::-1]], 1) if name == "TFElectraForMultipleChoice" else IDS
    model = compiled(model_of(name))
    expected = float(model(ids, **LABELS[name]).loss)
    history = model.fit({"input_ids": ids, **LABELS[name]}, epochs=2, batch_size=32, verbose=0).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)
    assert history["loss"][1] < expected
    answer = model.predict({"input_ids": ids, **LABELS[name]}, batch_size=16, verbose=0)
    assert "loss" not in answer
    np.testing.assert_allclose(answer[0], model(ids)[0], atol=1e-5)
    assert getattr(answer, model.answer_names[0]) is answer[model.answer_names[0]]


def test_what_cannot_be_minimised_is_refused():
    with pytest.raises(
        InputError, match="nothing to minimise: the batch holds no labels, and compile was given no loss"
    ):
        compiled(classifier()).fit({"input_ids": IDS}, verbose=0)
    with pytest.raises(InputError, match="knows no sample weights; give compile a loss that does"):
        compiled(classifier()).fit({"input_ids": IDS}, RIGHT, sample_weight=np.ones(32), verbose=0)


def test_layers_can_be_frozen():
    model = compiled(classifier())
    model.electra.trainable = False
    before = model.arrays()
    model.fit({"input_ids": IDS, "labels": RIGHT}, verbose=0)
    changed = {name for name, value in model.arrays().items() if not np.array_equal(value, before[name])}
    assert changed == {name for name in before if name.startswith("classifier")}
    assert model.num_parameters(only_trainable=True) == sum(before[name].size for name in changed)


def test_dropout_is_on_in_training_only_and_follows_the_seed():
    dropped = dict(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.3, embedding_size=32)
    quiet, first, second, again = [], [], [], []
    for _ in range(2):
        model = classifier(**dropped)
        quiet.append(model(IDS).logits.numpy())
        first.append(model(IDS, training=True).logits.numpy())
        second.append(model(IDS, training=True).logits.numpy())
    again = model(IDS, training=False).logits.numpy()
    assert np.array_equal(first[0], first[1])
    assert np.array_equal(second[0], second[1])
    assert np.array_equal(again, quiet[0])
    assert not np.array_equal(first[0], quiet[0])
    assert not np.array_equal(first[0], second[0])
    states = model.electra(IDS, training=True, output_hidden_states=True).hidden_states[0].numpy()
    assert np.mean(states == 0) == pytest.approx(0.3, abs=0.05)


# ------------------------------------------------------------------------------------------- graphs, XLA, precision, files


def test_one_graph_serves_every_shape():
    model = classifier(position_embedding_type="relative_key")
    graph = tf.function(lambda ids, mask: model(ids, mask), input_signature=[tf.TensorSpec((None, None), tf.int64)] * 2)
    for rows, length in ((1, 3), (32, 9), (2, 1)):
        ids, mask = IDS[:rows, :length], MASK[:rows, :length]
        np.testing.assert_allclose(graph(ids, mask).logits, model(ids, mask).logits, atol=1e-5)
    assert isinstance(graph(IDS, MASK), electra.outputs.SequenceClassifierOutput)
    decoder = model_of("TFElectraModel", is_decoder=True)
    step = tf.function(lambda ids, past: decoder(ids, past_key_values=past), reduce_retracing=True)
    whole, past = decoder(IDS[:2]), decoder(IDS[:2, :3]).past_key_values
    np.testing.assert_allclose(step(IDS[:2, 3:], past)[0], whole[0][:, 3:], atol=1e-5)


def test_xla_compiles_the_loss_and_its_gradient():
    model = model_of("TFElectraForMaskedLM")

    def learn(ids):
        with tf.GradientTape() as tape:
            loss = model(ids, labels=ids, training=True).loss
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, model.trainable_variables)]

    ids = tf.constant(IDS)
    for found, expected in zip(
        *(tf.nest.flatten(f(ids)) for f in (tf.function(learn, jit_compile=True), learn)), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float16"])
def test_narrow_types_answer_nearly_the_same_and_padding_stays_finite(policy, tmp_path):
    model = model_of("TFElectraForMaskedLM")
    model.save_pretrained(tmp_path)
    narrow = electra.TFElectraForMaskedLM.from_pretrained(tmp_path, dtype=policy)
    mask = np.where(np.arange(9) < 5, MASK, 0)
    mask[0] = 0
    found, expected = narrow(IDS, mask, labels=IDS), model(IDS, mask, labels=IDS)
    assert found.logits.dtype.name == policy.removeprefix("mixed_")
    assert found.loss.dtype == tf.float32
    np.testing.assert_allclose(tf.cast(found.logits, tf.float32), expected.logits, atol=0.05)
    assert keras.mixed_precision.dtype_policy().name == "float32"
    assert narrow.variable_dtype == ("float16" if policy == "float16" else "float32")


FRESH = """
import sys
import numpy as np
import tensorflow as tf

served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
names = ("input_ids", "attention_mask", "token_type_ids")
assert not any(name.startswith(("electra", "transformers", "torch")) for name in sys.modules)
inputs = np.load(sys.argv[2])
np.save(sys.argv[3], served(**{name: tf.constant(inputs[name]) for name in names})["logits"])
"""


def test_from_pretraining_in_pytorch_to_an_exported_classifier(short_run, tokenizer, tmp_path):
    texts = ["The old river carried the letter.", "The bright garden opened."] * 8
    inputs = {name: np.asarray(value, np.int32) for name, value in tokenizer(texts, padding=True).items()}
    labels = np.array([0, 1] * 8)
    with pytest.warns(UserWarning, match="does not hold classifier"):
        model = electra.TFElectraForSequenceClassification.from_pretrained(short_run / "discriminator")
    model.compile(optimizer=keras.optimizers.Adam(1e-2))  # no loss given; XLA as Keras chooses
    model.fit(inputs | {"labels": labels}, epochs=12, batch_size=8, verbose=0)
    seen = model.evaluate(inputs | {"labels": labels}, batch_size=16, verbose=0)
    assert seen < 0.3
    logits = model.predict(inputs, verbose=0).logits
    assert (logits.argmax(-1) == labels).all()

    model.save_pretrained(tmp_path / "tuned")
    again = electra.TFElectraForSequenceClassification.from_pretrained(tmp_path / "tuned")
    np.testing.assert_array_equal(again(**inputs).logits, model(**inputs).logits)
    assert again.config.problem_type == "single_label_classification"

    model.export(tmp_path / "served", verbose=False)
    np.savez(tmp_path / "inputs.npz", **inputs)
    files = [str(tmp_path / name) for name in ("served", "inputs.npz", "logits.npy")]
    command = [sys.executable, "-W", "ignore", "-c", FRESH, *files]
    done = subprocess.run(
        command, env=os.environ, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), logits, atol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3.15 beside NumPy 2
@pytest.mark.parametrize("name", ["TFElectraForMaskedLM", "TFElectraForSequenceClassification"])
def test_keras_own_saving_brings_everything_back(name, tmp_path):
    model = compiled(model_of(name))
    for value in model.named_weights().values():
        value.assign(np.random.default_rng(1).standard_normal(value.shape))
    model.fit({"input_ids": IDS, "labels": LABELS[name]["labels"] if name in LABELS else RIGHT}, verbose=0)
    model.save(tmp_path / "model.keras")
    whole = keras.models.load_model(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    filled = model_of(name)
    filled.load_weights(tmp_path / "model.weights.h5")
    for other in (whole, filled):
        assert all(np.array_equal(value, other.arrays()[key]) for key, value in model.arrays().items())
    for one, other in zip(model.optimizer.variables, whole.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_tensor_s_added_methods_leave_numpy_as_it_was():
    tensor = tf.constant([[1.0, 2.0], [3.0, 5.0]])
    assert isinstance(np.sum(tensor), np.floating)
    np.testing.assert_array_equal(np.mean(tensor, axis=0), [2.0, 3.5])
    assert float(tensor.sum()) == 11
    assert isinstance(tensor.mean(), tf.Tensor)
