"""What an answer is asked about, as plain values: read with errors that name the input."""

from collections.abc import Mapping
from typing import Any

from electra.errors import DataError

MOST = 100  # answers about one place


def text_of(values: Mapping[str, Any], name: str, number: int) -> str:
    """The text called `name` of input `number`. Raises DataError where it is none."""
    found = values.get(name)
    if isinstance(found, str):
        return found
    what = (
        f'{type(found).__name__} as "{name}"' if name in values else f'{", ".join(values) or "nothing"} and no "{name}"'
    )
    raise DataError(f"input {number}: found {what}, expected text")


def count_of(values: Mapping[str, Any], default: int, number: int) -> int:
    """How many answers are asked for: "count". Raises DataError where it is no number from 1 to MOST."""
    found = values.get("count", default)
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= MOST:
        raise DataError(f'input {number}: "count" is {found!r}, expected a whole number from 1 to {MOST}')
    return found
