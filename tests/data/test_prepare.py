"""Preparing a corpus: the same bytes however often it is killed and however many processes work. Kills are real."""

import gzip
import json
from itertools import pairwise

import numpy as np
import pytest
from corpora import contents, wait_for_lock

from electra.data import plan, units
from electra.data.corpus import Corpus
from electra.data.held_out import Choice
from electra.data.prepare import prepare
from electra.data.work import Progress
from electra.errors import CorpusError, TryAgainError, UsageError, WriteError


@pytest.fixture
def sources(tmp_path):
    """Three files of differing size and kind: 200 documents, 9 kB each."""
    folder = tmp_path / "sources"
    folder.mkdir()
    rng = np.random.default_rng(0)
    words = np.array(
        [
            "the",
            "a",
            "of",
            "to",
            "and",
            "in",
            "is",
            "it",
            "you",
            "that",
            "he",
            "was",
            "for",
            "on",
            "are",
            "with",
            "his",
            "they",
            "at",
            "be",
            "Zebra,",
            "café",
            "(12)",
            "up.",
        ]
    )

    def document():
        return "\n".join(" ".join(rng.choice(words, 12)) for _ in range(150))

    (folder / "a.txt").write_text("\n\n".join(document() for _ in range(60)))
    (folder / "b.jsonl").write_text("".join(json.dumps({"text": document()}) + "\n" for _ in range(100)))
    (folder / "c.txt.gz").write_bytes(gzip.compress("\n\n".join(document() for _ in range(40)).encode()))
    return folder


@pytest.fixture
def small_units(monkeypatch):
    """Units and ranges of 100 kB, so that a small corpus has several."""
    monkeypatch.setattr(units, "UNIT", 100_000)
    monkeypatch.setattr(plan, "RANGE", 100_000)


def texts(folder, tokenizer):
    """The lines of both splits, decoded, by document."""
    found = []
    for split in ("train", "validation"):
        corpus = Corpus.open(folder, split)
        for begin, end in zip(corpus.document_offsets, corpus.document_offsets[1:], strict=False):
            bounds = corpus.line_offsets[begin : end + 1]
            found.append([tokenizer.decode(corpus.ids[one:two]) for one, two in pairwise(bounds)])
    return found


# -- what it makes ----------------------------------------------------------------------------------------------------


def test_every_document_lands_whole_in_one_of_the_splits(sources, tmp_path, tokenizer, small_units):
    info = prepare(sources, tmp_path / "corpus", tokenizer, processes=1, held_out=0.1)
    assert info.splits["train"]["documents"] + info.splits["validation"]["documents"] == 200
    assert 5 < info.splits["validation"]["documents"] < 40
    given = [
        *(sources / "a.txt").read_text().split("\n\n"),
        *(json.loads(line)["text"] for line in (sources / "b.jsonl").read_text().splitlines()),
        *gzip.decompress((sources / "c.txt.gz").read_bytes()).decode().split("\n\n"),
    ]
    expected = [[tokenizer.decode(tokenizer.encode_lines([line])[0]) for line in text.split("\n")] for text in given]
    assert sorted(texts(tmp_path / "corpus", tokenizer)) == sorted(expected)


