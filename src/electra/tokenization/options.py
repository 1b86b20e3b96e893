"""What a call asks for: the many spellings of padding and truncation resolved into one plain record, or refused."""

from dataclasses import dataclass
from typing import Any

from electra.errors import UsageError, did_you_mean

NO_LIMIT = int(1e30)  # model_max_length of a tokenizer that was told none
LARGEST_LIMIT = int(1e20)  # a model_max_length above this means "no limit"

PADDING = {True: "longest", False: "do_not_pad", None: "do_not_pad"}
TRUNCATION = {True: "longest_first", False: "do_not_truncate", None: "do_not_truncate"}
PADDING_STRATEGIES = ("longest", "max_length", "do_not_pad")
TRUNCATION_STRATEGIES = ("only_first", "only_second", "longest_first", "do_not_truncate")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Resolved options of one call; lengths in tokens, special tokens included."""

    add_special_tokens: bool = True
    padding: str = "do_not_pad"
    truncation: str = "do_not_truncate"
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    padding_side: str = "right"


def choose(name: str, value: Any, aliases: dict[Any, str], strategies: tuple[str, ...]) -> str:
    """The strategy that a boolean or a word stands for."""
    if value is None or isinstance(value, bool):
        return aliases[value]
    word = str(getattr(value, "value", value))
    if word not in strategies:
        raise UsageError(
            f"{name} is {value!r}{did_you_mean(word, strategies)}, expected True, False or {', '.join(strategies)}"
        )
    return word


def resolve(
    *,
    add_special_tokens: bool,
    padding: Any,
    truncation: Any,
    max_length: int | None,
    pad_to_multiple_of: int | None,
    padding_side: str,
    model_max_length: int,
    pad_token: str | None,
) -> Options:
    """One record from the arguments of a call.

    max_length alone truncates, as Hugging Face's does. Padding or truncating to a limit that is not known does nothing.
    Raises UsageError on unknown words and impossible combinations.
    """
    if (
        max_length is not None
        and truncation is None
        and choose("padding", padding, PADDING, PADDING_STRATEGIES) == "do_not_pad"
    ):
        truncation = True
    padding = choose("padding", padding, PADDING, PADDING_STRATEGIES)
    truncation = choose("truncation", truncation, TRUNCATION, TRUNCATION_STRATEGIES)
    if max_length is None and model_max_length <= LARGEST_LIMIT:
        max_length = model_max_length
    if max_length is None:
        padding = "do_not_pad" if padding == "max_length" else padding
        truncation = "do_not_truncate"
    _check(padding, truncation, max_length, pad_to_multiple_of, padding_side, pad_token)
    return Options(
        add_special_tokens=add_special_tokens,
        padding=padding,
        truncation=truncation,
        max_length=max_length,
        pad_to_multiple_of=pad_to_multiple_of,
        padding_side=padding_side,
    )


def _check(
    padding: str, truncation: str, max_length: int | None, multiple: int | None, side: str, pad_token: str | None
) -> None:
    if side not in ("left", "right"):
        raise UsageError(f'padding_side is {side!r}, expected "left" or "right"')
    if padding == "do_not_pad":
        return
    if pad_token is None:
        raise UsageError(
            "padding needs a padding token, and this tokenizer has none; give it one, such as pad_token='[PAD]'"
        )
    if truncation != "do_not_truncate" and multiple and max_length and max_length % multiple:
        raise UsageError(
            f"max_length {max_length} is not a multiple of pad_to_multiple_of {multiple}; change one of the two"
        )
