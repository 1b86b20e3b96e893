"""The methods beside a plain call: encode, tokenize, prepare_for_model and their kin, and arguments nobody knows."""

import pytest

from electra.errors import UsageError
from electra.tokenization import ElectraTokenizer, ElectraTokenizerFast
from electra.tokenization.special import RoleError


def test_encode_gives_the_ids_of_a_text_of_pieces_or_of_ids(tokenizer):
    ids = tokenizer.encode("the word")
    assert ids == tokenizer("the word")["input_ids"]
    assert tokenizer.encode(["the", "word"]) == ids
    assert tokenizer.encode(ids[1:-1]) == ids
    assert tokenizer.encode(["the", "word"], ["see"], add_special_tokens=False) == [
        *ids[1:-1],
        tokenizer.convert_tokens_to_ids("see"),
    ]


def test_a_batch_of_texts_and_pairs(tokenizer):
    assert tokenizer.batch_encode_plus(["the", "word"]).data == tokenizer(["the", "word"]).data
    assert tokenizer.batch_encode_plus([("the", "word")]).data == tokenizer(["the"], ["word"]).data
    with pytest.raises(UsageError, match="list of texts"):
        tokenizer.batch_encode_plus("the")


def test_tokenize_can_show_the_special_tokens_and_takes_words(tokenizer):
    assert tokenizer.tokenize("the words") == ["the", "word", "##s"]
    assert tokenizer.tokenize("the", "see", add_special_tokens=True) == ["[CLS]", "the", "[SEP]", "see", "[SEP]"]
    assert tokenizer.tokenize(["the", "words"], is_split_into_words=True) == ["the", "word", "##s"]


def test_special_tokens_are_split_for_one_call(tokenizer):
    assert tokenizer.tokenize("[MASK]", split_special_tokens=True) == ["[", "mask", "]"]
    assert tokenizer.tokenize("[MASK]") == ["[MASK]"]


def test_columns_follow_the_names_of_the_model_inputs(vocab_file):
    for kind in (ElectraTokenizer, ElectraTokenizerFast):
        tokenizer = kind(vocab_file, model_input_names=["input_ids", "attention_mask"])
        assert set(tokenizer("a")) == {"input_ids", "attention_mask"}
        assert "token_type_ids" in tokenizer("a", return_token_type_ids=True)


def test_ids_become_a_row(tokenizer):
    row = tokenizer.prepare_for_model([7, 8, 9], [10], max_length=6, truncation="only_first", padding="max_length")
    assert row["input_ids"] == [tokenizer.cls_token_id, 7, 8, tokenizer.sep_token_id, 10, tokenizer.sep_token_id]
    assert row["token_type_ids"] == [0, 0, 0, 0, 1, 1]


def test_what_was_cut_from_ids_is_given_with_its_stride(tokenizer):
    options = {"max_length": 5, "truncation": True, "stride": 1, "return_overflowing_tokens": True}
    assert tokenizer.prepare_for_model([7, 8, 9, 10, 11], **options)["overflowing_tokens"] == [9, 10, 11]
    assert tokenizer.truncate_sequences([7, 8, 9], num_tokens_to_remove=1, stride=1) == ([7, 8], None, [8, 9])


def test_a_row_of_ids_becomes_a_tensor_of_one_axis_or_two(tokenizer):
    for prepend, shape in ((False, (3,)), (True, (1, 3))):
        row = tokenizer.prepare_for_model([7], return_tensors="np", prepend_batch_axis=prepend)
        assert row["input_ids"].shape == shape


def test_special_tokens_are_marked_in_ids(slow, fast):
    ids = slow("the word")["input_ids"]
    for tokenizer in (slow, fast):
        assert tokenizer.get_special_tokens_mask(ids, already_has_special_tokens=True) == [1, 0, 0, 1]
    assert slow.get_special_tokens_mask([7], [8]) == [1, 0, 1, 0, 1]
    with pytest.raises(RoleError, match="return_special_tokens_mask"):
        fast.get_special_tokens_mask([7], [8])


def test_an_unknown_argument_is_refused_by_the_fast_and_reported_by_the_slow(slow, fast):
    told = r'max_lenght \(did you mean "max_length"\?\)'
    with pytest.raises(TypeError, match=told):
        fast("a", max_lenght=3)
    with pytest.warns(UserWarning, match=told):
        assert slow("a", max_lenght=3).data == slow("a").data


def test_segments_without_special_tokens_are_refused_by_the_slow(slow, fast):
    with pytest.raises(UsageError, match="return_token_type_ids"):
        slow("a", "b", add_special_tokens=False, return_token_type_ids=True)
    assert fast("a", "b", add_special_tokens=False)["token_type_ids"] == [0, 1]


def test_a_string_for_a_list_of_words_is_a_text_to_the_slow(slow, fast):
    assert slow("the word", is_split_into_words=True).data == slow("the word").data
    with pytest.raises(TypeError, match="list of words"):
        fast("the word", is_split_into_words=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda tokenizer: tokenizer.decode(["a"]),
        lambda tokenizer: tokenizer.decode([[1, 2]]),
        lambda tokenizer: tokenizer.decode(None),
        lambda tokenizer: tokenizer.convert_ids_to_tokens("a"),
        lambda tokenizer: tokenizer.prepare_for_model([1.5]),
    ],
)
def test_what_are_no_ids_is_refused(tokenizer, call):
    with pytest.raises(UsageError, match="expected integers") as caught:
        call(tokenizer)
    assert isinstance(caught.value, TypeError)


def test_an_empty_batch_is_refused(tokenizer):
    for call in (tokenizer, tokenizer.pad):
        with pytest.raises(IndexError, match="empty list"):
            call([])


def test_a_negative_stride_is_refused(tokenizer):
    with pytest.raises(UsageError, match="stride is -1"):
        tokenizer("a", stride=-1)


def test_the_slow_tokenizer_spells_a_single_id_as_the_reference_of_the_documentation(slow, fast):
    index = slow.convert_tokens_to_ids("word")
    assert (slow.decode(index), slow.decode([index])) == ("w o r d", "word")
    assert fast.decode(index) == "word"


def test_a_slice_of_an_encoding_is_a_smaller_batch(fast):
    batch = fast(["a", "b", "c"])
    assert batch[1:]["input_ids"] == batch["input_ids"][1:]
    assert batch[0].tokens == ["[CLS]", "a", "[SEP]"]
    assert batch.token_to_chars(0, 99) is None
