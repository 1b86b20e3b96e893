"""A pretrained network that answers and learns nothing: arrays in, arrays out. The twin of every other framework's reader."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from electra.tf import heads
from electra.tf.backend import device_of, set_threads

Array = np.ndarray[Any, Any]


class Reader:
    """The network of a model folder, of the class `class_name`: a discriminator or a generator.

    device    cpu, cuda, cuda:1; auto: a GPU where there is one
    threads   of the processor; 0: as many as TensorFlow takes
    """

    def __init__(self, class_name: str, folder: Path, *, device: str, threads: int) -> None:
        if threads:
            set_threads(threads)
        self.device = device_of(device)
        with tf.device(self.device):
            self.model = getattr(heads, f"TF{class_name}").from_pretrained(folder)
        self.config = self.model.config

    def replaced(self, inputs: Mapping[str, Array]) -> Array:
        """Of a discriminator: logits (B, L) float32, above 0 for replaced."""
        with tf.device(self.device):
            return np.asarray(self.model(**self._tensors(inputs))[0], np.float32)

    def tokens(self, inputs: Mapping[str, Array], positions: Array) -> Array:
        """Of a generator: logits (B, V) float32 of what stands at one position of each row; positions (B,)."""
        with tf.device(self.device):
            hidden = self.model.electra(**self._tensors(inputs))[0]  # (B, L, H)
            asked = tf.gather(hidden, positions.astype(np.int32), axis=1, batch_dims=1)  # (B, H)
            return np.asarray(self.model.mlm_logits(asked), np.float32)

    def _tensors(self, inputs: Mapping[str, Array]) -> dict[str, Any]:
        return {name: tf.convert_to_tensor(array) for name, array in inputs.items()}
