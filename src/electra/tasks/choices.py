"""Multiple choice as published: SWAG (.csv), COPA (.xml, and .jsonl as in SuperGLUE), CommonsenseQA and PIQA (.jsonl)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from electra.errors import DataError
from electra.tasks.records import Record, ending, read_lines, read_records, read_text
from electra.tasks.task import ChoiceExample

ASKS = {"cause": "What was the cause of this?", "effect": "What happened as a result?"}  # COPA's own questions


def read_swag(path: Path) -> list[ChoiceExample]:
    """sent1 is the prompt; a choice is sent2, the first words of the next sentence, with one of its four endings."""
    names = [f"ending{number}" for number in range(4)]
    return [
        ChoiceExample(
            id=str(number),
            place=record.place,
            prompt=record.text("sent1"),
            choices=tuple(f"{record.text('sent2')} {record.text(name)}".strip() for name in names),
            label=_number(record, "label", 4) if "label" in record.fields else None,
        )
        for number, record in enumerate(read_records(path, wanted=["sent1", "sent2", *names]))
    ]


def read_copa(path: Path) -> list[ChoiceExample]:
    """The premise with its question, and two alternatives. .xml as the authors published it, .jsonl as in SuperGLUE."""
    records = _copa_items(path) if ending(path) == ".xml" else read_records(path)
    examples = []
    for number, record in enumerate(records):
        asked = record.text("question")
        if asked not in ASKS:
            raise DataError(f'{record.place}: asks for "{asked}", expected {" or ".join(ASKS)}')
        examples.append(
            ChoiceExample(
                id=str(record.fields.get("idx", number)),
                place=record.place,
                prompt=f"{record.text('premise')} {ASKS[asked]}",
                choices=(record.text("choice1"), record.text("choice2")),
                label=_number(record, "label", 2) if "label" in record.fields else None,
            )
        )
    return examples


def _copa_items(path: Path) -> list[Record]:
    try:
        items = ElementTree.fromstring(read_text(path)).findall("item")
    except ElementTree.ParseError as error:
        raise DataError(f"{path}:{error.position[0]}: not valid XML ({error})") from None
    if not items:
        raise DataError(f"{path} has no <item>")
    return [_copa_record(path, item) for item in items]


def _copa_record(path: Path, item: ElementTree.Element) -> Record:
    fields: dict[str, Any] = {
        name: (item.findtext(tag) or "").strip()
        for name, tag in (("premise", "p"), ("choice1", "a1"), ("choice2", "a2"))
    }
    fields |= {"idx": item.get("id"), "question": item.get("asks-for")}
    if "most-plausible-alternative" in item.attrib:
        fields["label"] = int(item.attrib["most-plausible-alternative"]) - 1
    return Record(f"{path}: item {item.get('id')}", fields)


def read_commonsenseqa(path: Path) -> list[ChoiceExample]:
    """question with its choices {label, text}, both inside "question" as published or beside it, and answerKey."""
    examples = []
    for number, record in enumerate(read_records(path)):
        question, choices = record.value("question"), record.fields.get("choices")
        if isinstance(question, dict):
            choices, question = question.get("choices"), question.get("stem")
        if isinstance(choices, list):  # published: [{"label": "A", "text": ...}, ...]
            choices = {key: [choice.get(key) for choice in choices] for key in ("label", "text")}
        if not isinstance(question, str) or not isinstance(choices, dict) or not choices.get("text"):
            raise DataError(f"{record.place}: expected a question with choices, each with a label and a text")
        keys, key = choices["label"], record.fields.get("answerKey")
        if key and key not in keys:
            raise DataError(f'{record.place}: answerKey is "{key}", expected one of {", ".join(keys)}')
        examples.append(
            ChoiceExample(
                id=str(record.fields.get("id", number)),
                place=record.place,
                prompt=question,
                choices=tuple(choices["text"]),
                label=keys.index(key) if key else None,
            )
        )
    return examples


def read_piqa(path: Path) -> list[ChoiceExample]:
    """goal, sol1 and sol2; label in the row, or in NAME-labels.lst beside NAME.jsonl, as published."""
    records = read_records(path, wanted=["goal", "sol1", "sol2"])
    labels = _piqa_labels(path, records)
    return [
        ChoiceExample(
            id=str(record.fields.get("id", number)),
            place=record.place,
            prompt=record.text("goal"),
            choices=(record.text("sol1"), record.text("sol2")),
            label=label,
        )
        for number, (record, label) in enumerate(zip(records, labels, strict=True))
    ]


def _piqa_labels(path: Path, records: Sequence[Record]) -> list[int | None]:
    beside = path.with_name(f"{path.name.partition('.')[0]}-labels.lst")
    if "label" in records[0].fields or not beside.is_file():
        return [_number(record, "label", 2) if "label" in record.fields else None for record in records]
    lines = [line for line in read_lines(beside) if line.strip()]
    if len(lines) != len(records):
        raise DataError(f"{beside} has {len(lines)} labels, expected {len(records)}, one for each row of {path}")
    rows = (Record(f"{beside}:{number}", {"label": line}) for number, line in enumerate(lines, start=1))
    return [_number(row, "label", 2) for row in rows]


def _number(record: Record, name: str, choices: int) -> int | None:
    """The number of the right choice; None where it is -1, as sets without labels have it."""
    number = record.number(name)
    if number == -1:
        return None
    if number not in range(choices):
        raise DataError(f'{record.place}: "{name}" is {number:g}, expected 0 to {choices - 1}')
    return int(number)
