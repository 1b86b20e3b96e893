"""A pretraining under way: its steps, its metrics, its checkpoints, and what it does where something goes wrong.

Unusual here: nothing is kept of the past but the networks, the moments and the number of updates, so a run that was killed
continues bit for bit; a loss that is not finite ends the run, or leads back, before it can reach a checkpoint; and several
processes (electra.training.team) run these same lines, of which process 0 writes.
"""

import io
import shutil
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from electra.config import read_json_object
from electra.data.corpus import Corpus
from electra.data.loader import ordered
from electra.errors import RunFailedError, TryAgainError
from electra.flops import step_flops
from electra.tokenization import load_tokenizer
from electra.training.backend import Backend, Part
from electra.training.begin import Beginning
from electra.training.card import write_card
from electra.training.divergence import Diverged, Means, Returns, batch_number
from electra.training.health import health_of
from electra.training.held_out import held_out_record
from electra.training.interrupt import StopRequest, stop_on_signal
from electra.training.memory import InParts
from electra.training.metrics import Observed, measure
from electra.training.panel import Panel, clock
from electra.training.run import RunFolder, read_metrics
from electra.training.schedule import learning_rate
from electra.training.settings import PretrainSettings
from electra.training.steps import Steps
from electra.training.team import Team


class Pretraining:
    """One run under way: its loop, its metrics, its checkpoints."""

    def __init__(
        self, settings: PretrainSettings, corpus: Corpus, run: RunFolder, backend: Backend, start: Beginning, team: Team
    ) -> None:
        self.settings, self.corpus, self.run, self.backend, self.start = settings, corpus, run, backend, start
        self.team, self.is_first = team, team.rank == 0
        self.steps = Steps(Path(corpus.folder), "train", settings, team.rank, team.size)
        told = None if self.is_first else io.StringIO()  # one process speaks
        self.panel = Panel(f"electra: {start.title}, {settings.objective}", settings.steps, told)
        self.seconds, self.tokens = 0.0, 0  # of the whole run, over all its continuations
        self.done = 0  # updates
        self.saved_at: int | None = None
        self.flops = step_flops(start.networks, length=settings.max_length, batch_size=settings.batch_size)
        self.means, self.returns = Means(), Returns(run)
        self.health = health_of(settings, corpus.tokens)
        self.in_parts = InParts(settings, team, self._tell_note)
        self.has_held_out = corpus.description["splits"]["validation"]["documents"] > 0

    def go(self, show: bool) -> StopRequest:
        """Train from the newest checkpoint to the last step, or until one of the processes is asked to stop."""
        with stop_on_signal(of_several=self.team.size > 1) as stop, self.panel as panel:
            step = self._resume(panel)
            if step == 0 and self.start.notes:
                self._tell_beginning(show)
            while step < self.settings.steps and not stop.agreed:
                try:
                    step = self._train(step, stop, show)
                except Diverged as fault:
                    self._go_back(fault)
                    step = self._resume(panel)
            self._save(step)
            if stop.agreed:
                panel.note(f"stopped by {stop.agreed.name} after step {step:,}; the same command continues")
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
                stop.agree(self.team.sum(stop.asked))
                if stop.agreed:
                    break
        except TryAgainError:  # workers that died, or memory for no row at all; what was learned is kept
            if self.team.size == 1:  # others are at another place
                self._save(self.done)
            raise
        finally:
            parts.close()
        return self.done

    def _resume(self, panel: Panel) -> int:
        checkpoint = self.team.first(self._newest)
        if checkpoint is None:
            return 0
        if not checkpoint.is_dir():
            raise RunFailedError(
                f"process {self.team.rank} does not see {checkpoint}, which process 0 sees; put the run on a disk all share"
            )
        state = read_json_object(checkpoint / "state.json")
        self.backend.load(checkpoint)
        self.seconds, self.tokens = state["seconds"], state["tokens"]
        self.done = self.saved_at = int(state["step"])
        self.means = Means(state.get("means"))
        if self.is_first:
            self.health.recall(self.run, self.returns.told(), state["step"])
        panel.note(f"continuing after step {self.done:,} of {self.settings.steps:,}")
        return self.done

    def _newest(self) -> Path | None:
        """The checkpoint to continue from, the metrics cut back to it."""
        self.returns.remove_abandoned()
        checkpoint = self.run.newest(self.panel.note)
        self.run.forget_after(-1 if checkpoint is None else read_json_object(checkpoint / "state.json")["step"])
        return checkpoint

    def _go_back(self, fault: Diverged) -> None:
        """Decide for a checkpoint to continue from, or end the run."""
        settings = self.settings
        if settings.on_divergence != "return" or len(self.returns.all) >= settings.max_returns:
            self._fail(fault)

        def decide() -> list[dict[str, Any]]:
            self.returns.go_back(fault)
            return self.returns.all

        try:
            self.returns.all = self.team.first(decide)
        except Diverged as error:
            self._fail(error)
        self.panel.note(f"health: {self.returns.told()[-1]}")

    def _tell_beginning(self, show: bool) -> None:
        """Write down what the networks begin with, and how good they are before the first step."""
        for text in self.start.notes:
            self._tell_note(0, text)
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
            values = self.in_parts.compute(
                step, parts, lambda some: self.backend.train_step(some, step=step - 1, learning_rate=rate)
            )
        except RunFailedError as error:
            raise Diverged(step, str(error)) from None
        grows = self.means.add(values)
        if grows and settings.on_divergence == "return":
            raise Diverged(step, grows)
        (tokens,) = self.team.sum([sum(int(rows.attention_mask.sum()) for rows, _ in parts)])
        seconds = time.perf_counter() - started
        self.seconds, self.tokens, self.done = self.seconds + seconds, self.tokens + tokens, step
        if step % settings.log_every == 0 or step == settings.steps:
            self._report(step, values | {"learning_rate": rate, "tokens_per_second": tokens / seconds}, show)
        if self.has_held_out and (step % settings.eval_every == 0 or step == settings.steps):
            self.evaluate(step, show)
        if step % settings.checkpoint_every == 0:
            self._save(step)

    def _report(self, step: int, values: dict[str, float], show: bool) -> None:
        left = self.seconds / step * (self.settings.steps - step)
        record = {"kind": "train", "step": step, **self._spent(step), "seconds_left": left, **values}
        self._tell(record, show)

    def _tell(self, record: dict[str, Any], show: bool) -> None:
        """Write a record down, and what it says of the run's health."""
        if not self.is_first:
            return
        findings = self.health.look(record)
        self.run.append(record, *findings)
        if show:
            self.panel.show(record)
        for finding in findings:
            self.panel.note(f"health: {finding['text']} {finding['advice']}".rstrip())

    def _tell_note(self, step: int, text: str) -> None:
        self.panel.note(text)
        if self.is_first:
            self.run.append({"kind": "note", "step": step, "text": text})

    def _spent(self, step: int) -> dict[str, float]:
        return {"tokens": self.tokens, "flops": step * self.flops, "seconds": self.seconds}

    def evaluate(self, step: int, show: bool = False) -> dict[str, float]:
        """Measure both networks on held-out text and write it down."""
        parts, observed = self.in_parts.compute(step, self.steps.held_out(), lambda some: (some, self._observe(some)))
        values = measure(observed)
        if self.is_first:
            # First what the page of `electra watch` asks for once it has read the line of metrics.
            self.run.append_held_out(held_out_record(step, parts, observed, self.pieces))
        record = {"kind": "evaluation", "step": step, **self._spent(step), **values}
        self._tell(record, show)
        return values

    def _observe(self, parts: list[Part]) -> list[Observed]:
        """All parts. The processes take turns, and where the last turn lacks some, they look at others again."""
        team = self.team
        own = [parts[(start + team.rank) % len(parts)] for start in range(0, len(parts), team.size)]
        turns = zip(*team.gather([self.backend.observe(part) for part in own]), strict=True)
        return [observed for turn in turns for observed in turn][: len(parts)]

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
        if self.is_first:
            self.run.save(step, write, state, keep=self.settings.keep_checkpoints)
        else:
            self.backend.save(None)
        self.saved_at = step

    def _finish(self, step: int, show: bool) -> None:
        def export() -> None:
            checkpoint = self.run.newest(self.panel.note)
            assert checkpoint is not None
            facts, records = self.run.settings(), list(read_metrics(self.run.metrics_file))
            self.run.export(
                checkpoint, list(self.start.networks), lambda folder, name: write_card(folder, name, facts, records)
            )

        self.team.first(export)
        if show:
            self.panel.note(f"{step:,} steps, {self.tokens:,} tokens in {clock(self.seconds)}")

    def _fail(self, fault: Diverged) -> NoReturn:
        number = batch_number(fault.step - 1, self.returns.jumps)
        kept = (
            f"the checkpoint after step {self.saved_at:,} is whole" if self.saved_at else "no checkpoint was made yet"
        )
        if self.is_first:
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
