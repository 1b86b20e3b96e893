"""The JAX step against the original and against PyTorch's: losses, updates, checkpoints, several devices."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from original import Case
from virtual_devices import run_on_virtual_devices

import electra.torch.backend
from electra.batch import map_arrays
from electra.errors import ConfigError, RunFailedError
from electra.flax.backend import Backend
from electra.flax.trees import named, to_tree
from electra.training.metrics import as_shipped
from electra.training.schedule import learning_rate
from electra.weights.files import read_tensors

CASES = ("small_projected", "bert_mlm")  # PyTorch's tests walk all of them; compiling takes longer
OTHERS = ("untied_embeddings", "tied_generator", "uniform_generator", "two_towers", "electric")


def backend_of(case, kind=Backend, dropout=0.0, layers=1, **changes):
    networks = case.networks()
    for config in networks.values():
        config.hidden_dropout_prob, config.num_hidden_layers = dropout, layers or config.num_hidden_layers
    settings = case.run_settings(**(dict(batch_size=1) | changes))
    return kind(networks, settings, case.special_ids)


def with_original_weights(backend, case):
    trees = {}
    for name, model in backend.models.items():
        held = case.weights(name)
        trees[name] = to_tree({key: held[key] for key in model.shapes()})
    backend._adopt(trees)
    return backend


def part_of(case):
    return case.batch, case.masked


def copy_of(tree):
    return jax.tree.map(np.array, tree)


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("name", OTHERS)
def test_losses_samples_and_labels_equal_the_originals(name):
    case, goldens = Case(name), Case(name).goldens
    backend = with_original_weights(backend_of(case, layers=None), case)
    outcome = backend.outcome(backend.parameters, jax.tree.map(np.asarray, part_of(case)))
    used = case.masked.weights > 0
    np.testing.assert_array_equal(outcome.sampled_ids[used], goldens["sampled_ids"][used])
    np.testing.assert_array_equal(outcome.corrupted_ids, goldens["updated_input_ids"])
    np.testing.assert_array_equal(outcome.is_replaced, goldens["disc_labels"] > 0)
    assert float(outcome.mlm_loss) == pytest.approx(float(goldens["mlm_loss"]), rel=1e-5)
    assert float(outcome.discriminator_loss) == pytest.approx(float(goldens["disc_loss"]), rel=2e-5)
    assert float(outcome.loss) == pytest.approx(float(goldens["total_loss"]), rel=2e-5)


@pytest.mark.parametrize("name", CASES)
def test_updates_follow_the_original_step_by_step(name):
    case = Case(name)
    run = next(r for r in case.facts["lockstep"] if r["name"] == "fresh")
    optimizer = run["optimizer"]
    backend = with_original_weights(backend_of(case, layers=None, weight_decay=optimizer["weight_decay_rate"]), case)
    metrics = as_shipped([backend.observe(part_of(case))])
    for metric, expected in case.facts["eval_metrics"].items():
        if metric in metrics:
            assert metrics[metric] == pytest.approx(expected, abs=2e-5), metric
    for entry in run["trace"]:
        step = entry["global_step"]
        rate = learning_rate(
            step, base=optimizer["learning_rate"], total_steps=optimizer["num_train_steps"],
            warmup_steps=optimizer["warmup_steps"],
        )  # fmt: skip
        values = backend.train_step([part_of(case)], step=step, learning_rate=rate)
        assert values["mlm_loss"] == pytest.approx(entry["mlm_loss"], rel=2e-5), f"step {step}"
        if "discriminator_loss" in values:
            assert values["discriminator_loss"] == pytest.approx(entry["disc_loss"], rel=1e-4), f"step {step}"
        assert values["loss"] == pytest.approx(entry["total_loss"], rel=1e-4), f"step {step}"
        assert values["gradient_norm"] == pytest.approx(entry["gradient_global_norm"], rel=2e-4), f"step {step}"


@pytest.mark.parametrize("begins", ["flax", "torch"])
def test_a_run_begins_in_one_framework_and_goes_on_in_the_other(begins, tmp_path):
    case = Case("small_projected")
    kinds = {"flax": Backend, "torch": electra.torch.backend.Backend}
    first = backend_of(case, kinds.pop(begins), threads=1)
    other = backend_of(case, *kinds.values(), threads=1)
    first.train_step([part_of(case)], step=0, learning_rate=1e-3)
    first.save(tmp_path / "one")
    other.load(tmp_path / "one")
    other.save(tmp_path / "two")
    for name in ("optimizer.safetensors", "discriminator/model.safetensors", "generator/model.safetensors"):
        one, two = read_tensors(tmp_path / "one" / name), read_tensors(tmp_path / "two" / name)
        assert one.keys() == two.keys()
        assert all((one[key] == two[key]).all() for key in one), name
    values = [backend.train_step([part_of(case)], step=1, learning_rate=1e-3) for backend in (first, other)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_both_frameworks_begin_with_the_same_weights():
    case = Case("small_projected")
    ours, theirs = backend_of(case), backend_of(case, electra.torch.backend.Backend, threads=1)
    assert ours.describe()["parameters"] == theirs.describe()["parameters"]
    found, expected = (as_shipped([backend.observe(part_of(case))]) for backend in (ours, theirs))
    assert found == pytest.approx(expected, abs=2e-5)


def test_a_killed_run_continues_bit_for_bit_dropout_included(tmp_path):
    case = Case("small_projected")
    whole, killed = backend_of(case, dropout=0.1), backend_of(case, dropout=0.1)
    for step in range(2):
        values = [backend.train_step([part_of(case)], step=step, learning_rate=1e-3) for backend in (whole, killed)]
    killed.save(tmp_path)
    resumed = backend_of(case, dropout=0.1, seed=7)
    resumed.settings = whole.settings
    resumed.load(tmp_path)
    values = [backend.train_step([part_of(case)], step=2, learning_rate=1e-3) for backend in (whole, resumed)]
    assert values[0] == values[1]
    same(whole.parameters, resumed.parameters)
    same(whole.optimizer, resumed.optimizer)
    again = whole.train_step([part_of(case)], step=3, learning_rate=0.0)
    assert whole.train_step([part_of(case)], step=4, learning_rate=0.0)["loss"] != again["loss"]


def test_a_batch_in_parts_makes_the_same_update():
    case = Case("small_projected")
    whole, parts = backend_of(case), backend_of(case)
    four, *cut = [
        tuple(map_arrays(v, lambda a, s=s: a[s]) for v in part_of(case)) for s in (slice(4), slice(2), slice(2, 4))
    ]
    one = whole.train_step([four], step=0, learning_rate=1e-3)
    two = parts.train_step(cut, step=0, learning_rate=1e-3)
    assert two == pytest.approx(one, rel=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6, rtol=1e-5), whole.parameters, parts.parameters
    )


def test_a_loss_that_is_not_finite_changes_nothing():
    case = Case("small_projected")
    backend = backend_of(case)
    backend.settings = replace(backend.settings, discriminator_weight=float("inf"))
    before = copy_of((backend.parameters, backend.optimizer))
    with pytest.raises(RunFailedError, match="step 4: loss inf"):
        backend.train_step([part_of(case)], step=4, learning_rate=1e-3)
    same(before, (backend.parameters, backend.optimizer))


def test_bfloat16_computes_in_halves_and_keeps_whole_parameters():
    case = Case("small_projected")
    exact, rough = (backend_of(case, precision=precision) for precision in ("float32", "bfloat16"))
    one, two = (backend.observe(part_of(case)).mlm_errors.mean() for backend in (exact, rough))
    assert one != two == pytest.approx(one, rel=1e-2)
    assert rough.describe()["precision"] == "bfloat16"
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(rough.parameters)} == {"float32"}


def test_what_the_networks_share_is_kept_and_trained_once():
    backend = backend_of(Case("small_projected"))
    assert "embeddings" not in backend.parameters["generator"]["electra"]
    assert not any("word_embeddings" in name for name, _ in named(backend.optimizer["m"]["generator"]))


def test_a_device_that_is_not_there_is_refused_by_name():
    with pytest.raises(ConfigError, match="device is 'cuda:3', which cannot be used here"):
        backend_of(Case("small_projected"), device="cuda:3")


ON_FOUR = """
import numpy as np
from test_backend import Case, backend_of, part_of
from electra.batch import map_arrays
case = Case("small_projected")
part = tuple(map_arrays(v, lambda a: np.concatenate([a, a])[:8]) for v in part_of(case))
for count in (1, 4):
    backend = backend_of(case, device="cpu", batch_size=8 if count == 4 else 1)
    assert len(backend.devices) == count
    for step in range(2):
        values = backend.train_step([part], step=step, learning_rate=1e-3)
        print(*(repr(values[name]) for name in ("loss", "gradient_norm", "replaced_share")))
    assert backend.describe()["device"] == ("cpu" if count == 1 else "4 x cpu")
"""


def test_four_devices_share_a_batch_and_give_the_losses_of_one():
    lines = [list(map(float, line.split())) for line in run_on_virtual_devices(4, ON_FOUR).splitlines()]
    assert len(lines) == 4
    np.testing.assert_allclose(lines[:2], lines[2:], rtol=2e-5)
