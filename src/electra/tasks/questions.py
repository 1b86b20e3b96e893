"""Questions about a text: SQuAD 1.1 and 2.0 (JSON) and MRQA (lines of JSON)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from electra.errors import DataError
from electra.tasks.records import ending, parse_json, read_objects, read_text
from electra.tasks.task import Answer, QuestionExample


def read_questions(path: Path) -> list[QuestionExample]:
    """The questions of a file in order: .json as SQuAD, .jsonl as MRQA. Raises DataError with the place."""
    examples = list(_mrqa(path) if ending(path) == ".jsonl" else _squad(path))
    if not examples:
        raise DataError(f"{path} has no questions")
    return examples


def _squad(path: Path) -> Iterator[QuestionExample]:
    """data[].paragraphs[].qas[]: id, question, answers [{text, answer_start}], and in 2.0 is_impossible."""
    whole = parse_json(read_text(path), str(path))
    for article, item in enumerate(_list(whole, "data", str(path))):
        for number, paragraph in enumerate(_list(item, "paragraphs", f"{path}: data[{article}]")):
            place = f"{path}: data[{article}].paragraphs[{number}]"
            context = _text(paragraph, "context", place)
            for index, asked in enumerate(_list(paragraph, "qas", place)):
                yield _question(asked, context, f"{place}.qas[{index}]")


def _question(asked: Any, context: str, place: str) -> QuestionExample:
    answers: tuple[Answer, ...] | None = None
    if isinstance(asked, dict) and asked.get("is_impossible"):
        answers = ()  # its "plausible_answers" are no answers
    elif isinstance(asked, dict) and "answers" in asked:
        answers = tuple(
            Answer(text=_text(answer, "text", place), start=_whole(answer, "answer_start", place))
            for answer in _list(asked, "answers", place)
        )
    question = _text(asked, "question", place)
    return QuestionExample(
        id=str(asked.get("id", place)), place=place, question=question, context=context, answers=answers
    )


def _mrqa(path: Path) -> Iterator[QuestionExample]:
    """A line a context, after a line with a header: qas[] with qid, question, detected_answers [{text, char_spans}]."""
    for place, line in read_objects(path):
        if isinstance(line, dict) and "header" in line:
            continue
        context = _text(line, "context", place)
        for asked in _list(line, "qas", place):
            answers = None
            if "detected_answers" in asked:
                answers = tuple(
                    Answer(text=context[first : last + 1], start=first)
                    for answer in _list(asked, "detected_answers", place)
                    for first, last in _list(answer, "char_spans", place)
                )
            yield QuestionExample(
                id=_text(asked, "qid", place),
                place=place,
                question=_text(asked, "question", place),
                context=context,
                answers=answers,
            )


def _field(value: Any, name: str, place: str, kind: type, expected: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        found = f"the fields {', '.join(value)}" if isinstance(value, dict) else f"a JSON {type(value).__name__}"
        raise DataError(f'{place}: no field "{name}"; there is {found}')
    if not isinstance(value[name], kind):
        raise DataError(f'{place}: "{name}" is a JSON {type(value[name]).__name__}, expected {expected}')
    return value[name]


def _list(value: Any, name: str, place: str) -> list[Any]:
    found: list[Any] = _field(value, name, place, list, "a list")
    return found


def _text(value: Any, name: str, place: str) -> str:
    found: str = _field(value, name, place, str, "text")
    return found


def _whole(value: Any, name: str, place: str) -> int:
    found: int = _field(value, name, place, int, "a whole number")
    return found
