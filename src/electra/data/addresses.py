"""Files that are not on this machine: addresses such as s3://bucket/texts/*.jsonl, read through fsspec.

fsspec is loaded when an address is named, and the network is used for nothing else. Each system has a package of its
own beside fsspec (s3fs, gcsfs, ...), and fsspec's own configuration says who one is there.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from electra.errors import CorpusError, MissingDependencyError, TryAgainError, install_hint

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::|://)")
_CHANGED = ("ETag", "etag", "mtime", "LastModified", "Last-Modified", "last_modified", "updated", "modified", "created")
AHEAD = 4 << 20  # bytes fetched at a time where reading begins in the middle of a file


@dataclass(frozen=True)
class Found:
    """A file at an address; size in bytes, changed: what tells its content from another one's, as far as is known."""

    address: str
    size: int
    changed: str


def is_address(item: str | Path) -> bool:
    """Whether `item` names something for fsspec, not a path."""
    return isinstance(item, str) and _ADDRESS.match(item) is not None


def file_name(address: str) -> str:
    """The last part of an address, without what follows a ? on the web."""
    path = urlsplit(address).path if _is_web(address) else address
    return path.rstrip("/").rpartition("/")[2]


def find(address: str) -> list[Found]:
    """The files that an address, of a file, a folder or a pattern, names, sorted. Raises CorpusError for none."""
    system, path = _system(address)
    try:
        if not any(mark in path for mark in ("*[" if _is_web(address) else "*?[")) and not _is_folder(system, path):
            name = address if _is_web(address) or "::" in address else system.unstrip_protocol(path)
            return [_found(name, system.info(path))]
        is_pattern = any(mark in path for mark in "*?[")
        held = system.glob(path, detail=True) if is_pattern else system.find(path, detail=True)
    except Exception as error:
        raise _not_found(address, error) from error
    infos = {name: info for name, info in held.items() if info.get("type") != "directory"}
    corpora = tuple(name.removesuffix("corpus.json") for name in infos if name.endswith("/corpus.json"))
    return [
        _found(system.unstrip_protocol(name), info)
        for name, info in sorted(infos.items())
        if "/." not in name and not (corpora and name.startswith(corpora))
    ]


def open_at(address: str, *, from_start: bool) -> IO[bytes]:
    """Open a file for reading, `from_start` to its end or from anywhere."""
    system, path = _system(address)
    try:
        if _is_web(address) and from_start:
            return cast(IO[bytes], system.open(path, "rb", block_size=0))  # one answer, which every server can give
        file = system.open(path, "rb", **({"block_size": AHEAD} if _is_web(address) else {}))
    except Exception as error:
        raise _not_found(address, error) from error
    return cast(IO[bytes], io.BufferedReader(file, buffer_size=1 << 18))


def can_begin_anywhere(address: str) -> bool:
    """Whether the server gives parts of this file; of the systems we know only web servers may not."""
    if not _is_web(address):
        return True
    system, path = _system(address)
    with system.open(path, "rb", block_size=AHEAD) as file:
        try:
            file.seek(1)
            file.read(1)
        except (ValueError, OSError):
            return False
    return True


def _not_found(address: str, error: Exception) -> CorpusError | TryAgainError:
    """The error for what a system answered to an address; every system has its own."""
    cause = error.__cause__  # on the web all that goes wrong is called not found; the cause knows better
    is_absent = isinstance(error, FileNotFoundError) and (cause is None or getattr(cause, "status", 0) in (404, 410))
    if is_absent or isinstance(cause, FileNotFoundError):
        return CorpusError(f"{address} does not exist")
    return unreachable(address, cause if isinstance(cause, Exception) else error)


def unreachable(address: str, error: Exception) -> TryAgainError:
    """The error for an address that could not be read, this time."""
    told = f"{type(error).__name__}: {error}"
    return TryAgainError(f"{address} cannot be read ({told}); the same command tries again, finished work is kept")


def _system(address: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise install_hint("fsspec", "remote", f"reading {address}") from None
    try:
        return cast("tuple[Any, str]", fsspec.core.url_to_fs(address))
    except ImportError as error:
        raise MissingDependencyError(
            f"reading {address} needs another package ({error}): pip install 'electra[remote]' brings fsspec and what "
            "http:// and https:// need; s3:// needs s3fs, gs:// gcsfs, abfs:// adlfs, hdfs:// pyarrow"
        ) from None
    except ValueError as error:
        raise CorpusError(f"{address} is no address that fsspec knows: {error}") from None


def _is_folder(system: Any, path: str) -> bool:
    return bool(path.endswith("/") or system.info(path).get("type") == "directory")


def _is_web(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _found(address: str, info: dict[str, Any]) -> Found:
    changed = next((str(info[key]) for key in _CHANGED if info.get(key) is not None), "")
    return Found(address, int(info.get("size") or 0), changed)
