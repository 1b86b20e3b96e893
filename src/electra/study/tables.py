"""The tables of a study, as rows of text: what ran, what it took, what it reached, and how it compares."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from electra.training.panel import clock

Row = Mapping[str, Any]
HELD_OUT = "held-out text"


@dataclass(frozen=True)
class Table:
    """A heading, what to know before reading, the names of the columns, and the rows."""

    title: str
    text: str
    head: tuple[str, ...]
    rows: list[list[str]]


def tables_of(held: Row) -> list[Table]:
    """All tables that have rows."""
    found = [_variants(held), _costs(held), *_scores(held), *_comparisons(held)]
    return [table for table in found if table.rows]


def _variants(held: Row) -> Table:
    rows = [
        [
            name + (" (reference)" if name == held["reference"] else ""),
            ", ".join(f"{key} = {value!r}" for key, value in one["changes"].items()) or "nothing",
            "" if one["parameters"] is None else f"{one['parameters']:,}",
            "" if one["flops_per_step"] is None else f"{one['flops_per_step']:.3g}",
            one["precision"] or "",
        ]
        for name, one in held["variants"].items()
    ]
    text = "FLOPs: of the products of matrices of a step, both passes; padding counts."
    return Table("Variants", text, ("variant", "what differs", "parameters trained", "FLOPs a step", "precision"), rows)


def _costs(held: Row) -> Table:
    rows = [
        [
            row["variant"],
            _budget(held, row["budget"]),
            f"{row['steps']['median']:,.0f}",
            f"{row['tokens']['median']:,.0f}",
            f"{row['flops']['median']:.3g}",
            f"{row['flops_as_in_the_paper']['median']:.3g}",
            f"{clock(row['seconds']['median'])} ({clock(row['seconds']['lowest'])} to {clock(row['seconds']['highest'])})",
        ]
        for row in held["costs"]
    ]
    head = ("variant", "budget", "steps", "tokens", "FLOPs", "as the paper counts", "time of training")
    return Table("What the runs took", "Median over the seeds; of the time, lowest to highest too.", head, rows)


def _scores(held: Row) -> Iterator[Table]:
    """A table of the held-out measures, and one of the tasks: a row a measure and budget, a column a variant."""
    names = list(held["variants"])
    for title, text, is_task in (
        (
            "Held-out text",
            "At the end of pretraining: median over the seeds (lowest to highest). Losses are nats.",
            False,
        ),
        (
            "Tasks",
            "Of each seed of pretraining the median of its fine-tunings; of these the median (lowest to highest).",
            True,
        ),
    ):
        keys = dict.fromkeys(
            (row["task"], row["measure"], row["budget"])
            for row in held["scores"]
            if (row["task"] != HELD_OUT) == is_task
        )
        rows = []
        for key in keys:
            own = {r["variant"]: r for r in held["scores"] if (r["task"], r["measure"], r["budget"]) == key}
            always = next(iter(own.values())).get("always")
            rows.append(
                [
                    *((key[0],) if is_task else ()),
                    key[1],
                    _budget(held, key[2]),
                    *(("" if always is None else f"{always:.4f}",) if is_task else ()),
                    *(_spread(own[name]["spread"]) if name in own else "" for name in names),
                ]
            )
        head = ("task", "measure", "budget", "always the same") if is_task else ("measure", "budget")
        yield Table(title, text, (*head, *names), rows)


def _comparisons(held: Row) -> Iterator[Table]:
    rows = [
        [
            f"{row['first']} − {row['second']}",
            row["task"],
            row["measure"],
            _budget(held, row["budget"]),
            f"{row['difference']:+.4f}" if row["seeds"] else "",
            f"{row['seeds']['p']:.2g} (at least {row['seeds']['smallest_p']:.2g})" if row["seeds"] else "",
            _interval(row["examples"]),
            row["verdict"],
        ]
        for row in held["comparisons"]
        if not row["different_question"]
    ]
    head = ("difference", "task", "measure", "budget", "mean", "p over seeds", "95% over dev examples", "what it shows")
    text = (
        "Over the seeds of pretraining in pairs, by permutation; p in brackets is the smallest so many pairs can reach. Over dev "
        "examples: bootstrap of the mean of all runs."
    )
    yield Table("Comparisons", text, head, rows)


def _interval(examples: Row | None) -> str:
    return "" if examples is None else f"{examples['low']:+.4f} to {examples['high']:+.4f}"


def _spread(found: Row) -> str:
    if found["count"] == 1:
        return f"{found['median']:.4f}"
    return f"{found['median']:.4f} ({found['lowest']:.4f} to {found['highest']:.4f})"


def _budget(held: Row, name: str) -> str:
    return str(next(budget["told"] for budget in held["budgets"] if budget["name"] == name))


def in_markdown(table: Table, level: int = 3) -> list[str]:
    """Lines of Markdown."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return [
        f"{'#' * level} {table.title}", "", table.text, "", line(table.head), line(["---"] * len(table.head)),
        *(line(row) for row in table.rows), "",
    ]  # fmt: skip
