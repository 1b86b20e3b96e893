"""The TensorFlow step against the original, as tests/torch/test_backend.py; and runs that go on, here and across frameworks."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from original import CASES, FOLDER, TOWER_CASES, Case, groups, state_dict
from small_run import MODEL
from small_run import small_settings as two_layers

from electra.batch import map_arrays
from electra.errors import ConfigError, RunFailedError
from electra.tf.backend import Backend
from electra.tf.initial import fill
from electra.tf.optim import set_moments
from electra.torch.backend import Backend as TorchBackend
from electra.training.metrics import as_shipped
from electra.training.pretrain import pretrain
from electra.training.schedule import learning_rate
from electra.training.steps import Steps
from electra.weights.files import read_tensors
from electra.weights.translation import transposed

VARIANTS = json.loads((FOLDER / "variants.json").read_text())["variants"]


class CaseBackend(Backend):
    """The backend of a case, with the case's weights."""

    def __init__(self, case, **changes):
        self.case = case
        super().__init__(case.networks(), case.run_settings(**changes), case.special_ids)

    def _adopt(self, models, state=None):
        for name, model in models.items():
            fill(model.named_weights(), self.case.weights(name))
        super()._adopt(models, state)


@pytest.fixture(params=(*CASES, *TOWER_CASES))
def case(request):
    return Case(request.param)


def close(ours, theirs, atol=2e-5):
    np.testing.assert_allclose(np.asarray(ours), theirs, atol=atol, rtol=1e-4)


def test_losses_samples_and_labels_equal_the_originals(case):
    outcome, goldens = CaseBackend(case).outcome((case.batch, case.masked)), case.goldens
    used, real = case.masked.weights > 0, case.batch.attention_mask > 0
    close(outcome.mlm_log_probabilities[used], tf.nn.log_softmax(goldens["mlm_logits"])[used])
    assert float(outcome.loss) == pytest.approx(float(goldens["total_loss"]), rel=1e-5)
    if case.name == "bert_mlm":
        return
    np.testing.assert_array_equal(outcome.sampled_ids[used], goldens["sampled_ids"][used])
    np.testing.assert_array_equal(outcome.corrupted_ids, goldens["updated_input_ids"])
    np.testing.assert_array_equal(outcome.is_replaced, goldens["disc_labels"] > 0)
    close(
        outcome.discriminator_logits[real], goldens["disc_logits"][real], atol=1e-4 if case.name == "electric" else 2e-5
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant["variant"])
def test_every_setting_of_the_objective_gives_the_originals_numbers(variant):
    arrays = groups(np.load(FOLDER / "variants.npz"))
    inputs = arrays[variant["inputs"].removeprefix("variant_").removesuffix(".npz")]
    case = Case("small_projected", variant["overrides"], inputs)
    for name, value in variant["changed_weights"].items():
        case.arrays["weights"][name] = np.full_like(case.arrays["weights"][name], value)
    backend = CaseBackend(case)
    outcome, goldens = backend.outcome((case.batch, case.masked)), arrays[variant["variant"]]
    np.testing.assert_array_equal(outcome.corrupted_ids, goldens["updated_input_ids"])
    assert float(outcome.loss) == pytest.approx(variant["losses"]["total_loss"], rel=1e-5)
    metrics = as_shipped([backend.observe((case.batch, case.masked))])
    for name, expected in variant["eval_metrics"].items():
        assert metrics[name] == pytest.approx(expected, abs=2e-5), name


def by_name(variables):
    """The original's variables under NETWORK.NAME."""
    theirs = {f"discriminator.{name}": value for name, value in state_dict(variables, "electra").items()}
    return theirs | {f"generator.{name}": value for name, value in state_dict(variables, "generator").items()}


def turned(name, array):
    return transposed(name.partition(".")[2], np.asarray(array))


@pytest.mark.parametrize("run", ["continue", "fresh"])
def test_twelve_updates_follow_the_original_step_by_step(run):
    case = Case("small_projected")
    facts = next(r for r in case.facts["lockstep"] if r["name"] == run)
    optimizer = facts["optimizer"]
    backend = CaseBackend(case, weight_decay=optimizer["weight_decay_rate"])
    if facts["trace"][0]["global_step"]:
        state = {}
        for kind in ("m", "v"):
            end = f"/adam_{kind}"
            slots = {n.removesuffix(end): a for n, a in case.arrays["slots"].items() if n.endswith(end)}
            state |= {f"{name}/{kind}": turned(name, a) for name, a in by_name(slots).items()}
        set_moments(backend.optimizer, state)
    for entry in facts["trace"]:
        step = entry["global_step"]
        rate = learning_rate(
            step + (1 if "next_step" in run else 0), base=optimizer["learning_rate"],
            total_steps=optimizer["num_train_steps"], warmup_steps=optimizer["warmup_steps"],
        )  # fmt: skip
        values = backend.train_step([(case.batch, case.masked)], step=step, learning_rate=rate)
        assert values["loss"] == pytest.approx(entry["total_loss"], rel=1e-4), f"step {step}"
        assert values["gradient_norm"] == pytest.approx(entry["gradient_global_norm"], rel=2e-4), f"step {step}"
    if run == "continue":
        after = by_name(case.arrays["after"])
        for name, value in backend.parameters().items():
            np.testing.assert_allclose(turned(name, value), after[name], atol=2e-5, rtol=1e-4, err_msg=name)


