"""First weights: their distributions, and that they follow from the seed and the name alone."""

import math

import numpy as np
import pytest

from electra.config import ElectraConfig
from electra.first_weights import first_networks, first_weights
from electra.weights.names import tensors

CONFIG = ElectraConfig(vocab_size=3000, num_hidden_layers=2)
SHAPES = tensors(CONFIG) | tensors(CONFIG, "pretraining")


@pytest.fixture(scope="module")
def weights():
    return first_weights(SHAPES, 0.02, seed=0)


def test_every_tensor_gets_its_shape_in_float32(weights):
    assert {name: array.shape for name, array in weights.items()} == SHAPES
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}


def test_matrices_and_tables_are_normal_and_cut_at_two_deviations(weights):
    for name in ("electra.embeddings.word_embeddings.weight", "electra.encoder.layer.1.intermediate.dense.weight"):
        assert np.abs(weights[name]).max() <= 0.04
        assert weights[name].std() == pytest.approx(0.0176, rel=0.01)  # 0.02 before the cut
        assert abs(weights[name].mean()) < 1e-4
        histogram = np.histogram(weights[name] / 0.02, bins=8, range=(-2, 2))[0] / weights[name].size
        edges = [math.erf(x / math.sqrt(2)) / 2 for x in np.linspace(-2, 2, 9)]
        np.testing.assert_allclose(histogram, np.diff(edges) / 0.9545, atol=0.004)


def test_layers_of_a_decision_are_uniform_to_the_glorot_limit(weights):
    array = weights["electra.embeddings_project.weight"]
    limit = math.sqrt(6 / (128 + 256))
    assert 0.99 * limit < np.abs(array).max() <= limit
    assert array.std() == pytest.approx(limit / math.sqrt(3), rel=0.01)


def test_a_tensor_does_not_depend_on_which_others_are_asked_for(weights):
    name = "electra.encoder.layer.0.output.dense.weight"
    assert (first_weights({name: SHAPES[name]}, 0.02, seed=0)[name] == weights[name]).all()
    bare = name.removeprefix("electra.")
    assert (first_weights({bare: SHAPES[name]}, 0.02, seed=0)[bare] == weights[name]).all()
    assert (first_weights({name: SHAPES[name]}, 0.02, seed=1)[name] != weights[name]).mean() > 0.99


def test_no_two_tensors_of_a_run_are_equal():
    """Not even where generator and discriminator are of one size."""
    config = ElectraConfig.small_plus_plus(vocab_size=500, num_hidden_layers=2)
    networks = first_networks({"discriminator": config, "generator": config.generator(1.0)}, seed=5, start="original")
    arrays = [array for network in networks.values() for name, array in network.items() if array.std() > 0]
    assert len({array.tobytes() for array in arrays}) == len(arrays)
