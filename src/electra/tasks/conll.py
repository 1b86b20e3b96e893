"""Words with tags in columns, a blank line after each sentence: CoNLL-2000 and -2003, WNUT17, and files like them."""

from collections.abc import Sequence
from pathlib import Path

from electra.errors import DataError
from electra.tasks.records import read_lines
from electra.tasks.task import TaggedExample

DOCUMENT = "-DOCSTART-"


def read_conll(path: Path, *, word: int = 0, tag: int | None = -1, iob1: bool = False) -> list[TaggedExample]:
    """The sentences of a file; the last one needs no blank line after it.

    word, tag   number of the column; tag None: there are no tags
    iob1        tags are IOB1 (B- only between neighbours of one type), and become IOB2 (B- at each beginning)
    Columns are separated by tabs where a line has one, else by spaces. Lines that begin with -DOCSTART- are left out.
    Raises DataError on a line with another number of columns than the first.
    """
    sentences: list[list[tuple[int, list[str]]]] = [[]]
    columns = 0
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith(DOCUMENT):
            sentences += [[]] if sentences[-1] else []
            continue
        fields = [field.strip(" ") for field in line.split("\t")] if "\t" in line else line.split()
        columns = columns or len(fields)
        if len(fields) != columns:
            raise DataError(f"{path}:{number}: {len(fields)} columns, expected {columns} as in the lines before")
        if tag is not None and columns < 2:
            raise DataError(f"{path}:{number}: one column, expected a word and its tag")
        sentences[-1].append((number, fields))
    found = [rows for rows in sentences if rows]
    if not found:
        raise DataError(f"{path} has no words")
    return [_example(str(number), path, rows, word, tag, iob1) for number, rows in enumerate(found)]


def _example(
    name: str, path: Path, rows: Sequence[tuple[int, list[str]]], word: int, tag: int | None, iob1: bool
) -> TaggedExample:
    tags = None if tag is None else tuple(fields[tag] for _, fields in rows)
    return TaggedExample(
        id=name,
        place=f"{path}:{rows[0][0]}",
        words=tuple(fields[word] for _, fields in rows),
        tags=iob2(tags) if tags is not None and iob1 else tags,
    )


def iob2(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags with B- at the beginning of each span, from IOB1 or IOB2.

    A span goes on where I- follows B- or I- of the same type, as in the conlleval program.
    """
    before, out = "O", []
    for tag in tags:
        begins = tag.startswith("I-") and (before[:2] not in ("B-", "I-") or before[2:] != tag[2:])
        out.append(f"B-{tag[2:]}" if begins else tag)
        before = tag
    return tuple(out)
