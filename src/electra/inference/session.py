"""A model that was written as ONNX, answered by onnxruntime alone: neither a framework nor our own C."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import install_hint

FILE = "model.onnx"


class Session:
    """The ONNX file of a folder, ready to answer on the CPU. threads of the processor; 0: as onnxruntime takes."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self.session = open_session(folder / FILE, threads)
        self.names = [output.name for output in self.session.get_outputs()]

    def predict(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """The answer's fields by name, float32, with the padding. inputs as the tokenizer gives them, of any integers."""
        fed = {name: array.astype(np.int64) for name, array in inputs.items()}
        return dict(zip(self.names, self.session.run(self.names, fed), strict=True))


def open_session(path: Path, threads: int = 0) -> Any:
    """An ONNX file as a session of onnxruntime. Raises MissingDependencyError without it."""
    try:
        import onnxruntime
    except ImportError:
        raise install_hint("onnxruntime", "onnx", f"running {path}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
