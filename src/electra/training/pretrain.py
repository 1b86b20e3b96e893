"""Pretraining: from a prepared corpus to a generator and a discriminator, in any framework.

    corpus -> examples -> batch t (a pure function of corpus, seed and t) -> masked -> Backend.train_step -> checkpoints

This is how a run begins or is found again; electra.training.loop is how it goes on.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import electra
from electra.config import ElectraConfig
from electra.data.corpus import SPLITS, Corpus
from electra.disk.lock import hold
from electra.errors import ConfigError, CorpusError, DataError
from electra.training.backend import Backend, open_backend
from electra.training.begin import begin
from electra.training.interrupt import StopRequest
from electra.training.loop import Pretraining
from electra.training.run import RunFolder
from electra.training.settings import PretrainSettings, with_steps
from electra.training.steps import Steps, open_examples
from electra.training.team import Team, open_team

CHECKED = 1 << 31  # tokens of a corpus that is read whole before a run: 4 GB of two bytes each, seconds
PROBE_STEPS = 12  # steps that are timed where a run's length is given in minutes


def pretrain(
    settings: PretrainSettings,
    corpus_folder: Path,
    run_folder: Path,
    *,
    init_from: Sequence[Path] = (),
    framework: str = "torch",
    resume: Literal["auto", "must"] = "auto",
    panel: bool = True,
) -> StopRequest:
    """Begin a run, or continue the one in `run_folder`; returns whether it was asked to stop before its end.

    corpus_folder  written by `electra prepare`
    run_folder     gets settings, metrics and checkpoints; at the end each network, such as discriminator/ and generator/
    init_from      checkpoints whose weights the networks begin with (electra.training.begin); then first weights are drawn
                   for what these lack, as the original's
    resume         must: a run without a checkpoint is an error, and none is begun
    panel          show progress on the terminal
    One of several processes does its share of the same run; all of them see both folders.
    Raises CorpusError where the corpus cannot feed it, FrozenRunError where the folder holds another run, WeightsError or
    ConfigError where a checkpoint cannot be begun with, RunFailedError where the loss is not finite, TryAgainError where
    another process is at work on the run or workers died, DiskFullError where its checkpoints have no room.
    """
    run = RunFolder(run_folder)
    if resume == "must" and not run.steps():
        raise DataError(f"{run.path} has no checkpoint to continue from; leave --resume must out to begin a run")
    corpus, examples = open_examples(corpus_folder, "train", settings)
    if len(examples) == 0:
        raise CorpusError(f"{corpus_folder} gives no example of {settings.max_length} tokens; prepare more text")
    with open_team(framework) as team, ExitStack() as held:

        def lock() -> None:
            held.enter_context(hold(run.path))

        team.first(lock)
        team.first(lambda: _check_parts(corpus))
        return _pretrain(settings, corpus, run, init_from, framework, panel, team)


def _check_parts(corpus: Corpus) -> None:
    """Hold both splits against their checksums, where that takes seconds. Raises CorpusError that names a damaged file."""
    if sum(corpus.description["splits"][split]["tokens"] for split in SPLITS) <= CHECKED:
        corpus.verify(SPLITS)


def _pretrain(
    settings: PretrainSettings, corpus: Corpus, run: RunFolder, init_from: Sequence[Path], framework: str, panel: bool,
    team: Team,
) -> StopRequest:  # fmt: skip
    if settings.batch_size < team.size * settings.accumulate:
        raise ConfigError(
            f"batch_size {settings.batch_size} has no row for each of {team.size} processes times {settings.accumulate} parts"
        )
    if init_from:
        settings = replace(settings, start="original")
    start = begin(init_from, settings, corpus, run)

    def new_backend() -> Backend:
        return open_backend(framework, start.networks, settings, corpus.special_ids, start.weights)

    if settings.minutes is not None:
        settings = _with_measured_steps(settings, run, new_backend, Path(corpus.folder), team)
    backend = new_backend()
    start.weights = None  # the backend has them
    record = _record(settings, corpus, start.networks, backend) | start.record

    def begin_run() -> None:
        run.begin(record)
        run.check_room(
            record["machine"]["parameters"], checkpoints=settings.keep_checkpoints, models=1,
            advice="keep fewer checkpoints (--keep-checkpoints), or choose another folder",
        )  # fmt: skip

    team.first(begin_run)
    return Pretraining(settings, corpus, run, backend, start, team).go(panel)


def _with_measured_steps(
    settings: PretrainSettings, run: RunFolder, new_backend: Callable[[], Backend], corpus: Path, team: Team
) -> PretrainSettings:
    held = team.first(lambda: run.settings()["settings"]["steps"] if run.settings_file.exists() else None)
    if held is not None:
        return with_steps(settings, held)
    assert settings.minutes is not None
    backend, steps = new_backend(), Steps(corpus, "train", settings, team.rank, team.size)
    for step in range(PROBE_STEPS):
        if step == PROBE_STEPS // 3:  # the first steps warm caches and kernels
            started = time.perf_counter()
        backend.train_step(steps(step), step=step, learning_rate=0.0)
    seconds = (time.perf_counter() - started) / (PROBE_STEPS - PROBE_STEPS // 3)
    count = max(1, int(settings.minutes * 60 / seconds))
    return with_steps(settings, team.first(lambda: count))


def _record(
    settings: PretrainSettings, corpus: Corpus, networks: dict[str, ElectraConfig], backend: Backend
) -> dict[str, Any]:
    return {
        "electra": electra.__version__,
        "settings": settings.to_dict(),
        "corpus": {"fingerprint": corpus.fingerprint, "tokenizer": corpus.tokenizer_fingerprint},
        "networks": {name: config.to_dict() for name, config in networks.items()},
        "machine": backend.describe(),
    }
