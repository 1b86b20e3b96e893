"""One compiled function for each way a model is called: compiled once per shape, gone with the model."""

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import jax

_COMPILED: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()  # model -> (function, choices) -> compiled


def compiled(model: Any, function: Callable[..., Any], *choices: Any) -> Callable[..., Any]:
    """`function(model.module, *choices, ...)` compiled; choices are Python values, what follows are trees of arrays."""
    functions = _COMPILED.setdefault(model, {})
    if (function, choices) not in functions:
        functions[function, choices] = jax.jit(partial(function, model.module, *choices))
    return functions[function, choices]
