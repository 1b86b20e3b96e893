"""electra evaluate: what a tuned model is worth on labelled examples, with the interval chance leaves."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from electra.errors import UsageError
from electra.tasks.own import Columns
from electra.tasks.table import find_task, load_task
from electra.tasks.task import Example

if TYPE_CHECKING:
    from electra.training.tune_scores import Measured

COLUMNS = Columns()


def evaluate(
    model: tyro.conf.Positional[str],
    file: tyro.conf.Positional[Path | None] = None,
    *,
    task: str | None = None,
    data: Path | None = None,
    split: str = "dev",
    columns: tyro.conf.OmitArgPrefixes[Columns] = COLUMNS,
    predictions: Path | None = None,
    json_lines: Annotated[bool, tyro.conf.arg(name="json", help="one JSON object instead of lines")] = False,
    engine: str = "float32",
    framework: str = "torch",
    batch_size: int = 32,
    device: str = "auto",
    threads: int = 0,
) -> int:
    """Score a tuned model on labelled examples; each score with its 95% interval over the examples.

    Shares of examples answered rightly (accuracy, exact, subset_accuracy) have Wilson's interval, which is honest without a
    mistake too. Other measures have the bootstrap's; without a mistake it cannot tell, and says so.

    Args:
        model: RUN/model of electra finetune, or RUN; or what electra convert --to onnx made of RUN/model
        file: your own labelled file, with the columns of the one the model was tuned on unless you name others
        task: a published data set instead, such as cola
        data: the folder of its files
        split: train, dev or test
        columns: the names of your columns
        predictions: a file to write the predictions to, one JSON object a line
        engine: auto, float32, bfloat16, int8, or plain, which is the framework's model; int8 for what was exported in int8
        framework: whose model computes where the engine is plain; torch, tf or flax
        batch_size: rows at a time
        device: cpu, cuda, cuda:1; auto: a GPU where there is one
        threads: of the processor; 0: all cores; 1 is faster where other programs use the cores
    """
    from electra.inference.predictor import Predictor
    from electra.training.tune_data import known_examples, labelled_examples
    from electra.training.tune_files import write_lines
    from electra.training.tune_scores import measured
    from electra.training.tune_settings import TuneSettings

    if (task is None) == (file is None) or (task is not None and data is None):
        raise UsageError("give a labelled FILE, or --task with --data FOLDER")
    settings = TuneSettings(batch_size=batch_size, device=device, threads=threads)
    predictor = Predictor(model, settings, framework=framework, engine=engine)
    purpose = predictor.purpose
    kind = purpose.kind
    known: list[Example] = []
    if task is not None and data is not None:
        if find_task(task).kind != kind.name:
            raise UsageError(f"{task} is {find_task(task).kind}, but {model} was tuned for {kind.name}")
        known = known_examples(load_task(task, data, split))
    elif file is not None:
        known = labelled_examples(purpose, file, None if columns == COLUMNS else columns)
    found = predictor.predict(known)
    if predictions is not None:
        write_lines(predictions, found)
    names = kind.scores(known, found, purpose.labels)
    result = {name: measured(kind, known, found, purpose.labels, name) for name in names}
    if json_lines:
        print(json.dumps({"examples": len(known), "scores": {name: asdict(row) for name, row in result.items()}}))
        return 0
    print(
        f"{len(known):,} examples; each score with the interval that covers the true one 95 times in 100",
        file=sys.stderr,
    )
    for name, row in result.items():
        print(f"{name:<18} {row.value:.4f}   {_interval(row)}")
    return 0


def _interval(row: "Measured") -> str:
    if row.low is None or row.high is None:
        return f"no interval: all {row.resamples:,} resamples score the same, so they cannot tell"
    return f"{row.low:.4f} to {row.high:.4f}   {row.method}"


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(evaluate, args=words, prog="electra evaluate")
