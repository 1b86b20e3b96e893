"""The bytes of a source: decompressed, or of a part of a plain file, between two places where a document may begin.

Unusual here: a compressed file that ends too early, or is corrupt, still gives every byte that can be read; what is
wrong with it is noted in its report, and the caller decides.
"""

import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from electra.data import addresses
from electra.data.report import FileReport
from electra.data.sources import Source, Span
from electra.errors import CorpusError, ElectraError, install_hint

BLOCK = 1 << 18  # bytes of text held at a time
ZSTD_FEED = (
    1 << 10
)  # compressed bytes at a time: a zstd block of 4 bytes can grow to 128 kB, and there is no limit to set

# What surely ends a document of .txt or a record of .jsonl, whatever stands before it. In UTF-8 a byte 10 is always
# a line end. Other spellings of a blank line end documents too, but no part of a file.
CUTS = {".txt": re.compile(rb"\n\r?\n"), ".jsonl": re.compile(rb"\n")}
LONGEST_CUT = 3


class ByteReader:
    """The decompressed bytes of a span in blocks; `position` is how many bytes on disk have been read for it."""

    def __init__(self, span: Span, report: FileReport) -> None:
        self.span, self.source, self.report, self.position = span, span.source, report, 0

    def blocks(self) -> Iterator[bytes]:
        """Blocks of at most a few hundred kB (32 MB for a hostile .zst). Damage ends them early and is reported.

        Of a part of a file, report.begin is set before the first block.
        """
        is_part = self.span.stop is not None
        try:
            with open_source(self.source, from_start=not is_part) as raw:
                for block in self._part(raw) if is_part else _decompressed(raw, self.source):
                    self.position = min(raw.tell() - self.span.start, self.span.size)
                    yield block
        except EOFError:
            self.report.damage = f"truncated at byte {self.source.size}"
        except (zlib.error, lzma.LZMAError, gzip.BadGzipFile, _ZstdError) as error:
            self.report.damage = f"corrupt near byte {self.position} ({error})"
        except ElectraError:
            raise
        except Exception as error:
            if isinstance(self.source.path, str):
                raise addresses.unreachable(self.source.path, error) from error
            if isinstance(error, OSError):
                raise CorpusError(f"{self.source.path} cannot be read: {error.strerror or error}") from error
            raise

    def _part(self, raw: IO[bytes]) -> Iterator[bytes]:
        """From the first cut at or after the span's start to the first at or after its stop: spans meet exactly."""
        start, stop = self.span.start, self.span.stop or 0
        cut, begin = CUTS[self.source.format], 0 if start == 0 else None
        at = max(start - LONGEST_CUT, 0)  # where `seen` begins in the file
        raw.seek(at)
        seen = b""
        while block := raw.read(BLOCK):
            kept = seen[-LONGEST_CUT:]  # a cut may lie across two blocks
            at += len(seen) - len(kept)
            seen, fresh = kept + block, at + len(kept)
            end = at + len(seen)
            if begin is None:
                begin = _first_cut(cut, seen, at, start)
                if (end if begin is None else begin) >= stop:
                    return  # nothing begins here: the part before goes on to the part behind
                if begin is None:
                    continue
            self.report.begin = begin
            last = _first_cut(cut, seen, at, stop) if end >= stop else None
            yield seen[max(begin, fresh) - at : None if last is None else last - at]
            if last is not None:
                return
        if at + len(seen) < stop:
            raise CorpusError(
                f"{self.source.path} ends at byte {at + len(seen)}, but had {self.source.size} bytes: it changed while it "
                "was read; give the same command again when it does not"
            )


def _first_cut(cut: re.Pattern[bytes], data: bytes, at: int, place: int) -> int | None:
    """Where in the file the first cut ends that ends at or after `place`; `data` begins at byte `at`."""
    found = cut.search(data, max(place - at - LONGEST_CUT, 0))
    while found and at + found.end() < place:
        found = cut.search(data, found.start() + 1)
    return at + found.end() if found else None


def open_source(source: Source, *, from_start: bool = False) -> IO[bytes]:
    """The file or address for reading, `from_start` to its end or from anywhere."""
    if isinstance(source.path, Path):
        return open(source.path, "rb")
    return addresses.open_at(source.path, from_start=from_start)


def head_of(source: Source) -> bytes:
    """The first block of a plain file."""
    with open_source(source) as raw:
        return raw.read(BLOCK)


def line_ends_before(source: Source, place: int) -> int:
    """How many line ends a plain file has before byte `place`; reads all of that."""
    count = 0
    with open_source(source, from_start=True) as raw:
        while place > 0 and (block := raw.read(min(BLOCK, place))):
            count, place = count + block.count(b"\n"), place - len(block)
    return count


class _ZstdError(Exception):
    """A damaged .zst file, under a name that exists where zstandard is not installed."""


def _decompressed(raw: IO[bytes], source: Source) -> Iterator[bytes]:
    compression = source.compression
    if compression == ".zst":
        yield from _zstd_blocks(raw)
        return
    # An empty file is an empty text, whatever its name says. (At an address 0 may mean that the size is not known.)
    if compression and not source.size and isinstance(source.path, Path):
        return
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
