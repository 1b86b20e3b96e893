"""The bulk path in C (native/units.c): the ids of bulk.LineEncoder in one pass over the text, warm or not.

The C code knows words and pieces. What becomes of a character (lower case, without its accent, between spaces) is asked
of the `tokenizers` package when the character is first met, and no rule is written twice. That is exact because BERT's
normalisation works on single characters, but for marks that trade places; texts with those take the plain path.
"""

import ctypes
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Self

import numpy as np
from tokenizers import Tokenizer as Backend

from electra.native import library
from electra.tokenization.bulk import Ids, Lengths, LineEncoder
from electra.tokenization.wordpiece import MAX_WORD_CHARACTERS, replace_surrogates

BLOCK = 1 << 18  # characters handled at a time: they and their ids stay in the processor's cache
SLOTS = 1 << 18  # units remembered at most: 8 MB
CODE_POINTS = 1 << 21  # all that UTF-8 can spell; of their 32 MB those of characters met are really taken
MOST_BYTES = 1 << 22  # of a vocabulary's pieces: places in the tree have 24 bits
ROOM = MAX_WORD_CHARACTERS + 16  # ids that one character can lead to
PADDING = " " * 128  # what C may look at behind a text
WIDEST = 15  # bytes that a character may become

# Two marks that stay in a normalised text, of combining classes 224 and 216: of all characters between them, only those
# that are no marks keep them in this order.
HIGH, LOW = "\u302e", "\U0001d165"


