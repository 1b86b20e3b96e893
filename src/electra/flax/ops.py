"""The objective's operations in JAX."""

import jax
import jax.numpy as jnp
from jax import Array


def log_softmax(logits: Array) -> Array:
    return jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)


def take(values: Array, ids: Array) -> Array:
    return jnp.take_along_axis(values, ids[..., None], axis=-1)[..., 0]


def gather(values: Array, positions: Array) -> Array:
    return jnp.take_along_axis(values, positions[..., None], axis=1)


def one_hot(ids: Array, size: int) -> Array:
    return jax.nn.one_hot(ids, size, dtype=jnp.float32)


def scatter_add(like: Array, positions: Array, values: Array) -> Array:
    rows = jnp.arange(like.shape[0])[:, None]
    return jnp.zeros_like(like).at[rows, positions].add(values.astype(like.dtype))


def binary_cross_entropy(logits: Array, labels: Array) -> Array:
    logits = logits.astype(jnp.float32)
    return jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))


def draw(weights: Array, uniform: Array) -> Array:
    cumulative = jnp.cumsum(weights, -1)
    ids = (cumulative <= uniform[..., None] * cumulative[..., -1:]).sum(-1)
    return jnp.minimum(ids, weights.shape[-1] - 1)  # rounding may put the target on the last edge


def argmax(values: Array) -> Array:
    return values.argmax(-1)


exp, log, where = jnp.exp, jnp.log, jnp.where


def to_int(values: Array) -> Array:
    return values.astype(jnp.int32)


def to_float(values: Array) -> Array:
    return values.astype(jnp.float32)


def stop_gradient(values: Array) -> Array:
    return jax.lax.stop_gradient(values)
