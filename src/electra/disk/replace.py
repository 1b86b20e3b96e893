"""Files replaced whole: at every instant the old one is there or the new one; several together, and never a mixture.

    FOLDER/.files.stage-PID-xxxx   the new files, while they are written
    FOLDER/.committed-PID-xxxx     the same once all of them are on the disk: from here on `settle` moves them over the old ones

Unusual here: of several files one renaming decides. Whoever reads a folder calls `settle` first, which finishes what a
process killed after that renaming left. Other files in the folder are the user's and are not touched.
"""

import glob
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from electra.disk.lock import is_alive
from electra.disk.space import write_error
from electra.errors import DataError, WriteError

STAGE, COMMITTED = ".files.stage-", ".committed-"
REMOVED = ".removed"  # inside the stage: the names that go with the old files


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file beside `path`, bring it to the disk, rename it to `path`.

    Raises WriteError, with the old file untouched and the temporary one removed; what a killed process left of this is, too.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        remove_if_left(left, left.name.removeprefix(f".{path.name}.").partition("-")[0])
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replace_together(folder: Path, is_old: Callable[[str], bool] = lambda name: False) -> Iterator[Path]:
    """An empty folder to fill with files, which `settle(folder)` puts into `folder` once the block has ended well.

    is_old   whether a file of this name, where the new ones lack it, goes with the old ones
    Raises OSError, with `folder` as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settle(folder)
    _sweep(folder)
    name = f"{os.getpid()}-{secrets.token_hex(4)}"
    stage = folder / f"{STAGE}{name}"
    stage.mkdir()
    try:
        yield stage
        new = {file.name for file in stage.iterdir()}
        gone = [file.name for file in folder.iterdir() if file.name not in new and is_old(file.name)]
        (stage / REMOVED).write_text(json.dumps(gone), encoding="utf-8")
        for file in stage.iterdir():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
        sync_folder(stage)
        stage.rename(folder / f"{COMMITTED}{name}")
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def settle(folder: Path) -> None:
    """Finish a replacing that was decided: move its files to their places and remove those that go.

    Raises WriteError where the folder cannot be written.
    """
    for committed in sorted(folder.glob(f"{COMMITTED}*")):
        try:
            _finish(committed, folder)
        except OSError as error:
            raise WriteError(
                f"{folder} has new files that could not all be put in their places ({error}); they are whole, in {committed}, "
                "and the next loading or saving puts them there"
            ) from error


def _finish(committed: Path, folder: Path) -> None:
    sync_folder(folder)
    names = sorted((file.name for file in committed.iterdir()), key=lambda name: (name == "config.json", name))
    for name in _gone(committed / REMOVED) if REMOVED in names else []:
        (folder / name).unlink(missing_ok=True)
    for name in names:
        if name != REMOVED:
            _move(committed / name, folder / name)
    sync_folder(folder)
    shutil.rmtree(committed, ignore_errors=True)


def _gone(file: Path) -> list[str]:
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        names = [None]
    if not isinstance(names, list) or not all(
        isinstance(name, str) and Path(name).name == name != ".." for name in names
    ):
        raise DataError(f"{file} is not a list of files in its folder; remove {file.parent}")
    return names


def _move(file: Path, place: Path) -> None:
    try:
        file.replace(place)
    except FileNotFoundError:  # a reader finished it in the same moment
        if not place.exists():
            raise


def _sweep(folder: Path) -> None:
    """Remove the stages of processes that are gone."""
    for stage in folder.glob(".*.stage-*"):
        remove_if_left(stage, stage.name.rpartition(".stage-")[2].partition("-")[0])


def remove_if_left(path: Path, owner: str) -> None:
    """Remove what the process `owner` did not, where it is gone."""
    if not owner.isdigit() or is_alive(owner):
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
