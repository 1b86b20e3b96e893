"""Predictions as people and programs read them on a line: numbers without noise, answers that are whole words."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from electra.tasks.task import Prediction
from electra.tokenization.wordpiece import is_chinese

DIGITS = 6  # significant ones; float32 has about seven, and another processor differs in the last


def rounded(value: Any) -> Any:
    """A plain value with its floats rounded to DIGITS significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def with_nbest(prediction: Prediction, context: str, most: int) -> Prediction:
    """An answer with at most so many candidates, the likeliest that begin and end where words of the context do.

    Where the likeliest of all begins or ends inside a word, none is left out for it: the script may have no spaces.
    """
    nbest = prediction["nbest"]
    whole = [entry for entry in nbest if not any(_is_inside(context, entry[side]) for side in ("start", "end"))]
    return prediction | {"nbest": (whole if whole[:1] == nbest[:1] else nbest)[:most]}


def _is_inside(context: str, place: int | None) -> bool:
    """Whether one word goes on across this place. A Chinese character is a word."""
    if place is None or not 0 < place < len(context):
        return False
    return all(_is_letter(char) and not is_chinese(char) for char in context[place - 1 : place + 1])


def _is_letter(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char).startswith("M")  # marks go on with their letter
