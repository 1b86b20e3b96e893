"""Whole folders on disk: written so that at every instant the old one or the new one is there, and checked when read.

write_folder_atomically   stage beside the target, fsync, add manifest.json (sizes, sha256), fsync, rename, fsync
write_manifest            the same manifest.json for a folder that is there, with more facts about it
read_manifest             what a folder's manifest says; changed_files, verify_manifest: every file against it
sweep_stale               remove what a killed process left

Unusual here: a folder is replaced by exchanging two names. Where the system cannot, it takes two renames, and a process
killed between them leaves the old folder as `.NAME.stage-old`; the next write_folder_atomically or sweep_stale puts it back.
"""

import glob
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from electra.config import read_json_object
from electra.disk.lock import is_alive
from electra.disk.replace import remove_if_left, sync_folder, write_atomically
from electra.disk.space import write_error
from electra.disk.swap import OLD, put_in_place, restore
from electra.errors import DataError

MANIFEST = "manifest.json"
DIGITS = 12  # of a sum that is shown
STAGE = ".stage-"  # .NAME.stage-PID-xxxx


@contextmanager
def write_folder_atomically(path: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `path` when the block ends well; `path` is untouched when it does not.

    The folder gets a manifest.json of sizes and sha256 sums, unless the block wrote it one. Raises WriteError where the
    disk refuses.
    """
    path = Path(path).resolve()  # a link stays one: the folder it leads to is replaced
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        restore(path)
        for left in path.parent.glob(f".{glob.escape(path.name)}{STAGE}*"):
            remove_if_left(left, left.name.rpartition(STAGE)[2].partition("-")[0])
        stage = new_stage(path)
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield stage
        if not (stage / MANIFEST).exists():
            write_manifest(stage, {})
        _sync_all(stage)
        put_in_place(stage, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def new_stage(path: Path) -> Path:
    """An empty folder beside `path`, named so that sweep_stale knows whose it is."""
    stage = path.with_name(f".{path.name}{STAGE}{os.getpid()}-{secrets.token_hex(4)}")
    stage.mkdir()
    return stage


def write_manifest(folder: Path, facts: Mapping[str, Mapping[str, Any] | Sequence[Any]]) -> None:
    """Write manifest.json: "files", the size and sha256 of every file that is not hidden, and `facts` beside it.

    The old manifest is there, or the new one, at every instant. Raises WriteError where the disk refuses.
    """
    put_manifest(folder, {"files": {name: _entry(folder / name) for name in list_files(folder)}, **facts})


def put_manifest(folder: Path, held: Mapping[str, Mapping[str, Any] | Sequence[Any]]) -> None:
    """Write manifest.json as it is given, "files" among it. Raises WriteError where the disk refuses."""
    sections = ",\n".join(f"{json.dumps(name)}: {_section(value)}" for name, value in held.items())
    write_atomically(folder / MANIFEST, lambda file: file.write(f"{{\n{sections}\n}}\n".encode()))


def _section(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """JSON with a line for each entry: ids and shapes spread over lines of their own would hide the rest."""
    if isinstance(value, Mapping):
        lines = [f" {json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()]
        return "{\n" + ",\n".join(lines) + "\n}"
    return "[\n" + ",\n".join(f" {json.dumps(entry)}" for entry in value) + "\n]"


def list_files(folder: Path) -> list[str]:
    """The files in a folder and below that are not hidden, but for its manifest, by their paths inside it."""
    found = (file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file())
    return [
        name.as_posix()
        for name in found
        if name.as_posix() != MANIFEST and not any(p.startswith(".") for p in name.parts)
    ]


def _entry(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return {"size": file.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _sync_all(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            _sync(file)
    for inner in [*(child for child in folder.rglob("*") if child.is_dir()), folder]:
        sync_folder(inner)


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def read_manifest(folder: Path) -> dict[str, Any]:
    """The object in a folder's manifest.json. DataError where there is none, or it does not list files."""
    held = read_json_object(folder / MANIFEST)
    if not is_manifest(held):
        raise DataError(f'{folder}/{MANIFEST} has no "files"; the folder is not one of ours, or is damaged')
    return held


def is_manifest(held: Any) -> bool:
    """Whether what a manifest.json holds lists files as ours do; other makers call theirs so, too."""
    files = held.get("files") if isinstance(held, dict) else None
    return isinstance(files, dict) and all(
        isinstance(entry, dict) and entry.keys() == {"size", "sha256"} and _is_inside(name)
        for name, entry in files.items()
    )


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def changed_files(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is absent or other than the entries of a manifest say, in words."""
    problems = []
    for name, entry in entries.items():
        file = folder / name
        if not file.is_file():
            problems.append(f"{name} is missing")
        elif file.stat().st_size != entry["size"]:
            problems.append(f"{name} has {file.stat().st_size} bytes, expected {entry['size']}")
        elif (found := _entry(file)["sha256"]) != entry["sha256"]:
            told = f"sha256 {found[:DIGITS]}..., expected {str(entry['sha256'])[:DIGITS]}..."
            problems.append(f"{name} has other content than was written ({told})")
    return problems


def verify_manifest(path: Path) -> None:
    """Check every file of a folder against its manifest; DataError lists all that are absent or different."""
    problems = changed_files(Path(path), read_manifest(Path(path))["files"])
    if problems:
        raise DataError(f"{path} is damaged: {'; '.join(problems)}. Restore it from a good copy")


def sweep_stale(parent: Path) -> list[Path]:
    """Remove the staging folders of processes that are gone, and put back folders caught between two renames.

    Returns what was removed. Folders of living processes are left alone.
    """
    removed = []
    for child in sorted(Path(parent).glob(".*")) if Path(parent).is_dir() else []:
        owner = child.name.rpartition(STAGE)[2].partition("-")[0]
        if not child.is_dir() or STAGE not in child.name:
            continue
        if child.name.endswith(OLD):
            restore(child.with_name(child.name[1 : -len(OLD)]))
        elif not is_alive(owner):
            shutil.rmtree(child, ignore_errors=True)
            removed.append(child)
    return removed
