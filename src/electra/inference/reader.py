"""A discriminator or a generator in our own C, behind the calls that the frameworks' readers have."""

from collections.abc import Mapping
from pathlib import Path

from electra.config import ElectraConfig
from electra.errors import WeightsError
from electra.inference import choice
from electra.inference.compiled import Array
from electra.inference.compiled_model import CompiledModel, why_not
from electra.inference.engine import is_on_cpu, read_model
from electra.inference.machine import cores


class Reader:
    """The twin of electra.torch.reader.Reader, in float32, bfloat16 or int8."""

    def __init__(
        self, class_name: str, config: ElectraConfig, weights: Mapping[str, Array], precision: str, threads: int
    ) -> None:
        self.config = config
        self.model = CompiledModel(class_name, config, weights, precision, threads)

    def replaced(self, inputs: Mapping[str, Array]) -> Array:
        """Of a discriminator: logits (B, L) float32, above 0 for replaced."""
        return self.model.predict(inputs)["logits"]

    def tokens(self, inputs: Mapping[str, Array], positions: Array) -> Array:
        """Of a generator: logits (B, V) float32 of what stands at one position of each row; positions (B,)."""
        return self.model.answer_at(inputs, positions)


def open_reader(class_name: str, folder: Path, *, device: str, threads: int, engine: str = "float32") -> Reader | None:
    """The network of a model folder; None where our own C cannot be had for it, or it is not whole: PyTorch says why.

    engine   float32, bfloat16, int8, or auto: the faster of the first two
    """
    if not is_on_cpu(device):
        return None
    try:
        found, config, weights = read_model(folder)
    except WeightsError:
        return None
    if found != class_name or why_not(class_name, config) is not None:
        return None
    precision = choice.of_compiled(config) if engine == "auto" else engine
    return Reader(class_name, config, weights, precision, threads or cores())
