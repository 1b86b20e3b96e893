"""Pretraining: from a prepared corpus to a generator and a discriminator, in any framework.

    corpus -> examples -> batch t (a pure function of corpus, seed and t) -> masked -> Backend.train_step -> checkpoints

Unusual here: nothing is kept of the past but the networks, the moments and the number of updates, so a run that was killed
continues bit for bit; a loss that is not finite ends the run before it can reach a checkpoint; and a batch that the memory
does not hold is computed in smaller parts.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

import numpy as np

import electra
from electra.batch import Batch, map_arrays
from electra.config import ElectraConfig, read_json_object
from electra.data.batches import batch, example_numbers
from electra.data.corpus import Corpus
from electra.data.examples import Examples
from electra.data.loader import ordered
from electra.data.packed import build_packed
from electra.data.segments import build_segments
from electra.disk.lock import hold
from electra.errors import CorpusError, DataError, RunFailedError, TryAgainError
from electra.flops import step_flops
from electra.objective import mask_tokens
from electra.tokenization import load_tokenizer
from electra.training.backend import Backend, Part, open_backend
from electra.training.begin import Beginning, begin
from electra.training.card import write_card
from electra.training.divergence import Diverged, Jumps, Means, Returns, batch_number
from electra.training.health import health_of
from electra.training.held_out import held_out_record
from electra.training.interrupt import StopRequest, stop_on_signal
from electra.training.memory import give_back_memory, is_out_of_memory, rows_of, smaller
from electra.training.metrics import measure
from electra.training.panel import Panel, clock
from electra.training.run import RunFolder, read_metrics
from electra.training.schedule import learning_rate
from electra.training.settings import PretrainSettings, with_steps

BUILDERS: dict[str, Callable[[Corpus, int, int], Any]] = {"segments": build_segments, "packed": build_packed}
TRAIN, HELD_OUT = 0, 1  # streams of random numbers
Result = TypeVar("Result")
PROBE_STEPS = 12  # steps that are timed where a run's length is given in minutes


@dataclass(frozen=True)
class Steps:
    """Makes the parts of the batch of update t; the same for the same corpus, settings and t, in any process."""

    corpus: Path
    split: str
    settings: PretrainSettings
    jumps: Jumps = ()  # over batches that are skipped

    def __call__(self, step: int) -> list[Part]:
        step = batch_number(step, self.jumps)
        corpus, examples = _examples(self.corpus, self.split, self.settings)
        rows = batch(examples, seed=self.settings.seed, step=step, batch_size=self.settings.batch_size)
        rng = np.random.default_rng([self.settings.seed, TRAIN, step])
        progress = step / max(1, self.settings.steps - 1)
        return [self._masked(part, corpus, rng, progress) for part in split_rows(rows, self.settings.accumulate)]

    def _masked(self, part: Batch, corpus: Corpus, rng: np.random.Generator, progress: float) -> Part:
        return part, mask_tokens(
            part, settings=self.settings, special_ids=corpus.special_ids, vocab_size=corpus.vocab_size, rng=rng,
            progress=progress,
        )  # fmt: skip

    def rows(self, step: int) -> list[int]:
        """Which examples batch t has."""
        _, examples = _examples(self.corpus, self.split, self.settings)
        numbers = example_numbers(
            len(examples), seed=self.settings.seed, step=step, batch_size=self.settings.batch_size
        )
        return [int(number) for number in numbers]

    def held_out(self) -> list[Part]:
        """The first `eval_rows` rows of held-out text, masked the same way and sampled as at the end, at every evaluation."""
        corpus, examples = _examples(self.corpus, "validation", self.settings)
        rng = np.random.default_rng([self.settings.seed, HELD_OUT])
        count, size = min(len(examples), self.settings.eval_rows), self.settings.batch_size // self.settings.accumulate
        order = [np.arange(start, min(start + size, count)) for start in range(0, count, size)]
        return [self._masked(examples.rows(indices), corpus, rng, progress=1.0) for indices in order]


@lru_cache(maxsize=4)
def _opened(folder: Path, split: str, builder: str, max_length: int, seed: int) -> tuple[Corpus, Examples]:
    corpus = Corpus.open(folder, split)
    return corpus, BUILDERS[builder](corpus, max_length, seed)


def _examples(folder: Path, split: str, settings: PretrainSettings) -> tuple[Corpus, Examples]:
    return _opened(folder, split, settings.examples, settings.max_length, settings.seed)


def split_rows(rows: Batch, parts: int) -> list[Batch]:
    """A batch as `parts` batches of equal size."""
    size = len(rows.input_ids) // parts
    return [map_arrays(rows, lambda array, start=i * size: array[start : start + size]) for i in range(parts)]  # type: ignore[misc]


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
    Raises CorpusError where the corpus cannot feed it, FrozenRunError where the folder holds another run, WeightsError or
    ConfigError where a checkpoint cannot be begun with, RunFailedError where the loss is not finite, TryAgainError where
    another process is at work on the run or workers died, DiskFullError where its checkpoints have no room.
    """
    run = RunFolder(run_folder)
    if resume == "must" and not run.steps():
        raise DataError(f"{run.path} has no checkpoint to continue from; leave --resume must out to begin a run")
    corpus, examples = _examples(corpus_folder, "train", settings)
    if len(examples) == 0:
        raise CorpusError(f"{corpus_folder} gives no example of {settings.max_length} tokens; prepare more text")
    with hold(run.path):
        return _pretrain(settings, corpus, run, init_from, framework, panel)


