"""Where prepare keeps what is finished until all of it is: a hidden folder beside the corpus, held by one process or by shards.

.NAME.preparing/JOB/job.json    what the units belong to; JOB is its hash, so units of two jobs never meet
.NAME.preparing/JOB/units/      finished units
.NAME.preparing/JOB/shards-16   that shards of 16 were made
.NAME.preparing/JOB/tokenizer/
.NAME.preparing/corpus/         the corpus being assembled, renamed to NAME at the end
"""

import errno
import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from electra.data.assemble import write_json
from electra.data.description import differences, listed
from electra.disk.replace import sync_folder
from electra.disk.swap import put_in_place, restore
from electra.errors import CorpusError, TryAgainError

try:
    import fcntl
except ImportError:  # not on Windows: two prepares of one folder are then not noticed
    fcntl = None  # type: ignore[assignment]


class Staging:
    """The staging folder of the corpus folder `out`; used as a context, it is locked. Left behind unless published.

    job: all that the units depend on. Any number of shards may be inside at a time, else one process alone.
    """

    def __init__(self, out: Path, job: dict[str, Any], *, is_shard: bool) -> None:
        self.out = out.resolve()  # a link stays one: the folder it leads to is replaced
        self.job, self.is_shard = job, is_shard
        self.folder = self.out.parent / f".{self.out.name}.preparing"
        told = json.dumps(job, sort_keys=True)
        self.mine = self.folder / hashlib.sha256(told.encode()).hexdigest()[:16]
        self.units = self.mine / "units"
        self.tokenizer = self.mine / "tokenizer"
        self._lock: IO[str] | None = None

    def __enter__(self) -> "Staging":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / "lock", "a+")  # the lock lives as long as the file is open
        try:
            self._hold(self._lock)
            restore(self.out)
            self._clear_others()
            self.units.mkdir(parents=True, exist_ok=True)
            if not self.is_shard:
                for leftover in self.units.glob("*.tmp"):
                    leftover.unlink()
            if not (self.mine / "job.json").exists():
                write_json(self.mine / "job.json", self.job)
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def _hold(self, lock: IO[str]) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if self.is_shard else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TryAgainError(
                f"another process is preparing {self.out}; wait for it or choose another folder"
            ) from None
        except OSError as error:
            # Some shared file systems have no locks: two prepares of one folder are then not noticed.
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise

    def _clear_others(self) -> None:
        """Throw away units of other jobs, unless they are of shards, which somebody may have taken days for."""
        for path in self.folder.glob("*/job.json"):
            if path.parent == self.mine:
                continue
            if not self.is_shard and not any(path.parent.glob("shards-*")):
                shutil.rmtree(path.parent)
                continue
            try:
                changes = differences(json.loads(path.read_text(encoding="utf-8")), self.job)
            except ValueError:
                changes = ["it is damaged"]
            raise CorpusError(
                f"{path.parent} holds work of another kind for {self.out}:\n{listed(changes)}\n"
                f"Give the same arguments, choose another folder, or remove {self.folder} to begin anew"
            )

    def keep_tokenizer(self, tokenizer: Any) -> None:
        """Save the tokenizer, unless another shard has done it."""
        if self.tokenizer.exists():
            return
        part = self.mine / f"tokenizer.{uuid.uuid4().hex}"
        tokenizer.save_pretrained(part)
        try:
            os.rename(part, self.tokenizer)
        except OSError:
            shutil.rmtree(part)
            if not self.tokenizer.exists():
                raise

    def note_shards(self, of: int) -> None:
        """Remember into how many shards the work is divided."""
        (self.mine / f"shards-{of}").touch()

    def noted_shards(self) -> int:
        """Into how many shards the work was divided last; 1 if it was not."""
        notes = sorted(self.mine.glob("shards-*"), key=lambda path: path.stat().st_mtime_ns)
        return int(notes[-1].name.removeprefix("shards-")) if notes else 1

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
        _sync_folders(folder)
        put_in_place(folder, self.out)
        self.discard()


def _sync_folders(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            sync_folder(path)
