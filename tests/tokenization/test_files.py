"""Saving and loading: any subset of the four files, both ways between this library and transformers."""

import json

import pytest
import transformers
from peers import run_with_transformers5

from electra.errors import DataError, VocabularyError
from electra.tokenization import AddedToken, AutoTokenizer, ElectraTokenizer, ElectraTokenizerFast, load_tokenizer

FILES = {"vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}
CASED = {"do_lower_case": False, "strip_accents": False, "tokenize_chinese_chars": False}
TEXT = "Crème brûlée, 中文 [MASK] Zürich"


@pytest.fixture
def saved(vocab_file, tmp_path):
    """A folder with all four files of a cased tokenizer."""
    folder = tmp_path / "saved"
    ElectraTokenizerFast(vocab_file, model_max_length=64, **CASED).save_pretrained(folder)
    return folder


def test_slow_and_fast_write_the_same_four_files(vocab_file, tmp_path):
    for make in (ElectraTokenizer, ElectraTokenizerFast):
        written = make(vocab_file, **CASED).save_pretrained(tmp_path / make.__name__)
        assert {path.rsplit("/", 1)[1] for path in written} == FILES
    for name in FILES:
        first, second = ((tmp_path / make / name).read_bytes() for make in ("ElectraTokenizer", "ElectraTokenizerFast"))
        assert first == second


@pytest.mark.parametrize("kind", [ElectraTokenizer, ElectraTokenizerFast])
def test_what_was_saved_is_loaded(saved, kind):
    tokenizer = kind.from_pretrained(saved)
    assert tokenizer.normalization == CASED
    assert tokenizer.model_max_length == 64
    assert tokenizer.fingerprint() == load_tokenizer(saved).fingerprint()
    assert "È" not in "".join(tokenizer.tokenize(TEXT))
    assert tokenizer.tokenize("Zürich")[0] == "Z"


@pytest.mark.parametrize(
    "kept",
    [
        {"tokenizer.json"},
        {"vocab.txt", "tokenizer_config.json"},
        {"vocab.txt", "tokenizer.json"},
        {"tokenizer.json", "special_tokens_map.json"},
    ],
    ids=lambda kept: "+".join(sorted(kept)),
)
def test_a_subset_of_the_files_is_enough(saved, kept):
    whole = load_tokenizer(saved)(TEXT).data
    for name in FILES - kept:
        (saved / name).unlink()
    assert load_tokenizer(saved)(TEXT).data == whole
    assert AutoTokenizer.from_pretrained(saved, use_fast=False)(TEXT).data == whole


def test_a_bare_vocabulary_takes_the_normalisation_that_is_asked_for(saved):
    cased = load_tokenizer(saved / "vocab.txt", **CASED)
    assert cased(TEXT).data == load_tokenizer(saved)(TEXT).data
    assert load_tokenizer(saved / "vocab.txt").do_lower_case


@pytest.mark.parametrize("asked", [{"do_lower_case": True}, {"strip_accents": True}, {"tokenize_chinese_chars": True}])
@pytest.mark.parametrize("kind", [ElectraTokenizer, ElectraTokenizerFast])
def test_another_normalisation_than_the_trained_one_is_refused(saved, kind, asked):
    name = next(iter(asked))
    with pytest.raises(VocabularyError, match=f"trained with {name}=False, but {name}=True was asked"):
        kind.from_pretrained(saved, **asked)


def test_the_same_normalisation_said_differently_is_taken(saved):
    assert load_tokenizer(saved, strip_accents=None).normalization["do_lower_case"] is False


def test_a_vocabulary_that_contradicts_the_other_file_is_refused(saved):
    with (saved / "vocab.txt").open("a") as file:
        file.write("newcomer\n")
    with pytest.raises(VocabularyError, match="differ"):
        load_tokenizer(saved)


def test_a_folder_without_a_vocabulary_is_refused(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(VocabularyError, match=r"expected vocab.txt or tokenizer.json"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_of_another_kind_is_refused(saved):
    whole = json.loads((saved / "tokenizer.json").read_text())
    whole["model"] = {"type": "BPE", "vocab": {}, "merges": []}
    (saved / "tokenizer.json").write_text(json.dumps(whole))
    with pytest.raises(DataError, match="BPE"):
        load_tokenizer(saved)


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("key", "value"),
    [("do_lower_case", "yes"), ("tokenize_chinese_chars", None), ("added_tokens_decoder", {"a": {"content": "b"}})],
)
def test_settings_of_a_tokenizer_that_cannot_be_are_refused(saved, key, value):
    path = saved / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(VocabularyError, match="restore"):
        load_tokenizer(saved)


def test_added_tokens_that_do_not_follow_the_vocabulary_are_refused(saved):
    path = saved / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["added_tokens_decoder"]["9999"] = {"content": "newcomer"}
    path.write_text(json.dumps(config))
    with pytest.raises(VocabularyError, match="'newcomer' has id 9999, but its place is"):
        load_tokenizer(saved)


def test_words_not_to_split_are_saved(vocab_file, tmp_path):
    ElectraTokenizer(vocab_file, never_split=["x-y"], do_basic_tokenize=False).save_pretrained(tmp_path)
    loaded = ElectraTokenizer.from_pretrained(tmp_path)
    assert (loaded.never_split, loaded.do_basic_tokenize) == ({"x-y"}, False)


def test_settings_of_other_tools_survive(saved):
    path = saved / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"our_note": "kept"}))
    load_tokenizer(saved).save_pretrained(saved / "again")
    assert json.loads((saved / "again" / "tokenizer_config.json").read_text())["our_note"] == "kept"


