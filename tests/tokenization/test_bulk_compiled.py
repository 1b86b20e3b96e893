"""encode_lines in C: the same ids as the plain path and as the `tokenizers` package, whatever the lines hold."""

import copy
import pickle
import threading
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nightly import examples

from electra import native
from electra.tokenization import ElectraTokenizer, ElectraTokenizerFast, compiled
from electra.tokenization.bulk import LineEncoder
from electra.tokenization.compiled import CompiledEncoder
from electra.tokenization.wordpiece import replace_surrogates

NORMALIZATIONS = (
    {},
    {"do_lower_case": False},
    {"strip_accents": False},
    {"do_lower_case": False, "strip_accents": True},
    {"tokenize_chinese_chars": False},
)
SIZES = ({}, {"block": 7, "slots": 4}, {"block": 40, "slots": 1})

# Ends of units, letters of every width in UTF-8, marks that stay and marks that go, and what is no character at all.
FRAGMENTS = [
    " ", "\t", "\n", "\r", "\x00", "\x1c", "\x7f", "\x85", "\u00a0", "\u2028", "\u3000", "\ufeff", "\u200b", "\ud800",
    "\ufffd", ".", "##", "[MASK]", "_", "'", "~", "，", "…", "the", "garden", "Waters", "s", "é", "e\u0301", "ß", "İ",
    "Σ", "ΟΔΟΣ", "중", "\u1112\u1161", "中", "文字", "\uf900", "\U0002f800", "か\u3099", "нет", "नि", "👍🏽", "\U0010ffff",
    "\u0301", "\u0345\u0300", "\u302e", "\u302f", "\U0001d165", "\U0001d15e", "\u1b44", "=\u0338", "a" * 15, "a" * 16,
    "b" * 64, "c" * 100, "c" * 101, "é" * 100, "\u0301" * 300, "." * 70,
]  # fmt: skip
anything = st.text(st.characters(), max_size=40)
mixture = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)
many_lines = st.lists(mixture | anything, max_size=6)


@cache
def encoders(pieces, options):
    """A tokenizer's backend, the plain path, and the compiled one in several sizes."""
    backend = ElectraTokenizerFast(list(pieces), **dict(options))._text_backend
    functions = compiled._functions()
    return backend, LineEncoder(backend), [CompiledEncoder(functions, backend, **sizes) for sizes in SIZES]


def listed(ids, lengths):
    return [row.tolist() for row in np.split(ids, np.cumsum(lengths)[:-1])] if len(lengths) else []


@pytest.mark.parametrize("options", NORMALIZATIONS, ids=str)
@settings(max_examples=examples(25, 5000), derandomize=True, deadline=None)
@given(lines=many_lines)
@example(lines=[])
@example(lines=["", "\n", "", "a\nb", ""])
@example(lines=["\u302e\U0001d165 a", "the garden"])
def test_any_lines_give_the_ids_of_the_plain_path_and_of_the_package(vocabulary, options, lines):
    backend, plain, variants = encoders(tuple(vocabulary), tuple(options.items()))
    clean = [replace_surrogates(line) for line in lines]
    expected = [row.ids for row in backend.encode_batch(clean, add_special_tokens=False)]
    assert listed(*plain.encode(lines)) == expected
    for encoder in variants:
        assert listed(*encoder.encode(lines)) == expected


@pytest.mark.parametrize("options", NORMALIZATIONS[:3], ids=str)
def test_characters_of_all_unicode_give_the_ids_of_the_plain_path(vocabulary, options):
    _, plain, variants = encoders(tuple(vocabulary), tuple(options.items()))
    chars = [chr(code) for code in range(0, 0x110000, examples(199, 1))]
    lines = [f"{char} a{char} {char}a .{char}{char}." for char in chars]
    for got, expected in zip(variants[-1].encode(lines), plain.encode(lines), strict=True):
        assert np.array_equal(got, expected)


def test_a_line_of_marks_alone_has_more_ids_than_were_made_room_for(fast, slow):
    line = "." * 1_000_000
    ids, lengths = CompiledEncoder.of(fast._text_backend).encode([line, "", line])
    assert lengths.tolist() == [1_000_000, 0, 1_000_000]
    assert set(ids.tolist()) == {slow.convert_tokens_to_ids(".")}


