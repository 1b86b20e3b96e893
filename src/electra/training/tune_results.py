"""What a fine-tuning reached: every seed's scores, their median and spread, held against a baseline."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from electra.training.tune_files import write_text

# What the panel shows of a step of training.
SHOWN = {
    "loss": ("loss", "{:.4f}"),
    "gradient_norm": ("gradient norm", "{:.2f}"),
    "learning_rate": ("learning rate", "{:.2e}"),
    "rows_per_second": ("rows/s", "{:,.1f}"),
}


def summarise(plan: Any, data: Any, results: Sequence[Mapping[str, Any]], what: str) -> dict[str, Any]:
    """The content of results.json."""
    purpose = plan.purpose
    finished = [result for result in results if "scores" in result]
    names = list(finished[0]["scores"]) if finished else []
    values = {name: [result["scores"][name] for result in finished] for name in names}
    deciding = values.get(purpose.measure, [])
    best = max(range(len(finished)), key=lambda i: deciding[i]) if finished else None
    return {
        "task": purpose.name,
        "kind": purpose.kind.name,
        "measure": purpose.measure,
        "model": what,
        "dev_examples": len(data.dev),
        "seeds": {str(result["seed"]): dict(result) for result in results},
        "median": {name: median(found) for name, found in values.items()},
        "standard_deviation": {name: float(np.std(found, ddof=1)) for name, found in values.items() if len(found) > 1},
        "failed": [result["seed"] for result in results if "failed" in result],
        "chosen": None if best is None else finished[best]["seed"],
    }


def write_results(run: Path, record: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """Write results.json."""
    write_text(run / "results.json", json.dumps(summary, indent=1) + "\n")
