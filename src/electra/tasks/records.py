"""Rows of .csv, .tsv, .jsonl and .parquet as dictionaries, each with its place "file:line"; compressed ones too.

Unusual here: nothing is guessed from the rows. A .csv has quotes (RFC 4180) and the separator its header shows; in a .tsv
a quote is a character like any other, as in the published data sets, unless `quotes` says otherwise.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra.data.blocks import ByteReader
from electra.data.report import FileReport
from electra.data.sources import COMPRESSIONS, Source, whole
from electra.data.text import INVALID, REPLACEMENT, decode, without_surrogates
from electra.errors import DataError, UsageError, did_you_mean, install_hint

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
WORDS = 3  # of the name of a column; a field of more looks like text
MAX_FIELD = 16 << 20  # characters of one field of a .csv; more is a quote that was never closed


@dataclass(frozen=True)
class Record:
    """One row: its fields by name, and where it stands. A blank line, where those are asked for, has no fields."""

    place: str
    fields: Mapping[str, Any]

    def value(self, name: str) -> Any:
        """The field, which must be there. Raises DataError that lists the fields found."""
        if name not in self.fields:
            raise DataError(f"{self.place}: {no_column(name, list(self.fields))}")
        return self.fields[name]

    def text(self, name: str) -> str:
        """The field, which must be a string."""
        value = self.value(name)
        if not isinstance(value, str):
            raise DataError(f'{self.place}: "{name}" is {_shown(value)}, expected text')
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """The field, which must be a list of strings."""
        value = self.value(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise DataError(f'{self.place}: "{name}" is {_shown(value)}, expected a list of strings')
        return tuple(value)

    def number(self, name: str) -> float:
        """The field, which must be a finite number, or text that spells one."""
        value = self.value(name)
        try:
            number = float(value) if not isinstance(value, bool) else float("nan")
        except (TypeError, ValueError):
            number = float("nan")
        if not abs(number) < float("inf"):
            raise DataError(f'{self.place}: "{name}" is {_shown(value)}, expected a number')
        return number


def no_column(name: str, found: Sequence[str]) -> str:
    """What an error says of a column that is not there."""
    there = ", ".join(other if len(other) <= 40 else f"{other[:37]}..." for other in found)
    return f'no column "{name}"{did_you_mean(name, found)}; there are {there or "none"}'


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "empty"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(value).__name__})"


def read_records(
    path: Path, *, header: bool = True, quotes: bool | None = None, blanks: bool = False, wanted: Sequence[str] = ()
) -> list[Record]:
    """All rows of a file, in order.

    header   False: the columns are named "1", "2", ...
    quotes   whether fields may be quoted; None: in .csv they may, in .tsv not
    blanks   keep blank lines of .csv and .tsv, as records without fields; else they are left out
    wanted   columns that must be there
    Raises DataError, with the place, on a missing column, a row with more or fewer fields, a file without rows, a file
    that is damaged; UsageError on an ending we do not read.
    """
    kind = ending(path)
    if kind not in FORMATS:
        raise UsageError(
            f"{path} is not a file of rows: expected a name ending in {', '.join(FORMATS)} (also {', '.join(COMPRESSIONS)})"
        )
    if kind == ".parquet":
        records = list(_parquet(path))
    elif kind == ".jsonl":
        records = list(_json_lines(path))
    else:
        quotes = kind == ".csv" if quotes is None else quotes
        records = _delimited(path, header, quotes, "," if kind == ".csv" else "\t", wanted)
        records = records if blanks else [record for record in records if record.fields]
    if not any(record.fields for record in records):
        raise DataError(f"{path} has no rows" + (", only a header" if header and kind in (".csv", ".tsv") else ""))
    for name in wanted:
        first = next(record for record in records if record.fields)
        first.value(name)
    return records


def ending(path: Path) -> str:
    """The ending that says the format, without that of a compression."""
    return (Path(path.stem) if path.suffix in COMPRESSIONS else path).suffix.lower()


def read_text(path: Path) -> str:
    """The whole text of a file, decompressed, its lines ending in \\n; bytes that are not valid become U+FFFD.

    The encoding is UTF-8, or what a byte order mark says. Raises DataError where the file is missing, empty or damaged.
    """
    if not path.is_file():
        near = did_you_mean(path.name, [other.name for other in path.parent.glob("*")]) if path.parent.is_dir() else ""
        raise DataError(f"{path} does not exist{near}")
    report = FileReport(str(path), path.stat().st_size)
    compression = path.suffix if path.suffix in COMPRESSIONS else ""
    source = Source(path, ending(path), compression, report.size)
    text = "".join(decode(ByteReader(whole(source), report).blocks(), report))
    if report.damage:
        raise DataError(f"{path} is {report.damage}; fetch or write it again")
    if not text.strip():
        raise DataError(f"{path} is empty")
    # Files joined from several keep the byte order marks of their parts, as a published one does.
    text = text.replace(INVALID, REPLACEMENT).replace("\r\n", "\n").replace("\n\ufeff", "\n")
    # Only a file of an old Macintosh has \r alone at all ends; elsewhere it stands inside a field.
    return text if "\n" in text else text.replace("\r", "\n")


def read_lines(path: Path) -> list[str]:
    """The lines of a file as `read_text` gives it, without their ends."""
    lines = read_text(path).split("\n")
    return lines if lines[-1] else lines[:-1]


# --------------------------------------------------------------------------------------------------------------- formats


def _delimited(path: Path, header: bool, quotes: bool, separator: str, wanted: Sequence[str]) -> list[Record]:
    lines = read_lines(path)
    if separator == ",":
        separator = _separator(lines[0])
    rows = _quoted(path, lines, separator) if quotes else _plain(lines, separator)
    number, first = next((number, fields) for number, fields in rows if fields)
    names = [name.strip() for name in first] if header else [str(column) for column in range(1, len(first) + 1)]
    for name in wanted:
        if names.count(name) != 1:
            known = "is the name of two columns" if name in names else ""
            problem = f'"{name}" {known}' if known else no_column(name, names)
            raise DataError(f"{path}:{number}: {problem}{_no_header(first) if header else ''}")
    records = [] if header else [Record(f"{path}:{number}", dict(zip(names, first, strict=True)))]
    for number, fields in rows:
        if fields and len(fields) != len(names):
            raise DataError(f"{path}:{number}: {_miscounted(fields, names, separator, quotes)}")
        records.append(Record(f"{path}:{number}", dict(zip(names, fields, strict=False))))
    return records


def _no_header(first: Sequence[str]) -> str:
    """What to do where a line read as a header is a row. Names of columns are no numbers, are not empty and have few words."""
    looks_so = any(
        not field.strip() or field.strip().lstrip("+-").replace(".", "", 1).isdigit() or len(field.split()) > WORDS
        for field in first
    )
    if looks_so:
        return "; the first line looks like a row: --no-header reads it as one and names the columns 1, 2, ..."
    return "; --no-header reads the first line as a row"


def _separator(header: str) -> str:
    """Of a .csv: the one its header holds; a comma where it holds several or none."""
    found = [sign for sign in ",;\t" if sign in header]
    return found[0] if len(found) == 1 else ","


def _plain(lines: Sequence[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields; no fields where a line is blank."""
    for number, line in enumerate(lines, start=1):
        yield number, line.split(separator) if line.strip() else []


