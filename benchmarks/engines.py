"""What answers in inference.py: a model folder, or the ONNX file beside it, opened by each library.

An engine is opened with the folder, its kind (a precision) and the number of threads, and then takes rows of ids and gives the
logits of each row's tokens; or it takes texts and gives the probability of the second label.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from texts import LONGEST, padded

Array = np.ndarray
BATCH = 16  # rows or texts that go together
EXPORTED = ("exported float32", "exported int8")  # folders with ONNX files, and kinds of electra's Predictor


def unpadded(inputs: dict[str, Array], logits: Array) -> list[Array]:
    """The logits of the real tokens, row by row."""
    return [row[:length] for row, length in zip(logits, inputs["attention_mask"].sum(1), strict=True)]


def theirs(folder: Path, precision: str, threads: int) -> Any:
    """transformers' class, called with padded rows; bfloat16 is torch's autocast."""
    import torch
    from transformers import ElectraForPreTraining

    del threads  # as OMP_NUM_THREADS has it
    model = ElectraForPreTraining.from_pretrained(folder / "model").eval()

    def answer(rows: list[Array]) -> list[Array]:
        inputs = padded(rows)
        tensors = {key: torch.from_numpy(array) for key, array in inputs.items()}
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(**tensors).logits
        return unpadded(inputs, logits.float().numpy())

    return answer


def ours(folder: Path, kind: str, threads: int) -> Any:
    """An engine of electra.inference by its name; "torch float32" and "torch bfloat16" are what it takes without its C."""
    engine = our_engine(kind)
    from electra.inference.engine import open_engine
    from electra.training.tune_settings import TuneSettings

    settings = TuneSettings(
        device="cpu", precision="float32", threads=threads
    )  # the precision of plain; the others say theirs
    opened = open_engine(folder / "model", settings, engine=engine)

    def answer(rows: list[Array]) -> list[Array]:
        inputs = padded(rows)
        return unpadded(inputs, opened.predict(inputs)["logits"])

    return answer


def our_engine(kind: str) -> str:
    """The name of the engine; our own C is turned off in this process where it is to be torch."""
    place, _, precision = kind.rpartition(" ")
    if place == "torch":
        os.environ["ELECTRA_NATIVE"] = "0"
    return "plain" if place == "plain" else precision


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


def our_predictor(folder: Path, kind: str, threads: int) -> Any:
    engine, model = (our_engine(kind), "tuned") if kind not in EXPORTED else ("auto", kind)
    from electra.inference.predictor import Predictor
    from electra.training.tune_settings import TuneSettings

    settings = TuneSettings(batch_size=BATCH, device="cpu", precision="float32", threads=threads)
    predictor = Predictor(folder / model, settings, engine=engine)
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
    "transformers": theirs,
    "onnxruntime": in_onnxruntime,
    "openvino": in_openvino,
}
TEXT_ENGINES = {"electra": our_predictor, "transformers": their_pipeline}
