"""Words of absurd length, made short before the `tokenizers` package sees them, without changing a single id.

Every word of more than 100 characters is [UNK], but the package copies it several times first: a line of 100 MB
without a space would cost gigabytes. So a run of letters that is too long whatever happens is cut to 101 letters.
"""

import re

from tokenizers import Tokenizer as Backend

from electra.tokenization.wordpiece import MAX_WORD_CHARACTERS

LONG_CHUNK = 2000  # characters without white space; ordinary text never gets here
PART = 1 << 16  # characters of one call to the package


SPACE = re.compile("[ \t\n\r]")  # white space to every tokenizer; what Unicode adds is left to normalisation


def shorten_words(text: str, backend: Backend) -> str:
    """`text` with its overlong words shortened to a length that is still too long; other text as it is."""
    if len(text) <= LONG_CHUNK:
        return text
    chunks = SPACE.split(text)
    if max(map(len, chunks)) <= LONG_CHUNK:
        return text
    return " ".join(chunk if len(chunk) <= LONG_CHUNK else _shorten(chunk, backend) for chunk in chunks)


def in_parts(text: str) -> list[str]:
    """The text in parts of bounded length, cut at white space, so that a long line costs no more than short ones."""
    parts, start = [], 0
    while len(text) - start > PART:
        found = SPACE.search(text, start + PART)
        stop = len(text) if found is None else found.start()
        parts.append(text[start:stop])
        start = stop
    return [*parts, text[start:]]


def _shorten(chunk: str, backend: Backend) -> str:
    """Cut every run of more than 100 characters that stay in one word, and put spaces between words.

    Normalisation works on single characters, so asking it about each distinct one is exact. A space after a character
    that ends a word changes nothing; one every thousand characters lets `in_parts` cut.
    """
    classes = {"kept": "", "gone": "", "split": ""}
    dropped: dict[int, None] = {}
    for char in set(chunk):
        kind = _kind(char, backend)
        classes[kind] += re.escape(char)
        if kind == "gone":
            dropped[ord(char)] = None
    inside = classes["kept"] + classes["gone"]
    if inside:
        run = re.compile(f"(?<![{inside}])[{inside}]{{{MAX_WORD_CHARACTERS + 1},}}+")
        chunk = run.sub(lambda match: _cut(match.group(), dropped), chunk)
    if classes["split"]:
        chunk = re.sub(f".{{1000}}[^{classes['split']}]*+[{classes['split']}]", r"\g<0> ", chunk, flags=re.DOTALL)
    return chunk


def _cut(run: str, dropped: dict[int, None]) -> str:
    """The first 101 characters that are kept, and one that vanishes if there was any.

    Without that one, a run of vanishing characters inside could leave a special token that was not there.
    """
    letters = run.translate(dropped) if dropped else run
    vanishing = next((char for char in run if ord(char) in dropped), "")
    return letters[:1] + vanishing + letters[1 : MAX_WORD_CHARACTERS + 1]


def _kind(char: str, backend: Backend) -> str:
    """What becomes of a character inside a word: "kept" in it, "gone", or "split" where it ends the word."""
    normal = backend.normalizer.normalize_str(char)
    if not normal:
        return "gone"
    words = backend.pre_tokenizer.pre_tokenize_str(f"a{normal}a")
    return "kept" if len(words) == 1 else "split"
