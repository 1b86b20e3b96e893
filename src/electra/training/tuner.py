"""The seam between fine-tuning and a framework: a model with a head, its optimizer, and the steps it makes.

The twin of electra.training.backend, for one network with labels. Each framework's package has one class that keeps it.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from electra.config import ElectraConfig
from electra.errors import UsageError, did_you_mean, install_hint
from electra.training.tune_settings import TuneSettings

Arrays = Mapping[str, np.ndarray[Any, Any]]

# framework -> (module, the package whose absence is answered with an install command)
FRAMEWORKS = {
    "torch": ("electra.torch.tuner", "torch"),
    "tf": ("electra.tf.tuner", "tensorflow"),
    "flax": ("electra.flax.tuner", "flax"),
}


class Tuner(Protocol):
    """A model under fine-tuning. Arrays in, numbers and arrays out."""

    def describe(self) -> dict[str, Any]:
        """Device, precision, threads, parameters: what a reader of the run must know."""

    def train_step(self, inputs: Arrays, targets: Arrays, *, step: int, learning_rate: float) -> dict[str, float]:
        """Update the model on one batch, as update number `step` (from 0): loss (as optimised) and gradient_norm.

        Raises RunFailedError, with nothing changed, where the loss or the gradient is not finite.
        """

    def predict(self, inputs: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """What the model says of one batch, without dropout, in float32 and with the padding: logits, or start_logits, ..."""

    def save_model(self, folder: Path) -> None:
        """A model folder."""

    def save(self, folder: Path) -> None:
        """A model folder, and optimizer.safetensors."""

    def load(self, folder: Path, *, updates: int) -> None:
        """Continue from what `save` wrote after `updates` updates, bit for bit."""


def open_tuner(
    framework: str,
    class_name: str,
    config: ElectraConfig,
    weights: Arrays,
    settings: TuneSettings,
    *,
    seed: int,
    total_steps: int,
) -> Tuner:
    """The tuner of a framework.

    class_name   the PyTorch name of the head's class, such as ElectraForSequenceClassification
    weights      tensors by Hugging Face's names; what the head has beyond them is drawn from `seed` and the tensor's name
    total_steps  updates of the whole run
    """
    if framework not in FRAMEWORKS:
        raise UsageError(
            f'there is no framework "{framework}"{did_you_mean(framework, FRAMEWORKS)}; expected {", ".join(FRAMEWORKS)}'
        )
    module, package = FRAMEWORKS[framework]
    try:
        import_module(package)
    except ImportError:
        raise install_hint(package, framework, f"fine-tuning with --framework {framework}") from None
    tuner: Tuner = import_module(module).Tuner(
        class_name, config, weights, settings, seed=seed, total_steps=total_steps
    )
    return tuner
