"""How an exported model answers beside the one it was made of: differences, scores, size and speed, all measured here.

    measure(original folder, exported folders, head, asked) -> what parity.json holds -> report.lines

Each contender answers the same rows of real texts. Differences are from PyTorch's plain model in float32.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from electra.config import ElectraConfig
from electra.errors import UsageError
from electra.heads import Head
from electra.inference.engine import Engine, open_engine
from electra.inference.machine import cores, features, memory, processor
from electra.inference.parity.measures import differences, size_of, speed
from electra.inference.parity.rows import batches_of, read_texts, rows_of, told
from electra.inference.predictor import Predictor
from electra.tasks.own import Columns
from electra.tasks.task import Example, Kind, Prediction
from electra.training.tune_data import labelled_examples
from electra.training.tune_files import TASK, Purpose, read_purpose
from electra.training.tune_scores import measured_difference
from electra.training.tune_settings import TuneSettings
from electra.verification.sample import versions

SEEN = {"classification": "label", "choice": "label", "multi-label": "labels", "tagging": "tags", "answering": "answer"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an export is compared on.

    texts    one text or JSON object a line, as `electra predict` reads it; None: those of `dev`, else our own, in English
    dev      labelled examples; None: nothing is scored
    columns  of dev; None: those of the file that the model was tuned on
    threads  of the processor; 0: all that this process may use
    """

    texts: Path | None = None
    dev: Path | None = None
    columns: Columns | None = None
    threads: int = 0


def check(asked: Asked, folder: Path, heads: Iterable[Head]) -> None:
    """Raise what `measure` would raise of texts or examples that cannot be used, before anything is exported."""
    purpose = _purpose(folder)
    _examples(purpose, asked)
    if asked.texts is not None:
        for head in heads:
            read_texts(asked.texts, head, purpose)


def measure(original: Path, exported: Sequence[Path], head: Head, asked: Asked) -> dict[str, Any]:
    """The content of parity.json.

    original   a model folder with weights, and its tokenizer and task.json where it has them
    exported   folders with an ONNX file, the last of which is kept
    Raises DataError where texts or examples cannot be used, UsageError where examples are given for a model without a task.
    """
    purpose = _purpose(original)
    examples = _examples(purpose, asked)
    config = ElectraConfig.from_pretrained(original)
    place, rows = rows_of(original, head, purpose, asked.texts, examples, str(asked.dev))
    batches = list(batches_of(rows, head, config))
    opened = _opened(original, exported, asked.threads)
    apart = differences([engine for engine, _ in opened.values()], batches, head, config)
    return {
        "class": head.class_name,
        "texts": {"of": place} | told(rows, original),
        "answered_by": [
            {"name": name, "bytes": size_of(folder), **difference, **speed(engine, rows, batches)}
            for (name, (engine, folder)), difference in zip(opened.items(), apart, strict=True)
        ],
        "scores": None
        if purpose is None or not examples
        else _scores(original, exported[-1], purpose, examples, asked),
        "machine": _machine(asked.threads),
        "versions": versions("torch") | {name: version(name) for name in ("onnx", "onnxscript", "onnxruntime")},
    }


def _opened(original: Path, exported: Sequence[Path], threads: int) -> dict[str, tuple[Engine, Path]]:
    """PyTorch's plain model, what `electra predict` takes without an export, and the exported ones, by place and precision."""
    settings = TuneSettings(device="cpu", precision="float32", threads=threads)
    wanted = [(original, "plain"), (original, "auto"), *((folder, "auto") for folder in exported)]
    engines = [(open_engine(folder, settings, engine=name), folder) for folder, name in wanted]
    return {f"{engine.place}, {engine.precision}": (engine, folder) for engine, folder in engines}


def _purpose(folder: Path) -> Purpose | None:
    return read_purpose(folder) if (folder / TASK).is_file() else None


def _examples(purpose: Purpose | None, asked: Asked) -> list[Example]:
    if asked.dev is None:
        return []
    if purpose is None:
        raise UsageError(f"{asked.dev} cannot be scored: the model has no {TASK}, which says what it was tuned for")
    return labelled_examples(purpose, asked.dev, asked.columns)


def _scores(
    original: Path, exported: Path, purpose: Purpose, examples: Sequence[Example], asked: Asked
) -> dict[str, Any]:
    """The scores of both on labelled examples, the change in the measure that decides, and how many answers differ."""
    settings = TuneSettings(device="cpu", threads=asked.threads)
    before, after = (
        Predictor(folder, settings, engine=engine).predict(examples)
        for folder, engine in ((original, "float32"), (exported, "auto"))
    )
    change = measured_difference(purpose.kind, examples, after, before, purpose.labels, purpose.measure)
    return {
        "of": str(asked.dev),
        "examples": len(examples),
        "measure": purpose.measure,
        "before": purpose.kind.scores(examples, before, purpose.labels),
        "after": purpose.kind.scores(examples, after, purpose.labels),
        "change": {"value": change.value, "low": change.low, "high": change.high},
        "other_answers": _others(purpose.kind, before, after),
    }


def _others(kind: Kind, before: Sequence[Prediction], after: Sequence[Prediction]) -> int | None:
    """How many examples are answered otherwise; None of numbers, which all differ a little."""
    name = SEEN.get(kind.name)
    return None if name is None else sum(one[name] != other[name] for one, other in zip(before, after, strict=True))


def _machine(threads: int) -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": processor(), "features": list(features()), "cores": cores(), "threads": threads or cores(),
        "memory_bytes": memory()[0], "load_average": load,
    }  # fmt: skip
