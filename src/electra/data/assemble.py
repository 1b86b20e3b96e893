"""Finished units to a corpus folder: documents are dealt to train and validation, files are written front to back.

Memory is a unit at a time, whatever the size of the corpus: the units are read twice.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electra.data.corpus import DESCRIPTION, FORMAT, PARTS, SPLITS
from electra.data.held_out import Choice, HeldOut
from electra.data.readers import Reading, too_many_bad
from electra.data.report import FileReport
from electra.data.units import Tokenized, stored_units


def assemble(
    units: Path,
    portions: int,
    folder: Path,
    *,
    reading: Reading,
    held_out: float,
    ids_dtype: str,
    settings: dict[str, Any],
    tokenizer: dict[str, Any],
) -> dict[str, Any]:
    """Write splits and corpus.json of so many finished portions into the empty `folder`; returns what corpus.json says.

    settings and tokenizer go into corpus.json as they are. Raises CorpusError where a file that several processes read
    has more bad records than allowed.
    """
    survey = _survey(units, portions, reading, held_out)
    splits = [_Split(folder / name, np.dtype(ids_dtype)) for name in SPLITS]
    carried = document = 0
    for unit, (tokenized, _) in enumerate(stored_units(units, portions)):
        lines, after = lines_of_documents(tokenized, carried)
        sides = survey.rule.sides(tokenized.keys, lines > 0, document)
        _deal(tokenized, np.append(sides, survey.open_ends.get(unit, -1)), splits)
        document, carried = document + len(sides), after
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
        "problems": survey.problems,
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


@dataclass(frozen=True)
class _Survey:
    """What has to be known before the first document is dealt.

    open_ends: the side of the document that goes on after a unit, by the unit's place; problems: of all files.
    """

    rule: HeldOut
    open_ends: dict[int, int]
    problems: list[dict[str, Any]]


def _survey(units: Path, portions: int, reading: Reading, held_out: float) -> _Survey:
    choice = Choice(held_out)
    open_ends: list[tuple[range, int, Any]] = []  # units, and number and key of the document that goes on after them
    problems: list[dict[str, Any]] = []
    report: FileReport | None = None
    carried, begun = 0, 0  # lines of a document that is not finished, and the unit after which it first went on
    for unit, (tokenized, story) in enumerate(stored_units(units, portions)):
        lines, after = lines_of_documents(tokenized, carried)
        if carried and len(lines):
            open_ends.append((range(begun, unit), choice.seen, tokenized.keys[:1]))
        choice.add(tokenized.keys, lines > 0)
        if after and (len(lines) or not carried):
            begun = unit
        carried = after
        for held in story["reports"]:
            part = FileReport(**held)
            if report is not None and report.path == part.path:
                report.add(part)
            else:
                problems += _checked(report, reading)
                report = part
    problems += _checked(report, reading)
    rule = choice.rule()
    sides = {
        unit: int(rule.sides(key, np.ones(1, bool), number)[0]) for some, number, key in open_ends for unit in some
    }
    return _Survey(rule, sides, problems)


def lines_of_documents(tokenized: Tokenized, carried: int) -> tuple[NDArray[np.int64], int]:
    """Lines of each document that ends in a unit, and of the one that goes on; `carried` came with earlier units."""
    lines = np.diff(tokenized.ends, prepend=0)
    left = len(tokenized.lengths) - (int(tokenized.ends[-1]) if len(lines) else 0)
    if not len(lines):
        return lines, carried + left
    lines[0] += carried
    return lines, left


def _checked(report: FileReport | None, reading: Reading) -> list[dict[str, Any]]:
    """The problems of a file, none or one. Its parts may have been read by many: only here all bad records are known."""
    if report is None:
        return []
    if report.bad_record_count > reading.max_bad_records:
        last = report.place(*report.bad_records[min(reading.max_bad_records, len(report.bad_records) - 1)])
        raise too_many_bad(last, report.bad_record_count, reading)
    found = report.problems()
    return [found] if found else []


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


def _deal(tokenized: Tokenized, sides: NDArray[np.int8], splits: list[_Split]) -> None:
    """Append a unit's documents to their splits.

    sides  (documents + 1,) int8  the split of each, and of the one that goes on; -1 where a document has no lines
    """
    owner = np.searchsorted(tokenized.ends, np.arange(len(tokenized.lengths)), side="right")
    side_of_line = sides[owner]
    for side, split in enumerate(splits):
        chosen = side_of_line == side
        lines_before = np.concatenate([[0], np.cumsum(chosen)])
        ids = tokenized.ids if chosen.all() else tokenized.ids[np.repeat(chosen, tokenized.lengths)]
        split.add(ids, tokenized.lengths[chosen], lines_before[tokenized.ends][sides[:-1] == side])
