"""ELECTRA's optimizer in PyTorch: Adam without bias correction, decoupled weight decay, one clip over all networks.

Unusual here: PyTorch's fused kernel is called without its `AdamW` class, which imports the compiler (1.5 seconds) to begin
with. The kernel corrects the bias of its moments by the number of the update; told that there were very many, it does not.
And it divides the gradients while it reads them, which is all that clipping needs.
Source: google-research/electra, model/optimization.py; facts in docs/idea.md.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from electra.torch.parallel import own, share_of, whole

UNDECAYED = ("LayerNorm", "layer_norm", "bias")  # a parameter with one of these in its name is not decayed
MANY = 1e9  # updates after which 1 - beta ** updates is 1


class Adam:
    """The optimizer of named parameters. `state` holds the moments, NAME/m and NAME/v, in the parameter's shape.

    rates    by name, what a parameter's learning rate is multiplied by; 1 where it has none
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        weight_decay: float,
        epsilon: float,
        betas: tuple[float, float] = (0.9, 0.999),
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.parameters, self.epsilon, self.betas = dict(parameters), epsilon, betas
        self.groups: dict[tuple[float, float], list[str]] = {}  # by decay and rate
        for name in self.parameters:
            decay = 0.0 if any(part in name for part in UNDECAYED) else weight_decay
            self.groups.setdefault((decay, (rates or {}).get(name, 1.0)), []).append(name)
        # zeros_like keeps the parameter's layout, which the kernel assumes.
        self.state = {
            f"{name}/{moment}": torch.zeros_like(parameter, requires_grad=False)
            for name, parameter in self.parameters.items()
            for moment in ("m", "v")
        }

    def gradient_norm(self) -> Tensor:
        """The L2 norm of all gradients together, ()."""
        return whole(torch.nn.utils.get_total_norm(p.grad for p in self.parameters.values() if p.grad is not None))

    @torch.no_grad()
    def update(self, *, learning_rate: float, norm: Tensor | None = None, clip_norm: float = 0.0) -> None:
        """w -= rate * learning_rate * (m / (sqrt(v) + epsilon) + decay * w), with gradients of `norm` clipped to `clip_norm`.

        Parameters without a gradient stay as they are. Gradients are gone afterwards.
        """
        divisor = None if norm is None else ((norm + 1e-6) / clip_norm).clamp(min=1.0).float()
        for (decay, rate), names in self.groups.items():
            gradients = {name: own(g) for name in names if (g := self.parameters[name].grad) is not None}
            if not gradients:
                continue
            parameters = [own(self.parameters[name]) for name in gradients]
            torch._fused_adamw_(
                parameters,
                list(gradients.values()),
                [own(self.state[f"{name}/m"]) for name in gradients],
                [own(self.state[f"{name}/v"]) for name in gradients],
                [],
                [torch.full((), MANY, device=parameters[0].device)] * len(gradients),
                lr=rate * learning_rate, beta1=self.betas[0], beta2=self.betas[1], weight_decay=decay, eps=self.epsilon,
                amsgrad=False, maximize=False, grad_scale=divisor, found_inf=None,
            )  # fmt: skip
        self.forget_gradients()

    def forget_gradients(self) -> None:
        for parameter in self.parameters.values():
            parameter.grad = None

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the `state` of another."""
        for name, tensor in self.state.items():
            own(tensor).copy_(share_of(state[name], like=tensor))
