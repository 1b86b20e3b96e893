"""A small real tokenizer, corpora made in memory, and a way to run Python in another process."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from electra.data.corpus import Corpus
from electra.tokenization import ElectraTokenizerFast

WORDS = "the a of to and in is it you that he was for on are with his they at be this have from or one had by word but"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture(scope="session")
def vocabulary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Special tokens, some words, letters, digits and punctuation."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [*LETTERS, *(f"##{letter}" for letter in LETTERS), *".,;:!?'\"()-_é"]
    words = [word for word in WORDS.split() if word not in letters]
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join([*special, *letters, *words]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tokenizer(vocabulary_file: Path) -> ElectraTokenizerFast:
    """The fast tokenizer on that vocabulary."""
    return ElectraTokenizerFast(vocabulary_file)


@pytest.fixture
def corpus_of() -> Callable[..., Corpus]:
    """corpus_of(documents): a corpus in memory of documents that are lists of lines that are lists of ids."""
    return make_corpus


def make_corpus(documents: list[list[list[int]]]) -> Corpus:
    """The corpus of these ids."""
    lines = [line for document in documents for line in document]
    ids = np.array([token for line in lines for token in line], dtype=np.uint16)
    return corpus_of_arrays(ids, [len(line) for line in lines], np.cumsum([len(document) for document in documents]))


def corpus_of_arrays(ids: Any, lengths: Any, ends: Any) -> Corpus:
    """The corpus of ids, tokens per line, and lines before the end of each document."""
    special = {"pad": 0, "unk": 100, "cls": 101, "sep": 102, "mask": 103}
    description = {"fingerprint": "in memory", "tokenizer": {"special_ids": special, "vocab_size": 30522}}
    bounds = [np.concatenate([[0], array]).astype(np.int64) for array in (np.cumsum(lengths, dtype=np.int64), ends)]
    return Corpus(Path("memory"), "train", ids, bounds[0], bounds[1], description)


@pytest.fixture
def golden_corpus() -> Callable[[str], Corpus]:
    """golden_corpus("corpus.txt"): the lines of one of the two texts of the goldens."""

    def load(text: str) -> Corpus:
        with np.load(Path(__file__).parent / "goldens" / f"lines_{Path(text).stem}.npz") as held:
            return corpus_of_arrays(held["ids"], held["lengths"], held["ends"])

    return load


@pytest.fixture
def start_python() -> Callable[..., "subprocess.Popen[str]"]:
    """start_python(code, *arguments): another Python that runs `code`."""

    def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start
