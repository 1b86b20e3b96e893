"""The networks of pretraining, and how they share: the twin of every other framework's. Who shares what: training/networks.py.

Gradient-disentangled sharing is of He et al., 2023, "DeBERTaV3", section 3.3.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from electra.torch.heads import ElectraForMaskedLM, ElectraForPreTraining
from electra.torch.model import ElectraModel
from electra.torch.parallel import whole
from electra.torch.towers import ElectraCloze
from electra.training.networks import shared_by, shifted_by
from electra.training.settings import PretrainSettings
from electra.weights.files import Arrays

CLASSES: dict[str, Any] = {
    "discriminator": ElectraForPreTraining,
    "generator": ElectraForMaskedLM,
    "masked_lm": ElectraForMaskedLM,
    "generator_ltr": ElectraModel,
    "generator_rtl": ElectraModel,
    "cloze": ElectraCloze,
}


class Shifted(nn.Module):
    """A table that is `base`, which its gradient does not reach, plus a difference that it trains. ids (...) -> (..., E).

    In a `state_dict` stands the sum, as `weight`: a model that has such tables is saved as any other.
    """

    def __init__(self, base: nn.Embedding, difference: Tensor | None = None) -> None:
        super().__init__()
        self.base = (base,)  # not a child of this module: it is the other network's
        shift = torch.zeros_like(base.weight, requires_grad=False) if difference is None else difference
        self.difference = nn.Parameter(shift.clone())

    @property
    def weight(self) -> Tensor:
        """The whole table (rows, E)."""
        return self.base[0].weight.detach() + self.difference

    def forward(self, ids: Tensor) -> Tensor:
        base = self.base[0]
        return functional.embedding(ids, base.weight.detach()) + functional.embedding(
            ids, self.difference, base.padding_idx
        )

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        destination[f"{prefix}weight"] = self.weight.detach()


def share(models: Mapping[str, Any], settings: PretrainSettings, state: Mapping[str, Tensor]) -> None:
    """Let networks share what the settings say, in place; `state` has the differences of shifted tables, 0 if none."""
    for shared in shared_by(settings, {name: model.config for name, model in models.items()}):
        put(models[shared.taker], shared.path, models[shared.owner].get_submodule(shared.owner_path))
        models[shared.taker].tie_weights()
    for path in shifted_by(settings):
        base = models["generator"].get_submodule(path)
        put(models["discriminator"], path, Shifted(base, state.get(f"discriminator.{path}.weight/difference")))


def put(model: Any, path: str, module: nn.Module) -> None:
    """Put a module in the place of the one at `path`."""
    parent, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)


def differences(models: Mapping[str, Any], settings: PretrainSettings) -> Arrays:
    """What shifted tables add, as DISCRIMINATOR.NAME/difference; every process of several has to ask."""
    tables = {path: models["discriminator"].get_submodule(path) for path in shifted_by(settings)}
    return {
        f"discriminator.{path}.weight/difference": whole(table.difference.detach()).cpu().numpy()
        for path, table in tables.items()
    }
