"""The losses of the heads, written once over a framework's `ops`: what `labels` of a model's call give, and fine-tuning's.

Every loss of a call is a mean in nats (of squared differences for regression), computed in float32. A label of -100 does
not count; where no label counts, the mean of nothing is NaN, as in the reference.
"""

from collections.abc import Mapping
from typing import Any

from electra.batch import Array
from electra.errors import InputError

IGNORED = -100


def cross_entropy(logits: Array, labels: Array, ops: Any) -> Array:
    """The mean over labels that count. logits (..., N), labels (...) in 0 to N - 1, or -100."""
    return mean(_cross_entropies(logits, labels, ops), labels != IGNORED, ops)


def _cross_entropies(logits: Array, labels: Array, ops: Any) -> Array:
    """Each label's, in nats; those of -100 are to be weighed by 0."""
    return -ops.take(ops.log_softmax(logits), ops.where(labels != IGNORED, labels, 0 * labels))


def next_token_cross_entropy(logits: Array, labels: Array, ops: Any) -> Array:
    """Position t predicts the token of position t + 1. logits (B, L, V), labels (B, L): the input ids themselves."""
    return cross_entropy(logits[:, :-1], labels[:, 1:], ops)


def replaced_token_cross_entropy(logits: Array, labels: Array, real: Array | None, ops: Any) -> Array:
    """Of the discriminator: logits (B, L), labels (B, L) 1 where replaced; `real` (B, L) True where a token counts."""
    counts = labels != IGNORED
    errors = ops.binary_cross_entropy(logits, ops.to_float(labels))
    return mean(errors, counts if real is None else counts & real, ops)


def classification_loss(logits: Array, labels: Array, problem_type: str, ops: Any) -> Array:
    """The loss of a problem type (see `problem_type_of`). logits (B, N); labels (B,), or (B, N) where several may hold."""
    if problem_type == "single_label_classification":
        return cross_entropy(logits, labels.reshape((-1,)), ops)
    expected = ops.to_float(labels.reshape(logits.shape))
    if problem_type == "regression":
        return ((ops.to_float(logits) - expected) ** 2).mean()
    return ops.binary_cross_entropy(logits, expected).mean()


def problem_type_of(configured: str | None, num_labels: int, labels_are_whole: bool) -> str:
    """The configured problem type; else regression for one label, one of several for whole labels, many for others."""
    if configured is not None:
        return configured
    if num_labels == 1:
        return "regression"
    return "single_label_classification" if labels_are_whole else "multi_label_classification"


def span_cross_entropy(start_logits: Array, end_logits: Array, starts: Array, ends: Array, ops: Any) -> Array:
    """Where an answer starts and where it ends, the mean of both. logits (B, L), positions (B,) or (B, 1).

    A position beyond the text (its answer was cut off) does not count; a negative one is taken for 0, as in the reference.
    """
    length = start_logits.shape[-1]
    total = 0
    for logits, positions in ((start_logits, starts), (end_logits, ends)):
        positions = positions.reshape((-1,))
        known = ops.where(positions < 0, 0 * positions, positions)
        total = total + cross_entropy(logits, ops.where(known < length, known, 0 * known + IGNORED), ops)
    return total / 2


def tuning_loss(
    outputs: Mapping[str, Array], targets: Mapping[str, Array], problem_type: str | None, reduction: str, ops: Any
) -> Array:
    """The loss of one batch under fine-tuning, each error weighed: filler rows by 0, rare labels more if asked.

    outputs       logits, or start_logits and end_logits, with them perhaps no_answer_logits
    targets       labels, or start_positions and end_positions (is_impossible as `answer_loss`); and weights, in the shape
                  of the errors: (B,), for tags (B, L), where several labels may hold (B, N)
    problem_type  of the configuration, for logits (B, N)
    reduction     "mean" over what has weight, or "sum"
    """
    weights = ops.to_float(targets["weights"])
    total = (_errors(outputs, targets, problem_type, ops) * weights).sum()
    if reduction == "sum":
        return total
    weight = weights.sum()
    return total / ops.where(weight > 0, weight, weight + 1)


def _errors(outputs: Mapping[str, Array], targets: Mapping[str, Array], problem_type: str | None, ops: Any) -> Array:
    if "start_logits" in outputs:
        start, end = (
            _cross_entropies(outputs[f"{place}_logits"], targets[f"{place}_positions"], ops)
            for place in ("start", "end")
        )
        spans = (start + end) / 2  # (B,)
        if "no_answer_logits" not in outputs:
            return spans
        expected = ops.to_float(targets.get("is_impossible", targets["start_positions"] == 0))
        return spans + 0.5 * ops.binary_cross_entropy(outputs["no_answer_logits"], expected)
    logits, labels = outputs["logits"], targets["labels"]
    if problem_type == "regression":
        return (ops.to_float(logits.reshape(labels.shape)) - ops.to_float(labels)) ** 2
    if problem_type == "multi_label_classification":
        return ops.binary_cross_entropy(logits, ops.to_float(labels))  # (B, N)
    return _cross_entropies(logits, labels, ops)


def answer_loss(
    start_logits: Array,
    end_logits: Array,
    no_answer_logits: Array | None,
    starts: Array,
    ends: Array,
    is_impossible: Array | None,
    ops: Any,
) -> Array:
    """Of the original's head: the span, and with half the weight whether there is none. no_answer_logits (B,).

    is_impossible (B,) 1 where the text holds no answer; None: where the answer starts at position 0, [CLS].
    Source: google-research/electra, finetune/qa/qa_tasks.py.
    """
    total = span_cross_entropy(start_logits, end_logits, starts, ends, ops)
    if no_answer_logits is None:
        return total
    expected = starts.reshape((-1,)) == 0 if is_impossible is None else is_impossible.reshape((-1,))
    return total + 0.5 * ops.binary_cross_entropy(no_answer_logits, ops.to_float(expected)).mean()


def mean(values: Array, counts: Array, ops: Any) -> Array:
    """The mean of the values that count (bool)."""
    weights = ops.to_float(counts)
    return (values * weights).sum() / weights.sum()


def check_label_shape(problem_type: str, num_labels: int, label_shape: tuple[int, ...], rows: int) -> None:
    """Raise InputError where labels have no shape this problem type can use."""
    one_each = problem_type == "single_label_classification" or num_labels == 1
    allowed: list[tuple[int, ...]] = [(rows,), (rows, 1)] if one_each else [(rows, num_labels)]
    if label_shape not in allowed and not (one_each and rows == 1 and label_shape == ()):
        raise InputError(
            f"labels have shape {label_shape}, but problem_type {problem_type} with num_labels {num_labels} takes "
            f"{' or '.join(map(str, allowed))}; set problem_type or num_labels in the configuration"
        )
