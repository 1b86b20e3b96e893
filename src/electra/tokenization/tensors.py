"""Lists to tensors of four frameworks, each imported only when asked for; and which framework a tensor is from.

Integers have 64 bits in NumPy and PyTorch, 32 in TensorFlow and JAX, as Hugging Face's tokenizers give them.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from electra.errors import DataError, UsageError, did_you_mean, install_hint

Integers = np.ndarray[Any, np.dtype[np.int64]]

# return_tensors -> package, how its extra is called, function of which module, integer type of the values handed to it
FRAMEWORKS = {
    "np": ("numpy", "", "numpy", "asarray", np.int64),
    "pt": ("torch", "torch", "torch", "from_numpy", np.int64),
    "tf": ("tensorflow", "tf", "tensorflow", "constant", np.int32),
    "jax": ("jax", "flax", "jax.numpy", "asarray", np.int32),
}


class RaggedError(DataError, TypeError):
    """Rows that make no array: of different lengths, or not of numbers."""


def tensor_maker(tensor_type: Any) -> Callable[[str, Any], Any]:
    """The function (name, nested lists of integers) -> tensor.

    Raises UsageError on an unknown type, MissingDependencyError where its framework is not installed.
    """
    word = str(getattr(tensor_type, "value", tensor_type))
    if word not in FRAMEWORKS:
        known = ", ".join(map(repr, FRAMEWORKS))
        raise UsageError(f"return_tensors is {word!r}{did_you_mean(word, FRAMEWORKS)}, expected {known} or None")
    package, extra, module, function, integers = FRAMEWORKS[word]
    try:
        make = getattr(import_module(module), function)
    except ImportError:
        raise install_hint(package, extra, f'return_tensors="{word}"') from None
    return lambda name, values: make(_rectangular(name, values).astype(integers))


def tensor_type_of(values: Any) -> str | None:
    """The framework an array, or the first of a list of arrays, is from; None for lists."""
    if isinstance(values, (list, tuple)):
        return tensor_type_of(values[0]) if values else None
    package = type(values).__module__.partition(".")[0].replace("jaxlib", "jax")
    return next((word for word, row in FRAMEWORKS.items() if row[0] == package), None)


def _rectangular(name: str, values: Any) -> Integers:
    try:
        return np.asarray(values, dtype=np.int64)
    except (ValueError, TypeError):
        raise RaggedError(
            f"{name} cannot become one array: its rows have different lengths or hold no numbers. "
            "Ask for padding=True and truncation=True."
        ) from None
