"""Measures of a pretraining evaluation that cannot flatter: over real tokens only, beside the loss of knowing nothing.

The accuracy of a discriminator says little: always answering "original" is right about nine times in ten. So its loss is
held against the class prior's (the loss of always answering the share of replaced tokens), and its ranking is measured.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from electra.tasks.metrics import roc_auc


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What one evaluated batch showed, in NumPy. Shapes: B rows, L positions, M masked slots.

    mlm_errors        (B, M) nats, cross-entropy of the original tokens     mlm_ids   (B, M) the generator's best tokens
    original_ids      (B, M)                                                weights   (B, M) 0 on unused slots
    sampled_ids       (B, M), is_replaced (B, L): None without a main network beside the generator
    logits            (B, L) above 0 for "replaced"; None where the main network does not say it
    real              (B, L) 1 on real tokens
    judged            (B, L) 0 on tokens the main network is not asked about; None: it is asked about all real ones
    is_right, prediction_errors (B, L), nats: of a main network that names tokens
    cloze_loss        () nats, of two towers over the candidates (B, L)
    """

    mlm_errors: np.ndarray
    mlm_ids: np.ndarray
    original_ids: np.ndarray
    weights: np.ndarray
    real: np.ndarray
    sampled_ids: np.ndarray | None = None
    logits: np.ndarray | None = None
    is_replaced: np.ndarray | None = None
    judged: np.ndarray | None = None
    is_right: np.ndarray | None = None
    prediction_errors: np.ndarray | None = None
    cloze_loss: np.ndarray | None = None
    candidates: np.ndarray | None = None

    def asked(self, name: str) -> np.ndarray:
        """What an array (B, L) holds of the tokens the main network is asked about, (T,)."""
        values: np.ndarray = getattr(self, name)[(self.real if self.judged is None else self.judged) > 0]
        return values


def measure(observed: Iterable[Observed]) -> dict[str, float]:
    """The measures over all batches. Losses are nats; shares, accuracies, roc_auc and average_precision lie in 0 to 1.

    Ranking measures are left out where all tokens, or none, are replaced.
    """
    batches = list(observed)
    used = [b.weights > 0 for b in batches]
    originals = _join(b.original_ids[u] for b, u in zip(batches, used, strict=True))
    result = {
        "mlm_loss": _mean(_join(b.mlm_errors[u] for b, u in zip(batches, used, strict=True))),
        "mlm_accuracy": _mean(_join(b.mlm_ids[u] for b, u in zip(batches, used, strict=True)) == originals),
    }
    if not batches or batches[0].sampled_ids is None:
        return result
    sampled = _join(b.sampled_ids[u] for b, u in zip(batches, used, strict=True))  # type: ignore[index]
    result["sampled_accuracy"] = _mean(sampled == originals)
    if batches[0].cloze_loss is not None:
        counts = np.array([np.sum(b.candidates) for b in batches])  # type: ignore[arg-type]
        result["cloze_loss"] = _weighted(np.array([float(b.cloze_loss) for b in batches]), counts)  # type: ignore[arg-type]
    result |= _of_judge(batches) if batches[0].prediction_errors is None else _of_predictor(batches)
    return {name: value for name, value in result.items() if not np.isnan(value)}


def _of_judge(batches: list[Observed]) -> dict[str, float]:
    logits, replaced = _asked(batches, "logits").astype(np.float64), _asked(batches, "is_replaced").astype(bool)
    share = _mean(replaced)
    loss, prior = _mean(binary_cross_entropy(logits, replaced)), entropy(share)
    return {
        "replaced_share": share,
        "discriminator_loss": loss,
        "prior_loss": prior,
        "gain_over_prior": prior - loss,
        "roc_auc": roc_auc(logits, replaced),
        "average_precision": average_precision(logits, replaced),
        "accuracy_on_replaced": _mean(logits[replaced] > 0),
        "accuracy_on_original": _mean(logits[~replaced] <= 0),
    }


