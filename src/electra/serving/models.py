"""Which models are served, and under which names: a table that is made once, at the start, from folders the operator gave.

A model with a number that is not finite is refused here, before it could answer with one.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import UsageError, WeightsError
from electra.inference.loaded import load
from electra.inference.session import FILE
from electra.serving.batching import Input, Model
from electra.serving.faults import encode
from electra.training.tune_files import TASK
from electra.weights.files import widen
from electra.weights.folders import NETWORKS
from electra.weights.hub import local_folder
from electra.weights.sources import open_source

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

# a small input of each kind, for a first answer before anybody waits for it
FIRST: dict[str, Input] = {
    "tagging": {"words": ["one", "two"]},
    "answering": {"question": "one?", "context": "one two"},
    "choice": {"prompt": "one", "choices": ["two", "three"]},
    "filling": {"text": "one [MASK]"},
}
TEXT: Input = {"text": "one two"}


def read_names(words: Sequence[str]) -> dict[str, str]:
    """NAME=FOLDER, or FOLDER whose last part is the name (that of a run, for RUN/model). Raises UsageError."""
    if not words:
        raise UsageError("give one or more models: NAME=FOLDER, or FOLDER")
    places: dict[str, str] = {}
    for word in words:
        name, _, place = word.rpartition("=")
        own = Path(place).resolve()
        name = name or (own.parent.name if own.name == "model" else own.name)
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{word}: {name!r} is no name for a model, expected letters, digits, . _ -; give NAME=FOLDER"
            )
        if name in places:
            raise UsageError(f"{places[name]} and {place} would both be called {name}; give NAME=FOLDER")
        places[name] = place
    return places


def open_models(places: Mapping[str, str], **options: Any) -> dict[str, Model]:
    """The models of these places, by name; each has answered once, so that no request waits for that.

    places    folders, or names on the hub      options   those of electra.load
    The run of a pretraining gives its discriminator as NAME and its generator as NAME-generator. Raises WeightsError where
    numbers are not finite, and what electra.load raises.
    """
    models: dict[str, Model] = {}
    for name, place in places.items():
        folder = Path(place) if Path(place).is_dir() else local_folder(place)
        check_numbers(folder / "model" if (folder / "model" / TASK).is_file() else folder)
        opened = {name: load(folder, **options)}
        if generator := getattr(opened[name], "generator", None):
            opened[f"{name}-generator"] = generator
        for own, model in opened.items():
            if own in models:
                raise UsageError(f"{place} would be called {own} as another model is; give NAME=FOLDER")
            _answer_once(place, model)
            models[own] = model
    return models


def check_numbers(folder: Path) -> None:
    """Raises WeightsError that names the tensors with numbers that are not finite. An ONNX file shows them by its answer.

    Whether the files are as recorded is asked when they are loaded.
    """
    if any((place / FILE).is_file() for place in (folder, *(folder / name for name in NETWORKS))):
        return
    for network in open_source(folder, check_manifest=False).networks.values():
        bad = [name for name, array in network.tensors.items() if not np.isfinite(widen(array)).all()]
        if bad:
            more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
            raise WeightsError(
                f"{folder}: not every number is finite in {', '.join(bad[:5])}{more}; restore an earlier checkpoint"
            )


def _answer_once(place: str, model: Model) -> None:
    try:
        encode({"predictions": model.predict([FIRST.get(model.kind, TEXT)])})
    except ValueError as error:
        raise WeightsError(f"{place}: the model's first answer is of no use: {error}") from error
