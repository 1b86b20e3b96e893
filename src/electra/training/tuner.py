"""The seam between fine-tuning and a framework: a model with a head, its optimizer, and the steps it makes.

The twin of electra.training.backend, for one network with labels. Each framework's package has one class that keeps it.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from electra.config import ElectraConfig
from electra.errors import UsageError, did_you_mean, install_hint
from electra.first_weights import first_weights
from electra.heads import ORIGINAL_HEADS, PREFIXES
from electra.training.layerwise import multipliers
from electra.training.tune_settings import TuneSettings
from electra.weights.names import Shape

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

        targets hold `weights` beside the labels, as electra.losses.tuning_loss takes them.
        Raises RunFailedError, with nothing changed, where the loss or the gradient is not finite.
        """

    def predict(self, inputs: Arrays) -> dict[str, np.ndarray[Any, Any]]:
        """What the model says of one batch, without dropout, in float32 and with the padding: logits, or start_logits, ..."""

    def save_model(self, folder: Path) -> None:
        """A model folder."""

    def save(self, folder: Path) -> None:
        """A model folder, and optimizer.safetensors."""

    def load(self, folder: Path) -> None:
        """Continue from what `save` wrote, bit for bit. Whoever asks has found the folder to be whole."""


def open_tuner(
    framework: str,
    class_name: str,
    config: ElectraConfig,
    weights: Arrays,
    settings: TuneSettings,
    *,
    seed: int,
) -> Tuner:
    """The tuner of a framework.

    class_name   the PyTorch name of the head's class, such as ElectraForSequenceClassification
    weights      tensors by Hugging Face's names; what the model has beyond them is drawn from `seed` and the tensor's name
    """
    module = check_framework(framework)
    tuner: Tuner = import_module(module).Tuner(class_name, config, weights, settings, seed=seed)
    return tuner


def check_framework(framework: str) -> str:
    """The module of a framework's tuner. Raises UsageError on a name nobody knows, with the command where it is not installed."""
    if framework not in FRAMEWORKS:
        raise UsageError(
            f'there is no framework "{framework}"{did_you_mean(framework, FRAMEWORKS)}; expected {", ".join(FRAMEWORKS)}'
        )
    module, package = FRAMEWORKS[framework]
    try:
        import_module(package)
    except ImportError:
        raise install_hint(package, framework, f"fine-tuning with --framework {framework}") from None
    return module


def find_class(framework: str, class_name: str) -> Any:
    """The class of a head in a framework, by its PyTorch name."""
    file = "original_heads" if class_name in {row.class_name for row in ORIGINAL_HEADS} else "task_heads"
    return getattr(import_module(f"electra.{framework}.{file}"), PREFIXES[framework] + class_name)


def given_to(model_class: Any, targets: Mapping[str, Any]) -> dict[str, Any]:
    """The targets that a model reads as inputs while it is trained: the original's answers are told where they begin."""
    return {name: targets[name] for name in getattr(model_class, "given_targets", ())}


def begin_weights(shapes: Mapping[str, Shape], given: Arrays, std: float, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Every tensor of a model, by Hugging Face's names: what is given, and first weights for the rest."""
    fresh = first_weights({name: shape for name, shape in shapes.items() if name not in given}, std, seed)
    return {name: np.asarray(given[name], np.float32) if name in given else fresh[name] for name in shapes}


def rates_of(names: Iterable[str], config: ElectraConfig, settings: TuneSettings) -> dict[str, float]:
    """What the learning rate of each tensor is multiplied by."""
    layers = int(vars(config)["num_hidden_layers"])
    return multipliers(names, layers=layers, decay=settings.layer_decay, as_shipped=settings.layer_decay_as_shipped)
