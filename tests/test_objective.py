"""The objective, in NumPy and in PyTorch, against the original's intermediate tensors under the same random choices."""

import json

import numpy as np
import numpy_ops
import pytest
import torch
from original import CASES, FOLDER, Case

from electra.batch import Batch, Masked, map_arrays
from electra.objective import (
    ObjectiveSettings,
    attention_mask,
    choose_positions,
    corrupt,
    count_predictions,
    electra_loss,
    mask_tokens,
    max_predictions,
    sample,
)
from electra.objectives import mlm_loss
from electra.torch import ops as torch_ops

SPECIAL = {"pad": 0, "unk": 2, "cls": 3, "sep": 4, "mask": 5}
PAIRS = [name for name in CASES if name != "bert_mlm"]


def rows(lengths, length=128, vocab_size=1000, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(6, vocab_size, (len(lengths), length)).astype(np.int32)
    mask = (np.arange(length)[None, :] < np.array(lengths)[:, None]).astype(np.int32)
    ids[:, 0] = SPECIAL["cls"]
    ids[np.arange(len(lengths)), np.array(lengths) - 1] = SPECIAL["sep"]
    return Batch(input_ids=ids * mask, attention_mask=mask, token_type_ids=np.zeros_like(ids))


def slots(noise, original_ids):
    """Masked slots of which only what `sample` reads matters."""
    nothing = np.zeros_like(original_ids)
    return Masked(
        input_ids=nothing, positions=nothing, original_ids=original_ids, weights=np.ones(nothing.shape), noise=noise
    )


@pytest.mark.parametrize("name", CASES)
def test_the_generator_sees_what_the_original_showed(name):
    case = Case(name)
    np.testing.assert_array_equal(case.masked.input_ids, case.goldens["masked_input_ids"])
    np.testing.assert_array_equal(case.masked.positions, case.goldens["masked_lm_positions"])
    np.testing.assert_array_equal(case.masked.original_ids, case.goldens["masked_lm_ids"])
    np.testing.assert_array_equal(case.masked.weights, case.goldens["masked_lm_weights"])


@pytest.mark.parametrize("ops", [numpy_ops, torch_ops], ids=["numpy", "torch"])
@pytest.mark.parametrize("name", PAIRS)
def test_from_the_same_logits_follow_the_same_samples_labels_and_losses(name, ops):
    case = Case(name)
    to = torch.from_numpy if ops is torch_ops else np.asarray
    logits, answers = (to(case.goldens[key]) for key in ("mlm_logits", "disc_logits"))
    batch, masked = (map_arrays(value, to) for value in (case.batch, case.masked))
    outcome = electra_loss(lambda *_: logits, lambda *_: answers, batch, masked, case.settings, ops)
    used = case.masked.weights > 0
    np.testing.assert_array_equal(np.asarray(outcome.sampled_ids)[used], case.goldens["sampled_ids"][used])
    np.testing.assert_array_equal(outcome.corrupted_ids, case.goldens["updated_input_ids"])
    np.testing.assert_array_equal(np.asarray(outcome.is_replaced), case.goldens["disc_labels"] > 0)
    for ours, theirs in (("mlm_loss", "mlm_loss"), ("discriminator_loss", "disc_loss"), ("loss", "total_loss")):
        assert float(getattr(outcome, ours)) == pytest.approx(float(case.goldens[theirs]), rel=3e-6), ours


def test_plain_masked_language_modelling_is_a_sibling_with_the_same_signature():
    case = Case("bert_mlm")
    outcome = mlm_loss(lambda *_: case.goldens["mlm_logits"], None, case.batch, case.masked, case.settings, numpy_ops)
    assert float(outcome.loss) == pytest.approx(float(case.goldens["total_loss"]), rel=3e-6)
    assert outcome.discriminator_loss is None


def test_a_position_drawn_twice_gets_the_floor_of_the_mean_as_in_the_original():
    parts = json.loads((FOLDER / "small_parts.json").read_text())["scatter_ints"]
    ids, positions, samples = (np.array(parts[key]) for key in ("sequence", "positions", "updates"))
    corrupted_ids, _ = corrupt(ids, positions, samples, (positions != 0).astype(np.float32), numpy_ops)
    np.testing.assert_array_equal(corrupted_ids, parts["updated"])


def test_a_sample_equal_to_the_original_counts_as_original():
    ids = np.array([[3, 7, 8, 4]])
    corrupted_ids, is_replaced = corrupt(ids, np.array([[1, 2]]), np.array([[7, 9]]), np.ones((1, 2)), numpy_ops)
    np.testing.assert_array_equal(corrupted_ids, [[3, 7, 9, 4]])
    np.testing.assert_array_equal(is_replaced, [[False, False, True, False]])


@pytest.mark.parametrize("gumbel_noise", [False, True], ids=["inverse", "gumbel"])
def test_samples_follow_the_generators_distribution(gumbel_noise):
    parts = json.loads((FOLDER / "small_parts.json").read_text())["sampling"]
    draws, rng = 40_000, np.random.default_rng(0)
    scores = np.broadcast_to(np.log(np.float32(parts["softmax"])), (1, draws, 5))
    settings = ObjectiveSettings(gumbel_noise=gumbel_noise)
    noise = rng.random((1, draws, 5) if gumbel_noise else (1, draws), dtype=np.float32)
    masked = slots(noise, np.zeros((1, draws), int))
    for ops in (numpy_ops, torch_ops):
        to = torch.from_numpy if ops is torch_ops else np.asarray
        there = map_arrays(masked, to)
        ids = np.asarray(sample(to(scores.copy()), there, settings, ops))
        np.testing.assert_allclose(np.bincount(ids[0], minlength=5) / draws, parts["softmax"], atol=0.01)


def test_the_original_token_is_never_sampled_where_that_is_asked():
    masked = slots(np.linspace(0, 0.999, 50, dtype=np.float32)[None], np.full((1, 50), 2))
    scores = np.log(np.full((1, 50, 5), 0.2, np.float32))
    ids = sample(scores, masked, ObjectiveSettings(disallow_correct=True), numpy_ops)
    assert set(ids[0]) == {0, 1, 3, 4}


@pytest.mark.parametrize(
    "run", json.loads((FOLDER / "masking_statistics.json").read_text())["runs"], ids=lambda r: str(r["max_seq_length"])
)
def test_rows_are_asked_as_often_as_in_the_original(run):
    length, probability = run["max_seq_length"], run["mask_prob"]
    assert max_predictions(length, probability) == run["max_predictions_per_seq"]
    for row in run["rows"]:
        real = np.arange(length)[None, :] < row["real_length"]
        assert count_predictions(real, probability)[0] == row["predictions"]


def test_positions_are_distinct_never_special_and_even_over_the_row():
    batch = rows([128] * 2000)
    positions, weights = choose_positions(
        batch, settings=ObjectiveSettings(), special_ids=SPECIAL, rng=np.random.default_rng(1)
    )
    assert positions.shape == (2000, 19)
    assert weights.all()
    assert all(len(set(row)) == 19 for row in positions)
    assert not np.isin(np.take_along_axis(batch.input_ids, positions, 1), [3, 4, 5]).any()
    counts = np.bincount(positions.ravel(), minlength=128)[1:127]
    expected = counts.sum() / 126
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 125 + 4 * np.sqrt(2 * 125)  # four standard deviations; the tail of the row counts as any place


def test_drawing_with_replacement_repeats_as_often_as_the_original():
    batch = rows([128] * 3000)
    settings = ObjectiveSettings(draw_with_replacement=True)
    positions, _ = choose_positions(batch, settings=settings, special_ids=SPECIAL, rng=np.random.default_rng(1))
    assert np.mean([len(set(row)) for row in positions]) == pytest.approx(17.7, abs=0.05)


def test_a_chosen_token_is_hidden_85_times_in_100_and_otherwise_stays():
    batch = rows([128] * 2000)
    masked = mask_tokens(
        batch, settings=ObjectiveSettings(), special_ids=SPECIAL, vocab_size=1000, rng=np.random.default_rng(2)
    )
    shown = np.take_along_axis(masked.input_ids, masked.positions, 1)
    assert np.mean(shown == SPECIAL["mask"]) == pytest.approx(0.85, abs=0.01)
    assert (shown[shown != SPECIAL["mask"]] == masked.original_ids[shown != SPECIAL["mask"]]).all()


@pytest.mark.fault(21)
def test_a_row_without_ordinary_tokens_is_asked_nowhere_and_costs_nothing():
    batch = rows([2, 2], length=16)
    masked = mask_tokens(
        batch, settings=ObjectiveSettings(), special_ids=SPECIAL, vocab_size=1000, rng=np.random.default_rng(3)
    )
    assert not masked.weights.any()
    np.testing.assert_array_equal(masked.input_ids, batch.input_ids)
    logits = np.zeros((*masked.positions.shape, 1000), np.float32)
    outcome = electra_loss(
        lambda *_: logits, lambda *_: np.zeros((2, 16)), batch, masked, ObjectiveSettings(), numpy_ops
    )
    assert outcome.mlm_loss == 0
    assert not outcome.is_replaced.any()


def test_documents_of_a_packed_row_do_not_see_each_other():
    batch = Batch(input_ids=None, attention_mask=None, token_type_ids=None, document_ids=np.array([[1, 1, 2, 0]]))
    np.testing.assert_array_equal(
        attention_mask(batch)[0],
        [[True, True, False, False], [True, True, False, False], [False, False, True, False], [False] * 3 + [True]],
    )