def _of_predictor(batches: list[Observed]) -> dict[str, float]:
    right, replaced = (_asked(batches, name).astype(bool) for name in ("is_right", "is_replaced"))
    result = {
        "replaced_share": _mean(replaced),
        "prediction_loss": _mean(_asked(batches, "prediction_errors")),
        "prediction_accuracy": _mean(right),
        "accuracy_on_replaced": _mean(right[replaced]),
        "accuracy_on_original": _mean(right[~replaced]),
    }
    if batches[0].logits is not None:  # of the choice to copy
        logits = _asked(batches, "logits").astype(np.float64)
        result |= {"roc_auc": roc_auc(logits, replaced), "average_precision": average_precision(logits, replaced)}
    return result


def _asked(batches: list[Observed], name: str) -> np.ndarray:
    return _join(batch.asked(name) for batch in batches)


def as_shipped(batches: list[Observed]) -> dict[str, float]:
    """The original's evaluation, padding counted in its AUC and all: to compare with its logs, not to judge a model.

    Source: google-research/electra, run_pretraining.py, metric_fn; the AUC is TensorFlow's, trapezoids over 200 thresholds.
    """
    weights, real = _stack(b.weights for b in batches), _stack(b.real for b in batches).astype(np.float64)
    originals = _stack(b.original_ids for b in batches)
    result = {
        "masked_lm_accuracy": _weighted(_stack(b.mlm_ids for b in batches) == originals, weights),
        "masked_lm_loss": _weighted(_stack(b.mlm_errors for b in batches), weights),
    }
    if batches[0].logits is None:
        return result
    logits, replaced = _stack(b.logits for b in batches).astype(np.float64), _stack(b.is_replaced for b in batches)  # type: ignore[misc]
    predicted, errors = logits > 0, binary_cross_entropy(logits, replaced)
    per_row = (errors * real).sum(1) / (real.sum(1) + 1e-6)
    return result | {
        "sampled_masked_lm_accuracy": _weighted(_stack(b.sampled_ids for b in batches) == originals, weights),  # type: ignore[misc]
        "disc_loss": float(per_row.mean()),
        "disc_auc": _threshold_auc(np.where(real > 0, _sigmoid(logits), 0.0).ravel(), (replaced & (real > 0)).ravel()),
        "disc_accuracy": _weighted(predicted == replaced, real),
        "disc_precision": _weighted(predicted == replaced, predicted * real),
        "disc_recall": _weighted(predicted == replaced, replaced * real),
    }


def average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """The area under precision over recall, as a sum of steps; NaN where nothing is replaced."""
    if not labels.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits, last_of_tie = np.cumsum(labels[order]), np.append(np.diff(scores[order]) != 0, True)
    hits, seen = hits[last_of_tie], np.nonzero(last_of_tie)[0] + 1
    return float((np.diff(hits, prepend=0) * hits / seen).sum() / labels.sum())


def binary_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Per element, in nats, from logits; the same shape."""
    errors: np.ndarray = np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))
    return errors


def entropy(share: float) -> float:
    """The loss, in nats, of always answering `share`."""
    return float(-sum(p * np.log(p) for p in (share, 1 - share) if p > 0))


def _threshold_auc(probabilities: np.ndarray, labels: np.ndarray, count: int = 200) -> float:
    thresholds = np.concatenate([[-1e-7], np.arange(1, count - 1) / (count - 1), [1 + 1e-7]])
    above = probabilities.astype(np.float32)[None, :] > thresholds.astype(np.float32)[:, None]
    true_rate = (above & labels).sum(1) / (labels.sum() + 1e-7)
    false_rate = (above & ~labels).sum(1) / ((~labels).sum() + 1e-7)
    return float(((false_rate[:-1] - false_rate[1:]) * (true_rate[:-1] + true_rate[1:]) / 2).sum())


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    probabilities: np.ndarray = 1 / (1 + np.exp(-logits))
    return probabilities


def _weighted(values: np.ndarray, weights: Any) -> float:
    total = float(np.sum(weights))
    return float((values * weights).sum() / total) if total else 0.0


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0


def _join(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in parts] or [np.zeros(0)])


def _stack(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate(list(parts))


def shares(values: dict[str, float]) -> dict[str, float]:
    """The sums of a step as the shares a reader understands."""
    if "judged" not in values:
        return values
    real, replaced, found, kept = (values.pop(key) for key in ("judged", "replaced", "replaced_found", "original_kept"))
    return values | {
        "replaced_share": replaced / max(1.0, real),
        "accuracy_on_replaced": found / max(1.0, replaced),
        "accuracy_on_original": kept / max(1.0, real - replaced),
    }
