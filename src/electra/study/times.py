"""How long the pieces of a study will take: as pieces like them took, or from a short measurement.

Times are of a piece by the clock, on a machine that does nothing else; pieces that run side by side slow each other.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from electra.config import ElectraConfig
from electra.data.corpus import Corpus
from electra.study.contents import DETECTION, Study, place_of
from electra.study.fitting import networks_of, opened_backend, step_seconds, steps_of
from electra.study.pieces import Piece, pieces_of, results_of
from electra.tokenization import load_tokenizer
from electra.training.encoder import Encoder
from electra.training.finetune import make_plan
from electra.training.settings import PretrainSettings
from electra.training.steps import Steps
from electra.training.tune_batches import make_batch, predict_all
from electra.training.tune_data import published_data
from electra.training.tuner import open_tuner

START = 4.0  # seconds a process takes to begin and to end
PROBED = 512  # examples a fine-tuning is measured on
OF_DETECTION = 20.0  # seconds, not measured here: of a masked language model; a discriminator takes one
STEPS = 12  # of them, of which the first third is not timed


def times_of(study: Study, out: Path, corpus: Path, *, threads: int) -> dict[str, float]:
    """Seconds of every piece by its name; of those that are done, what they took."""
    results = results_of(study, out)
    seconds = {name: float(result["process_seconds"]) for name, result in results.items()}
    measured: dict[Any, float] = {}
    for piece in pieces_of(study):
        if piece.name in seconds:
            continue
        alike = _alike(piece, results)
        if alike:
            seconds[piece.name] = sum(alike) / len(alike)
            continue
        key = (piece.variant, piece.budget) if piece.task is None else (_shape(study, piece.variant), piece.task)
        if key not in measured:
            measure = _of_pretraining if piece.task is None else _of_tuning
            measured[key] = measure(study, piece, corpus, threads)
        seconds[piece.name] = measured[key]
    return seconds


def _alike(piece: Piece, results: Mapping[str, Mapping[str, Any]]) -> list[float]:
    """What pieces took that differ by the seed alone; of fine-tuning, by seed and budget."""
    return [
        float(held["process_seconds"])
        for held in results.values()
        if held["variant"] == piece.variant
        and held["task"] == piece.task
        and "failed" not in held
        and (piece.task is not None or held["budget"] == asdict(piece.budget))
    ]


def _shape(study: Study, variant: str) -> str:
    """What decides the time of fine-tuning a variant: the sizes of its encoder."""
    settings = study.variants[variant]
    return f"{settings.size} {settings.model} {settings.max_length}"


def _of_pretraining(study: Study, piece: Piece, corpus: Path, threads: int) -> float:
    settings = replace(study.variants[piece.variant], threads=threads)
    if piece.budget.unit == "minutes":
        training = piece.budget.amount * 60
    else:
        backend = opened_backend(settings, corpus)
        training = steps_of(settings, piece.budget, corpus) * step_seconds(backend, settings, corpus, at_most=5.0)
    return START + training + study.evaluations * _evaluation(settings, corpus)


def _evaluation(settings: PretrainSettings, corpus: Path) -> float:
    """Seconds of an evaluation on held-out text."""
    backend = opened_backend(settings, corpus)
    parts = Steps(corpus, "train", settings).held_out()
    started = time.perf_counter()
    for part in parts[:4]:
        backend.observe(part)
    return (time.perf_counter() - started) / max(1, len(parts[:4])) * len(parts)


def _of_tuning(study: Study, piece: Piece, corpus: Path, threads: int) -> float:
    """From a few steps on some of the examples, with first weights."""
    if piece.task == DETECTION:
        return START + OF_DETECTION
    assert piece.task is not None
    assert study.data is not None
    plan, folder = study.tasks[piece.task], place_of(study.data, piece.task)
    assert folder is not None
    started = time.perf_counter()
    data = published_data(piece.task, folder, plan.options, limit=plan.limit_train, seed=0, notes=[])
    reading, count, dev = time.perf_counter() - started, len(data.train), len(data.dev)
    part = replace(data, train=data.train[:: max(1, count // PROBED)][:PROBED], dev=data.dev[:PROBED])
    encoder = _encoder(study.variants[piece.variant], corpus)
    settings = replace(
        plan.settings, threads=threads, max_length=min(plan.settings.max_length, encoder.config.max_position_embeddings)
    )
    started = time.perf_counter()
    probe = make_plan(part, encoder, settings, "torch")
    reading += (time.perf_counter() - started) * count / len(part.train)
    steps = max(1.0, len(probe.train) / len(part.train) * count / settings.batch_size) * settings.epochs
    step, answer = _tuning_speed(probe)
    return START + reading + settings.seeds * (steps * step + settings.evaluations * dev * answer)


def _tuning_speed(plan: Any) -> tuple[float, float]:
    """Seconds of a step, and of a dev example."""
    tuner = open_tuner("torch", plan.class_name, plan.config, plan.weights, plan.settings, seed=0)
    rows = plan.epoch(0, 0)
    for number in range(STEPS):
        if number == STEPS // 3:
            started = time.perf_counter()
        inputs, targets = make_batch(
            [plan.train[i] for i in rows[number % len(rows)]], **plan.shape, class_weights=None
        )
        tuner.train_step(inputs, targets, step=number, learning_rate=0.0)
    step = (time.perf_counter() - started) / (STEPS - STEPS // 3)
    started = time.perf_counter()
    predict_all(tuner, plan.dev, **plan.shape)
    return step, (time.perf_counter() - started) / len(plan.dev_examples)


def _encoder(settings: PretrainSettings, corpus: Path) -> Encoder:
    """The encoder that a run of these settings would leave, with first weights."""
    networks = networks_of(settings, corpus)
    config: ElectraConfig = next(c for name, c in networks.items() if name != "generator")
    tokenizer = load_tokenizer(Corpus.open(corpus).tokenizer_folder)
    return Encoder(config=config, weights={}, tokenizer=tokenizer, what="first weights", fingerprint="")
