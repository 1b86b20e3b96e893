"""The text that benchmarks work on: what `make demo` learns from, or files of your own; lines, a vocabulary, a corpus.

All is made once and kept in runs/bench, in a folder for each set of files.
"""

import hashlib
import json
import lzma
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "runs" / "bench"
LONGEST = 128  # tokens of a row
ELECTRA = str(Path(sys.executable).with_name("electra"))


def files_of(given: Sequence[str]) -> list[Path]:
    """The files given; without any, the prose that this installation brings."""
    if given:
        return [Path(path) for path in given]
    target = FOLDER / "text"
    if not target.is_dir():
        stage = FOLDER / "text.part"
        _run([sys.executable, "-W", "ignore", str(ROOT / "examples/demo/collect_text.py"), str(stage)])
        stage.rename(target)
    return sorted(target.glob("*.txt"))


def lines_of(files: Sequence[Path], most_bytes: int | None = None) -> list[str]:
    """The lines of the files, in order, as many as make `most_bytes` of UTF-8."""
    from electra.data.readers import read_documents

    lines: list[str] = []
    size = 0
    for document in read_documents([str(path) for path in files]):
        for line in document:
            size += len(line.encode()) + 1
            if most_bytes is not None and size > most_bytes:
                return lines
            lines.append(line)
    return lines


def vocabulary(files: Sequence[Path], size: int) -> Path:
    """The folder of a tokenizer with at most `size` pieces learned from the files; vocab.txt is in it."""
    target = _place(files) / f"vocabulary-{size}"
    if not target.is_dir():
        _run([ELECTRA, "vocab", *map(str, files), "--out", str(target), "--size", str(size)])
    return target


def corpus(files: Sequence[Path], size: int) -> Path:
    """The folder of the files' corpus, in the ids of such a tokenizer."""
    target = _place(files) / f"corpus-{size}"
    tokenizer = vocabulary(files, size)
    _run([ELECTRA, "prepare", *map(str, files), "--tokenizer", str(tokenizer), "--out", str(target)])  # once
    return target


def default_records() -> tuple[Path, Path]:
    """The default text as a .jsonl.xz with a document in each record's "text", and the vocab.txt made of it."""
    from electra.data.readers import read_documents

    files = files_of(())
    target = _place(files) / "text.jsonl.xz"
    if not target.exists():
        with lzma.open(target, "wt", encoding="utf-8") as file:
            for document in read_documents([str(path) for path in files]):
                file.write(json.dumps({"text": "\n".join(document)}) + "\n")
    return target, vocabulary(files, 30_522) / "vocab.txt"


def rows_of_lengths(folder: Path, lengths: np.ndarray, cls_id: int, sep_id: int) -> list[np.ndarray]:
    """Rows [CLS] text [SEP] of these lengths, cut from a corpus one after another."""
    from electra.data.corpus import Corpus

    ids = Corpus.open(folder).ids
    ends = np.cumsum(lengths - 2) % (len(ids) - int(lengths.max()))
    texts = (np.asarray(ids[end : end + length - 2], np.int64) for end, length in zip(ends, lengths, strict=True))
    return [np.concatenate([[cls_id], text, [sep_id]]) for text in texts]


def mixed_lengths(count: int, seed: int = 0, shortest: int = 6, longest: int = 116) -> np.ndarray:
    """Lengths of rows in tokens, evenly from 6 to 116: 61 on average."""
    return np.random.default_rng(seed).integers(shortest, longest + 1, count)


def padded(rows: Sequence[np.ndarray], pad_id: int = 0) -> dict[str, np.ndarray]:
    """The model's inputs (B, L) int64 of some rows, padded to their longest."""
    ids = np.full((len(rows), max(map(len, rows))), pad_id, np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def _place(files: Sequence[Path]) -> Path:
    """The folder of what is made of these files."""
    described = [f"{path.resolve()} {path.stat().st_size}" for path in files]
    folder = FOLDER / hashlib.sha256("\n".join(described).encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} ended with {done.returncode}:\n{done.stderr[-3000:]}")
