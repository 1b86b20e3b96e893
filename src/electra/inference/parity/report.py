"""A comparison in words: parity.md, whose table the command also prints."""

from collections.abc import Mapping, Sequence
from typing import Any

from electra.inference.machine import FEATURES

HEAD = (
    "answered by", "MB", "largest difference", "mean difference", "same decisions", "p50, ms", "p99, ms", "rows a second",
)  # fmt: skip
UNKNOWN = 0.05  # share of tokens from which on the texts are in another language than the vocabulary


def lines(found: Mapping[str, Any]) -> list[str]:
    """parity.md, without its last line's end."""
    first, kept = found["answered_by"][0], found["answered_by"][-1]
    return [
        "# The exported model beside the original",
        "",
        f"{found['class']}, exported by `electra convert`: {kept['name']}. Everything here was measured when it was written.",
        "",
        *compared(found),
        "",
        f"Differences are of the numbers the model answers with, from those of {first['name']}, over all real tokens. p50",
        f"and p99 are of rows that go one by one, {kept['calls']} calls; rows a second of batches of up to {kept['batch']}",
        "rows in the order given, padding included.",
        "",
        *_measured_on(found),
    ]


def compared(found: Mapping[str, Any]) -> list[str]:
    """The tables, and what they are of."""
    of = found["texts"]
    lengths = f"{of['shortest']} to {of['longest']} tokens, {of['mean']:.0f} on average"
    told = [f"{of['rows']:,} rows of {lengths}: {of['of']}."]
    if (of["unknown"] or 0) > UNKNOWN:
        told.append(
            f"The vocabulary lacks {of['unknown']:.0%} of these tokens: give texts of the model's language, --texts FILE."
        )
    table = _table(HEAD, [_row(one) for one in found["answered_by"]])
    return [*told, "", *table, *(["", *_scores(found["scores"])] if found["scores"] else [])]


def _row(one: Mapping[str, Any]) -> list[str]:
    same = "" if one["same_decisions"] is None else _share(one["same_decisions"])
    return [
        one["name"], f"{one['bytes'] / 1e6:.1f}", f"{one['largest_difference']:.1e}", f"{one['mean_difference']:.1e}", same,
        f"{one['p50_ms']:.2f}", f"{one['p99_ms']:.2f}", f"{one['rows_per_second']:,.0f}",
    ]  # fmt: skip


def _share(value: float) -> str:
    """In hundredths; 100% only where it is all of them."""
    return f"{100 * value:.2f}%" if value < 0.9999 or value == 1 else "almost 100%"


def _scores(scores: Mapping[str, Any]) -> list[str]:
    before, after, change = scores["before"], scores["after"], scores["change"]
    others = scores["other_answers"]
    told = "" if others is None else f" Answers that are others than before: {others:,}."
    return [
        f"{scores['measure']} on {scores['examples']:,} examples of {scores['of']} changes by {change['value']:+.4f}, 95% "
        f"interval over the examples {change['low']:+.4f} to {change['high']:+.4f}.{told}",
        "",
        *_table(("score", "before", "after"), [[name, f"{before[name]:.4f}", f"{after[name]:.4f}"] for name in after]),
    ]  # fmt: skip


def _measured_on(found: Mapping[str, Any]) -> list[str]:
    machine = found["machine"]
    can = ", ".join(FEATURES[name] for name in machine["features"])
    load = "" if machine["load_average"] is None else f"; load average {machine['load_average']:.1f}"
    return [
        f"Measured on {machine['processor']} ({can or 'features unknown'}), {machine['threads']} thread"
        f"{'s' * (machine['threads'] != 1)} of {machine['cores']} cores that the process may use{load}, with",
        ", ".join(f"{name} {number}" for name, number in found["versions"].items()) + ".",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (head, *rows)]
    shown = ["| " + " | ".join(row) + " |" for row in padded]
    return [shown[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *shown[1:]]
