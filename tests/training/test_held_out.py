"""What an evaluation keeps of held-out text: it says what the networks saw and answered, and changes nothing they learn."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy_ops as ops
import pytest
from small_run import small_settings

from electra.batch import Batch, Masked
from electra.objective import corrupt
from electra.tasks.metrics import roc_auc
from electra.training.held_out import (
    EDGES,
    EXAMPLES,
    LONGEST,
    calibration_error,
    held_out_record,
    judged,
    precision_recall,
    probability,
    reliability,
    tally,
)
from electra.training.metrics import Observed
from electra.training.pretrain import pretrain
from electra.training.run import read_metrics
from electra.weights.files import read_tensors

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{number}" for number in range(5, 60))]
LENGTH, SLOTS = 80, 12


def part(rows, seed=0, repeats=False):
    """Random rows with padding at the end, and what two networks answered."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, 60, (rows, LENGTH)).astype(np.int32)
    real = (np.arange(LENGTH) < rng.integers(40, LENGTH, (rows, 1))).astype(np.int32)
    ids[:, 0], ids[real == 0] = 2, 0
    pick = (
        rng.integers(1, 30, (rows, SLOTS))
        if repeats
        else np.array([rng.permutation(30)[:SLOTS] + 1 for _ in range(rows)])
    )
    weights = (np.arange(SLOTS) < rng.integers(3, SLOTS, (rows, 1))).astype(np.float32)
    positions = np.where(weights > 0, pick, 0).astype(np.int32)
    originals = np.where(weights > 0, np.take_along_axis(ids, positions, 1), 0).astype(np.int32)
    sampled = np.where(rng.random(positions.shape) < 0.3, originals, rng.integers(5, 60, positions.shape)).astype(
        np.int32
    )
    _, is_replaced = corrupt(ids, positions, sampled, weights, ops)
    shown = ids.copy()
    shown[:, 1:4] = 4
    seen = Observed(
        mlm_errors=rng.exponential(2, positions.shape), mlm_ids=sampled[:, ::-1], original_ids=originals, weights=weights,
        real=real, sampled_ids=sampled, logits=rng.normal(0, 4, ids.shape), is_replaced=is_replaced,
    )  # fmt: skip
    batch = Batch(input_ids=ids, attention_mask=real, token_type_ids=ids * 0)
    masked = Masked(input_ids=shown, positions=positions, original_ids=originals, weights=weights, noise=weights)
    return (batch, masked), seen


def record_of(*parts):
    return held_out_record(7, [part for part, _ in parts], [seen for _, seen in parts], PIECES)


@pytest.mark.parametrize("repeats", [False, True], ids=["drawn once", "drawn twice"])
def test_a_row_says_what_stood_there_what_was_written_and_what_was_suspected(repeats):
    (batch, masked), seen = part(EXAMPLES, repeats=repeats)
    record = record_of(((batch, masked), seen))
    assert record["step"] == 7
    corrupted, _ = corrupt(batch.input_ids, masked.positions, seen.sampled_ids, masked.weights, ops)
    for number, row in enumerate(record["rows"]):
        real = batch.attention_mask[number].sum()
        assert row["pieces"] == [PIECES[i] for i in batch.input_ids[number][: min(real, LONGEST)]]
        used = masked.weights[number] > 0
        assert row["asked"] == sorted({*masked.positions[number][used].tolist()})
        assert row["written"] == [PIECES[corrupted[number, place]] for place in row["asked"]]
        assert row["hidden"] == [int(place in (1, 2, 3)) for place in row["asked"]]
        for place, known in zip(row["asked"], row["known"], strict=True):
            slots = np.nonzero(used & (masked.positions[number] == place))[0]
            assert known == pytest.approx(np.exp(-seen.mlm_errors[number, slots[0]]), abs=5e-5)
        shown = list(judged(row))
        replaced = [place for place, one in enumerate(shown) if one.original]
        assert replaced == np.nonzero(seen.is_replaced[number][: len(shown)])[0].tolist()
        for place, one in enumerate(shown):
            is_suspected = seen.logits[number, place] >= 0
            expected = {(1, 1): "caught", (1, 0): "missed", (0, 1): "alarm"}.get((place in replaced, is_suspected))
            expected = expected or ("restored" if place in row["asked"] else "special" if place == 0 else "")
            assert (place, one.verdict) == (place, expected)
        assert tally(row)["missed"] == [one.verdict for one in shown].count("missed")


def test_without_a_discriminator_the_best_guesses_are_right_or_wrong():
    (batch, masked), seen = part(2)
    seen = replace(seen, sampled_ids=None, logits=None, is_replaced=None)
    record = record_of(((batch, masked), seen))
    assert "scores" not in record
    for number, row in enumerate(record["rows"]):
        used = masked.weights[number] > 0
        guesses = dict(zip(masked.positions[number][used], seen.mlm_ids[number][used], strict=True))
        assert row["written"] == [PIECES[guesses[place]] for place in row["asked"]]
        verdicts = {place: one.verdict for place, one in enumerate(judged(row)) if one.verdict not in ("", "special")}
        truth = {p: "restored" if i == batch.input_ids[number][p] else "wrong" for p, i in guesses.items()}
        assert verdicts == truth