def _quoted(path: Path, lines: Sequence[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    limit = csv.field_size_limit(MAX_FIELD)  # of the whole process, so it is set back
    rows, begin = [], 1
    try:
        reader = csv.reader((line + "\n" for line in lines), delimiter=separator, strict=True)
        for fields in reader:
            rows.append((begin, fields if any(field.strip() for field in fields) else []))
            begin = reader.line_num + 1
    except csv.Error as error:
        reason = "a quoted field that begins here does not end" if _is_open(error) else f"not valid CSV ({error})"
        raise DataError(f'{path}:{begin}: {reason}; a quote inside a quoted field is written ""') from None
    finally:
        csv.field_size_limit(limit)
    yield from rows


def _is_open(error: csv.Error) -> bool:
    return "unexpected end of data" in str(error) or "field limit" in str(error)


def _miscounted(fields: Sequence[str], names: Sequence[str], separator: str, quotes: bool) -> str:
    sign = {",": "a comma", ";": "a semicolon", "\t": "a tab"}[separator]
    advice = f'put fields that hold {sign} or a line break in quotes ("...")'
    if not quotes:
        is_quoted = any(field.startswith('"') for field in fields)
        advice = f"a field cannot hold {sign} or a line break" + (", unless you say that quotes are used" * is_quoted)
    return f"{len(fields)} field{'s' * (len(fields) != 1)}, expected {len(names)} ({', '.join(names)}); {advice}"


def read_objects(path: Path) -> Iterator[tuple[str, Any]]:
    """The place and value of every line of JSON that is not blank."""
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            place = f"{path}:{number}"
            yield place, parse_json(line, place)


def parse_json(text: str, place: str) -> Any:
    """A JSON value, lone surrogates in it replaced by U+FFFD. Raises DataError with the place."""
    try:
        if "\\u" in text:
            value = json.loads(text, strict=False)
            return json.loads(without_surrogates(json.dumps(value, ensure_ascii=False), FileReport("", 0)))
        return json.loads(text, strict=False)  # a raw tab in a string is no reason to lose it
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: not JSON: {error.msg}, at character {error.pos + 1}") from None
    except RecursionError:
        raise DataError(f"{place}: JSON nested too deeply") from None
    except ValueError as error:  # a number of too many digits
        raise DataError(f"{place}: not JSON: {error}") from None


def _json_lines(path: Path) -> Iterator[Record]:
    for place, value in read_objects(path):
        if not isinstance(value, dict):
            raise DataError(f"{place}: a JSON {type(value).__name__}, expected an object with named fields")
        yield Record(place, value)


def _parquet(path: Path) -> Iterator[Record]:
    if not path.is_file():
        raise DataError(f"{path} does not exist")
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise install_hint("pyarrow", "data", "reading .parquet files") from None
    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not readable as parquet: {error}") from None
    yield from (Record(f"{path}:{number}", row) for number, row in enumerate(rows, start=1))
