"""First weights: the original's, not Hugging Face's.

Truncated normal (cut at two standard deviations), Glorot uniform for embeddings_project and the layers that make a
head's decision, biases 0, LayerNorm 1 and 0; no zero row for [PAD]. Source: google-research/electra, model/modeling.py.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from electra.errors import ConfigError
from electra.weights.names import is_glorot

POSITIONS = ("normal", "sinusoid")


def init_weights(
    model: Any,
    generator: torch.Generator | None = None,
    *,
    positions: str = "normal",
    amplitude: float = 0.07,
    only: set[str] | None = None,
) -> None:
    """Fill the model with first weights, in place.

    generator   the source of randomness; torch's own if None
    positions   "normal": the position table starts as the others do. "sinusoid": it starts as sinusoids of `amplitude`,
                and is trained like any other table
    only        names of the parameters to fill; all if None
    """
    if positions not in POSITIONS:
        raise ConfigError(f"positions is {positions!r}; expected one of {', '.join(POSITIONS)}")
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
            elif positions == "sinusoid" and module.endswith("position_embeddings"):
                parameter.copy_(amplitude * sinusoids(*parameter.shape))
            else:
                nn.init.trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std, generator=generator)


def sinusoids(length: int, width: int) -> Tensor:
    """(length, width): sines in the first half of the columns, cosines in the second. Vaswani et al. (2017), 3.5."""
    half = (width + 1) // 2
    rates = torch.exp(-math.log(10_000) * torch.arange(half) / max(1, half))  # (width / 2)
    angles = torch.arange(length)[:, None] * rates  # (length, width / 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]
