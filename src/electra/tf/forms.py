"""The forms in which Keras users give inputs: keywords, one tensor, a list in order, a dictionary."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from electra.errors import InputError, did_you_mean


def by_name(names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, arrays as tensors.

    names    of the arguments, in order
    Raises InputError on a name that is none of these, and on one given twice.
    """
    first, rest = args[0] if args else None, args[1:]
    if isinstance(first, Mapping):
        given = dict(first)
    elif isinstance(first, (list, tuple)) and not _is_numbers(first):
        given = dict(zip(names, first, strict=False))
        if len(first) > len(names):
            raise InputError(f"{len(first)} inputs were given; expected at most {len(names)}: {', '.join(names)}")
    else:
        given = {} if first is None else {names[0]: first}
    others = dict(zip(names[1:], rest, strict=False)) | dict(kwargs)
    twice = [name for name in given if others.get(name) is not None and given[name] is not None]
    if twice:
        raise InputError(f"{', '.join(twice)} given twice: in the first argument and beside it")
    for name in [*given, *others]:
        if name not in names:
            raise InputError(f"the model takes no {name}{did_you_mean(name, names)}; it takes {', '.join(names)}")
    return {name: _tensors(value) for name, value in (others | given).items()}


def _is_numbers(value: Any) -> bool:
    """Whether a list is the rows of one tensor, written out, and not several tensors."""
    while isinstance(value, (list, tuple)) and len(value):
        value = value[0]
    return isinstance(value, (int, float))


def _tensors(value: Any) -> Any:
    """Arrays, and lists of numbers, as tensors; keys and values of the past one by one; anything else as it is."""
    if isinstance(value, np.ndarray) or (isinstance(value, (list, tuple)) and _is_numbers(value)):
        return tf.convert_to_tensor(value)
    if isinstance(value, (list, tuple)):
        return tuple(_tensors(item) for item in value)
    return value
