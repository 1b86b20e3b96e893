"""Rows of files: what each format means, and what is said of a file that cannot be read."""

import codecs
import csv
import gzip
import json
import lzma

import pyarrow
import pyarrow.parquet as parquet
import pytest
import zstandard

from electra.errors import DataError, UsageError
from electra.tasks.records import read_lines, read_records

ROWS = [{"text": 'a "b", c', "label": "1"}, {"text": "two\nlines", "label": "0"}]


def rows_of(path, **options):
    return [record.fields for record in read_records(path, **options)]


def test_csv_is_what_csv_writers_write(tmp_path):
    path = tmp_path / "a.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(ROWS)
    records = read_records(path)
    assert [record.fields for record in records] == ROWS
    assert [record.place for record in records] == [f"{path}:2", f"{path}:3"]


def test_the_place_of_a_row_counts_the_line_breaks_inside_the_rows_before(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"one\n\ntwo",1\nthree,0\n', encoding="utf-8")
    assert [record.place for record in read_records(path)] == [f"{path}:2", f"{path}:5"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_the_header_of_a_csv_says_the_separator(tmp_path, separator):
    path = tmp_path / "a.csv"
    path.write_text(f"text{separator}label\na, b{separator}1\n", encoding="utf-8")
    assert rows_of(path) == [{"text": "a, b", "label": "1"}]


def test_a_csv_with_commas_and_semicolons_in_its_header_has_commas(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text;more,label\na,1\n", encoding="utf-8")
    assert rows_of(path) == [{"text;more": "a", "label": "1"}]


def test_quotes_in_a_tsv_are_text(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"open\t1\na "quoted" word\t0\n', encoding="utf-8")
    assert [row["text"] for row in rows_of(path)] == ['"open', 'a "quoted" word']


def test_quotes_in_a_tsv_quote_where_that_is_said(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"a\tb"\t1\n', encoding="utf-8")
    assert rows_of(path, quotes=True) == [{"text": "a\tb", "label": "1"}]
    with pytest.raises(DataError, match=r"a\.tsv:2: 3 fields, expected 2 \(text, label\).*unless you say that quotes"):
        read_records(path)


def test_parquet_and_json_lines_keep_numbers_and_lists(tmp_path):
    rows = [{"words": ["a", "b"], "label": 3}, {"words": [], "label": None}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n\n" for row in rows), encoding="utf-8")
    assert rows_of(tmp_path / "a.parquet") == rows_of(tmp_path / "a.jsonl") == rows


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.xz", "a.csv.zst"])
@pytest.mark.parametrize(
    "encoded",
    [
        "text,label\nné,1\n".encode(),
        codecs.BOM_UTF8 + "text,label\r\nné,1\r\n".encode(),
        codecs.BOM_UTF16_LE + "text,label\nné,1".encode("utf-16-le"),
        "text,label\rné,1\r".encode(),
    ],
)
def test_compression_byte_order_marks_and_line_ends_do_not_matter(tmp_path, name, encoded):
    packers = {".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress, ".csv": bytes}
    path = tmp_path / name
    path.write_bytes(packers[path.suffix](encoded))
    assert rows_of(path) == [{"text": "né", "label": "1"}]


def test_a_byte_order_mark_between_joined_files_is_no_text(tmp_path):
    path = tmp_path / "joined.txt"
    path.write_bytes(b"one\n" + codecs.BOM_UTF8 + b"two\n")
    assert read_lines(path) == ["one", "two"]


def test_unicode_line_separators_do_not_end_a_row(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("text\tlabel\none\u2028two\x85three\t1\n", encoding="utf-8")
    assert rows_of(path) == [{"text": "one\u2028two\x85three", "label": "1"}]


@pytest.mark.fault(23, 25)
def test_bytes_that_are_not_valid_and_lone_surrogates_become_the_replacement_character(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text\ncaf\xe9\n")
    (tmp_path / "a.jsonl").write_text('{"text": "caf\\udce9 \\ud83d\\ude00"}\n', encoding="utf-8")
    assert rows_of(tmp_path / "a.csv") == [{"text": "caf\ufffd"}]
    assert rows_of(tmp_path / "a.jsonl") == [{"text": "caf\ufffd \U0001f600"}]


def test_a_field_of_a_million_characters_is_read_and_the_limit_of_the_process_stays(tmp_path):
    limit = csv.field_size_limit()
    path = tmp_path / "a.csv"
    path.write_text(f'text\n"{"x" * 1_000_000}"\n', encoding="utf-8")
    assert len(rows_of(path)[0]["text"]) == 1_000_000
    assert csv.field_size_limit() == limit


WRONG = {
    "empty": ("a.csv", "", r"a\.csv is empty"),
    "only blanks": ("a.jsonl", "\n \n", r"a\.jsonl is empty"),
    "only a header": ("a.csv", "text,label\n", r"a\.csv has no rows, only a header"),
    "more fields": (
        "a.csv",
        "text,label\na,1\na, b,1\n",
        r"a\.csv:3: 3 fields, expected 2 \(text, label\); put fields that",
    ),
    "fewer fields": ("a.tsv", "text\tlabel\na\n", r"a\.tsv:2: 1 field, expected 2"),
    "an open quote": (
        "a.csv",
        'text,label\na,1\n"b,1\nc,1\n',
        r"a\.csv:3: a quoted field that begins here does not end",
    ),
    "a quote after the end": ("a.csv", 'text,label\n"a"b,1\n', r"a\.csv:2: not valid CSV"),
    "not JSON": ("a.jsonl", '{"text": "a"}\n{text}\n', r"a\.jsonl:2: not JSON: .* at character 2"),
    "JSON that is no object": ("a.jsonl", "[1]\n", r"a\.jsonl:1: a JSON list, expected an object"),
    "too deep": ("a.jsonl", "[" * 100_000 + "\n", r"a\.jsonl:1: JSON nested too deeply"),
}


@pytest.mark.fault(28)
@pytest.mark.parametrize(("name", "text", "message"), WRONG.values(), ids=WRONG)
def test_a_file_that_cannot_be_read_is_told_with_its_place(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_records(path)


def test_a_wrong_column_is_told_with_those_there_are(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("body,topic\na,1\n", encoding="utf-8")
    message = (
        r'a\.csv:1: no column "topics" \(did you mean "topic"\?\); there are body, topic; --no-header reads the first'
    )
    with pytest.raises(DataError, match=message):
        read_records(path, wanted=["topics"])
    (tmp_path / "a.jsonl").write_text('{"body": "a"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r'a\.jsonl:1: no column "text"; there are body'):
        read_records(tmp_path / "a.jsonl", wanted=["text"])


def test_a_column_named_twice_cannot_be_asked_for(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,text\na,b\n", encoding="utf-8")
    with pytest.raises(DataError, match=r'a\.csv:1: "text" is the name of two columns'):
        read_records(path, wanted=["text"])


@pytest.mark.parametrize(
    ("first", "looks_so"),
    [
        ("It was a fine day,good", True),
        ("good,1", True),
        ("-0.5,good", True),
        ("good,", True),
        ("review text,rating", False),
    ],
)
def test_a_first_line_that_looks_like_a_row_is_told_from_a_header(tmp_path, first, looks_so):
    path = tmp_path / "a.csv"
    path.write_text(f"{first}\nanother,1\n", encoding="utf-8")
    told = "the first line looks like a row: --no-header" if looks_so else "; --no-header reads the first line as a row"
    with pytest.raises(DataError, match=told):
        read_records(path, wanted=["text"])


def test_columns_of_a_file_without_a_header_have_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("one,1\ntwo,2\n", encoding="utf-8")
    records = read_records(path, header=False)
    assert [record.fields for record in records] == [{"1": "one", "2": "1"}, {"1": "two", "2": "2"}]
    assert records[0].place == f"{path}:1"


@pytest.mark.fault(27)
def test_a_truncated_archive_is_refused(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + b"a,1\n" * 1000)[:-20])
    with pytest.raises(DataError, match=r"a\.csv\.gz is truncated"):
        read_records(path)


def test_a_missing_file_is_told_with_its_nearest_neighbour_and_an_ending_with_those_we_read(tmp_path):
    (tmp_path / "train.csv").write_text("text\na\n", encoding="utf-8")
    with pytest.raises(DataError, match=r'trian\.csv does not exist \(did you mean "train\.csv"\?\)'):
        read_records(tmp_path / "trian.csv")
    with pytest.raises(UsageError, match=r"\.csv, \.tsv, \.jsonl, \.parquet"):
        read_records(tmp_path / "train.docx")
