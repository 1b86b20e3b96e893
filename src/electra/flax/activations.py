"""The activation functions a configuration may name."""

from collections.abc import Callable
from functools import partial

import jax
from jax import Array

from electra.errors import ConfigError


class ActivationError(ConfigError, KeyError):
    """The configuration names an activation that models in Flax do not have."""


def _quick_gelu(x: Array) -> Array:
    return x * jax.nn.sigmoid(1.702 * x)


def _identity(x: Array) -> Array:
    return x


# Those of Hugging Face's Flax models, which refuse gelu_fast, gelu_pytorch_tanh and tanh; so do these.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": partial(jax.nn.gelu, approximate=False),  # the exact, erf form
    "gelu_new": partial(jax.nn.gelu, approximate=True),
    "quick_gelu": _quick_gelu,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "linear": _identity,
}


def activation(name: str) -> Callable[[Array], Array]:
    """The function of a name. Raises ActivationError (a KeyError) where Flax's models have none of it."""
    if name not in ACTIVATIONS:
        raise ActivationError(
            f"models in Flax have no activation {name!r}, as Hugging Face's have none; they have {', '.join(ACTIVATIONS)}. "
            "The model works in PyTorch and TensorFlow"
        )
    return ACTIVATIONS[name]
