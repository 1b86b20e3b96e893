"""Calling a tokenizer: padding, truncation, pairs, tensors, and what is refused."""

import pickle

import numpy as np
import pytest
import torch

from electra.errors import DataError, UsageError
from electra.tokenization import ElectraTokenizer

FULL, EMPTY = "the garden waters", ""


def test_a_pair_has_three_special_tokens_and_two_segments(tokenizer):
    row = tokenizer("the word", "what")
    assert tokenizer.convert_ids_to_tokens(row["input_ids"]) == ["[CLS]", "the", "word", "[SEP]", "what", "[SEP]"]
    assert row["token_type_ids"] == [0, 0, 0, 0, 1, 1]


def test_a_list_of_pairs_equals_two_lists(tokenizer):
    pairs = [("the word", "what"), ("see", "the garden")]
    assert tokenizer(pairs).data == tokenizer([a for a, _ in pairs], [b for _, b in pairs]).data


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_fills_the_asked_side_and_is_masked(tokenizer, side):
    batch = tokenizer(["see", FULL], padding=True, padding_side=side, return_special_tokens_mask=True)
    short = slice(0, 2) if side == "left" else slice(-2, None)
    assert batch["input_ids"][0][short] == [tokenizer.pad_token_id] * 2
    assert batch["attention_mask"][0][short] == [0, 0]
    assert batch["special_tokens_mask"][0][short] == [1, 1]
    assert {len(row) for row in batch["input_ids"]} == {5}


def test_truncation_keeps_the_special_tokens(tokenizer):
    ids = tokenizer(FULL, truncation=True, max_length=4)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["[CLS]", "the", "garden", "[SEP]"]


@pytest.mark.parametrize(("side", "kept"), [("left", ["garden", "waters"]), ("right", ["the", "garden"])])
def test_truncation_takes_from_the_asked_side(vocab_file, side, kept):
    tokenizer = ElectraTokenizer(vocab_file, truncation_side=side)
    ids = tokenizer(FULL, truncation=True, max_length=4)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["[CLS]", *kept, "[SEP]"]


def test_one_of_two_texts_can_be_shortened(tokenizer):
    for strategy, lengths in (("only_first", [1, 3]), ("only_second", [3, 1])):
        types = tokenizer(FULL, FULL, truncation=strategy, max_length=7)["token_type_ids"]
        assert [types.count(0) - 2, types.count(1) - 1] == lengths


def test_a_text_too_short_to_shorten_is_refused_by_the_fast_and_reported_by_the_slow(fast, slow):
    with pytest.raises(UsageError, match="only_second"):
        fast(FULL, "see", truncation="only_second", max_length=4)
    with pytest.warns(UserWarning, match="only_second"):
        row = slow(FULL, "see", truncation="only_second", max_length=4)
    assert len(row["input_ids"]) == 7


def test_the_limit_of_the_model_is_the_default_max_length(vocab_file):
    tokenizer = ElectraTokenizer(vocab_file, model_max_length=4)
    assert len(tokenizer(FULL, truncation=True)["input_ids"]) == 4
    assert len(tokenizer("see", padding="max_length")["input_ids"]) == 4


def test_without_any_limit_truncation_does_nothing(tokenizer):
    assert tokenizer(FULL, truncation=True).data == tokenizer(FULL).data


def test_tensors_are_int64_with_a_batch_axis(tokenizer):
    arrays = tokenizer(FULL, return_tensors="np")
    assert arrays.input_ids.shape == (1, 5)
    assert arrays.input_ids.dtype == np.int64
    tensors = tokenizer([FULL, "see"], padding=True, return_tensors="pt").to("cpu")
    assert tensors["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert tensors.input_ids.dtype == torch.int64


def test_rows_of_different_lengths_make_no_array(tokenizer):
    with pytest.raises(DataError, match="padding=True"):
        tokenizer([FULL, "see"], return_tensors="np")


def test_encodings_made_earlier_are_padded(tokenizer):
    rows = [dict(tokenizer("see")), dict(tokenizer(FULL))]
    assert tokenizer.pad(rows).data == tokenizer(["see", FULL], padding=True).data


def test_target_texts_become_labels(tokenizer):
    assert tokenizer("see", text_target="the")["labels"] == tokenizer("the")["input_ids"]


def test_decoding_gives_back_the_words(tokenizer):
    ids = tokenizer("See, the garden's WATERS!")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "see, the garden's waters!"
    assert tokenizer.batch_decode(np.array([ids]), skip_special_tokens=True) == ["see, the garden's waters!"]


def test_special_tokens_in_a_text_are_text_where_asked(vocab_file, fast):
    plain = type(fast)(vocab_file, split_special_tokens=True)
    assert plain.tokenize("a [MASK]") == ["a", "[", "mask", "]"]
    assert fast.tokenize("a [MASK]") == ["a", "[MASK]"]


@pytest.mark.fault(25)
def test_lone_surrogates_are_replaced_on_every_way_in(tokenizer):
    bad, good = "the \ud83d word\udc00", "the \ufffd word\ufffd"
    assert tokenizer(bad).data == tokenizer(good).data
    assert tokenizer([bad], [bad]).data == tokenizer([good], [good]).data
    assert tokenizer([bad, "x"], is_split_into_words=True).data == tokenizer([good, "x"], is_split_into_words=True).data
    assert tokenizer.tokenize(bad) == tokenizer.tokenize(good)
    assert tokenizer.encode(bad) == tokenizer.encode(good)


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        ((), {}, "text is missing"),
        ((5,), {}, "expected a string"),
        ((["ok", None],), {}, "text 1 is NoneType"),
        ((["a", "b"], ["c"]), {}, "2 texts and text_pair 1"),
        ((["a", "b"], "c"), {}, "must be a list"),
        (("a",), {"padding": "longst"}, 'did you mean "longest"'),
        (("a",), {"truncation": "only_frist"}, 'did you mean "only_first"'),
        (("a",), {"return_tensors": "jaxx"}, "return_tensors"),
        ((["a b", "c"],), {"is_split_into_words": True, "padding": "bogus"}, "padding"),
    ],
)
def test_what_cannot_be_encoded_is_refused_with_a_reason(tokenizer, arguments, options, told):
    with pytest.raises(UsageError, match=told):
        tokenizer(*arguments, **options)


def test_padding_without_a_padding_token_is_refused(vocab_file):
    with pytest.raises(UsageError, match="padding token"):
        ElectraTokenizer(vocab_file, pad_token=None)("a", padding="max_length", max_length=9)


def test_a_copy_sent_to_another_process_answers_the_same(tokenizer):
    tokenizer(FULL)
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy("the [MASK] word").data == tokenizer("the [MASK] word").data
    assert copy.fingerprint() == tokenizer.fingerprint()


def test_offsets_need_the_fast_tokenizer(slow):
    with pytest.raises(NotImplementedError, match="ElectraTokenizerFast"):
        slow("a", return_offsets_mapping=True)
