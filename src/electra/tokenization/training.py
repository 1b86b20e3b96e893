"""Training a WordPiece vocabulary from text: always valid, and the same one for the same text, on any machine.

The `tokenizers` package does the counting and merging. Left alone it numbers letters in the order of a hash table, and
breaks ties by these numbers, so two runs differ. Here the alphabet is counted first and handed over in a fixed order;
that takes two readings of the text, for which an iterator is written to a temporary file.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, trainers

from electra.errors import UsageError, VocabularyError
from electra.tokenization.long_words import in_parts, shorten_words
from electra.tokenization.vocabulary import SPECIAL_TOKENS, find_problems
from electra.tokenization.wordpiece import CONTINUATION, MAX_WORD_CHARACTERS, replace_surrogates

ALPHABET_LIMIT = 1000  # characters; rarer ones are spelled [UNK]

Texts = Callable[[], Iterator[str]]


def train_vocabulary(
    texts: Iterable[str],
    *,
    size: int,
    do_lower_case: bool = True,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool = True,
    min_frequency: int = 2,
    limit_alphabet: int = ALPHABET_LIMIT,
) -> list[str]:
    """The pieces of a vocabulary learned from `texts`: at most `size`, special tokens first (ids 0 to 4).

    min_frequency   pairs of pieces seen less often are never merged
    limit_alphabet  the most frequent characters that are kept as pieces, at most a quarter of the vocabulary
    Raises VocabularyError where the texts hold no word, UsageError where size has no room for an alphabet.
    """
    if size < 2 * len(SPECIAL_TOKENS) + 2:
        raise UsageError(
            f"size is {size}, expected at least {2 * len(SPECIAL_TOKENS) + 2}: five special tokens and some letters"
        )
    backend = _backend(do_lower_case, strip_accents, tokenize_chinese_chars)
    with _readable_twice(texts) as read:
        limit = min(limit_alphabet, (size - len(SPECIAL_TOKENS)) // 4 + 1)
        alphabet, continuing = _alphabet(read(), backend, limit)
        if not alphabet:
            raise VocabularyError("the texts hold no characters to learn from; are the files empty, or not text?")
        first = [*SPECIAL_TOKENS, *alphabet, *(CONTINUATION + char for char in continuing)]
        trainer = trainers.WordPieceTrainer(
            vocab_size=size,
            min_frequency=min_frequency,
            special_tokens=first,
            initial_alphabet=alphabet,
            limit_alphabet=len(alphabet),
            continuing_subword_prefix=CONTINUATION,
            show_progress=False,
        )
        # While it trains, a backend answers no questions: the shortening of words asks another.
        asked = _backend(do_lower_case, strip_accents, tokenize_chinese_chars)
        backend.train_from_iterator(_prepared(read(), asked), trainer)
    ids = backend.get_vocab(with_added_tokens=True)
    pieces = sorted(ids, key=lambda piece: ids[piece])[:size]
    if problems := find_problems(pieces):
        raise VocabularyError("training gave a vocabulary that breaks the rules: " + "; ".join(problems))
    return pieces


def _backend(do_lower_case: bool, strip_accents: bool | None, tokenize_chinese_chars: bool) -> Backend:
    backend = Backend(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=MAX_WORD_CHARACTERS))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=tokenize_chinese_chars,
        strip_accents=strip_accents,
        lowercase=do_lower_case,
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return backend


def _alphabet(texts: Iterator[str], backend: Backend, limit: int) -> tuple[list[str], list[str]]:
    """The most frequent characters after normalisation, in order of code points, and those that can continue a word."""
    raw: Counter[str] = Counter()
    for text in texts:
        raw.update(text)
    counts: Counter[str] = Counter()
    inside: set[str] = set()
    for char, count in raw.items():
        normal = backend.normalizer.normalize_str(replace_surrogates(char))
        continues = len(backend.pre_tokenizer.pre_tokenize_str(f"a{normal}a")) == 1
        for letter in normal:
            if not letter.isspace():
                counts[letter] += count
                inside.update(letter if continues else "")
    kept = sorted(sorted(counts), key=lambda letter: -counts[letter])[:limit]
    return sorted(kept), sorted(letter for letter in kept if letter in inside)


def _prepared(texts: Iterator[str], backend: Backend) -> Iterator[str]:
    for text in texts:
        yield from in_parts(shorten_words(replace_surrogates(text), backend))


@contextmanager
def _readable_twice(texts: Iterable[str]) -> Iterator[Texts]:
    """A way to read the texts from the beginning again; an iterator is copied to a temporary file first."""
    if iter(texts) is not texts:
        yield lambda: iter(texts)
        return
    with tempfile.TemporaryFile("w+", encoding="ascii") as copy:
        for text in texts:
            copy.write(json.dumps(text) + "\n")

        def read() -> Iterator[str]:
            copy.seek(0)
            return (json.loads(line) for line in copy)

        yield read
