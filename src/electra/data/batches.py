"""Batch number `step` as a pure function: the same arrays for the same arguments, on any machine, after any restart.

An epoch is a permutation of the examples, computed point by point by a small keyed cipher, so nothing is shuffled or
stored.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electra.batch import Batch
from electra.data.examples import Examples, chunks
from electra.errors import CorpusError, UsageError

ROUNDS = 8


def batch(examples: Examples, *, seed: int, step: int, batch_size: int) -> Batch:
    """Batch number `step` (from 0): examples step * batch_size and on, of an endless row of permuted epochs."""
    return examples.rows(example_numbers(len(examples), seed=seed, step=step, batch_size=batch_size))


def batch_maker(examples: Examples, *, seed: int, batch_size: int) -> Callable[[int], Batch]:
    """step -> batch, picklable, for loader.ordered."""
    return partial(_batch_at, examples, seed, batch_size)


def _batch_at(examples: Examples, seed: int, batch_size: int, step: int) -> Batch:
    return batch(examples, seed=seed, step=step, batch_size=batch_size)


def shares(count: int, parts: int) -> list[int]:
    """Where `parts` shares of `count` rows begin, and the last one's end: (parts + 1,); none differs by more than a row."""
    return [number * count // parts for number in range(parts + 1)]


@dataclass(frozen=True)
class DrawsOfRows:
    """Random numbers for rows `start` to `stop` of a batch of `total`.

    They are drawn for the whole batch, so that what a row gets does not depend on who works out the others.
    """

    rng: np.random.Generator
    total: int
    start: int
    stop: int

    def random(self, size: tuple[int, ...], dtype: Any = np.float64) -> NDArray[Any]:
        """Uniform numbers in [0, 1) of shape (stop - start, ...)."""
        return self.rng.random((self.total, *size[1:]), dtype=dtype)[self.start : self.stop]


def evaluation_batches(examples: Examples, batch_size: int) -> Iterator[Batch]:
    """All examples once, in order. The last batch has fewer rows where batch_size does not divide their number."""
    if batch_size < 1:
        raise UsageError(f"batch_size is {batch_size}, expected at least 1")
    for start, stop in chunks(len(examples), batch_size):
        yield examples.rows(np.arange(start, stop))


def example_numbers(count: int, *, seed: int, step: int, batch_size: int) -> NDArray[np.int64]:
    """Which of `count` examples batch `step` holds, (batch_size,). A batch may span the end of an epoch."""
    if count < 1:
        raise CorpusError("there are no examples to make a batch of")
    if batch_size < 1 or step < 0:
        raise UsageError(f"batch_size is {batch_size} and step {step}, expected at least 1 and 0")
    positions = np.arange(step * batch_size, (step + 1) * batch_size, dtype=np.int64)
    epochs = positions // count
    numbers = np.empty(batch_size, dtype=np.int64)
    for epoch in np.unique(epochs).tolist():
        inside = epochs == epoch
        numbers[inside] = permuted(positions[inside] % count, count, seed=seed, epoch=epoch)
    return numbers


def permuted(positions: NDArray[np.int64], count: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Where the permutation of range(count) that belongs to (seed, epoch) sends each position.

    A Feistel network permutes the next power of four; whoever lands outside of range(count) goes on until inside.
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    keys = np.random.SeedSequence([seed & _MASK, epoch]).generate_state(ROUNDS, np.uint64).astype(np.uint64)
    values = _cipher(positions.astype(np.uint64), half, keys)
    while (outside := values >= np.uint64(count)).any():
        values[outside] = _cipher(values[outside], half, keys)
    return values.astype(np.int64)


_MASK = (1 << 64) - 1


def _cipher(values: NDArray[np.uint64], half: int, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of the numbers of 2 * half bits."""
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> shift, values & mask
    for key in keys:
        left, right = right, left ^ (_scramble(right ^ key) & mask)
    return (left << shift) | right


def _scramble(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer (Steele, Lea and Flood, 2014); products wrap around."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
