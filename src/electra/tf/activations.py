"""The activation functions a configuration may name."""

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy


def _quick_gelu(x: Tensor) -> Tensor:
    return x * tf.sigmoid(1.702 * x)


def _identity(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": tf.nn.gelu,  # the exact, erf form
    "gelu_new": partial(tf.nn.gelu, approximate=True),
    "gelu_fast": partial(tf.nn.gelu, approximate=True),
    "gelu_pytorch_tanh": partial(tf.nn.gelu, approximate=True),
    "quick_gelu": _quick_gelu,
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
    "swish": tf.nn.silu,
    "tanh": tf.tanh,
    "linear": _identity,
}