def test_a_batch_in_parts_makes_the_same_update():
    case = Case("small_projected")
    whole, parts = CaseBackend(case), CaseBackend(case)
    cut = [
        tuple(map_arrays(v, lambda a, s=s: a[s]) for v in (case.batch, case.masked)) for s in (slice(0, 2), slice(2, 5))
    ]
    one = whole.train_step([(case.batch, case.masked)], step=0, learning_rate=1e-3)
    assert parts.train_step(cut, step=0, learning_rate=1e-3) == pytest.approx(one, rel=1e-5)
    for name, parameter in whole.parameters().items():
        np.testing.assert_allclose(parts.parameters()[name], parameter, atol=1e-6, rtol=1e-5)


def test_a_loss_that_is_not_finite_changes_nothing():
    backend = CaseBackend(case := Case("small_projected"))
    backend.settings = replace(backend.settings, discriminator_weight=float("inf"))
    before = {name: parameter.numpy() for name, parameter in backend.parameters().items()}
    with pytest.raises(RunFailedError, match="step 4: loss inf"):
        backend.train_step([(case.batch, case.masked)], step=4, learning_rate=1e-3)
    assert all(np.array_equal(before[name], parameter) for name, parameter in backend.parameters().items())
    assert not any(slot.v.numpy().any() for slot in backend.optimizer.slots.values())


def small_settings(**changes):
    """One layer: a graph is made for every backend."""
    return two_layers(model=MODEL | {"num_hidden_layers": 1}, **changes)


VOCABULARY = 200  # of the fixture `corpus`
SPECIAL = {"pad": 0, "cls": 2, "sep": 3, "mask": 4}


def networks_of(settings):
    return settings.networks(VOCABULARY, 0)


def test_every_framework_starts_from_the_same_numbers():
    settings = small_settings()
    ours, theirs = (kind(networks_of(settings), settings, SPECIAL) for kind in (Backend, TorchBackend))
    assert ours.parameters().keys() == theirs.parameters().keys()
    for name, parameter in theirs.parameters().items():
        np.testing.assert_array_equal(turned(name, ours.parameters()[name]), parameter.detach().numpy(), err_msg=name)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"device is 'cuda:7', which cannot be used here; TensorFlow sees .*CPU:0"):
        Backend({}, small_settings(device="cuda:7"), SPECIAL)


def weights_of(folder):
    return {name: read_tensors(folder / name) for name in ("discriminator", "generator")}


def same(one, other):
    return all(np.array_equal(value, other[network][name]) for network in one for name, value in one[network].items())


def test_a_stopped_run_goes_on_bit_for_bit(corpus, tmp_path):
    settings = small_settings(steps=8, checkpoint_every=4, precision="bfloat16", accumulate=2)
    whole = tmp_path / "whole"
    pretrain(settings, corpus, whole, framework="tf", panel=False)
    steps, half = Steps(corpus, "train", settings), whole / "checkpoints" / "step-00000004"
    backend = Backend(networks_of(settings), settings, SPECIAL)
    backend.load(half)
    for step in range(4, 8):
        rate = learning_rate(
            step, base=settings.learning_rate, total_steps=8, warmup_steps=settings.warmup_steps,
            power=settings.lr_decay_power,
        )  # fmt: skip
        backend.train_step(steps(step), step=step, learning_rate=rate)
    backend.save(tmp_path / "again")
    assert same(weights_of(tmp_path / "again"), weights_of(whole))
    moments = [
        read_tensors(f / "optimizer.safetensors") for f in (tmp_path / "again", whole / "checkpoints" / "step-00000008")
    ]
    assert all(np.array_equal(value, moments[1][name]) for name, value in moments[0].items())


@pytest.mark.parametrize(
    ("first", "second"), [(TorchBackend, Backend), (Backend, TorchBackend)], ids=["torch-tf", "tf-torch"]
)
def test_a_checkpoint_of_one_framework_is_continued_by_the_other(corpus, tmp_path, first, second):
    off = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    settings = small_settings(steps=8)
    settings = replace(settings, model=settings.model | off)
    steps, networks = Steps(corpus, "train", settings), networks_of(settings)
    one = first(networks, settings, SPECIAL)
    for step in range(3):
        one.train_step(steps(step), step=step, learning_rate=1e-3)
    one.save(tmp_path)
    other = second(networks, settings, SPECIAL)
    other.load(tmp_path)
    other.save(tmp_path / "copy")
    assert same(weights_of(tmp_path / "copy"), weights_of(tmp_path))
    for step in range(3, 6):
        values = [backend.train_step(steps(step), step=step, learning_rate=1e-3) for backend in (one, other)]
        assert values[1]["mlm_loss"] == pytest.approx(values[0]["mlm_loss"], rel=1e-4)
        assert values[1]["gradient_norm"] == pytest.approx(values[0]["gradient_norm"], rel=1e-2)
