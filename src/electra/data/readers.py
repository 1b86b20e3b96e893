"""Files of text to documents: a document is a list of lines, and a line is one "sentence" of the original.

Three rules say where a document ends: at a blank line (usual for .txt), at the end of a record (.jsonl, .parquet), or
at the end of the file. A very long document arrives in pieces, so memory stays bounded.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra.data.addresses import can_begin_anywhere, unreachable
from electra.data.blocks import ByteReader, line_ends_before, open_source
from electra.data.report import BAD_RECORDS_KEPT, FileReport
from electra.data.sources import Source, Span, check_choice, find_sources, whole
from electra.data.text import clean, decode, settle_invalid, short_lines, split_lines, without_surrogates
from electra.errors import CorpusError, UsageError, install_hint

DOCUMENTS = ("auto", "blank-line", "file", "record")
POLICIES = ("error", "replace", "skip")
PIECE = 1_000_000  # characters of one document handed on at a time
MAX_RECORD = 16 << 20  # characters of one line of .jsonl; JSON has to be held whole to be parsed


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are read; the same for every file of a corpus."""

    documents: str = "auto"  # where a document ends: "auto", "blank-line", "file" or "record"
    text_field: str = "text"  # the field or column of .jsonl and .parquet that holds the text
    errors: str = "replace"  # invalid bytes: "error", "replace" (U+FFFD) or "skip" (the line)
    max_bad_records: int = 0  # per file: records that may be left out before it is an error

    def __post_init__(self) -> None:
        check_choice("documents", self.documents, DOCUMENTS)
        check_choice("errors", self.errors, POLICIES)
        if self.max_bad_records < 0:
            raise UsageError(f"max_bad_records is {self.max_bad_records}, expected 0 or more")

    def rule(self, format: str) -> str:
        """Where a document of a file of this format ends: "blank-line", "file" or "record"."""
        if self.documents != "auto":
            return self.documents
        return "blank-line" if format == ".txt" else "record"


@dataclass(frozen=True)
class Piece:
    """Some lines of one document, none empty; the last piece of a document says so (and may have no lines)."""

    lines: list[str]
    ends_document: bool


def read_documents(
    sources: str | Path | Iterable[str | Path],
    documents: str = "auto",
    *,
    text_field: str = "text",
    errors: str = "replace",
    max_bad_records: int = 0,
    reports: list[FileReport] | None = None,
) -> Iterator[list[str]]:
    """Documents as lists of lines, one document in memory at a time. `reports` collects one FileReport per file."""
    reading = Reading(documents=documents, text_field=text_field, errors=errors, max_bad_records=max_bad_records)
    for source in find_sources(sources):
        reader = SpanReader(whole(source), reading)
        if reports is not None:
            reports.append(reader.report)
        lines: list[str] = []
        for piece in reader.pieces():
            lines += piece.lines
            if piece.ends_document:
                yield lines
                lines = []


