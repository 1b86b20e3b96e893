"""Which models are served, and under which names: a table that is made once, at the start, from folders the operator gave.

A model with a number that is not finite is refused here, before it could answer with one.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from electra.errors import DataError, UsageError, WeightsError
from electra.inference.predictor import Predictor
from electra.serving.batching import Answer, Input, Model
from electra.serving.faults import encode
from electra.training.tune_files import TASK
from electra.training.tune_settings import TuneSettings
from electra.weights.files import widen
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


def read_names(words: Sequence[str]) -> dict[str, Path]:
    """NAME=FOLDER, or FOLDER whose last part is the name (that of a run, for RUN/model). Raises UsageError."""
    if not words:
        raise UsageError("give one or more models: NAME=FOLDER, or FOLDER")
    folders: dict[str, Path] = {}
    for word in words:
        name, _, rest = word.rpartition("=")
        folder = Path(rest)
        place = folder.resolve()
        name = name or (place.parent.name if place.name == "model" else place.name)
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{word}: {name!r} is no name for a model, expected letters, digits, . _ -; give NAME=FOLDER"
            )
        if name in folders:
            raise UsageError(f"{folders[name]} and {folder} would both be called {name}; give NAME=FOLDER")
        folders[name] = folder / "model" if (folder / "model" / TASK).is_file() else folder
    return folders


def open_models(folders: dict[str, Path], settings: TuneSettings, framework: str) -> dict[str, Model]:
    """The models of these folders; each has answered once, so the first request waits for nothing.

    A run of pretraining gives its discriminator as NAME and its generator as NAME-generator. Raises DataError.
    """
    models: dict[str, Model] = {}
    for name, folder in folders.items():
        check_numbers(folder)
        models[name] = Tuned(folder, settings, framework)
    for name, model in models.items():
        try:
            encode({"predictions": model.predict([FIRST.get(model.kind, TEXT)])})
        except ValueError as error:
            raise WeightsError(f"{folders[name]}: the model's first answer is of no use: {error}") from error
    return models


def check_numbers(folder: Path) -> None:
    """Raises WeightsError that names the tensors with numbers that are not finite."""
    for network in open_source(folder).networks.values():
        bad = [name for name, array in network.tensors.items() if not np.isfinite(widen(array)).all()]
        if bad:
            more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
            raise WeightsError(
                f"{folder}: not every number is finite in {', '.join(bad[:5])}{more}; restore an earlier checkpoint"
            )


class Tuned:
    """A tuned model, as the server asks it."""

    def __init__(self, folder: Path, settings: TuneSettings, framework: str) -> None:
        self.predictor = Predictor(folder, settings, framework=framework)
        purpose = self.predictor.purpose
        self.kind, self.labels, self.max_length = purpose.kind.name, purpose.labels, purpose.max_length

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """Answers in order. Raises DataError that says which input cannot be used."""
        answers = list(self.predictor.predict_lines(map(json.dumps, inputs)))
        for answer in answers:
            if "error" in answer:
                raise DataError(answer["error"])
            del answer["id"]
        return answers
