"""BatchEncoding: what a tokenizer answers. A dictionary of lists or arrays that also knows tokens and words."""

from collections import UserDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from electra.errors import DataError, InputError, UsageError, install_hint
from electra.tokenization.inputs import InputTypeError
from electra.tokenization.layout import Row

TENSOR_TYPES = ("pt", "np")


class CharSpan(NamedTuple):
    """Characters start:end of a text."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Positions start:end of a row."""

    start: int
    end: int


class BatchEncoding(UserDict[str, Any]):
    """`encoding["input_ids"]` or `encoding.input_ids`; `encoding[0]` is the first row, where rows are known.

    data    name -> list or array
    rows    one Row per row of the batch, or empty
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        rows: list[Row] | None = None,
        tensor_type: str | None = None,
        is_fast: bool = False,
        prepend_batch_axis: bool = False,
    ) -> None:
        super().__init__(dict(data or {}))
        self.rows = rows or []
        self.is_fast = is_fast
        if tensor_type is not None:
            self.convert_to_tensors(tensor_type, prepend_batch_axis=prepend_batch_axis)

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, str):
            return self.data[key]
        if not self.rows:
            raise KeyError(
                "rows can be indexed by number only in the answer of a fast tokenizer; use a name, such as input_ids"
            )
        return self.rows[key]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            raise AttributeError(f"this encoding has no {name!r}") from None

    # -- arrays -------------------------------------------------------------------------------------------------------

    def convert_to_tensors(self, tensor_type: str | None = None, prepend_batch_axis: bool = False) -> "BatchEncoding":
        """Turn every list into an array ("np") or a torch tensor ("pt") of int64, in place.

        Raises DataError where rows have different lengths.
        """
        if tensor_type is None:
            return self
        make = _array_maker(str(tensor_type))
        for key, value in self.data.items():
            if isinstance(value, list):
                self.data[key] = make(_rectangular(key, [value] if prepend_batch_axis else value))
        return self

    def to(self, device: Any, *, non_blocking: bool = False) -> "BatchEncoding":
        """Move every tensor to a device, in place."""
        for key, value in self.data.items():
            if hasattr(value, "to"):
                self.data[key] = value.to(device=device, non_blocking=non_blocking)
        return self

    # -- where pieces come from ---------------------------------------------------------------------------------------

    def _row(self, index: int) -> Row:
        if not self.rows:
            raise UsageError("tokens, words and characters are known only for what a fast tokenizer answered")
        return self.rows[index]

    @property
    def encodings(self) -> list[Row] | None:
        """The rows, where a fast tokenizer made them."""
        return self.rows or None

    @property
    def n_sequences(self) -> int | None:
        """How many texts each row holds: 1 or 2."""
        return len(self.rows[0].segments) if self.rows else None

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The pieces of a row, special tokens too."""
        return list(self._row(batch_index).tokens)

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """The word each position belongs to; None for special tokens."""
        return self._row(batch_index).word_ids()

    def words(self, batch_index: int = 0) -> list[int | None]:
        """The same as `word_ids`."""
        return self.word_ids(batch_index)

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """0 for the first text, 1 for the second, None for special tokens."""
        return self._row(batch_index).sequence_ids()

    # -- between tokens, words and characters -------------------------------------------------------------------------
    # One argument is the token, word or character of the first row; two are the row, and then the same.

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Which text a token belongs to."""
        row, token = self._place(batch_or_token_index, token_index)
        return row.sequence_ids()[_counted(token, row)]

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Which word of its text a token belongs to."""
        row, token = self._place(batch_or_token_index, token_index)
        return row.word_ids()[_counted(token, row)]

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """The characters of its text a token stands for; None for special tokens."""
        row, token = self._place(batch_or_token_index, token_index)
        position = _counted(token, row)
        return None if row.sequence_ids()[position] is None else CharSpan(*row.offsets()[position])

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """The positions of a word's pieces."""
        row, word = self._place(batch_or_word_index, word_index)
        pairs = zip(row.word_ids(), row.sequence_ids(), strict=True)
        places = [i for i, pair in enumerate(pairs) if pair == (word, sequence_index)]
        return TokenSpan(places[0], places[-1] + 1) if places else None

    def word_to_chars(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> CharSpan:
        """The characters of a word. Raises InputTypeError where the text has no such word."""
        row, word = self._place(batch_or_word_index, word_index)
        span = self.word_to_tokens(batch_or_word_index, word_index, sequence_index)
        if span is None:
            raise InputTypeError(f"text {sequence_index} of this row has no word {word}")
        offsets = row.offsets()
        return CharSpan(offsets[span.start][0], offsets[span.end - 1][1])

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The position of the token that stands for a character; None for white space."""
        row, char = self._place(batch_or_char_index, char_index)
        pairs = zip(row.offsets(), row.sequence_ids(), strict=True)
        found = (i for i, ((start, end), text) in enumerate(pairs) if text == sequence_index and start <= char < end)
        return next(found, None)

    def char_to_word(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The word a character belongs to; None for white space."""
        row, _ = self._place(batch_or_char_index, char_index)
        token = self.char_to_token(batch_or_char_index, char_index, sequence_index)
        return None if token is None else row.word_ids()[token]

    def _place(self, first: int, second: int | None) -> tuple[Row, int]:
        return (self._row(0), first) if second is None else (self._row(first), second)


def _counted(position: int, row: Row) -> int:
    """A position counted from the end where negative; InputError beyond the row."""
    if not -len(row.ids) <= position < len(row.ids):
        raise InputError(f"token {position} of a row of {len(row.ids)} tokens")
    return position % len(row.ids)


def _array_maker(tensor_type: str) -> Any:
    if tensor_type == "np":
        return lambda value: value
    if tensor_type == "pt":
        try:
            import torch
        except ImportError:
            raise install_hint("torch", "torch", 'return_tensors="pt"') from None
        return torch.from_numpy
    raise UsageError(f"return_tensors is {tensor_type!r}, expected one of {', '.join(map(repr, TENSOR_TYPES))} or None")


def _rectangular(key: str, value: list[Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    try:
        return np.asarray(value, dtype=np.int64)
    except (ValueError, TypeError):
        raise DataError(
            f"{key} cannot become one array: its rows have different lengths or hold no numbers. "
            "Ask for padding=True and truncation=True."
        ) from None
