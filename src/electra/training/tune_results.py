"""What a fine-tuning reached: every seed's scores, their median and spread, held against a baseline, with what went wrong."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from electra.tasks.collapse import collapsed, far_behind
from electra.tasks.labels import names_of
from electra.tasks.statistics import spread
from electra.tasks.task import Example, Kind, Prediction
from electra.training.tune_data import TuneData
from electra.training.tune_files import PREDICTIONS, RESULTS, read_lines, write_text
from electra.training.tune_seed import Plan, comparable


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
    deciding = {result["seed"]: comparable(result["scores"][purpose.measure]) for result in finished}
    always = baseline(purpose.kind, data.train, data.dev, purpose.labels)
    behind = far_behind(deciding, floor=always.get(purpose.measure, 0.0), examples=len(data.dev))
    for result in finished:
        seed = result["seed"]
        result["far_behind"] = None
        if seed in behind and not result["collapsed"]:  # which says more
            scores = f"{purpose.measure} {deciding[seed]:.4f}, where the median of the others is {behind[seed]:.4f}"
            result["far_behind"] = scores
    return {
        "task": purpose.name,
        "source": data.source or data.name,
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
        "far_behind": [result["seed"] for result in finished if result["far_behind"]],
        "failed": [result["seed"] for result in seeds.values() if "failed" in result],
        "baseline": always,
        "chosen": max(deciding, key=deciding.__getitem__, default=None),
    }


def write_results(run: Path, summary: Mapping[str, Any]) -> None:
    """Write results.json."""
    write_text(run / RESULTS, json.dumps(summary, indent=1, ensure_ascii=False) + "\n")


# -- knowing nothing ----------------------------------------------------------------------------------------------------


def baseline(kind: Kind, train: Sequence[Example], dev: Sequence[Example], labels: tuple[str, ...]) -> dict[str, float]:
    """The scores on dev of the answer that is most frequent in train (see CONSTANT), given to every example.

    Scores that such an answer does not have, such as a correlation, are left out.
    """
    found = kind.scores(dev, _constant(kind.name, train, dev, labels), labels)
    return {name: value for name, value in found.items() if name not in ("roc_auc", "pearson", "spearman")}


def _constant(kind: str, train: Sequence[Any], dev: Sequence[Any], labels: tuple[str, ...]) -> list[Prediction]:
    if kind == "regression":
        mean = float(np.mean([float(example.label) for example in train]))
        return [{"id": example.id, "value": mean} for example in dev]
    if kind == "tagging":
        tag = _most(tag for example in train for tag in example.tags)
        return [{"id": e.id, "words": list(e.words), "tags": [tag] * len(e.words)} for e in dev]
    if kind == "answering":
        return [{"id": example.id, "answer": ""} for example in dev]
    if kind == "multi-label":
        answer = _most(names_of(example.label) for example in train)
        return [{"id": example.id, "labels": list(answer)} for example in dev]
    label = _most(example.label if kind == "choice" else str(example.label) for example in train)
    probabilities = {name: float(name == label) for name in labels}
    return [{"id": example.id, "label": label, "probabilities": probabilities} for example in dev]


def _most(values: Any) -> Any:
    return Counter(values).most_common(1)[0][0]


# kind -> the constant answer, in words
CONSTANT = {
    "classification": "the most frequent label of train",
    "multi-label": "the most frequent set of labels of train",
    "regression": "the mean of train",
    "tagging": "the most frequent tag of train",
    "choice": "the most frequent number of train",
    "answering": "no answer",
}


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
    lines.append(_always(summary))
    for result in summary["seeds"].values():
        lines += [
            f"seed {result['seed']} {words}: {result[what]}"
            for what, words in (("failed", "failed"), ("collapsed", "collapsed"), ("far_behind", "is far behind"))
            if result.get(what)
        ]
    return lines


def _always(summary: Mapping[str, Any]) -> str:
    """What the constant answer scores, in the deciding measure or, where it has none, in the others."""
    measure, found = summary["measure"], summary["baseline"]
    shown = [measure] if measure in found else list(found)
    scores = ", ".join(f"{name} {found[name]:.4f}" for name in shown)
    lacks = "" if measure in found else f" (a constant answer has no {measure})"
    return f"always {CONSTANT[summary['kind']]}: {scores}{lacks}"


def chosen_told(summary: Mapping[str, Any]) -> str:
    """Which model is RUN/model, and what its score is worth."""
    measure, chosen, found = summary["measure"], summary["chosen"], summary["spread"][summary["measure"]]
    score = summary["seeds"][str(chosen)]["scores"][measure]
    if found["count"] == 1:
        only = ", the only one that did not fail" if len(summary["seeds"]) > 1 else ""
        return f"the model is that of seed {chosen}{only} ({measure} {score:.4f})"
    if found["lowest"] == found["highest"]:
        alike = "both" if found["count"] == 2 else f"all {found['count']}"
        return f"the model is that of seed {chosen}, the first: {alike} have {measure} {score:.4f} on dev"
    best = f"the model is that of seed {chosen}, the best on dev ({measure} {score:.4f})"
    if score == found["median"]:
        return f"{best}: the median is as high, so its score is hardly flattered by the choice"
    less = f"on other examples expect less, nearer the median, {found['median']:.4f}"
    return f"{best}: chosen by that score, which flatters it; {less}"
