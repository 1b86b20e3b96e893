"""Added tokens: which ids they get, what their flags do, what decoding and saving make of them."""

import pytest
import tokenizers

from electra.errors import UsageError
from electra.tokenization import AddedToken, ElectraTokenizer, ElectraTokenizerFast
from electra.tokenization.special import RoleError

KINDS = (ElectraTokenizer, ElectraTokenizerFast)


@pytest.fixture(params=KINDS, ids=["slow", "fast"])
def tokenizer(request, vocab_file):
    """A tokenizer of one's own, to add to."""
    return request.param(vocab_file)


def test_new_tokens_get_the_ids_behind_the_vocabulary(tokenizer):
    size = tokenizer.vocab_size
    assert tokenizer.add_tokens(["newcomer", "gardener"]) == 2
    assert (len(tokenizer), tokenizer.vocab_size) == (size + 2, size)
    assert tokenizer.convert_tokens_to_ids(["newcomer", "gardener"]) == [size, size + 1]
    assert tokenizer.tokenize("the newcomer, a gardener") == ["the", "newcomer", ",", "a", "gardener"]


def test_a_token_the_vocabulary_holds_keeps_its_id_and_is_found_inside_words(tokenizer):
    index = tokenizer.convert_tokens_to_ids("garden")
    tokenizer.add_tokens("garden")
    assert tokenizer.convert_tokens_to_ids("garden") == index
    assert tokenizer.tokenize("gardens")[:1] == ["garden"]


def test_adding_twice_adds_once(tokenizer):
    assert [tokenizer.add_tokens("newcomer"), tokenizer.add_tokens("newcomer")] == [1, 0]


@pytest.mark.parametrize(
    ("flags", "text", "times"),
    [
        ({}, "x newcomers newcomer", 2),
        ({"single_word": True}, "x newcomers newcomer", 1),
        ({}, "NEWCOMER", 1),
    ],
)
def test_flags_say_where_a_token_is_found(tokenizer, flags, text, times):
    tokenizer.add_tokens(AddedToken("newcomer", **flags))
    assert tokenizer.tokenize(text).count("newcomer") == times


def test_the_slow_tokenizer_looks_for_every_token_in_lower_case(vocab_file):
    slow, fast = (kind(vocab_file) for kind in KINDS)
    for tokenizer in (slow, fast):
        tokenizer.add_tokens(AddedToken("newcomer", normalized=False))
    assert slow.tokenize("newcomer NEWCOMER") == ["newcomer", "newcomer"]
    assert fast.tokenize("newcomer NEWCOMER")[:2] == ["newcomer", "n"]


def test_a_token_takes_the_white_space_its_flags_name(vocab_file):
    tokenizer = ElectraTokenizerFast(vocab_file)
    tokenizer.add_special_tokens({"mask_token": AddedToken("<mask>", lstrip=True)})
    assert tokenizer("a  <mask> b", return_offsets_mapping=True)["offset_mapping"][2] == (1, 9)


def test_special_tokens_have_roles_and_are_left_out_of_texts(tokenizer):
    added = tokenizer.add_special_tokens({"mask_token": "<mask>", "additional_special_tokens": ["<left>"]})
    assert added == 2
    assert (tokenizer.mask_token, tokenizer.mask_token_id) == ("<mask>", len(tokenizer) - 2)
    assert tokenizer.additional_special_tokens_ids == [len(tokenizer) - 1]
    ids = tokenizer("the <left> garden <mask>")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "the garden"
    assert tokenizer.decode(ids) == "[CLS] the <left> garden <mask> [SEP]"


def test_additional_special_tokens_can_be_extended(tokenizer):
    tokenizer.add_special_tokens({"additional_special_tokens": ["<left>"]})
    tokenizer.add_special_tokens({"additional_special_tokens": ["<right>"]}, replace_additional_special_tokens=False)
    assert tokenizer.additional_special_tokens == ["<left>", "<right>"]


def test_a_role_is_given_by_token_or_by_id(tokenizer):
    tokenizer.pad_token = "[unused0]"
    assert tokenizer.pad_token_id == 1
    tokenizer.pad_token_id = 0
    assert tokenizer.pad_token == "[PAD]"
    tokenizer.cls_token = None
    assert tokenizer.convert_ids_to_tokens(tokenizer("the")["input_ids"]) == ["the", "[SEP]"]