class _Reader(ctypes.Structure):
    """Reader in units.c."""

    _fields_ = (
        ("characters", ctypes.c_void_p),
        ("nodes", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
        ("last_node", ctypes.c_uint32),
        ("last_slot", ctypes.c_uint32),
        ("continued", ctypes.c_uint32),
        ("unknown", ctypes.c_int32),
        ("at", ctypes.c_int64),
        ("line", ctypes.c_int64),
        ("letters", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("word", ctypes.c_uint8 * (4 * MAX_WORD_CHARACTERS)),
    )


class _MovingMarkError(Exception):
    """A character whose place in the normalised text depends on its neighbours."""


@cache
def _functions() -> ctypes.CDLL | None:
    """plant() and encode() of units.c, with their types; None where they cannot be had."""
    functions = library("units")
    if functions is not None:
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        functions.plant.argtypes = (pointer, pointer, pointer, pointer, number)
        functions.plant.restype = number
        functions.encode.argtypes = (pointer, ctypes.c_char_p, number, pointer, number, pointer)
        functions.encode.restype = number
    return functions


class CompiledEncoder:
    """A backend's pieces, and what its characters become, laid out for units.c.

    block  characters handled at a time
    slots  units remembered, a power of 2; both bound memory and change no answer
    """

    def __init__(self, functions: ctypes.CDLL, backend: Backend, *, block: int = BLOCK, slots: int = SLOTS) -> None:
        self._functions, self._backend, self._block = functions, backend, block
        self._normalize = backend.normalizer.normalize_str
        self._lock = threading.Lock()  # the tables are written to while the interpreter runs other threads
        self._slots = np.zeros((slots, 8), np.int32)
        self._characters = np.zeros((CODE_POINTS, 1 + WIDEST), np.uint8)
        self._reader = _Reader(
            characters=self._characters.ctypes.data,
            slots=self._slots.ctypes.data,
            last_slot=slots - 1,
            unknown=backend.model.token_to_id(backend.model.unk_token),
        )
        self._plant(backend.get_vocab(with_added_tokens=False))

    @classmethod
    def of(cls, backend: Backend) -> Self | None:
        """The encoder of a backend; None where there is no compiled code, or it cannot hold the vocabulary."""
        functions = _functions()
        size = sum(len(piece.encode("utf-8", "surrogatepass")) for piece in backend.get_vocab(with_added_tokens=False))
        return cls(functions, backend) if functions is not None and size < MOST_BYTES else None

    def _plant(self, vocabulary: dict[str, int]) -> None:
        """Make the tree of pieces, in a hash table at most two thirds full."""
        pieces = [piece.encode("utf-8", "surrogatepass") for piece in vocabulary]
        ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        ids = np.fromiter(vocabulary.values(), np.int32, len(vocabulary))
        nodes = sum(map(len, pieces)) + 2
        for _ in range(2):  # the second time we know how many there are
            places = 1 << (3 * nodes // 2).bit_length()
            self._nodes = np.zeros((places, 2), np.uint32)
            self._reader.nodes, self._reader.last_node = self._nodes.ctypes.data, places - 1
            nodes = self._functions.plant(
                ctypes.byref(self._reader), b"".join(pieces), ends.ctypes.data, ids.ctypes.data, len(pieces)
            )

    def encode(self, lines: Sequence[str]) -> tuple[Ids, Lengths]:
        """The ids of the lines, one after another, and how many each line has.

        Returns ids (sum of lengths,) int32 and lengths (len(lines),) int64.
        """
        lengths = np.zeros(len(lines), np.int64)
        begun = np.cumsum(np.fromiter(map(len, lines), np.int64, len(lines))) // self._block
        bounds = [0, *(np.flatnonzero(np.diff(begun)) + 1).tolist(), len(lines)]
        ids: list[Ids] = [np.empty(0, np.int32)]
        with self._lock:
            for start, stop in pairwise(bounds):
                ids += self._encode_block(lines[start:stop], lengths[start:stop])
        return np.concatenate(ids), lengths

    def _encode_block(self, lines: Sequence[str], lengths: Lengths) -> list[Ids]:
        """The ids of some lines, in parts; fills in their lengths."""
        self._reader.line = self._reader.letters = self._reader.size = 0
        try:
            return [ids for text in self._texts(lines) for ids in self._read(text, lengths)]
        except _MovingMarkError:
            ids, lengths[:] = LineEncoder(self._backend).encode(lines)
            return [ids]

    def _texts(self, lines: Sequence[str]) -> Iterator[bytes]:
        """The lines in UTF-8, each with a line end and no other, in texts of bounded length with padding behind them."""
        text = "\n".join([*lines, PADDING])
        end = len(text) - len(PADDING)
        if end <= 2 * self._block:
            whole = _utf8(text)
            if whole.count(b"\n") == len(lines):
                yield whole
                return
        if text.count("\n") > len(lines):
            text = "\n".join([*(line.replace("\n", " ") for line in lines), PADDING])
        for start in range(0, end, self._block):
            yield _utf8(text[start : min(start + self._block, end)] + PADDING)

    def _read(self, text: bytes, lengths: Lengths) -> Iterator[Ids]:
        """The ids of a text, in parts."""
        reader, size, used = self._reader, len(text) - len(PADDING), 0
        ids = np.empty(size // 2 + ROOM, np.int32)
        reader.at = 0
        while reader.at < size:
            if len(ids) - used < ROOM:
                yield ids[:used]
                ids, used = np.empty_like(ids), 0
            used += self._functions.encode(
                ctypes.byref(reader), text, size, ids[used:].ctypes.data, len(ids) - used, lengths.ctypes.data
            )
            if reader.at < size and len(ids) - used >= ROOM:
                self._learn(text[reader.at : reader.at + 4].decode("utf-8", "ignore")[0])
        yield ids[:used]

    def _learn(self, char: str) -> None:
        """Note what a character becomes inside a word; a space stands where it ends one."""
        normal = self._normalize(char)
        words = self._backend.pre_tokenizer.pre_tokenize_str(f"a{normal}a")
        becomes = " ".join(word for word, _ in words)[1:-1].encode()
        if len(becomes) > WIDEST or any(map(self._moves, normal)):
            raise _MovingMarkError
        row = bytes([len(becomes) + 1]) + becomes
        self._characters[ord(char), : len(row)] = np.frombuffer(row, np.uint8)

    def _moves(self, char: str) -> bool:
        """Whether a character trades places with marks beside it when a text is normalised."""
        return bool(self._normalize(HIGH + char + LOW) != HIGH + self._normalize(char) + LOW)


def _utf8(text: str) -> bytes:
    """The text in UTF-8, with U+FFFD for lone surrogates."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return replace_surrogates(text).encode("utf-8")
