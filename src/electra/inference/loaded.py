"""`electra.load(folder)`: one object for every head, which says what it answers and answers it.

{"text": ...}, ... -> load(folder).predict -> plain values, as `electra predict` and the server give them
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from electra.config import ElectraConfig
from electra.errors import DataError
from electra.inference.detection import Detector
from electra.inference.filling import Filler
from electra.inference.network import Options
from electra.tasks.task import Prediction
from electra.training.run import find_model
from electra.training.tune_files import TASK
from electra.weights.hub import local_folder

NAMED = ("classification", "multi-label", "tagging")  # kinds whose labels are answers
NBEST = 3  # answers to a question, as `electra predict` lists them


class Loaded(Protocol):
    """A model that answers.

    kind        classification, multi-label, regression, tagging, answering, choice, detection or filling
    labels      the names it answers with; None where it answers otherwise
    max_length  tokens of a row it reads
    """

    @property
    def kind(self) -> str: ...
    @property
    def labels(self) -> Sequence[str] | None: ...
    @property
    def max_length(self) -> int: ...

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """An answer for each input, in order. Raises DataError, naming the input, where one cannot be used."""


class Tuned:
    """A model that was fine-tuned: its inputs and answers are those of `electra predict`."""

    def __init__(self, model: str | Path, options: Options, windows: int | None) -> None:
        from electra.inference.predictor import Predictor
        from electra.training.tune_settings import TuneSettings

        settings = TuneSettings(batch_size=options.batch_size, device=options.device, threads=options.threads)
        self.predictor = Predictor(model, settings, framework=options.framework, engine=options.engine, windows=windows)
        purpose = self.predictor.purpose
        self.kind, self.max_length = purpose.kind.name, purpose.max_length
        self.labels = purpose.labels if self.kind in NAMED else None

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """{"text", "pair"}, {"words"}, {"question", "context"} or {"prompt", "choices"}, as the kind needs it.

        An answer about more than a row holds has "unread_pieces", how many pieces the model was not shown. Tagging and
        answering read all of a text, in windows; the other kinds where `windows` was given, or was when the model was tuned.
        """
        lines = (json.dumps(dict(values), ensure_ascii=False) for values in inputs)
        answers = list(self.predictor.predict_lines(lines, nbest=NBEST))
        for number, answer in enumerate(answers, start=1):
            if "error" in answer:
                raise DataError(f"input {number}: {answer['error'].removeprefix(f'line {number}: ')}")
        return answers


def load(
    model: str | Path,
    *,
    engine: str = "auto",
    windows: int | None = None,
    framework: str = "torch",
    batch_size: int = 32,
    device: str = "auto",
    threads: int = 0,
) -> Loaded:
    """A model ready to answer, whatever its head: kind, labels, max_length, and predict(inputs), in order.

    model       RUN/model of a fine-tuning, or its RUN; the RUN of a pretraining, finished or not; a discriminator's or a
                generator's folder; what electra convert --to onnx made of one of these; or a name on the hub
    engine      float32, bfloat16, int8, or plain, which is the framework's own model; auto: the faster of the first two here
    windows     pieces that neighbouring windows share, in which a text or pair too long for a row is read; their logits are
                averaged. None: as the model was tuned, which may be to cut. Tagging, answering and pretrained models read all
                of a text as it is
    framework   whose model computes where the engine is plain, or has no faster one: torch, tf or flax
    batch_size  rows at a time
    device      cpu, cuda, cuda:1; auto: a GPU where there is one
    threads     of the processor; 0: all cores
    A pretraining gives kind "detection": {"text"} is answered with each word's probability of having been replaced, and
    suggest(text, start, end, count) proposes other words. Its `generator` is of kind "filling", as is a generator's folder:
    {"text"} with [MASK] is answered with candidates.
    Raises DataError where the folder holds no such model, WeightsError where its weights are not whole.
    """
    options = Options(framework=framework, engine=engine, batch_size=batch_size, device=device, threads=threads)
    folder = Path(model) if Path(model).is_dir() else local_folder(str(model))
    if (folder / TASK).is_file() or (folder / "model" / TASK).is_file():
        return Tuned(folder, options, windows)
    discriminator, generator = (_network(folder, name) for name in ("discriminator", "generator"))
    if discriminator is not None:
        return Detector(discriminator, options, None if generator is None else Filler(generator, options))
    only = generator or _network(folder, "masked_lm") or folder
    head = _head(only)
    if head == "ElectraForPreTraining":
        return Detector(only, options)
    if head == "ElectraForMaskedLM":
        return Filler(only, options)
    raise DataError(
        f"{only} holds {head or 'a model of no named class'}, expected a discriminator, a generator or a model with "
        f"{TASK}, which says what it was tuned for; electra finetune writes one into RUN/model"
    )


def _network(folder: Path, name: str) -> Path | None:
    """The folder of a network of a run, of its newest checkpoint, or of a folder of both; None where there is none."""
    found = find_model(folder, name)
    return None if found == folder else found


def _head(folder: Path) -> str:
    """The class that config.json names, as PyTorch's is called."""
    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} has no config.json; expected a model folder, or the folder of a run")
    named = vars(ElectraConfig.from_pretrained(folder))["architectures"]
    return str(named[0]).removeprefix("TF").removeprefix("Flax") if named else ""
