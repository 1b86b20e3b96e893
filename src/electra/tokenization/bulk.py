"""Many lines to ids, fast: text is cut into units that never influence each other, and each unit is looked up.

Ordinary text repeats itself: most units were met before, and a dictionary is far quicker than tokenizing again. A unit
is one ASCII punctuation mark, or whatever stands between white space and such marks. Both always end a word, whatever
the normalisation, so the ids of a line are those of its units in a row. New units go to the `tokenizers` package.
Where there is a C compiler, compiled.py does the same many times as fast.
"""

import re
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer as Backend

from electra.tokenization.long_words import in_parts, shorten_words
from electra.tokenization.wordpiece import replace_surrogates

Ids = np.ndarray[Any, np.dtype[np.int32]]
Lengths = np.ndarray[Any, np.dtype[np.int64]]

UNIT = re.compile(r"[!-/:-@\[-`{-~]|[^ \t\n\r!-/:-@\[-`{-~]+")
LINE = re.compile(r".+", re.DOTALL)  # the unit where tokens were added that may hold white space or marks
BLOCK = 1 << 20  # characters handled at a time: bounds memory
MOST_UNITS = 500_000  # remembered; then the dictionary starts anew
MOST_CHARACTERS = 50_000_000  # of the units remembered


class LineEncoder:
    """A backend with a memory of the units it has met.

    unit        what never influences what is beside it
    block       characters handled at a time
    most_units  units remembered, about; both bound memory and change no answer
    """

    def __init__(
        self,
        backend: Backend,
        *,
        unit: re.Pattern[str] = UNIT,
        block: int = BLOCK,
        most_units: int = MOST_UNITS,
    ) -> None:
        self._backend = backend
        self._unit = unit
        self._block = block
        self._most_units = most_units
        self._forget()

    def _forget(self) -> None:
        self._numbers: dict[str, int] = {}  # unit -> its number
        self._ids = array("i")  # the ids of all units, one after another
        self._characters = 0
        self._ends = array("q", [0])  # where those of unit n end, at n + 1

    def encode(self, lines: Sequence[str]) -> tuple[Ids, Lengths]:
        """The ids of the lines, one after another, and how many each line has.

        Returns ids (sum of lengths,) int32 and lengths (len(lines),) int64.
        """
        ids: list[Ids] = [np.empty(0, np.int32)]
        lengths = np.zeros(len(lines), np.int64)
        for units, owners, counts in self._blocks(lines):
            block, sizes = self._look_up(units)
            ids.append(block)
            ends = np.concatenate([[0], np.cumsum(sizes)])[np.concatenate([[0], np.cumsum(counts)])]
            np.add.at(lengths, owners, np.diff(ends))
        return np.concatenate(ids), lengths

    def _blocks(self, lines: Sequence[str]) -> Iterator[tuple[list[str], list[int], list[int]]]:
        """Units of about one block of text, with the line each part of them belongs to and how many it has."""
        units: list[str] = []
        owners: list[int] = []
        counts: list[int] = []
        size = 0
        for number, line in enumerate(lines):
            for part in in_parts(shorten_words(replace_surrogates(line), self._backend)):
                found = self._unit.findall(part)
                units += found
                owners.append(number)
                counts.append(len(found))
                size += len(part)
                if size >= self._block:
                    yield units, owners, counts
                    units, owners, counts, size = [], [], [], 0
        if owners:
            yield units, owners, counts

    def _look_up(self, units: list[str]) -> tuple[Ids, Lengths]:
        """The ids of units in a row, and how many each unit has."""
        self._learn(units)
        numbers = np.fromiter(map(self._numbers.__getitem__, units), np.int64, len(units))
        ends = np.frombuffer(self._ends, np.int64)
        starts = ends[numbers]
        sizes = ends[numbers + 1] - starts
        # Position i of the answer is the (i - first position of its unit)-th id of that unit.
        shifts = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
        if not len(shifts):
            return np.empty(0, np.int32), sizes
        return np.frombuffer(self._ids, np.int32)[np.arange(len(shifts)) + shifts], sizes

    def _learn(self, units: list[str]) -> None:
        """Number the units that are new. Forgetting happens between blocks, so that a block finds all of its units."""
        if len(self._numbers) > self._most_units or self._characters > MOST_CHARACTERS:
            self._forget()
        new = list(set(units).difference(self._numbers))
        encode = getattr(self._backend, "encode_batch_fast", self._backend.encode_batch)  # faster: keeps no offsets
        for unit, encoded in zip(new, encode(new, add_special_tokens=False), strict=True):
            self._ids.extend(encoded.ids)
            self._numbers[unit] = len(self._ends) - 1
            self._ends.append(len(self._ids))
            self._characters += len(unit)
