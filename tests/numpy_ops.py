"""The objective's operations in plain NumPy: its reference, and the proof that it needs no framework."""

import numpy as np

argmax, exp, log, where = (lambda values: values.argmax(-1)), np.exp, np.log, np.where


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def take(values, ids):
    return np.take_along_axis(values, np.asarray(ids)[..., None].astype(np.int64), -1)[..., 0]


def gather(values, positions):
    return np.take_along_axis(values, np.asarray(positions)[..., None].astype(np.int64), 1)


def one_hot(ids, size):
    return np.eye(size)[ids]


def scatter_add(like, positions, values):
    result = np.zeros_like(like)
    np.add.at(result, (np.arange(len(like))[:, None], positions), values)
    return result


def binary_cross_entropy(logits, labels):
    return np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


def draw(weights, uniform):
    cumulative = weights.cumsum(-1)
    return np.minimum((cumulative <= uniform[..., None] * cumulative[..., -1:]).sum(-1), weights.shape[-1] - 1)


def to_int(values):
    return values.astype(np.int64)


def to_float(values):
    return values.astype(np.float64)


def stop_gradient(values):
    return values
