"""How long a step of each variant takes, measured once for a study: its minutes are counted in these.

    OUT/speeds/VARIANT.json      seconds a step takes, and the precision and machine they were measured in

So a run of so many minutes has the same steps whichever seed it has, and whatever else the machine does while it runs.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.study.contents import Study
from electra.study.fitting import opened_backend, step_seconds
from electra.training.settings import settings_from

SPEED = "speed"  # what stands for a task in the order of a measurement
SHARE = 0.1  # of the shortest budget that a measurement may take
LONGEST = 20.0  # seconds of it


def speed_file(out: Path, variant: str) -> Path:
    """Where a variant's speed is, or will be."""
    return out / "speeds" / f"{variant}.json"


def speed_of(out: Path, variant: str) -> dict[str, Any] | None:
    """What was measured of a variant; None where nothing was."""
    path = speed_file(out, variant)
    return read_json_object(path) if path.is_file() else None


def to_measure(study: Study, out: Path) -> list[str]:
    """The variants whose speed is needed and not known: none where no budget is in minutes."""
    if all(budget.unit != "minutes" for budget in study.budgets):
        return []
    return [variant for variant in study.variants if not speed_file(out, variant).is_file()]


def speed_order(study: Study, variant: str, out: Path, corpus: Path, threads: int) -> dict[str, Any]:
    """All that the process of a measurement must know: see piece.py."""
    shortest = min(budget.amount for budget in study.budgets if budget.unit == "minutes")
    return {
        "name": f"{variant}-{SPEED}",
        "variant": variant,
        "budget": None,
        "seed": 0,
        "task": SPEED,
        "folder": str(out / "pieces" / f"{variant}-{SPEED}"),
        "result": str(speed_file(out, variant)),
        "threads": threads,
        "settings": study.variants[variant].to_dict(),
        "corpus": str(corpus),
        "at_most": min(LONGEST, SHARE * 60 * shortest),
    }


def measured_speed(order: Mapping[str, Any]) -> dict[str, Any]:
    """Of our own pretraining: seconds a step takes, and the machine."""
    settings = replace(settings_from(order["settings"], where="the study"), threads=order["threads"])
    corpus = Path(order["corpus"])
    backend = opened_backend(settings, corpus)
    seconds = step_seconds(backend, settings, corpus, at_most=order["at_most"])
    return {"step_seconds": seconds, "machine": backend.describe()}
