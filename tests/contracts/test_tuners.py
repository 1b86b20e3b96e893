"""One fine-tuning in three frameworks: the same seed gives the same updates, and checkpoints go from one to another."""

from importlib import import_module

import numpy as np
import pytest

from electra.config import ElectraConfig
from electra.heads import PREFIXES
from electra.losses import IGNORED, tuning_loss
from electra.training.tune_settings import TuneSettings
from electra.training.tuner import open_tuner
from electra.weights.files import read_tensors

ROWS, LENGTH, LABELS = 4, 8, 3
CONFIG = dict(
    vocab_size=50, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
    max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, summary_last_dropout=0.0,
    num_labels=LABELS,
)  # fmt: skip
WEIGHTS = np.array([1, 0.5, 2, 0], np.float32)  # the last row is filler


def inputs_of(rng, *shape):
    mask = np.ones(shape, np.int32)
    mask[0, ..., 5:] = 0
    return {
        "input_ids": rng.integers(5, 50, shape).astype(np.int32) * mask,
        "attention_mask": mask,
        "token_type_ids": np.zeros(shape, np.int32),
    }


def batch_of(kind, rng):
    """Inputs and targets of one batch, random but for their shape."""
    inputs = inputs_of(rng, ROWS, LENGTH)
    labels = rng.integers(0, LABELS, ROWS).astype(np.int32)
    if kind == "ElectraForQuestionAnswering":
        starts = rng.integers(0, 5, ROWS).astype(np.int32)
        return inputs, {"start_positions": starts, "end_positions": starts + 1, "weights": WEIGHTS}
    if kind == "ElectraForTokenClassification":
        tags = np.where(inputs["attention_mask"], rng.integers(0, LABELS, (ROWS, LENGTH)), IGNORED).astype(np.int32)
        return inputs, {"labels": tags, "weights": (tags != IGNORED) * WEIGHTS[:, None]}
    if kind == "ElectraForMultipleChoice":
        return inputs_of(rng, ROWS, 2, LENGTH), {"labels": labels % 2, "weights": WEIGHTS}
    return inputs, {"labels": labels, "weights": WEIGHTS}


def tune(tuner, kind, steps):
    found = []
    for step in steps:
        inputs, targets = batch_of(kind, np.random.default_rng(step))
        found.append(tuner.train_step(inputs, targets, step=step, learning_rate=1e-2))
    return found


def tuner_of(framework, kind, **changes):
    labels = {"num_labels": 2} if kind == "ElectraForQuestionAnswering" else {}
    problem = {"problem_type": "single_label_classification"} if "Sequence" in kind else {}
    settings = TuneSettings(weight_decay=0.01, threads=1, precision="float32", device="cpu", **changes)
    return open_tuner(framework, kind, ElectraConfig(**(CONFIG | labels | problem)), {}, settings, seed=3)


def test_five_updates_are_the_same_in_three_frameworks_and_go_on_in_another(tmp_path):
    kind = "ElectraForSequenceClassification"
    tuners = {name: tuner_of(name, kind) for name in PREFIXES}
    steps = {name: tune(tuner, kind, range(5)) for name, tuner in tuners.items()}
    answers = {
        name: tuner.predict(batch_of(kind, np.random.default_rng(9))[0])["logits"] for name, tuner in tuners.items()
    }
    for name in ("tf", "flax"):
        for step, (found, expected) in enumerate(zip(steps[name], steps["torch"], strict=True)):
            assert found == pytest.approx(expected, rel=2e-5), f"{name}, step {step}"
        np.testing.assert_allclose(answers[name], answers["torch"], atol=2e-5)
        tuners[name].save(tmp_path / name)
    tuners["torch"].save(tmp_path / "torch")
    expected = {
        name: read_tensors(tmp_path / "torch" / name) for name in ("model.safetensors", "optimizer.safetensors")
    }
    for name in ("tf", "flax"):
        for file, arrays in expected.items():
            found = read_tensors(tmp_path / name / file)
            assert found.keys() == arrays.keys()
            for key, array in arrays.items():
                np.testing.assert_allclose(found[key], array, atol=2e-5, err_msg=f"{name}: {key}")
    tuners["torch"].load(tmp_path / "flax")
    tuners["flax"].load(tmp_path / "tf")
    ours, theirs = (tune(tuners[name], kind, [5])[0] for name in ("torch", "flax"))
    assert ours == pytest.approx(theirs, rel=1e-4)


