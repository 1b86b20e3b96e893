"""GLUE's tab-separated files (and SNLI's, which look alike): columns by the names in their header, quotes are text.

Unusual here: a line with another number of fields than the header is left out and counted, as in the original code (the
published QQP has two such); every other trouble is an error with its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from electra.errors import DataError
from electra.tasks.records import no_column, read_lines
from electra.tasks.task import TextExample

PLACES = 3  # of left-out lines that a note names


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The columns of one task's files. Where the header has no column `label`, the labels are not known.

    no_header   the names of the columns of files that begin with a row
    labels      those a row may have; () for scores
    ignored     a label that leaves the row out: SNLI and MNLI write "-" where annotators did not agree
    """

    text: str
    pair: str | None = None
    label: str = "label"
    no_header: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    ignored: str = ""


def read_glue(path: Path, layout: Layout, *, notes: list[str] | None = None) -> list[TextExample]:
    """The rows of a file. `notes` gets a sentence on lines that were left out. Raises DataError with the place."""
    lines = read_lines(path)
    names = [name.strip() for name in lines[0].split("\t")]
    begin = 1
    if layout.no_header and layout.text not in names:
        names, begin = list(layout.no_header), 0
    for name in filter(None, (layout.text, layout.pair)):
        if name not in names:
            raise DataError(f"{path}:1: {no_column(name, names)}")
    examples: list[TextExample] = []
    malformed: list[str] = []
    ignored: list[str] = []
    for number, line in enumerate(lines[begin:], start=begin + 1):
        fields, place = line.split("\t"), f"{path}:{number}"
        if len(fields) != len(names):
            malformed.append(place)
            continue
        row = dict(zip(names, fields, strict=True))
        if layout.ignored and row.get(layout.label, "").strip() == layout.ignored:
            ignored.append(place)
            continue
        examples.append(
            TextExample(
                id=row.get("index", row.get("id", str(len(examples)))),
                place=place,
                text=row[layout.text],
                pair=row[layout.pair] if layout.pair else None,
                label=_label(row[layout.label].strip(), layout, place) if layout.label in row else None,
            )
        )
    if notes is not None:
        notes += _left_out(malformed, f"other than {len(names)} fields") + _left_out(ignored, "no label agreed on")
    if not examples:
        raise DataError(f"{path} has no rows")
    return examples


def _label(label: str, layout: Layout, place: str) -> str | float:
    if layout.labels:
        if label not in layout.labels:
            raise DataError(f'{place}: label "{label}", expected one of {", ".join(layout.labels)}')
        return label
    try:
        return float(label)
    except ValueError:
        raise DataError(f'{place}: score "{label}", expected a number') from None


def _left_out(places: Sequence[str], reason: str) -> list[str]:
    if not places:
        return []
    shown = ", ".join(places[:PLACES]) + (", ..." if len(places) > PLACES else "")
    return [f"{len(places)} line{'s' * (len(places) != 1)} left out, with {reason}: {shown}"]
