"""The plain-Python tokenization, step by step."""

import pytest

from electra.tokenization.wordpiece import (
    clean,
    replace_surrogates,
    split_punctuation,
    split_text,
    split_word,
    split_words,
    strip_accents,
)

PIECES = {"un", "##want", "##ed", "want", "##wanted", "a", "##a", "go", "!"}


def test_a_word_becomes_its_longest_pieces_first():
    assert split_word("unwanted", PIECES) == ["un", "##wanted"]
    assert split_word("want", PIECES) == ["want"]


def test_a_word_with_a_rest_that_fits_nothing_is_wholly_unknown():
    assert split_word("wantz", PIECES) == ["[UNK]"]


@pytest.mark.fault(26)
@pytest.mark.parametrize(("length", "limit", "known"), [(100, 100, True), (101, 100, False), (200, 200, True)])
def test_words_beyond_the_limit_are_unknown(length, limit, known):
    pieces = split_word("a" * length, PIECES, max_characters=limit)
    assert pieces == (["a", *["##a"] * (length - 1)] if known else ["[UNK]"])


def test_control_characters_vanish_and_every_space_becomes_plain():
    assert clean("a\x00b\ufffdc\u200bd\u00ade\tf\u00a0g") == "abcde f g"


def test_accents_are_dropped_by_decomposition():
    assert strip_accents("éàüÅñ") == "eauAn"


def test_punctuation_marks_are_words():
    assert split_punctuation("don't") == ["don", "'", "t"]
    assert split_punctuation("$5.00…") == ["$", "5", ".", "00", "…"]


def test_lower_casing_strips_accents_unless_told_otherwise():
    assert split_words("Élan") == ["elan"]
    assert split_words("Élan", strip_accents_too=False) == ["élan"]
    assert split_words("Élan", do_lower_case=False) == ["Élan"]


def test_accents_kept_are_composed_so_that_both_spellings_agree():
    assert split_words("e\u0301lan", strip_accents_too=False) == ["élan"]


def test_chinese_characters_are_words_of_their_own():
    assert split_words("x中文y かな") == ["x", "中", "文", "y", "かな"]
    assert split_words("x中文y", tokenize_chinese_chars=False) == ["x中文y"]


def test_words_not_to_split_stay_as_they_are():
    words = split_words("go C++ go", do_lower_case=False, never_split=["C++"])
    assert words == ["go", "C++", "go"]
    assert split_text("go C++", PIECES, str.split, never_split=["C++"]) == ["go", "C++"]


def test_lone_surrogates_become_replacement_characters():
    assert replace_surrogates("a\ud83db\udc00") == "a\ufffdb\ufffd"
    assert replace_surrogates("🙂") == "🙂"
