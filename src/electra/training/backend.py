"""The one seam between a training loop and a framework. Each framework's package has one class that keeps it."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from electra.batch import Batch, Masked
from electra.config import ElectraConfig
from electra.errors import UsageError, did_you_mean, install_hint
from electra.training.metrics import Observed
from electra.training.settings import PretrainSettings
from electra.weights.files import Arrays

Part = tuple[Batch, Masked]

# framework -> (module, the package whose absence is answered with an install command)
FRAMEWORKS = {
    "torch": ("electra.torch.backend", "torch"),
    "tf": ("electra.tf.backend", "tensorflow"),
    "flax": ("electra.flax.backend", "flax"),
}


class Backend(Protocol):
    """The networks of a run, their optimizer, and the steps they make. Arrays in, numbers and arrays out."""

    def describe(self) -> dict[str, Any]:
        """Device, precision, threads, parameters: what a reader of the run must know."""

    def train_step(self, parts: Sequence[Part], *, step: int, learning_rate: float) -> dict[str, float]:
        """Update the networks on the parts of one batch, as update number `step` (from 0).

        Raises RunFailedError, with nothing changed, where the loss or the gradient is not finite.
        """

    def observe(self, part: Part) -> Observed:
        """One batch without dropout and without learning."""

    def save(self, folder: Path | None) -> None:
        """A model folder per network, and optimizer.safetensors. None: this process gives its share to the one that writes."""

    def load(self, folder: Path) -> None:
        """Continue from what `save` wrote, bit for bit. Whoever asks has found the folder to be whole."""


def open_backend(
    framework: str,
    networks: dict[str, ElectraConfig],
    settings: PretrainSettings,
    special_ids: dict[str, int],
    weights: Mapping[str, Arrays] | None = None,
) -> Backend:
    """The backend of a framework; its networks begin with `weights`, else with the first weights of the run's seed."""
    if framework not in FRAMEWORKS:
        raise UsageError(
            f'there is no framework "{framework}"{did_you_mean(framework, FRAMEWORKS)}; expected {", ".join(FRAMEWORKS)}'
        )
    module, package = FRAMEWORKS[framework]
    try:
        import_module(package)
    except ImportError:
        raise install_hint(package, framework, f"pretraining with --framework {framework}") from None
    backend: Backend = import_module(module).Backend(networks, settings, special_ids, weights)
    return backend
