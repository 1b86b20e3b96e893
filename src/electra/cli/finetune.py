"""electra finetune: an encoder and labelled examples, over several seeds, to a model with a head and what it is worth."""

import argparse
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from electra.config import ElectraConfig
from electra.errors import UsageError
from electra.tasks.own import Columns
from electra.tasks.table import find_task
from electra.training.tune_settings import TuneSettings

if TYPE_CHECKING:
    from electra.training.tune_data import TuneData

# hidden size, from which -> learning rate and layer decay; the paper, appendix B
BY_SIZE = ((1024, 5e-5, 0.9), (768, 1e-4, 0.8), (0, 3e-4, 0.8))


@dataclass
class Finetune:
    """Fine-tune an encoder on a task. The same command continues a run that was stopped; more --seeds lengthen it.

    Give --task with --data, or files of your own with --train (and --dev), --kind and the names of their columns.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """a model folder, a run of pretraining, a Google checkpoint, or a name on the hub; with --from-scratch its tokenizer"""
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """folder of the run: metrics, results.json, report.html and, at the end, model/"""
    task: str | None = None
    """a published data set, such as cola, squad-2.0 or conll2003"""
    data: Path | None = None
    """the folder of its files"""
    train: Path | None = None
    """your own file to learn from: .csv, .tsv, .jsonl, .parquet (SQuAD: .json; CoNLL: any other), also compressed"""
    dev: Path | None = None
    """your own file to be judged on; not given: a tenth of --train is split off, by label"""
    kind: str = "classification"
    """of your own files: classification, multi-label, regression, tagging, answering or choice"""
    columns: tyro.conf.OmitArgPrefixes[Columns] = field(default_factory=Columns)
    set: tuple[str, ...] = ()
    """settings of the kind as NAME=VALUE, such as windows=32 (classification), scheme=IOBES (tagging), doc_stride=64"""
    limit_train: int | None = None
    """learn from so many examples only, drawn by the seed"""
    random_weights: bool = False
    """keep MODEL's sizes and tokenizer and draw its weights anew: what its pretraining is worth shows beside it"""
    from_scratch: str | None = None
    """tiny, small, base, large or a config.json: random weights of that size, with the tokenizer of MODEL"""
    framework: str = "torch"
    """what trains: torch, tf or flax"""
    quiet: bool = False
    """no progress on the terminal; metrics.jsonl has everything"""
    settings: Annotated[TuneSettings, tyro.conf.arg(name="")] = field(default_factory=TuneSettings)


def main(words: list[str]) -> int:
    """Returns 0 when the run is complete, 75 after SIGTERM, 130 after Ctrl-C."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--task")
    known, _ = early.parse_known_args(words)
    start = TuneSettings()
    if known.task:
        row = find_task(known.task)
        start = replace(start, epochs=row.epochs, max_length=row.max_length)
    default = Finetune(model=tyro.MISSING, run=tyro.MISSING, settings=start)
    command = tyro.cli(Finetune, args=words, prog="electra finetune", default=default)
    return _run(command, words)


def _run(command: Finetune, words: list[str]) -> int:
    from electra.training.encoder import new_encoder, open_encoder
    from electra.training.finetune import finetune
    from electra.training.tune_data import warnings_of
    from electra.training.tune_results import chosen_told, told

    notes: list[str] = []
    data = _data(command, notes)
    if command.from_scratch is not None:
        encoder = new_encoder(command.from_scratch, Path(command.model))
    else:
        encoder = open_encoder(command.model, notes.append, random_weights=command.random_weights)
    settings = _for_size(command.settings, encoder.config, words)
    for line in (*notes, *warnings_of(data)):
        print(line, file=sys.stderr)
    print(
        f"{encoder.what}; {len(data.train):,} train and {len(data.dev):,} dev examples of {data.source}",
        file=sys.stderr,
    )
    stop, summary = finetune(data, encoder, settings, command.run, framework=command.framework, panel=not command.quiet)
    if summary is None:
        return stop.exit_code
    for line in (*told(summary), chosen_told(summary)):
        print(line, file=sys.stderr)
    left = [str(path) for path in (command.run / "results.json", command.run / "report.html") if path.exists()]
    print(f"the results are in {' and '.join(left)}; use the model:", file=sys.stderr)
    print(f"  electra predict {command.run / 'model'} FILE", file=sys.stderr)
    return 0


def _data(command: Finetune, notes: list[str]) -> "TuneData":
    from electra.training.tune_data import own_data, published_data, read_options

    options, limit, seed = read_options(command.set), command.limit_train, command.settings.seed
    if command.task is not None and command.data is not None and command.train is None:
        return published_data(command.task, command.data, options, limit=limit, seed=seed, notes=notes)
    if command.train is not None and command.task is None:
        files = (command.train, command.dev)
        return own_data(command.kind, *files, command.columns, options, limit=limit, seed=seed, notes=notes)
    raise UsageError("give --task with --data FOLDER, or files of your own with --train (and --dev)")


def _for_size(settings: TuneSettings, config: ElectraConfig, words: list[str]) -> TuneSettings:
    """The paper's learning rate and layer decay for a model of this size, where none was given."""
    given = {word.partition("=")[0].replace("_", "-") for word in words}
    _, rate, decay = next(row for row in BY_SIZE if config.hidden_size >= row[0])
    changes: dict[str, Any] = {"learning_rate": rate, "layer_decay": decay}
    return replace(settings, **{k: v for k, v in changes.items() if f"--{k.replace('_', '-')}" not in given})
