"""One process at a time in a folder: a lock that names its owner and ends with it.

FOLDER/.lock   {"pid": ..., "host": ..., "since": ...}, there while the folder is held

Unusual here: where the system has flock, flock decides and the file only says who, so that the lock of a killed process is
free at once. Without it, the file decides: it is stale where its process is gone from this host.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from electra.disk.space import write_error
from electra.errors import TryAgainError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"


@contextmanager
def hold(folder: Path, what: Path | None = None) -> Iterator[None]:
    """Hold `folder`, which is made where it is not there; `what` is what errors call it.

    Raises TryAgainError, naming the owner, where another process holds it, and WriteError where nothing can be written.
    """
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _claim(folder, what or folder)
    except OSError as error:
        raise write_error(what or folder, error) from None
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):  # as soon as anything is in it
                folder.rmdir()
        _close(file)  # and with it the lock


def _claim(folder: Path, what: Path) -> IO[str]:
    path = folder / LOCK
    while True:
        file = path.open("a+", encoding="utf-8")
        owner = _owner(file)
        if not _is_free(file, owner):
            file.close()
            who = f"process {owner['pid']} on {owner['host']}, since {owner['since']}" if owner else "another process"
            raise TryAgainError(
                f"{what} is in use by {who}; wait for it, or choose another folder ({path} is its lock)"
            )
        if _is_still(file, path):
            break
        file.close()  # its owner removed it between our opening and our locking
    try:
        file.truncate(0)
        file.write(
            json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%F %T")}) + "\n"
        )
        file.flush()
    except OSError:
        _close(file)
        raise
    return file


def _close(file: IO[str]) -> None:
    with suppress(OSError):  # what a full disk did not take is tried again on closing
        file.close()


def _owner(file: IO[str]) -> dict[str, Any] | None:
    file.seek(0)
    try:
        held = json.loads(file.read())
        return {key: held[key] for key in ("pid", "host", "since")}
    except (ValueError, TypeError, KeyError):
        return None


def _is_free(file: IO[str], owner: dict[str, Any] | None) -> bool:
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        except OSError:  # a file system without it
            pass
    return owner is None or (owner["host"] == socket.gethostname() and not is_alive(owner["pid"]))


def _is_still(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def is_alive(pid: Any) -> bool:
    """Whether a process of this host is there."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, TypeError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
