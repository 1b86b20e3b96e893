"""Which files a corpus is made of: paths, folders and globs become an ordered list of sources, whose bytes can be read.

Unusual here: a compressed file that ends too early, or is corrupt, still gives every byte that can be read; what is
wrong with it is noted in its report, and the caller decides.
"""

import glob
import gzip
import lzma
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from electra.errors import CorpusError, UsageError, install_hint

FORMATS = (".txt", ".jsonl", ".parquet")
COMPRESSIONS = (".gz", ".xz", ".zst")
BLOCK = 1 << 18  # bytes of text held at a time
ZSTD_FEED = (
    1 << 10
)  # compressed bytes at a time: a zstd block of 4 bytes can grow to 128 kB, and there is no limit to set


@dataclass(frozen=True)
class Source:
    """One file of text: format is one of FORMATS, compression one of COMPRESSIONS or "", size in bytes."""

    path: Path
    format: str
    compression: str
    size: int


@dataclass
class FileReport:
    """What was found in one file. Offsets are bytes of the decompressed file, `damage` speaks of the file on disk.

    bad_records lists "file:line:column: reason" of the first few that were left out.
    """

    path: str
    size: int
    encoding: str = "utf-8"
    byte_order_mark: bool = False
    lines: int = 0
    documents: int = 0
    damage: str = ""
    invalid_bytes: int = 0
    first_invalid_offsets: list[int] = field(default_factory=list)
    skipped_lines: int = 0
    nul_characters: int = 0
    lone_surrogates: int = 0
    split_lines: int = 0
    bad_record_count: int = 0
    bad_records: list[str] = field(default_factory=list)

    def problems(self) -> dict[str, Any]:
        """The fields that tell of a problem, with the path; empty if there is none."""
        found = {key: value for key, value in asdict(self).items() if value and key in _PROBLEM_FIELDS}
        if not self.lines:
            found["empty"] = True
        return {"path": self.path} | found if found else {}


_PROBLEM_FIELDS = (
    "damage", "invalid_bytes", "first_invalid_offsets", "skipped_lines", "nul_characters", "lone_surrogates",
    "split_lines", "bad_record_count", "bad_records",
)  # fmt: skip


def find_sources(sources: str | Path | Iterable[str | Path]) -> list[Source]:
    """The files that paths, folders (searched to the bottom) and globs name, in a fixed order, each once.

    Arguments keep their order; within a folder or glob files are sorted by path. Raises CorpusError where nothing is
    found or a named file has a format we do not read.
    """
    given = [sources] if isinstance(sources, (str, Path)) else list(sources)
    found: dict[Path, Source] = {}
    for item in given:
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


def _kind(path: Path) -> tuple[str, str] | None:
    """(format, compression) by the name's ending, None where it is not ours."""
    compression = path.suffix if path.suffix in COMPRESSIONS else ""
    ending = Path(path.stem).suffix if compression else path.suffix
    return (ending, compression) if ending in FORMATS and (ending, bool(compression)) != (".parquet", True) else None


def _source(path: Path) -> Source:
    kind = _kind(path)
    if kind is None:
        raise CorpusError(f"{path} is not a file we read: expected a name ending in {_known_endings()}")
    return Source(path, *kind, path.stat().st_size)


class ByteReader:
    """The decompressed bytes of a source in blocks; `position` is how far the file on disk has been read."""

    def __init__(self, source: Source, report: FileReport) -> None:
        self.source, self.report, self.position = source, report, 0

    def blocks(self) -> Iterator[bytes]:
        """Blocks of at most a few hundred kB (32 MB for a hostile .zst). Damage ends them early and is reported."""
        try:
            with open(self.source.path, "rb") as raw:
                for block in _decompressed(raw, self.source.compression):
                    self.position = raw.tell()
                    yield block
        except EOFError:
            self.report.damage = f"truncated at byte {self.source.size}"
        except (zlib.error, lzma.LZMAError, gzip.BadGzipFile, _ZstdError) as error:
            self.report.damage = f"corrupt near byte {self.position} ({error})"
        except OSError as error:
            raise CorpusError(f"{self.source.path} cannot be read: {error.strerror or error}") from error


class _ZstdError(Exception):
    """A damaged .zst file, under a name that exists where zstandard is not installed."""


def _decompressed(raw: IO[bytes], compression: str) -> Iterator[bytes]:
    if compression == ".zst":
        yield from _zstd_blocks(raw)
        return
    # An empty file is an empty text, whatever its name says.
    if compression and not raw.read(1):
        return
    raw.seek(0)
    stream: Any = raw
    if compression == ".gz":
        stream = gzip.GzipFile(fileobj=raw)
    elif compression == ".xz":
        stream = lzma.LZMAFile(raw)  # noqa: SIM115 - `raw` is the caller's to close
    read = stream.read1 if compression else stream.read  # read() would lose the bytes before the damage
    while block := read(BLOCK):
        yield block


def _zstd_blocks(raw: IO[bytes]) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        raise install_hint("zstandard", "data", "reading .zst files") from None
    decompressor, started = zstandard.ZstdDecompressor().decompressobj(), False
    while data := raw.read(ZSTD_FEED):
        while data:
            if decompressor.eof:
                decompressor = zstandard.ZstdDecompressor().decompressobj()
            started = True
            try:
                block = decompressor.decompress(data)
            except zstandard.ZstdError as error:
                raise _ZstdError(str(error)) from None
            data = decompressor.unused_data
            if block:
                yield block
    if started and not decompressor.eof:
        raise EOFError


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise UsageError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise UsageError(f'{name} is "{value}", expected one of {", ".join(allowed)}')
