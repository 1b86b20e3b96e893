"""ElectraTokenizer: the tokenizer in plain Python. Slow, readable, without dependencies."""

import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from electra.tokenization.base import Tokenizer
from electra.tokenization.decoding import join_pieces
from electra.tokenization.layout import Pieces, PlainPieces, share_removal
from electra.tokenization.special import split_at
from electra.tokenization.vocabulary import read_vocabulary
from electra.tokenization.wordpiece import replace_surrogates, split_text, split_words


class ElectraTokenizer(Tokenizer):
    """ELECTRA's tokenizer; WordPiece over words split as BERT does.

    vocab_file              one piece a line; the pieces themselves (a list) are taken too
    do_lower_case           lower-case the text
    do_basic_tokenize       False: split at white space only, as for text that is already split
    never_split             words left as they are
    strip_accents           None: where lower-casing
    tokenize_chinese_chars  every Chinese character is a word
    others                  model_max_length, padding_side, truncation_side, additional_special_tokens, ...
    Raises VocabularyError that names every problem of the vocabulary.
    """

    def __init__(
        self,
        vocab_file: str | Path | Sequence[str],
        do_lower_case: bool = True,
        do_basic_tokenize: bool = True,
        never_split: Collection[str] | None = None,
        unk_token: str | None = "[UNK]",
        sep_token: str | None = "[SEP]",
        pad_token: str | None = "[PAD]",
        cls_token: str | None = "[CLS]",
        mask_token: str | None = "[MASK]",
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        **others: Any,
    ) -> None:
        special = {
            "unk_token": unk_token,
            "sep_token": sep_token,
            "pad_token": pad_token,
            "cls_token": cls_token,
            "mask_token": mask_token,
        }
        pieces: Sequence[str] = []
        if isinstance(vocab_file, (str, Path)):
            pieces = read_vocabulary(vocab_file, special_tokens=special.values())
        else:
            pieces = list(vocab_file)
        normalization: dict[str, bool | None] = {
            "do_lower_case": do_lower_case,
            "strip_accents": strip_accents,
            "tokenize_chinese_chars": tokenize_chinese_chars,
        }
        super().__init__(pieces, normalization=normalization, special_tokens=special, **others)
        self.do_basic_tokenize = do_basic_tokenize
        self.never_split = frozenset(never_split or ())

    def _settings(self) -> dict[str, Any]:
        own: dict[str, Any] = {} if self.do_basic_tokenize else {"do_basic_tokenize": False}
        if self.never_split:
            own["never_split"] = sorted(self.never_split)
        return super()._settings() | own

    def _encode_texts(self, texts: Sequence[Any], *, is_split_into_words: bool) -> list[Pieces]:
        rows: list[Pieces] = []
        for text in texts:
            parts = text if is_split_into_words else [text]
            tokens = [token for part in parts for token in self._split(part)]
            rows.append(PlainPieces(self.convert_tokens_to_ids(tokens), tokens))
        return rows

    def _shares(self, first: int, second: int, room: int) -> tuple[int, int]:
        from_first, from_second = share_removal(first, second, first + second - room)
        return max(0, first - from_first), max(0, second - from_second)

    def _cannot_truncate(self, message: str) -> None:
        warnings.warn(message, stacklevel=5)

    def _split(self, text: str) -> list[str]:
        """The pieces of a text; special tokens written in it are pieces."""
        special = [] if self.split_special_tokens else self.all_special_tokens
        tokens: list[str] = []
        for part in split_at(special, replace_surrogates(text)):
            tokens += [part] if part in special else self._split_plain(part)
        return tokens

    def _split_plain(self, text: str) -> list[str]:
        never_split = self.never_split if self.do_basic_tokenize else ()
        return split_text(
            text, self._vocabulary_set, self._words_of(), unknown=str(self.unk_token), never_split=never_split
        )

    def _words_of(self) -> Callable[[str], list[str]]:
        if not self.do_basic_tokenize:
            return str.split
        values = self.normalization
        return lambda text: split_words(
            text,
            do_lower_case=bool(values["do_lower_case"]),
            strip_accents_too=values["strip_accents"],
            tokenize_chinese_chars=bool(values["tokenize_chinese_chars"]),
            never_split=self.never_split,
        )

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join pieces to a text."""
        return join_pieces(tokens)