@pytest.mark.parametrize("unit", ["a", "é", "中", "\u0301", "👍", "word ", "a."])
def test_a_line_of_many_blocks_gives_the_ids_of_the_slow_tokenizer(fast, slow, unit):
    encoder = CompiledEncoder(compiled._functions(), fast._text_backend, block=1000)
    lines = [unit * 5000, "the " + unit * 99 + " garden"]
    assert listed(*encoder.encode(lines)) == slow(lines, add_special_tokens=False)["input_ids"]


def test_units_that_share_a_slot_are_told_apart(fast):
    plain = LineEncoder(fast._text_backend)
    encoder = CompiledEncoder(compiled._functions(), fast._text_backend, slots=1)
    lines = ["s er ser s", "the a\x00 a the a", "eeeeeeee eeeeeeee eeeeeee", "a" * 15 + " " + "a" * 14, "er. s. er"] * 3
    assert listed(*encoder.encode(lines)) == listed(*plain.encode(lines))


def test_a_machine_with_a_compiler_uses_it(vocab_file):
    fast = ElectraTokenizerFast(vocab_file)
    fast.encode_lines(["the"])
    assert isinstance(fast._line_encoder, CompiledEncoder)


def test_what_was_met_is_remembered_and_changes_nothing(fast, texts):
    encoder = CompiledEncoder.of(fast._text_backend)
    first, second = (listed(*encoder.encode(texts)) for _ in range(2))
    assert first == second
    assert encoder._slots.any()
    encoder._slots[:] = 0
    assert listed(*encoder.encode(texts)) == first


def test_a_call_that_failed_leaves_no_word_open(fast):
    encoder = CompiledEncoder(compiled._functions(), fast._text_backend, block=4)
    with pytest.raises(TypeError):
        encoder.encode(["gardengarden", b"bytes"])
    encoder._reader.letters = encoder._reader.size = 3  # as an interrupt between two texts leaves it
    assert listed(*encoder.encode(["the"])) == [fast("the", add_special_tokens=False)["input_ids"]]


def test_threads_share_an_encoder(fast, texts):
    encoder = CompiledEncoder(compiled._functions(), fast._text_backend, block=50, slots=16)
    expected = listed(*LineEncoder(fast._text_backend).encode(texts * 20))
    found = []
    threads = [threading.Thread(target=lambda: found.append(listed(*encoder.encode(texts * 20)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_a_tokenizer_that_encoded_lines_can_be_copied(vocab_file):
    fast = ElectraTokenizerFast(vocab_file)
    expected = listed(*fast.encode_lines(["the [MASK] garden"]))
    for again in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        assert listed(*again.encode_lines(["the [MASK] garden"])) == expected


def test_without_compiled_code_the_plain_path_gives_the_same(vocab_file, texts, monkeypatch):
    expected = listed(*ElectraTokenizerFast(vocab_file).encode_lines(texts))
    monkeypatch.setenv("ELECTRA_NATIVE", "0")
    native.library.cache_clear()
    compiled._functions.cache_clear()
    try:
        plain = ElectraTokenizerFast(vocab_file)
        assert listed(*plain.encode_lines(texts)) == expected
        assert isinstance(plain._line_encoder, LineEncoder)
    finally:
        native.library.cache_clear()
        compiled._functions.cache_clear()


def test_a_vocabulary_of_other_special_tokens_and_odd_pieces_is_read(texts):
    pieces = ["<unk>", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "a", "##", "##b", "#", "é", "中", "##中", "a" * 120, "\x00"]
    fast = ElectraTokenizerFast(pieces, unk_token="<unk>")
    slow = ElectraTokenizer(pieces, unk_token="<unk>")
    lines = [*texts, "abb ab # ## a# 中中 é \x00 <unk>", "a" * 120]
    assert listed(*fast.encode_lines(lines)) == listed(*LineEncoder(fast._text_backend).encode(lines))
    assert listed(*fast.encode_lines(["abb #a 中"])) == slow(["abb #a 中"], add_special_tokens=False)["input_ids"]
