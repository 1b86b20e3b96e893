"""A pretrained network that answers and learns nothing: arrays in, arrays out. The twin of every other framework's reader.

XLA takes all the processor's threads.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from electra.flax import heads
from electra.flax.backend import devices_of

Array = np.ndarray[Any, Any]


class Reader:
    """The network of a model folder, of the class `class_name`: a discriminator or a generator.

    device    cpu, cuda, cuda:1; auto: what JAX takes first
    threads   is left to XLA
    """

    def __init__(self, class_name: str, folder: Path, *, device: str, threads: int) -> None:
        self.device = devices_of(device, 1)[0]
        model, params = getattr(heads, f"Flax{class_name}").from_pretrained(folder, _do_init=False)
        self.config, self.params = model.config, jax.device_put(params, self.device)
        self._replaced = jax.jit(lambda params, inputs: model.module.apply({"params": params}, **inputs)[0])
        self._tokens = jax.jit(
            lambda params, positions, inputs: model.module.apply(
                {"params": params}, positions, **inputs, method="logits_at"
            )
        )

    def replaced(self, inputs: Mapping[str, Array]) -> Array:
        """Of a discriminator: logits (B, L) float32, above 0 for replaced."""
        return np.asarray(self._replaced(self.params, dict(inputs)), np.float32)

    def tokens(self, inputs: Mapping[str, Array], positions: Array) -> Array:
        """Of a generator: logits (B, V) float32 of what stands at one position of each row; positions (B,)."""
        answers = self._tokens(self.params, positions.astype(np.int32)[:, None], dict(inputs))  # (B, 1, V)
        return np.asarray(answers, np.float32)[:, 0]
