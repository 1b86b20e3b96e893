"""ElectraTokenizer: the tokenizer in plain Python. Slow, readable, without dependencies."""

import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from electra.tokenization.base import Tokenizer
from electra.tokenization.decoding import join_pieces
from electra.tokenization.layout import Pieces, PlainPieces, Row
from electra.tokenization.options import Options
from electra.tokenization.special import AddedToken
from electra.tokenization.vocabulary import pieces_of
from electra.tokenization.wordpiece import lower, replace_surrogates, split_text, split_words


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
        normalization: dict[str, bool | None] = {
            "do_lower_case": do_lower_case,
            "strip_accents": strip_accents,
            "tokenize_chinese_chars": tokenize_chinese_chars,
        }
        self.do_basic_tokenize = do_basic_tokenize
        self.never_split = frozenset(never_split or ())
        super().__init__(pieces_of(vocab_file), normalization=normalization, special_tokens=special, **others)

    def _settings(self) -> dict[str, Any]:
        own: dict[str, Any] = {} if self.do_basic_tokenize else {"do_basic_tokenize": False}
        if self.never_split:
            own["never_split"] = sorted(self.never_split)
        return super()._settings() | own

    def _refuse(self, message: str) -> None:
        warnings.warn(message, stacklevel=5)

    # -- added tokens -------------------------------------------------------------------------------------------------

    def _add(self, tokens: Sequence[str | AddedToken], *, special: bool) -> int:
        """Add tokens; how many are new. Those looked for in normalised text are kept in lower case."""
        count = 0
        for token in tokens:
            if not str(token) or (isinstance(token, str) and self._is_added(token)):
                continue
            if isinstance(token, str):
                token = AddedToken(token, special=special or token in self.all_special_tokens)
            elif special:
                token = replace(token, special=True)
            if not token.special and token.normalized and self._lowers:
                token = replace(token, content=token.content.lower())
            count += self._put(token)
            if token.special and token.content not in self.all_special_tokens:
                self._additional.append(token)
        return count

    def _forget(self) -> None:
        for name in ("_finder", "_shield"):
            self.__dict__.pop(name, None)

    @property
    def _lowers(self) -> bool:
        return self.do_lower_case and self.do_basic_tokenize

    @cached_property
    def _finder(self) -> re.Pattern[str]:
        """Finds added tokens in a text; the longest where two start at one place."""
        contents = sorted(self.added_tokens_encoder, key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, contents))})")

    @cached_property
    def _shield(self) -> re.Pattern[str]:
        """Finds what is not lower-cased: special tokens, and tokens looked for in normalised text, as they are."""
        normal = [token.content for token in self._added.values() if token.normalized and not token.special]
        return re.compile(f"({'|'.join(map(re.escape, [*self.all_special_tokens, *normal]))})")

    # -- text to pieces -----------------------------------------------------------------------------------------------

    def _encode_texts(self, texts: Sequence[Any], options: Options) -> list[Pieces]:
        asked = options.split_special_tokens
        whole = not (self.split_special_tokens if asked is None else asked)
        rows: list[Pieces] = []
        for text in texts:
            words = [text] if isinstance(text, str) else text
            tokens = [token for word in words for token in self._split(word, whole)]
            rows.append(PlainPieces(self.convert_tokens_to_ids(tokens), tokens))
        return rows

    def _rows_of(self, texts: Sequence[Pieces], options: Options) -> list[Row]:
        return [self._cut_row(texts, options)]

    def _split(self, text: str, keeps_added_tokens: bool) -> list[str]:
        """The pieces of a text; added tokens written in it are pieces."""
        text = replace_surrogates(text)
        if self._lowers:
            parts = self._shield.split(text)  # every second one is shielded
            text = "".join(part if i % 2 else lower(part) for i, part in enumerate(parts))
        if not keeps_added_tokens:
            return self._split_plain(text, self.never_split)
        never_split = self.never_split.union(self.all_special_tokens)
        pieces: list[str] = []
        for part in self._cut_at_added_tokens(text):
            pieces += [part] if self._is_added(part) else self._split_plain(part, never_split)
        return pieces

    def _cut_at_added_tokens(self, text: str) -> list[str]:
        """The text in parts, those with an added token apart, as the token's flags ask.

        A token that must be a single word and is not becomes part of what is beside it, as in transformers'
        PreTrainedTokenizer.tokenize.
        """
        parts = [part for part in self._finder.split(text) if part] if self._added else [text]
        for i, part in enumerate(parts):
            if not self._is_added(part):
                continue
            token = self._added[self._ids[part]]
            left, right = parts[i - 1] if i else "", parts[i + 1] if i + 1 < len(parts) else ""
            if token.rstrip and right:
                parts[i + 1] = right.lstrip()
            if token.lstrip and left:
                parts[i - 1] = left.rstrip()
            if token.single_word and left and left[-1] != " ":
                parts[i - 1] += part
                parts[i] = ""
            elif token.single_word and right and right[0] != " ":
                parts[i + 1] = part + parts[i + 1]
                parts[i] = ""
        return [part for part in parts if part]

    def _split_plain(self, text: str, never_split: Collection[str]) -> list[str]:
        values = self.normalization

        def words_of(text: str) -> list[str]:
            return split_words(
                text,
                do_lower_case=bool(values["do_lower_case"]),
                strip_accents_too=values["strip_accents"],
                tokenize_chinese_chars=bool(values["tokenize_chinese_chars"]),
                never_split=never_split,
            )

        return split_text(
            text,
            self._vocabulary_set,
            words_of if self.do_basic_tokenize else str.split,
            unknown=str(self.unk_token),
            never_split=self.never_split if self.do_basic_tokenize else (),
        )

    # -- pieces to text -----------------------------------------------------------------------------------------------

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join pieces to a text."""
        return join_pieces(tokens)

    def _shown(self, ids: Any, skip_special_tokens: bool) -> list[str]:
        """The pieces a decoded text is made of; of a single id that stands in no list, its letters.

        The slow tokenizer of transformers 4.34, whose answers these are, does so; later ones answer as for a list of one.
        """
        if isinstance(ids, int):
            return list(self._piece(ids) or "")
        return super()._shown(ids, skip_special_tokens)

    def _text_of(self, tokens: Sequence[str], spaces_between_special_tokens: bool) -> str:
        """Join pieces to texts, and those with the added tokens between them that are no part of the vocabulary."""
        apart = set(self.added_tokens_encoder).difference(self.all_special_tokens)
        apart.update(token for token in self.additional_special_tokens if self._id_of(token) >= self.vocab_size)
        texts: list[str] = []
        for is_apart, group in groupby(tokens, apart.__contains__):
            members = list(group)
            texts += members if is_apart else filter(None, [join_pieces(members)])
        return (" " if spaces_between_special_tokens else "").join(texts)
