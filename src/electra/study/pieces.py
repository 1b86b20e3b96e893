"""The pieces of a study: every run of pretraining, and every fine-tuning of what it leaves, each with files of its own.

    OUT/pieces/NAME/          the run folder of a piece, which continues bit for bit, and log.txt
    OUT/results/NAME.json     what it reached; it appears whole when the piece ends, and says that it is done

Small budgets come first and all variants of a seed before the next seed, so that a study that is not done says something.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.study.contents import DETECTION, Budget, Study, place_of
from electra.study.speed import speed_of


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One process's work. task: None of pretraining."""

    variant: str
    budget: Budget
    seed: int
    task: str | None = None

    @property
    def run_name(self) -> str:
        """Of the pretraining it is, or begins with."""
        return f"{self.variant}-{self.budget.name}-seed{self.seed}"

    @property
    def name(self) -> str:
        """Of its files."""
        return self.run_name if self.task is None else f"{self.run_name}-{self.task}"

    def __str__(self) -> str:
        told = f"{self.variant}, {self.budget}, seed {self.seed}"
        return told if self.task is None else f"{told}, {self.task}"


def pieces_of(study: Study) -> list[Piece]:
    """All pieces, in the order they are begun."""
    return [
        Piece(variant=variant, budget=budget, seed=seed, task=task)
        for budget in study.budgets
        for seed in study.seeds
        for task in (None, *study.tasks)
        for variant in study.variants
    ]


def result_file(out: Path, name: str) -> Path:
    """Where a piece's result is, or will be."""
    return out / "results" / f"{name}.json"


def results_of(study: Study, out: Path) -> dict[str, dict[str, Any]]:
    """What the pieces that are done reached, by name."""
    return {piece.name: held for piece in pieces_of(study) if (held := _result(out, piece)) is not None}


def _result(out: Path, piece: Piece) -> dict[str, Any] | None:
    path = result_file(out, piece.name)
    return read_json_object(path) if path.is_file() else None


def waiting(study: Study, out: Path) -> Iterator[Piece]:
    """The pieces that are not done. Fine-tuning of a run that failed is left out."""
    done = results_of(study, out)
    for piece in pieces_of(study):
        if piece.name not in done and "failed" not in done.get(piece.run_name, {}):
            yield piece


def order_of(study: Study, piece: Piece, out: Path, corpus: Path, threads: int) -> dict[str, Any]:
    """All that the process of a piece must know, as plain values: see piece.py."""
    common = {
        "name": piece.name,
        "variant": piece.variant,
        "budget": asdict(piece.budget),
        "seed": piece.seed,
        "task": piece.task,
        "folder": str(out / "pieces" / piece.name),
        "result": str(result_file(out, piece.name)),
        "threads": threads,
    }
    if piece.task is None:
        given = {"settings": study.variants[piece.variant].to_dict(), "evaluations": study.evaluations}
        return common | given | {"corpus": str(corpus), "speed": speed_of(out, piece.variant)}
    plan, run = study.tasks[piece.task], str(out / "pieces" / piece.run_name / "run")
    if piece.task == DETECTION:
        length = min(settings.max_length for settings in study.variants.values()) - 2  # [CLS] and [SEP]
        return common | {"run": run, "corpus": str(corpus), "limit_train": plan.limit_train, "length": length}
    assert study.data is not None
    return common | {
        "run": run,
        "data": str(place_of(study.data, piece.task)),
        "settings": plan.settings.to_dict(),
        "limit_train": plan.limit_train,
        "options": dict(plan.options),
    }
