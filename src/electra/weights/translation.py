"""Our tensors under the names of the other frameworks: Flax's parameter trees and Keras' layers.

One rule a kind of module: a linear layer's matrix is transposed there, an embedding's and a norm's weight only has another
name. Everything else is the path itself. Source: transformers 4.34, modeling_flax_electra.py and modeling_tf_electra.py.
"""

import re
from collections.abc import Mapping
from typing import Any

from electra.weights.names import MODULES, Shape, canonical

Array = Any

_LAYER = re.compile(r"\.layer\.(\d+)\.")
_KERAS_LAYER = re.compile(r"/layer_\._(\d+)/")

# kind -> what "weight" and "bias" are called there
FLAX = {"embedding": ("embedding", ""), "linear": ("kernel", "bias"), "norm": ("scale", "bias"), "bias": ("", "bias")}
KERAS = {"embedding": ("embeddings", ""), "linear": ("kernel", "bias"), "norm": ("gamma", "beta"), "bias": ("", "bias")}


def kind_of(name: str) -> str | None:
    """The kind of module ("embedding", "linear" or "norm") a tensor belongs to; None where the name is not ours."""
    module = _LAYER.sub(".layer.{}.", canonical(name)).rpartition(".")[0]
    return next((row.kind for row in MODULES if row.name == module), None)


def is_matrix(name: str) -> bool:
    """Whether a tensor is the matrix of a linear layer, which the other frameworks keep transposed."""
    return name.endswith(".weight") and kind_of(name) == "linear"


def transposed(name: str, value: Array) -> Array:
    """The value as the other frameworks keep it, and back: the same both ways."""
    return value.T if is_matrix(name) else value


def flax_path(name: str) -> tuple[str, ...]:
    """Where a tensor stands in a Flax tree: electra.encoder.layer.0.output.dense.weight -> (..., "dense", "kernel")."""
    module, _, leaf = name.rpartition(".")
    return (*module.split("."), _leaf(FLAX, name, leaf))


def keras_path(name: str) -> str:
    """The name of a tensor in Keras, without the model's own: electra/encoder/layer_._0/output/dense/kernel.

    A bare encoder is called electra there too.
    """
    module, _, leaf = canonical(name).rpartition(".")
    leaf = "weight" if module.endswith("word_embeddings") else _leaf(KERAS, name, leaf)
    return re.sub(r"/layer/(\d+)/", r"/layer_._\1/", f"{module}.{leaf}".replace(".", "/"))


def from_flax_path(path: tuple[str, ...]) -> str:
    """Our name of a leaf of a Flax tree; the path joined by dots where nothing of ours is called so."""
    *module, leaf = path
    return _ours(".".join(module), leaf, FLAX)


def from_keras_path(path: str) -> str:
    """Our name of a Keras weight: tf_electra_model/electra/.../kernel:0, with or without the first part and the :0."""
    parts = _KERAS_LAYER.sub(r"/layer/\1/", path.removesuffix(":0")).split("/")
    if parts[0].startswith("tf_"):
        parts = parts[1:]
    *module, leaf = parts
    return _ours(".".join(module), leaf, KERAS)


def turned_shapes(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes of tensors as the other frameworks keep them, and back: the same both ways."""
    return {name: shape[::-1] if is_matrix(name) else shape for name, shape in shapes.items()}


def _leaf(names: Mapping[str, tuple[str, str]], name: str, leaf: str) -> str:
    kind = kind_of(name)
    return leaf if kind is None else names[kind][leaf == "bias"]


def _ours(module: str, leaf: str, names: Mapping[str, tuple[str, str]]) -> str:
    kind = kind_of(f"{module}.weight")
    if kind is None:
        return f"{module}.{leaf}"
    return f"{module}.{'bias' if leaf == names[kind][1] else 'weight'}"
