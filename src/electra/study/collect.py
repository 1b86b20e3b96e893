"""Everything a study has measured so far, in one object: runs, scores, their spread over seeds, and comparisons.

A score of a variant at a budget has a value for each seed of pretraining: of fine-tunings, the median over their own seeds.
Variants are held against the reference seed by seed, and on tasks over the dev examples too.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import electra
from electra.config import read_json_object
from electra.errors import ElectraError
from electra.study.contents import Study
from electra.study.pieces import pieces_of, results_of, waiting
from electra.study.rules import cannot, differs_in_question, same_budget, verdict
from electra.study.speed import speed_of
from electra.tasks.statistics import compare_seeds, spread
from electra.training.tune_files import write_text
from electra.training.tune_scores import compare_many
from electra.training.tune_seed import comparable

HELD_OUT = "held-out text"  # what stands for a task where a score is of pretraining
NOT_SCORES = ("step", "tokens", "seconds", "flops", "replaced_share", "sampled_accuracy", "prior_loss")
Results = Mapping[str, Mapping[str, Any]]
Row = dict[str, Any]


def collect(study: Study, out: Path) -> Row:
    """The content of OUT/study.json."""
    results = results_of(study, out)
    runs = [held for held in results.values() if held["task"] is None]
    tuned = [held for held in results.values() if held["task"] is not None]
    scores, costs = [*_held_out(study, runs), *_tasks(study, tuned)], list(_costs(study, runs))
    held = {
        "electra": electra.__version__,
        "title": study.title,
        "question": study.question,
        "seeds": list(study.seeds),
        "budgets": [asdict(budget) | {"name": budget.name, "told": str(budget)} for budget in study.budgets],
        "reference": study.reference,
        "variants": {name: _variant(study, name, runs) for name in study.variants},
        "tasks": {
            name: plan.settings.to_dict() | {"limit_train": plan.limit_train, "set": dict(plan.options)}
            for name, plan in study.tasks.items()
        },
        "pieces": {
            "planned": len(pieces_of(study)),
            "done": len(results),
            "left": [piece.name for piece in waiting(study, out)],
        },
        "machines": sorted({_machine(run["machine"]) for run in runs if "machine" in run}),
        "speeds": {name: held for name in study.variants if (held := speed_of(out, name)) is not None},
        "costs": costs,
        "scores": scores,
        "comparisons": list(_comparisons(study, scores, costs, out)),
        "runs": runs,
        "fine_tunings": tuned,
    }
    return held | {"cannot": cannot(held)}


def _variant(study: Study, name: str, runs: Sequence[Mapping[str, Any]]) -> Row:
    own = [run for run in runs if run["variant"] == name and "machine" in run]
    settings = study.variants[name].to_dict()
    first = own[0] if own else None
    return {
        "changes": dict(study.changes[name]),
        "settings": settings,
        "parameters": first["machine"]["parameters"] if first else None,
        "precision": first["machine"]["precision"] if first else None,
        "flops_per_step": first["flops"] / first["steps"] if first else None,
    }


def _machine(machine: Mapping[str, Any]) -> str:
    threads = f"{machine['threads']} thread{'s' * (machine['threads'] != 1)}"
    return f"{machine['device']}, {threads}, {machine['framework']}"


def _costs(study: Study, runs: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """What the runs of each variant and budget took: each a spread over the seeds."""
    for budget in study.budgets:
        for variant in study.variants:
            own = [r for r in runs if r["variant"] == variant and r["budget"] == asdict(budget) and "steps" in r]
            if own:
                keys = ("steps", "tokens", "seconds", "flops", "flops_as_in_the_paper")
                spreads = {key: asdict(spread([run[key] for run in own])) for key in keys}
                yield {"variant": variant, "budget": budget.name, **spreads}


# -- scores -------------------------------------------------------------------------------------------------------------


def _held_out(study: Study, runs: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Of the last evaluation of each run."""
    names = dict.fromkeys(key for run in runs for key in _last(run) if key not in NOT_SCORES)
    for name in names:
        for budget in study.budgets:
            for variant in study.variants:
                own = [run for run in runs if run["variant"] == variant and run["budget"] == asdict(budget)]
                values = {str(run["seed"]): _last(run)[name] for run in own if name in _last(run)}
                if values:
                    yield _score(HELD_OUT, name, variant, budget.name, values)


def _last(run: Mapping[str, Any]) -> Mapping[str, float]:
    evaluations = run.get("evaluations", [])
    return evaluations[-1] if evaluations else {}