class SpanReader:
    """One file, or a part of it, being read: its pieces, its report, and how many bytes on disk have been taken."""

    def __init__(self, span: Span, reading: Reading) -> None:
        self.span, self.source, self.reading = span, span.source, reading
        self.report = FileReport(str(self.source.path), self.source.size)
        self._bytes = ByteReader(span, self.report)
        self._rule = reading.rule(self.source.format)
        self._earlier = 0  # rows of .parquet before this part
        if self._rule == "record" and self.source.format == ".txt":
            raise UsageError(
                f'{self.source.path}: documents is "record", but .txt has no records; use "blank-line" or "file"'
            )

    @property
    def position(self) -> int:
        """Bytes on disk read so far."""
        return self._bytes.position

    def pieces(self) -> Iterator[Piece]:
        """The file's documents, each in one or more pieces. Raises CorpusError by the reading's policies."""
        lines: list[str] = []
        characters, is_open = 0, False
        for run, ends in self._runs():
            self.report.lines += len(run)
            is_open = is_open or bool(run)
            size = sum(map(len, run))
            if characters + size < PIECE:
                lines += run
                characters += size
            else:
                for line in run:
                    lines.append(line)
                    characters += len(line)
                    if characters >= PIECE:
                        yield Piece(lines, False)
                        lines, characters = [], 0
            if ends:
                if is_open:
                    self.report.documents += 1
                    yield Piece(lines, True)
                lines, characters, is_open = [], 0, False
        if is_open:
            self.report.documents += 1
            yield Piece(lines, True)

    def _runs(self) -> Iterator[tuple[list[str], bool]]:
        """Lines of one document with something in them, perhaps none, and whether the document ends behind them."""
        if self.source.format == ".txt":
            texts = decode(self._bytes.blocks(), self.report, errors=self.reading.errors)
            for lines in split_lines(texts, self.report):
                yield from self._runs_of(lines)
            return
        for text in self._json_texts() if self.source.format == ".jsonl" else self._parquet_texts():
            yield from self._runs_of(short_lines(clean(text, self.report).split("\n"), self.report))
            if self._rule != "file":
                yield [], True

    def _runs_of(self, lines: list[str]) -> Iterator[tuple[list[str], bool]]:
        if self.report.invalid_bytes:
            settled = (settle_invalid(line, self.report, self.reading.errors) for line in lines)
            lines = [line for line in settled if line is not None]
        lines = [line.strip() for line in lines]
        if self._rule != "blank-line":
            yield [line for line in lines if line], False
            return
        run: list[str] = []
        for line in lines:
            if line:
                run.append(line)
            else:
                yield run, True
                run = []
        yield run, False

    def _json_texts(self) -> Iterator[str]:
        for number, record in enumerate(self._json_lines(), start=1):
            if record.strip():
                text = self._text_of(record, number)
                if text is not None:
                    yield text

    def _json_lines(self) -> Iterator[str]:
        """Lines split at \\n alone: the other line ends may stand inside a JSON string."""
        rest: list[str] = []
        held = 0
        for block in decode(self._bytes.blocks(), self.report, errors=self.reading.errors):
            first, *others = block.split("\n")
            self.report.line_ends += len(others)
            rest.append(first)
            held += len(first)
            for line in others:
                yield "".join(rest)
                rest, held = [line], len(line)
            if held > MAX_RECORD:
                raise CorpusError(
                    f"{self.source.path} has a record of more than {MAX_RECORD >> 20} million characters; "
                    "split it, or write such texts as .txt, whose lines may have any length"
                )
        if not self.report.damage:
            yield "".join(rest)

    def _text_of(self, record: str, number: int) -> str | None:
        settled = settle_invalid(record, self.report, self.reading.errors)
        if settled is None:
            return None
        field = self.reading.text_field
        value, column, problem = _parsed(settled)
        if not problem and not isinstance(value, dict):
            problem = f"a JSON {type(value).__name__}, expected an object"
        elif not problem and field not in value:
            problem = f'no field "{field}" among {", ".join(sorted(value)) or "none"}'
        elif not problem and not isinstance(value[field], str):
            problem = f'field "{field}" is a {type(value[field]).__name__}, expected a string'
        if problem:
            self._bad_record(number, column, problem)
            return None
        text: str = value[field]
        return without_surrogates(text, self.report) if "\\u" in settled else text

    def _bad_record(self, line: int, column: int, reason: str) -> None:
        """Note a record that is left out; raises CorpusError where it is one too many."""
        self.report.bad_record_count += 1
        if len(self.report.bad_records) < BAD_RECORDS_KEPT:
            self.report.bad_records.append((line, column, reason))
        if self.report.bad_record_count > self.reading.max_bad_records:
            if self.report.begin:
                line += line_ends_before(self.source, self.report.begin)
            place = self.report.place(line + self._earlier, column, reason)
            raise too_many_bad(place, self.report.bad_record_count, self.reading)

    def _parquet_texts(self) -> Iterator[str]:
        try:
            import pyarrow
        except ImportError:
            raise install_hint("pyarrow", "data", "reading .parquet files") from None
        field, done = self.reading.text_field, 0
        try:
            with open_parquet(self.source) as table:
                if field not in table.schema_arrow.names:
                    names = ", ".join(table.schema_arrow.names)
                    raise CorpusError(f'{self.source.path} has no column "{field}"; its columns are {names}')
                rows = [table.metadata.row_group(number).num_rows for number in range(table.num_row_groups)]
                chosen = range(self.span.start, len(rows) if self.span.stop is None else self.span.stop)
                self._earlier = sum(rows[: chosen.start])
                total = max(sum(rows[chosen.start : chosen.stop]), 1)
                for batch in table.iter_batches(batch_size=64, row_groups=list(chosen), columns=[field]):
                    for value in batch.column(0):
                        done += 1
                        self._bytes.position = self.span.size * done // total
                        try:
                            text = value.as_py()
                        except UnicodeDecodeError as error:
                            self._bad_record(done, 1, f'column "{field}" is not UTF-8 ({error.reason})')
                            continue
                        if isinstance(text, str):
                            yield text
                        else:
                            self._bad_record(done, 1, f'column "{field}" is {type(text).__name__}, expected a string')
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: of names of columns
            if isinstance(self.source.path, str) and isinstance(error, OSError):
                raise unreachable(self.source.path, error) from error
            self.report.damage = f"not readable as parquet ({error})"
        self.report.line_ends = done


@contextmanager
def open_parquet(source: Source) -> Iterator[Any]:
    """A .parquet file, open; one whose server gives no parts is copied to this machine first."""
    import pyarrow.parquet

    is_copied = isinstance(source.path, str) and not can_begin_anywhere(source.path)
    with open_source(source, from_start=is_copied) as given, tempfile.TemporaryFile() as copy:
        if is_copied:
            shutil.copyfileobj(given, copy)
        with pyarrow.parquet.ParquetFile(copy if is_copied else given) as table:
            yield table


def too_many_bad(place: str, count: int, reading: Reading) -> CorpusError:
    """The error for one bad record too many in a file; `place` tells of that record."""
    allowed = reading.max_bad_records
    hint = "" if allowed else "; set max_bad_records to leave out that many per file"
    return CorpusError(f"{place} (bad record {count}, {allowed} allowed){hint}")


def _parsed(record: str) -> tuple[Any, int, str]:
    """The value of a JSON text, or the column and reason why it has none."""
    try:
        return json.loads(record, strict=False), 1, ""  # a raw tab or NUL in a string is no reason to lose it
    except json.JSONDecodeError as error:
        return None, error.colno, f"not JSON ({error.msg})"
    except RecursionError:
        return None, 1, "JSON nested too deeply"
    except ValueError as error:  # a number of too many digits
        return None, 1, f"not JSON ({error})"
