"""The memory of words changes the speed, never the ids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electra.data import words
from electra.data.words import WordMemory
from electra.tokenization import ElectraTokenizerFast

AWKWARD = [
    'The quick, brown fox. It\'s he had_been: "one" [MASK] [SEP]',
    "a\tb  c\x01d\x7fe f\x1cg\x85h\u00a0i\u3000j\u2028k\u200bl",
    "Café CAFÉ cafe\u0301 ﬁ ß İ Σας ΣΑΣ",
    "漢字 and漢字and 𠀀 한국어 ไทย \U0001f600\u200d\U0001f525",
    "x" * 300 + " " + "é" * 300 + " -- ... !!! a-b_c",
    "",
    "   ",
    "\x00\x01",
]


@pytest.fixture(params=[True, False], ids=["lower case", "cased"])
def pair(request, vocabulary_file):
    """A tokenizer and its memory."""
    tokenizer = ElectraTokenizerFast(vocabulary_file, do_lower_case=request.param)
    return tokenizer, WordMemory(tokenizer, "<u2")


def assert_same(pair, lines):
    for found, expected in zip(pair[1].encode_lines(lines), pair[0].encode_lines(lines), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_awkward_lines_give_the_tokenizer_s_ids(pair):
    assert_same(pair, AWKWARD)
    assert_same(pair, AWKWARD[::-1])


def test_any_lines_give_the_tokenizer_s_ids(pair):
    alphabet = st.one_of(
        st.sampled_from("aAbé .,'-\t\n漢İßΣ\u0301\u00ad\u2028\x1f"), st.characters(exclude_categories=["Cs"])
    )

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.lists(st.text(alphabet, max_size=30), max_size=4))
    def check(lines):
        assert_same(pair, lines)

    check()


def test_the_memory_is_bounded_and_forgetting_changes_nothing(pair, monkeypatch):
    monkeypatch.setattr(words, "REMEMBERED", 200)
    memory = WordMemory(pair[0], "<u2")
    for begin in range(0, 2000, 20):
        lines = [f"word{number} and {number}" for number in range(begin, begin + 20)]
        assert_same((pair[0], memory), lines)
        assert sum(map(len, memory.known)) < 600


def test_ids_come_in_the_type_asked_for(tokenizer):
    for dtype in ("<u2", "<u4"):
        ids, lengths = WordMemory(tokenizer, dtype).encode_lines(["the word is here", ""])
        assert ids.dtype == np.dtype(dtype)
        assert lengths.tolist() == [len(ids), 0]
