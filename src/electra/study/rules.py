"""What a study cannot say, by rule, and what is said of a difference. The rules are these and no others.

fewer than three seeds        a spread of one or two runs is no spread
too few seeds for any p       n pairs of runs cannot reach a p below 2^(1-n)
ranges overlap                some run of the one was as good as some run of the other
not the same budget           runs that are compared differ by more than 5% in what they were to have equal
different questions           held-out measures under other masks or another generator are other quantities
knowing nothing               a score no better than the most frequent answer's
failed, collapsed, not done   what is missing, or is there and worthless
unhealthy runs                what electra pretrain itself found wrong with a run, at its end
many comparisons              by chance alone about one in twenty has a p below 0.05
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from electra.study.contents import DETECTION
from electra.training.settings import PretrainSettings

Row = Mapping[str, Any]
FEWEST = 3  # seeds
LEVEL = 0.05
SAME = 0.05  # relative difference up to which costs count as the same
# Settings that decide what is asked of the networks on held-out text, and how hard it is.
QUESTION = (
    "objective", "examples", "max_length", "mask_probability", "show_mask_probability", "draw_with_replacement",
    "disallow_correct", "temperature", "final_temperature", "generator", "generator_width", "generator_depth",
)  # fmt: skip
WORDS = {"seconds": "minutes", "flops": "FLOPs", "tokens": "tokens"}
COST = {"minutes": "seconds", "flops": "flops", "tokens": "tokens"}  # unit of a budget -> what of a run it fixes


def differs_in_question(one: PretrainSettings, other: PretrainSettings) -> list[str]:
    """The settings for which held-out measures of the two are not of the same quantity."""
    return [key for key in QUESTION if getattr(one, key, None) != getattr(other, key, None)]


def verdict(row: Row) -> str:
    """What may be said of a comparison: first against second."""
    if row["different_question"]:
        return "not compared"
    if row["seeds"] is None:
        return "no seed in common"
    if row["difference"] == 0:
        return "equal"
    better = row["first"] if (row["difference"] < 0) == row["lower_is_better"] else row["second"]
    if len(row["paired"]) < FEWEST or row["ranges_overlap"]:
        return "no difference shown"
    examples = row["examples"]
    if examples is not None and examples["low"] <= 0 <= examples["high"]:
        return "no difference shown"
    but = "" if row["same_budget"] else ", but not at the same budget"
    if row["seeds"]["p"] <= LEVEL:
        return f"{better} is better{but}"
    return f"{better} is ahead in every run, which {len(row['paired'])} seeds cannot prove{but}"


def same_budget(reference: str, score: Row, costs: Sequence[Row], unit: str) -> bool:
    """Whether the runs behind a score cost what the reference's cost, in what the budget fixes."""
    own: dict[str, float] = {
        row["variant"]: row[COST[unit]]["median"] for row in costs if row["budget"] == score["budget"]
    }
    return abs(own[score["variant"]] / own[reference] - 1) <= SAME


def cannot(held: Row) -> list[str]:
    """What cannot be concluded from the content of study.json, in sentences."""
    return list(chain.from_iterable(rule(held) for rule in RULES))


# -- the rules ----------------------------------------------------------------------------------------------------------


def _not_done(held: Row) -> Iterator[str]:
    left = held["pieces"]["left"]
    if left:
        yield f"{len(left)} of {held['pieces']['planned']} pieces are not done: medians and tests are of those that are."


def _few_seeds(held: Row) -> Iterator[str]:
    count = len(held["seeds"])
    if count < FEWEST:
        yield (
            f"{_counted(count, 'seed')} of pretraining, fewer than {FEWEST}: how much another seed would change is not known, "
            "so no difference is called one."
        )
    elif 2.0 ** (1 - count) > LEVEL:
        yield (
            f"{count} seeds: a test over paired runs cannot reach a p below {2.0 ** (1 - count):.2g}, so none shows a "
            f"difference at {LEVEL:g}; that takes 6 seeds. Where the ranges do not overlap, this is said instead."
        )
    tuned = [name for name, plan in held["tasks"].items() if name != DETECTION and plan["seeds"] < FEWEST]
    if tuned:
        yield (
            f"Fine-tuned with fewer than {FEWEST} seeds each: {', '.join(tuned)}. A fine-tuning that happened to fail moves "
            "these scores."
        )


def _overlaps(held: Row) -> Iterator[str]:
    for (first, second, budget), rows in _by_pair(held).items():
        names = [_name(row) for row in rows if not row["different_question"] and row["ranges_overlap"]]
        if names:
            yield f"{first} and {second} at {budget}: the ranges over the seeds overlap in {', '.join(names)}."


def _examples(held: Row) -> Iterator[str]:
    for (first, second, budget), rows in _by_pair(held).items():
        doubtful = [
            row["task"] for row in rows
            if not row["ranges_overlap"] and row["examples"] and row["examples"]["low"] <= 0 <= row["examples"]["high"]
        ]  # fmt: skip
        if doubtful:
            yield (
                f"{first} and {second} at {budget}: other dev examples might have turned the difference in "
                f"{', '.join(doubtful)} (the 95% interval over them has both signs)."
            )


