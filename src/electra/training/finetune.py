"""Fine-tuning: from an encoder and examples to a model with a head, over several seeds, in any framework.

    examples -> features -> batches of an epoch -> Tuner.train_step -> evaluations on dev -> a model for each seed -> results

    RUN/settings.json      the settings and the fingerprints of model, tokenizer and data; written once
    RUN/dev.jsonl          the examples it is judged on
    RUN/seed-N/            the run of each seed: see tune_seed.py
    RUN/results.json       scores of every seed, their median and spread, the baseline, runs that collapsed or are far behind
    RUN/model/             the model of the best seed, a plain model folder with task.json and a model card

Unusual here: one run says little, since fine-tuning on few examples scatters and sometimes collapses (Dodge et al., 2020).
So several seeds are the default, and what is reported is their median.
"""

import shutil
from pathlib import Path
from typing import Any

import electra
from electra.config import ElectraConfig
from electra.disk.lock import hold
from electra.errors import ConfigError, DataError, RunFailedError
from electra.heads import HEADS, ORIGINAL_HEADS, Head
from electra.tasks.task import Kind
from electra.training.encoder import Encoder
from electra.training.interrupt import StopRequest, stop_on_signal
from electra.training.panel import Panel
from electra.training.run import RunFolder
from electra.training.tune_batches import balanced_weights
from electra.training.tune_card import model_card
from electra.training.tune_data import TuneData
from electra.training.tune_files import Purpose, examples_fingerprint, write_examples, write_text
from electra.training.tune_report import curves, write_report
from electra.training.tune_results import summarise, write_results
from electra.training.tune_seed import Plan, SeedRun, seed_name
from electra.training.tune_settings import TuneSettings
from electra.training.tuner import check_framework
from electra.weights.checkpoint import write_folder_atomically

# What the panel shows of a step of training.
SHOWN = {
    "loss": ("loss", "{:.4f}"),
    "gradient_norm": ("gradient norm", "{:.2f}"),
    "learning_rate": ("learning rate", "{:.2e}"),
    "rows_per_second": ("rows/s", "{:,.1f}"),
}


def finetune(
    data: TuneData,
    encoder: Encoder,
    settings: TuneSettings,
    run_folder: Path,
    *,
    framework: str = "torch",
    panel: bool = True,
    report: bool = True,
) -> tuple[StopRequest, dict[str, Any] | None]:
    """Begin a fine-tuning, or continue the one in `run_folder`.

    panel   show progress on the terminal
    report  draw report.html and curves.svg at the end; `electra report` does it later too

    Returns whether it was asked to stop, and what results.json holds: None where it stopped before its end.
    Raises FrozenRunError where the folder holds another run, TryAgainError where another process is at work on it or the
    memory is too small, DiskFullError where the disk is, DataError on examples that cannot be used, RunFailedError
    where the runs of all seeds failed.
    """
    check_framework(framework)
    plan = make_plan(data, encoder, settings, framework)
    run = RunFolder(run_folder)
    with hold(run.path):
        return _finetune(run, plan, data, encoder, panel, report)


def _finetune(
    run: RunFolder, plan: Plan, data: TuneData, encoder: Encoder, panel: bool, report: bool
) -> tuple[StopRequest, dict[str, Any] | None]:
    settings = plan.settings
    record = _record(data, encoder, plan)
    run.begin(record)
    parameters = sum(array.size for array in plan.weights.values())
    advice = "take fewer seeds (--seeds), or choose another folder"
    run.check_room(parameters, checkpoints=1, models=settings.seeds + 1, advice=advice)
    if not (run.path / "dev.jsonl").exists():
        write_examples(run.path / "dev.jsonl", data.dev)
    results = []
    with stop_on_signal() as stop:
        for seed in range(settings.seed, settings.seed + settings.seeds):
            title = f"electra: {run.path.name}, {seed_name(settings, seed)}"
            with Panel(title, plan.total_steps, shown=SHOWN, evaluated=_shown(plan), held_out="dev examples") as shown:
                seed_run = SeedRun(plan, seed, run.path / f"seed-{seed}", shown, stop, show=panel)
                result = seed_run.go(record)
            if result is None:
                return stop, None
            results.append(result)
    summary = summarise(run.path, plan, data, results, encoder.what)
    write_results(run.path, summary)
    if summary["chosen"] is None:
        raise RunFailedError(
            f"the runs of all {len(results)} seeds failed: {results[0]['failed']}. A lower learning_rate or a longer warmup "
            "usually helps; start again in a new folder"
        )
    _export(run.path, summary, record)
    if report:
        write_report(run.path)
    return stop, summary


