"""What a fine-tuning reached: every seed's scores, their median and spread, held against a baseline, with what collapsed."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from electra.tasks.collapse import collapsed
from electra.tasks.statistics import spread
from electra.tasks.task import Example, Kind, Prediction, TaggedExample, TextExample
from electra.training.tune_data import TuneData
from electra.training.tune_files import PREDICTIONS, RESULTS, read_lines, write_text
from electra.training.tune_seed import Plan

# What the panel shows of a step of training.
SHOWN = {
    "loss": ("loss", "{:.4f}"),
    "gradient_norm": ("gradient norm", "{:.2f}"),
    "learning_rate": ("learning rate", "{:.2e}"),
    "rows_per_second": ("rows/s", "{:,.1f}"),
}


def summarise(run: Path, plan: Plan, data: TuneData, results: Sequence[Mapping[str, Any]], what: str) -> dict[str, Any]:
    """The content of results.json; shares and correlations as the kind gives them, seconds of training."""
    purpose = plan.purpose
    seeds = {str(result["seed"]): dict(result) for result in results}
    for seed, result in seeds.items():
        if "scores" in result:
            predictions = list(read_lines(run / f"seed-{seed}" / "kept" / PREDICTIONS))
            result["collapsed"] = collapsed(data.dev, predictions)
    finished = [result for result in seeds.values() if "scores" in result]
    names = finished[0]["scores"] if finished else {}
    best = max(finished, key=lambda result: _comparable(result["scores"][purpose.measure]), default=None)
    return {
        "task": purpose.name,
        "kind": purpose.kind.name,
        "measure": purpose.measure,
        "model": what,
        "class": plan.class_name,
        "train_examples": len(data.train),
        "dev_examples": len(data.dev),
        "steps": plan.total_steps,
        "seeds": seeds,
        "spread": {name: asdict(spread([result["scores"][name] for result in finished])) for name in names},
        "collapsed": [result["seed"] for result in finished if result["collapsed"]],
        "failed": [result["seed"] for result in seeds.values() if "failed" in result],
        "baseline": baseline(purpose.kind, data.train, data.dev, purpose.labels),
        "chosen": None if best is None else best["seed"],
    }


def write_results(run: Path, summary: Mapping[str, Any]) -> None:
    """Write results.json."""
    write_text(run / RESULTS, json.dumps(summary, indent=1, ensure_ascii=False) + "\n")


def _comparable(score: float) -> float:
    return score if score == score else float("-inf")


# -- knowing nothing ----------------------------------------------------------------------------------------------------


def baseline(kind: Kind, train: Sequence[Example], dev: Sequence[Example], labels: tuple[str, ...]) -> dict[str, float]:
    """The scores on dev of the answer that is most frequent in train (of numbers: the mean), given to every example.

    Scores that such an answer does not have, such as a correlation, are left out.
    """
    predictions = _constant(kind.name, train, dev, labels)
    try:
        found = kind.scores(dev, predictions, labels)
    except (KeyError, ValueError, ZeroDivisionError):
        return {}
    return {
        name: value
        for name, value in found.items()
        if value == value and name not in ("roc_auc", "pearson", "spearman")
    }


def _constant(kind: str, train: Sequence[Any], dev: Sequence[Any], labels: tuple[str, ...]) -> list[Prediction]:
    if kind == "regression":
        mean = float(np.mean([float(example.label) for example in train]))
        return [{"id": example.id, "value": mean} for example in dev]
    if kind == "tagging":
        tag = _most(tag for example in train for tag in _tags(example))
        return [{"id": e.id, "words": list(e.words), "tags": [tag] * len(e.words)} for e in dev]
    if kind == "answering":
        return [{"id": example.id, "answer": ""} for example in dev]
    if kind == "multi-label":
        answer = _most(_names(example) for example in train)
        return [{"id": example.id, "labels": list(answer)} for example in dev]
    label = _most(example.label if kind == "choice" else str(example.label) for example in train)
    probabilities = {name: float(name == label) for name in labels}
    return [{"id": example.id, "label": label, "probabilities": probabilities} for example in dev]


def _most(values: Any) -> Any:
    return Counter(values).most_common(1)[0][0]


def _tags(example: TaggedExample) -> tuple[str, ...]:
    return example.tags or ()


def _names(example: TextExample) -> tuple[str, ...]:
    return (example.label,) if isinstance(example.label, str) else tuple(map(str, example.label))  # type: ignore[arg-type]


# -- in words -----------------------------------------------------------------------------------------------------------


def told(summary: Mapping[str, Any]) -> list[str]:
    """The results in a few lines, for a terminal and the model card."""
    measure, found = summary["measure"], summary["spread"].get(summary["measure"])
    if found is None:
        return [f"the runs of all {len(summary['seeds'])} seeds failed"]
    count, most = found["count"], f"{found['lowest']:.4f} to {found['highest']:.4f}"
    deviation = "" if found["deviation"] is None else f", standard deviation {found['deviation']:.4f}"
    over = (
        f"median of {count} seeds, {most}{deviation}"
        if count > 1
        else "one seed: how much another would differ is unknown"
    )
    lines = [f"{measure} {found['median']:.4f} on {summary['dev_examples']:,} dev examples ({over})"]
    if measure in summary["baseline"]:
        lines.append(f"always the most frequent answer of train: {measure} {summary['baseline'][measure]:.4f}")
    for result in summary["seeds"].values():
        if "failed" in result:
            lines.append(f"seed {result['seed']} failed: {result['failed']}")
        elif result["collapsed"]:
            lines.append(f"seed {result['seed']} collapsed: {result['collapsed']}")
    return lines


def chosen_told(summary: Mapping[str, Any]) -> str:
    """Which model is RUN/model, and what its score is worth."""
    score = summary["seeds"][str(summary["chosen"])]["scores"][summary["measure"]]
    if len(summary["seeds"]) == 1:
        return f"the model is that of seed {summary['chosen']} ({summary['measure']} {score:.4f})"
    return (
        f"the model is that of seed {summary['chosen']}, the best on dev ({summary['measure']} {score:.4f}): chosen by that "
        "score, so on other examples expect less, about the median"
    )
