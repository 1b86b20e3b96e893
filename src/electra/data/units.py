"""Units of work of prepare: a few MB of text, cut at fixed places, tokenized by any process, kept until all are done.

Where units are cut depends on the text alone, so a corpus is the same for any number of processes and any number of
kills.
"""

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electra.data.readers import Reading, SourceReader
from electra.data.sources import FileReport, Source

UNIT_FORMAT = 1  # a change of how units are cut or kept gives it a new number
UNIT = 4_000_000  # characters of a unit


@dataclass
class Unit:
    """Some documents of a corpus, the first perhaps begun in the unit before and the last going on in the next.

    ends[i] is how many lines stand before the end of document i; reports are of the files that ended within the unit.
    next_source is the file to read next where the unit ends with a file, else -1. position: bytes on disk read so far.
    """

    number: int
    lines: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    reports: list[FileReport] = field(default_factory=list)
    next_source: int = -1
    position: int = 0


def cut_units(sources: list[Source], reading: Reading, *, number: int = 0, source: int = 0) -> Iterator[Unit]:
    """Units from file number `source` on; the first gets `number`."""
    unit, characters = Unit(number), 0
    finished = sum(one.size for one in sources[:source])
    for index in range(source, len(sources)):
        reader = SourceReader(sources[index], reading)
        for piece in reader.pieces():
            if characters >= UNIT:
                unit.position = finished + reader.position
                yield unit
                unit, characters = Unit(unit.number + 1), 0
            unit.lines += piece.lines
            characters += sum(map(len, piece.lines))
            if piece.ends_document:
                unit.ends.append(len(unit.lines))
        unit.reports.append(reader.report)
        finished += sources[index].size
        # A large file ends its unit, so that after a kill the files already done need not be read again.
        if characters >= UNIT // 4 or index == len(sources) - 1:
            unit.next_source, unit.position = index + 1, finished
            yield unit
            unit, characters = Unit(unit.number + 1), 0


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


def unit_path(folder: Path, number: int) -> Path:
    """Where a finished unit lies."""
    return folder / f"{number:08d}.npz"


def save_unit(path: Path, tokenized: Tokenized, unit: Unit) -> None:
    """Write a finished unit: under another name first, so that a file with the right name is whole."""
    story = {
        "reports": [asdict(report) for report in unit.reports],
        "next_source": unit.next_source,
    }
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
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


def finished_prefix(folder: Path) -> tuple[int, int]:
    """(number of the next unit, number of the file it begins with) after the finished units that end with a file.

    Units beyond may be finished too; they are found by their name.
    """
    number, resume = 0, (0, 0)
    while (story := whole_story(unit_path(folder, number))) is not None:
        number += 1
        if story["next_source"] >= 0:
            resume = (number, story["next_source"])
    return resume


def whole_story(path: Path) -> dict[str, Any] | None:
    """The story of a finished unit, None where it is not there. A damaged one is removed, to be made again."""
    if not path.exists():
        return None
    try:
        return load_unit(path)[1]
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError):
        path.unlink(missing_ok=True)
        return None
