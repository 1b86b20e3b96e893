"""Which texts are equal or nearly equal, between splits and within one.

Equal: the same words in the same order, whatever their case, spaces and punctuation. Nearly equal: most runs of three words
are common to both, found by MinHash (Broder, 1997), so that the time grows with the number of texts and not with its square.
"""

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

NEAR = 0.8  # share of the runs of three words of two texts that both have (Jaccard)
RUN = 3  # words
MIN_WORDS = 8  # below, one other word already changes most runs
BANDS, ROWS = 8, 4  # of the signature; texts that share NEAR of their runs meet in a band with probability 0.985
BUCKET = 20  # candidates of one band that are looked at
NOT_WORD = re.compile(r"[\W_]+")


def normal(text: str) -> str:
    """The words of a text in lower case with a space between; the text itself where it has no words (":-)")."""
    return NOT_WORD.sub(" ", text.casefold()).strip() or text.strip()


def key(sides: Iterable[str]) -> str:
    """What equal examples have in common: all their texts, normalised."""
    return "\n".join(normal(side) for side in sides)


def near_pairs(known: Sequence[str], asked: Sequence[str]) -> list[tuple[int, int]]:
    """(number in asked, number in known) of normalised texts that nearly equal one another, the first found for each.

    Texts that are equal, or shorter than MIN_WORDS, are left out.
    """
    known_runs, asked_runs = _runs(known), _runs(asked)
    if not known_runs or not asked_runs:
        return []
    buckets: list[dict[bytes, list[int]]] = [defaultdict(list) for _ in range(BANDS)]
    for number, signature in zip(known_runs, _signatures(list(known_runs.values())), strict=True):
        for bucket, band in zip(buckets, _bands(signature), strict=True):
            if len(bucket[band]) < BUCKET:
                bucket[band].append(number)
    found = []
    for number, signature in zip(asked_runs, _signatures(list(asked_runs.values())), strict=True):
        candidates = {
            other for bucket, band in zip(buckets, _bands(signature), strict=True) for other in bucket.get(band, ())
        }
        for other in sorted(candidates):
            if asked[number] != known[other] and _common(asked_runs[number], known_runs[other]) >= NEAR:
                found.append((number, other))
                break
    return found


class _Hashes(dict[str, int]):
    """The hash of a word, computed once."""

    def __missing__(self, word: str) -> int:
        self[word] = zlib.crc32(word.encode("utf-8", "replace"))
        return self[word]


def _runs(texts: Sequence[str]) -> dict[int, Array]:
    """The hashed runs of RUN words of each text that is long enough, (runs,) uint64 below 2**32."""
    runs, hash_of = {}, _Hashes()
    for number, text in enumerate(texts):
        words = text.split()
        if len(words) >= MIN_WORDS:
            hashes = np.array([hash_of[word] for word in words], np.uint64)
            mixed = hashes[:-2] * np.uint64(0x9E3779B1) + hashes[1:-1] * np.uint64(0x85EBCA77) + hashes[2:]
            runs[number] = (mixed * np.uint64(0xC2B2AE3D27D4EB4F)) >> np.uint64(32)
    return runs


def _signatures(runs: Sequence[Array]) -> Array:
    """(texts, BANDS * ROWS) uint32: the least value of the runs under so many fixed hash functions."""
    starts = np.concatenate([[0], np.cumsum([len(row) for row in runs])[:-1]])
    every = np.concatenate(runs)
    rng = np.random.default_rng(0)
    out = np.empty((len(runs), BANDS * ROWS), np.uint32)
    for column in range(BANDS * ROWS):
        factor, addend = rng.integers(1, 1 << 63, 2, dtype=np.uint64) | np.uint64(1)
        out[:, column] = np.minimum.reduceat((every * factor + addend) >> np.uint64(32), starts)
    return out


def _bands(signature: Array) -> list[bytes]:
    return [part.tobytes() for part in signature.reshape(BANDS, ROWS)]


def _common(one: Array, other: Array) -> float:
    first, second = set(one.tolist()), set(other.tolist())
    return len(first & second) / len(first | second)
