"""Checkpoints that Google's code fine-tuned: the head, its class and its switches are found by the names of the variables."""

import numpy as np
import pytest
from original import Case
from original_heads import CASES, HeadCase

from electra.weights.bundle import write_bundle
from electra.weights.sources import open_source


def write_checkpoint(folder, case, **more):
    encoder = Case("base_equal").arrays["weights"]
    variables = {name: value for name, value in encoder.items() if name.startswith("electra/")}
    for name, value in case.arrays.items():
        if name.startswith("var_"):
            variables[f"task_specific/{case.task}/{name.removeprefix('var_')}"] = value
    write_bundle(folder / "model.ckpt-1", variables | more)
    return folder / "model.ckpt-1"


@pytest.mark.parametrize("name", CASES)
def test_a_tuned_checkpoint_is_read_as_the_model_it_is(name, tmp_path):
    case = HeadCase(name)
    source = open_source(write_checkpoint(tmp_path, case), num_attention_heads=4)
    (model,) = source.networks.values()
    assert (list(source.networks), model.class_name, source.left_out) == (["model"], case.class_name, [])
    for switch in ("joint_prediction", "answerable_classifier", "answerable_uses_start_logits"):
        assert getattr(model.config, switch) == getattr(case.config, switch)
    assert model.config.num_labels == case.config.num_labels
    assert model.config.problem_type == ("regression" if name == "regression" else None)
    expected = case.state
    assert set(model.tensors) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(model.tensors[key], value)


def test_of_a_checkpoint_tuned_for_several_tasks_the_encoder_is_taken_and_the_heads_are_named(tmp_path):
    other = {"task_specific/rte/dense/bias": np.zeros(2, np.float32)}
    source = open_source(write_checkpoint(tmp_path, HeadCase("classification_3"), **other), num_attention_heads=4)
    assert list(source.networks) == ["encoder"]
    assert source.left_out == [
        f"task_specific/{name}" for name in ("mnli/dense/bias", "mnli/dense/kernel", "rte/dense/bias")
    ]
