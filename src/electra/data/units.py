"""Units of work of prepare: a few MB of text, cut at fixed places, tokenized by any process, kept until all are done.

A portion (see plan.py) is one or more units. Where units are cut depends on the text alone, so a corpus is the same for
any number of processes, machines and kills.
"""

import json
import os
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electra.data.plan import Portion
from electra.data.readers import Reading, SpanReader
from electra.data.report import FileReport

UNIT_FORMAT = 2  # a change of how units are cut or kept gives it a new number
UNIT = 4_000_000  # characters of a unit


@dataclass
class Unit:
    """Some documents of a portion, the first perhaps begun in the unit before and the last going on in the next.

    ends[i] is how many lines stand before the end of document i; reports are of the files, or parts of them, that ended
    within the unit. position: bytes of the portion read so far.
    """

    portion: int
    number: int
    lines: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    reports: list[FileReport] = field(default_factory=list)
    is_last: bool = False
    position: int = 0


def cut_units(portion: Portion, reading: Reading, size: int) -> Iterator[Unit]:
    """The units of a portion, of about `size` characters; the last says so, and may hold nothing."""
    unit, characters, finished = Unit(portion.number, 0), 0, 0
    for span in portion.spans:
        reader = SpanReader(span, reading)
        for piece in reader.pieces():
            if characters >= size:
                unit.position = finished + reader.position
                yield unit
                unit, characters = Unit(portion.number, unit.number + 1), 0
            unit.lines += piece.lines
            characters += sum(map(len, piece.lines))
            if piece.ends_document:
                unit.ends.append(len(unit.lines))
        unit.reports.append(reader.report)
        finished += span.size
    unit.is_last, unit.position = True, finished
    yield unit


@dataclass(frozen=True)
class Tokenized:
    """A unit as kept on disk.

    ids      (tokens,)     uint16 or uint32
    lengths  (lines,)      int64, tokens per line, none 0
    ends     (documents,)  int64, lines before the end of each document
    keys     (documents,)  uint64, a hash of the document, which decides whether it is held out (see document_keys)
    """

    ids: NDArray[Any]
    lengths: NDArray[np.int64]
    ends: NDArray[np.int64]
    keys: NDArray[np.uint64]


def tokenize_unit(unit: Unit, tokenizer: Any, ids_dtype: str) -> Tokenized:
    """Token ids of a unit's lines; lines without tokens are left out."""
    ids, lengths = tokenizer.encode_lines(unit.lines)
    is_kept = lengths > 0
    kept_before = np.concatenate([[0], np.cumsum(is_kept)]).astype(np.int64)
    ends = kept_before[np.array(unit.ends, dtype=np.int64)]
    return Tokenized(ids.astype(ids_dtype), lengths[is_kept], ends, document_keys(unit))


def document_keys(unit: Unit) -> NDArray[np.uint64]:
    """A hash per document that ends in this unit, of its lines in this unit.

    Of the text alone, so equal documents are held out together and a document keeps its side when others are added
    (except beyond a million characters, where the end of the document after the last cut decides).
    """
    keys, begin = [], 0
    for end in unit.ends:
        text = "\n".join(unit.lines[begin:end]).encode("utf-8", "replace")
        keys.append(int.from_bytes(blake2b(text, digest_size=8).digest(), "little"))
        begin = end
    return np.array(keys, dtype=np.uint64)


def unit_path(folder: Path, portion: int, number: int) -> Path:
    """Where a finished unit lies."""
    return folder / f"{portion:07d}-{number:05d}.npz"


def save_unit(path: Path, tokenized: Tokenized, unit: Unit) -> None:
    """Write a finished unit: under another name first, so that a file with the right name is whole."""
    story = {"reports": [asdict(report) for report in unit.reports], "is_last": unit.is_last}
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")  # another machine may be at it too, with the same bytes
    with open(temporary, "wb") as file:
        np.savez(
            file,
            ids=tokenized.ids,
            lengths=tokenized.lengths,
            ends=tokenized.ends,
            keys=tokenized.keys,
            story=np.frombuffer(json.dumps(story).encode(), dtype=np.uint8),
        )
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load_unit(path: Path) -> tuple[Tokenized, dict[str, Any]]:
    """A finished unit and its story. The archive has checksums: damage raises BadZipFile or ValueError."""
    with np.load(path, allow_pickle=False) as held:
        tokenized = Tokenized(*(held[name] for name in ("ids", "lengths", "ends", "keys")))
        return tokenized, json.loads(held["story"].tobytes())


def stored_units(folder: Path, portions: int) -> Iterator[tuple[Tokenized, dict[str, Any]]]:
    """All units of this many finished portions, in the order of the text."""
    for portion in range(portions):
        for number in count():
            tokenized, story = load_unit(unit_path(folder, portion, number))
            yield tokenized, story
            if story["is_last"]:
                break


def is_finished(folder: Path, portion: int) -> bool:
    """Whether all units of a portion are there and whole."""
    for number in count():
        story = whole_story(unit_path(folder, portion, number))
        if story is None or story["is_last"]:
            return story is not None
    return False


def whole_story(path: Path) -> dict[str, Any] | None:
    """The story of a finished unit, None where it is not there. A damaged one is removed, to be made again."""
    if not path.exists():
        return None
    try:
        return load_unit(path)[1]
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError):
        path.unlink(missing_ok=True)
        return None
