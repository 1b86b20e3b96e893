"""Our tokenizers answer as Hugging Face's (transformers 4) and slow as fast, on strings that stress normalisation."""

import pytest
import transformers

from electra.tokenization import ElectraTokenizer, ElectraTokenizerFast

OURS = {"slow": ElectraTokenizer, "fast": ElectraTokenizerFast}
THEIRS = {"slow": transformers.ElectraTokenizer, "fast": transformers.ElectraTokenizerFast}
NORMALIZATIONS = (
    {},
    {"do_lower_case": False},
    {"strip_accents": False},
    {"do_lower_case": False, "strip_accents": True},
    {"tokenize_chinese_chars": False},
)
CALLS = (
    {},
    {"padding": True},
    {"padding": "max_length", "max_length": 40, "truncation": True},
    {"truncation": True, "max_length": 7},
    {"padding": True, "pad_to_multiple_of": 8, "add_special_tokens": False},
    {"return_special_tokens_mask": True, "return_token_type_ids": False, "return_length": True},
    {"padding": True, "padding_side": "left", "return_attention_mask": False},
)


@pytest.fixture(scope="module", params=["slow", "fast"])
def kind(request):
    return request.param


@pytest.fixture(scope="module", params=NORMALIZATIONS, ids=str)
def pair_of_tokenizers(request, kind, vocab_file):
    return OURS[kind](vocab_file, **request.param), THEIRS[kind](vocab_file=str(vocab_file), **request.param)


@pytest.fixture(scope="module")
def plain_pair(kind, vocab_file):
    return OURS[kind](vocab_file), THEIRS[kind](vocab_file=str(vocab_file))


def test_ids_and_tokens_equal_the_reference(pair_of_tokenizers, texts):
    ours, theirs = pair_of_tokenizers
    for text in texts:
        assert ours.tokenize(text) == theirs.tokenize(text)
        assert ours(text).data == dict(theirs(text))


def test_decoded_texts_equal_the_reference(plain_pair, texts):
    ours, theirs = plain_pair
    for ids in theirs(texts)["input_ids"]:
        for options in ({}, {"skip_special_tokens": True}, {"clean_up_tokenization_spaces": False}):
            assert ours.decode(ids, **options) == theirs.decode(ids, **options)


@pytest.mark.parametrize("options", CALLS, ids=str)
def test_batches_and_pairs_equal_the_reference(plain_pair, texts, options):
    ours, theirs = plain_pair
    assert ours(texts, **options).data == dict(theirs(texts, **options))
    assert ours(texts, texts[::-1], **options).data == dict(theirs(texts, texts[::-1], **options))


@pytest.mark.parametrize("max_length", range(3, 24))
def test_pairs_are_shortened_as_the_reference_does(plain_pair, max_length):
    ours, theirs = plain_pair
    for first, second in (("one two three", "a b c d e f g"), ("a b c d e f g h", "x y"), ("a b c d", "e f g h")):
        options = {"truncation": "longest_first", "max_length": max_length}
        assert ours(first, second, **options).data == dict(theirs(first, second, **options))


def test_lists_of_words_equal_the_reference(plain_pair):
    ours, theirs = plain_pair
    rows = [["Hello", "gardeners!", "", "naïve"], ["[MASK]", "x"]]
    assert ours(rows, is_split_into_words=True).data == dict(theirs(rows, is_split_into_words=True))


def test_places_in_the_text_equal_the_reference(vocab_file, text):
    ours, theirs = (make["fast"](vocab_file=str(vocab_file)) for make in (OURS, THEIRS))
    mine, other = (tokenizer(text, "the end", return_offsets_mapping=True) for tokenizer in (ours, theirs))
    assert mine["offset_mapping"] == other["offset_mapping"]
    assert mine.word_ids() == other.word_ids()
    assert mine.sequence_ids() == other.sequence_ids()
    assert mine.tokens() == other.tokens()
    for char in range(len(text)):
        assert mine.char_to_token(char) == other.char_to_token(char)
    for token in range(len(mine.tokens())):
        assert mine.token_to_chars(token) == other.token_to_chars(token)
        assert mine.token_to_word(token) == other.token_to_word(token)


def test_slow_and_fast_give_the_same_ids(slow, fast, texts):
    assert slow(texts)["input_ids"] == fast(texts)["input_ids"]


def test_helpers_equal_the_reference(slow, vocab_file):
    theirs = THEIRS["slow"](vocab_file=str(vocab_file))
    for first, second in (([7, 8], None), ([7, 8], [9]), ([], [])):
        for name in (
            "build_inputs_with_special_tokens",
            "create_token_type_ids_from_sequences",
            "get_special_tokens_mask",
        ):
            assert getattr(slow, name)(first, second) == getattr(theirs, name)(first, second)
    assert slow.special_tokens_map == theirs.special_tokens_map
    assert set(slow.all_special_ids) == set(theirs.all_special_ids)
