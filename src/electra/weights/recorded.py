"""What a manifest.json says of a model folder's weights: they are held against it before they are read.

Unusual here: what no manifest of ours lists is read as it is. And a folder without one is spoken for by the folder around it, as
the networks in a checkpoint are.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from electra.config import read_json
from electra.errors import DataError, WeightsError
from electra.weights.checkpoint import MANIFEST, changed_files, is_manifest, put_manifest


def recorded_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Name in the folder -> size and sha256; empty where no manifest of ours speaks of it.

    Raises DataError where a manifest.json is no JSON.
    """
    folder = folder.absolute()
    place, prefix = (folder, "") if (folder / MANIFEST).is_file() else (folder.parent, f"{folder.name}/")
    if not (place / MANIFEST).is_file():
        return {}
    held = read_json(place / MANIFEST)
    files = held["files"].items() if is_manifest(held) else ()
    return {name.removeprefix(prefix): entry for name, entry in files if name.startswith(prefix)}


def check_recorded(folder: Path, names: Iterable[str]) -> None:
    """Hold files that are about to be read against their sizes and sha256 sums; one that has none on record passes.

    Raises WeightsError at the first that differs, or where the record cannot be read.
    """
    try:
        entries = recorded_files(folder)
    except (DataError, OSError) as error:
        raise WeightsError(
            f"the record of {folder} cannot be read: {error}. Restore it or move it away, or {_UNCHECKED}"
        ) from None
    for name in names:
        for problem in changed_files(folder, {name: entries[name]} if name in entries else {}):
            raise WeightsError(
                f"{folder}/{problem}, says {MANIFEST}. Restore it from a good copy; where the change was meant, "
                f"{_WRITE.format(folder)}"
            )


_UNCHECKED = "load the weights unchecked (from_pretrained with check_manifest=False)"
_WRITE = f"record it anew (electra verify {{}} --write) or {_UNCHECKED}"


def forget_replaced(folder: Path, stage: Path, is_old: Callable[[str], bool]) -> None:
    """Put the folder's manifest beside the new files of `stage`, without what it says of the old ones.

    A manifest that cannot be read stays as it is: nothing that is saved is lost over it, and whoever loads is told.
    is_old    whether a file of this name goes, though no new one takes its place
    """
    try:
        entries = recorded_files(folder)
    except DataError:
        return
    if not entries:
        return
    kept = {name: entry for name, entry in entries.items() if not (is_old(name) or (stage / name).exists())}
    facts = read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    put_manifest(stage, facts | {"files": kept})
