"""The networks of pretraining, and how they share: the twin of every other framework's. Who shares what: training/networks.py.

Gradient-disentangled sharing is of He et al., 2023, "DeBERTaV3", section 3.3.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from typing import Any, ClassVar

import keras
import tensorflow as tf

from electra.tf.heads import TFElectraForMaskedLM, TFElectraForPreTraining
from electra.tf.model import TFElectraModel
from electra.tf.modules import Embedding, replace_layer
from electra.tf.towers import TFElectraCloze
from electra.training.networks import shared_by, shifted_by
from electra.training.settings import PretrainSettings
from electra.weights.files import Arrays

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy
CLASSES: dict[str, Any] = {
    "discriminator": TFElectraForPreTraining,
    "generator": TFElectraForMaskedLM,
    "masked_lm": TFElectraForMaskedLM,
    "generator_ltr": TFElectraModel,
    "generator_rtl": TFElectraModel,
    "cloze": TFElectraCloze,
}


class Shifted(keras.layers.Layer):
    """A table that is `base`, which its gradient does not reach, plus a difference that it trains. ids (...) -> (..., E)."""

    own_weights: ClassVar = {"weight": "difference"}

    def __init__(self, base: Embedding, difference: Any = None) -> None:
        super().__init__(autocast=False)
        self.base = lambda: base  # a function, or Keras would count the table twice
        self.difference = self.add_weight((base.rows, base.width), "zeros", name="difference", autocast=False)
        if difference is not None:
            self.difference.assign(difference)

    def build(self, input_shape: Any = None) -> None: ...

    @property
    def embeddings(self) -> Tensor:
        """The whole table (rows, E)."""
        return tf.stop_gradient(self.base().embeddings.value) + self.difference.value

    def call(self, ids: Tensor) -> Tensor:
        rows = tf.gather(self.difference, ids)
        padding = self.base().padding
        if padding is not None:
            rows = tf.where((ids == padding)[..., None], tf.stop_gradient(rows), rows)
        return tf.cast(tf.stop_gradient(tf.gather(self.base().embeddings, ids)) + rows, self.compute_dtype)


def share(models: Mapping[str, Any], settings: PretrainSettings, state: Mapping[str, Any]) -> None:
    """Let networks share what the settings say, in place; `state` has the differences of shifted tables, 0 if none."""
    for shared in shared_by(settings, {name: model.config for name, model in models.items()}):
        put(models[shared.taker], shared.path, at(models[shared.owner], shared.owner_path))
        models[shared.taker].tie_weights()
    for path in shifted_by(settings):
        base = at(models["generator"], path)
        put(models["discriminator"], path, Shifted(base, state.get(f"discriminator.{path}.weight/difference")))


def at(model: Any, path: str) -> Any:
    """The layer at `path`."""
    return reduce(getattr, path.split("."), model)


def put(model: Any, path: str, layer: Any) -> None:
    """Put a layer in the place of the one at `path`."""
    parent, _, leaf = path.rpartition(".")
    replace_layer(at(model, parent) if parent else model, leaf, layer)


def differences(models: Mapping[str, Any], settings: PretrainSettings) -> Arrays:
    """What shifted tables add, as DISCRIMINATOR.NAME/difference."""
    tables = {path: at(models["discriminator"], path) for path in shifted_by(settings)}
    return {f"discriminator.{path}.weight/difference": table.difference.numpy() for path, table in tables.items()}


@contextmanager
def summed(models: Mapping[str, Any], settings: PretrainSettings) -> Iterator[None]:
    """Inside, shifted tables hold the sum, which is what a model folder is to have."""
    tables = [at(models["discriminator"], path) for path in shifted_by(settings)]
    held = [table.difference.numpy() for table in tables]
    try:
        for table in tables:
            table.difference.assign(table.embeddings)
        yield
    finally:
        for table, difference in zip(tables, held, strict=True):
            table.difference.assign(difference)
