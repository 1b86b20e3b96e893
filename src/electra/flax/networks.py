"""The networks of pretraining, and how they share: the twin of every other framework's. Who shares what: training/networks.py.

Unusual here: parameters are trees, so what is shared stands once, in its owner's tree, and is put into the others' where a
step computes. Gradient-disentangled sharing is of He et al., 2023, "DeBERTaV3", section 3.3.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from electra.config import ElectraConfig
from electra.flax.heads import FlaxElectraForMaskedLM, FlaxElectraForPreTraining
from electra.flax.model import FlaxElectraModel
from electra.flax.towers import FlaxElectraCloze
from electra.flax.trees import Tree
from electra.training.networks import shared_by, shifted_by
from electra.training.settings import PretrainSettings
from electra.weights.files import Arrays

CLASSES: dict[str, Any] = {
    "discriminator": FlaxElectraForPreTraining,
    "generator": FlaxElectraForMaskedLM,
    "masked_lm": FlaxElectraForMaskedLM,
    "generator_ltr": FlaxElectraModel,
    "generator_rtl": FlaxElectraModel,
    "cloze": FlaxElectraCloze,
}


class Sharing:
    """What the networks of a run share."""

    def __init__(self, settings: PretrainSettings, configs: Mapping[str, ElectraConfig]) -> None:
        self.shared, self.shifted = shared_by(settings, configs), shifted_by(settings)

    def once(self, networks: Mapping[str, Tree], state: Mapping[str, Any]) -> dict[str, Tree]:
        """The trees with what is shared in its owner's alone, and differences (0 if `state` has none) for shifted tables."""
        once = dict(networks)
        for shared in self.shared:
            once[shared.taker] = put(once[shared.taker], shared.path.split("."), None)
        for path in self.shifted:
            table = at(once["generator"], path)["embedding"]
            difference = state.get(f"discriminator.{path}.weight/difference", np.zeros(table.shape, np.float32))
            once["discriminator"] = put(
                once["discriminator"], path.split("."), {"embedding": jnp.array(difference, jnp.float32)}
            )
        return once

    def each(self, parameters: Mapping[str, Tree]) -> dict[str, Tree]:
        """The whole tree of each network."""
        each = dict(parameters)
        for path in self.shifted:
            base, own = (at(each[name], path)["embedding"] for name in ("generator", "discriminator"))
            table = {"embedding": jax.lax.stop_gradient(base) + own}
            each["discriminator"] = put(each["discriminator"], path.split("."), table)
        for shared in self.shared:
            owned = at(each[shared.owner], shared.owner_path)
            each[shared.taker] = put(each[shared.taker], shared.path.split("."), owned)
        return each

    def differences(self, parameters: Mapping[str, Tree]) -> Arrays:
        """What shifted tables add, as DISCRIMINATOR.NAME/difference."""
        return {
            f"discriminator.{path}.weight/difference": np.asarray(at(parameters["discriminator"], path)["embedding"])
            for path in self.shifted
        }


def at(tree: Tree, path: str) -> Any:
    """The branch at `path`."""
    for key in path.split("."):
        tree = tree[key]
    return tree


def put(tree: Tree, path: Sequence[str], branch: Any) -> Tree:
    """The tree with this branch at `path`; without it for None."""
    first, *rest = path
    others = {key: value for key, value in tree.items() if key != first}
    if rest:
        return {**tree, first: put(tree[first], rest, branch)}
    return others if branch is None else {**others, first: branch}
