"""Your own files as examples: the columns that hold what a kind of task needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra.errors import DataError, UsageError, did_you_mean
from electra.tasks.conll import read_conll
from electra.tasks.questions import read_questions
from electra.tasks.records import Record, ending, read_records
from electra.tasks.task import Answer, ChoiceExample, Example, QuestionExample, TaggedExample, TextExample


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of your columns, or fields of a record. A kind uses those it needs.

    `label` may be None for texts whose label is not known; so may `tags` and `answers`.
    """

    text: str = "text"  # the text, or the first of a pair
    pair: str | None = None  # the second text
    label: str | None = "label"  # the class, the number, the classes, or the number of the right choice (from 0)
    words: str = "words"  # a list of words; in .csv and .tsv one word a row, a blank line between sentences
    tags: str | None = "tags"  # a list of as many tags; in .csv and .tsv one tag a row
    sentence: str | None = None  # of files with a word a row: a new value begins a sentence, an empty one goes on
    question: str = "question"  # what is asked
    context: str = "context"  # the text that answers it
    answers: str | None = "answers"  # a text, several, or {text, answer_start} as in SQuAD; empty: no answer
    start: str | None = None  # the character the answer begins at; not named: its first place in the context
    prompt: str = "prompt"  # what is to be continued
    choices: tuple[str, ...] = ("choices",)  # one column that holds a list, or a column for each
    id: str | None = None  # a name for each row; not named: its number, from 0
    label_separator: str = ","  # between several classes in one text
    header: bool = True  # False: the columns of .csv and .tsv are named 1, 2, ...
    quotes: bool | None = None  # whether fields may be quoted; not said: in .csv they may, in .tsv not


def own_examples(kind: str, path: Path, columns: Columns | None = None) -> list[Example]:
    """The examples of a file, for one kind of task.

    kind   "classification", "multi-label", "regression", "tagging", "answering" or "choice"
    path   .csv, .tsv, .jsonl or .parquet; for answering also .json in SQuAD's layout; for tagging any other ending is
           read as columns (CoNLL): the word first, the tag last. Compressed too.
    Raises DataError with the place of what cannot be used.
    """
    columns = columns or Columns()
    if kind not in READERS:
        raise UsageError(f'there is no kind "{kind}"{did_you_mean(kind, READERS)}; expected {", ".join(READERS)}')
    if kind == "answering" and ending(path) == ".json":
        return list(read_questions(path))
    if kind == "tagging" and ending(path) not in (".csv", ".tsv", ".jsonl", ".parquet"):
        return list(read_conll(path, tag=None if columns.tags is None else -1))
    return READERS[kind](path, columns)


def _rows(path: Path, columns: Columns, wanted: Sequence[str | None], *, blanks: bool = False) -> list[Record]:
    names = [name for name in (*wanted, columns.id) if name is not None]
    return read_records(path, header=columns.header, quotes=columns.quotes, blanks=blanks, wanted=names)


def _id(record: Record, columns: Columns, number: int) -> str:
    return str(record.value(columns.id)) if columns.id else str(number)


# ----------------------------------------------------------------------------------------------------------------- kinds


def _text_reader(
    label_of: Callable[[Record, str, Columns], str | float | tuple[str, ...]],
) -> Callable[[Path, Columns], list[Example]]:
    def read(path: Path, columns: Columns) -> list[Example]:
        return [
            TextExample(
                id=_id(record, columns, number),
                place=record.place,
                text=record.text(columns.text),
                pair=record.text(columns.pair) if columns.pair else None,
                label=label_of(record, columns.label, columns) if columns.label else None,
            )
            for number, record in enumerate(_rows(path, columns, (columns.text, columns.pair, columns.label)))
        ]

    return read


def _class(record: Record, name: str, columns: Columns) -> str:
    return class_name(record.value(name), record.place, name)


