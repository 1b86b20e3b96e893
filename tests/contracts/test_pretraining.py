"""One run in three frameworks: the same seed gives the same losses, step for step, and checkpoints go from one to another."""

import numpy as np
import pytest
from small_run import small_settings

from electra.data.corpus import Corpus
from electra.heads import PREFIXES
from electra.training.backend import open_backend
from electra.training.pretrain import Steps
from electra.training.schedule import learning_rate
from electra.weights.files import read_tensors

STEPS = 20
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def settings_of(**changes):
    start = small_settings(steps=200)
    model = start.model | NO_DROPOUT
    return small_settings(steps=200, precision="float32", model=model, **changes)


def backend_of(framework, corpus, settings):
    opened = Corpus.open(corpus, "train")
    networks = settings.networks(opened.vocab_size, opened.special_ids["pad"])
    return open_backend(framework, networks, settings, opened.special_ids)


def train(backend, corpus, settings, steps):
    parts = Steps(corpus, "train", settings)
    losses = []
    for step in steps:
        rate = learning_rate(step, base=settings.learning_rate, total_steps=settings.steps, warmup_steps=5, power=1.0)
        losses.append(backend.train_step(parts(step), step=step, learning_rate=rate))
    return losses


@pytest.fixture(scope="module", params=["electra", "mlm"])
def runs(request, corpus):
    """The steps of each framework, by name."""
    settings = settings_of(objective=request.param)
    return {name: train(backend_of(name, corpus, settings), corpus, settings, range(STEPS)) for name in PREFIXES}


@pytest.mark.parametrize("framework", ["tf", "flax"])
def test_twenty_steps_of_one_seed_give_the_same_losses(runs, framework):
    for step, (found, expected) in enumerate(zip(runs[framework], runs["torch"], strict=True)):
        assert found.keys() == expected.keys()
        for name in ("loss", "mlm_loss", "gradient_norm"):
            assert found[name] == pytest.approx(expected[name], rel=2e-5), f"{name} of step {step}"


def test_the_losses_fall(runs):
    losses = [values["mlm_loss"] for values in runs["torch"]]
    assert losses[-1] < losses[0] - 0.2


@pytest.mark.parametrize("other", ["tf", "flax"])
def test_a_checkpoint_continues_in_another_framework(other, corpus, tmp_path):
    settings = settings_of()
    first = backend_of("torch", corpus, settings)
    train(first, corpus, settings, range(5))
    first.save(tmp_path / "torch")
    expected = train(first, corpus, settings, range(5, 10))
    second = backend_of(other, corpus, settings)
    second.load(tmp_path / "torch")
    second.save(tmp_path / other)
    for file in ("optimizer.safetensors", "discriminator/model.safetensors", "generator/model.safetensors"):
        ours, theirs = read_tensors(tmp_path / other / file), read_tensors(tmp_path / "torch" / file)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(array, theirs[name]) for name, array in ours.items()), file
    found = train(second, corpus, settings, range(5, 10))
    for step, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=2e-5), step
