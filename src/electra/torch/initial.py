"""First weights, put into a model."""

from typing import Any

import torch

from electra.first_weights import first_weights


def init_weights(model: Any, generator: torch.Generator | None = None, *, only: set[str] | None = None) -> None:
    """Fill the model with first weights (electra.first_weights), in place.

    generator   the source of the seed; torch's own if None
    only        names of the parameters to fill; all if None
    """
    seed = int(torch.randint(1 << 31, (), generator=generator))
    parameters = {name: value for name, value in model.named_parameters() if only is None or name in only}
    shapes = {name: tuple(value.shape) for name, value in parameters.items()}
    fill(parameters, first_weights(shapes, model.config.initializer_range, seed))


@torch.no_grad()
def fill(parameters: Any, arrays: Any) -> None:
    """Copy arrays into parameters of the same names; names only the arrays have are those of shared tensors."""
    for name, parameter in parameters.items():
        parameter.copy_(torch.from_numpy(arrays[name]))