def test_the_fingerprint_sees_pieces_and_normalisation(vocabulary):
    plain = ElectraTokenizer(vocabulary).fingerprint()
    assert ElectraTokenizerFast(vocabulary).fingerprint() == plain
    assert ElectraTokenizer(vocabulary, strip_accents=True).fingerprint() == plain  # the default, said aloud
    assert ElectraTokenizer(vocabulary, do_lower_case=False).fingerprint() != plain
    assert ElectraTokenizer([*vocabulary, "newcomer"]).fingerprint() != plain


@pytest.mark.parametrize("theirs", [transformers.ElectraTokenizer, transformers.ElectraTokenizerFast])
def test_transformers_loads_what_we_save(saved, texts, theirs):
    loaded = theirs.from_pretrained(str(saved))
    assert loaded.model_max_length == 64
    for kind in (ElectraTokenizer, ElectraTokenizerFast):
        if kind.is_fast == loaded.is_fast:
            assert kind.from_pretrained(saved)(texts)["input_ids"] == loaded(texts)["input_ids"]


@pytest.mark.parametrize("theirs", [transformers.ElectraTokenizer, transformers.ElectraTokenizerFast])
def test_we_load_what_transformers_saves(vocab_file, texts, tmp_path, theirs):
    original = theirs(vocab_file=str(vocab_file), model_max_length=77, additional_special_tokens=["<left>"], **CASED)
    original.save_pretrained(str(tmp_path))
    for kind in (ElectraTokenizer, ElectraTokenizerFast):
        loaded = kind.from_pretrained(tmp_path)
        assert (loaded.model_max_length, len(loaded)) == (77, len(original))
        assert loaded.normalization == CASED
        assert loaded("a <left> b")["input_ids"] == original("a <left> b")["input_ids"]
        if kind.is_fast == original.is_fast:
            assert loaded(texts)["input_ids"] == original(texts)["input_ids"]


def test_an_added_tokens_file_of_old_transformers_is_read(vocab_file, vocabulary, tmp_path):
    (tmp_path / "vocab.txt").write_bytes(vocab_file.read_bytes())
    (tmp_path / "added_tokens.json").write_text(json.dumps({"newcomer": len(vocabulary)}))
    for kind in (ElectraTokenizer, ElectraTokenizerFast):
        assert kind.from_pretrained(tmp_path).tokenize("the newcomer") == ["the", "newcomer"]


@pytest.mark.parametrize("kept", [{"tokenizer.json"}, {"vocab.txt", "tokenizer_config.json"}], ids=sorted)
@pytest.mark.parametrize("theirs", [transformers.ElectraTokenizer, transformers.ElectraTokenizerFast])
def test_added_tokens_of_transformers_are_kept(vocab_file, tmp_path, theirs, kept):
    original = theirs(vocab_file=str(vocab_file))
    original.add_tokens(["newcomer", transformers.AddedToken("a-b", single_word=True)])
    original.add_special_tokens({"mask_token": transformers.AddedToken("<mask>", rstrip=True)})
    original.save_pretrained(str(tmp_path))
    text = "the newcomer a-b xa-b <mask> [MASK]"
    for name in FILES - kept:
        if (tmp_path / name).exists() and (tmp_path / "tokenizer.json").exists():
            (tmp_path / name).unlink()
    for kind in (ElectraTokenizer, ElectraTokenizerFast):
        loaded = kind.from_pretrained(tmp_path)
        assert loaded.get_added_vocab() == dict(sorted(original.get_added_vocab().items(), key=lambda item: item[1]))
        if kind.is_fast == original.is_fast:
            assert loaded(text)["input_ids"] == original(text)["input_ids"]


