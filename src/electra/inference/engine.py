"""What computes a model's answers, by one call: our own C, PyTorch without padding, a framework's plain model, onnxruntime.

    auto        the fastest of float32 and bfloat16 here, by timing one layer: a few milliseconds
    float32     the plain model's answers to rounding; what scores are taken with
    bfloat16    weights and activations have 8 bits of mantissa
    int8        weights have a scale for each output, activations a range for each token. Never chosen by auto: what it does to
                a model's scores no timing tells, and activations with outliers lose more. `electra evaluate --engine int8` does
    plain       the framework's own model, with padding

On the CPU the first four are our own C where this machine and the model allow, else PyTorch without padding. A GPU and the
other frameworks answer by the plain model in the precision asked for; a folder with an ONNX file by onnxruntime, in the
precision the file was written in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from electra.config import ElectraConfig
from electra.errors import UsageError, did_you_mean, install_hint
from electra.inference.machine import cores, has_gpu
from electra.inference.session import FILE, Session
from electra.training.tune_settings import TuneSettings

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]
Given = tuple[str, ElectraConfig, Arrays]  # the class of a model, its configuration, and its weights
ENGINES = ("auto", "float32", "bfloat16", "int8", "plain")


@dataclass(frozen=True)
class Engine:
    """predict(inputs): padded arrays, (B, L), or (B, C, L) of multiple choice -> the answer's fields by name, float32.

    place      what computes: "our own C", "torch without padding", "torch on cpu", "onnxruntime", ...
    precision  of the products
    reason     what kept a faster place away; empty where nothing did, or nobody asked for one
    """

    predict: Callable[[Arrays], Mapping[str, Array]]
    place: str
    precision: str
    threads: int
    reason: str = ""

    def __str__(self) -> str:
        what = f"{self.place}, {self.precision}, {self.threads} thread{'s' * (self.threads != 1)}"
        return f"{what}; no faster one: {self.reason}" if self.reason else what


def open_engine(folder: Path, settings: TuneSettings, *, framework: str = "torch", engine: str = "float32") -> Engine:
    """What answers for the model of a folder.

    settings   device, threads (0: all that this process may use), and precision where the engine is auto or plain
    Raises UsageError where there is no such engine here.
    """
    check_engine(engine)
    settings = replace(settings, threads=settings.threads or cores())
    if (folder / FILE).is_file():
        session = Session(folder, settings.threads, engine)
        return Engine(session.predict, "onnxruntime", session.precision, settings.threads)
    given = read_model(folder)
    if framework == "torch" and engine != "plain" and is_on_cpu(settings.device):
        return _without_padding(given, settings.threads, engine)
    if engine == "int8":
        raise UsageError("int8 is computed by our own C alone: it needs framework torch and device cpu")
    if engine in ("float32", "bfloat16"):
        settings = replace(settings, precision=cast(Literal["float32", "bfloat16"], engine))
    return _plain(given, settings, framework)


def check_engine(engine: str) -> None:
    """Raises UsageError where no engine is called so."""
    if engine not in ENGINES:
        raise UsageError(f'there is no engine "{engine}"{did_you_mean(engine, ENGINES)}; expected {", ".join(ENGINES)}')


def read_model(folder: Path) -> Given:
    """The network of a model folder. Raises WeightsError where it is not whole."""
    from electra.weights.files import widen
    from electra.weights.sources import open_source

    (network,) = open_source(folder).networks.values()
    weights = {name: np.asarray(widen(array), np.float32) for name, array in network.tensors.items()}
    return network.class_name, network.config, weights


def is_on_cpu(device: str) -> bool:
    """Whether a device is the CPU. Of auto PyTorch is asked only where there may be a GPU: its import takes a second."""
    if device != "auto" or not has_gpu():
        return device in ("auto", "cpu")
    try:
        import torch
    except ImportError:
        return True
    return not torch.cuda.is_available()


def _without_padding(given: Given, threads: int, engine: str) -> Engine:
    """Our own C, else PyTorch. On the CPU."""
    from electra.inference import choice, compiled, compiled_model

    class_name, config, _ = given
    reason = compiled_model.why_not(class_name, config)
    if reason is None:
        precision = choice.of_compiled(config) if engine == "auto" else engine
        answers = compiled_model.CompiledModel(*given, precision, threads)
        return Engine(answers.predict, "our own C", precision, threads)
    if engine == "int8":
        known = f"; it has {', '.join(compiled.kinds())}" if compiled.kinds() else ""
        raise UsageError(f"int8 is computed by our own C alone, which is not to be had here ({reason}){known}")
    in_torch = _torch_answers(f"a model that our own C does not compute ({reason})")
    from electra.torch import unpadded

    precision = choice.of_torch(config) if engine == "auto" else engine
    padded = unpadded.why_not(class_name, config)
    found = in_torch(*given, device="cpu", precision=precision, threads=threads, unpadded=padded is None)
    place = "torch without padding" if padded is None else "torch on cpu"
    return Engine(found.predict, place, precision, threads, padded or reason)


def _plain(given: Given, settings: TuneSettings, framework: str) -> Engine:
    """The framework's own model, on any device."""
    threads = settings.threads
    if framework == "torch":
        options = {"device": settings.device, "precision": settings.precision, "threads": threads}
        answers = _torch_answers("the plain model")(*given, **options)
        return Engine(answers.predict, f"torch on {answers.device}", answers.precision, threads)
    from electra.training.tuner import open_tuner

    tuner = open_tuner(framework, *given, settings, seed=0)
    held = tuner.describe()
    return Engine(tuner.predict, f"{framework} on {held['device']}", held["precision"], threads)


def _torch_answers(purpose: str) -> Any:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise install_hint("torch", "torch", purpose) from None
    from electra.torch.answers import Answers

    return Answers