def _tasks(study: Study, tuned: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """In the measure that decides a task."""
    for task in study.tasks:
        for budget in study.budgets:
            for variant in study.variants:
                own = [
                    one for one in tuned
                    if one["task"] == task and one["variant"] == variant and one["budget"] == asdict(budget) and one.get("scores")
                ]  # fmt: skip
                if not own:
                    continue
                measure = own[0]["measure"]
                each = {str(one["seed"]): [scores[measure] for scores in one["scores"].values()] for one in own}
                values = {seed: median([max(comparable(score), -1.0) for score in held]) for seed, held in each.items()}
                yield _score(task, measure, variant, budget.name, values) | {
                    "each": each,
                    "always": own[0]["baseline"].get(measure),
                    "collapsed": sum(len(one["collapsed"]) for one in own),
                    "runs": sum(len(one["scores"]) for one in own),
                    "dev_examples": own[0]["dev_examples"],
                    "train_examples": own[0]["train_examples"],
                }


def _score(task: str, measure: str, variant: str, budget: str, values: Mapping[str, float]) -> Row:
    return {
        "task": task,
        "measure": measure,
        "variant": variant,
        "budget": budget,
        "by_seed": dict(values),
        "spread": asdict(spread(list(values.values()))),
    }


# -- comparisons --------------------------------------------------------------------------------------------------------


def is_lower_better(measure: str) -> bool:
    """Of a measure of pretraining; measures of tasks are all the better the higher they are."""
    return measure.endswith("loss")


def _comparisons(study: Study, scores: Sequence[Row], costs: Sequence[Row], out: Path) -> Iterator[Row]:
    """Every variant minus the reference, in every score both have."""
    unit_of = {budget.name: budget.unit for budget in study.budgets}
    for score in scores:
        if score["variant"] == study.reference:
            continue
        same = ("task", "measure", "budget")
        reference = next(
            (r for r in scores if r["variant"] == study.reference and all(r[key] == score[key] for key in same)), None
        )
        if reference is None:
            continue
        paired = [seed for seed in score["by_seed"] if seed in reference["by_seed"]]
        row = {key: score[key] for key in same} | {
            "first": score["variant"],
            "second": study.reference,
            "paired": paired,
            "lower_is_better": score["task"] == HELD_OUT and is_lower_better(score["measure"]),
            "different_question": _question(study, score),
            "ranges_overlap": _overlap(score["spread"], reference["spread"]),
            "same_budget": same_budget(study.reference, score, costs, unit_of[score["budget"]]),
            "seeds": None,
            "examples": None,
        }
        if paired:
            test = compare_seeds(*([one["by_seed"][seed] for seed in paired] for one in (score, reference)))
            row |= {"difference": test.difference, "seeds": asdict(test)}
        if score["task"] != HELD_OUT:
            row["examples"] = _over_examples(study, row, [score["each"], reference["each"]], out)
        yield row | {"verdict": verdict(row)}


def _question(study: Study, score: Row) -> list[str]:
    """The settings that make the held-out measures of two variants answers to different questions; of tasks none."""
    if score["task"] != HELD_OUT:
        return []
    return differs_in_question(study.variants[score["variant"]], study.variants[study.reference])


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(one["lowest"] <= other["highest"] and other["lowest"] <= one["highest"])


def _over_examples(study: Study, row: Row, each: list[Any], out: Path) -> Row | None:
    """The difference of the means over all runs of both, with its interval over the dev examples, once all are there.

    each   the scores of all fine-tunings of both
    Resampling takes seconds, so what was found is kept in OUT/comparisons. None where folders of pieces are gone.
    """
    kept = out / "comparisons" / f"{row['first']}-{row['second']}-{row['budget']}-{row['task']}.json"
    held = read_json_object(kept) if kept.is_file() else {}
    if held.get("each") == each:
        found: Row = held["found"]
        return found
    budget = next(budget for budget in study.budgets if budget.name == row["budget"])
    if len(row["paired"]) < len(study.seeds):
        return None
    sides = [
        [
            out / "pieces" / piece.name / "run"
            for piece in pieces_of(study)
            if (piece.task, piece.variant, piece.budget) == (row["task"], variant, budget)
        ]
        for variant in (row["first"], row["second"])
    ]
    try:
        found = asdict(compare_many(sides[0], sides[1], row["measure"]))
    except (ElectraError, OSError):
        return None
    kept.parent.mkdir(exist_ok=True)
    write_text(kept, json.dumps({"each": each, "found": found}) + "\n")
    return found
