"""The kinds of layer that hold weights, with the first weights a Linen module on its own begins with.

Models begin with electra.first_weights instead: the same distributions, and the same numbers in every framework.
"""

from typing import Any

import flax.linen as nn
from jax.nn import initializers

from electra.config import ElectraConfig


def dense(config: ElectraConfig, width: int, dtype: Any, *, glorot: bool = False, bias: bool = True) -> nn.Dense:
    """A linear layer to `width`; glorot for embeddings_project and the layers that make a head's decision."""
    first = initializers.glorot_uniform() if glorot else initializers.truncated_normal(config.initializer_range)
    return nn.Dense(width, use_bias=bias, dtype=dtype, kernel_init=first)


def table(config: ElectraConfig, rows: int, width: int, dtype: Any) -> nn.Embed:
    """A table of embeddings."""
    return nn.Embed(rows, width, dtype=dtype, embedding_init=initializers.truncated_normal(config.initializer_range))


def norm(config: ElectraConfig, dtype: Any) -> nn.LayerNorm:
    """LayerNorm; the variance is that of differences from the mean, as in PyTorch, not the difference of two means."""
    return nn.LayerNorm(epsilon=config.layer_norm_eps, dtype=dtype, use_fast_variance=False)
