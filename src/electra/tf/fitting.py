"""What Keras' compile, fit, evaluate, predict and export need of a model.

Unusual here: no loss is given to compile. A batch brings its labels, in its dictionary or beside it, and the model's own loss
is minimised; a loss that is given to compile gets the labels and the logits instead, as metrics do.
"""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from electra.errors import InputError
from electra.tf.forms import by_name

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy


class Fitting:
    """Mixin of the models. label_names and answer_names say which inputs are compared with which outputs."""

    argument_names: tuple[str, ...]
    loss: Any  # what compile was given; this, losses and __call__ are Keras'
    losses: Any
    __call__: Any
    label_names: tuple[str, ...] = ("labels",)
    answer_names: tuple[str, ...] = ("logits",)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        return super().train_step(self._batch(data))  # type: ignore[misc]

    def test_step(self, data: Any) -> dict[str, Tensor]:
        return super().test_step(self._batch(data))  # type: ignore[misc]

    def predict_step(self, data: Any) -> Any:
        """Without the labels: a loss is no row of an answer."""
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        named = by_name(self.argument_names, (x,), {})
        return self(**{k: v for k, v in named.items() if k not in self.label_names}, return_dict=True, training=False)

    def _batch(self, data: Any) -> tuple[dict[str, Any], Any, Any]:
        """(inputs by name, labels, sample weights), the labels among the inputs where the model's own loss is used."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        inputs = by_name(self.argument_names, (x,), {})
        labels = {name: inputs.pop(name) for name in self.label_names if name in inputs}
        if y is not None:
            if not isinstance(y, Mapping):
                y = dict(zip(self.label_names, y if isinstance(y, (list, tuple)) else (y,), strict=True))
            labels |= y
        if self.loss is None:
            inputs |= labels
        return inputs, self._only(labels.get(name) for name in self.label_names), sample_weight

    def _only(self, values: Any) -> Any:
        """The one value, or several by the names of the outputs they belong to."""
        named = dict(zip(self.answer_names, values, strict=False))
        return next(iter(named.values()), None) if len(named) < 2 else named

    def _answers(self, y_pred: Any) -> Any:
        return self._only(y_pred[name] for name in self.answer_names)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """The loss the model answered with, or the one given to compile on its logits; and what layers add."""
        if self.loss is not None:
            return super().compute_loss(x, y, self._answers(y_pred), sample_weight, training)  # type: ignore[misc]
        if "loss" not in y_pred:
            raise InputError(
                f"there is nothing to minimise: the batch holds no {' and '.join(self.label_names) or 'labels'}, and "
                "compile was given no loss"
            )
        if sample_weight is not None:
            raise InputError("the model's own loss knows no sample weights; give compile a loss that does")
        loss: Tensor = y_pred["loss"]
        for added in self.losses:
            loss = loss + tf.cast(added, loss.dtype)
        return loss

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Metrics given to compile see the labels and the logits."""
        return super().compute_metrics(x, y, self._answers(y_pred), sample_weight)  # type: ignore[misc]

    def export(
        self, filepath: Any, format: str = "tf_saved_model", input_signature: Any = None, **options: Any
    ) -> None:
        """Write a SavedModel whose signature takes ids, masks and token types of any length, by name.

        input_signature    in its place: a list of one dictionary of tf.TensorSpec
        """
        if input_signature is None:
            input_signature = [self.input_signature]
        super().export(filepath, format=format, input_signature=input_signature, **options)  # type: ignore[misc]

    @property
    def input_signature(self) -> dict[str, tf.TensorSpec]:
        """What an exported model takes."""
        names = ("input_ids", "attention_mask", "token_type_ids")
        return {name: tf.TensorSpec(self.input_axes, tf.int32, name) for name in names}

    input_axes: tuple[None, ...] = (None, None)