def make_plan(data: TuneData, encoder: Encoder, settings: TuneSettings, framework: str) -> Plan:
    """What all seeds share. Raises DataError, with the place, on examples that cannot be used."""
    for what, examples in (("train", data.train), ("dev", data.dev)):
        if not examples:
            raise DataError(f"there are no {what} examples")
    labels = data.labels
    config = _config(encoder, data.kind, labels, settings)
    length = settings.max_length
    learnable = data.kind.learnable(data.train)
    train, dev = (data.kind.features(part, encoder.tokenizer, labels, length) for part in (learnable, data.dev))
    if not train:
        raise DataError(f"none of the {len(data.train):,} train examples can be learned from")
    purpose = Purpose(
        name=data.name, kind=data.kind, measure=data.measure, labels=labels, max_length=length, columns=data.columns
    )
    is_balanced = settings.class_weights == "balanced"
    return Plan(
        purpose=purpose,
        class_name=class_of(data.kind, settings.head),
        config=config,
        weights=encoder.weights,
        tokenizer=encoder.tokenizer,
        settings=settings,
        framework=framework,
        train=train,
        dev=dev,
        dev_examples=list(data.dev),
        class_weights=balanced_weights(train, len(labels), data.kind) if is_balanced else None,
    )


def class_of(kind: Kind, head: str) -> str:
    """The class of the head that answers a kind. Where the original has none of its own, the page's."""
    rows: list[Head] = [*(ORIGINAL_HEADS if head == "original" else ()), *HEADS]
    return next(row for row in rows if row.name == kind.head).class_name


def _config(encoder: Encoder, kind: Kind, labels: tuple[str, ...], settings: TuneSettings) -> ElectraConfig:
    held = encoder.config.to_dict() | kind.settings(labels)
    if settings.dropout is not None:
        held |= {"hidden_dropout_prob": settings.dropout, "attention_probs_dropout_prob": settings.dropout}
        held |= {"classifier_dropout": None, "summary_last_dropout": settings.dropout}
    longest = encoder.config.max_position_embeddings
    if settings.max_length > longest:
        raise ConfigError(
            f"max_length is {settings.max_length}, but the model reads {longest} tokens (max_position_embeddings); "
            f"give --max-length {longest} or less"
        )
    return ElectraConfig.from_dict(held)


def _record(data: TuneData, encoder: Encoder, plan: Plan) -> dict[str, Any]:
    """What a run is: where any of it differs, it would not be the same run. More seeds are the same run, longer."""
    settings = {key: value for key, value in plan.settings.to_dict().items() if key != "seeds"}
    return {
        "electra": electra.__version__,
        "framework": plan.framework,
        "settings": settings,
        "task": {
            "name": data.name,
            "kind": data.kind.name,
            "measure": data.measure,
            "labels": list(plan.purpose.labels),
        },
        "data": {
            part: {"examples": len(examples), "sha256": examples_fingerprint(examples)}
            for part, examples in (("train", data.train), ("dev", data.dev))
        },
        "model": {"weights": encoder.fingerprint, "config": plan.config.to_dict(), "class": plan.class_name},
        "tokenizer": encoder.tokenizer.fingerprint(),
    }


def _shown(plan: Plan) -> dict[str, tuple[str, str]]:
    return {name: (name, "{:.4f}") for name in plan.purpose.kind.measures}


def _export(run: Path, summary: dict[str, Any], record: dict[str, Any]) -> None:
    """The model of the chosen seed as RUN/model, with its card."""
    with write_folder_atomically(run / "model") as stage:
        shutil.copytree(run / f"seed-{summary['chosen']}" / "kept" / "model", stage, dirs_exist_ok=True)
        write_text(stage / "README.md", model_card(summary, record))
        write_text(stage / "curves.svg", curves(run, summary))
