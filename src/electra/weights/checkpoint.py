"""Whole folders on disk: written so that at every instant the old one or the new one is there, and checked when read.

write_folder_atomically   stage beside the target, fsync, add manifest.json (sizes, sha256), fsync, rename, fsync
verify_manifest           every file of a folder against its manifest
sweep_stale               remove what a killed process left

Unusual here: replacing a folder takes two renames. A process killed between them leaves the old folder under the name
`.NAME.stage-old`; the next write_folder_atomically or sweep_stale puts it back.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.errors import DataError, WriteError
from electra.weights.files import sync_folder

MANIFEST = "manifest.json"
STAGE = ".stage-"  # .NAME.stage-PID-xxxx
OLD = ".stage-old"  # .NAME.stage-old


@contextmanager
def write_folder_atomically(path: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `path` when the block ends well; `path` is untouched when it does not.

    The folder gets a manifest.json of sizes and sha256 sums. Raises WriteError where the disk refuses.
    """
    path = Path(path).absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _restore(path)
        stage = new_stage(path)
    except OSError as error:
        raise WriteError(f"{path} could not be written ({error})") from error
    try:
        yield stage
        _write_manifest(stage)
        _put_in_place(stage, path)
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        free = shutil.disk_usage(path.parent).free
        raise WriteError(
            f"{path} could not be written ({error}); {free:,} bytes are free; what was there before is untouched"
        ) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def new_stage(path: Path) -> Path:
    """An empty folder beside `path`, named so that sweep_stale knows whose it is."""
    stage = path.with_name(f".{path.name}{STAGE}{os.getpid()}-{secrets.token_hex(4)}")
    stage.mkdir()
    return stage


def _write_manifest(folder: Path) -> None:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    entries = {file.relative_to(folder).as_posix(): _entry(file) for file in files}
    for file in files:
        _sync(file)
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({"files": entries}, indent=1) + "\n", encoding="utf-8")
    _sync(manifest)
    for inner in [*(child for child in folder.rglob("*") if child.is_dir()), folder]:
        sync_folder(inner)


def _entry(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return {"size": file.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _put_in_place(stage: Path, path: Path) -> None:
    old = path.with_name(f".{path.name}{OLD}")
    if path.exists():
        path.rename(old)
    try:
        stage.rename(path)
    except OSError:
        _restore(path)
        raise
    sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _restore(path: Path) -> None:
    """Finish or undo a replacement that was cut short between its two renames."""
    old = path.with_name(f".{path.name}{OLD}")
    if not old.exists():
        return
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(path)


def verify_manifest(path: Path) -> None:
    """Check every file of a folder against its manifest; DataError lists all that are absent or different."""
    entries = read_json_object(Path(path) / MANIFEST).get("files")
    if not isinstance(entries, dict):
        raise DataError(f'{path}/{MANIFEST} has no "files"; the folder is not one of ours, or is damaged')
    problems = []
    for name, entry in entries.items():
        file = Path(path) / name
        if not file.is_file():
            problems.append(f"{name} is missing")
        elif file.stat().st_size != entry["size"]:
            problems.append(f"{name} has {file.stat().st_size} bytes, expected {entry['size']}")
        elif _entry(file) != entry:
            problems.append(f"{name} has other content than was written (sha256 differs)")
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
            _restore(child.with_name(child.name[1 : -len(OLD)]))
        elif not _is_alive(owner):
            shutil.rmtree(child, ignore_errors=True)
            removed.append(child)
    return removed


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
