"""What a study is: variants, seeds, budgets and tasks, as its file says; see file.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from electra.tasks.table import find_split, find_task
from electra.training.settings import PretrainSettings
from electra.training.tune_settings import TuneSettings

UNITS = {"minutes": "min", "flops": "FLOP", "tokens": "tok"}
DETECTION = "detection"  # a task without fine-tuning: detection.py


@dataclass(frozen=True, order=True)
class Budget:
    """How long a run trains: so many minutes of training, FLOPs or tokens."""

    unit: str
    amount: float

    @property
    def name(self) -> str:
        """Short, for names of files: 2min."""
        return f"{self.amount:g}{UNITS[self.unit]}"

    def __str__(self) -> str:
        if self.unit == "minutes":
            return f"{self.amount:g} minute{'s' * (self.amount != 1)}"
        return f"{self.amount:.3g} FLOPs" if self.unit == "flops" else f"{self.amount:,.0f} tokens"


@dataclass(frozen=True, kw_only=True)
class TaskPlan:
    """A task of fine-tuning: settings, train examples at most (None: all), and settings of its kind.

    Of DETECTION, limit_train is the number of windows.
    """

    settings: TuneSettings
    limit_train: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a study file says.

    variants   name -> the settings of its runs, seed and length apart
    changes    name -> what differs from the base, as the file has it
    reference  the variant that the others are held against
    text       sources a corpus is made of where `corpus` is None, with a vocabulary of `vocab_size` pieces
    """

    title: str
    question: str
    seeds: tuple[int, ...]
    budgets: tuple[Budget, ...]
    evaluations: int  # on held-out text, in a run
    variants: Mapping[str, PretrainSettings]
    changes: Mapping[str, Mapping[str, Any]]
    reference: str
    tasks: Mapping[str, TaskPlan]
    corpus: Path | None
    data: Path | None
    text: tuple[str, ...]
    vocab_size: int


def place_of(data: Path, name: str) -> Path | None:
    """The folder of a task's files, or the one above it: DATA, or DATA/glue. Raises DataError where DATA is no folder."""
    row = find_task(name)
    for place in (data, data / "glue"):
        if place == data or place.is_dir():
            found = [find_split(row, place, split) for split in ("train", "dev")]
            if all(path is not None for path in found):
                return place
    return None
