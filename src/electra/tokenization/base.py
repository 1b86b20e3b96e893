"""What both tokenizers share: calling and its other names. How a text becomes pieces is left to `slow` and `fast`.

The way of a call: texts -> pieces (`_encode_texts`) -> rows (`_rows_of`: truncation, [CLS], [SEP]) -> padding -> answer.
"""

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from electra.errors import VocabularyError
from electra.tokenization.encoding import BatchEncoding
from electra.tokenization.inputs import (
    InputTypeError,
    OffsetsUnknownError,
    check_strings,
    check_texts,
    is_batch,
    split_pairs,
)
from electra.tokenization.layout import Pieces, PlainPieces, Row
from electra.tokenization.options import NO_LIMIT, Options
from electra.tokenization.special import ROLES, AddedToken
from electra.tokenization.storing import Storing
from electra.tokenization.vocabulary import find_problems

Normalization = dict[str, bool | None]


class Tokenizer(Storing):
    """Text to ids and back, with Hugging Face's names. Its two kinds are ElectraTokenizer and ElectraTokenizerFast."""

    is_fast = False
    padding_side = "right"
    truncation_side = "right"
    model_input_names: Sequence[str] = ("input_ids", "token_type_ids", "attention_mask")

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        normalization: Normalization,
        special_tokens: Mapping[str, Any],
        additional_special_tokens: Sequence[Any] = (),
        added_tokens_decoder: Mapping[int, AddedToken] | None = None,
        bos_token: Any = None,
        eos_token: Any = None,
        model_max_length: int | float | None = None,
        model_input_names: Sequence[str] | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        clean_up_tokenization_spaces: bool = True,
        split_special_tokens: bool = False,
        name_or_path: str = "",
        **others: Any,
    ) -> None:
        unknown = special_tokens.get("unk_token")
        if unknown is None:
            raise VocabularyError(
                "unk_token is None; a word that the vocabulary cannot spell needs a token, such as [UNK]"
            )
        if problems := find_problems(vocabulary, special_tokens=[str(unknown)]):
            raise VocabularyError(
                "this vocabulary cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems)
            )
        self.normalization = dict(normalization)
        roles = {**special_tokens, "bos_token": bos_token, "eos_token": eos_token}
        super().__init__(vocabulary, roles, additional_special_tokens, added_tokens_decoder or {})
        self._warn_of_absent_tokens(added_tokens_decoder or {})
        self.model_max_length = NO_LIMIT if model_max_length is None else int(model_max_length)
        self.model_input_names = model_input_names or self.model_input_names
        self.padding_side = padding_side
        self.truncation_side = truncation_side
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.split_special_tokens = split_special_tokens
        self.name_or_path = name_or_path
        self._others = others  # settings of other tools: kept, and written back by save_pretrained

    def _warn_of_absent_tokens(self, known: Mapping[int, AddedToken]) -> None:
        named = [token for role in ROLES if (token := getattr(self, role)) is not None]
        absent = [token for token in named if self._ids[token] >= self.vocab_size and self._ids[token] not in known]
        if absent:
            listed = ", ".join(f"{token} (id {self._ids[token]})" for token in absent)
            warnings.warn(
                f"special tokens the vocabulary does not hold were added behind it: {listed}. A model needs a row of "
                "its embeddings for each; is the vocabulary complete?",
                stacklevel=4,
            )

    # -- left to the two kinds ----------------------------------------------------------------------------------------

    @abstractmethod
    def _encode_texts(self, texts: Sequence[Any], options: Options) -> list[Pieces]:
        """The pieces of each text; a text is a string, or a list of words where is_split_into_words."""

    @abstractmethod
    def _rows_of(self, texts: Sequence[Pieces], options: Options) -> list[Row]:
        """The row of one text or two, or its windows."""

    @property
    def do_lower_case(self) -> bool:
        """Whether text is lower-cased."""
        return bool(self.normalization["do_lower_case"])

    @property
    def max_len_single_sentence(self) -> int:
        """The tokens one text may have, special tokens not counted."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=False)

    @property
    def max_len_sentences_pair(self) -> int:
        """The tokens two texts may have together, special tokens not counted."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    # -- encoding -----------------------------------------------------------------------------------------------------

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        add_special_tokens: bool = True,
        padding: Any = False,
        truncation: Any = None,
        max_length: int | None = None,
        stride: int = 0,
        **options: Any,
    ) -> BatchEncoding:
        """Encode a text, a pair of texts, or a batch of either.

        text, text_pair       a string, or a list of them; lists of words with is_split_into_words; text may hold pairs
        text_target           a text whose ids become "labels" (or input_ids, where there is no text); text_pair_target
                              its second text
        padding               True or "longest"; "max_length"; False
        truncation            True or "longest_first"; "only_first"; "only_second"; False
        max_length            tokens a row may have, special tokens included; without it, model_max_length
        stride                with return_overflowing_tokens: pieces that what flows over shares with what stays
        options               by name: is_split_into_words, pad_to_multiple_of, padding_side, split_special_tokens,
                              return_tensors ("np", "pt", "tf" or "jax"; None gives lists), return_token_type_ids,
                              return_attention_mask, return_overflowing_tokens, return_special_tokens_mask,
                              return_offsets_mapping, return_length, verbose
        Raises UsageError (a ValueError) on what cannot be encoded or padded.
        """
        resolved = self._options(
            {
                "add_special_tokens": add_special_tokens,
                "padding": padding,
                "truncation": truncation,
                "max_length": max_length,
                "stride": stride,
                **options,
            }
        )
        if text is None and text_target is not None:
            return self._answer(text_target, text_pair_target, resolved)
        answer = self._answer(text, text_pair, resolved)
        if text_target is not None:
            answer["labels"] = self._answer(text_target, text_pair_target, resolved)["input_ids"]
        return answer

    def encode(self, text: Any, text_pair: Any = None, add_special_tokens: bool = True, **options: Any) -> Any:
        """The input_ids of one text or pair; arguments as those of `encode_plus`."""
        return self.encode_plus(text, text_pair, add_special_tokens, **options)["input_ids"]

    def encode_plus(
        self, text: Any, text_pair: Any = None, add_special_tokens: bool = True, **options: Any
    ) -> BatchEncoding:
        """A call with one text or pair, where a list is one text of pieces or of ids; options as those of a call."""
        resolved = self._options({"add_special_tokens": add_special_tokens, **options})
        return self._encoding(self._single_rows(text, text_pair, resolved), resolved, batched=False)

    def batch_encode_plus(
        self, batch_text_or_text_pairs: Any, add_special_tokens: bool = True, **options: Any
    ) -> BatchEncoding:
        """A call with a list of texts or pairs."""
        if not isinstance(batch_text_or_text_pairs, (list, tuple)):
            raise InputTypeError(f"expected a list of texts or pairs, found {type(batch_text_or_text_pairs).__name__}")
        return self(batch_text_or_text_pairs, add_special_tokens=add_special_tokens, **options)

    def tokenize(self, text: Any, pair: Any = None, add_special_tokens: bool = False, **options: Any) -> list[str]:
        """The pieces of a text, or of two, as strings; options as those of a call."""
        resolved = self._options({"add_special_tokens": add_special_tokens, **options})
        return self._single_rows(text, pair, resolved)[0].tokens

    def _answer(self, text: Any, text_pair: Any, options: Options) -> BatchEncoding:
        check_texts(text, text_pair, options.is_split_into_words)
        if is_batch(text, options.is_split_into_words):
            return self._encoding(self._batch_rows(text, text_pair, options), options, batched=True)
        return self._encoding(self._single_rows(text, text_pair, options), options, batched=False)

    def _single_rows(self, text: Any, text_pair: Any, options: Options) -> list[Row]:
        texts = [text] if text_pair is None else [text, text_pair]
        return self._rows_of([self._pieces_of(part, options) for part in texts], options)

    def _pieces_of(self, text: Any, options: Options) -> Pieces:
        """The pieces of a text; a list is pieces or ids already, unless its strings are words."""
        if not options.is_split_into_words and isinstance(text, (list, tuple)):
            if all(isinstance(piece, str) for piece in text):
                return PlainPieces(self.convert_tokens_to_ids(text), list(text))
            if all(isinstance(index, int) for index in text):
                return self._pieces_of_ids(text)
        self._check_strings([text], options)
        return self._encode_texts([text], options)[0]

    def _batch_rows(self, texts: Any, pairs: Any, options: Options) -> list[Row]:
        firsts, seconds = split_pairs(texts, pairs, options.is_split_into_words)
        given = [text for text in seconds if text is not None]
        self._check_strings([*firsts, *given], options)
        pieces = self._encode_texts([*firsts, *given], options)
        rest = iter(pieces[len(firsts) :])
        rows: list[Row] = []
        for number, (first, second) in enumerate(zip(pieces, seconds, strict=False)):
            own = self._rows_of([first] if second is None else [first, next(rest)], options)
            for row in own:
                row.sample = number
            rows += own
        return rows

    def _check_strings(self, texts: list[Any], options: Options) -> None:
        check_strings(texts, options.is_split_into_words, takes_strings_for_words=not self.is_fast)

    def _encoding(self, rows: list[Row], options: Options, *, batched: bool) -> BatchEncoding:
        """Pad the rows and hand out their columns; one text gives plain rows, unless tensors are asked for."""
        if options.return_offsets_mapping and not self.is_fast:
            raise OffsetsUnknownError("offsets are known to the fast tokenizer only; use ElectraTokenizerFast")
        lengths = [row.length for row in rows]
        data: dict[str, Any] = self._table(rows, options, in_windows=self.is_fast)
        if "length" in data and batched and not self.is_fast:
            data["length"] = lengths  # the slow tokenizers of Hugging Face count a batch's rows before padding
        tensors = options.return_tensors
        if not batched and tensors is None and not (self.is_fast and options.return_overflowing_tokens):
            # The fast tokenizers of Hugging Face answer a single text with a list of one length.
            data = {name: all_ if name == "length" and self.is_fast else all_[0] for name, all_ in data.items()}
        return BatchEncoding(data, rows=rows if self.is_fast else None, is_fast=self.is_fast, tensor_type=tensors)