def _budgets(held: Row) -> Iterator[str]:
    """Costs that were to be equal and are not; and what was not made equal."""
    for budget in held["budgets"]:
        rows = [row for row in held["costs"] if row["budget"] == budget["name"]]
        reference = next((row for row in rows if row["variant"] == held["reference"]), None)
        fixed = COST[budget["unit"]]
        amount = budget["amount"] * (60 if budget["unit"] == "minutes" else 1)
        for row in rows:
            off = row[fixed]["median"] / amount - 1
            if abs(off) > SAME:
                yield f"{row['variant']} at {budget['told']}: not this budget, but {off:+.0%} of its {WORDS[fixed]} (median)."
            if reference is None or row is reference:
                continue
            between = row[fixed]["median"] / reference[fixed]["median"] - 1
            if abs(between) > SAME:
                yield (
                    f"{row['variant']} and {held['reference']} at {budget['told']}: not the same budget, {between:+.0%} of its "
                    f"{WORDS[fixed]}; differences may be of that."
                )
            others = {
                word: row[key]["median"] / reference[key]["median"] - 1 for key, word in WORDS.items() if key != fixed
            }
            told = ", ".join(f"{off:+.0%} {word}" for word, off in others.items() if abs(off) > SAME)
            if told:
                yield (
                    f"{row['variant']} at {budget['told']}, beside {held['reference']}: {told}; only {WORDS[fixed]} were to be "
                    "equal."
                )


def _sizes(held: Row) -> Iterator[str]:
    counts = {name: variant["parameters"] for name, variant in held["variants"].items() if variant["parameters"]}
    reference = counts.get(held["reference"])
    for name, count in counts.items():
        if reference and abs(count / reference - 1) > SAME:
            yield f"{name} trains {count:,} parameters, {held['reference']} {reference:,}: the difference is of that, too."


def _questions(held: Row) -> Iterator[str]:
    rows = {row["first"]: row for row in held["comparisons"] if row["different_question"]}
    for name, row in rows.items():
        yield (
            f"Held-out measures of {name} and {row['second']} are of different questions ({', '.join(row['different_question'])} "
            "differ): they are shown, not compared."
        )


def _useless(held: Row) -> Iterator[str]:
    for row in held["scores"]:
        if row.get("always") is not None and row["spread"]["median"] <= row["always"]:
            place = f"{row['task']}, {row['variant']} at {_told(held, row)}"
            yield (
                f"{place}: {row['measure']} {row['spread']['median']:.4f}, no better than always giving the most frequent answer "
                f"({row['always']:.4f})."
            )


def _broken(held: Row) -> Iterator[str]:
    for run in held["runs"]:
        if "failed" in run:
            first = run["failed"].splitlines()[0]
            yield f"The run {run['name']} failed and is missing everywhere, with its fine-tunings: {first}."
    for row in held["scores"]:
        if row.get("collapsed"):
            yield f"{row['task']}, {row['variant']} at {_told(held, row)}: {row['collapsed']} of {row['runs']} runs collapsed."
    for one in held["fine_tunings"]:
        if "failed" in one or one["failed_seeds"]:
            yield f"{one['name']}: fine-tunings failed and are missing."


def _unhealthy(held: Row) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for run in held["runs"]:
        for finding in run.get("health", {}):
            found.setdefault(finding, []).append(run["name"])
    for finding, names in found.items():
        yield f"{_counted(len(names), 'run')} ended with the finding {finding} (electra report tells more): {', '.join(names)}."


def _machines(held: Row) -> Iterator[str]:
    machines = held["machines"]
    if len(machines) > 1 and any(budget["unit"] == "minutes" for budget in held["budgets"]):
        yield f"Runs were made on {len(machines)} kinds of machine, so minutes are not one unit: {'; '.join(machines)}."


def _many(held: Row) -> Iterator[str]:
    count = sum(row["seeds"] is not None and not row["different_question"] for row in held["comparisons"])
    if count >= 1 / LEVEL:
        yield f"{count} comparisons: about {count * LEVEL:.0f} of them would have a p below {LEVEL:g} by chance alone."


RULES: Sequence[Callable[[Row], Iterator[str]]] = (
    _not_done, _broken, _unhealthy, _few_seeds, _budgets, _machines, _sizes, _questions, _overlaps, _examples, _useless, _many,
)  # fmt: skip


def _by_pair(held: Row) -> dict[tuple[str, str, str], list[Row]]:
    told = {budget["name"]: budget["told"] for budget in held["budgets"]}
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in held["comparisons"]:
        found.setdefault((row["first"], row["second"], told[row["budget"]]), []).append(row)
    return found


def _told(held: Row, row: Row) -> str:
    return str(next(budget["told"] for budget in held["budgets"] if budget["name"] == row["budget"]))


def _name(row: Row) -> str:
    return str(row["measure"] if row["task"] == "held-out text" else row["task"])


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"
