"""Finished units to a corpus folder: documents are dealt to train and validation, files are written front to back.

Memory is a unit at a time plus one number per document.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electra.data.corpus import DESCRIPTION, FORMAT, PARTS, SPLITS
from electra.data.sources import FileReport
from electra.data.units import Tokenized, load_unit, unit_path


def assemble(
    units: Path,
    count: int,
    folder: Path,
    *,
    held_out: float,
    ids_dtype: str,
    settings: dict[str, Any],
    tokenizer: dict[str, Any],
) -> dict[str, Any]:
    """Write splits and corpus.json of `count` units into the empty `folder`; returns what corpus.json says.

    settings and tokenizer go into corpus.json as they are.
    """
    sides, reports = _survey(units, count, held_out)
    splits = [_Split(folder / name, np.dtype(ids_dtype)) for name in SPLITS]
    document = 0
    for number in range(count):
        document = _deal(load_unit(unit_path(units, number))[0], sides, document, splits)
    files: dict[str, Any] = {}
    counts: dict[str, dict[str, int]] = {}
    for name, split in zip(SPLITS, splits, strict=True):
        counts[name], found = split.close()
        files |= {f"{name}/{part}.bin": entry for part, entry in found.items()}
    description = {
        "format": FORMAT,
        "fingerprint": _fingerprint(files, tokenizer),
        "ids_dtype": ids_dtype,
        "tokenizer": tokenizer,
        "splits": counts,
        "files": files,
        "settings": settings,
        "problems": [found for report in reports if (found := report.problems())],
    }
    write_json(folder / DESCRIPTION, description)
    return description


def write_json(path: Path, value: Any) -> None:
    """Write JSON and make sure that it is on disk."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _fingerprint(files: dict[str, Any], tokenizer: dict[str, Any]) -> str:
    held = json.dumps([FORMAT, files, tokenizer["fingerprint"], tokenizer["special_ids"]], sort_keys=True)
    return hashlib.sha256(held.encode()).hexdigest()


def _survey(units: Path, count: int, held_out: float) -> tuple[NDArray[np.int8], list[FileReport]]:
    """The split of every document (-1 for those without tokens), and the reports of all files."""
    keys: list[NDArray[np.uint64]] = []
    sizes: list[NDArray[np.int64]] = []
    reports: list[FileReport] = []
    carried = 0  # lines of a document that began in an earlier unit
    for number in range(count):
        tokenized, story = load_unit(unit_path(units, number))
        lines = np.diff(tokenized.ends, prepend=0)
        if len(lines):
            lines[0] += carried
            carried = 0
        carried += len(tokenized.lengths) - (int(tokenized.ends[-1]) if len(tokenized.ends) else 0)
        keys.append(tokenized.keys)
        sizes.append(lines)
        reports += [FileReport(**report) for report in story["reports"]]
    has_lines = np.concatenate([*sizes, np.empty(0, np.int64)]) > 0
    is_held_out = choose_held_out(np.concatenate(keys), has_lines, held_out)
    return np.where(has_lines, is_held_out, -1).astype(np.int8), reports


def no_usable_lines(description: dict[str, Any]) -> str:
    """The message about a corpus that is empty, with what is wrong with its files."""
    problems, count = description["problems"], len(description["settings"]["sources"])
    damages = [found["damage"] for found in problems if "damage" in found]
    empty = sum("empty" in found and "damage" not in found for found in problems)
    parts = [f"{count} file{'s' * (count != 1)}"]
    parts += [f"{empty} empty"] * bool(empty)
    parts += [f"1 {damage}" for damage in damages[:3]] + [f"{len(damages) - 3} more damaged"] * (len(damages) > 3)
    named = ", ".join(found["path"] for found in problems[:5]) + ", ..." * (len(problems) > 5)
    return f"corpus has 0 usable lines ({', '.join(parts)})" + (f": {named}" if named else "")


def choose_held_out(keys: NDArray[np.uint64], has_lines: NDArray[np.bool_], held_out: float) -> NDArray[np.bool_]:
    """Documents whose key is in the first `held_out` share of all keys.

    Of several documents at least one is held out (where held_out is not 0) and at least one is not.
    """
    numbers = np.flatnonzero(has_lines)
    chosen = np.zeros(len(keys), dtype=bool)
    if not held_out or len(numbers) < 2:
        return chosen
    chosen[numbers] = keys[numbers] < np.uint64(min(int(held_out * 2.0**64), 2**64 - 1))
    if not chosen.any():
        chosen[numbers[np.argmin(keys[numbers])]] = True
    if chosen[numbers].all():
        chosen[numbers[np.argmax(keys[numbers])]] = False
    return chosen


class _Split:
    """The three files of one split, written from front to back, with their counts and checksums."""

    def __init__(self, folder: Path, dtype: np.dtype[Any]) -> None:
        folder.mkdir()
        self.dtype = dtype
        self.files = {part: open(folder / f"{part}.bin", "wb") for part in PARTS}  # noqa: SIM115 - closed by close()
        self.hashes = {part: hashlib.sha256() for part in PARTS}
        self.counts = dict.fromkeys(PARTS, 0)
        for part in ("lines", "documents"):
            self._write(part, np.zeros(1, dtype="<i8"))

    def _write(self, part: str, numbers: NDArray[Any]) -> None:
        data = numbers.tobytes()
        self.files[part].write(data)
        self.hashes[part].update(data)

    def add(self, ids: NDArray[Any], lengths: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        """Append lines and their tokens; `ends` are lines (of these) before the end of each document that ends here."""
        self._write("ids", ids.astype(self.dtype, copy=False))
        self._write("lines", (np.cumsum(lengths) + self.counts["ids"]).astype("<i8"))
        self._write("documents", (ends + self.counts["lines"]).astype("<i8"))
        for part, array in (("ids", ids), ("lines", lengths), ("documents", ends)):
            self.counts[part] += len(array)

    def close(self) -> tuple[dict[str, int], dict[str, Any]]:
        """Counts by what is counted, and size and checksum by part."""
        found = {}
        for part, file in self.files.items():
            file.flush()
            os.fsync(file.fileno())
            found[part] = {"bytes": file.tell(), "sha256": self.hashes[part].hexdigest()}
            file.close()
        return {counted: self.counts[part] for part, counted in PARTS.items()}, found


def _deal(tokenized: Tokenized, sides: NDArray[np.int8], document: int, splits: list[_Split]) -> int:
    """Append a unit's documents to their splits; returns the number of the next document.

    sides  (documents,) int8  of the whole corpus: the split of each, -1 where a document has no tokens
    """
    ended = sides[document : document + len(tokenized.ends)]
    owner = document + np.searchsorted(tokenized.ends, np.arange(len(tokenized.lengths)), side="right")
    side_of_line = sides[owner]
    for side, split in enumerate(splits):
        chosen = side_of_line == side
        lines_before = np.concatenate([[0], np.cumsum(chosen)])
        ids = tokenized.ids if chosen.all() else tokenized.ids[np.repeat(chosen, tokenized.lengths)]
        split.add(ids, tokenized.lengths[chosen], lines_before[tokenized.ends][ended == side])
    return document + len(ended)
