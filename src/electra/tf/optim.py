"""ELECTRA's optimizer in TensorFlow: Adam without bias correction, decoupled weight decay, one clip over all networks.

Source: google-research/electra, model/optimization.py; facts in docs/idea.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy
Variable = Any  # keras.Variable

UNDECAYED = ("LayerNorm", "layer_norm", "bias")  # a parameter with one of these in its name is not decayed


@dataclass(frozen=True)
class Slot:
    """A parameter with what the optimizer remembers of it."""

    parameter: Variable
    m: tf.Variable
    v: tf.Variable
    decay: float
    rate: float  # what its learning rate is multiplied by


@dataclass(frozen=True)
class Adam:
    """The state of the optimizer: name -> slot."""

    slots: dict[str, Slot]
    epsilon: float
    betas: tuple[float, float]


def adam(
    parameters: Iterable[tuple[str, Variable]],
    *,
    weight_decay: float,
    epsilon: float,
    betas: tuple[float, float] = (0.9, 0.999),
    rates: Mapping[str, float] | None = None,
) -> Adam:
    """The optimizer over named parameters; `update` makes its steps.

    rates    by name, what a parameter's learning rate is multiplied by; 1 where it has none
    """
    slots = {}
    for name, parameter in parameters:
        m, v = (tf.Variable(tf.zeros(parameter.shape), trainable=False) for _ in range(2))
        decay = 0.0 if any(part in name for part in UNDECAYED) else weight_decay
        slots[name] = Slot(parameter, m, v, decay, (rates or {}).get(name, 1.0))
    return Adam(slots, epsilon, betas)


def clip(gradients: Sequence[Tensor], limit: float) -> tuple[list[Tensor], Tensor]:
    """Gradients whose common norm is at most `limit`, and the norm they had."""
    norm = tf.linalg.global_norm(gradients)
    scale = tf.minimum(limit / (norm + 1e-6), 1.0)
    return [gradient * scale for gradient in gradients], norm


def update(optimizer: Adam, gradients: Sequence[Tensor], *, learning_rate: Tensor) -> None:
    """Make one update: w -= rate * learning_rate * (m / (sqrt(v) + epsilon) + decay * w)."""
    beta1, beta2 = optimizer.betas
    for slot, gradient in zip(optimizer.slots.values(), gradients, strict=True):
        m = slot.m.assign(beta1 * slot.m + (1 - beta1) * gradient)
        v = slot.v.assign(beta2 * slot.v + (1 - beta2) * gradient**2)
        change = m / (tf.sqrt(v) + optimizer.epsilon)
        if slot.decay:
            change = change + slot.decay * slot.parameter.value
        slot.parameter.assign_sub((learning_rate if slot.rate == 1 else slot.rate * learning_rate) * change)


def moments(optimizer: Adam) -> dict[str, np.ndarray[Any, Any]]:
    """The optimizer's state as named arrays: NAME/m and NAME/v."""
    state = {}
    for name, slot in optimizer.slots.items():
        state[f"{name}/m"], state[f"{name}/v"] = slot.m.numpy(), slot.v.numpy()
    return state


def set_moments(optimizer: Adam, state: Mapping[str, Any]) -> None:
    """Continue from saved moments."""
    for name, slot in optimizer.slots.items():
        slot.m.assign(state[f"{name}/m"])
        slot.v.assign(state[f"{name}/v"])
