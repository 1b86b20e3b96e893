"""One run of a fine-tuning: one seed, from the encoder to a model with its scores on the dev examples.

    SEED/settings.json            what the run is; written once
    SEED/metrics.jsonl            one JSON object a line; kinds: train, evaluation, failure
    SEED/checkpoints/step-N/      the newest, while the run is under way: model, optimizer, number of updates
    SEED/kept/                    model/ and predictions-dev.jsonl: the last of the run, or with patience the best so far
    SEED/result.json              the scores; it appears when the run is done

Unusual here: a run that was killed continues bit for bit, because batches and dropout follow from the seed and the step.
"""

import json
import shutil
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import electra
from electra.config import ElectraConfig, read_json_object
from electra.errors import RunFailedError, TryAgainError
from electra.tasks.task import Array, Example, Feature, Outputs, Prediction
from electra.training.interrupt import StopRequest
from electra.training.memory import is_out_of_memory
from electra.training.panel import Panel
from electra.training.run import RunFolder, read_metrics
from electra.training.schedule import learning_rate
from electra.training.tune_batches import epoch_batches, make_batch, padding_multiple, predict_all
from electra.training.tune_files import PREDICTIONS, Purpose, write_lines, write_text
from electra.training.tune_settings import TuneSettings
from electra.training.tuner import open_tuner
from electra.weights.checkpoint import write_folder_atomically
from electra.weights.files import Arrays

