"""The batch of update t of a run, masked: the same for the same corpus, settings and t, on any number of processes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from electra.batch import Batch, Masked, map_arrays
from electra.data.batches import DrawsOfRows, example_numbers, shares
from electra.data.corpus import Corpus
from electra.data.examples import Examples, chunks
from electra.data.packed import build_packed
from electra.data.segments import build_segments
from electra.objective import Draws, mask_tokens
from electra.training.backend import Part
from electra.training.divergence import Jumps, batch_number
from electra.training.settings import PretrainSettings

BUILDERS: dict[str, Callable[[Corpus, int, int], Any]] = {"segments": build_segments, "packed": build_packed}
TRAIN, HELD_OUT = 0, 1  # streams of random numbers


@dataclass(frozen=True)
class Steps:
    """Makes the parts of the batch of update t that process `rank` of `size` works out: its rows, in settings.accumulate parts.

    Which examples a batch has, and what is masked in them, does not depend on the number of processes or parts.
    """

    corpus: Path
    split: str
    settings: PretrainSettings
    rank: int = 0
    size: int = 1
    jumps: Jumps = ()  # over batches that are skipped

    def __call__(self, step: int) -> list[Part]:
        step = batch_number(step, self.jumps)
        corpus, examples = open_examples(self.corpus, self.split, self.settings)
        seed, total, parts = self.settings.seed, self.settings.batch_size, self.settings.accumulate
        cuts = shares(total, self.size * parts)[self.rank * parts : (self.rank + 1) * parts + 1]
        numbers = example_numbers(len(examples), seed=seed, step=step, batch_size=total)
        rows = examples.rows(numbers[cuts[0] : cuts[-1]])
        draws = DrawsOfRows(np.random.default_rng([seed, TRAIN, step]), total, cuts[0], cuts[-1])
        masked = self._masked(rows, corpus, draws, progress=step / max(1, self.settings.steps - 1))
        return [_cut(rows, masked, start - cuts[0], stop - cuts[0]) for start, stop in pairwise(cuts)]

    def _masked(self, rows: Batch, corpus: Corpus, rng: Draws, progress: float) -> Masked:
        return mask_tokens(
            rows, settings=self.settings, special_ids=corpus.special_ids, vocab_size=corpus.vocab_size, rng=rng,
            progress=progress,
        )  # fmt: skip

    def rows(self, step: int) -> list[int]:
        """Which examples batch t has."""
        _, examples = open_examples(self.corpus, self.split, self.settings)
        numbers = example_numbers(
            len(examples), seed=self.settings.seed, step=step, batch_size=self.settings.batch_size
        )
        return [int(number) for number in numbers]

    def held_out(self) -> list[Part]:
        """The first `eval_rows` rows of held-out text, all of them in any process.

        They are masked the same way at every evaluation, and sampled as at the end.
        """
        corpus, examples = open_examples(self.corpus, "validation", self.settings)
        rng = np.random.default_rng([self.settings.seed, HELD_OUT])
        total, found = self.settings.batch_size, []
        for start, stop in chunks(min(len(examples), self.settings.eval_rows), total):
            rows = examples.rows(np.arange(start, stop))
            masked = self._masked(rows, corpus, rng, progress=1.0)
            sizes = chunks(stop - start, total // (self.size * self.settings.accumulate))
            found += [_cut(rows, masked, *place) for place in sizes]
        return found


@lru_cache(maxsize=4)
def _opened(folder: Path, split: str, builder: str, max_length: int, seed: int) -> tuple[Corpus, Examples]:
    corpus = Corpus.open(folder, split)
    return corpus, BUILDERS[builder](corpus, max_length, seed)


def open_examples(folder: Path, split: str, settings: PretrainSettings) -> tuple[Corpus, Examples]:
    """A prepared corpus and the examples that the settings make of it."""
    return _opened(folder, split, settings.examples, settings.max_length, settings.seed)


def _cut(rows: Batch, masked: Masked, start: int, stop: int) -> Part:
    return map_arrays(rows, lambda array: array[start:stop]), map_arrays(masked, lambda array: array[start:stop])
