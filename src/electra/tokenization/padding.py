"""Filling rows up to one length: the rows of a call, or encodings made earlier (`tokenizer.pad`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from electra.errors import InputError, UsageError
from electra.tokenization.inputs import InputTypeError, plain
from electra.tokenization.layout import Row, Segment, padded, padded_length
from electra.tokenization.options import Options


@dataclass(frozen=True)
class Filler:
    """What padding consists of."""

    token: str
    token_id: int
    token_type_id: int


def target_length(longest: int, options: Options) -> int:
    """The length rows are filled up to; rows that are longer stay as they are."""
    if options.padding == "do_not_pad":
        return 0
    length = options.max_length if options.padding == "max_length" and options.max_length is not None else longest
    return padded_length(length, options.pad_to_multiple_of)


def pad_rows(rows: Sequence[Row], options: Options, filler: Filler | None) -> None:
    """Fill the rows up, in place."""
    length = target_length(max((len(row.ids) for row in rows), default=0), options)
    for row in rows:
        missing = length - len(row.ids)
        if missing <= 0 or filler is None:
            continue
        side = options.padding_side
        row.ids = padded(row.ids, length, filler.token_id, side)
        row.tokens = padded(row.tokens, length, filler.token, side)
        row.token_type_ids = padded(row.token_type_ids, length, filler.token_type_id, side)
        row.attention_mask = padded(row.attention_mask, length, 0, side)
        row.special_tokens_mask = padded(row.special_tokens_mask, length, 1, side)
        if side == "left":
            row.segments = [Segment(s.pieces, s.position + missing, s.first, s.stop) for s in row.segments]


def columns_of(encodings: Any) -> dict[str, Any]:
    """name -> values of what `pad` was given: a mapping, or a list of mappings, one a row."""
    if isinstance(encodings, Mapping):
        return dict(encodings)
    if isinstance(encodings, (list, tuple)) and encodings and all(isinstance(row, Mapping) for row in encodings):
        return {name: [row[name] for row in encodings] for name in encodings[0]}
    if isinstance(encodings, (list, tuple)) and not encodings:
        raise InputError("pad got an empty list, expected at least one encoding")
    raise InputTypeError("pad needs an encoding or a list of encodings, such as {'input_ids': [101, 102]}")


def pad_columns(columns: Mapping[str, Any], options: Options, filler: Filler, *, with_mask: bool) -> dict[str, Any]:
    """Fill up the columns of encodings: ids, segments and masks; other columns stay as they are.

    Raises UsageError where there are no input_ids, or columns have different numbers of rows.
    """
    if "input_ids" not in columns:
        raise UsageError(f"pad needs encodings with input_ids; these have {', '.join(columns) or 'nothing'}")
    lists = {name: [plain(value) for value in plain(values)] for name, values in columns.items()}
    ids = lists["input_ids"]
    batched = len(ids) == 0 or isinstance(ids[0], (list, tuple))
    if batched and len({len(values) for values in lists.values()}) > 1:
        counts = ", ".join(f"{name} {len(values)}" for name, values in lists.items())
        raise UsageError(f"columns have different numbers of rows: {counts}")
    table = lists if batched else {name: [values] for name, values in lists.items()}
    if with_mask and "attention_mask" not in table:
        table["attention_mask"] = [[1] * len(row) for row in table["input_ids"]]
    length = target_length(max((len(row) for row in table["input_ids"]), default=0), options)
    fillers = {
        "input_ids": filler.token_id,
        "token_type_ids": filler.token_type_id,
        "attention_mask": 0,
        "special_tokens_mask": 1,
    }
    for name, value in fillers.items():
        if name in table:
            table[name] = [padded(list(row), max(length, len(row)), value, options.padding_side) for row in table[name]]
    return table if batched else {name: values[0] for name, values in table.items()}
