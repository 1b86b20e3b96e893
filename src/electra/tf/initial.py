"""First weights, put into a model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from electra.first_weights import first_weights
from electra.weights.translation import transposed, turned_shapes


def init_weights(model: Any, generator: tf.random.Generator | None = None, *, only: set[str] | None = None) -> None:
    """Fill the model with first weights (electra.first_weights), in place.

    generator   the source of the seed; NumPy's own if None, which keras.utils.set_random_seed sets too
    only        names of the parameters to fill; all if None
    """
    draw = np.random.randint(1 << 31) if generator is None else generator.uniform((), maxval=1 << 31, dtype=tf.int64)
    parameters = {name: value for name, value in model.named_weights().items() if only is None or name in only}
    shapes = {name: tuple(value.shape) for name, value in parameters.items()}
    fill(parameters, first_weights(turned_shapes(shapes), model.config.initializer_range, int(draw)))


def fill(parameters: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Copy arrays into variables of the same names; names only the arrays have are those of shared tensors."""
    for name, variable in parameters.items():
        variable.assign(transposed(name, arrays[name]))
