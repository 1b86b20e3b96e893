"""Text as it really lies on disks: every encoding, line end, compression and kind of damage. Files are real."""

import gzip
import json
import lzma

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from electra.data.readers import read_documents
from electra.data.sources import find_sources
from electra.data.text import MAX_LINE
from electra.errors import CorpusError, UsageError

TEXT = "first line\nsecond line\n\nother document\n"
DOCUMENTS = [["first line", "second line"], ["other document"]]
COMPRESS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.ZstdCompressor().compress}


def read(path, **settings):
    """The documents of a file and its report."""
    reports = []
    return list(read_documents(path, reports=reports, **settings)), reports[0]


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def write_records(path, *records):
    return write(path, "\n".join(json.dumps(record) for record in records) + "\n")


# -- where documents end ----------------------------------------------------------------------------------------------


def test_a_blank_line_ends_a_document_of_a_txt_file(tmp_path):
    assert read(write(tmp_path / "a.txt", "\n \n" + TEXT + "\t\n\n"))[0] == DOCUMENTS


def test_a_file_can_be_a_document(tmp_path):
    assert read(write(tmp_path / "a.txt", TEXT), documents="file")[0] == [
        ["first line", "second line", "other document"]
    ]


def test_a_record_is_a_document_and_its_newlines_are_lines(tmp_path):
    path = write_records(tmp_path / "a.jsonl", {"text": "one\ntwo\n\nthree", "id": 1}, {"text": ""}, {"text": "four"})
    assert read(path)[0] == [["one", "two", "three"], ["four"]]
    assert read(path, documents="blank-line")[0] == [["one", "two"], ["three"], ["four"]]
    assert read(path, documents="file")[0] == [["one", "two", "three", "four"]]


def test_parquet_rows_are_documents(tmp_path):
    table = pyarrow.table({"body": ["one\ntwo", "three"] * 100, "other": [1, 2] * 100})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", text_field="body")[0] == [["one", "two"], ["three"]] * 100
    with pytest.raises(CorpusError, match='no column "text"; its columns are body, other'):
        read(tmp_path / "a.parquet")


def test_a_txt_file_has_no_records(tmp_path):
    with pytest.raises(UsageError, match=r"a\.txt.*no records"):
        read(write(tmp_path / "a.txt", TEXT), documents="record")
    with pytest.raises(UsageError, match='documents is "page", expected one of auto, blank-line'):
        read(tmp_path / "a.txt", documents="page")


def test_a_very_long_document_arrives_whole(tmp_path):
    lines = [f"line {number} of a document that is longer than a piece" for number in range(60_000)]
    assert read(write(tmp_path / "a.txt", "\n".join(lines)))[0] == [lines]


# -- compression and damage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", COMPRESS)
@pytest.mark.parametrize("kind", [".txt", ".jsonl"])
def test_compressed_files_read_like_plain_ones(kind, ending, tmp_path):
    records = "".join(json.dumps({"text": "\n".join(lines)}) + "\n" for lines in DOCUMENTS)
    data = COMPRESS[ending]((TEXT if kind == ".txt" else records).encode())
    assert read(write(tmp_path / f"a{kind}{ending}", data))[0] == DOCUMENTS


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_several_compressed_streams_in_one_file_are_read_to_the_end(ending, tmp_path):
    data = COMPRESS[ending](b"one\n") + COMPRESS[ending](b"two\n")
    assert read(write(tmp_path / f"a.txt{ending}", data))[0] == [["one", "two"]]


