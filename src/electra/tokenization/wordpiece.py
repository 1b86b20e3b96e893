"""BERT's tokenization in plain Python: clean the text, split it into words, split each word into known pieces.

Three steps, each a pure function: `clean` (characters), `split_words` (whitespace, accents, punctuation) and
`split_word` (greedy longest match first). The reference the fast tokenizer is held against; it needs no package.
Sources: google-research/electra, model/tokenization.py; google-research/bert. Two habits are Hugging Face's, because
the released models are used with them: words of more than 100 characters are unknown (the original: 200), and text that
keeps its accents is composed to NFC first, so that one letter written in two ways gives the same pieces.
"""

import unicodedata
from collections.abc import Callable, Collection, Container
from functools import lru_cache

MAX_WORD_CHARACTERS = 100  # longer words become the unknown token; the original code: 200
CONTINUATION = "##"  # marks a piece that continues a word

# Blocks of Chinese characters: words of one character each. Japanese kana and Korean are ordinary letters.
CHINESE_BLOCKS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip

REPLACEMENT = "\ufffd"


def replace_surrogates(text: str) -> str:
    """`text` with lone surrogates, which no UTF-8 encoder takes, replaced by U+FFFD; other strings as they are."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(REPLACEMENT if "\ud800" <= char <= "\udfff" else char for char in text)
    return text


def is_chinese(char: str) -> bool:
    """Whether the character stands in a block of Chinese characters."""
    code = ord(char)
    return any(low <= code <= high for low, high in CHINESE_BLOCKS)


@lru_cache(maxsize=65536)
def is_punctuation(char: str) -> bool:
    """Whether the character is split off. All ASCII symbols are, also those Unicode calls something else ($, ^)."""
    code = ord(char)
    in_ascii = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return in_ascii or unicodedata.category(char).startswith("P")


@lru_cache(maxsize=65536)
def _cleaned(char: str) -> str:
    if char in "\t\n\r" or unicodedata.category(char) == "Zs":
        return " "
    return "" if char == REPLACEMENT or unicodedata.category(char).startswith("C") else char


def clean(text: str) -> str:
    """Drop control characters and U+FFFD, and turn every kind of white space into a space."""
    return text if text.isascii() and text.isprintable() else "".join(map(_cleaned, text))


def lower(text: str) -> str:
    """Lower-case one character after another, as the fast tokenizer does: a sigma ending a Greek word stays plain."""
    return text.lower() if text.isascii() else "".join(map(str.lower, text))


def strip_accents(text: str) -> str:
    """Decompose (NFD) and drop the marks: "é" becomes "e"."""
    return text if text.isascii() else "".join(
        char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn"
    )  # fmt: skip


def split_punctuation(word: str) -> list[str]:
    """Every punctuation character becomes a word of its own: "don't" -> ["don", "'", "t"]."""
    if word.isalnum():
        return [word]
    words: list[str] = []
    start_new = True
    for char in word:
        if is_punctuation(char):
            words.append(char)
            start_new = True
        elif start_new:
            words.append(char)
            start_new = False
        else:
            words[-1] += char
    return words


def split_words(
    text: str,
    *,
    do_lower_case: bool = True,
    strip_accents_too: bool | None = None,  # None: follow do_lower_case
    tokenize_chinese_chars: bool = True,
    never_split: Collection[str] = (),
) -> list[str]:
    """The words of a text, normalised; words in `never_split` stay as they were written."""
    text = clean(text)
    if tokenize_chinese_chars and not text.isascii():
        text = "".join(f" {char} " if is_chinese(char) else char for char in text)
    strips = do_lower_case if strip_accents_too is None else strip_accents_too
    words: list[str] = []
    for word in unicodedata.normalize("NFC", text).split():
        if word in never_split:
            words.append(word)
            continue
        word = lower(word) if do_lower_case else word
        words.extend(split_punctuation(strip_accents(word) if strips else word))
    # Removing accents can leave white space inside a word, such as U+2003 after NFD of U+2001.
    return " ".join(words).split()


def split_word(
    word: str, vocabulary: Container[str], *, unknown: str = "[UNK]", max_characters: int = MAX_WORD_CHARACTERS
) -> list[str]:
    """The pieces of one word, always the longest that fits; [unknown] where none fits or the word is too long."""
    if len(word) > max_characters:
        return [unknown]
    pieces: list[str] = []
    start = 0
    while start < len(word):
        prefix = CONTINUATION if start else ""
        stop = len(word)
        while stop > start and prefix + word[start:stop] not in vocabulary:
            stop -= 1
        if stop == start:
            return [unknown]
        pieces.append(prefix + word[start:stop])
        start = stop
    return pieces


def split_text(
    text: str,
    vocabulary: Container[str],
    words_of: Callable[[str], list[str]],
    *,
    unknown: str = "[UNK]",
    never_split: Collection[str] = (),
    max_characters: int = MAX_WORD_CHARACTERS,
) -> list[str]:
    """The pieces of a text: `words_of` splits it into words, words in `never_split` are pieces as they are."""
    pieces: list[str] = []
    for word in words_of(text):
        if word in never_split:
            pieces.append(word)
        else:
            pieces.extend(split_word(word, vocabulary, unknown=unknown, max_characters=max_characters))
    return pieces
