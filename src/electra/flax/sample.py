"""What the model of a folder answers to given ids, always on the CPU and in float32, so that answers can be compared."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from electra.weights.files import Array


def answer(kind: Any, folder: Path, input_ids: Array) -> Any:
    """The output of a class of ours with the weights of `folder`; input_ids (B, L), or (B, C, L) for multiple choice."""
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        model = kind.from_pretrained(folder, dtype=jnp.float32, check_manifest=False)
        return model(input_ids, return_dict=True)
