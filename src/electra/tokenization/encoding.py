"""BatchEncoding: what a tokenizer answers. A dictionary of lists or arrays that also knows tokens and words."""

from collections import UserDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from electra.errors import UsageError
from electra.tokenization.inputs import InputTypeError
from electra.tokenization.layout import Row
from electra.tokenization.tensors import tensor_maker

V = TypeVar("V")


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

    def __getitem__(self, key: str | int | slice) -> Any:
        if isinstance(key, str):
            return self.data[key]
        if isinstance(key, slice):
            return {name: values[key] for name, values in self.data.items()}
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
        """Turn every list or number into an array or tensor of integers: "np", "pt", "tf" or "jax"; in place.

        Raises RaggedError (a DataError) where rows have different lengths.
        """
        if tensor_type is None:
            return self
        make = tensor_maker(tensor_type)
        for key, value in self.data.items():
            if isinstance(value, (list, int)):
                self.data[key] = make(key, [value] if prepend_batch_axis else value)
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
        return self._row(batch_index).word_ids

    def words(self, batch_index: int = 0) -> list[int | None]:
        """The same as `word_ids`."""
        return self.word_ids(batch_index)

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """0 for the first text, 1 for the second, None for special tokens."""
        return self._row(batch_index).sequence_ids

    # -- between tokens, words and characters -------------------------------------------------------------------------
    # One argument is the token, word or character of the first row; two are the row, and then the same.

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Which text a token belongs to."""
        row, token = self._place(batch_or_token_index, token_index)
        return _at(row.sequence_ids, token)

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Which word of its text a token belongs to."""
        row, token = self._place(batch_or_token_index, token_index)
        return _at(row.word_ids, token)

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """The characters of its text a token stands for; None for special tokens."""
        row, token = self._place(batch_or_token_index, token_index)
        offsets = _at(row.offsets, token)
        return None if offsets is None or _at(row.sequence_ids, token) is None else CharSpan(*offsets)

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """The positions of a word's pieces."""
        row, word = self._place(batch_or_word_index, word_index)
        pairs = zip(row.word_ids, row.sequence_ids, strict=True)
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
        offsets = row.offsets
        return CharSpan(offsets[span.start][0], offsets[span.end - 1][1])

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The position of the token that stands for a character; None for white space."""
        row, char = self._place(batch_or_char_index, char_index)
        pairs = zip(row.offsets, row.sequence_ids, strict=True)
        found = (i for i, ((start, end), text) in enumerate(pairs) if text == sequence_index and start <= char < end)
        return next(found, None)

    def char_to_word(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The word a character belongs to; None for white space."""
        row, _ = self._place(batch_or_char_index, char_index)
        token = self.char_to_token(batch_or_char_index, char_index, sequence_index)
        return None if token is None else row.word_ids[token]

    def _place(self, first: int, second: int | None) -> tuple[Row, int]:
        return (self._row(0), first) if second is None else (self._row(first), second)


def _at(values: Sequence[V | None], position: int) -> V | None:
    """The value at a position, counted from the end where negative; None beyond the row, as in `tokenizers`."""
    return values[position] if -len(values) <= position < len(values) else None
