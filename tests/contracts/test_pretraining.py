"""One run in three frameworks: the same seed gives the same losses, step for step, and checkpoints go from one to another."""

from dataclasses import replace

import numpy as np
import pytest
from nightly import examples
from small_run import small_settings

from electra.data.corpus import Corpus
from electra.heads import PREFIXES
from electra.training.backend import open_backend
from electra.training.held_out import held_out_record
from electra.training.schedule import learning_rate
from electra.training.steps import Steps
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


@pytest.mark.parametrize("objective", ["electra", "mlm"])
def test_an_evaluation_keeps_the_same_of_held_out_text(objective, corpus):
    settings = settings_of(objective=objective)
    pieces = [f"piece {number}" for number in range(Corpus.open(corpus, "train").vocab_size)]
    parts = Steps(corpus, "train", settings).held_out()
    records = {}
    for name in PREFIXES:
        backend = backend_of(name, corpus, settings)
        records[name] = held_out_record(0, parts, [backend.observe(part) for part in parts], pieces)
    for ours in (records["tf"], records["flax"]):
        assert ours.keys() == records["torch"].keys()
        for row, expected in zip(ours["rows"], records["torch"]["rows"], strict=True):
            for key in ("pieces", "asked", "hidden", "written"):
                assert row[key] == expected[key], key
            for key in {"known", "scores"} & expected.keys():
                np.testing.assert_allclose(row[key], expected[key], atol=2e-4)


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


OTHERS = {
    "replace_mlm": dict(embedding_sharing="none"),
    "all_tokens_mlm": dict(final_temperature=2.0, generator="fixed", embedding_sharing="none", generator_width=None),
    "gdes": dict(objective="electra", embedding_sharing="gdes"),
    "electra_masked_only": dict(embedding_sharing="tokens"),
    "electric": dict(generator="two_towers"),
}


@pytest.mark.parametrize("name", list(OTHERS)[: examples(3, len(OTHERS))])
def test_other_objectives_make_the_same_steps_and_folders_in_every_framework(name, corpus, short_run, tmp_path):
    folder = {"generator_folder": str(short_run / "generator")} if OTHERS[name].get("generator") == "fixed" else {}
    settings = settings_of(**(dict(objective=name) | OTHERS[name] | folder))
    settings = replace(settings, model=settings.model | {"num_hidden_layers": 1})
    found = {}
    for framework in PREFIXES:
        backend = backend_of(framework, corpus, settings)
        if framework != "torch":
            backend.load(tmp_path / "torch")
            backend.save(tmp_path / framework)
        found[framework] = train(backend, corpus, settings, range(2))
        if framework == "torch":
            backend.save(tmp_path / "torch")
            found["torch"] = train(backend, corpus, settings, range(2))
        if folder:
            backend.save(tmp_path / "after")
            before, after = (read_tensors(tmp_path / at / "generator/model.safetensors") for at in (framework, "after"))
            assert all(np.array_equal(array, after[key]) for key, array in before.items())
    files = [path.relative_to(tmp_path / "torch") for path in (tmp_path / "torch").rglob("*.safetensors")]
    assert len(files) == len(settings.networks(200, 0)) + 1
    for framework in ("tf", "flax"):
        for ours, theirs in zip(found[framework], found["torch"], strict=True):
            assert ours == pytest.approx(theirs, rel=5e-5), framework
        for file in files:
            ours, theirs = (read_tensors(tmp_path / made / file) for made in (framework, "torch"))
            assert ours.keys() == theirs.keys(), file
            assert all(np.array_equal(array, theirs[key]) for key, array in ours.items()), file