def _pretrain(
    settings: PretrainSettings, corpus: Corpus, run: RunFolder, init_from: Sequence[Path], framework: str, panel: bool
) -> StopRequest:
    if init_from:
        settings = replace(settings, start="original")
    start = begin(init_from, settings, corpus, run)

    def new_backend() -> Backend:
        return open_backend(framework, start.networks, settings, corpus.special_ids, start.weights)

    if settings.minutes is not None:
        settings = _with_measured_steps(settings, run, new_backend, Path(corpus.folder))
    backend = new_backend()
    start.weights = None  # the backend has them
    run.begin(_record(settings, corpus, start.networks, backend) | start.record)
    run.check_room(
        backend.describe()["parameters"], checkpoints=settings.keep_checkpoints, models=1,
        advice="keep fewer checkpoints (--keep-checkpoints), or choose another folder",
    )  # fmt: skip
    return Pretraining(settings, corpus, run, backend, start).go(panel)


def _with_measured_steps(
    settings: PretrainSettings, run: RunFolder, new_backend: Callable[[], Backend], corpus: Path
) -> PretrainSettings:
    if run.settings_file.exists():
        return with_steps(settings, run.settings()["settings"]["steps"])
    assert settings.minutes is not None
    backend, steps = new_backend(), Steps(corpus, "train", settings)
    for step in range(PROBE_STEPS):
        if step == PROBE_STEPS // 3:  # the first steps warm caches and kernels
            started = time.perf_counter()
        backend.train_step(steps(step), step=step, learning_rate=0.0)
    seconds = (time.perf_counter() - started) / (PROBE_STEPS - PROBE_STEPS // 3)
    return with_steps(settings, max(1, int(settings.minutes * 60 / seconds)))


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


class Pretraining:
    """One run under way: its loop, its metrics, its checkpoints."""

    def __init__(
        self, settings: PretrainSettings, corpus: Corpus, run: RunFolder, backend: Backend, start: Beginning
    ) -> None:
        self.settings, self.corpus, self.run, self.backend, self.start = settings, corpus, run, backend, start
        self.steps = Steps(Path(corpus.folder), "train", settings)
        self.panel = Panel(f"electra: {start.title}, {settings.objective}", settings.steps)
        self.seconds, self.tokens = 0.0, 0  # of the whole run, over all its continuations
        self.done = 0  # updates
        self.saved_at: int | None = None
        self.flops = step_flops(start.networks, length=settings.max_length, batch_size=settings.batch_size)
        self.means, self.returns = Means(), Returns(run)
        self.health = health_of(settings, corpus.tokens)
        self.cut = 1  # into how many parts each part of a batch is cut, because the memory does not hold it
        self.has_held_out = corpus.description["splits"]["validation"]["documents"] > 0

    def go(self, show: bool) -> StopRequest:
        """Train from the newest checkpoint to the last step, or until asked to stop."""
        with stop_on_signal() as stop, self.panel as panel:
            step = self._resume(panel)
            if step == 0 and self.start.notes:
                self._tell_beginning(show)
            while step < self.settings.steps and not stop.signal:
                try:
                    step = self._train(step, stop, show)
                except Diverged as fault:
                    self._go_back(fault)
                    step = self._resume(panel)
            self._save(step)
            if stop.signal:
                panel.note(f"stopped by {stop.signal.name} after step {step:,}; the same command continues")
            else:
                self._finish(step, show)
        return stop

    def _train(self, first: int, stop: StopRequest, show: bool) -> int:
        """Train after step `first`, to the end or until asked to stop; the last step that was made."""
        steps = replace(self.steps, jumps=self.returns.jumps)
        parts = ordered(steps, start=first, stop=self.settings.steps, workers=self.settings.workers)
        try:
            for step, batch_parts in enumerate(parts, start=first + 1):
                self._step(step, batch_parts, show)
                if stop.signal:
                    break
        except TryAgainError:  # workers that died, or memory for no row at all; what was learned is kept
            self._save(self.done)
            raise
        finally:
            parts.close()
        return self.done

    def _resume(self, panel: Panel) -> int:
        self.returns.remove_abandoned()
        checkpoint = self.run.newest(panel.note)
        if checkpoint is None:
            self.run.forget_after(-1)
            return 0
        state = read_json_object(checkpoint / "state.json")
        self.backend.load(checkpoint)
        self.seconds, self.tokens = state["seconds"], state["tokens"]
        self.done = self.saved_at = int(state["step"])
        self.means = Means(state.get("means"))
        self.run.forget_after(state["step"])
        self.health.recall(self.run, self.returns.told(), state["step"])
        panel.note(f"continuing after step {self.done:,} of {self.settings.steps:,}")
        return self.done

    def _go_back(self, fault: Diverged) -> None:
        """Decide for a checkpoint to continue from, or end the run."""
        settings = self.settings
        if settings.on_divergence != "return" or len(self.returns.all) >= settings.max_returns:
            self._fail(fault)
        try:
            self.returns.go_back(fault)
        except Diverged as error:
            self._fail(error)
        self.panel.note(f"health: {self.returns.told()[-1]}")

    def _tell_beginning(self, show: bool) -> None:
        """Write down what the networks begin with, and how good they are before the first step."""
        for text in self.start.notes:
            self.panel.note(text)
            self.run.append({"kind": "note", "step": 0, "text": text})
        if self.has_held_out:
            self.evaluate(0, show)

    def _step(self, step: int, parts: list[Part], show: bool) -> None:
        settings = self.settings
        rate = learning_rate(
            step - 1, base=settings.learning_rate, total_steps=settings.steps, warmup_steps=settings.warmup_steps,
            power=settings.lr_decay_power,
        )  # fmt: skip
        started = time.perf_counter()
        try:
            values = self._in_memory(
                step, parts, lambda some: self.backend.train_step(some, step=step - 1, learning_rate=rate)
            )
        except RunFailedError as error:
            raise Diverged(step, str(error)) from None
        grows = self.means.add(values)
        if grows and settings.on_divergence == "return":
            raise Diverged(step, grows)
        seconds = time.perf_counter() - started
        tokens = sum(int(rows.attention_mask.sum()) for rows, _ in parts)
        self.seconds, self.tokens, self.done = self.seconds + seconds, self.tokens + tokens, step
        if step % settings.log_every == 0 or step == settings.steps:
            self._report(step, values | {"learning_rate": rate, "tokens_per_second": tokens / seconds}, show)
        if self.has_held_out and (step % settings.eval_every == 0 or step == settings.steps):
            self.evaluate(step, show)
        if step % settings.checkpoint_every == 0:
            self._save(step)

    def _in_memory(self, step: int, parts: list[Part], compute: Callable[[list[Part]], Result]) -> Result:
        """compute(parts); where the memory does not hold them, on the same rows in parts of half the size, from here on."""
        while True:
            try:
                return compute(smaller(parts, self.cut))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(step, rows_of(parts), str(error).strip().splitlines()[0])
            give_back_memory()

    def _halve(self, step: int, rows: int, told: str) -> None:
        if rows <= self.cut:
            raise TryAgainError(
                f"step {step:,}: the memory does not hold one row of {self.settings.max_length} tokens ({told}). Free some, or "
                "take a smaller size or max_length"
            )
        self.cut *= 2
        text = f"out of memory ({told}): batches are computed in parts of {-(-rows // self.cut)} rows from step {step:,} on"
        self.panel.note(text)
        self.run.append({"kind": "note", "step": step, "text": text})

    def _report(self, step: int, values: dict[str, float], show: bool) -> None:
        left = self.seconds / step * (self.settings.steps - step)
        record = {"kind": "train", "step": step, **self._spent(step), "seconds_left": left, **values}
        self._tell(record, show)

    def _tell(self, record: dict[str, Any], show: bool) -> None:
        """Write a record down, and what it says of the run's health."""
        findings = self.health.look(record)
        self.run.append(record, *findings)
        if show:
            self.panel.show(record)
        for finding in findings:
            self.panel.note(f"health: {finding['text']} {finding['advice']}".rstrip())

    def _spent(self, step: int) -> dict[str, float]:
        return {"tokens": self.tokens, "flops": step * self.flops, "seconds": self.seconds}

    def evaluate(self, step: int, show: bool = False) -> dict[str, float]:
        """Measure both networks on held-out text and write it down."""
        parts, observed = self._in_memory(
            step, self.steps.held_out(), lambda some: (some, [self.backend.observe(part) for part in some])
        )
        values = measure(observed)
        # First what the page of `electra watch` asks for once it has read the line of metrics.
        self.run.append_held_out(held_out_record(step, parts, observed, self.pieces))
        record = {"kind": "evaluation", "step": step, **self._spent(step), **values}
        self._tell(record, show)
        return values

    @cached_property
    def pieces(self) -> list[str]:
        """The vocabulary's pieces by id, and placeholders for ids that it skips."""
        tokenizer = load_tokenizer(self.corpus.tokenizer_folder)
        return [str(piece) for piece in tokenizer.convert_ids_to_tokens(range(self.corpus.vocab_size))]

    def _save(self, step: int) -> None:
        if step == self.saved_at or step == 0:
            return

        def write(stage: Path) -> None:
            self.backend.save(stage)
            for name in self.start.networks:
                shutil.copytree(self.corpus.tokenizer_folder, stage / name, dirs_exist_ok=True)

        state = {
            "seconds": self.seconds,
            "tokens": self.tokens,
            "means": self.means.values,
            "returns": len(self.returns.all),
        }
        self.run.save(step, write, state, keep=self.settings.keep_checkpoints)
        self.saved_at = step

    def _finish(self, step: int, show: bool) -> None:
        checkpoint = self.run.newest(self.panel.note)
        assert checkpoint is not None
        facts, records = self.run.settings(), list(read_metrics(self.run.metrics_file))
        self.run.export(
            checkpoint, list(self.start.networks), lambda folder, name: write_card(folder, name, facts, records)
        )
        if show:
            self.panel.note(f"{step:,} steps, {self.tokens:,} tokens in {clock(self.seconds)}")

    def _fail(self, fault: Diverged) -> NoReturn:
        number = batch_number(fault.step - 1, self.returns.jumps)
        kept = (
            f"the checkpoint after step {self.saved_at:,} is whole" if self.saved_at else "no checkpoint was made yet"
        )
        self.run.append(
            {"kind": "failure", "step": fault.step, "error": str(fault), "examples": self.steps.rows(number)}
        )
        went_back = f" after {len(self.returns.all)} returns to a checkpoint" if self.returns.all else ""
        raise RunFailedError(
            f"the run stopped{went_back}: {fault}. Nothing of that step was kept; {kept}. Batch {number} of seed "
            f"{self.settings.seed} fed it; its examples are in {self.run.metrics_file}. A lower learning_rate, a longer "
            "warm-up or precision float32 usually helps; start "
            "again in a new folder. Where one batch or a passing fault may be the cause, on_divergence return goes on past it"
        ) from None
