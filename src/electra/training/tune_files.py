"""What a fine-tuning leaves in files beside its models: the examples it was judged on, predictions, and task.json."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.disk.replace import write_atomically
from electra.errors import DataError, ElectraError
from electra.tasks.table import find_kind
from electra.tasks.task import (
    Answer,
    ChoiceExample,
    Example,
    Kind,
    Prediction,
    QuestionExample,
    TaggedExample,
    TextExample,
)

TASK = "task.json"
RESULTS = "results.json"
PREDICTIONS = "predictions-dev.jsonl"
EXAMPLES: dict[str, type[Example]] = {
    "classification": TextExample,
    "multi-label": TextExample,
    "regression": TextExample,
    "tagging": TaggedExample,
    "choice": ChoiceExample,
    "answering": QuestionExample,
}


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What a tuned model is for: all that is needed beside its weights to answer.

    columns   of the files it was tuned on, for files that are to be read alike
    """

    name: str
    kind: Kind
    measure: str  # the score that decides which model is better
    labels: tuple[str, ...]
    max_length: int
    columns: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write task.json."""
        held = {
            "task": self.name,
            "kind": self.kind.name,
            "kind_settings": asdict(self.kind),  # type: ignore[call-overload]
            "measure": self.measure,
            "labels": self.labels,
            "max_length": self.max_length,
            "columns": self.columns,
        }
        write_text(folder / TASK, json.dumps(held, indent=1, ensure_ascii=False) + "\n")


def read_purpose(folder: Path) -> Purpose:
    """What `Purpose.write` wrote. Raises DataError where the folder has none."""
    if not (folder / TASK).is_file():
        raise DataError(
            f"{folder} has no {TASK}, so what its model was tuned for is not known; electra finetune writes one into RUN/model"
        )
    held = read_json_object(folder / TASK)
    try:
        kind = find_kind(held["kind"])(**{key: _tuples(value) for key, value in held["kind_settings"].items()})
        return Purpose(
            name=held["task"],
            kind=kind,
            measure=held["measure"],
            labels=tuple(held["labels"]),
            max_length=held["max_length"],
            columns={key: _tuples(value) for key, value in held["columns"].items()},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ElectraError):
            raise
        raise DataError(
            f"{folder / TASK} is not what electra finetune writes ({type(error).__name__}: {error}); restore it from a good copy"
        ) from None


def example_from(kind: str, values: Mapping[str, Any]) -> Example:
    """The example of plain values, as a line of JSON holds them."""
    held = {key: _tuples(value) for key, value in values.items()}
    if held.get("answers") is not None and kind == "answering":
        held["answers"] = tuple(Answer(**answer) for answer in held["answers"])
    return EXAMPLES[kind](**held)


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """One JSON object a line."""
    write_lines(path, (asdict(example) for example in examples))


def read_examples(path: Path, kind: str) -> list[Example]:
    """What `write_examples` wrote."""
    return [example_from(kind, values) for values in read_lines(path)]


def examples_fingerprint(examples: Sequence[Example]) -> str:
    """Of all that an example holds but the place it was read at."""
    digest = sha256()
    for example in examples:
        digest.update(json.dumps(asdict(example) | {"place": ""}, sort_keys=True).encode())
    return digest.hexdigest()


def write_lines(path: Path, values: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line; the file appears whole."""
    write_text(path, "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))


def read_lines(path: Path) -> Iterator[Prediction]:
    """The objects of such a file."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def write_text(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
