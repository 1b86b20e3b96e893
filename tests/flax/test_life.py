"""A JAX user's life: a folder that PyTorch pretrained, a classifier by optax under jit, saved, and trained on."""

import jax
import numpy as np
import optax
import pytest

from electra import losses
from electra.flax import FlaxElectraForSequenceClassification, ops
from electra.tokenization import load_tokenizer
from electra.training.pretrain import pretrain
from electra.weights.matching import NewWeightsWarning

TEXTS = [
    "The old river opened the door.",
    "The quiet doctor cleaned the kitchen.",
    "The green engine carried the letter.",
]


def trained(model, params, inputs, labels, steps, first=0):
    """Parameters after some steps of AdamW, and the loss before each."""
    optimizer = optax.adamw(3e-3)

    @jax.jit
    def step(params, state, key):
        def loss(params):
            logits = model(**inputs, params=params, dropout_rng=key, train=True).logits
            return losses.cross_entropy(logits, labels, ops)

        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, value

    state, found = optimizer.init(params), []
    for number in range(first, first + steps):
        params, state, value = step(params, state, jax.random.fold_in(jax.random.key(0), number))
        found.append(float(value))
    return params, found


def test_a_pretrained_folder_becomes_a_classifier_that_is_saved_and_trained_on(short_run, tmp_path):
    tokenizer = load_tokenizer(short_run / "discriminator")
    rows = tokenizer(TEXTS * 2, padding=True, return_tensors="np")
    inputs = {name: np.asarray(rows[name]) for name in ("input_ids", "attention_mask", "token_type_ids")}
    labels = np.array([0, 1, 2] * 2)
    with pytest.warns(NewWeightsWarning):
        model = FlaxElectraForSequenceClassification.from_pretrained(short_run / "discriminator", num_labels=3)
    params, first = trained(model, model.params, inputs, labels, 15)
    model.save_pretrained(tmp_path, params=params)
    resumed = FlaxElectraForSequenceClassification.from_pretrained(tmp_path)
    jax.tree.map(np.testing.assert_array_equal, resumed.params, params)
    params, second = trained(resumed, resumed.params, inputs, labels, 25, first=15)
    assert np.mean(second[-3:]) < 0.5 * first[0]
    np.testing.assert_array_equal(resumed(**inputs, params=params).logits.argmax(-1), labels)


def test_pretraining_in_jax_makes_folders_for_everybody(corpus, tmp_path):
    from small_run import small_settings

    import electra.torch

    pretrain(
        small_settings(steps=4, eval_every=4, checkpoint_every=2),
        corpus,
        tmp_path / "run",
        framework="flax",
        panel=False,
    )
    model = electra.torch.ElectraForPreTraining.from_pretrained(tmp_path / "run" / "discriminator")
    assert model.num_parameters() > 0
