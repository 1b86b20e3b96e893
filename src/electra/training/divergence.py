"""Whether a run diverges, told from the losses of every step, and where it goes on after it went back.

    RUN/returns.json   {"returns": [{"at", "to", "next_batch", "reason"}]}: after update `to`, batch `next_batch` is the next

Unusual here: the means are part of a checkpoint, and a return is written down before anything is removed, so that a run that
is killed at any moment decides, and orders its batches, as one that was not.
"""

import json
import shutil
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.disk.replace import write_atomically
from electra.errors import DataError, RunFailedError
from electra.training.run import RunFolder

Jumps = tuple[tuple[int, int], ...]

STEPS = 50  # that a running mean looks back
# loss -> what its mean has to be above its best, as a share of it, to count as diverging, and how far a good checkpoint's may be
LIMITS = {"mlm_loss": (0.15, 0.03), "discriminator_loss": (0.35, 0.07)}


class Diverged(RunFailedError):
    """An update that cannot be used; `step` counts from 1."""

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(reason)
        self.step = step

    def __reduce__(self) -> tuple[Any, ...]:
        return Diverged, (self.step, str(self))  # it goes from one process to another


class Means:
    """Running means of the losses over about STEPS steps, and the lowest each has been. `values` is what a checkpoint keeps."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = {"steps": 0, "now": {}, "best": {}} | dict(values or {})

    def add(self, losses: Mapping[str, float]) -> str | None:
        """Take a step in; what diverges, in words, or None."""
        steps = self.values["steps"] = self.values["steps"] + 1
        now, best = self.values["now"], self.values["best"]
        told = None
        for name, (limit, _) in LIMITS.items():
            if name not in losses:
                continue
            now[name] = before = now.get(name, losses[name])
            now[name] = before + (losses[name] - before) / min(steps, STEPS)
            if steps < STEPS:
                continue
            best[name] = min(best.get(name, inf), now[name])
            if told is None and now[name] > best[name] * (1 + limit):
                label = name.replace("_", " ")
                told = f"the {label} is {now[name]:.3f} nats over the last {STEPS} steps and was {best[name]:.3f}"
        return told

    @property
    def is_good(self) -> bool:
        """Whether all losses are near the best they have been."""
        now, best = self.values["now"], self.values["best"]
        return all(now[name] <= best[name] * (1 + LIMITS[name][1]) for name in best)


def batch_number(update: int, jumps: Jumps) -> int:
    """The number of the batch that update number `update` (from 0) is made with; the newest jump before it counts."""
    for done, next_batch in reversed(jumps):
        if update >= done:
            return next_batch + update - done
    return update


class Returns:
    """The times a run went back to a checkpoint."""

    def __init__(self, run: RunFolder) -> None:
        self.run, self.file = run, run.path / "returns.json"
        self.all: list[dict[str, Any]] = read_json_object(self.file)["returns"] if self.file.exists() else []

    @property
    def jumps(self) -> Jumps:
        """Updates, and the batches that came after them."""
        return tuple((one["to"], one["next_batch"]) for one in self.all)

    def go_back(self, fault: Diverged) -> None:
        """Decide for the newest good checkpoint, skipping all batches up to the fault's. Raises Diverged where there is none."""
        good = [step for step, state in self._states() if step < fault.step and Means(state.get("means")).is_good]
        if not good:
            raise Diverged(fault.step, f"{fault}; there is no good checkpoint to return to")
        one = {
            "at": fault.step, "to": good[-1], "next_batch": batch_number(fault.step - 1, self.jumps) + 1, "reason": str(fault),
        }  # fmt: skip
        text = json.dumps({"returns": [*self.all, one]}, indent=1) + "\n"
        write_atomically(self.file, lambda file: file.write(text.encode("utf-8")))
        self.all.append(one)

    def remove_abandoned(self) -> None:
        """Remove the checkpoints of updates that a return undid."""
        for step, state in self._states():
            if any(step > one["to"] for one in self.all[state.get("returns", 0) :]):
                shutil.rmtree(self._folder(step))

    def told(self) -> list[str]:
        """Each return in words."""
        return [
            f"step {one['at']:,}: {one['reason']}; returned to the checkpoint after step {one['to']:,}, its batches up to "
            f"{one['next_batch'] - 1:,} are skipped"
            for one in self.all
        ]

    def _states(self) -> list[tuple[int, dict[str, Any]]]:
        """The steps of the checkpoints whose state can be read, with that state; oldest first."""
        states = []
        for folder in self.run.steps():
            try:
                state = read_json_object(folder / "state.json")
                states.append((int(state["step"]), state))
            except (DataError, KeyError):  # damaged: the run passes over it
                continue
        return states

    def _folder(self, step: int) -> Path:
        return next(folder for folder in self.run.steps() if int(folder.name.rpartition("-")[2]) == step)
