"""The output classes as trees torch can take apart and put together: torch.export, FSDP and vmap see the tensors inside."""

from functools import partial
from typing import Any

from torch.utils import _pytree

from electra import outputs


def _flatten(output: outputs.ModelOutput) -> tuple[list[Any], list[str]]:
    return list(output.values()), list(output)


def _flatten_with_keys(output: outputs.ModelOutput) -> tuple[list[Any], list[str]]:
    return [(_pytree.MappingKey(name), value) for name, value in output.items()], list(output)


def _unflatten(kind: type[outputs.ModelOutput], values: Any, names: list[str]) -> outputs.ModelOutput:
    return kind(**dict(zip(names, values, strict=True)))


def register_outputs() -> None:
    """Register every output class. Called once, where models are defined."""
    for kind in outputs.ModelOutput.__subclasses__():
        _pytree.register_pytree_node(
            kind,
            _flatten,
            partial(_unflatten, kind),
            serialized_type_name=f"{kind.__module__}.{kind.__name__}",
            flatten_with_keys_fn=_flatten_with_keys,
        )