def class_name(value: Any, place: str, name: str) -> str:
    """The name of a class: text without spaces around it, or a number or truth value as text. 2.0 is "2"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas writes whole numbers so, in a column where one is missing
    text = str(value).strip() if isinstance(value, (str, int, float)) and value == value else ""
    if not text:
        found = f"{type(value).__name__} as label" if isinstance(value, (list, dict)) else "no label"
        raise DataError(f'{place}: {found} in "{name}", expected a class')
    return text


def _classes(record: Record, name: str, columns: Columns) -> tuple[str, ...]:
    value = record.value(name)
    if isinstance(value, str):
        value = [part for part in value.split(columns.label_separator) if part.strip()]
    if isinstance(value, int):
        value = [value]  # a row with one class, in a column of numbers
    if not isinstance(value, list):
        raise DataError(f'{record.place}: "{name}" is {value!r}, expected classes: a list, or text with separators')
    return tuple(dict.fromkeys(class_name(item, record.place, name) for item in value))


def _number(record: Record, name: str, columns: Columns) -> float:
    return record.number(name)


def _tagged(path: Path, columns: Columns) -> list[Example]:
    if ending(path) in (".csv", ".tsv"):
        return _word_rows(path, columns)
    return [
        TaggedExample(
            id=_id(record, columns, number),
            place=record.place,
            words=_not_empty(record.texts(columns.words), record, columns.words),
            tags=_as_many(record, columns),
        )
        for number, record in enumerate(_rows(path, columns, (columns.words, columns.tags)))
    ]


def _not_empty(words: tuple[str, ...], record: Record, name: str) -> tuple[str, ...]:
    if not words:
        raise DataError(f'{record.place}: "{name}" is an empty list, expected words')
    return words


def _as_many(record: Record, columns: Columns) -> tuple[str, ...] | None:
    if columns.tags is None:
        return None
    words, tags = record.texts(columns.words), record.texts(columns.tags)
    if len(words) != len(tags):
        raise DataError(f"{record.place}: {len(words)} words and {len(tags)} tags, expected a tag for each word")
    return tags


def _word_rows(path: Path, columns: Columns) -> list[Example]:
    """Sentences of a file with one word a row."""
    wanted = (columns.words, columns.tags, columns.sentence)
    sentences: list[list[Record]] = [[]]
    last = None
    for record in _rows(path, columns, wanted, blanks=True):
        begins = not record.fields
        if columns.sentence and not begins:
            value = record.text(columns.sentence).strip()
            begins, last = bool(value) and value != last, value or last
        if begins and sentences[-1]:
            sentences.append([])
        if record.fields:
            sentences[-1].append(record)
    return [
        TaggedExample(
            id=str(number),
            place=rows[0].place,
            words=tuple(row.text(columns.words) for row in rows),
            tags=None if columns.tags is None else tuple(_class(row, columns.tags, columns) for row in rows),
        )
        for number, rows in enumerate(sentences)
        if rows
    ]


def _questions(path: Path, columns: Columns) -> list[Example]:
    return [
        QuestionExample(
            id=_id(record, columns, number),
            place=record.place,
            question=record.text(columns.question),
            context=record.text(columns.context),
            answers=_answers(record, columns) if columns.answers else None,
        )
        for number, record in enumerate(
            _rows(path, columns, (columns.question, columns.context, columns.answers, columns.start))
        )
    ]


def _answers(record: Record, columns: Columns) -> tuple[Answer, ...]:
    assert columns.answers is not None
    context, value = record.text(columns.context), record.value(columns.answers)
    starts = record.value(columns.start) if columns.start else None
    if isinstance(value, dict):  # the layout of Hugging Face's squad
        starts, value = value.get("answer_start"), value.get("text")
    texts = [value] if isinstance(value, str) else value or []
    starts = [starts] if isinstance(starts, (str, int)) and texts and texts != [""] else starts or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DataError(f'{record.place}: "{columns.answers}" is {value!r}, expected a text or a list of texts')
    texts = [text for text in texts if text]
    if starts and len(starts) != len(texts):
        raise DataError(f"{record.place}: {len(texts)} answers and {len(starts)} starts, expected one for each")
    return tuple(
        Answer(text=text, start=_start(record, text, context, starts[number] if starts else None))
        for number, text in enumerate(texts)
    )


def _start(record: Record, text: str, context: str, given: Any) -> int:
    start = context.find(text) if given is None or given == "" else _whole(record, given)
    if start < 0:
        raise DataError(f'{record.place}: the answer "{text}" does not stand in the context')
    return start


def _whole(record: Record, value: Any) -> int:
    """A whole number, or text that spells one."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise DataError(
            f"{record.place}: {value!r} is where an answer begins, expected a number of characters"
        ) from None


def _choices(path: Path, columns: Columns) -> list[Example]:
    wanted = (columns.prompt, *columns.choices, columns.label)
    return [
        ChoiceExample(
            id=_id(record, columns, number),
            place=record.place,
            prompt=record.text(columns.prompt),
            choices=_continuations(record, columns),
            label=_choice(record, columns) if columns.label else None,
        )
        for number, record in enumerate(_rows(path, columns, wanted))
    ]


def _continuations(record: Record, columns: Columns) -> tuple[str, ...]:
    if len(columns.choices) > 1:
        return tuple(record.text(name) for name in columns.choices)
    return record.texts(columns.choices[0])


def _choice(record: Record, columns: Columns) -> int:
    assert columns.label is not None
    number, choices = record.number(columns.label), _continuations(record, columns)
    if not number.is_integer() or not 0 <= number < len(choices):
        raise DataError(
            f'{record.place}: "{columns.label}" is {number:g}, expected the number of a choice, 0 to {len(choices) - 1}'
        )
    return int(number)


READERS: dict[str, Callable[[Path, Columns], list[Example]]] = {
    "classification": _text_reader(_class),
    "multi-label": _text_reader(_classes),
    "regression": _text_reader(_number),
    "tagging": _tagged,
    "answering": _questions,
    "choice": _choices,
}
