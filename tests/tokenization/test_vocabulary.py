"""Vocabulary files: every problem is found and named with its line."""

import pytest

from electra.errors import VocabularyError
from electra.tokenization import ElectraTokenizer, ElectraTokenizerFast, read_vocabulary, write_vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write(path, lines, end="\n"):
    path.write_bytes(end.join([*lines, ""]).encode("utf-8"))
    return path


def test_a_good_file_is_read_in_order(tmp_path):
    write_vocabulary(tmp_path / "vocab.txt", [*SPECIAL, "a", "##a", "é"])
    assert read_vocabulary(tmp_path / "vocab.txt") == [*SPECIAL, "a", "##a", "é"]


def test_the_last_line_end_may_be_missing(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([*SPECIAL, "a"]))
    assert read_vocabulary(path)[-1] == "a"


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["[PAD]", "[CLS]", "[SEP]", "[MASK]", "a"], r"special tokens missing: \[UNK\]"),
        ([*SPECIAL, "a", "b", "a", "a"], '"a" stands on lines 6, 8, 9'),
        ([*SPECIAL, "", "a"], "line 6: empty"),
        ([*SPECIAL, "a "], "line 6: white space"),
    ],
)
def test_a_broken_rule_is_told_with_its_lines(tmp_path, lines, told):
    with pytest.raises(VocabularyError, match=told):
        read_vocabulary(write(tmp_path / "vocab.txt", lines))


@pytest.mark.fault(29)
def test_windows_line_ends_are_told(tmp_path):
    with pytest.raises(VocabularyError, match=r"lines 1, 2, 3, 4, 5 and 1 more: Windows line ends"):
        read_vocabulary(write(tmp_path / "vocab.txt", [*SPECIAL, "a"], end="\r\n"))


@pytest.mark.fault(29)
def test_bytes_that_are_not_utf8_are_told_with_line_and_column(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("\n".join(SPECIAL).encode() + b"\nab\xff\n")
    with pytest.raises(VocabularyError, match=r"line 6: not UTF-8 \(byte 0xff at column 3\)"):
        read_vocabulary(path)


def test_a_byte_order_mark_is_told(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(SPECIAL).encode())
    with pytest.raises(VocabularyError, match="byte order mark"):
        read_vocabulary(path)


def test_all_problems_come_in_one_error(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"[PAD]\r\n[CLS]\n\n[SEP]\na\na\n\xff\n")
    with pytest.raises(VocabularyError, match="5 problems") as caught:
        read_vocabulary(path)
    for told in ("line 1: Windows", "line 3: empty", '"a" stands on lines 5, 6', "line 7: not UTF-8", "[UNK], [MASK]"):
        assert told in str(caught.value)


@pytest.mark.parametrize("kind", [ElectraTokenizer, ElectraTokenizerFast])
def test_tokenizers_refuse_a_broken_vocabulary(tmp_path, kind):
    with pytest.raises(VocabularyError, match=r"\[UNK\]"):
        kind(write(tmp_path / "vocab.txt", ["[PAD]", *SPECIAL[2:], "a"]))
    with pytest.raises(VocabularyError, match="lines 6, 7"):
        kind([*SPECIAL, "a", "a"])


@pytest.mark.fault(29)
@pytest.mark.parametrize("kind", [ElectraTokenizer, ElectraTokenizerFast])
def test_special_tokens_missing_from_a_vocabulary_are_put_behind_it_and_told(tmp_path, kind):
    path = write(tmp_path / "vocab.txt", ["a", "##b", "[UNK]"])
    with pytest.warns(UserWarning, match=r"\[SEP\] \(id 3\), \[PAD\] \(id 4\)"):
        tokenizer = kind(path)
    assert tokenizer("a ab c")["input_ids"] == [5, 0, 0, 1, 2, 3]
    tokenizer.save_pretrained(tmp_path / "saved")
    assert kind.from_pretrained(tmp_path / "saved")("a ab c")["input_ids"] == [
        5,
        0,
        0,
        1,
        2,
        3,
    ]  # known now: no warning


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(VocabularyError, match="cannot read"):
        read_vocabulary(tmp_path / "nowhere.txt")


def test_other_names_of_special_tokens_are_looked_for(tmp_path):
    path = write(tmp_path / "vocab.txt", ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "a", "##b"])
    tokenizer = ElectraTokenizer(path, pad_token="<pad>", unk_token="<unk>")
    assert tokenizer("a ab c")["input_ids"] == [2, 5, 5, 6, 1, 3]
