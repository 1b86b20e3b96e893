"""Full rows: documents follow one another, each fragment [CLS] tokens [SEP], and attention stays inside a fragment.

A long document goes on in the next row. Fragments shorter than SHORTEST tokens teach little, so none is made unless its
document is that short; the price is a few padded positions at the end of some rows.
"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from electra.batch import Batch
from electra.data.corpus import Corpus
from electra.data.examples import check_length, check_some, chunks, ranges

SHORTEST = 8
DOCUMENTS_AT_ONCE = 100_000


@dataclass(frozen=True, eq=False)
class PackedExamples:
    """Rows of fragments over a corpus.

    begins   (fragments,) int64  first token of each fragment
    lengths  (fragments,) int64  its tokens, without [CLS] and [SEP]
    rows_at  (rows + 1,) int64   first fragment of each row, and the number of fragments
    """

    corpus: Corpus
    max_length: int
    fingerprint: str
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]
    rows_at: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows_at) - 1

    def rows(self, indices: NDArray[np.int64]) -> Batch:
        """The rows with these numbers, (len(indices), max_length) int32 arrays, with position_ids and document_ids."""
        indices = np.asarray(indices, dtype=np.int64)
        B, L = len(indices), self.max_length
        special = self.corpus.special_ids
        count = self.rows_at[indices + 1] - self.rows_at[indices]
        fragments = ranges(self.rows_at[indices], count)
        row = np.repeat(np.arange(B), count)
        length = self.lengths[fragments]
        before = np.cumsum(length + 2) - (length + 2)
        first = np.cumsum(count) - count  # each row's first fragment among those of the batch
        begin = row * L + before - before[first][row]  # where the fragment's [CLS] stands in the flat batch

        flat = ranges(begin, length + 2)
        input_ids = np.full(B * L, special["pad"], dtype=np.int32)
        input_ids[ranges(begin + 1, length)] = self.corpus.ids[ranges(self.begins[fragments], length)]
        input_ids[begin] = special["cls"]
        input_ids[begin + length + 1] = special["sep"]
        mask, positions, documents = (np.zeros(B * L, dtype=np.int32) for _ in range(3))
        mask[flat] = 1
        positions[flat] = ranges(np.zeros_like(length), length + 2)
        documents[flat] = np.repeat(np.arange(len(row)) - first[row] + 1, length + 2)
        return Batch(
            input_ids=input_ids.reshape(B, L),
            attention_mask=mask.reshape(B, L),
            token_type_ids=np.zeros((B, L), dtype=np.int32),
            position_ids=positions.reshape(B, L),
            document_ids=documents.reshape(B, L),
        )


def build_packed(corpus: Corpus, max_length: int, seed: int) -> PackedExamples:
    """Pack every document of the corpus, in order. Nothing is drawn: `seed` lets builders be exchanged."""
    del seed
    check_length(max_length, 5)
    begins: list[int] = []
    lengths: list[int] = []
    rows_at = [0]
    room = max_length
    for document, stop in chunks(len(corpus.document_offsets) - 1, DOCUMENTS_AT_ONCE):
        bounds = corpus.line_offsets[corpus.document_offsets[document : stop + 1]].tolist()
        for begin, end in pairwise(bounds):
            room = _pack(begin, end, max_length, room, begins, lengths, rows_at)
    check_some(len(begins), corpus.folder)
    rows_at.append(len(begins))
    name = f"packed 1 {corpus.fingerprint} {corpus.split} {max_length}"
    return PackedExamples(
        corpus,
        max_length,
        hashlib.sha256(name.encode()).hexdigest(),
        *(np.array(values, dtype=np.int64) for values in (begins, lengths, rows_at)),
    )


def _pack(
    begin: int, end: int, max_length: int, room: int, begins: list[int], lengths: list[int], rows_at: list[int]
) -> int:
    """Append the fragments of one document to a row with `room` positions left; returns the room left after it."""
    while begin < end:
        taken = fragment_length(end - begin, room, min(SHORTEST, (max_length - 2) // 2))
        if not taken:
            rows_at.append(len(begins))
            room = max_length
            continue
        begins.append(begin)
        lengths.append(taken)
        begin += taken
        room -= taken + 2
    return room


def fragment_length(tokens: int, room: int, shortest: int) -> int:
    """How many of a document's remaining tokens go into a row with `room` positions left; 0 to begin a new row."""
    if tokens <= room - 2:
        return tokens
    taken = min(room - 2, tokens - shortest)  # what remains must not be too short either
    return taken if taken >= shortest else 0
