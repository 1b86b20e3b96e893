"""First weights: the original's, not Hugging Face's.

Truncated normal (cut at two standard deviations), Glorot uniform for embeddings_project and the layers that make a
head's decision, biases 0, LayerNorm 1 and 0; no zero row for [PAD]. Source: google-research/electra, model/modeling.py.
"""

from typing import Any

import torch
from torch import nn

from electra.local_start import start_locally
from electra.weights.names import is_glorot


def init_weights(model: Any, generator: torch.Generator | None = None, *, only: set[str] | None = None) -> None:
    """Fill the model with first weights, in place.

    generator   the source of randomness; torch's own if None
    only        names of the parameters to fill; all if None
    """
    std = model.config.initializer_range
    for name, parameter in model.named_parameters():
        if only is not None and name not in only:
            continue
        module, _, leaf = name.rpartition(".")
        with torch.no_grad():
            if leaf == "bias":
                parameter.zero_()
            elif module.endswith("LayerNorm"):
                parameter.fill_(1)
            elif is_glorot(module):
                nn.init.xavier_uniform_(parameter, generator=generator)
            else:
                nn.init.trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std, generator=generator)


def localize(model: Any) -> None:
    """Turn first weights into a local start (electra.local_start), in place."""
    parameters = dict(model.named_parameters())
    first = {name: parameter.detach().numpy() for name, parameter in parameters.items()}
    with torch.no_grad():
        for name, array in start_locally(first, model.config).items():
            parameters[name].copy_(torch.from_numpy(array))