LOGGED = 100  # lines of training metrics a run writes, about
LINES = 10  # of them that are printed, where there is no terminal to draw on
SAVE_SECONDS = 300.0  # between checkpoints, beside those of the evaluations


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all seeds share: examples as features, the model to begin with, the settings."""

    purpose: Purpose
    class_name: str
    config: ElectraConfig
    weights: Arrays
    tokenizer: Any
    settings: TuneSettings
    framework: str
    train: list[Feature]
    dev: list[Feature]
    dev_examples: list[Example]
    class_weights: Array | None

    @cached_property
    def steps_per_epoch(self) -> int:
        return len(self.epoch(0, 0))

    @cached_property
    def total_steps(self) -> int:
        return max(1, int(self.steps_per_epoch * self.settings.epochs))

    def epoch(self, seed: int, number: int) -> list[Array]:
        """The batches of an epoch, as numbers of features."""
        lengths = [feature.length for feature in self.train]
        return epoch_batches(lengths, seed=seed, epoch=number, batch_size=self.settings.batch_size)

    @property
    def shape(self) -> dict[str, int]:
        """What every batch is made with."""
        return {
            "batch_size": self.settings.batch_size,
            "pad_token_id": self.tokenizer.pad_token_id,
            "multiple": padding_multiple(self.settings.max_length, self.framework),
        }


class SeedRun:
    """The run of one seed in its folder."""

    def __init__(self, plan: Plan, seed: int, folder: Path, panel: Panel, stop: StopRequest, *, show: bool) -> None:
        self.plan, self.seed, self.run = plan, seed, RunFolder(folder)
        self.panel, self.stop, self.show = panel, stop, show
        self.kept, self.result_file = folder / "kept", folder / "result.json"
        self.evaluated_at = _evenly(plan.total_steps, plan.settings.evaluations)
        self.seconds, self.saved_at, self.saved_time = 0.0, 0, time.perf_counter()
        self.history: list[float] = []  # the deciding score of each evaluation
        self.epoch_number, self.batches = -1, list[Array]()

    def go(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """Train to the end, from where it stands; the result, or None where it was asked to stop before.

        record    what the run is. Raises FrozenRunError where the folder holds another.
        A loss that is not finite is a result too: {"failed": why}.
        """
        if self.result_file.exists():
            return read_json_object(self.result_file)
        plan = self.plan
        if self.show and not self.panel.live:
            self.panel.note(seed_name(plan.settings, self.seed))
        self.tuner = open_tuner(
            plan.framework, plan.class_name, plan.config, plan.weights, plan.settings, seed=self.seed
        )
        self.run.begin(record | {"seed": self.seed, "machine": self.tuner.describe()})
        try:
            is_done = self._train(self._resume())
        except RunFailedError as error:
            return self._finish({"failed": str(error)})
        return self._finish(self._scores()) if is_done else None

    def _resume(self) -> int:
        checkpoint = self.run.newest(self.panel.note)
        if checkpoint is None:
            self.run.forget_after(-1)
            return 0
        state = read_json_object(checkpoint / "state.json")
        step = int(state["step"])
        self.tuner.load(checkpoint)
        self.seconds, self.saved_at = state["seconds"], step
        self.run.forget_after(step)
        measure = self.plan.purpose.measure
        records = read_metrics(self.run.metrics_file) if self.run.metrics_file.exists() else iter(())
        self.history = [comparable(r["scores"][measure]) for r in records if r["kind"] == "evaluation"]
        self.panel.note(f"seed {self.seed}: continuing after step {step:,} of {self.plan.total_steps:,}")
        return step

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _train(self, first: int) -> bool:
        """Whether the run came to its end."""
        for step in range(first + 1, self.plan.total_steps + 1):
            if self._has_lost_patience():
                return True
            self._step(step)
            if step in self.evaluated_at:
                self._evaluate(step)
            if self.stop.signal or step in self.evaluated_at or time.perf_counter() - self.saved_time > SAVE_SECONDS:
                self._save(step)
            if self.stop.signal:
                self.panel.note(
                    f"stopped by {self.stop.signal.name} after step {step:,} of seed {self.seed}; the same command continues"
                )
                return False
        return True

    def _step(self, step: int) -> None:
        plan, settings = self.plan, self.plan.settings
        rate = learning_rate(
            step - 1, base=settings.learning_rate, total_steps=plan.total_steps,
            warmup_steps=settings.warmup * plan.total_steps,
        )  # fmt: skip
        started = time.perf_counter()
        features = [plan.train[number] for number in self._rows(step - 1)]
        inputs, targets = make_batch(features, **plan.shape, class_weights=plan.class_weights)
        try:
            values = self.tuner.train_step(inputs, targets, step=step - 1, learning_rate=rate)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise TryAgainError(
                f"seed {self.seed}, step {step:,}: the memory does not hold {len(features)} rows of {settings.max_length} tokens "
                f"({str(error).strip().splitlines()[0]}). Free some and run the same command, or begin again with a smaller "
                "--batch-size or --max-length"
            ) from error
        seconds = time.perf_counter() - started
        self.seconds += seconds
        if step % self._a_share(LOGGED) == 0 or step in (1, plan.total_steps):
            left = self.seconds / step * (plan.total_steps - step)
            rows_per_second = len(features) / seconds
            self._report(
                {"kind": "train", "step": step, "epoch": step / plan.steps_per_epoch, "seconds": self.seconds,
                 "seconds_left": left, "rows_per_second": rows_per_second, "learning_rate": rate, **values}
            )  # fmt: skip

    def _rows(self, step: int) -> Array:
        number, place = divmod(step, len(self.batches) or self.plan.steps_per_epoch)
        if number != self.epoch_number:
            self.epoch_number, self.batches = number, self.plan.epoch(self.seed, number)
        return self.batches[place]

    def _evaluate(self, step: int) -> None:
        plan = self.plan
        outputs = predict_all(self.tuner, plan.dev, **plan.shape)
        purpose, predictions = _with_threshold(plan, outputs)
        scores = purpose.kind.scores(plan.dev_examples, predictions, purpose.labels)
        score = comparable(scores[purpose.measure])
        is_best = all(score > before for before in self.history)
        self.history.append(score)
        is_last = step == plan.total_steps
        if is_best if plan.settings.patience else is_last:
            with write_folder_atomically(self.kept) as stage:
                self._save_model(stage / "model", purpose)
                write_lines(stage / PREDICTIONS, predictions)
                write_text(stage / "scores.json", json.dumps({"step": step, "scores": scores}) + "\n")
        self._report({"kind": "evaluation", "step": step, "seconds": self.seconds, "scores": scores})

    def _has_lost_patience(self) -> bool:
        """Whether the last `patience` evaluations were all no better than one before them."""
        patience, scores = self.plan.settings.patience, self.history
        return bool(patience) and len(scores) > patience and max(scores[-patience:]) <= max(scores[:-patience])

    def _report(self, record: dict[str, Any]) -> None:
        self.run.append(record)
        is_told = record["kind"] == "evaluation" or self.panel.live or record["step"] % self._a_share(LINES) == 0
        if self.show and is_told:
            self.panel.show(record | record.get("scores", {}))

    def _a_share(self, parts: int) -> int:
        """So many steps that they go into a run `parts` times."""
        return max(1, self.plan.total_steps // parts)

    # -- files --------------------------------------------------------------------------------------------------------

    def _save(self, step: int) -> None:
        if step != self.saved_at:
            self.run.save(step, self.tuner.save, {"seconds": self.seconds}, keep=1)
        self.saved_at, self.saved_time = step, time.perf_counter()

    def _save_model(self, folder: Path, purpose: Purpose) -> None:
        folder.mkdir()
        self.tuner.save_model(folder)
        self.plan.tokenizer.save_pretrained(folder)
        purpose.write(folder)

    def _scores(self) -> dict[str, Any]:
        held = read_json_object(self.kept / "scores.json")
        return {"scores": held["scores"], "step": held["step"], "seconds": self.seconds}

    def _finish(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write the result, which says that the run is done, and remove what only continuing it needed."""
        if "failed" in result:
            step = self.saved_at
            self.run.append({"kind": "failure", "step": step, "error": result["failed"]})
        result = {"seed": self.seed, "electra": electra.__version__} | result
        write_text(self.result_file, json.dumps(result) + "\n")
        shutil.rmtree(self.run.checkpoints, ignore_errors=True)
        return result


def _with_threshold(plan: Plan, outputs: list[Outputs]) -> tuple[Purpose, list[Prediction]]:
    """The predictions on dev, and the purpose with what dev told of the kind's settings, if anything."""
    purpose, examples, features = plan.purpose, plan.dev_examples, plan.dev
    predictions = purpose.kind.predictions(examples, features, outputs, purpose.labels)
    kind = purpose.kind.tuned(examples, predictions, purpose.labels)
    if kind == purpose.kind:
        return purpose, predictions
    return replace(purpose, kind=kind), kind.predictions(examples, features, outputs, purpose.labels)


def seed_name(settings: TuneSettings, seed: int) -> str:
    """What a person is told a seed's run is: "seed 1 (2 of 3)"."""
    return f"seed {seed} ({seed - settings.seed + 1} of {settings.seeds})"


def comparable(score: float) -> float:
    """A correlation with answers that are all alike is not a number: no model is worse."""
    return score if score == score else float("-inf")


def _evenly(total: int, count: int) -> frozenset[int]:
    """So many steps, evenly spread, the last of them the last."""
    return frozenset(max(1, round(total * number / count)) for number in range(1, count + 1))
