"""Fine-tuning in TensorFlow: a model with a head, its optimizer, and one step. The twin of every other framework's tuner.

Unusual here: the dropout of a step is seeded by the step, so there is no random state to save; and the gradient and the
update are two graphs, so that a loss that is not finite is seen between them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from electra.config import ElectraConfig
from electra.errors import RunFailedError
from electra.losses import tuning_loss
from electra.tf import ops
from electra.tf.backend import device_of, has_fast_bfloat16, set_threads, step_seed
from electra.tf.initial import fill
from electra.tf.modules import dropout_seeded_by
from electra.tf.optim import adam, clip, moments, set_moments, update
from electra.tf.pretrained import policy
from electra.training.tune_settings import TuneSettings
from electra.training.tuner import Arrays, begin_weights, find_class, given_to, rates_of
from electra.weights.files import read_tensors, write_tensors
from electra.weights.translation import transposed, turned_shapes

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy


class Tuner:
    """A model of the class `class_name`, trained by the optimizer of pretraining with a learning rate for each layer."""

    def __init__(
        self,
        class_name: str,
        config: ElectraConfig,
        weights: Arrays,
        settings: TuneSettings,
        *,
        seed: int,
    ) -> None:
        if settings.threads:
            set_threads(settings.threads)
        self.settings, self.seed = settings, seed
        self.device = device_of(settings.device)
        self.bfloat16 = settings.precision == "bfloat16" or (
            settings.precision == "auto" and has_fast_bfloat16(self.device)
        )
        self.model_class = find_class("tf", class_name)
        with self._place():
            model = self.model_class(config)
            shapes = turned_shapes({name: tuple(value.shape) for name, value in model.named_weights().items()})
            fill(model.named_weights(), begin_weights(shapes, weights, config.initializer_range, seed))
            self._adopt(model)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """What is made inside is on the run's device and computes in its precision."""
        with tf.device(self.device), policy("mixed_bfloat16" if self.bfloat16 else "float32"):
            yield

    def _adopt(self, model: Any) -> None:
        self.model = model
        self.model.check_inputs = False  # features were made by the model's own tokenizer and labels
        self.optimizer = adam(
            self.model.named_weights().items(), weight_decay=self.settings.weight_decay, epsilon=self.settings.adam_epsilon,
            rates=rates_of(self.model.named_weights(), self.model.config, self.settings),
        )  # fmt: skip
        traced = partial(tf.function, autograph=False, reduce_retracing=True)
        self._traced_gradients, self._traced_update, self._traced_look = (
            traced(function) for function in (self._gradients, self._update, self._look)
        )

    def describe(self) -> dict[str, Any]:
        """Device, precision, threads and parameters of this run."""
        return {
            "framework": f"tensorflow {tf.__version__}",
            "device": self.device,
            "precision": "bfloat16" if self.bfloat16 else "float32",
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "parameters": self.model.num_parameters(),
        }

    # -- one step -----------------------------------------------------------------------------------------------------

    def _gradients(self, inputs: Any, targets: Any, seed: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        parameters = [variable.value for variable in self.model.named_weights().values()]
        with tf.GradientTape() as tape, dropout_seeded_by(lambda: seed):
            given = given_to(self.model_class, targets)
            outputs = self.model(**inputs, **given, return_dict=True, training=True)
            loss = tuning_loss(outputs, targets, self.model.config.problem_type, self.settings.loss, ops)
        found = tape.gradient(loss, parameters, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients, norm = clip([tf.convert_to_tensor(gradient) for gradient in found], self.settings.clip_norm)
        return gradients, loss, norm

    def _update(self, gradients: Sequence[Tensor], learning_rate: Tensor) -> None:
        update(self.optimizer, gradients, learning_rate=learning_rate)

    def train_step(self, inputs: Arrays, targets: Arrays, *, step: int, learning_rate: float) -> dict[str, float]:
        """One update on a batch; nothing changes where the loss or the gradient is not finite."""
        seed = tf.constant([step_seed(self.seed, step), 0], tf.int32)
        with self._place():
            gradients, loss, norm = self._traced_gradients(_tensors(inputs), _tensors(targets), seed)
            numbers = tf.stack([loss, norm]).numpy().tolist()
            values = dict(zip(("loss", "gradient_norm"), numbers, strict=True))
            if not all(map(isfinite, values.values())):
                raise RunFailedError(f"step {step}: loss {values['loss']}, gradient norm {values['gradient_norm']}")
            self._traced_update(gradients, tf.constant(learning_rate, tf.float32))
        return values

    def _look(self, inputs: Any) -> dict[str, Tensor]:
        outputs = self.model(**inputs, return_dict=True, training=False)
        return {name: tf.cast(value, tf.float32) for name, value in outputs.items() if tf.is_tensor(value)}

    def predict(self, inputs: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """The answers of one batch without dropout, in float32 and with the padding."""
        with self._place():
            return {name: value.numpy() for name, value in self._traced_look(_tensors(inputs)).items()}

    # -- files --------------------------------------------------------------------------------------------------------

    def save_model(self, folder: Path) -> None:
        """A model folder."""
        self.model.save_pretrained(folder)

    def save(self, folder: Path) -> None:
        """A model folder, and optimizer.safetensors with the moments NAME/m and NAME/v."""
        self.save_model(folder)
        write_tensors(folder / "optimizer.safetensors", _turned(moments(self.optimizer)))

    def load(self, folder: Path) -> None:
        """Continue from what `save`, of any framework, wrote."""
        with self._place():
            self._adopt(self.model_class.from_pretrained(folder, check_manifest=False))
            set_moments(self.optimizer, _turned(read_tensors(folder / "optimizer.safetensors")))


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {name: tf.convert_to_tensor(array) for name, array in arrays.items()}


def _turned(state: Mapping[str, Any]) -> dict[str, Any]:
    """Moments NAME/m from this framework's layout into everybody's, and back."""
    return {
        key: np.ascontiguousarray(transposed(key.rpartition("/")[0], np.asarray(array))) for key, array in state.items()
    }