OUTPUTS = {
    "classes": ({"logits": (4, 3)}, {"labels": [2, 0, 1, 1], "weights": WEIGHTS}, None),
    "tags": (
        {"logits": (4, 2, 3)},
        {"labels": [[0, 1], [2, IGNORED], [1, 1], [0, 0]], "weights": [[1, 2], [1, 0], [0.5, 1], [0, 0]]},
        None,
    ),
    "numbers": ({"logits": (4, 1)}, {"labels": [0.5, 1.5, 2.5, 0.0], "weights": WEIGHTS}, "regression"),
    "several": (
        {"logits": (4, 2)},
        {"labels": [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]], "weights": np.outer(WEIGHTS, [1, 3])},
        "multi_label_classification",
    ),
    "spans": (
        {"start_logits": (4, 5), "end_logits": (4, 5)},
        {"start_positions": [0, 1, 2, 3], "end_positions": [1, 1, 4, 4], "weights": WEIGHTS},
        None,
    ),
}


def expected_loss(outputs, targets, problem_type):
    """Every error on its own, in float64, summed by weight."""

    def cross_entropy(logits, label):
        return 0.0 if label == IGNORED else np.log(np.exp(logits).sum(-1)) - logits[label]

    total = 0.0
    for row in np.ndindex(np.shape(targets["weights"])):
        weight = np.asarray(targets["weights"])[row]
        if "start_logits" in outputs:
            ends = [
                cross_entropy(outputs[f"{p}_logits"][row], targets[f"{p}_positions"][row[0]]) for p in ("start", "end")
            ]
            total += weight * sum(ends) / 2
            continue
        logits, label = outputs["logits"][row], np.asarray(targets["labels"])[row]
        if problem_type == "regression":
            total += weight * (logits[0] - label) ** 2
        elif problem_type:
            total += weight * np.log1p(np.exp(-logits if label else logits))
        else:
            total += weight * cross_entropy(logits, label)
    return total


@pytest.mark.parametrize("framework", PREFIXES)
@pytest.mark.parametrize("what", OUTPUTS)
def test_errors_are_weighed_and_summed_or_averaged(framework, what):
    shapes, targets, problem_type = OUTPUTS[what]
    rng = np.random.default_rng(1)
    outputs = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    held = {
        name: np.asarray(v, np.float32 if np.asarray(v).dtype.kind == "f" else np.int32) for name, v in targets.items()
    }
    ops = import_module(f"electra.{framework}.ops")
    to_tensor = {
        "torch": lambda a: import_module("torch").from_numpy(a),
        "tf": lambda a: import_module("tensorflow").constant(a),
        "flax": lambda a: import_module("jax").numpy.asarray(a),
    }[framework]
    given = [{name: to_tensor(array) for name, array in arrays.items()} for arrays in (outputs, held)]
    total = expected_loss(outputs, targets, problem_type)
    assert float(tuning_loss(*given, problem_type, "sum", ops)) == pytest.approx(total, rel=1e-5)
    mean = total / np.sum(targets["weights"])
    assert float(tuning_loss(*given, problem_type, "mean", ops)) == pytest.approx(mean, rel=1e-5)


@pytest.mark.fault(21)
@pytest.mark.parametrize(
    "kind", ["ElectraForMultipleChoice", "ElectraForQuestionAnswering", "ElectraForTokenClassification"]
)
def test_a_row_without_weight_changes_nothing(kind):
    inputs, targets = batch_of(kind, np.random.default_rng(0))
    other = {name: array.copy() for name, array in inputs.items()}
    other["input_ids"][-1] = 7
    found = [tuner_of("torch", kind).train_step(given, targets, step=0, learning_rate=0.1) for given in (inputs, other)]
    assert found[0] == found[1]
    assert found[0]["loss"] > 0
