"""ELECTRA's optimizer in PyTorch: Adam without bias correction, decoupled weight decay, one clip over all networks.

Unusual here: PyTorch's fused AdamW corrects the bias of its moments. The correction is a known factor of the update's
number, so it is undone through the learning rate, epsilon and decay of the step, and the fused kernel does the rest.
Source: google-research/electra, model/optimization.py; facts in docs/idea.md.
"""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

UNDECAYED = ("LayerNorm", "layer_norm", "bias")  # a parameter with one of these in its name is not decayed


def adam(
    parameters: Iterable[tuple[str, Tensor]],
    *,
    weight_decay: float,
    epsilon: float,
    betas: tuple[float, float] = (0.9, 0.999),
    rates: Mapping[str, float] | None = None,
) -> torch.optim.AdamW:
    """The optimizer over named parameters; `update` makes its steps.

    rates    by name, what a parameter's learning rate is multiplied by; 1 where it has none
    """
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in parameters:
        decay = 0.0 if any(part in name for part in UNDECAYED) else weight_decay
        groups.setdefault((decay, (rates or {}).get(name, 1.0)), []).append(parameter)
    held = [{"params": members, "decay": decay, "rate": rate} for (decay, rate), members in groups.items()]
    return torch.optim.AdamW(held, lr=0.0, betas=betas, eps=epsilon, fused=True, weight_decay=0.0)


def update(optimizer: torch.optim.AdamW, *, learning_rate: float, epsilon: float, count: int) -> None:
    """Make update number `count` (from 1): w -= rate * learning_rate * (m / (sqrt(v) + epsilon) + decay * w)."""
    beta1, beta2 = optimizer.param_groups[0]["betas"]
    first, second = 1 - beta1**count, math.sqrt(1 - beta2**count)
    for group in optimizer.param_groups:
        group["lr"] = group["rate"] * learning_rate * first / second
        group["eps"] = epsilon / second
        group["weight_decay"] = group["decay"] * second / first
    optimizer.step()


def moments(optimizer: torch.optim.AdamW, parameters: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """The optimizer's state as named tensors: NAME/m and NAME/v."""
    state = {}
    for name, parameter in parameters:
        held = optimizer.state.get(parameter) or {
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
        state[f"{name}/m"], state[f"{name}/v"] = held["exp_avg"], held["exp_avg_sq"]
    return state


@torch.no_grad()
def set_moments(
    optimizer: torch.optim.AdamW, parameters: Iterable[tuple[str, Tensor]], state: dict[str, Tensor], count: int
) -> None:
    """Continue from moments saved after `count` updates. They get the parameter's layout, which the fused kernel assumes."""
    for name, parameter in parameters:
        optimizer.state[parameter] = {
            "step": torch.tensor(float(count), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.empty_like(parameter).copy_(state[f"{name}/m"]),
            "exp_avg_sq": torch.empty_like(parameter).copy_(state[f"{name}/v"]),
        }
