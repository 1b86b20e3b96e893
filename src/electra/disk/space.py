"""Room on a disk: asked for before a run begins, and told in the error where something could not be written."""

import shutil
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

from electra.errors import DiskFullError, WriteError


def free_bytes(path: Path) -> int | None:
    """What a file at `path`, or in the nearest folder above it that is there, could take; None where that is not known."""
    folder = next((above for above in (path, *path.absolute().parents) if above.is_dir()), None)
    try:
        return shutil.disk_usage(folder).free if folder else None
    except OSError:
        return None


def write_error(path: Path, error: OSError, needed: int | None = None) -> WriteError:
    """The error for `path`, of which a writer of `needed` bytes left the old state: DiskFullError where the disk is full."""
    if isinstance(error, WriteError) and needed is None:
        return error
    is_full = isinstance(error, DiskFullError) or error.errno in (ENOSPC, EDQUOT, EFBIG)
    free = free_bytes(path)
    room = [f"{size:,} bytes are {what}" for size, what in ((needed, "needed"), (free, "free")) if size is not None]
    hint = "; make room and run the same command again" if is_full else ""
    kind = DiskFullError if is_full else WriteError
    return kind(
        f"{path} could not be written ({error}){': ' + ', '.join(room) if room else ''}; "
        f"what was there before is untouched{hint}"
    )


def check_room(folder: Path, needed: int, what: str, advice: str) -> None:
    """Raise DiskFullError where `folder` cannot take `needed` bytes more for `what`."""
    free = free_bytes(folder)
    if free is not None and free < needed:
        raise DiskFullError(
            f"{folder} needs about {needed:,} bytes more for {what}, and {free:,} bytes are free: make room, or {advice}"
        )