@pytest.mark.parametrize("theirs", [transformers.ElectraTokenizer, transformers.ElectraTokenizerFast])
def test_transformers_finds_the_tokens_we_added(vocab_file, tmp_path, theirs):
    for kind in (ElectraTokenizer, ElectraTokenizerFast):
        ours = kind(vocab_file, additional_special_tokens=["<left>"])
        ours.add_tokens(["newcomer", AddedToken("a-b", single_word=True)])
        ours.add_special_tokens({"mask_token": AddedToken("<mask>", rstrip=True)})
        ours.save_pretrained(tmp_path)
        loaded = theirs.from_pretrained(str(tmp_path))
        assert loaded.special_tokens_map == ours.special_tokens_map
        assert (
            loaded("a-b xa-b newcomer<left> <mask>")["input_ids"] == ours("a-b xa-b newcomer<left> <mask>")["input_ids"]
        )


@pytest.mark.fault(29)
@pytest.mark.parametrize(("key", "value"), [("unk_token", None), ("model_max_length", 1e999)])
@pytest.mark.parametrize("kind", [ElectraTokenizer, ElectraTokenizerFast])
def test_settings_that_no_tokenizer_can_have_are_refused(saved, kind, key, value):
    path = saved / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(VocabularyError, match=r"unk_token is None|cannot convert float infinity"):
        kind.from_pretrained(saved)


def test_the_automatic_tokenizer_is_the_fast_one(saved):
    assert type(AutoTokenizer.from_pretrained(saved)) is ElectraTokenizerFast
    assert type(AutoTokenizer.from_pretrained(saved, use_fast=False)) is ElectraTokenizer
    assert type(transformers.AutoTokenizer.from_pretrained(str(saved))) is transformers.ElectraTokenizerFast


# -- transformers 5 ---------------------------------------------------------------------------------------------------

SAVE_WITH_5 = """
import sys
from transformers import AddedToken, ElectraTokenizer
vocabulary, folder = sys.argv[1:]
tokenizer = ElectraTokenizer(vocabulary, do_lower_case=False, additional_special_tokens=["<left>"], model_max_length=77)
tokenizer.add_tokens(["newcomer", AddedToken("a-b", single_word=True)])
tokenizer.add_special_tokens({"mask_token": "<mask>"})
tokenizer.save_pretrained(folder)
print(tokenizer("a-b xa-b newcomer<left> <mask> Zürich")["input_ids"])
"""
LOAD_WITH_5 = """
import sys
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
print(tokenizer.model_max_length, tokenizer("a-b xa-b newcomer<left> <mask> Zürich")["input_ids"])
"""
TEXT_FOR_5 = "a-b xa-b newcomer<left> <mask> Zürich"


def test_we_load_what_transformers_5_saves(vocab_file, tmp_path):
    expected = json.loads(run_with_transformers5(SAVE_WITH_5, vocab_file, tmp_path))
    for kind in (ElectraTokenizer, ElectraTokenizerFast):
        loaded = kind.from_pretrained(tmp_path)
        assert loaded(TEXT_FOR_5)["input_ids"] == expected
        assert (loaded.mask_token, loaded.additional_special_tokens) == ("<mask>", ["<left>"])
        assert (loaded.model_max_length, loaded.do_lower_case) == (77, False)


def test_transformers_5_loads_what_we_save(vocab_file, tmp_path):
    ours = ElectraTokenizerFast(
        vocab_file, do_lower_case=False, additional_special_tokens=["<left>"], model_max_length=77
    )
    ours.add_tokens(["newcomer", AddedToken("a-b", single_word=True)])
    ours.add_special_tokens({"mask_token": "<mask>"})
    ours.save_pretrained(tmp_path)
    assert run_with_transformers5(LOAD_WITH_5, tmp_path) == f"77 {ours(TEXT_FOR_5)['input_ids']}\n"
