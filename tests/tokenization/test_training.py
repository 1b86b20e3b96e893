"""Training a vocabulary: always valid, always the same, and a report on how well it fits."""

import random
import subprocess
import sys

import pytest

from electra.errors import DataError, UsageError, VocabularyError
from electra.tokenization import ElectraTokenizer, ElectraTokenizerFast, measure_coverage, train_vocabulary
from electra.tokenization.vocabulary import find_problems

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SYLLABLES = ["ba", "ko", "ri", "tu", "mé", "sha", "ön", "li"]


def invented(seed: int, words: int = 3000) -> list[str]:
    """Lines of invented words, some more frequent than others."""
    rng = random.Random(seed)
    known = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(200)]
    weights = [1 / (i + 1) for i in range(200)]
    return [" ".join(rng.choices(known, weights, k=10)).capitalize() + "." for _ in range(words // 10)]


@pytest.mark.parametrize("size", [40, 80, 500])
def test_a_trained_vocabulary_is_valid_and_no_larger_than_asked(size):
    pieces = train_vocabulary(invented(1), size=size)
    assert pieces[:5] == SPECIAL
    assert len(pieces) <= size
    assert not find_problems(pieces)


def test_every_training_text_can_be_spelled():
    texts = invented(2)
    for kind in (ElectraTokenizer, ElectraTokenizerFast):
        tokenizer = kind(train_vocabulary(texts, size=200))
        assert tokenizer.unk_token_id not in tokenizer(" ".join(texts))["input_ids"]


def test_normalisation_decides_what_is_learned():
    texts = ["Éclair éclair Éclair éclair 中文中文"] * 3
    assert "eclair" in train_vocabulary(texts, size=100)
    assert {"Éclair", "éclair"} <= set(train_vocabulary(texts, size=100, do_lower_case=False))
    assert "éclair" in train_vocabulary(texts, size=100, strip_accents=False)
    assert "中文中文" not in train_vocabulary(texts, size=100)
    assert "中文中文" in train_vocabulary(texts, size=100, tokenize_chinese_chars=False)


def test_an_iterator_gives_the_same_as_a_list():
    texts = invented(3)
    assert train_vocabulary(iter(texts), size=150) == train_vocabulary(texts, size=150)


def test_the_order_of_the_texts_does_not_matter():
    texts = invented(4)
    assert train_vocabulary(texts[::-1], size=150) == train_vocabulary(texts, size=150)


def test_another_process_learns_the_same_pieces():
    texts = invented(5)
    program = (
        "import sys, json; from electra.tokenization import train_vocabulary; "
        "print(json.dumps(train_vocabulary(json.load(sys.stdin), size=300)))"
    )
    import json

    answers = {
        subprocess.run(
            [sys.executable, "-c", program], input=json.dumps(texts), capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert answers == {json.dumps(train_vocabulary(texts, size=300)) + "\n"}


def test_rare_characters_are_left_out_beyond_the_limit():
    texts = ["aaaa bbbb cccc"] * 5 + ["ж"]
    assert "ж" in train_vocabulary(texts, size=100)
    assert "ж" not in train_vocabulary(texts, size=100, limit_alphabet=3)


def test_surrogates_and_monstrous_words_do_not_disturb_training():
    pieces = train_vocabulary(["ab ab \ud800", "x" * 100_000, "ab " * 30_000], size=50)
    assert "ab" in pieces
    assert max(map(len, pieces)) < 110


def test_special_tokens_in_the_text_are_not_learned_twice():
    pieces = train_vocabulary(["[MASK] mask [CLS]"] * 5, size=60)
    assert len(pieces) == len(set(pieces))
    assert pieces[:5] == SPECIAL


def test_texts_without_characters_are_refused():
    with pytest.raises(VocabularyError, match="no characters"):
        train_vocabulary(["", "  \n"], size=100)


def test_a_size_without_room_is_refused():
    with pytest.raises(UsageError, match="size is 5"):
        train_vocabulary(["a"], size=5)


def test_coverage_counts_words_pieces_and_unknowns():
    coverage = measure_coverage([*SPECIAL, "a", "b", "##b"], ["a ab a z"])
    assert coverage.words == 4
    assert coverage.pieces_per_word == 5 / 4
    assert coverage.unknown_share == 1 / 4
    assert coverage.single_piece_share == 1 / 2


def test_coverage_notes_what_normalisation_drops():
    vocabulary = [*SPECIAL, *"elan"]
    notes = " ".join(measure_coverage(vocabulary, ["Élan élan"]).notes)
    assert "strip_accents=False" in notes
    assert "do_lower_case=False" in notes
    assert measure_coverage([*SPECIAL, "élan", "Élan"], ["Élan élan"], do_lower_case=False).notes == ()


def test_coverage_needs_words():
    with pytest.raises(DataError, match="no words"):
        measure_coverage(SPECIAL, [" "])
