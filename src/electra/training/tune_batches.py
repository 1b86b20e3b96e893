"""Batches of fine-tuning: rows of about equal length together, every batch of the same number of rows.

Unusual here: the batches of an epoch are a pure function of (lengths, seed, epoch), so a run that was killed goes on with the
same ones. And the last rows of an epoch, where they are too few, are filled up with repeated rows that weigh nothing: batches
have one number of rows, and, where a framework compiles a step for each shape, few lengths.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from electra.errors import ConfigError
from electra.tasks.task import Array, Feature, Kind, Outputs, collate

POOL = 50  # batches that are sorted by length together
SHAPES = 8  # lengths, at most, that rows are padded to where each is compiled
COMPILED = ("tf", "flax")  # frameworks that compile a step for each length


def epoch_batches(lengths: Sequence[int], *, seed: int, epoch: int, batch_size: int) -> list[Array]:
    """The rows of each batch of one epoch, every row once: shuffled, sorted by length inside a pool, batches shuffled."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), POOL * batch_size):
        pool = order[start : start + POOL * batch_size]
        pool = pool[np.argsort(np.asarray(lengths)[pool], kind="stable")]
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def padding_multiple(max_length: int, framework: str) -> int:
    """What lengths are rounded up to: a multiple of 8 that leaves at most SHAPES of them, or 1 where nothing is compiled."""
    # Short sentences are mostly padding otherwise: of CoLA's rows 1.43 times their tokens are computed, with 1 it is 1.04.
    return max(8, -(-max_length // (8 * SHAPES)) * 8) if framework in COMPILED else 1


def make_batch(
    features: Sequence[Feature],
    *,
    batch_size: int,
    pad_token_id: int,
    multiple: int,
    class_weights: Array | None = None,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and targets of up to `batch_size` rows, filled up to that many.

    Targets get `weights`, in the shape of the errors: 0 on filler and where there is no label, else 1, or the class's own.
    Features without targets give targets without weights.
    """
    filler = [features[0]] * (batch_size - len(features))
    inputs, targets = collate([*features, *filler], pad_token_id=pad_token_id, multiple=multiple)
    targets = {name: array.astype(np.int32) if array.dtype.kind == "i" else array for name, array in targets.items()}
    if targets:
        weights = _weights(targets, class_weights)
        weights[len(features) :] = 0
        targets["weights"] = weights
    return inputs, targets


def _weights(targets: dict[str, Array], class_weights: Array | None) -> Array:
    labels = targets.get("labels", next(iter(targets.values())))
    weights = np.ones(labels.shape, np.float32)
    if "labels" not in targets:
        return weights
    if class_weights is not None and class_weights.ndim == 2:  # several labels may hold: (N, 2), by whether one does
        weights = class_weights[np.arange(labels.shape[1]), (labels > 0).astype(int)]  # (B, N)
    elif class_weights is not None:
        weights = class_weights[np.maximum(labels, 0)]
    if labels.dtype.kind != "f":
        weights = np.where(labels == -100, 0, weights)
    return weights.astype(np.float32)


def balanced_weights(features: Sequence[Feature], num_labels: int, kind: Kind) -> Array:
    """What the errors on each label weigh, so that all labels weigh the same together; the mean over all errors is 1.

    Returns (N,), or (N, 2) where several labels may hold: where it does not, where it does. Raises ConfigError for kinds
    without classes.
    """
    if kind.name not in ("classification", "tagging", "multi-label"):
        raise ConfigError(f"class_weights balanced: {kind.name} has no classes to balance; leave it at none")
    labels = [np.ravel(feature.targets["labels"]) for feature in features]
    if kind.name == "multi-label":
        holds = np.stack(labels).sum(0)  # (N,)
        counts = np.stack([len(labels) - holds, holds], axis=1)  # (N, 2)
        return np.asarray(len(labels) / (2 * np.maximum(counts, 1)), np.float32)
    known = np.concatenate(labels)
    counts = np.bincount(known[known >= 0], minlength=num_labels)
    return np.asarray(counts.sum() / (num_labels * np.maximum(counts, 1)), np.float32)


def predict_all(
    tuner: Any, features: Sequence[Feature], *, batch_size: int, pad_token_id: int, multiple: int
) -> list[Outputs]:
    """What a tuner says of every feature, in order and without padding; rows of about equal length go together."""
    outputs: list[Outputs] = [{}] * len(features)
    order = sorted(range(len(features)), key=lambda number: features[number].length)
    is_compiled = multiple > 1  # for a number of rows too
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        inputs, _ = make_batch(
            [replace(features[number], targets={}) for number in numbers],
            batch_size=batch_size if is_compiled else len(numbers),
            pad_token_id=pad_token_id,
            multiple=multiple,
        )
        answer = tuner.predict(inputs)
        for row, number in enumerate(numbers):
            outputs[number] = dict(_unpadded(answer, row, features[number].length))
    return outputs


def _unpadded(answer: dict[str, Array], row: int, length: int) -> Iterator[tuple[str, Array]]:
    for name, array in answer.items():
        is_positions = name in ("start_logits", "end_logits") or (name == "logits" and array.ndim == 3)
        yield name, array[row][:length] if is_positions else array[row]
