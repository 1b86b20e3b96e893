"""Google's ELECTRA checkpoints: which variable is which tensor of which network, both ways.

One checkpoint holds both networks. The discriminator's encoder is in the scope `electra`, the generator's in `generator`;
the embeddings are there once, under `electra`, unless the generator was trained with its own.
Source: google-research/electra, model/modeling.py and run_pretraining.py.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from electra.weights.google_tasks import TunedHead, find_head
from electra.weights.names import TIED_TABLE, head_of
from electra.weights.translation import kind_of, transposed

Array = Any

ENCODER, EMBEDDINGS = "electra.", "electra.embeddings."
SLOTS = ("/adam_m", "/adam_v")  # the optimizer's memory of a variable
PASSED_OVER = ("global_step", "generator_predictions/temperature")
# modules that are called otherwise there
MODULES = {"discriminator_predictions.dense_prediction": "discriminator_predictions/dense_1"}
OUTPUT_BIAS = ("generator_lm_head.bias", "generator_predictions/output_bias")
HEADS = {"discriminator": "discriminator_predictions/", "generator": "generator_predictions/"}


@dataclass
class Networks:
    """What a checkpoint holds: network -> our name -> the variable's name; and the variables that belong to neither.

    head    of the network "model", which was fine-tuned
    """

    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    head: TunedHead | None = None


def google_name(name: str, encoder: str = "electra", embeddings: str = "electra") -> str:
    """The variable of one of our tensors; `encoder` and `embeddings` are the scopes these stand in."""
    if name == OUTPUT_BIAS[0]:
        return OUTPUT_BIAS[1]
    module, _, leaf = name.rpartition(".")
    path = MODULES.get(module) or re.sub(r"/layer/(\d+)/", r"/layer_\1/", module.replace(".", "/"))
    if name.startswith(ENCODER):
        scope = embeddings if name.startswith(EMBEDDINGS) else encoder
        path = scope + path.removeprefix("electra")
    return "/".join([path, *_leaf(kind_of(name), leaf)])


def _leaf(kind: str | None, leaf: str) -> list[str]:
    if kind == "embedding":
        return []
    if kind == "norm":
        return ["gamma" if leaf == "weight" else "beta"]
    return ["kernel" if leaf == "weight" else "bias"]


def our_name(variable: str) -> str:
    """Our name of a variable, whatever scope it stands in; the name itself where it is not one of ours."""
    if variable == OUTPUT_BIAS[1]:
        return OUTPUT_BIAS[0]
    for ours, theirs in MODULES.items():
        variable = variable.replace(f"{theirs}/", f"{ours}/")
    path = re.sub(r"/layer_(\d+)/", r".layer.\1.", re.sub(r"^generator/", "electra/", variable)).replace("/", ".")
    for leaf, ours in ((".kernel", ".weight"), (".gamma", ".weight"), (".beta", ".bias")):
        if path.endswith(leaf):
            return path.removesuffix(leaf) + ours
    return path if path.endswith(".bias") else f"{path}.weight"


def find_networks(variables: Mapping[str, Any]) -> Networks:
    """Sort the variables of a checkpoint into networks: "discriminator", "generator", else "model" or a bare "encoder"."""
    left = {name for name in variables if not name.endswith(SLOTS) and name not in PASSED_OVER}
    found, used = Networks(), set[str]()
    for network, head in HEADS.items():
        if any(name.startswith(head) for name in left):
            found.variables[network] = dict(_network(left, network, head))
    if not found.variables and any(name.startswith("electra/") for name in left):
        encoder, found.head = dict(_network(left, "discriminator", "electra/embeddings/")), find_head(left)
        name = "encoder" if found.head is None else "model"
        found.variables[name] = encoder | (found.head.names if found.head else {})
    for names in found.variables.values():
        used |= set(names.values())
    found.others = sorted(left - used)
    return found


def _network(left: set[str], network: str, head: str) -> Iterator[tuple[str, str]]:
    own = "generator" if network == "generator" else "electra"
    encoder = own if any(name.startswith(f"{own}/encoder/") for name in left) else "electra"
    embeddings = own if any(name.startswith(f"{own}/embeddings/") for name in left) else "electra"
    for name in sorted(left):
        ours = our_name(name)
        is_embedding = ours.startswith(EMBEDDINGS)
        scope = f"{embeddings if is_embedding else encoder}/"
        if name.startswith(head) or (ours.startswith(ENCODER) and kind_of(ours) and name.startswith(scope)):
            yield ours, name


def to_variables(
    discriminator: Mapping[str, Array] | None, generator: Mapping[str, Array] | None, shares_embeddings: bool
) -> dict[str, Array]:
    """The variables of one checkpoint for one network or both; the output table is not stored, it is the word table."""
    variables: dict[str, Array] = {}
    alone = discriminator is None
    for tensors, scope in ((generator, "electra" if alone else "generator"), (discriminator, "electra")):
        embeddings = "electra" if shares_embeddings or scope == "electra" else scope
        for name, array in (tensors or {}).items():
            if name != TIED_TABLE and (name.startswith(ENCODER) or head_of(name)):
                variables[google_name(name, scope, embeddings)] = transposed(name, array)
    return variables