def test_one_and_two_processes_make_the_same_bytes(sources, tmp_path, tokenizer):
    prepare(sources, tmp_path / "one", tokenizer, processes=1)
    prepare(sources, tmp_path / "two", tokenizer, processes=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_where_units_are_cut_does_not_show(sources, tmp_path, tokenizer, monkeypatch):
    prepare(sources, tmp_path / "one", tokenizer, processes=1)
    monkeypatch.setattr(units, "UNIT", 30_000)
    prepare(sources, tmp_path / "two", tokenizer, processes=1)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_document_longer_than_several_units_stays_one(tmp_path, tokenizer, small_units):
    (tmp_path / "a.txt").write_text("\n".join(f"he had {number}" for number in range(300_000)) + "\n\nend\n")
    info = prepare(tmp_path / "a.txt", tmp_path / "corpus", tokenizer, processes=1, held_out=0.5)
    assert {split["documents"] for split in info.splits.values()} == {1}
    assert sorted(split["lines"] for split in info.splits.values()) == [1, 300_000]


def test_lines_and_documents_without_tokens_are_left_out(tmp_path, tokenizer):
    (tmp_path / "a.txt").write_text("one\n\u200b\ntwo\n\n\u200b\n\nthree\n")
    info = prepare(tmp_path / "a.txt", tmp_path / "corpus", tokenizer, processes=1, held_out=0)
    assert info.splits["train"] == {"tokens": 9, "lines": 3, "documents": 2}
    assert np.diff(Corpus.open(tmp_path / "corpus").line_offsets).all()


def test_problems_of_files_are_in_the_description(tmp_path, tokenizer):
    (tmp_path / "good.txt").write_text("all is good")
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    (tmp_path / "empty.txt").write_bytes(b"")
    found = prepare(tmp_path, tmp_path / "corpus", tokenizer, processes=1).problems
    latin = {"invalid_bytes": 1, "first_invalid_offsets": [3]}
    assert found == [
        {"path": str(tmp_path / "empty.txt"), "empty": True},
        {"path": str(tmp_path / "latin.txt")} | latin,
    ]


def test_progress_ends_at_all_bytes(sources, tmp_path, tokenizer, small_units):
    told: list[Progress] = []
    info = prepare(sources, tmp_path / "corpus", tokenizer, processes=1, progress=told.append)
    assert len(told) > 10
    assert [one.bytes_done for one in told] == sorted(one.bytes_done for one in told)
    assert told[-1].bytes_done == told[-1].bytes_total == sum(path.stat().st_size for path in sources.iterdir())
    assert told[-1].tokens == sum(split["tokens"] for split in info.splits.values())
    assert told[-1].seconds_left == 0


# -- what is held out -------------------------------------------------------------------------------------------------


def test_equal_documents_are_held_out_together(tmp_path, tokenizer):
    (tmp_path / "a.txt").write_text("\n\n".join(f"document {number % 50}" for number in range(500)))
    prepare(tmp_path / "a.txt", tmp_path / "corpus", tokenizer, processes=1, held_out=0.2)
    train, validation = (
        {corpus.ids[one:two].tobytes() for one, two in zip(corpus.line_offsets, corpus.line_offsets[1:], strict=False)}
        for corpus in (Corpus.open(tmp_path / "corpus", split) for split in ("train", "validation"))
    )
    assert not train & validation
    assert len(train | validation) == 50


@pytest.mark.parametrize(
    ("documents", "held_out", "expected"), [(1, 0.5, 0), (2, 1e-9, 1), (2, 0.999999, 1), (5, 0, 0)]
)
def test_of_several_documents_each_split_gets_at_least_one(documents, held_out, expected):
    keys = np.array([2**63, 2**62, 2**61, 5, 2**63 + 7][:documents], dtype=np.uint64)
    choice = Choice(held_out)
    for first in range(0, documents, 2):
        choice.add(keys[first : first + 2], np.ones(len(keys[first : first + 2]), dtype=bool))
    rule = choice.rule()
    assert (
        sum((rule.sides(keys[[one]], np.ones(1, dtype=bool), one) == 1).sum() for one in range(documents)) == expected
    )
    assert (rule.sides(keys, np.ones(documents, dtype=bool), 0) == 1).sum() == expected


# -- kills, faults, repetition ----------------------------------------------------------------------------------------

KILLED = """
import sys, time
from pathlib import Path
from electra.data import plan, units
from electra.data.prepare import prepare
from electra.tokenization import load_tokenizer
units.UNIT = plan.RANGE = 100_000
if __name__ == "__main__":
    slow = lambda progress: print(progress.bytes_done, flush=True) or time.sleep(0.05)
    prepare(sys.argv[1], sys.argv[2], load_tokenizer(sys.argv[3]), processes=int(sys.argv[4]), progress=slow)
"""


@pytest.mark.fault(1)
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_at_any_moment_and_started_again_it_makes_the_same_bytes(
    processes, sources, tmp_path, tokenizer, vocabulary_file, start_python, small_units
):
    out = tmp_path / "corpus"
    for lines in (2, 4):
        process = start_python(KILLED, sources, out, vocabulary_file, processes)
        for _ in range(lines):
            assert process.stdout.readline()
        process.kill()
        process.communicate()
        assert not out.exists()
    finished = len(list(tmp_path.glob(".corpus.preparing/*/units/*.npz")))
    assert finished >= 6
    told = []
    wait_for_lock(lambda: prepare(sources, out, tokenizer, processes=1, progress=told.append))
    prepare(sources, tmp_path / "whole", tokenizer, processes=1)
    assert contents(out) == contents(tmp_path / "whole")
    assert 0 < len(told) <= 19 - finished
    assert not (tmp_path / ".corpus.preparing").exists()


def test_a_damaged_finished_unit_is_made_again(sources, tmp_path, tokenizer, small_units):
    class StopError(Exception):
        pass

    def stop(progress):
        if progress.bytes_done > 300_000:
            raise StopError

    out = tmp_path / "corpus"
    with pytest.raises(StopError):
        prepare(sources, out, tokenizer, processes=1, progress=stop)
    unit = next(tmp_path.glob(".corpus.preparing/*/units/0000001-00000.npz"))
    data = bytearray(unit.read_bytes())
    data[len(data) // 2] ^= 255
    unit.write_bytes(data)
    prepare(sources, out, tokenizer, processes=1)
    prepare(sources, tmp_path / "whole", tokenizer, processes=1)
    assert contents(out) == contents(tmp_path / "whole")


def test_units_of_other_settings_are_not_reused(sources, tmp_path, tokenizer, small_units):
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(sources, tmp_path / "corpus", tokenizer, processes=1, documents="file", progress=stop)
    prepare(sources, tmp_path / "corpus", tokenizer, processes=1)
    prepare(sources, tmp_path / "whole", tokenizer, processes=1)
    assert contents(tmp_path / "corpus") == contents(tmp_path / "whole")


def test_an_identical_finished_corpus_is_reused(sources, tmp_path, tokenizer):
    first = prepare(sources, tmp_path / "corpus", tokenizer, processes=1)
    before = (tmp_path / "corpus/corpus.json").stat()
    again = prepare(sources, tmp_path / "corpus", tokenizer, processes=2)
    assert (first.was_reused, again.was_reused) == (False, True)
    assert again.description == first.description
    assert (tmp_path / "corpus/corpus.json").stat().st_mtime_ns == before.st_mtime_ns


def test_a_corpus_of_other_settings_is_refused_with_the_difference_unless_overwritten(sources, tmp_path, tokenizer):
    out = tmp_path / "corpus"
    prepare(sources, out, tokenizer, processes=1)
    before = contents(out)
    (sources / "d.txt").write_text("more")
    with pytest.raises(
        CorpusError, match=r'(?s)errors: "replace" there, "skip".*held_out: 0.01 .*, 0.2 .*sources.d.txt: nothing there'
    ):
        prepare(sources, out, tokenizer, processes=1, held_out=0.2, errors="skip")
    assert contents(out) == before
    prepare(sources, out, tokenizer, processes=1, held_out=0.2, overwrite=True)
    assert Corpus.open(out).description["settings"]["held_out"] == 0.2


def test_a_folder_that_is_no_corpus_is_never_overwritten(sources, tmp_path, tokenizer):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/thesis.doc").write_text("precious")
    with pytest.raises(CorpusError, match="exists and is not a prepared corpus"):
        prepare(sources, tmp_path / "corpus", tokenizer, processes=1, overwrite=True)
    assert (tmp_path / "corpus/thesis.doc").read_text() == "precious"


@pytest.mark.fault(27)
def test_text_without_a_usable_line_is_an_error_that_counts_the_files(tmp_path, tokenizer):
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "b.jsonl").write_bytes(b"\n")
    (tmp_path / "c.txt.gz").write_bytes(
        gzip.compress(b"one line that is cut short before it ends, and is left out")[:30]
    )
    message = r"corpus has 0 usable lines \(3 files, 2 empty, 1 truncated at byte 30\)"
    with pytest.raises(CorpusError, match=message) as caught:
        prepare(tmp_path, tmp_path / "corpus", tokenizer, processes=1)
    assert caught.value.exit_code == 65
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.jsonl", "c.txt.gz"]


@pytest.mark.fault(42)
def test_two_prepares_of_one_folder_do_not_meet(sources, tmp_path, tokenizer, small_units):
    def meet(progress):
        with pytest.raises(TryAgainError, match="another process is preparing"):
            prepare(sources, tmp_path / "corpus", tokenizer, processes=1)

    prepare(sources, tmp_path / "corpus", tokenizer, processes=1, progress=meet)


@pytest.mark.fault(43)
def test_a_place_that_cannot_be_written_is_named(sources, tmp_path, tokenizer):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"file/corpus could not be written"):
        prepare(sources, tmp_path / "file" / "corpus", tokenizer, processes=1)
    with pytest.raises(UsageError, match="held_out is 1"):
        prepare(sources, tmp_path / "corpus", tokenizer, held_out=1)
