"""How well a vocabulary covers a text: pieces a word, unknown words, words that are one piece, advice on accents."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from electra.errors import DataError
from electra.tokenization.files import effective
from electra.tokenization.vocabulary import SPECIAL_TOKENS
from electra.tokenization.wordpiece import split_word, split_words

NOTABLE = 0.001  # a share of the letters worth a note


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Shares are of words, as the tokenizer splits them (punctuation marks are words)."""

    words: int
    pieces_per_word: float  # "fertility": 1 is best, above 2 the vocabulary does not fit the language
    unknown_share: float
    single_piece_share: float
    notes: tuple[str, ...]


def measure_coverage(
    vocabulary: Iterable[str],
    texts: Iterable[str],
    *,
    do_lower_case: bool = True,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool = True,
    unknown: str = "[UNK]",
) -> Coverage:
    """Split sample texts with a vocabulary and count. A few hundred kB of text are enough; a word is looked up once."""
    known = frozenset(vocabulary) - set(SPECIAL_TOKENS)
    pieces_of: dict[str, int] = {}
    words = pieces = unknown_words = single = letters = upper = accented = 0
    for text in texts:
        letters += sum(map(str.isalpha, text))
        upper += sum(map(str.isupper, text))
        accented += _accents(text)
        for word in split_words(
            text,
            do_lower_case=do_lower_case,
            strip_accents_too=strip_accents,
            tokenize_chinese_chars=tokenize_chinese_chars,
        ):
            if word not in pieces_of:
                split = split_word(word, known, unknown=unknown)
                pieces_of[word] = 0 if split == [unknown] else len(split)
            words += 1
            pieces += pieces_of[word] or 1
            unknown_words += pieces_of[word] == 0
            single += pieces_of[word] == 1
    if not words:
        raise DataError("the sample texts hold no words; give some text of the kind the model will read")
    normalization = effective({"do_lower_case": do_lower_case, "strip_accents": strip_accents})
    return Coverage(
        words=words,
        pieces_per_word=pieces / words,
        unknown_share=unknown_words / words,
        single_piece_share=single / words,
        notes=tuple(_notes(normalization, letters, upper, accented, unknown_words / words)),
    )


def _accents(text: str) -> int:
    return (
        0 if text.isascii() else sum(unicodedata.category(char) == "Mn" for char in unicodedata.normalize("NFD", text))
    )


def _notes(normalization: dict[str, bool], letters: int, upper: int, accented: int, unknown_share: float) -> list[str]:
    notes = []
    if normalization["strip_accents"] and accented > NOTABLE * letters:
        notes.append(
            f"{accented / max(letters, 1):.1%} of the letters carry accents, and this normalisation drops them; where "
            "accents tell words apart, train with strip_accents=False"
        )
    if normalization["do_lower_case"] and upper > NOTABLE * letters:
        notes.append(
            f"{upper / letters:.1%} of the letters are capitals, and this normalisation lowers them; where case "
            "matters (names, German nouns), train with do_lower_case=False"
        )
    if unknown_share > 0.01:
        notes.append(f"{unknown_share:.1%} of the words are unknown; is the vocabulary of another language or script?")
    return notes
