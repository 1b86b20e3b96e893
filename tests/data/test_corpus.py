"""A prepared corpus opens only if it is whole, and says which file is not."""

import json
import pickle

import numpy as np
import pytest
from damage import flip_bit

from electra.data.corpus import Corpus
from electra.data.prepare import prepare
from electra.errors import CorpusError


@pytest.fixture
def folder(tmp_path, tokenizer):
    """A corpus of forty documents."""
    source = tmp_path / "text.txt"
    source.write_text("\n\n".join(f"the word {number}\nis in it." for number in range(40)))
    prepare(source, tmp_path / "corpus", tokenizer, processes=1, held_out=0.1)
    return tmp_path / "corpus"


def test_a_corpus_holds_ids_lines_and_documents_of_both_splits(folder, tokenizer):
    train, validation = Corpus.open(folder), Corpus.open(folder, "validation")
    assert train.documents + validation.documents == 40
    assert train.lines == 2 * train.documents
    assert train.ids.dtype == np.uint16
    assert train.ids[: train.line_offsets[2]].tolist() == tokenizer.encode_lines(["the word 0\nis in it."])[0].tolist()
    assert train.special_ids == {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    assert train.vocab_size == len(tokenizer)
    assert train.tokenizer_fingerprint == tokenizer.fingerprint()
    assert train.fingerprint == validation.fingerprint
    train.verify()
    validation.verify()


def test_a_corpus_travels_to_another_process_as_its_address(folder):
    corpus = Corpus.open(folder, "validation")
    data = pickle.dumps(corpus)
    assert len(data) < 1000
    copy = pickle.loads(data)
    assert copy.split == "validation"
    np.testing.assert_array_equal(copy.ids, corpus.ids)


@pytest.mark.fault(44)
@pytest.mark.parametrize("part", ["ids", "lines", "documents"])
def test_a_file_that_is_cut_short_or_missing_is_named(part, folder):
    path = folder / "train" / f"{part}.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(CorpusError, match=rf"train/{part}\.bin has \d+ bytes, expected \d+"):
        Corpus.open(folder)
    path.unlink()
    with pytest.raises(CorpusError, match=rf"train/{part}\.bin is missing"):
        Corpus.open(folder)
    Corpus.open(folder, "validation")


@pytest.mark.fault(4, 44)
@pytest.mark.parametrize("part", ["ids", "lines", "documents"])
def test_verify_finds_one_flipped_bit_and_names_the_file(part, folder):
    path = folder / "train" / f"{part}.bin"
    flip_bit(path, path.stat().st_size // 2)
    with pytest.raises(CorpusError, match=rf"train/{part}\.bin is damaged: its sha256 is"):
        Corpus.open(folder).verify()


@pytest.mark.fault(44)
def test_bounds_of_another_corpus_are_found_on_opening(folder):
    lines = np.fromfile(folder / "train/lines.bin", dtype="<i8")
    lines[-1] += 1
    lines.tofile(folder / "train/lines.bin")
    with pytest.raises(CorpusError, match=r"lines\.bin runs from 0 to \d+, expected 0 to"):
        Corpus.open(folder)


@pytest.mark.fault(18)
def test_special_ids_that_the_vocabulary_lacks_are_found_on_opening(folder):
    description = json.loads((folder / "corpus.json").read_text())
    description["tokenizer"]["special_ids"]["pad"] = description["tokenizer"]["vocab_size"]
    (folder / "corpus.json").write_text(json.dumps(description))
    with pytest.raises(CorpusError, match="is damaged: what it says of its parts"):
        Corpus.open(folder)


def test_a_folder_that_is_no_corpus_says_so(tmp_path, folder):
    with pytest.raises(CorpusError, match=r"not a prepared corpus.*electra prepare"):
        Corpus.open(tmp_path)
    with pytest.raises(CorpusError, match='splits train and validation, not "test"'):
        Corpus.open(folder, "test")
    description = json.loads((folder / "corpus.json").read_text())
    for change, message in (
        ({"format": 9}, "format 9, expected 1"),
        ({"format": 1, "splits": {}}, "lacks files, fingerprint, ids_dtype"),
    ):
        (folder / "corpus.json").write_text(json.dumps(change))
        with pytest.raises(CorpusError, match=message):
            Corpus.open(folder)
    (folder / "corpus.json").write_text(json.dumps(description)[:50])
    with pytest.raises(CorpusError, match=r"corpus\.json is not JSON"):
        Corpus.open(folder)


def test_a_corpus_without_held_out_documents_says_so(tmp_path, tokenizer):
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    prepare(tmp_path / "a.txt", tmp_path / "corpus", tokenizer, processes=1, held_out=0)
    assert Corpus.open(tmp_path / "corpus").documents == 2
    with pytest.raises(CorpusError, match="no validation documents: it was prepared with held_out=0"):
        Corpus.open(tmp_path / "corpus", "validation")