def test_tokens_of_the_tokenizers_package_are_taken(tokenizer):
    tokenizer.add_tokens([tokenizers.AddedToken("newcomer", single_word=True)])
    assert tokenizer.added_tokens_decoder[len(tokenizer) - 1] == AddedToken("newcomer", single_word=True)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda tokenizer: tokenizer.add_tokens(5), "token 5 is a int"),
        (lambda tokenizer: tokenizer.add_special_tokens({"mask_tokn": "<m>"}), 'did you mean "mask_token"'),
        (lambda tokenizer: tokenizer.add_special_tokens({"additional_special_tokens": "abc"}), "expected a list"),
        (lambda tokenizer: setattr(tokenizer, "mask_token", 5), "token 5 is a int"),
    ],
)
def test_what_is_no_token_is_refused(tokenizer, call, told):
    with pytest.raises(RoleError, match=told) as caught:
        call(tokenizer)
    assert isinstance(caught.value, (UsageError, TypeError, AssertionError))


@pytest.mark.parametrize("load", KINDS)
def test_added_tokens_are_saved_with_their_flags(tokenizer, load, tmp_path):
    tokenizer.add_tokens([AddedToken("newcomer", single_word=True), "a-b"])
    tokenizer.add_special_tokens({"mask_token": AddedToken("<mask>", rstrip=True)})
    tokenizer.save_pretrained(tmp_path)
    loaded = load.from_pretrained(tmp_path)
    assert loaded.added_tokens_decoder == tokenizer.added_tokens_decoder
    assert loaded.fingerprint() == tokenizer.fingerprint()
    assert loaded.tokenize("a-b newcomer <mask>") == ["a-b", "newcomer", "<mask>"]


def test_a_fingerprint_sees_added_tokens(tokenizer):
    before = tokenizer.fingerprint()
    tokenizer.add_tokens("garden")
    assert tokenizer.fingerprint() != before


def test_lines_in_bulk_keep_added_tokens_and_split_special_ones(vocab_file):
    fast = ElectraTokenizerFast(vocab_file)
    fast.encode_lines(["the"])
    fast.add_tokens(["a-b c"])
    fast.add_special_tokens({"additional_special_tokens": ["<left>"]})
    ids, lengths = fast.encode_lines(["the a-b c", "<left>"])
    assert fast.convert_ids_to_tokens(ids) == ["the", "a-b c", "<", "l", "##e", "##f", "##t", ">"]
    assert lengths.tolist() == [2, 6]


def test_added_tokens_stand_apart_in_a_text_of_the_slow_tokenizer_where_asked(vocab_file):
    slow, fast = (kind(vocab_file) for kind in KINDS)
    for tokenizer in (slow, fast):
        tokenizer.add_tokens("newcomer")
    ids = slow("the newcomer garden", add_special_tokens=False)["input_ids"]
    assert slow.decode(ids, spaces_between_special_tokens=False) == "thenewcomergarden"
    assert fast.decode(ids, spaces_between_special_tokens=False) == "the newcomer garden"


def test_a_special_token_added_as_an_ordinary_one_stays_special(tokenizer):
    tokenizer.add_tokens(["[MASK]"])
    assert tokenizer.tokenize("[mask] [MASK]") == ["[", "mask", "]", "[MASK]"]
    assert tokenizer.decode([tokenizer.mask_token_id], skip_special_tokens=True) == ""


def test_a_special_token_given_again_has_its_new_flags_at_once(vocab_file):
    fast = ElectraTokenizerFast(vocab_file)
    fast.add_special_tokens({"mask_token": AddedToken("[MASK]", lstrip=True)})
    assert fast("a  [MASK]", return_offsets_mapping=True)["offset_mapping"][2] == (1, 9)


def test_a_role_given_later_is_seen_by_the_next_call(tokenizer):
    assert tokenizer.tokenize("the [unused0]")[1] == "["
    tokenizer.add_tokens("[unused0]", special_tokens=True)
    assert tokenizer.tokenize("the [unused0]") == ["the", "[unused0]"]
    tokenizer.cls_token = "[unused0]"
    assert tokenizer("the")["input_ids"][0] == 1
    tokenizer.unk_token = "[unused0]"
    assert tokenizer.tokenize("the 𝔘") == ["the", "[unused0]"]
