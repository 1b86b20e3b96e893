"""Learning rates by layer against the lists of the original optimizer, and the rule its author meant."""

import json
from pathlib import Path

import pytest

from electra.config import ElectraConfig
from electra.training.layerwise import multipliers
from electra.weights.google import google_name
from electra.weights.names import tensors

GOLDEN = json.loads((Path(__file__).parents[1] / "goldens" / "google" / "schedules.json").read_text())["layerwise"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case['n_layers']} layers, {case['layerwise_lr_decay']}")
def test_as_shipped_every_tensor_has_the_rate_of_the_original(case):
    layers = case["n_layers"]
    names = tensors(ElectraConfig(num_hidden_layers=layers))
    found = multipliers(names, layers=layers, decay=case["layerwise_lr_decay"], as_shipped=True)
    expected = case["multiplier_by_variable"]
    assert {google_name(name) for name in names} == {name for name in expected if not name.startswith("task_")}
    for name, multiplier in found.items():
        assert multiplier == pytest.approx(expected[google_name(name)]["multiplier"], rel=1e-6), name


def test_the_last_layer_is_one_power_below_the_head_and_the_embeddings_one_below_the_first():
    found = multipliers(
        [
            "classifier.dense.weight",
            "qa_outputs.bias",
            "electra.encoder.layer.11.output.dense.weight",
            "electra.encoder.layer.0.attention.self.query.bias",
            "electra.embeddings.LayerNorm.weight",
            "electra.embeddings_project.weight",
        ],
        layers=12,
        decay=0.8,
    )
    assert list(found.values()) == pytest.approx([1, 1, 0.8, 0.8**12, 0.8**13, 0.8**13])
