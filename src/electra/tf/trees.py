"""The output classes as trees Keras can take apart and put together, and our errors as Keras should leave them.

tf.nest sees a dictionary and needs no help.
"""

from functools import partial
from typing import Any

from electra import outputs
from electra.errors import ElectraError


def _flatten(output: outputs.ModelOutput) -> tuple[list[Any], tuple[str, ...], tuple[str, ...]]:
    return list(output.values()), tuple(output), tuple(output)


def _unflatten(kind: type[outputs.ModelOutput], names: tuple[str, ...], values: Any) -> outputs.ModelOutput:
    return kind(**dict(zip(names, values, strict=True)))


def register_outputs() -> None:
    """Register every output class. Called once, where models are defined."""
    import optree  # Keras brings it

    register: Any = optree.register_pytree_node  # its types want every tree to be of strings
    for kind in outputs.ModelOutput.__subclasses__():
        register(kind, _flatten, partial(_unflatten, kind), namespace="keras")
    # Keras writes every argument of a call into an error's message; ours already name the place and what to do.
    ElectraError._keras_call_info_injected = True  # type: ignore[attr-defined]
