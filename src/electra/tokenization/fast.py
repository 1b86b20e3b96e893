"""ElectraTokenizerFast: the same ids through the `tokenizers` package, with offsets, in bulk and on all cores."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from electra.errors import UsageError
from electra.tokenization import files
from electra.tokenization.base import Tokenizer
from electra.tokenization.bulk import Ids, Lengths, LineEncoder
from electra.tokenization.layout import Pieces, share_room
from electra.tokenization.vocabulary import read_vocabulary
from electra.tokenization.wordpiece import replace_surrogates


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
            stored = files.read_folder(Path(str(tokenizer_file)))
            pieces, normalization = stored.vocabulary, normalization | stored.recorded
        elif isinstance(vocab_file, (str, Path)):
            pieces = read_vocabulary(vocab_file, special_tokens=special.values())
        else:
            pieces = list(vocab_file)
        super().__init__(pieces, normalization=normalization, special_tokens=special, **others)

    @cached_property
    def _backend(self) -> Backend:
        return self._make_backend(self.split_special_tokens)

    @cached_property
    def _text_backend(self) -> Backend:
        """The backend that takes "[MASK]" and the like in a text for text."""
        return self._make_backend(True)

    @cached_property
    def _line_encoder(self) -> LineEncoder:
        return LineEncoder(self._text_backend)

    def _make_backend(self, split_special_tokens: bool) -> Backend:
        backend = Backend.from_str(json.dumps(self._tokenizer_json()))
        backend.encode_special_tokens = split_special_tokens
        return backend

    @property
    def backend_tokenizer(self) -> Backend:
        """The `tokenizers.Tokenizer` underneath."""
        return self._backend

    def _encode_texts(self, texts: Sequence[Any], *, is_split_into_words: bool) -> list[Pieces]:
        if is_split_into_words:
            clean = [[replace_surrogates(word) for word in words] for words in texts]
        else:
            clean = [replace_surrogates(text) for text in texts]  # type: ignore[misc]
        return list(self._backend.encode_batch(clean, is_pretokenized=is_split_into_words, add_special_tokens=False))

    def _shares(self, first: int, second: int, room: int) -> tuple[int, int]:
        return share_room(first, second, room)

    def _piece(self, index: int) -> str | None:
        """The piece with an id; None beyond the vocabulary. Raises OverflowError on negative ids, as `tokenizers`."""
        if index < 0:
            raise OverflowError(f"token id {index} is negative")
        return self._pieces[index] if index < len(self._pieces) else None

    def _cannot_truncate(self, message: str) -> None:
        raise UsageError(message)

    def encode_lines(self, lines: Sequence[str]) -> tuple[Ids, Lengths]:
        """The ids of many lines, one after another, and how many each line has; no special tokens are added.

        The bulk path: special tokens written in a line are plain text here, as in the original's data builder. Lone
        surrogates become U+FFFD; a word of any length costs time and memory in proportion to the line, and is [UNK].
        Returns ids (sum of lengths,) int32 and lengths (len(lines),) int64.
        """
        return self._line_encoder.encode(lines)

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join pieces to a text."""
        return str(self._backend.decoder.decode(list(tokens)))
