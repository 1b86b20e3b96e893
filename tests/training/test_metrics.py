"""The measures of an evaluation against scikit-learn, and what they must not be fooled by."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from electra.tasks.metrics import roc_auc
from electra.training.metrics import Observed, average_precision, entropy, measure


@pytest.fixture(params=["distinct scores", "ties", "all equal"])
def scored(request):
    rng = np.random.default_rng(1)
    labels = rng.random(2000) < 0.13
    scores = rng.normal(size=2000) + labels
    if request.param == "ties":
        scores = np.round(scores)
    return (np.zeros(2000) if request.param == "all equal" else scores), labels


def test_ranking_measures_equal_scikit_learns(scored):
    scores, labels = scored
    assert roc_auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("label", [False, True])
def test_one_kind_alone_cannot_be_ranked(label):
    labels = np.full(5, label)
    assert np.isnan(roc_auc(np.arange(5.0), labels))
    assert np.isnan(average_precision(np.arange(5.0), labels)) == (not label)


def observed(logits, replaced, real):
    rows, _ = logits.shape
    slots = np.zeros((rows, 1))
    return Observed(
        mlm_errors=slots + 2.0, mlm_ids=slots, original_ids=slots, weights=slots + 1.0, real=real, sampled_ids=slots,
        logits=logits, is_replaced=replaced,
    )  # fmt: skip


def test_losses_over_real_tokens_equal_scikit_learns_and_padding_changes_nothing(scored):
    scores, labels = scored
    rows = [array.reshape(20, 100) for array in (scores, labels)]
    found = measure([observed(*rows, np.ones((20, 100)))])
    assert found["discriminator_loss"] == pytest.approx(log_loss(labels, 1 / (1 + np.exp(-scores))), rel=1e-9)
    assert found["prior_loss"] == pytest.approx(log_loss(labels, np.full(2000, labels.mean())), rel=1e-9)
    assert found["gain_over_prior"] == found["prior_loss"] - found["discriminator_loss"]
    padded = [
        np.concatenate([array, np.zeros((20, 300), array.dtype) - (array.dtype == float) * 9], 1) for array in rows
    ]
    real = np.repeat([[1, 0]], [100, 300], axis=1).repeat(20, 0)
    assert measure([observed(*padded, real)]) == pytest.approx(found)


def test_always_answering_the_share_gains_nothing():
    labels = np.arange(400).reshape(4, 100) % 8 == 0
    found = measure([observed(np.full((4, 100), np.log(1 / 7)), labels, np.ones((4, 100)))])
    assert found["gain_over_prior"] == pytest.approx(0, abs=1e-12)
    assert (found["roc_auc"], found["average_precision"]) == (0.5, 0.125)
    assert found["accuracy_on_original"] == 1  # which is why accuracy is not what is judged


def test_batches_of_any_size_count_by_their_tokens(scored):
    rows = [array.reshape(20, 100) for array in scored]
    whole = measure([observed(*rows, np.ones((20, 100)))])
    parts = [observed(*(array[s] for array in rows), np.ones((20, 100))[s]) for s in (slice(0, 3), slice(3, 20))]
    assert measure(parts) == pytest.approx(whole)


def test_what_cannot_be_measured_is_left_out():
    found = measure([observed(np.zeros((1, 4)), np.zeros((1, 4), bool), np.ones((1, 4)))])
    assert "discriminator_loss" in found
    assert not {"roc_auc", "average_precision"} & found.keys()


def test_entropy_is_zero_at_certainty():
    assert entropy(0.0) == entropy(1.0) == 0
    assert entropy(0.5) == pytest.approx(np.log(2))
