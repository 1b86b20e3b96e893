"""The rows that a model and its export are compared on.

    lines, as `electra predict` reads them, or labelled examples -> features, at most MOST -> batches

They are those that the model reads when it answers: cut, paired and split into windows by the rules of its task.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from electra.config import ElectraConfig
from electra.errors import DataError
from electra.heads import Head
from electra.inference.parity.texts import OWN, own_lines
from electra.inference.predictor import read_line
from electra.tasks.table import find_kind
from electra.tasks.task import Array, Example, Feature, collate
from electra.tokenization import load_tokenizer
from electra.tokenization.files import FILES
from electra.training.tune_files import Purpose

MOST = 256  # rows that are compared; of more, so many at even distances
BATCH = 16  # rows that go together
NUMBERS = 1 << 26  # of an answer to a batch, at most: a generator's are as many as the vocabulary for each position
MASKED_EACH = 7  # a generator is asked for every seventh piece
RANDOM = 32  # rows, where there is no vocabulary

# What a model without task.json reads, by its head; every other one reads a text.
READ_AS = {"multiple_choice": "choice", "question_answering": "answering"}


def rows_of(
    folder: Path, head: Head, purpose: Purpose | None, texts: Path | None, examples: Sequence[Example], place: str
) -> tuple[str, list[Feature]]:
    """What the texts are called, and the rows of them: of a file of texts, else of examples, else of our own texts.

    place   what the examples are called
    Raises DataError, naming the line, where a text cannot be used.
    """
    config = ElectraConfig.from_pretrained(folder)
    if not has_vocabulary(folder):
        return "random ids, since the model has no vocabulary", list(_random_rows(head, config))
    kind = _kind_name(head, purpose)
    if texts is not None:
        place, examples = str(texts), read_texts(texts, head, purpose)
    elif not examples:
        lines = own_lines(kind, has_pair=bool(purpose and purpose.columns.get("pair")))
        place, examples = OWN, _read(lines, kind, purpose, OWN)
    tokenizer, positions = load_tokenizer(folder), int(vars(config)["max_position_embeddings"])
    limit = purpose.max_length if purpose else min(positions, tokenizer.model_max_length)
    rules, labels = (purpose.kind, purpose.labels) if purpose else (find_kind(kind)(), ())
    found = [replace(row, targets={}) for row in rules.features(_evenly(examples), tokenizer, labels, limit)]
    if head.name == "masked_lm":
        found = [_masked(row, tokenizer.mask_token_id) for row in found]
    return place, _evenly(found)


def read_texts(path: Path, head: Head, purpose: Purpose | None) -> list[Example]:
    """The examples of a file of texts. Raises DataError, naming the line, where one cannot be used."""
    if not path.is_file():
        raise DataError(f"{path} does not exist; give a file with one text or JSON object a line")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return _read(lines, _kind_name(head, purpose), purpose, str(path))


def has_vocabulary(folder: Path) -> bool:
    """Whether a folder has a tokenizer."""
    return any((folder / name).is_file() for name in FILES[:2])


def batches_of(rows: Sequence[Feature], head: Head, config: ElectraConfig) -> Iterator[dict[str, Array]]:
    """Inputs of rows in the order given, padded; fewer rows go together where an answer has the vocabulary's size."""
    c, size = vars(config), BATCH
    if "V" in head.logits:
        size = max(1, min(size, NUMBERS // (max(row.length for row in rows) * int(c["vocab_size"]))))
    groups: dict[int, list[Feature]] = {}
    for row in rows:  # of a multiple choice, those with as many choices
        groups.setdefault(len(row.input_ids) if isinstance(row.input_ids, tuple) else 1, []).append(row)
    for group in groups.values():
        for start in range(0, len(group), size):
            yield collate(group[start : start + size], pad_token_id=int(c["pad_token_id"]), multiple=1)[0]


def told(rows: Sequence[Feature], folder: Path) -> dict[str, Any]:
    """How many rows there are, their tokens, and the share of tokens that the vocabulary does not know."""
    lengths = [row.length for row in rows]
    ids = np.concatenate([np.concatenate(_sides(row)) for row in rows])
    unknown = float((ids == load_tokenizer(folder).unk_token_id).mean()) if has_vocabulary(folder) else None
    return {
        "rows": len(rows), "shortest": min(lengths), "longest": max(lengths), "mean": float(np.mean(lengths)),
        "unknown": unknown,
    }  # fmt: skip


def _kind_name(head: Head, purpose: Purpose | None) -> str:
    return purpose.kind.name if purpose else READ_AS.get(head.name, "classification")


def _sides(row: Feature) -> tuple[Array, ...]:
    return row.input_ids if isinstance(row.input_ids, tuple) else (row.input_ids,)


def _read(lines: Iterable[str], kind: str, purpose: Purpose | None, place: str) -> list[Example]:
    examples = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                examples.append(read_line(kind, line, str(number), purpose.columns if purpose else {})[0])
            except DataError as error:
                raise DataError(f"{place}, {error}") from None
    if not examples:
        raise DataError(f"{place} has no text; give a file with one text or JSON object a line")
    return examples


def _masked(row: Feature, mask_id: int) -> Feature:
    ids = np.array(row.input_ids)
    ids[MASKED_EACH:-1:MASKED_EACH] = mask_id
    return replace(row, input_ids=ids)


def _random_rows(head: Head, config: ElectraConfig) -> Iterator[Feature]:
    """Rows of 8 to 128 random tokens, or as many as the model takes."""
    c, rng = vars(config), np.random.default_rng(0)
    longest = min(128, int(c["max_position_embeddings"]))
    for number, length in enumerate(np.linspace(min(8, longest), longest, RANDOM).astype(int)):
        drawn = tuple(rng.integers(0, c["vocab_size"], length, np.int32) for _ in range(2))
        types = tuple(np.zeros_like(ids) for ids in drawn)
        is_choice = head.name == "multiple_choice"
        ids, own = (drawn, types) if is_choice else (drawn[0], types[0])
        yield Feature(example=number, input_ids=ids, token_type_ids=own)


def _evenly(rows: Sequence[Any]) -> list[Any]:
    """At most MOST of them, at even distances."""
    return [rows[place] for place in np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(int))]
