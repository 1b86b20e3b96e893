"""What a call asks for: the many spellings of padding and truncation resolved into one plain record, or refused."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
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
    """The arguments of one call, with Hugging Face's names and defaults; lengths in tokens, special ones included."""

    add_special_tokens: bool = True
    padding: Any = False
    truncation: Any = None
    max_length: int | None = None
    stride: int = 0
    is_split_into_words: bool = False
    pad_to_multiple_of: int | None = None
    padding_side: str = ""  # empty or None: the tokenizer's
    return_tensors: str | None = None
    return_token_type_ids: bool | None = None
    return_attention_mask: bool | None = None
    return_overflowing_tokens: bool = False
    return_special_tokens_mask: bool = False
    return_offsets_mapping: bool = False
    return_length: bool = False
    verbose: bool = True  # taken because Hugging Face's is; nothing is printed either way
    split_special_tokens: bool | None = None

    @property
    def truncates(self) -> bool:
        """Whether rows are cut."""
        return bool(self.truncation != "do_not_truncate")

    def columns(self, model_input_names: Sequence[str], *, in_windows: bool) -> list[str]:
        """The names of the columns of the answer. in_windows: what flows over stands in rows of its own."""

        def wants(name: str, asked: bool | None) -> bool:
            return name in model_input_names if asked is None else asked

        wanted = {
            "overflowing_tokens": self.return_overflowing_tokens and not in_windows,
            "num_truncated_tokens": self.return_overflowing_tokens and not in_windows,
            "input_ids": True,
            "token_type_ids": wants("token_type_ids", self.return_token_type_ids),
            "attention_mask": wants("attention_mask", self.return_attention_mask),
            "special_tokens_mask": self.return_special_tokens_mask,
            "offset_mapping": self.return_offsets_mapping,
            "length": self.return_length,
            "overflow_to_sample_mapping": self.return_overflowing_tokens and in_windows,
        }
        return [name for name, is_wanted in wanted.items() if is_wanted]


OPTION_NAMES = tuple(field.name for field in fields(Options))


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


def resolve(asked: Options, *, padding_side: str, model_max_length: int, pad_token: str | None) -> Options:
    """The options with strategies by name and with what the tokenizer says where the call says nothing.

    max_length alone truncates, as Hugging Face's does. Padding or truncating to a limit that is not known does nothing.
    Raises UsageError on unknown words and impossible combinations.
    """
    padding = choose("padding", asked.padding, PADDING, PADDING_STRATEGIES)
    max_length, says_nothing = asked.max_length, asked.truncation is None
    truncates_anyway = max_length is not None and says_nothing and padding == "do_not_pad"
    truncation = choose("truncation", truncates_anyway or asked.truncation, TRUNCATION, TRUNCATION_STRATEGIES)
    if max_length is None and model_max_length <= LARGEST_LIMIT:
        max_length = model_max_length
    if max_length is None:
        padding = "do_not_pad" if padding == "max_length" else padding
        truncation = "do_not_truncate"
    side = asked.padding_side or padding_side
    resolved = replace(asked, padding=padding, truncation=truncation, max_length=max_length, padding_side=side)
    _check(resolved, pad_token)
    return resolved


def _check(options: Options, pad_token: str | None) -> None:
    if options.padding_side not in ("left", "right"):
        raise UsageError(f'padding_side is {options.padding_side!r}, expected "left" or "right"')
    if options.stride < 0:
        raise UsageError(f"stride is {options.stride}, expected the number of pieces two windows share, 0 or more")
    if options.padding == "do_not_pad":
        return
    if pad_token is None:
        raise UsageError(
            "padding needs a padding token, and this tokenizer has none; give it one, such as pad_token='[PAD]'"
        )
    longest, multiple = options.max_length, options.pad_to_multiple_of
    if options.truncates and multiple and longest and longest % multiple:
        raise UsageError(
            f"max_length {longest} is not a multiple of pad_to_multiple_of {multiple}; change one of the two"
        )
