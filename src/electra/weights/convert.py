"""Writing what a source holds as another kind of checkpoint, and proving it by reading it back.

Unusual here: the target appears whole or not at all, and every tensor is compared bit for bit after it was written.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from electra.config import ElectraConfig
from electra.errors import UsageError, WeightsError, did_you_mean
from electra.weights.bundle import Bundle, write_bundle
from electra.weights.checkpoint import write_folder_atomically
from electra.weights.files import Array, let_go, widen
from electra.weights.folders import save_model
from electra.weights.google import EMBEDDINGS, ENCODER, to_variables
from electra.weights.halves import HALVES, Rounded
from electra.weights.sources import Network, Selection, Source, config_beside, open_source

TARGETS = {"torch": "safetensors", "safetensors": "safetensors", "tf": "h5", "flax": "msgpack", "google": ""}
GOOGLE_NAME = "model.ckpt-0"
PART = 1 << 20  # numbers that are compared at a time, so that neither side need be in memory as a whole


def convert(
    source: Source, target: Path, to: str, *, also: Callable[[Path], None] | None = None, overwrite: bool = False,
    dtype: str | None = None,
) -> list[str]:  # fmt: skip
    """Write a source as `to`, one of TARGETS; what was written and compared, a line each.

    A single network of a model folder becomes the folder `target`; otherwise it gets a folder for each network.
    dtype   of HALVES, to which weights are rounded; safetensors alone
    also    writes what belongs beside the weights, into the folder that is about to become the target
    Raises UsageError where the target exists, WeightsError where the networks cannot be one Google checkpoint.
    """
    if to not in TARGETS:
        names = [*TARGETS, "onnx"]
        raise UsageError(f'there is no target "{to}"{did_you_mean(to, names)}; targets are {", ".join(names)}')
    if dtype is not None and (dtype not in HALVES or TARGETS[to] != "safetensors"):
        raise UsageError(f'cannot write {to} in "{dtype}"; expected {" or ".join(HALVES)}, of torch or safetensors')
    check_target(target, overwrite)
    with write_folder_atomically(target) as stage:
        lines = _to_google(source, stage) if to == "google" else _to_folders(source, stage, TARGETS[to], dtype)
        if also is not None:
            also(stage)
    return lines


def check_target(target: Path, overwrite: bool) -> None:
    """Raise UsageError where the target is there and nobody said that it may be replaced."""
    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists; name another folder, or pass --overwrite to replace it")


def _to_folders(source: Source, stage: Path, form: str, dtype: str | None) -> list[str]:
    lines = []
    for name, network in source.networks.items():
        folder = stage if source.is_single else stage / name
        config, tensors = network.config, network.stored
        if dtype is not None:
            config = ElectraConfig.from_dict(config.to_dict() | {"torch_dtype": dtype})
            tensors = Rounded(tensors, dtype)
        save_model(folder, config, tensors, "5GB", [form])
        lines.append(_compared(name, network, tensors, open_source(folder).networks))
        if dtype is not None:
            lines[-1] = f"{lines[-1]}, in {dtype}"
    return lines


def _to_google(source: Source, stage: Path) -> list[str]:
    if "model" in source.networks:
        raise WeightsError(
            f"{source.networks['model'].class_name} has a head for which Google's format is not written; it takes a "
            "discriminator, a generator or both"
        )
    pair = source.networks
    discriminator, generator = pair.get("discriminator") or pair.get("encoder"), pair.get("generator")
    if generator is not None and not vars(generator.config)["tie_word_embeddings"]:
        raise WeightsError("the generator has an output table of its own; Google's checkpoints have no place for it")
    if any(vars(network.config)["pruned_heads"] for network in pair.values()):
        raise WeightsError(
            "heads of this model were pruned; Google's checkpoints have no place for layers of other widths"
        )
    shared = generator is None or discriminator is None or _share_embeddings(discriminator, generator)
    of_generator = None if generator is None else generator.tensors
    if generator is not None and discriminator is not None and _have_same(discriminator, generator, ENCODER):
        of_generator = Selection(
            generator.tensors, [name for name in generator.tensors if not name.startswith(ENCODER)]
        )
    variables = to_variables(None if discriminator is None else discriminator.tensors, of_generator, shared)
    variables["global_step"] = np.zeros((), np.int64)  # the original's evaluation restores it with the rest
    write_bundle(stage / GOOGLE_NAME, variables)
    for name, network in pair.items():  # the format has no place for what shapes do not tell
        (stage / config_beside(name)).write_text(network.config.to_json_string(), encoding="utf-8")
    written = Bundle(stage / GOOGLE_NAME)
    for name, array in variables.items():
        _check_same(name, written[name], array)
    return [f"{len(variables)} variables in {GOOGLE_NAME}, equal bit for bit when read back"]


def _share_embeddings(discriminator: Network, generator: Network) -> bool:
    """Whether both hold the same embeddings. WeightsError where they differ and the original could not have it so."""
    if _have_same(discriminator, generator, EMBEDDINGS):
        return True
    sizes = vars(generator.config)
    if sizes["embedding_size"] != sizes["hidden_size"]:
        raise WeightsError(
            "generator and discriminator have different embeddings. The original trains them shared, or the generator's own "
            f"as wide as its hidden size; here they are {sizes['embedding_size']} wide with hidden_size "
            f"{sizes['hidden_size']}. Are the two from one run?"
        )
    return False


def _have_same(one: Network, other: Network, prefix: str) -> bool:
    """Whether the tensors of a part, such as the encoder, are the same in both."""
    names = [name for name in one.tensors if name.startswith(prefix)]
    return set(names) == {name for name in other.tensors if name.startswith(prefix)} and all(
        _same(one.tensors[name], other.tensors[name]) for name in names
    )


def _compared(name: str, network: Network, tensors: Mapping[str, Array], found: Mapping[str, Network]) -> str:
    """Hold what was written against what was to be, tensor by tensor."""
    (written,) = found.values()
    again = dict(written.tensors)
    del found, written  # what was compared can then be let go, one tensor after another
    parameters = 0
    for key, given in tensors.items():
        array = widen(given)
        _check_same(key, again.pop(key), array)
        parameters += int(np.size(array))
    count = len(tensors)
    return f"{name}: {network.class_name}, {count} tensors, {parameters:,} numbers, equal bit for bit when read back"


def _check_same(name: str, written: Any, array: Any) -> None:
    if not _same(written, array):
        raise WeightsError(f"{name} was not written as it is; the disk may be failing")


def _same(one: Any, other: Any) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    bits = f"u{one.dtype.itemsize}"  # so that NaN equals itself, and -0 is not 0
    mine, others = np.atleast_1d(one.view(bits)), np.atleast_1d(other.view(bits))
    rows = max(1, PART * len(mine) // max(1, mine.size))
    for row in range(0, len(mine), rows):
        if not np.array_equal(mine[row : row + rows], others[row : row + rows]):
            return False
        let_go(one)
        let_go(other)
    return True
