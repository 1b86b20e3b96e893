"""A prepared corpus: a folder of token ids with the bounds of lines and documents, mapped into memory.

FOLDER/corpus.json               what it is: counts, special ids, settings, problems of the sources, sizes and checksums
FOLDER/tokenizer/                the tokenizer that made the ids
FOLDER/train/ids.bin             (tokens,) uint16, or uint32 where the vocabulary needs it
FOLDER/train/lines.bin           (lines + 1,) int64, bounds of lines in ids
FOLDER/train/documents.bin       (documents + 1,) int64, bounds of documents in lines
FOLDER/validation/...            the same for the documents held out
All numbers are little-endian. A line is one "sentence" of the original, without [CLS] or [SEP]; none is empty.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electra.errors import CorpusError

FORMAT = 1
DESCRIPTION = "corpus.json"
SPLITS = ("train", "validation")
PARTS = {"ids": "tokens", "lines": "lines", "documents": "documents"}  # file -> what is counted; bounds have one more
SPECIAL = ("pad", "unk", "cls", "sep", "mask")
KEYS = {"fingerprint", "ids_dtype", "tokenizer", "splits", "files", "settings", "problems"}
AGAIN = "prepare the corpus again (electra prepare) or restore the folder"


@dataclass(frozen=True, eq=False)
class Corpus:
    """One split of a prepared corpus. Pickles as its address, so worker processes map the same files.

    ids               (tokens,) uint16 or uint32
    line_offsets      (lines + 1,) int64, into ids
    document_offsets  (documents + 1,) int64, into lines
    """

    folder: Path
    split: str
    ids: NDArray[Any]
    line_offsets: NDArray[np.int64]
    document_offsets: NDArray[np.int64]
    description: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path, split: str = "train") -> "Corpus":
        """Map one split. Raises CorpusError, naming the file, where something is missing, cut short or inconsistent."""
        folder = Path(folder)
        description = read_description(folder)
        if split not in SPLITS:
            raise CorpusError(f'a corpus has the splits {" and ".join(SPLITS)}, not "{split}"')
        if not description["splits"][split]["documents"]:
            hint = "it was prepared with held_out=0, or has one document" if split == "validation" else AGAIN
            raise CorpusError(f"{folder} has no {split} documents: {hint}")
        ids, line_offsets, document_offsets = (_map(folder, split, part, description) for part in PARTS)
        corpus = cls(folder, split, ids, line_offsets, document_offsets, description)
        corpus._check_bounds()
        return corpus

    def __reduce__(self) -> tuple[Any, ...]:
        return Corpus.open, (self.folder, self.split)

    @property
    def fingerprint(self) -> str:
        """sha256 over the ids and bounds of both splits, the tokenizer and the special ids."""
        return str(self.description["fingerprint"])

    @property
    def tokenizer_fingerprint(self) -> str:
        """What the tokenizer that made this corpus answers to fingerprint()."""
        return str(self.description["tokenizer"]["fingerprint"])

    @property
    def vocab_size(self) -> int:
        """How many ids the tokenizer has; every id is below."""
        return int(self.description["tokenizer"]["vocab_size"])

    @property
    def special_ids(self) -> dict[str, int]:
        """Ids of pad, unk, cls, sep and mask."""
        return dict(self.description["tokenizer"]["special_ids"])

    @property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer is saved."""
        return self.folder / "tokenizer"

    @property
    def documents(self) -> int:
        """How many documents this split has."""
        return len(self.document_offsets) - 1

    @property
    def lines(self) -> int:
        """How many lines this split has."""
        return len(self.line_offsets) - 1

    @property
    def tokens(self) -> int:
        """How many tokens this split has."""
        return len(self.ids)

    def _check_bounds(self) -> None:
        """The ends of the bounds agree with each other: cheap, and finds files of different corpora mixed."""
        for part, bounds, last in (
            ("lines", self.line_offsets, self.tokens),
            ("documents", self.document_offsets, self.lines),
        ):
            if bounds[0] != 0 or bounds[-1] != last:
                path = part_path(self.folder, self.split, part)
                raise CorpusError(f"{path} runs from {bounds[0]} to {bounds[-1]}, expected 0 to {last}; {AGAIN}")

    def verify(self, splits: Sequence[str] | None = None) -> None:
        """Read all of the split, or of these, and compare checksums. Raises CorpusError, naming the file that is damaged."""
        for split in (self.split,) if splits is None else splits:
            for part in PARTS:
                path, name = part_path(self.folder, split, part), f"{split}/{part}.bin"
                expected = self.description["files"][name]["sha256"]
                try:
                    with open(path, "rb") as file:
                        found = hashlib.file_digest(file, "sha256").hexdigest()
                except OSError as error:
                    raise CorpusError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from None
                if found != expected:
                    told = f"its sha256 is {found}, {DESCRIPTION} says {expected}"
                    raise CorpusError(f"{path} is damaged: {told}; {AGAIN}")


def part_path(folder: Path, split: str, part: str) -> Path:
    """The file of one part of a split."""
    return folder / split / f"{part}.bin"


def dtype_of(part: str, description: dict[str, Any]) -> np.dtype[Any]:
    """How numbers of a part are stored."""
    return np.dtype(description["ids_dtype"] if part == "ids" else "<i8")


def read_description(folder: Path) -> dict[str, Any]:
    """corpus.json, checked to be one of ours."""
    path = folder / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CorpusError(
            f"{folder} is not a prepared corpus: it has no {DESCRIPTION}; make one with electra prepare"
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CorpusError(f"{path} is not JSON ({error}); {AGAIN}") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        found = description.get("format") if isinstance(description, dict) else None
        raise CorpusError(f"{path} has format {found}, expected {FORMAT}; {AGAIN}")
    missing = KEYS - description.keys()
    if missing:
        raise CorpusError(f"{path} lacks {', '.join(sorted(missing))}; {AGAIN}")
    if not _is_whole(description):
        raise CorpusError(f"{path} is damaged: what it says of its parts is not what electra prepare writes; {AGAIN}")
    return description


def _is_whole(description: dict[str, Any]) -> bool:
    """Whether what the parts are opened by has the right types."""

    def counts(values: Any, names: Iterable[str]) -> bool:
        return isinstance(values, dict) and all(type(values.get(name)) is int and values[name] >= 0 for name in names)

    tokenizer, splits, files = (description[key] for key in ("tokenizer", "splits", "files"))
    return (
        description["ids_dtype"] in ("<u2", "<u4")
        and counts(tokenizer, ["vocab_size"])
        and counts(special := tokenizer.get("special_ids"), SPECIAL)
        and all(special[name] < tokenizer["vocab_size"] for name in SPECIAL)
        and isinstance(splits, dict)
        and all(counts(splits.get(split), ["documents", *PARTS.values()]) for split in SPLITS)
        and isinstance(files, dict)
        and all(
            isinstance(files.get(f"{split}/{part}.bin"), dict) and "sha256" in files[f"{split}/{part}.bin"]
            for split in SPLITS
            for part in PARTS
        )
    )


def _map(folder: Path, split: str, part: str, description: dict[str, Any]) -> NDArray[Any]:
    path, dtype = part_path(folder, split, part), dtype_of(part, description)
    count = description["splits"][split][PARTS[part]] + (part != "ids")
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise CorpusError(f"{path} is missing; {AGAIN}") from None
    if found != count * dtype.itemsize:
        raise CorpusError(f"{path} has {found} bytes, expected {count * dtype.itemsize} ({count} numbers); {AGAIN}")
    return np.memmap(path, dtype=dtype, mode="r")
