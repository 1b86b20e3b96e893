"""The original's example builder: lines of a document collect until they fill a row, then split into segments A and B.

It works on the lengths of lines alone. Every line belongs to exactly one example, and an example's lines are
neighbours, so all examples are two small arrays: where each begins, and which lines are in segment B. Tokens are
gathered when asked for. Source: google-research/electra, build_pretraining_dataset.py, ExampleBuilder.

Unusual here: a short line may still join A after B has begun (then the order is not the text's), overflow is discarded,
and the target counts tokens without [CLS] and [SEP], all as the original does.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from electra.batch import Batch
from electra.data.corpus import Corpus
from electra.data.examples import check_length, check_some, chunks, ranges

ONE_SEGMENT = 0.10  # share of examples without a segment B by choice
COIN = 0.5  # a line that would overrun A still joins it with this probability
SHORT_TARGET = 0.05  # share of examples that aim at a random, shorter length
SHORTEST_TARGET = 5
UNBOUNDED = 1 << 60
DOCUMENTS_AT_ONCE = 100_000  # whose line lengths are Python lists at a time


class Draws(Protocol):
    """Where the builder's chance comes from; tests hand in listed values."""

    def random(self) -> float:
        """A number in [0, 1)."""
        ...

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        ...


class KeyedDraws:
    """Draws that depend on (seed, document number) alone: the SplitMix64 generator, started from a mix of both."""

    def __init__(self, seed: int, document: int) -> None:
        self.state = _mix(_mix(seed & _MASK) ^ document)

    def random(self) -> float:
        """A number in [0, 1) with 53 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        return (_mix(self.state) >> 11) * 2.0**-53

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))


_MASK = (1 << 64) - 1


def _mix(z: int) -> int:
    """SplitMix64's finalizer (Steele, Lea and Flood, 2014)."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def next_target(draws: Draws, max_length: int) -> int:
    """How many tokens the next example aims at: usually all there is room for."""
    if draws.random() < SHORT_TARGET:
        return draws.integer(SHORTEST_TARGET, max_length)
    return max_length


def split_document(
    lengths: Sequence[int], max_length: int, draws: Draws, target: int, starts: list[int], in_second: bytearray
) -> int:
    """Append the examples of one document: their first lines, counted within it, and for every line whether it is in B.

    lengths are tokens per line, all at least 1. Returns the target drawn after the last example.
    """
    first = collected = 0
    for line, length in enumerate(lengths):
        collected += length
        if collected >= target or line == len(lengths) - 1:
            starts.append(first)
            _assign(lengths[first : line + 1], target, draws, in_second)
            target = next_target(draws, max_length)
            first, collected = line + 1, 0
    return target


def _assign(lengths: Sequence[int], target: int, draws: Draws, in_second: bytearray) -> None:
    """Append 0 for every line of segment A and 1 for every line of B."""
    first_target = UNBOUNDED if draws.random() < ONE_SEGMENT else (target - 3) // 2
    first_length, second_begun = 0, False
    for length in lengths:
        joins_first = (
            first_length == 0
            or first_length + length < first_target
            or (not second_begun and first_length < first_target and draws.random() < COIN)
        )
        if joins_first:
            first_length += length
        else:
            second_begun = True
        in_second.append(not joins_first)


