"""The objective's operations in TensorFlow.

Unusual here: what is shared with the other frameworks calls `.sum()`, `.mean()` and `.reshape()` on arrays, which a tensor of
TensorFlow lacks. They are added here, and nothing else: TensorFlow's own switch for them (experimental_enable_numpy_behavior)
would also change how every tensor of the process adds, multiplies and is indexed.
"""

from typing import Any

import numpy as np
import tensorflow as tf

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy


def log_softmax(logits: Tensor) -> Tensor:
    return tf.nn.log_softmax(tf.cast(logits, tf.float32))


def take(values: Tensor, ids: Tensor) -> Tensor:
    return tf.gather(values, ids, batch_dims=ids.shape.rank, axis=-1)


def gather(values: Tensor, positions: Tensor) -> Tensor:
    return tf.gather(values, positions, batch_dims=1)


def one_hot(ids: Tensor, size: int) -> Tensor:
    return tf.one_hot(ids, size)


def scatter_add(like: Tensor, positions: Tensor, values: Tensor) -> Tensor:
    rows = tf.zeros_like(positions) + tf.range(tf.shape(positions)[0], dtype=positions.dtype)[:, None]
    places = tf.stack([rows, positions], axis=-1)  # (B, M, 2)
    return tf.tensor_scatter_nd_add(tf.zeros_like(like), places, tf.cast(values, like.dtype))


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=tf.cast(logits, tf.float32))


def draw(weights: Tensor, uniform: Tensor) -> Tensor:
    cumulative = tf.cumsum(weights, axis=-1)
    ids = tf.searchsorted(cumulative, uniform[..., None] * cumulative[..., -1:], side="right")[..., 0]
    return tf.minimum(ids, weights.shape[-1] - 1)  # rounding may put the target on the last edge


def argmax(values: Tensor) -> Tensor:
    return tf.argmax(values, -1, output_type=tf.int32)


exp, log, where = tf.exp, tf.math.log, tf.where


def to_int(values: Tensor) -> Tensor:
    return tf.cast(values, tf.int32)


def to_float(values: Tensor) -> Tensor:
    return tf.cast(values, tf.float32)


def stop_gradient(values: Tensor) -> Tensor:
    return tf.stop_gradient(values)


def _sum(self: Tensor, *args: Any, **options: Any) -> Any:
    # np.sum(tensor) comes here with its own options; it gives what it gave before.
    return np.sum(np.asarray(self), *args, **options) if args or options else tf.reduce_sum(self)


def _mean(self: Tensor, *args: Any, **options: Any) -> Any:
    return np.mean(np.asarray(self), *args, **options) if args or options else tf.reduce_mean(self)


def _reshape(self: Tensor, shape: Any, **options: Any) -> Any:
    return np.reshape(np.asarray(self), shape, **options) if options else tf.reshape(self, shape)


for _name, _method in {"sum": _sum, "mean": _mean, "reshape": _reshape}.items():
    if not hasattr(tf.Tensor, _name):
        setattr(tf.Tensor, _name, _method)