def test_a_discriminator_that_is_asked_about_some_tokens_is_shown_and_counted_for_those():
    (batch, masked), seen = part(2)
    judged_at = np.zeros_like(batch.attention_mask)
    for number in range(2):
        judged_at[number, masked.positions[number][masked.weights[number] > 0]] = 1
    record = record_of(((batch, masked), replace(seen, judged=judged_at)))
    assert sum(record["scores"]["original"] + record["scores"]["replaced"]) == judged_at.sum()
    for row in record["rows"]:
        assert [place for place, score in enumerate(row["scores"]) if score is not None] == row["asked"]
        assert {one.verdict for one in judged(row)} <= {"caught", "missed", "alarm", "restored", "special", ""}
        assert "alarm" not in {one.verdict for place, one in enumerate(judged(row)) if place not in row["asked"]}


def test_rows_come_from_all_over_the_held_out_text_and_few_rows_are_all_shown():
    parts = [part(5, seed=seed) for seed in range(4)]
    first = [row["pieces"] for row in record_of(*parts)["rows"]]
    expected = [record_of((p, s))["rows"][0]["pieces"] for p, s in parts]
    assert first == expected
    assert len(record_of(part(3))["rows"]) == 3


def test_all_scores_are_counted_by_whether_they_are_right():
    (_, one), (_, other) = part(6, seed=1), part(3, seed=2)
    record = record_of(part(6, seed=1), part(3, seed=2))["scores"]
    logits = np.concatenate([one.logits[one.real > 0], other.logits[other.real > 0]])
    replaced = np.concatenate([one.is_replaced[one.real > 0], other.is_replaced[other.real > 0]])
    bins = [(logits >= low) & (logits < high) for low, high in pairwise([-np.inf, *EDGES, np.inf])]
    assert record["replaced"] == [int(replaced[chosen].sum()) for chosen in bins]
    assert record["original"] == [int((~replaced)[chosen].sum()) for chosen in bins]
    for (mean, share, count), chosen in zip(reliability(record), [c for c in bins if c.any()], strict=True):
        assert (count, share) == (chosen.sum(), pytest.approx(replaced[chosen].mean()))
        assert mean == pytest.approx(probability(logits[chosen]).mean(), abs=5e-5)


def test_precision_and_recall_are_those_of_the_thresholds_and_a_ranking_by_chance_is_flat():
    rng = np.random.default_rng(0)
    logits = rng.choice(EDGES[:-1] + 0.25, 4000)
    labels = rng.random(4000) < probability(logits)
    record = scores_of(logits, labels)
    for (recall, precision), edge in zip(precision_recall(record), [np.inf, *EDGES[::-1], -np.inf][2:], strict=False):
        called = logits >= edge
        assert (recall, precision) == (
            pytest.approx(labels[called].sum() / labels.sum()),
            pytest.approx(labels[called].mean()),
        )
    assert roc_auc(logits, labels) > 0.9
    assert precision_recall(scores_of(logits, labels & False)) == []


def test_the_distance_from_the_diagonal_is_small_where_probabilities_are_true_and_large_where_they_are_not():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, 50_000)
    labels = rng.random(50_000) < probability(logits)
    assert calibration_error(scores_of(logits, labels)) < 0.01
    assert calibration_error(scores_of(3 * logits, labels)) > 0.05


def scores_of(logits, labels):
    seen = Observed(
        mlm_errors=np.zeros((1, 1)), mlm_ids=np.zeros((1, 1), int), original_ids=np.zeros((1, 1), int),
        weights=np.zeros((1, 1)), real=np.ones((1, len(logits))), logits=logits[None], is_replaced=labels[None],
    )  # fmt: skip
    ids = np.full((1, len(logits)), 5, np.int32)
    batch = Batch(input_ids=ids, attention_mask=ids * 0 + 1, token_type_ids=ids * 0)
    masked = Masked(
        input_ids=ids,
        positions=np.zeros((1, 1), int),
        original_ids=ids[:, :1],
        weights=np.zeros((1, 1)),
        noise=ids[:, :1],
    )
    return held_out_record(0, [(batch, masked)], [seen], PIECES)["scores"]


def test_a_run_keeps_the_same_rows_at_each_evaluation_and_learns_the_same_however_often_it_looks(corpus, tmp_path):
    for name, every in (("often", 2), ("once", 1000)):
        pretrain(small_settings(steps=10, eval_every=every), corpus, tmp_path / name, panel=False)
    often = list(read_metrics(tmp_path / "often" / "held_out.jsonl"))
    assert [record["step"] for record in often] == [2, 4, 6, 8, 10]
    assert len({json.dumps([(r["pieces"], r["asked"], r["hidden"]) for r in record["rows"]]) for record in often}) == 1
    assert len(often[0]["rows"]) == EXAMPLES
    assert often[0]["rows"][0]["scores"] != often[-1]["rows"][0]["scores"]
    (once,) = read_metrics(tmp_path / "once" / "held_out.jsonl")
    assert once == often[-1]
    for network in ("discriminator", "generator"):
        one, other = (read_tensors(tmp_path / name / network / "model.safetensors") for name in ("often", "once"))
        assert all(np.array_equal(array, other[key]) for key, array in one.items())
    evaluation = next(r for r in read_metrics(tmp_path / "once" / "metrics.jsonl") if r["kind"] == "evaluation")
    counts = {name: sum(once["scores"][name]) for name in ("original", "replaced")}
    assert evaluation["replaced_share"] == pytest.approx(counts["replaced"] / sum(counts.values()))
