"""Words of absurd length, made short before the `tokenizers` package sees them, without changing a single id.

Every word of more than 100 characters is [UNK], but the package copies it several times first: a line of 100 MB
without a space would cost gigabytes. So a run of letters that is too long whatever happens is cut to 101 letters.
"""

import re

from tokenizers import Tokenizer as Backend

from electra.tokenization.wordpiece import MAX_WORD_CHARACTERS

LONG_CHUNK = 2000  # characters without white space; ordinary text never gets here
PART = 1 << 16  # characters of one call to the package


def shorten_words(text: str, backend: Backend) -> str:
    """`text` with its overlong words shortened to a length that is still too long; other text as it is."""
    if len(text) <= LONG_CHUNK:
        return text
    chunks = text.split()
    if max(map(len, chunks), default=0) <= LONG_CHUNK:
        return text
    return " ".join(chunk if len(chunk) <= LONG_CHUNK else _shorten(chunk, backend) for chunk in chunks)


def in_parts(text: str) -> list[str]:
    """The text in parts of bounded length, cut at white space, so that a long line costs no more than short ones."""
    if len(text) <= PART:
        return [text]
    parts, start = [], 0
    while len(text) - start > PART:
        cut = text.rfind(" ", start, start + PART)
        if cut <= start:
            cut = start + PART if (following := text.find(" ", start + PART)) < 0 else following
            cut = len(text) if following < 0 else cut
        parts.append(text[start:cut])
        start = cut
    return [*parts, text[start:]]


def _shorten(chunk: str, backend: Backend) -> str:
    """Cut every run of more than 100 characters that normalisation keeps inside one word.

    Normalisation works on single characters, so asking it about each distinct one is exact. Characters that vanish are
    dropped from such a run, all but one: dropping all might write a special token that was not there.
    """
    kinds = {char: _kind(char, backend) for char in set(chunk)}
    kept = "".join(map(re.escape, (char for char, kind in kinds.items() if kind == "kept")))
    gone = "".join(map(re.escape, (char for char, kind in kinds.items() if kind == "gone")))
    if not kept and not gone:
        return chunk
    run = re.compile(f"(?<![{kept}{gone}])[{kept}{gone}]{{{MAX_WORD_CHARACTERS + 1},}}+")
    dropped = {ord(char): None for char, kind in kinds.items() if kind == "gone"}

    def cut(match: re.Match[str]) -> str:
        whole = match.group()
        letters = whole.translate(dropped) if dropped else whole
        vanishing = next((char for char in whole if ord(char) in dropped), "") if dropped else ""
        return letters[:1] + vanishing + letters[1 : MAX_WORD_CHARACTERS + 1]

    return run.sub(cut, chunk)


def _kind(char: str, backend: Backend) -> str:
    """What becomes of a character inside a word: "kept" in it, "gone", or "split" where it ends the word."""
    normal = backend.normalizer.normalize_str(char)
    if not normal:
        return "gone"
    words = backend.pre_tokenizer.pre_tokenize_str(f"a{normal}a")
    return "kept" if len(words) == 1 else "split"