@dataclass(frozen=True, eq=False)
class SegmentExamples:
    """Examples [CLS] A [SEP] (B [SEP]) over a corpus.

    starts     (examples + 1,) int64  first line of each example, and the number of lines
    in_second  (lines,) uint8         1 where a line is in segment B
    """

    corpus: Corpus
    max_length: int
    fingerprint: str
    starts: NDArray[np.int64]
    in_second: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self, indices: NDArray[np.int64]) -> Batch:
        """The examples with these numbers, (len(indices), max_length) int32 arrays."""
        indices = np.asarray(indices, dtype=np.int64)
        B, L = len(indices), self.max_length
        special = self.corpus.special_ids
        lines = ranges(self.starts[indices], self.starts[indices + 1] - self.starts[indices])
        row = np.repeat(np.arange(B), self.starts[indices + 1] - self.starts[indices])
        side = self.in_second[lines].astype(np.int64)
        order = np.argsort(row * 2 + side, kind="stable")  # a row's A lines, then its B lines, each in the text's order
        lines, row, side = lines[order], row[order], side[order]
        begin = self.corpus.line_offsets[lines]
        length = self.corpus.line_offsets[lines + 1] - begin

        segment = row * 2 + side
        totals = np.bincount(segment, weights=length, minlength=2 * B).astype(np.int64).reshape(B, 2)
        first = np.minimum(totals[:, 0], L - 2)
        second = np.minimum(totals[:, 1], np.maximum(0, L - first - 3))
        room = np.stack([first, second], axis=1).reshape(-1)  # (2B,) tokens kept of each segment
        before = np.cumsum(length) - length
        # Position of the line within its segment: what came before it, less what came before the segment.
        segment_before = np.cumsum(totals.reshape(-1)) - totals.reshape(-1)
        within = before - segment_before[segment]
        kept = np.clip(room[segment] - within, 0, length)

        column = np.where(side == 0, 1, first[row] + 2) + within
        target = ranges(row * L + column, kept)
        input_ids = np.full((B, L), special["pad"], dtype=np.int32)
        input_ids.reshape(-1)[target] = self.corpus.ids[ranges(begin, kept)]
        input_ids[:, 0] = special["cls"]
        each = np.arange(B)
        input_ids[each, first + 1] = special["sep"]
        has_second = second > 0
        input_ids[each[has_second], (first + second + 2)[has_second]] = special["sep"]

        size = first + 2 + np.where(has_second, second + 1, 0)
        position = np.arange(L)
        mask = position < size[:, None]  # (B, L)
        types = mask & (position >= (first + 2)[:, None])
        return Batch(input_ids=input_ids, attention_mask=mask.astype(np.int32), token_type_ids=types.astype(np.int32))


def build_segments(corpus: Corpus, max_length: int, seed: int) -> SegmentExamples:
    """Split every document of the corpus; the draws of a document depend on (seed, its number) alone.

    About a second per million lines. Raises CorpusError where there is nothing to split.
    """
    check_length(max_length, 5)
    starts: list[NDArray[np.int64]] = []
    in_second = bytearray()
    for document, stop in chunks(len(corpus.document_offsets) - 1, DOCUMENTS_AT_ONCE):
        bounds = corpus.document_offsets[document : stop + 1].tolist()
        lengths = np.diff(corpus.line_offsets[bounds[0] : bounds[-1] + 1]).tolist()
        for number, (begin, end) in enumerate(pairwise(bounds), start=document):
            draws = KeyedDraws(seed, number)
            found: list[int] = []
            target = next_target(draws, max_length)
            split_document(lengths[begin - bounds[0] : end - bounds[0]], max_length, draws, target, found, in_second)
            starts.append(np.array(found, dtype=np.int64) + begin)
    return segment_examples(corpus, max_length, seed, starts, in_second)


def segment_examples(
    corpus: Corpus, max_length: int, seed: int, starts: list[NDArray[np.int64]], in_second: bytearray
) -> SegmentExamples:
    """Examples from the splitter's output, `starts` counted from the beginning of the corpus."""
    check_some(len(in_second), corpus.folder)
    first_lines = np.concatenate([*starts, np.array([len(in_second)], dtype=np.int64)])
    name = f"segments 1 {corpus.fingerprint} {corpus.split} {max_length} {seed}"
    fingerprint = hashlib.sha256(name.encode()).hexdigest()
    return SegmentExamples(corpus, max_length, fingerprint, first_lines, np.frombuffer(in_second, dtype=np.uint8))