@pytest.mark.fault(27)
@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_a_truncated_file_gives_its_whole_lines_and_says_where_it_ends(ending, tmp_path):
    lines = [f"line {number} {number * 7919 % 10007}" for number in range(100_000)]
    data = COMPRESS[ending]("\n".join(lines).encode())
    data = data[: len(data) // 2]
    documents, report = read(write(tmp_path / f"a.txt{ending}", data))
    assert report.damage == f"truncated at byte {len(data)}"
    assert len(documents[0]) > 1000
    assert documents[0] == lines[: len(documents[0])]


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_a_file_that_is_not_what_its_name_says_is_reported_as_corrupt(ending, tmp_path):
    documents, report = read(write(tmp_path / f"a.txt{ending}", "plain text\n" * 10))
    assert documents == []
    assert report.damage.startswith("corrupt near byte ")


@pytest.mark.fault(27)
def test_damage_inside_a_gzip_file_is_reported(tmp_path):
    data = bytearray(gzip.compress(np.random.default_rng(0).integers(97, 123, 400_000).astype(np.uint8).tobytes()))
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    assert read(write(tmp_path / "a.txt.gz", bytes(data)))[1].damage.startswith("corrupt near byte ")


@pytest.mark.fault(27)
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.txt.gz", "a.txt.xz", "a.jsonl.zst"])
def test_an_empty_file_has_no_documents(name, tmp_path):
    documents, report = read(write(tmp_path / name, b""))
    assert documents == []
    assert report.problems() == {"path": str(tmp_path / name), "empty": True}


@pytest.mark.fault(27)
def test_a_parquet_file_whose_columns_have_no_name_in_utf8_is_reported(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one"], "other": ["two"]}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    documents, report = read(write(tmp_path / "a.parquet", data.replace(b"other", b"oth\xf8r")))
    assert documents == []
    assert report.damage.startswith("not readable as parquet")


def test_a_damaged_parquet_file_is_reported(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one"]}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    documents, report = read(write(tmp_path / "a.parquet", data[:-20]))
    assert documents == []
    assert report.damage.startswith("not readable as parquet")


@pytest.mark.fault(23, 28)
def test_a_row_of_parquet_that_is_not_utf8_is_a_bad_record(tmp_path):
    texts = pyarrow.array([b"one", b"t\xffwo", b"three"], pyarrow.binary()).view(pyarrow.string())
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match=r'a.parquet:2.*column "text" is not UTF-8'):
        list(read_documents(tmp_path / "a.parquet"))
    assert list(read_documents(tmp_path / "a.parquet", max_bad_records=1)) == [["one"], ["three"]]


# -- encodings and characters -----------------------------------------------------------------------------------------


@pytest.mark.fault(24)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_byte_order_mark_tells_the_encoding_and_is_no_text(encoding, tmp_path):
    mark = "\ufeff" if encoding.endswith("-be") else ""
    documents, report = read(write(tmp_path / "a.txt", (mark + "é 漢字 𝔘\nzwei\n" * 50_000).encode(encoding)))
    assert documents == [["é 漢字 𝔘", "zwei"] * 50_000] if not mark else documents[0][0] == "é 漢字 𝔘"
    assert report.byte_order_mark
    assert report.invalid_bytes == 0


@pytest.mark.fault(24)
def test_nul_characters_are_dropped_and_counted(tmp_path):
    documents, report = read(write(tmp_path / "a.txt", b"a\0b\0\nc\n\0\n"))
    assert documents == [["ab", "c"]]
    assert report.nul_characters == 3


@pytest.mark.fault(24)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\u2029"])
def test_every_system_s_line_end_ends_a_line(end, tmp_path):
    text = end.join(["one", "two", "", "three"])
    assert read(write(tmp_path / "a.txt", text))[0] == [["one", "two"], ["three"]]
    assert read(write_records(tmp_path / "a.jsonl", {"text": text}))[0] == [["one", "two", "three"]]


def test_a_return_and_a_newline_in_two_blocks_are_one_line_end(tmp_path):
    for size in (262_143, 262_142, 262_144):
        line = "x " * (size // 2) + "x" * (size % 2)
        documents = read(write(tmp_path / "a.txt", line + "\r\nsecond\r\n\r\nthird"))[0]
        assert len(documents) == 2
        assert documents[0][-1] == "second"


@pytest.mark.fault(24)
def test_a_line_separator_inside_a_json_string_does_not_end_the_record(tmp_path):
    path = write(tmp_path / "a.jsonl", json.dumps({"text": "one\u2028two\x85three"}, ensure_ascii=False) + "\r\n")
    assert read(path)[0] == [["one", "two\x85three"]]


@pytest.mark.fault(23)
def test_invalid_bytes_are_replaced_and_their_offsets_told(tmp_path):
    documents, report = read(write(tmp_path / "a.txt", b"good\nb\xffd \xe2\x82\nend\xc3"))
    assert documents == [["good", "b\ufffdd \ufffd", "end\ufffd"]]
    assert report.invalid_bytes == 4
    assert report.first_invalid_offsets == [6, 9, 15]


@pytest.mark.fault(23)
def test_lines_with_invalid_bytes_can_be_left_out(tmp_path):
    documents, report = read(write(tmp_path / "a.txt", "a\n\ufffd is text\n".encode() + b"b\xff\nc\n"), errors="skip")
    assert documents == [["a", "\ufffd is text", "c"]]
    assert report.skipped_lines == 1


@pytest.mark.fault(23)
def test_invalid_bytes_can_be_an_error_that_names_file_and_byte(tmp_path):
    with pytest.raises(CorpusError, match=r"a\.txt is not valid utf-8 at byte 6;.*replace"):
        read(write(tmp_path / "a.txt", b"good\nb\xffd"), errors="error")


def test_a_character_cut_by_the_end_of_a_block_is_whole(tmp_path):
    for shift in range(4):
        documents, report = read(write(tmp_path / "a.txt", "x" * shift + "\n" + "漢字𝔘 " * 60_000))
        assert "".join(documents[0]).replace(" ", "").count("漢字𝔘") == 60_000
        assert report.invalid_bytes == 0


@pytest.mark.fault(25)
def test_a_lone_surrogate_in_json_becomes_a_replacement_character(tmp_path):
    documents, report = read(write(tmp_path / "a.jsonl", '{"text": "a \\ud800 b \\ud83d\\ude00"}\n'))
    assert documents == [["a \ufffd b \U0001f600"]]
    assert report.lone_surrogates == 1


# -- long lines -------------------------------------------------------------------------------------------------------


@pytest.mark.fault(26)
def test_a_long_line_is_cut_at_whitespace_and_nothing_is_lost(tmp_path):
    line = " ".join(f"word{number}" for number in range(60_000))
    documents, report = read(write(tmp_path / "a.txt", line))
    assert max(map(len, documents[0])) <= MAX_LINE
    assert " ".join(documents[0]) == line
    assert report.split_lines == len(documents[0]) - 1


def test_a_long_line_without_whitespace_is_cut_hard(tmp_path):
    assert read(write(tmp_path / "a.txt", "x" * (2 * MAX_LINE + 5)))[0] == [["x" * MAX_LINE, "x" * MAX_LINE, "x" * 5]]


MEMORY_OF_ONE_LINE = """
import re, sys
from electra.data.readers import Reading, SpanReader
from electra.data.sources import find_sources, whole
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])  # ru_maxrss would be the parent's
before = peak()
reader = SpanReader(whole(find_sources(sys.argv[1])[0]), Reading())
characters = sum(len(line) for piece in reader.pieces() for line in piece.lines)
print(characters, (peak() - before) // 1024)
"""


@pytest.mark.fault(26)
@pytest.mark.parametrize("word", [b"words ", b"x"])
def test_a_line_of_64_mb_is_read_in_a_few_mb_of_memory(word, tmp_path, start_python):
    path = write(tmp_path / "a.txt", word * ((64 << 20) // len(word)))
    output, errors = start_python(MEMORY_OF_ONE_LINE, path).communicate()
    assert errors == ""
    characters, megabytes = map(int, output.split())
    assert characters > 60 << 20
    assert 0 < megabytes < 32


# -- records ----------------------------------------------------------------------------------------------------------

BAD = {
    "not json": ('{"text": "a" "b"}', r"a\.jsonl:2:14: not JSON \(Expecting ',' delimiter\)"),
    "a list": ("[1, 2]", r"a\.jsonl:2:1: a JSON list, expected an object"),
    "no field": ('{"body": "x", "id": 3}', r'a\.jsonl:2:1: no field "text" among body, id'),
    "a number": ('{"text": 7}', r'a\.jsonl:2:1: field "text" is a int, expected a string'),
    "null": ('{"text": null}', r'a\.jsonl:2:1: field "text" is a NoneType'),
    "too deep": ("[" * 100_000, r"a\.jsonl:2:1: JSON nested too deeply"),
    "a huge number": ('{"text": ' + "1" * 5000 + "}", r"a\.jsonl:2:1: not JSON"),
}


@pytest.mark.fault(28)
@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_an_error_with_file_line_and_column(case, tmp_path):
    line, message = BAD[case]
    path = write(tmp_path / "a.jsonl", '{"text": "good"}\n' + line + '\n{"text": "end"}\n')
    with pytest.raises(CorpusError, match=message + r".*max_bad_records"):
        read(path)
    documents, report = read(path, max_bad_records=1)
    assert documents == [["good"], ["end"]]
    assert report.bad_record_count == 1


@pytest.mark.fault(28)
def test_more_bad_records_than_the_budget_are_an_error(tmp_path):
    path = write(tmp_path / "a.jsonl", "{}\n{}\n{}\n")
    with pytest.raises(CorpusError, match=r"a\.jsonl:3:1.*bad record 3, 2 allowed"):
        read(path, max_bad_records=2)


def test_the_last_record_of_a_truncated_file_is_not_a_bad_one(tmp_path):
    data = gzip.compress(b"".join(b'{"text": "line %d"}\n' % (n * 7919 % 100_003) for n in range(50_000)))
    documents, report = read(write(tmp_path / "a.jsonl.gz", data[: len(data) // 2]))
    assert len(documents) > 1000
    assert (report.damage, report.bad_record_count) == (f"truncated at byte {len(data) // 2}", 0)


# -- which files ------------------------------------------------------------------------------------------------------


def test_folders_and_globs_give_their_files_in_order_and_once(tmp_path):
    for name in ("b.txt", "a.jsonl.xz", "c.md", "sub/d.txt.gz", ".hidden.txt", ".tmp/e.txt", "made/vocab.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, b"")
    write(tmp_path / "made/corpus.json", "{}")

    def names(*sources):
        return [str(one.path.relative_to(tmp_path)) for one in find_sources(sources)]

    assert names(tmp_path) == ["a.jsonl.xz", "b.txt", "sub/d.txt.gz"]
    assert names(tmp_path / "*.txt", tmp_path) == ["b.txt", "a.jsonl.xz", "sub/d.txt.gz"]
    assert names(tmp_path / "**/*.gz", tmp_path / "b.txt") == ["sub/d.txt.gz", "b.txt"]


def test_sources_that_give_nothing_are_named(tmp_path):
    write(tmp_path / "a.md", "x")
    with pytest.raises(CorpusError, match=r"nowhere\.txt does not exist and, read as a pattern, matches no file"):
        find_sources(tmp_path / "nowhere.txt")
    with pytest.raises(CorpusError, match=r"has no file ending in \.txt, \.jsonl, \.parquet"):
        find_sources(tmp_path)
    with pytest.raises(CorpusError, match=r"a\.md is not a file we read"):
        find_sources(tmp_path / "a.md")
