"""Which files a corpus is made of: paths, folders, globs and addresses become an ordered list of sources."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from electra.data import addresses
from electra.errors import CorpusError, UsageError

FORMATS = (".txt", ".jsonl", ".parquet")
COMPRESSIONS = (".gz", ".xz", ".zst")


@dataclass(frozen=True)
class Source:
    """One file of text: format is one of FORMATS, compression one of COMPRESSIONS or "", size in bytes.

    changed: when the file was, in ns; for an address, what its system has to tell versions apart.
    """

    path: Path | str  # a str is an address (see addresses.py)
    format: str
    compression: str
    size: int
    changed: int | str = 0

    @property
    def name(self) -> str:
        """The last part of the path or address."""
        return self.path.name if isinstance(self.path, Path) else addresses.file_name(self.path)


@dataclass(frozen=True)
class Span:
    """A file, or a part of it: bytes `start` to `stop` of .txt and .jsonl, row groups of .parquet; stop None: all.

    Of bytes, the part is what begins in it: documents of .txt, records of .jsonl. size: bytes on disk.
    """

    source: Source
    size: int
    start: int = 0
    stop: int | None = None


def whole(source: Source) -> Span:
    """All of a file."""
    return Span(source, source.size)


def find_sources(sources: str | Path | Iterable[str | Path]) -> list[Source]:
    """The files that paths, folders (searched to the bottom), globs and addresses name, in a fixed order, each once.

    Arguments keep their order; within a folder or glob files are sorted by path. Raises CorpusError where nothing is
    found or a named file has a format we do not read.
    """
    given = [sources] if isinstance(sources, (str, Path)) else list(sources)
    found: dict[Path | str, Source] = {}
    for item in given:
        if addresses.is_address(item):
            found |= {source.path: source for source in _at_address(str(item)) if source.path not in found}
            continue
        for path in _expand(Path(item)):
            found.setdefault(path.resolve(), _source(path))
    if not found:
        raise CorpusError(f"no source files: {', '.join(map(str, given)) or 'nothing was named'}")
    return list(found.values())


def _expand(item: Path) -> list[Path]:
    if item.is_file():
        return [item]
    if item.is_dir():
        files = sorted(path for path in _walk(item) if _kind(path) is not None)
        if not files:
            raise CorpusError(f"folder {item} has no file ending in {_known_endings()}")
        return files
    files = sorted(path for path in map(Path, glob.glob(str(item), recursive=True)) if path.is_file())
    if not files:
        raise CorpusError(f"{item} does not exist and, read as a pattern, matches no file")
    return files


def _walk(folder: Path) -> Iterator[Path]:
    """Files of a folder to the bottom, without hidden ones and without prepared corpora (they hold a vocab.txt)."""
    for place, folders, files in os.walk(folder):
        if "corpus.json" in files:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in files if not name.startswith("."))


def _known_endings() -> str:
    return f"{', '.join(FORMATS)} (also {', '.join(COMPRESSIONS)})"


def _at_address(address: str) -> list[Source]:
    files = addresses.find(address)
    known = [(one, kind) for one in files if (kind := _kind(Path(addresses.file_name(one.address)))) is not None]
    if not known:
        found = ", ".join(one.address for one in files[:3]) or "nothing"
        raise CorpusError(f"{address} has no file ending in {_known_endings()}: found {found}")
    return [Source(one.address, *kind, one.size, one.changed) for one, kind in known]


def _kind(path: Path) -> tuple[str, str] | None:
    """(format, compression) by the name's ending, None where it is not ours."""
    compression = path.suffix if path.suffix in COMPRESSIONS else ""
    ending = Path(path.stem).suffix if compression else path.suffix
    return (ending, compression) if ending in FORMATS and (ending, bool(compression)) != (".parquet", True) else None


def _source(path: Path) -> Source:
    kind = _kind(path)
    if kind is None:
        raise CorpusError(f"{path} is not a file we read: expected a name ending in {_known_endings()}")
    held = path.stat()
    return Source(path, *kind, held.st_size, held.st_mtime_ns)


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise UsageError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise UsageError(f'{name} is "{value}", expected one of {", ".join(allowed)}')
