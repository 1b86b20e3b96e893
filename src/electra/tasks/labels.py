"""Labels of examples: asked for, checked, put in order and numbered. Errors name the place of the example."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from electra.errors import DataError, did_you_mean
from electra.tasks.task import Example, TextExample

SHOWN = 20  # labels an error lists


def some(examples: Sequence[Any]) -> Sequence[Any]:
    """The examples, or a DataError where there are none."""
    if not examples:
        raise DataError("there are no examples to learn from")
    return examples


def label_of(example: TextExample) -> Any:
    """The label of an example to learn from. Raises DataError where it has none."""
    if example.label is None:
        raise DataError(f"{where(example)}: no label, and examples to learn from need one")
    return example.label


def value_of(example: TextExample) -> float:
    """The label as a number. Raises DataError where it is none."""
    try:
        value = float(label_of(example))
    except (TypeError, ValueError):
        raise DataError(f'{where(example)}: label "{example.label}", expected a number') from None
    if not np.isfinite(value):
        raise DataError(f"{where(example)}: label {value}, expected a finite number")
    return value


def names_of(label: Any) -> tuple[str, ...]:
    """The labels of an example that may have several."""
    return (label,) if isinstance(label, str) else tuple(map(str, label))


def where(example: Example) -> str:
    """How an error calls an example."""
    return example.place or f"example {example.id}"


def number_of(label: str, labels: tuple[str, ...], example: Example) -> int:
    """The place of a label in the order. Raises DataError with the example's place and the known labels."""
    try:
        return labels.index(label)
    except ValueError:
        shown = ", ".join(labels[:SHOWN]) + (f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else "")
        raise DataError(
            f'{where(example)}: label "{label}" is not among those learned{did_you_mean(label, labels)}: {shown}'
        ) from None


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Different names, sorted; by value where all are numbers."""
    different = sorted(set(names))
    return tuple(sorted(different, key=float) if all(map(_is_number, different)) else different)


def _is_number(name: str) -> bool:
    try:
        return bool(np.isfinite(float(name)))
    except ValueError:
        return False


def named(labels: tuple[str, ...]) -> dict[str, Any]:
    """What a configuration says of the labels."""
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
    }
