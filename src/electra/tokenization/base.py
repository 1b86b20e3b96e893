"""What both tokenizers share: calling, decoding, converting. How a text becomes pieces is left to `slow` and `fast`.

The way of a call: texts -> pieces (`_encode_texts`) -> rows (`layout`: truncation, [CLS], [SEP]) -> padding -> answer.
"""

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from electra.errors import VocabularyError
from electra.tokenization.encoding import BatchEncoding
from electra.tokenization.inputs import check_strings, check_texts, is_batch, split_pairs
from electra.tokenization.layout import Pieces, Row, build_row, keep
from electra.tokenization.options import NO_LIMIT, Options, resolve
from electra.tokenization.padding import Filler, columns_of, pad_columns, pad_rows
from electra.tokenization.storing import Storing
from electra.tokenization.vocabulary import find_problems

Normalization = dict[str, bool | None]


class Tokenizer(Storing):
    """Text to ids and back, with Hugging Face's names. Its two kinds are ElectraTokenizer and ElectraTokenizerFast."""

    is_fast = False
    padding_side = "right"
    truncation_side = "right"
    model_input_names = ("input_ids", "token_type_ids", "attention_mask")

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        normalization: Normalization,
        special_tokens: Mapping[str, str | None],
        additional_special_tokens: Sequence[str] = (),
        model_max_length: int | float | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        clean_up_tokenization_spaces: bool = True,
        split_special_tokens: bool = False,
        name_or_path: str = "",
        **others: Any,
    ) -> None:
        for role, token in special_tokens.items():
            setattr(self, role, token)
        self.additional_special_tokens = list(additional_special_tokens)
        if problems := find_problems(vocabulary, special_tokens=special_tokens.values()):
            raise VocabularyError(
                "this vocabulary cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems)
            )
        self._vocabulary = list(vocabulary)
        self._vocabulary_set = frozenset(vocabulary)
        more = [token for token in self.additional_special_tokens if token not in self._vocabulary_set]
        self._pieces = [*vocabulary, *more]  # the vocabulary, then tokens added to it
        self._ids = {piece: i for i, piece in enumerate(self._pieces)}
        self.normalization = dict(normalization)
        self.model_max_length = NO_LIMIT if model_max_length is None else int(model_max_length)
        self.padding_side = padding_side
        self.truncation_side = truncation_side
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.split_special_tokens = split_special_tokens
        self.name_or_path = name_or_path
        self._others = others  # settings of other tools: kept, and written back by save_pretrained

    # -- left to the two kinds ----------------------------------------------------------------------------------------

    @abstractmethod
    def _encode_texts(self, texts: Sequence[Any], *, is_split_into_words: bool) -> list[Pieces]:
        """The pieces of each text; a text is a string, or a list of words where is_split_into_words."""

    @abstractmethod
    def _shares(self, first: int, second: int, room: int) -> tuple[int, int]:
        """How many pieces two texts keep when together they may have `room`."""

    @abstractmethod
    def _cannot_truncate(self, message: str) -> None:
        """Raise or warn: a row stays longer than was asked."""

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
        *,
        add_special_tokens: bool = True,
        padding: Any = False,
        truncation: Any = None,
        max_length: int | None = None,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Encode a text, a pair of texts, or a batch of either.

        text, text_pair       a string, or a list of them; lists of words with is_split_into_words; text may hold pairs
        text_target           a text whose ids become "labels" (or input_ids, where there is no text)
        padding               True or "longest"; "max_length"; False
        truncation            True or "longest_first"; "only_first"; "only_second"; False
        max_length            tokens a row may have, special tokens included; without it, model_max_length
        return_tensors        "np" or "pt" (int64); None gives lists
        Raises UsageError (a ValueError) on what cannot be encoded or padded.
        """
        options = resolve(
            add_special_tokens=add_special_tokens, padding=padding, truncation=truncation, max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of, padding_side=padding_side or self.padding_side,
            model_max_length=self.model_max_length, pad_token=self.pad_token,
        )  # fmt: skip
        if return_offsets_mapping and not self.is_fast:
            raise NotImplementedError("offsets are known to the fast tokenizer only; use ElectraTokenizerFast")
        wanted = {
            "input_ids": True,
            "token_type_ids": return_token_type_ids is not False,
            "attention_mask": return_attention_mask is not False,
            "special_tokens_mask": return_special_tokens_mask,
            "offset_mapping": return_offsets_mapping,
            "length": return_length,
        }
        names = [name for name, is_wanted in wanted.items() if is_wanted]
        given = text_target if text is None else text
        answer = self._answer(given, text_pair, options, names, is_split_into_words, return_tensors)
        if text is not None and text_target is not None:
            target = self._answer(text_target, None, options, ["input_ids"], is_split_into_words, return_tensors)
            answer["labels"] = target["input_ids"]
        return answer

    def _answer(
        self,
        text: Any,
        text_pair: Any,
        options: Options,
        names: list[str],
        is_split_into_words: bool,
        tensors: str | None,
    ) -> BatchEncoding:
        """Encode, pad, and hand out the columns `names`; one text gives plain rows, unless tensors are asked for."""
        check_texts(text, text_pair, is_split_into_words)
        batched = is_batch(text, is_split_into_words)
        texts, pairs = (text, text_pair) if batched else ([text], None if text_pair is None else [text_pair])
        rows = self._rows(texts, pairs, options, is_split_into_words)
        pad_rows(rows, options, self._filler)
        data: dict[str, Any] = {name: [row.column(name) for row in rows] for name in names}
        if not batched and tensors is None:
            for name in names:
                # The fast tokenizers of Hugging Face answer a single text with a list of one length.
                data[name] = data[name] if name == "length" and self.is_fast else data[name][0]
        return BatchEncoding(data, rows=rows if self.is_fast else None, is_fast=self.is_fast, tensor_type=tensors)

    def _rows(self, texts: Any, pairs: Any, options: Options, is_split_into_words: bool) -> list[Row]:
        firsts, seconds = split_pairs(texts, pairs, is_split_into_words)
        given = [text for text in seconds if text is not None]
        check_strings([*firsts, *given], is_split_into_words)
        pieces = self._encode_texts([*firsts, *given], is_split_into_words=is_split_into_words)
        rest = iter(pieces[len(firsts) :])
        return [
            self._row([first] if second is None else [first, next(rest)], options)
            for first, second in zip(pieces, seconds, strict=False)
        ]

    def _row(self, texts: list[Pieces], options: Options) -> Row:
        lengths = [len(pieces.ids) for pieces in texts]
        special = self.num_special_tokens_to_add(len(texts) == 2) if options.add_special_tokens else 0
        if options.truncation != "do_not_truncate" and options.max_length is not None:
            lengths = self._shrink(lengths, options.max_length - special, options.truncation)
        kept = [
            (pieces, *keep(len(pieces.ids), length, self.truncation_side))
            for pieces, length in zip(texts, lengths, strict=True)
        ]
        return build_row(
            kept,
            cls=self._frame("cls_token", special),
            sep=self._frame("sep_token", special),
            with_segments=bool(special) or self.is_fast,  # bare pairs: Hugging Face's two kinds differ
        )

    def _frame(self, role: str, special: int) -> tuple[int, str] | None:
        token = getattr(self, role) if special else None
        return None if token is None else (self._ids[token], token)

    @property
    def _filler(self) -> Filler | None:
        if self.pad_token is None:
            return None
        return Filler(self.pad_token, self._ids[self.pad_token], self.pad_token_type_id)

    def _shrink(self, lengths: list[int], room: int, strategy: str) -> list[int]:
        """How many pieces each text keeps so that together they have `room`."""
        excess = sum(lengths) - room
        if excess <= 0:
            return lengths
        if room < 0:
            warnings.warn(
                f"max_length has no room for the special tokens alone ({-room} too few): not truncated", stacklevel=6
            )
            return lengths
        if len(lengths) == 2 and strategy == "longest_first":
            return list(self._shares(lengths[0], lengths[1], room))
        target = 1 if strategy == "only_second" else 0
        left = lengths[target] - excess if target < len(lengths) else -1
        if left < 0 or (left == 0 and not self._may_empty(lengths)):
            self._cannot_truncate(
                f"{sum(lengths)} tokens do not fit into {room} by truncation={strategy!r}: "
                f"text {target + 1} has {lengths[target] if target < len(lengths) else 0}; "
                'raise max_length or use truncation="longest_first"'
            )
            return lengths
        return [left if i == target else length for i, length in enumerate(lengths)]

    def _may_empty(self, lengths: list[int]) -> bool:
        return self.is_fast and len(lengths) == 1

    # -- the same by other names, and helpers -------------------------------------------------------------------------

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """The pieces of a text, or of two, as strings."""
        resolved = Options(add_special_tokens=add_special_tokens)
        return self._rows(
            [text], None if pair is None else [pair], resolved, options.get("is_split_into_words", False)
        )[0].tokens

    def encode(self, text: Any, text_pair: Any = None, **options: Any) -> Any:
        """The input_ids alone; options as those of a call."""
        return self(text, text_pair, **options)["input_ids"]

    def encode_plus(self, text: Any, text_pair: Any = None, **options: Any) -> BatchEncoding:
        """A call with one text or pair."""
        return self(text, text_pair, **options)

    def batch_encode_plus(self, batch_text_or_text_pairs: Any, **options: Any) -> BatchEncoding:
        """A call with a list of texts or pairs."""
        return self(batch_text_or_text_pairs, **options)

    def pad(
        self,
        encoded_inputs: Any,
        padding: Any = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Fill up encodings made earlier: one, a batch, or a list of them (as a data loader's collate gets)."""
        options = resolve(
            add_special_tokens=True, padding=padding, truncation=False, max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of, padding_side=padding_side or self.padding_side,
            model_max_length=self.model_max_length, pad_token=self.pad_token,
        )  # fmt: skip
        filler = self._filler or Filler("", 0, 0)
        table = pad_columns(columns_of(encoded_inputs), options, filler, with_mask=return_attention_mask is not False)
        return BatchEncoding(table, tensor_type=return_tensors)
