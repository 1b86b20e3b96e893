"""A folder replaced by another in one step: by exchanging two names where the system can, else by two renames.

Unusual here: a process killed between two renames leaves the old folder as `.NAME.stage-old`; `restore` puts it back.
"""

import ctypes
import os
import shutil
from pathlib import Path

from electra.disk.replace import sync_folder
from electra.errors import WriteError

OLD = ".stage-old"  # .NAME.stage-old
EXCHANGE, HERE = 2, -100  # RENAME_EXCHANGE and AT_FDCWD of Linux


def put_in_place(stage: Path, path: Path) -> None:
    """Make `stage` the folder `path`; an old one of that name is removed, or is what `stage` is now.

    Raises OSError with the old one in place.
    """
    old = path.with_name(f".{path.name}{OLD}")
    if path.exists() and not exchange(stage, path):
        path.rename(old)
    if not path.exists():
        try:
            stage.rename(path)
        except OSError:
            restore(path)
            raise
    try:
        sync_folder(path.parent)
    except OSError as error:
        raise WriteError(f"{path} is in place, but the disk did not confirm it ({error})") from error
    shutil.rmtree(old, ignore_errors=True)


def restore(path: Path) -> None:
    """Finish or undo a replacing that was cut short between two renames."""
    old = path.with_name(f".{path.name}{OLD}")
    if not old.exists():
        return
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(path)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step where system and file system can; whether it was done."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(renameat2(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0)
