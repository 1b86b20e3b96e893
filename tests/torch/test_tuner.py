"""Fine-tuning by the fused encoder makes the updates of the plain one, for every kind of head."""

import numpy as np
import pytest
import torch

from electra.config import ElectraConfig
from electra.losses import IGNORED
from electra.torch.tuner import Tuner
from electra.training.tune_settings import TuneSettings

SIZES = dict(
    vocab_size=50, embedding_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
    max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, summary_last_dropout=0.0,
)  # fmt: skip
LENGTHS = (30, 3, 17, 30, 9)
HEADS = {
    "classes": ("ElectraForSequenceClassification", {"num_labels": 3, "problem_type": "single_label_classification"}),
    "tags": ("ElectraForTokenClassification", {"num_labels": 3}),
    "spans": ("ElectraForQuestionAnswering", {}),
    "choices": ("ElectraForMultipleChoice", {}),
    "choices by their mean": ("ElectraForMultipleChoice", {"summary_type": "mean"}),
    "the original's classes": (
        "ElectraOriginalForSequenceClassification",
        {"problem_type": "single_label_classification"},
    ),
    "the original's spans": ("ElectraOriginalForQuestionAnswering", {}),
}


def batch_of(class_name, seed):
    """Five rows of different lengths with what the head learns from."""
    rng = np.random.default_rng(seed)
    shape = (5, 2, 30) if "Choice" in class_name else (5, 30)
    mask = (np.arange(30) < np.array(LENGTHS)[:, None]).astype(np.int32)
    mask = np.broadcast_to(mask[:, None] if len(shape) == 3 else mask, shape).copy()
    ids = rng.integers(5, 50, shape).astype(np.int32) * mask
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": mask * (np.arange(30, dtype=np.int32) > 1)}
    ones = np.ones(5, np.float32)
    if "Question" in class_name:
        starts = rng.integers(0, 3, 5).astype(np.int32)
        return inputs, {"start_positions": starts, "end_positions": starts, "weights": ones}
    if "Token" in class_name:
        tags = np.where(mask, rng.integers(0, 3, shape), IGNORED).astype(np.int32)
        return inputs, {"labels": tags, "weights": (tags != IGNORED).astype(np.float32)}
    return inputs, {"labels": rng.integers(0, 2, 5).astype(np.int32), "weights": ones}


class PlainTuner(Tuner):
    """The tuner of a machine without our own C."""

    def _adopt(self, model):
        self.is_fused = False
        super()._adopt(model)


def updates(kind, tuner_class, count=4, **changes):
    class_name, own = HEADS[kind]
    settings = TuneSettings(threads=1, device="cpu", **({"precision": "float32"} | changes))
    tuner = tuner_class(class_name, ElectraConfig(**SIZES | own), {}, settings, seed=3)
    assert tuner.is_fused == (tuner_class is Tuner)
    steps = [tuner.train_step(*batch_of(class_name, n), step=n, learning_rate=1e-2) for n in range(count)]
    return steps, tuner.predict(batch_of(class_name, 99)[0])


@pytest.mark.parametrize("kind", HEADS)
def test_updates_and_answers_are_those_of_the_plain_encoder(kind):
    (ours, answer), (theirs, expected) = updates(kind, Tuner), updates(kind, PlainTuner)
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == pytest.approx(other, rel=1e-4), step
    real = np.arange(30) < np.array(LENGTHS)[:, None]
    for name in ("logits", "start_logits", "end_logits", "no_answer_logits"):
        if name in expected:
            of_tokens = expected[name].shape[:2] == real.shape  # padding's answers are nobody's
            where = real if of_tokens else slice(None)
            np.testing.assert_allclose(answer[name][where], expected[name][where], atol=2e-4)


def test_bfloat16_learns_what_float32_learns():
    from electra.torch.backend import has_fast_bfloat16

    precision = "bfloat16" if has_fast_bfloat16(torch.device("cpu")) else "float32"
    ours, theirs = updates("tags", Tuner, precision=precision)[0], updates("tags", PlainTuner)[0]
    assert [step["loss"] for step in ours] == pytest.approx([step["loss"] for step in theirs], rel=0.03)
