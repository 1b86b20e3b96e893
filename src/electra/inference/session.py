"""A model that was written as ONNX, answered by onnxruntime alone: neither a framework nor our own C."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from electra.config import ElectraConfig
from electra.errors import UsageError, WeightsError, install_hint
from electra.weights.recorded import check_recorded

FILE, DATA = "model.onnx", "model.onnx.data"  # the second where a model is beyond 2 GB
PRECISION = "precision"  # of the products: what a file says of itself; one that says nothing is float32
NUMBERS = 1 << 26  # of a generator's answer that are in memory at a time
Array = np.ndarray[Any, Any]


class Session:
    """The ONNX file of a folder, ready to answer on the CPU. threads of the processor; 0: as onnxruntime takes.

    Raises UsageError where another engine is asked for than auto or the precision that the file was written in, WeightsError
    where the file is damaged, or not what the folder's manifest.json says.
    """

    def __init__(self, folder: Path, threads: int = 0, engine: str = "auto") -> None:
        check_recorded(folder, (FILE, DATA))
        self.session = open_session(folder / FILE, threads)
        self.names = [output.name for output in self.session.get_outputs()]
        self.precision = str(self.session.get_modelmeta().custom_metadata_map.get(PRECISION, "float32"))
        if engine not in ("auto", self.precision):
            raise UsageError(
                f"{folder} has an ONNX file, which is {self.precision}; {engine} needs a folder with weights, and engine auto "
                f"or {self.precision} takes the file as it is"
            )

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The answer's fields by name, float32, with the padding. inputs as the tokenizer gives them, of any integers."""
        fed = {name: array.astype(np.int64) for name, array in inputs.items()}
        return dict(zip(self.names, self.session.run(self.names, fed), strict=True))


class Reader:
    """A discriminator or a generator that was exported: the twin of electra.torch.reader.Reader.

    Raises WeightsError where the folder holds another head.
    """

    def __init__(self, class_name: str, folder: Path, *, threads: int, engine: str) -> None:
        self.config = ElectraConfig.from_pretrained(folder)
        named = (vars(self.config)["architectures"] or [""])[0]
        if named != class_name:
            raise WeightsError(
                f"{folder} holds an exported {named or 'model of no named class'}, expected {class_name}"
            )
        self.session = Session(folder, threads, engine)

    def replaced(self, inputs: Mapping[str, Array]) -> Array:
        """Of a discriminator: logits (B, L) float32, above 0 for replaced."""
        return self._answer(inputs)

    def tokens(self, inputs: Mapping[str, Array], positions: Array) -> Array:
        """Of a generator: logits (B, V) float32 of what stands at one position of each row; positions (B,)."""
        rows, length = inputs["input_ids"].shape
        size = int(vars(self.config)["vocab_size"])
        together = max(1, NUMBERS // (length * size))  # the file answers every position
        answers = np.empty((rows, size), np.float32)
        for start in range(0, rows, together):
            found = self._answer({name: array[start : start + together] for name, array in inputs.items()})
            answers[start : start + together] = found[np.arange(len(found)), positions[start : start + together]]
        return answers

    def _answer(self, inputs: Mapping[str, Array]) -> Array:
        types = {"token_type_ids": np.zeros_like(inputs["input_ids"])}
        return self.session.predict(types | dict(inputs))["logits"]


def open_session(path: Path, threads: int = 0) -> Any:
    """An ONNX file as a session of onnxruntime. Raises MissingDependencyError without it, WeightsError on a damaged file."""
    try:
        import onnxruntime
    except ImportError:
        raise install_hint("onnxruntime", "onnx", f"running {path}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises no narrower class
        raise WeightsError(
            f"{path} cannot be run; is it whole, with model.onnx.data beside it if it had one? {error}"
        ) from None
