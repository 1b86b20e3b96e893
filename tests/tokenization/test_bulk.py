"""encode_lines: many lines at once, the same ids as the slow tokenizer, whatever the lines hold."""

import random

import numpy as np
import pytest

from electra.tokenization import ElectraTokenizer, ElectraTokenizerFast
from electra.tokenization.bulk import LineEncoder

FRAGMENTS = [
    "a" * 150, "the", "é" * 120, "\u0301" * 300, "\u200b" * 200, "中" * 50, "[MASK]", "[MA" + "\u200b" * 150 + "SK]",
    "...", "\x1c", "\x85", "\u00a0", "\u2028", " ", "\t", "İ" * 110, "👍" * 130, "\ud800", "_", "garden",
]  # fmt: skip


def test_lines_come_back_flat_with_their_lengths(fast):
    ids, lengths = fast.encode_lines(["the garden", "", "waters"])
    assert fast.convert_ids_to_tokens(ids) == ["the", "garden", "waters"]
    assert lengths.tolist() == [2, 0, 1]
    assert (ids.dtype, lengths.dtype) == (np.int32, np.int64)


def test_no_lines_give_empty_arrays(fast):
    ids, lengths = fast.encode_lines([])
    assert (ids.shape, lengths.shape) == ((0,), (0,))


def test_special_tokens_in_a_line_are_text(fast):
    assert fast.convert_ids_to_tokens(fast.encode_lines(["a [MASK]"])[0]) == ["a", "[", "mask", "]"]


@pytest.mark.parametrize("options", [{}, {"do_lower_case": False}, {"tokenize_chinese_chars": False}], ids=str)
def test_lines_with_monstrous_words_give_the_ids_of_the_slow_tokenizer(vocab_file, options):
    fast = ElectraTokenizerFast(vocab_file, **options)
    slow = ElectraTokenizer(vocab_file, split_special_tokens=True, **options)
    rng = random.Random(7)
    lines = ["".join(rng.choices(FRAGMENTS, k=60)) for _ in range(40)]
    ids, lengths = fast.encode_lines(lines)
    expected = slow(lines, add_special_tokens=False)["input_ids"]
    assert lengths.tolist() == [len(row) for row in expected]
    assert ids.tolist() == [i for row in expected for i in row]


def test_small_blocks_and_a_short_memory_change_nothing(fast, texts):
    small = LineEncoder(fast.backend_tokenizer, block=20, most_units=5)
    large = LineEncoder(fast.backend_tokenizer)
    for _ in range(2):
        for got, expected in zip(small.encode(texts), large.encode(texts), strict=True):
            assert np.array_equal(got, expected)


@pytest.mark.parametrize("unit", ["a", "中", ".", "word ", "\u0301"])
def test_a_line_of_a_hundred_thousand_characters_equals_the_slow_tokenizer(fast, slow, unit):
    line = unit * (100_000 // len(unit))
    assert fast.encode_lines([line])[0].tolist() == slow(line, add_special_tokens=False)["input_ids"]


@pytest.mark.fault(26)
def test_what_the_package_sees_of_a_monstrous_word_is_short(fast):
    from electra.tokenization.long_words import in_parts, shorten_words

    assert len(shorten_words("a" * 1_000_000, fast.backend_tokenizer)) == 101
    assert max(map(len, in_parts(shorten_words("." * 300_000, fast.backend_tokenizer)))) < 70_000
