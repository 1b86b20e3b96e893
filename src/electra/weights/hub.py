"""Where a model comes from: a folder on this machine, a model that came with this package, or a name on the hub.

Unusual here: only a name that is neither of the first ever reaches the network, and only where huggingface_hub is installed and
neither ELECTRA_OFFLINE nor HF_HUB_OFFLINE is set.
"""

import os
import re
from pathlib import Path
from typing import Any

from electra.disk.replace import settle
from electra.errors import DataError, did_you_mean, install_hint
from electra.weights import shipped
from electra.weights.folders import pair_in

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
FILES = ["*.json", "vocab.txt", "*.safetensors"]  # no pickles, no other framework's files
OPTIONS = ("revision", "cache_dir", "token", "local_files_only", "force_download")
OFFLINE = ("ELECTRA_OFFLINE", "HF_HUB_OFFLINE")


def take_hub_options(arguments: dict[str, Any]) -> dict[str, Any]:
    """Take out of the arguments of a from_pretrained those that are for the hub."""
    return {name: arguments.pop(name) for name in OPTIONS if name in arguments}


def local_folder(source: str | Path, *, network: str | None = None, **options: Any) -> Path:
    """The folder of `source`: itself if it is one, else the model of that name (electra.weights.shipped), else the hub's.

    network    of a model that is found by its name and is a pair, the network whose folder is wanted; None: that of both
    options    the hub client's: revision, cache_dir, token, local_files_only, force_download
    Raises DataError where it is neither or the network is not allowed, MissingDependencyError without huggingface_hub.
    """
    folder = Path(source)
    if folder.is_dir():
        settle(folder)
        return folder
    if (found := None if folder.exists() else shipped.shipped(source)) is not None:
        return found if network is None else pair_in(found).get(network, found)
    if isinstance(source, Path) or folder.exists() or not _may_be_hub_name(str(source)):
        what = "is a file" if folder.is_file() else "does not exist"
        raise DataError(
            f"{source} {what}; expected a model folder, which holds config.json and model.safetensors{_named()}"
        )
    return _download(str(source), options)


def network_of(class_name: str) -> str:
    """The network of a pair that a class is loaded from, where both are there: the generator's has the head that names tokens."""
    return "generator" if class_name.endswith(("ForMaskedLM", "ForCausalLM")) else "discriminator"


def _named() -> str:
    known = shipped.names()
    return f", or the name of a model: {', '.join(known)}" if known else ""


def _may_be_hub_name(source: str) -> bool:
    return HUB_NAME.fullmatch(source) is not None and not source.startswith(".")


def _download(name: str, options: dict[str, Any]) -> Path:
    missing = f'"{name}" is no folder here{did_you_mean(name, shipped.names())}'
    offline = [variable for variable in OFFLINE if os.environ.get(variable, "") not in ("", "0", "false", "False")]
    if offline:
        raise DataError(f"{missing}, and {offline[0]} forbids asking the hub for it")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise install_hint("huggingface_hub", "hub", f"{missing}; fetching it from the hub") from None
    try:
        return Path(snapshot_download(name, allow_patterns=FILES, **options))
    except Exception as error:  # whatever the client raises: no such model, no network, no permission
        raise DataError(f"{missing}, and the hub did not give it: {error}") from error
