"""Where prepare keeps what is finished until all of it is: a hidden folder beside the corpus, held by one process.

.NAME.preparing/job.json    what the units belong to; units of another job are thrown away
.NAME.preparing/units/      finished units
.NAME.preparing/corpus/     the corpus being assembled, renamed to NAME at the end
"""

import errno
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from electra.data.assemble import write_json
from electra.errors import TryAgainError, WriteError

try:
    import fcntl
except ImportError:  # not on Windows: two prepares of one folder are then not noticed
    fcntl = None  # type: ignore[assignment]


class Staging:
    """The staging folder of the corpus folder `out`; used as a context, it is locked. Left behind unless published."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.absolute().parent / f".{out.absolute().name}.preparing"
        self.units = self.folder / "units"
        self.tokenizer = self.folder / "tokenizer"
        self._lock: IO[str] | None = None

    def __enter__(self) -> "Staging":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / "lock", "a+")  # the lock lives as long as the file is open
        if fcntl is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                raise TryAgainError(
                    f"another process is preparing {self.out}; wait for it or choose another folder"
                ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def keep_units_of(self, job: dict[str, Any]) -> None:
        """Keep the finished units if they belong to this job, else throw them away."""
        path = self.folder / "job.json"
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            held = None
        if held != json.loads(json.dumps(job)):
            path.unlink(missing_ok=True)
            shutil.rmtree(self.units, ignore_errors=True)
        self.units.mkdir(exist_ok=True)
        for leftover in self.units.glob("*.tmp"):
            leftover.unlink()
        if held is None or not path.exists():
            write_json(path, job)

    def fresh_corpus(self) -> Path:
        """An empty folder to assemble the corpus in."""
        folder = self.folder / "corpus"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def discard(self) -> None:
        """Remove the staging folder: there is nothing worth keeping."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def publish(self, folder: Path) -> None:
        """Make `folder` the corpus by renaming it, an old corpus giving way, and remove the staging folder."""
        old = self.folder / "old"
        shutil.rmtree(old, ignore_errors=True)
        _sync_folders(folder)
        if self.out.exists():
            os.rename(self.out, old)
        os.rename(folder, self.out)
        _sync_folder(self.out.absolute().parent)
        self.discard()


def _sync_folders(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            _sync_folder(path)


def _sync_folder(folder: Path) -> None:
    """Make names in a folder durable, where the system can open folders."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_error(out: Path, error: OSError) -> WriteError:
    """The error for a corpus that cannot be written."""
    hint = ""
    if error.errno == errno.ENOSPC:
        free = shutil.disk_usage(out.absolute().parent).free
        hint = f"; {free >> 20} MB are free, make room and run the same command again: finished work is kept"
    return WriteError(f"{out} cannot be written: {error}{hint}")
