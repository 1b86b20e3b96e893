"""How pieces of one or two texts become a row: [CLS] and [SEP], segments, padding. Pure functions on lists.

A row keeps the pieces it was made of, so that offsets and word numbers are looked up only when somebody asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

V = TypeVar("V")


class Pieces(Protocol):
    """The pieces of one text. `tokenizers.Encoding` is one; so is `PlainPieces`."""

    @property
    def ids(self) -> list[int]: ...
    @property
    def tokens(self) -> list[str]: ...
    @property
    def offsets(self) -> list[tuple[int, int]]: ...
    @property
    def word_ids(self) -> list[int | None]: ...


@dataclass(frozen=True)
class PlainPieces:
    """Pieces without a memory of where they stood in the text."""

    ids: list[int]
    tokens: list[str]

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """Nowhere."""
        return [(0, 0)] * len(self.ids)

    @property
    def word_ids(self) -> list[int | None]:
        """Of no word."""
        return [None] * len(self.ids)


@dataclass(frozen=True)
class Segment:
    """Where pieces first:stop of one text stand in a row: from position `position` on."""

    pieces: Pieces
    position: int
    first: int
    stop: int


@dataclass
class Row:
    """One line of a batch; all lists have one entry a position."""

    ids: list[int]
    token_type_ids: list[int]
    attention_mask: list[int]
    special_tokens_mask: list[int]
    tokens: list[str]
    segments: list[Segment]
    sample: int = 0  # which text of the batch this row is a window of
    overflowing_tokens: list[int] = field(default_factory=list)  # ids that were cut off, where no window holds them
    num_truncated_tokens: int = 0

    def spread(self, values: Sequence[Sequence[V]], filler: V) -> list[V]:
        """A value for every position: `values[i]` holds those of text i's pieces; all others get `filler`."""
        spread = [filler] * len(self.ids)
        for segment, own in zip(self.segments, values, strict=True):
            spread[segment.position : segment.position + segment.stop - segment.first] = own[
                segment.first : segment.stop
            ]
        return spread

    def column(self, name: str) -> Any:
        """The values of one column of a BatchEncoding."""
        return getattr(self, _ATTRIBUTES.get(name, name))

    @property
    def length(self) -> int:
        """The number of positions."""
        return len(self.ids)

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """The characters of its text each position stands for; (0, 0) for special tokens."""
        return self.spread([segment.pieces.offsets for segment in self.segments], (0, 0))

    @property
    def word_ids(self) -> list[int | None]:
        """The number of the word each position belongs to, counted per text; None for special tokens."""
        return self.spread([segment.pieces.word_ids for segment in self.segments], None)

    @property
    def sequence_ids(self) -> list[int | None]:
        """0 for the first text, 1 for the second, None for special tokens."""
        return self.spread([[i] * segment.stop for i, segment in enumerate(self.segments)], None)


_ATTRIBUTES = {"input_ids": "ids", "offset_mapping": "offsets", "overflow_to_sample_mapping": "sample"}


def build_row(
    kept: Sequence[tuple[Pieces, int, int]],
    *,
    cls: tuple[int, str] | None,
    sep: tuple[int, str] | None,
    with_segments: bool = True,
) -> Row:
    """[CLS] A [SEP] or [CLS] A [SEP] B [SEP]; with cls and sep None: A, or A B.

    kept holds (pieces, first, stop) for each text; cls and sep are (id, token). without segments the
    second text has type 0, as the first.
    """
    row = Row([], [], [], [], [], [])
    if cls is not None:
        _append_special(row, cls, 0)
    for i, (pieces, first, stop) in enumerate(kept):
        row.segments.append(Segment(pieces, len(row.ids), first, stop))
        row.ids += pieces.ids[first:stop]
        row.tokens += pieces.tokens[first:stop]
        row.token_type_ids += [i if with_segments else 0] * (stop - first)
        row.special_tokens_mask += [0] * (stop - first)
        if sep is not None:
            _append_special(row, sep, i)
    row.attention_mask = [1] * len(row.ids)
    return row


def _append_special(row: Row, token: tuple[int, str], segment: int) -> None:
    row.ids.append(token[0])
    row.tokens.append(token[1])
    row.token_type_ids.append(segment)
    row.special_tokens_mask.append(1)


def padded(values: Sequence[V], length: int, filler: V, side: str) -> list[V]:
    """`values` filled up to `length` on the given side."""
    filling = [filler] * (length - len(values))
    return [*values, *filling] if side == "right" else [*filling, *values]


def padded_length(longest: int, multiple: int | None) -> int:
    """`longest` rounded up to a multiple."""
    return longest if not multiple else -(-longest // multiple) * multiple
