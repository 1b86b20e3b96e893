"""How a corpus is cut into portions of work: by the files alone, so that everybody who looks at them finds the same.

A large plain file is cut every RANGE bytes or so (see blocks.py for where exactly), a large .parquet between row groups,
small files are put together. Compressed files are read from their beginning, so each is one portion.
"""

from dataclasses import dataclass
from itertools import pairwise

from electra.data import addresses
from electra.data.blocks import CUTS, head_of
from electra.data.readers import Reading, open_parquet
from electra.data.sources import Source, Span, whole
from electra.errors import ElectraError

RANGE = 3 << 20  # bytes; somewhat less than a unit of text, so that a range is one unit
_WIDE = (
    b"\xff\xfe",
    b"\xfe\xff",
    b"\x00\x00\xfe\xff",
)  # marks of UTF-16 and UTF-32, where a byte 10 may be half a character


@dataclass(frozen=True)
class Portion:
    """Work that one process does from reading to token ids: small files, a large one, or a part of one."""

    number: int
    spans: tuple[Span, ...]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(span.size for span in self.spans)


def plan(files: list[Source], reading: Reading, size: int) -> list[Portion]:
    """All portions of these files, in the order of the text, of about `size` bytes where files can be cut."""
    groups: list[list[Span]] = []
    held = 0  # bytes of small files in the last group; 0 where it takes no more
    for source in files:
        if source.size > size:
            groups += [[span] for span in _spans(source, reading, size)]
            held = 0
            continue
        if not held:
            groups.append([])
        groups[-1].append(whole(source))
        held += source.size + 1
        held = held if held < size else 0
    return [Portion(number, tuple(spans)) for number, spans in enumerate(groups)]


def _spans(source: Source, reading: Reading, size: int) -> list[Span]:
    """The parts of a large file."""
    if source.compression or reading.rule(source.format) == "file" or not _can_begin_anywhere(source):
        return [whole(source)]
    if source.format == ".parquet":
        return _row_groups(source, size)
    head = head_of(source)
    # Without a blank line near its beginning a file is likely one document, or has documents too long to look for.
    if head.startswith(_WIDE) or not CUTS[source.format].search(head):
        return [whole(source)]
    count = source.size // size
    bounds = [source.size * number // count for number in range(count + 1)]
    return [Span(source, stop - start, start, stop) for start, stop in pairwise(bounds)]


def _can_begin_anywhere(source: Source) -> bool:
    return not isinstance(source.path, str) or addresses.can_begin_anywhere(source.path)


def _row_groups(source: Source, size: int) -> list[Span]:
    """Neighbouring row groups together until they have `size` bytes; a file that cannot be read is one part."""
    try:
        import pyarrow
    except ImportError:
        return [whole(source)]  # reading it tells what is missing
    try:
        with open_parquet(source) as table:
            groups = [table.metadata.row_group(number).total_byte_size for number in range(table.num_row_groups)]
    except ElectraError:
        raise
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError):
        return [whole(source)]  # and what is wrong
    share = source.size / max(sum(groups), 1)  # of the file in bytes that these columns have decompressed
    spans, start, held = [], 0, 0.0
    for number, group in enumerate(groups, start=1):
        held += group * share
        if held >= size or number == len(groups):
            spans.append(Span(source, int(held), start, number))
            start, held = number, 0.0
    return spans or [whole(source)]
