"""Rows from ids: special tokens around them, cutting, padding. What a call does after its texts became pieces.

These are the methods Hugging Face's slow tokenizers are made of; the fast ones have them too, with the same answers.
"""

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from electra.errors import UsageError, did_you_mean
from electra.tokenization.decoding import Decoding
from electra.tokenization.encoding import BatchEncoding
from electra.tokenization.inputs import as_ids
from electra.tokenization.layout import Pieces, PlainPieces, Row, build_row
from electra.tokenization.options import (
    OPTION_NAMES,
    TRUNCATION,
    TRUNCATION_STRATEGIES,
    Options,
    choose,
    resolve,
)
from electra.tokenization.padding import Filler, columns_of, pad_columns, pad_rows
from electra.tokenization.special import RoleError
from electra.tokenization.tensors import tensor_type_of
from electra.tokenization.truncation import Span, cut, does_not_fit


class Preparing(Decoding):
    """Ids to rows; a base of the tokenizers."""

    model_input_names: Sequence[str]
    model_max_length: int
    padding_side: str
    truncation_side: str

    @abstractmethod
    def _refuse(self, message: str) -> None:
        """Raise, or warn and go on: a call has an argument nobody knows."""

    @property
    def pad_token_type_id(self) -> int:
        """The segment of padding."""
        return 0

    # -- special tokens around ids ------------------------------------------------------------------------------------

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens a row of one text, or of two, gets."""
        return (self.cls_token is not None) + (self.sep_token is not None) * (2 if pair else 1)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """[CLS] A [SEP], or [CLS] A [SEP] B [SEP]."""
        cls = [] if self.cls_token_id is None else [self.cls_token_id]
        sep = [] if self.sep_token_id is None else [self.sep_token_id]
        return [*cls, *token_ids_0, *sep] + ([] if token_ids_1 is None else [*token_ids_1, *sep])

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """0 for [CLS] A [SEP], 1 for B [SEP]."""
        first = len(token_ids_0) + self.num_special_tokens_to_add()
        return [0] * first + ([] if token_ids_1 is None else [1] * (len(token_ids_1) + (self.sep_token is not None)))

    def get_special_tokens_mask(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        """1 where a special token stands, or, in the slow tokenizer, would be put."""
        if already_has_special_tokens and token_ids_1 is None:
            special = set(self.all_special_ids)
            return [int(i in special) for i in token_ids_0]
        if already_has_special_tokens:
            raise RoleError("ids that already have special tokens are one row; leave token_ids_1 out")
        texts = [token_ids_0] if token_ids_1 is None else [token_ids_0, token_ids_1]
        pieces = [PlainPieces(ids, [""] * len(ids)) for ids in texts]
        return self._build(pieces, [(0, len(ids)) for ids in texts]).special_tokens_mask

    def _build(
        self,
        texts: Sequence[Pieces],
        spans: Sequence[Span],
        *,
        with_special_tokens: bool = True,
        with_segments: bool = True,
    ) -> Row:
        """The row of some pieces of each text."""
        return build_row(
            [(pieces, *span) for pieces, span in zip(texts, spans, strict=True)],
            cls=self._frame(self.cls_token, with_special_tokens),
            sep=self._frame(self.sep_token, with_special_tokens),
            with_segments=with_segments,
        )

    def _frame(self, token: str | None, is_wanted: bool) -> tuple[int, str] | None:
        return (self._id_of(token), token) if is_wanted and token is not None else None

    # -- cutting ------------------------------------------------------------------------------------------------------

    def truncate_sequences(
        self,
        ids: list[int],
        pair_ids: list[int] | None = None,
        num_tokens_to_remove: int = 0,
        truncation_strategy: Any = "longest_first",
        stride: int = 0,
    ) -> tuple[list[int], list[int] | None, list[int]]:
        """Ids shortened by num_tokens_to_remove, those of a second text, and the ids cut off.

        stride  how many of the ids that stay are repeated before those cut off
        Two texts shortened by "longest_first" give nothing cut off.
        """
        strategy = choose("truncation_strategy", truncation_strategy, TRUNCATION, TRUNCATION_STRATEGIES)
        texts = [ids] if pair_ids is None else [ids, pair_ids]
        excess = 0 if strategy == "do_not_truncate" else num_tokens_to_remove
        lengths = [len(text) for text in texts]
        made = cut(lengths, excess, strategy=strategy, stride=stride, side=self.truncation_side)
        if made is None:
            warnings.warn(does_not_fit(lengths, excess, strategy), stacklevel=2)
            return ids, pair_ids, []
        kept = [text[slice(*span)] for text, span in zip(texts, made.spans, strict=True)]
        overflow = texts[made.overflowing_text][slice(*made.overflow)]
        return kept[0], None if pair_ids is None else kept[1], overflow

    def _cut_row(self, texts: Sequence[Pieces], options: Options) -> Row:
        """One row of one text or two; what does not fit is noted in the row."""
        if options.return_overflowing_tokens and options.truncation == "longest_first" and len(texts) == 2:
            raise UsageError(
                'truncation="longest_first" shortens both texts of a pair, so what flows over is no one text; '
                'ask for "only_first" or "only_second", or use ElectraTokenizerFast, which gives windows'
            )
        if options.return_token_type_ids and not options.add_special_tokens:
            raise UsageError(
                "token_type_ids tell the texts of a row apart by its special tokens; leave return_token_type_ids out, "
                "or add_special_tokens=False"
            )
        special = self.num_special_tokens_to_add(len(texts) == 2) if options.add_special_tokens else 0
        lengths = [len(pieces.ids) for pieces in texts]
        excess = sum(lengths) + special - options.max_length if options.max_length else 0
        asked = {"strategy": options.truncation, "stride": options.stride, "side": self.truncation_side}
        made = cut(lengths, excess if options.truncates else 0, **asked)
        if made is None:
            warnings.warn(does_not_fit(lengths, excess, options.truncation), stacklevel=5)
        spans = [(0, length) for length in lengths] if made is None else made.spans
        special_tokens = options.add_special_tokens  # without them a pair is one segment, here only
        row = self._build(texts, spans, with_special_tokens=special_tokens, with_segments=special_tokens)
        row.num_truncated_tokens = excess
        if made is not None:
            row.overflowing_tokens = texts[made.overflowing_text].ids[slice(*made.overflow)]
        return row

    # -- preparing and padding ----------------------------------------------------------------------------------------

    def _options(self, asked: dict[str, Any]) -> Options:
        """The options of a call, resolved. Names nobody knows are complained about."""
        if unknown := [name for name in asked if name not in OPTION_NAMES]:
            listed = ", ".join(f"{name}{did_you_mean(name, OPTION_NAMES)}" for name in unknown)
            self._refuse(f"a tokenizer's call has no argument {listed}; it takes {', '.join(OPTION_NAMES)}")
        known = Options(**{name: value for name, value in asked.items() if name in OPTION_NAMES})
        return resolve(
            known,
            padding_side=self.padding_side,
            model_max_length=self.model_max_length,
            pad_token=self.pad_token,
        )

    @property
    def _filler(self) -> Filler | None:
        if self.pad_token is None or self.pad_token_id is None:
            return None
        return Filler(self.pad_token, self.pad_token_id, self.pad_token_type_id)

    def _table(self, rows: Sequence[Row], options: Options, *, in_windows: bool) -> dict[str, list[Any]]:
        """The rows padded, as columns."""
        pad_rows(rows, options, self._filler)
        names = options.columns(self.model_input_names, in_windows=in_windows)
        return {name: [row.column(name) for row in rows] for name in names}

    def prepare_for_model(
        self,
        ids: list[int],
        pair_ids: list[int] | None = None,
        add_special_tokens: bool = True,
        *,
        prepend_batch_axis: bool = False,
        **options: Any,
    ) -> BatchEncoding:
        """A row from the ids of one text or two; options as those of a call.

        What was cut off stands in overflowing_tokens, also with the fast tokenizer. Tensors have one axis, or two with
        prepend_batch_axis.
        """
        resolved = self._options({"add_special_tokens": add_special_tokens, **options})
        texts = [ids] if pair_ids is None else [ids, pair_ids]
        row = self._cut_row([self._pieces_of_ids(text) for text in texts], resolved)
        table = self._table([row], resolved, in_windows=False)
        data = {name: values[0] for name, values in table.items()}
        return BatchEncoding(data, tensor_type=resolved.return_tensors, prepend_batch_axis=prepend_batch_axis)

    def _pieces_of_ids(self, ids: Sequence[int]) -> Pieces:
        listed = as_ids(ids)
        return PlainPieces(listed, self.convert_ids_to_tokens(listed))

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
        """Fill up encodings made earlier: one, a batch, or a list of them (as a data loader's collate gets).

        Arrays and tensors come back as such; lists where return_tensors does not say otherwise.
        """
        asked: dict[str, Any] = {"padding": padding, "max_length": max_length, "pad_to_multiple_of": pad_to_multiple_of}
        asked |= {"padding_side": padding_side, "return_attention_mask": return_attention_mask}
        options = self._options(asked)
        columns = columns_of(encoded_inputs)
        with_mask = "attention_mask" in options.columns(self.model_input_names, in_windows=False)
        table = pad_columns(columns, options, self._filler or Filler("", 0, 0), with_mask=with_mask)
        return BatchEncoding(table, tensor_type=return_tensors or tensor_type_of(columns["input_ids"]))
