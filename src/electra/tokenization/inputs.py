"""What may be passed as text: a string, a list of strings, pairs, lists of words. Anything else is refused in words."""

from operator import index
from typing import Any

from electra.errors import InputError, UsageError


class InputTypeError(UsageError, TypeError):
    """A value of a type that is no text, or no ids."""


class NegativeIdError(InputTypeError, OverflowError):
    """A token id below zero."""


class OffsetsUnknownError(UsageError, NotImplementedError):
    """Asked of the slow tokenizer: where pieces stand in their text."""


def is_batch(text: Any, is_split_into_words: bool) -> bool:
    """Whether `text` holds many texts (True) or one (False)."""
    if not isinstance(text, (list, tuple)):
        return False
    return not is_split_into_words or (len(text) > 0 and isinstance(text[0], (list, tuple)))


def check_texts(text: Any, text_pair: Any, is_split_into_words: bool) -> None:
    """Raise UsageError where the arguments of a call are no texts."""
    if text is None:
        raise InputTypeError("text is missing: give a string, or a list of strings")
    if isinstance(text, (list, tuple)) and not text and not is_split_into_words:
        raise InputError("text is an empty list, expected at least one text")
    for name, value in (("text", text), ("text_pair", text_pair)):
        if value is not None and not _is_text(value):
            raise UsageError(f"{name} is {_short(value)}, expected a string, a list of strings, or lists of words")
    if text_pair is None or not is_batch(text, is_split_into_words):
        return
    if isinstance(text_pair, str):
        raise InputTypeError("text is a batch, so text_pair must be a list of the same length, not one string")
    if len(text) != len(text_pair):
        raise UsageError(f"text holds {len(text)} texts and text_pair {len(text_pair)}; expected as many of both")


def split_pairs(texts: Any, pairs: Any, is_split_into_words: bool) -> tuple[list[Any], list[Any]]:
    """First and second texts of a batch; second is None where a row has one text. A row may be a pair itself."""
    if pairs is not None:
        return list(texts), list(pairs)
    firsts, seconds = [], []
    for text in texts:
        is_pair = isinstance(text, (list, tuple)) and (not is_split_into_words or _is_pair_of_word_lists(text))
        if is_pair and len(text) != 2:
            raise InputTypeError(
                f"a row holds {len(text)} texts, expected one or two; lists of words need is_split_into_words=True"
            )
        firsts.append(text[0] if is_pair else text)
        seconds.append(text[1] if is_pair else None)
    return firsts, seconds


def check_strings(texts: list[Any], is_split_into_words: bool, *, takes_strings_for_words: bool) -> None:
    """Raise InputTypeError where a text is no string, or no list of strings with is_split_into_words."""
    for number, text in enumerate(texts):
        good = isinstance(text, str)
        if is_split_into_words and not (good and takes_strings_for_words):
            good = isinstance(text, (list, tuple)) and all(isinstance(word, str) for word in text)
        if not good:
            expected = "a list of words" if is_split_into_words else "a string"
            raise InputTypeError(f"text {number} is {_short(text)}, expected {expected}")


def _is_pair_of_word_lists(text: Any) -> bool:
    return len(text) == 2 and all(isinstance(part, (list, tuple)) for part in text)


def _is_text(value: Any) -> bool:
    if isinstance(value, str):
        return True
    if not isinstance(value, (list, tuple)):
        return False
    return len(value) == 0 or isinstance(value[0], str) or _is_list_of_strings(value[0])


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and (len(value) == 0 or isinstance(value[0], (str, list, tuple)))


def _short(value: Any) -> str:
    shown = repr(value)
    return f"{type(value).__name__} {shown if len(shown) < 60 else shown[:57] + '...'}"


def as_ids(values: Any) -> list[int]:
    """Ids as a list: of a list, an array or a tensor of one row. Raises InputTypeError on anything else."""
    try:
        return [index(value) for value in plain(values)]
    except TypeError:
        raise InputTypeError(f"ids are {_short(values)}, expected integers") from None


def plain(values: Any) -> Any:
    """An array or tensor as lists and numbers; anything else as it is."""
    if hasattr(values, "tolist"):
        return values.tolist()
    return values.numpy().tolist() if hasattr(values, "numpy") else values  # TensorFlow's
