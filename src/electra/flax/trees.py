"""Trees of arrays: outputs and batches that JAX can take apart, and parameter trees from and to our names and layout."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from electra import batch, objective, outputs
from electra.weights.files import BFLOAT16, Arrays
from electra.weights.translation import flax_path, from_flax_path, transposed

Tree = Mapping[str, Any]  # nested, the leaves are arrays


def _flatten(output: outputs.ModelOutput) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    return tuple(output.values()), tuple(output)


def _flatten_with_keys(output: outputs.ModelOutput) -> tuple[tuple[tuple[Any, Any], ...], tuple[str, ...]]:
    return tuple((jax.tree_util.DictKey(name), value) for name, value in output.items()), tuple(output)


def _unflatten(kind: type[outputs.ModelOutput], names: tuple[str, ...], values: Any) -> outputs.ModelOutput:
    output = kind()
    output.update(zip(names, values, strict=True))  # not by the constructor: JAX may put None where an array was
    return output


def register_outputs() -> None:
    """Register every output class, and what travels to the objective and back. Called once, where models are defined."""
    for kind in outputs.ModelOutput.__subclasses__():
        jax.tree_util.register_pytree_with_keys(kind, _flatten_with_keys, partial(_unflatten, kind), _flatten)
    for plain in (batch.Batch, batch.Masked, objective.Outcome):
        jax.tree_util.register_dataclass(plain, [f.name for f in fields(plain)], [])


def to_tree(arrays: Mapping[str, np.ndarray], dtype: Any = jnp.float32) -> dict[str, Any]:
    """Arrays under our names and in our layout as a parameter tree."""
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        *branches, leaf = flax_path(name)
        place = tree
        for branch in branches:
            place = place.setdefault(branch, {})
        place[leaf] = jnp.array(transposed(name, array), dtype)
    return tree


def to_arrays(tree: Tree) -> Arrays:
    """A parameter tree as arrays under our names and in our layout."""
    return {name: np.ascontiguousarray(transposed(name, _to_numpy(leaf))) for name, leaf in named(tree)}


def named(tree: Tree) -> Iterator[tuple[str, Any]]:
    """Every leaf of a parameter tree with our name of it."""
    for path, leaf in leaves(tree):
        yield from_flax_path(path), leaf


def leaves(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every leaf of a tree with its path."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _to_numpy(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    return array.view(np.uint16).view(BFLOAT16) if array.dtype == jnp.bfloat16 else array
