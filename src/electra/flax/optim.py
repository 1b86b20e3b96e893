"""ELECTRA's optimizer in JAX: Adam without bias correction, decoupled weight decay, one clip over all networks.

Pure functions of trees, to be called inside jit. Source: google-research/electra, model/optimization.py; facts in
docs/idea.md.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

UNDECAYED = ("LayerNorm", "layer_norm", "bias")  # a parameter with one of these in its name is not decayed

Tree = Any


def adam(parameters: Tree) -> dict[str, Tree]:
    """The optimizer's state before the first update: both moments, "m" and "v", of every parameter."""
    return {moment: jax.tree.map(jnp.zeros_like, parameters) for moment in ("m", "v")}


def clip(gradients: Tree, limit: float) -> tuple[Tree, Array]:
    """The gradients, scaled down where their norm together is above `limit`, and that norm."""
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradients)))
    scale = jnp.minimum(1.0, limit / (norm + 1e-6))
    return jax.tree.map(lambda leaf: leaf * scale, gradients), norm


def update(
    parameters: Tree,
    gradients: Tree,
    state: Mapping[str, Tree],
    *,
    learning_rate: Array | float,
    weight_decay: float,
    epsilon: float,
    betas: tuple[float, float] = (0.9, 0.999),
    rates: Tree | None = None,
) -> tuple[Tree, dict[str, Tree]]:
    """One update, w -= rate * learning_rate * (m / (sqrt(v) + epsilon) + decay * w): new parameters and new state.

    rates    a tree of numbers, what a parameter's learning rate is multiplied by; None for 1 everywhere
    """
    beta1, beta2 = betas
    first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state["m"], gradients)
    second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * jnp.square(g), state["v"], gradients)

    def moved(path: Any, weight: Array, m: Array, v: Array, rate: float = 1.0) -> Array:
        name = jax.tree_util.keystr(path)
        decay = 0.0 if any(part in name for part in UNDECAYED) else weight_decay
        own_rate = learning_rate if rate == 1 else rate * learning_rate
        return weight - own_rate * (m / (jnp.sqrt(v) + epsilon) + decay * weight)

    trees = (first, second) if rates is None else (first, second, rates)
    return jax.tree_util.tree_map_with_path(moved, parameters, *trees), {"m": first, "v": second}
