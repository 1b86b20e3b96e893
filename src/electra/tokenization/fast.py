"""ElectraTokenizerFast: the same ids through the `tokenizers` package, with offsets, in bulk and on all cores."""

import json
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from electra.errors import UsageError
from electra.tokenization.base import Tokenizer
from electra.tokenization.bulk import LINE, Ids, Lengths, LineEncoder
from electra.tokenization.compiled import CompiledEncoder
from electra.tokenization.inputs import InputTypeError, NegativeIdError
from electra.tokenization.layout import Pieces, Row
from electra.tokenization.options import Options
from electra.tokenization.reading import read_folder
from electra.tokenization.special import AddedToken, RoleError, as_special
from electra.tokenization.truncation import does_not_fit, fill, keep, side_by_side, windows
from electra.tokenization.vocabulary import pieces_of
from electra.tokenization.wordpiece import replace_surrogates

MADE_WHEN_NEEDED = ("_backend", "_text_backend", "_line_encoder")


class ElectraTokenizerFast(Tokenizer):
    """ELECTRA's tokenizer on the `tokenizers` package; arguments as ElectraTokenizer's.

    vocab_file      one piece a line; the pieces themselves (a list) are taken too
    tokenizer_file  a tokenizer.json, instead of vocab_file
    Raises VocabularyError that names every problem of the vocabulary.
    """

    is_fast = True

    def __init__(
        self,
        vocab_file: str | Path | Sequence[str] | None = None,
        tokenizer_file: str | Path | None = None,
        do_lower_case: bool = True,
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
        if vocab_file is None and tokenizer_file is None:
            raise UsageError("ElectraTokenizerFast needs vocab_file or tokenizer_file")
        if vocab_file is None:
            stored = read_folder(Path(str(tokenizer_file)))
            pieces, normalization = stored.vocabulary, normalization | stored.recorded
            others["added_tokens_decoder"] = stored.added | others.get("added_tokens_decoder", {})
        else:
            pieces = pieces_of(vocab_file)
        super().__init__(pieces, normalization=normalization, special_tokens=special, **others)

    def _refuse(self, message: str) -> None:
        raise InputTypeError(message)

    # -- the backend --------------------------------------------------------------------------------------------------

    @cached_property
    def _backend(self) -> Backend:
        return self._make_backend(False)

    @cached_property
    def _text_backend(self) -> Backend:
        """The backend that takes "[MASK]" and the like in a text for text."""
        return self._make_backend(True)

    @cached_property
    def _line_encoder(self) -> LineEncoder | CompiledEncoder:
        if any(not token.special for token in self._added.values()):  # they may hold anything
            return LineEncoder(self._text_backend, unit=LINE)
        return CompiledEncoder.of(self._text_backend) or LineEncoder(self._text_backend)

    def _make_backend(self, split_special_tokens: bool) -> Backend:
        backend = Backend.from_str(json.dumps(self._tokenizer_json()))
        backend.encode_special_tokens = split_special_tokens
        return backend

    def _forget(self) -> None:
        for name in MADE_WHEN_NEEDED:
            self.__dict__.pop(name, None)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy is made of, without what it makes again (a backend would lose its encode_special_tokens)."""
        return {name: value for name, value in self.__dict__.items() if name not in MADE_WHEN_NEEDED}

    @property
    def backend_tokenizer(self) -> Backend:
        """The `tokenizers.Tokenizer` underneath."""
        return self._backend

    # -- added tokens -------------------------------------------------------------------------------------------------

    def _add(self, tokens: Sequence[str | AddedToken], *, special: bool) -> int:
        """Add tokens; how many are new or have other flags than before. A special token stays one."""
        count = 0
        for token in tokens:
            if special:
                token = as_special(token)
            elif isinstance(token, str):
                token = AddedToken(token)
            known = self._added.get(self._ids.get(token.content, -1))
            if not token.content or known == token:
                continue
            if known is None or token.special or not known.special:
                self._put(token)
            count += 1
        return count

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """[CLS] A [SEP], or [CLS] A [SEP] B [SEP]; an empty second text is none."""
        return super().build_inputs_with_special_tokens(token_ids_0, token_ids_1 or None)

    def get_special_tokens_mask(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        """1 where a special token stands, in ids that have them already."""
        if not already_has_special_tokens:
            raise RoleError(
                "the fast tokenizer marks special tokens in ids that have them: already_has_special_tokens=True. "
                "For texts, call it with return_special_tokens_mask=True"
            )
        return super().get_special_tokens_mask(token_ids_0, token_ids_1, True)

    # -- text to pieces to rows ---------------------------------------------------------------------------------------

    def _encode_texts(self, texts: Sequence[Any], options: Options) -> list[Pieces]:
        asked = options.split_special_tokens
        splits = self.split_special_tokens if asked is None else asked
        backend = self._text_backend if splits else self._backend
        is_words = options.is_split_into_words
        clean = [
            [replace_surrogates(word) for word in text] if is_words else replace_surrogates(text) for text in texts
        ]
        return list(backend.encode_batch(clean, is_pretokenized=is_words, add_special_tokens=False))

    def _rows_of(self, texts: Sequence[Pieces], options: Options) -> list[Row]:
        """The first window over the texts, and with return_overflowing_tokens the others after it."""
        sizes = zip([len(text.ids) for text in texts], self._sizes(texts, options), strict=True)
        side = self.truncation_side
        if options.return_overflowing_tokens:
            rows = side_by_side([windows(length, size, options.stride, side) for length, size in sizes])
        else:
            rows = [tuple(keep(length, size, side) for length, size in sizes)]
        return [self._build(texts, spans, with_special_tokens=options.add_special_tokens) for spans in rows]

    def _sizes(self, texts: Sequence[Pieces], options: Options) -> list[int]:
        """How many pieces of each text a row holds."""
        lengths = [len(text.ids) for text in texts]
        if not options.truncates or options.max_length is None:
            return lengths
        special = self.num_special_tokens_to_add(len(texts) == 2) if options.add_special_tokens else 0
        room = options.max_length - special
        if options.stride and options.stride > options.max_length - self.num_special_tokens_to_add():
            raise UsageError(
                f"stride {options.stride} leaves a window of max_length {options.max_length} no piece of its own; "
                "lower stride, or raise max_length"
            )
        if room < 0:
            warnings.warn(
                f"max_length has no room for the special tokens alone ({-room} too few): not truncated", stacklevel=6
            )
            return lengths
        sizes = fill(lengths, room, options.truncation)
        if sizes is None:
            raise UsageError(does_not_fit(lengths, sum(lengths) - room, options.truncation))
        return sizes

    def encode_lines(self, lines: Sequence[str]) -> tuple[Ids, Lengths]:
        """The ids of many lines, one after another, and how many each line has; no special tokens are added.

        The bulk path: special tokens written in a line are plain text here, as in the original's data builder. Lone
        surrogates become U+FFFD; a word of any length costs time and memory in proportion to the line, and is [UNK].
        Returns ids (sum of lengths,) int32 and lengths (len(lines),) int64.
        """
        return self._line_encoder.encode(lines)

    # -- pieces to text -----------------------------------------------------------------------------------------------

    def _piece(self, index: int) -> str | None:
        """The piece with an id; None beyond the vocabulary. Raises NegativeIdError, where `tokenizers` overflows."""
        if index < 0:
            raise NegativeIdError(f"token id {index} is negative")
        return self._pieces[index] if index < len(self._pieces) else None

    def _skipped_ids(self) -> set[int]:
        """The ids that skip_special_tokens leaves out of a text, also of tokens that were special once."""
        return super()._skipped_ids().union(index for index, token in self._added.items() if token.special)

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join pieces to a text."""
        return str(self._backend.decoder.decode(list(tokens)))

    def _text_of(self, tokens: Sequence[str], spaces_between_special_tokens: bool) -> str:
        """Join pieces to a text; there is always a space between tokens, as `tokenizers` has it."""
        return self.convert_tokens_to_string(tokens)
