"""What answers in inference.py: a model folder, or the ONNX file beside it, opened by each library.

An engine is opened with the folder, its kind (a precision) and the number of threads, and then takes rows of ids and gives the
logits of each row's tokens; or it takes texts and gives the probability of the second label.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from texts import LONGEST, padded

Array = np.ndarray
BATCH = 16  # rows or texts that go together


def unpadded(inputs: dict[str, Array], logits: Array) -> list[Array]:
    """The logits of the real tokens, row by row."""
    return [row[:length] for row, length in zip(logits, inputs["attention_mask"].sum(1), strict=True)]


def in_torch(library: str) -> Callable[[Path, str, int], Any]:
    """The model class of electra or transformers, called with padded rows; bfloat16 is torch's autocast."""

    def start(folder: Path, precision: str, threads: int) -> Any:
        import importlib

        import torch

        del threads  # as OMP_NUM_THREADS has it
        model = importlib.import_module(library).ElectraForPreTraining.from_pretrained(folder / "model").eval()

        def answer(rows: list[Array]) -> list[Array]:
            inputs = padded(rows)
            tensors = {key: torch.from_numpy(array) for key, array in inputs.items()}
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                logits = model(**tensors).logits
            return unpadded(inputs, logits.float().numpy())

        return answer

    return start


def ours(folder: Path, kind: str, threads: int) -> Any:
    """The compiled encoder in float32, bfloat16 or int8; "torch float32" and "torch bfloat16" are the plain model."""
    from electra.inference.compiled_model import CompiledModel
    from electra.weights.files import widen
    from electra.weights.sources import open_source

    if kind.startswith("torch "):
        return in_torch("electra")(folder, kind.split()[1], threads)
    (network,) = open_source(folder / "model").networks.values()
    weights = {name: np.array(widen(array), np.float32) for name, array in network.tensors.items()}
    model = CompiledModel(network.class_name, network.config, weights, kind, threads)

    def answer(rows: list[Array]) -> list[Array]:
        inputs = padded(rows)
        return unpadded(inputs, model.predict(inputs)["logits"])

    return answer


def in_onnxruntime(folder: Path, kind: str, threads: int) -> Any:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    path = folder / ("int8.onnx" if kind == "int8" else "model.onnx")
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])

    def answer(rows: list[Array]) -> list[Array]:
        inputs = padded(rows)
        return unpadded(inputs, session.run(None, inputs)[0])

    return answer


def in_openvino(folder: Path, kind: str, threads: int) -> Any:
    import openvino

    del kind
    compiled = openvino.Core().compile_model(folder / "model.onnx", "CPU", {"INFERENCE_NUM_THREADS": threads})

    def answer(rows: list[Array]) -> list[Array]:
        inputs = padded(rows)
        return unpadded(inputs, compiled(inputs)[0])

    return answer


def our_predictor(folder: Path, precision: str, threads: int) -> Any:
    from electra.inference.predictor import Predictor
    from electra.training.tune_settings import TuneSettings

    settings = TuneSettings(batch_size=BATCH, precision=precision, threads=threads)
    predictor = Predictor(folder / "tuned", settings)
    return lambda texts: [list(found["probabilities"].values())[1] for found in predictor.predict_lines(texts)]


def their_pipeline(folder: Path, precision: str, threads: int) -> Any:
    import torch
    from transformers import pipeline

    del threads
    classify = pipeline(
        "text-classification", str(folder / "tuned"), batch_size=BATCH, top_k=None, device="cpu", truncation=True,
        max_length=LONGEST,
    )  # fmt: skip

    def answer(texts: list[str]) -> list[float]:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            found = classify(texts)
        return [next(label["score"] for label in labels if label["label"].endswith("1")) for labels in found]

    return answer


ENGINES: dict[str, Callable[[Path, str, int], Any]] = {
    "electra": ours,
    "transformers": in_torch("transformers"),
    "onnxruntime": in_onnxruntime,
    "openvino": in_openvino,
}
TEXT_ENGINES = {"electra": our_predictor, "transformers": their_pipeline}
