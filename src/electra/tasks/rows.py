"""Texts and pairs as the rows a model reads: [CLS] a [SEP], or [CLS] a [SEP] b [SEP].

A pair that is too long loses pieces from its longer text, from the second where both are as long, as the original ELECTRA has
it. Windows instead cover all of a long text.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from electra.errors import UsageError
from electra.tasks.task import Array

Row = tuple[Array, Array]  # input_ids (L,) and token_type_ids (L,), int32


def piece_ids(texts: Sequence[str], tokenizer: Any) -> list[list[int]]:
    """The ids of each text, without special tokens and uncut; equal texts are tokenized once."""
    different = list(dict.fromkeys(texts))
    if not different:
        return []
    encoded = tokenizer(different, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    found = dict(zip(different, encoded, strict=True))
    return [found[text] for text in texts]


def row(first: Sequence[int], second: Sequence[int] | None, tokenizer: Any) -> Row:
    """One row from the pieces of a text or of two, which fit."""
    begin = [tokenizer.cls_token_id, *first, tokenizer.sep_token_id]
    rest = [] if second is None else [*second, tokenizer.sep_token_id]
    return np.array(begin + rest, np.int32), np.repeat(np.array([0, 1], np.int32), [len(begin), len(rest)])


def cut_row(first: Sequence[int], second: Sequence[int] | None, tokenizer: Any, max_length: int) -> Row:
    """One row of at most `max_length` tokens."""
    if second is None:
        return row(first[: max_length - 2], None, tokenizer)
    room = max_length - 3
    if len(first) + len(second) > room:
        kept = min(len(first), max(room - len(second), (room + 1) // 2))
        first, second = first[:kept], second[: room - kept]
    return row(first, second, tokenizer)


def unread(first: Sequence[int], second: Sequence[int] | None, max_length: int, *, in_windows: bool = False) -> int:
    """Pieces of a text, or of two, that `cut_row` or `window_rows` leaves out."""
    room = max_length - (2 if second is None else 3)
    if in_windows:
        return 0 if second is None else max(0, min(len(first), len(second)) - room // 2)
    return max(0, len(first) + len(second or ()) - room)


def window_rows(
    first: Sequence[int], second: Sequence[int] | None, tokenizer: Any, max_length: int, shared: int
) -> list[Row]:
    """Rows of at most `max_length` tokens that cover all of a text; neighbours share `shared` pieces.

    In a pair the longer text is covered, beside the beginning of the other, at most half the room. Raises UsageError
    where windows would not move on.
    """
    if second is None:
        return [row(part, None, tokenizer) for part in windows(first, max_length - 2, shared)]
    room = max_length - 3
    if len(first) > len(second):
        second = second[: room // 2]
        return [row(part, second, tokenizer) for part in windows(first, room - len(second), shared)]
    first = first[: room // 2]
    return [row(first, part, tokenizer) for part in windows(second, room - len(first), shared)]


def windows(ids: Sequence[int], size: int, shared: int) -> list[Sequence[int]]:
    """Parts of at most `size` pieces, each beginning with the last `shared` pieces of the one before."""
    if len(ids) <= size:
        return [ids]
    if not 0 <= shared < size:
        raise UsageError(
            f"windows share {shared} pieces, but one has room for {size}: expected 0 to {size - 1}; give a longer max_length, "
            "or fewer shared pieces"
        )
    return [ids[begin : begin + size] for begin in range(0, len(ids) - shared, size - shared)]
