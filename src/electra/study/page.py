"""The page of a study: one HTML file with its curves drawn into it, the same in Markdown, and everything as JSON.

OUT/study.html     self-contained
OUT/study.md       tables and sentences, with OUT/study-N.svg beside it
OUT/study.json     all numbers of all pieces, and what was made of them
"""

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electra.study.tables import HELD_OUT, Table, in_markdown, tables_of
from electra.training.report import COLOURS, MARKERS, STYLE, matplotlib
from electra.training.tune_files import write_text

Row = Mapping[str, Any]
COSTS = (("flops", "FLOPs", 1.0), ("seconds", "minutes of training", 60.0))  # of a run, its name, what it is divided by
FIRST = ("roc_auc", "average_precision", "mlm_loss")  # of the held-out measures, these are drawn, and tasks
MORE_STYLE = """
table.study { font-size: .9rem; margin-bottom: 1.5rem; display: block; overflow-x: auto; }
table.study td, table.study th { white-space: nowrap; text-align: left; padding: .15rem 1rem .15rem 0; }
table.study tr > :first-child { font-weight: 600; } li { margin: .3rem 0; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
"""


@dataclass(frozen=True)
class Line:
    """A variant in a chart. points: (cost, median, lowest, highest) of a budget each; paths: (cost, value) on the way.

    number   of the variant, which has one colour in all charts
    """

    label: str
    number: int
    points: list[tuple[float, float, float, float]]
    paths: list[list[tuple[float, float]]]


@dataclass(frozen=True)
class Chart:
    """A score over a cost."""

    title: str
    x: str
    y: str
    lines: list[Line]
    level: float | None  # of knowing nothing


def write_page(held: Row, out: Path) -> Path:
    """Write study.json, study.md with its pictures, and study.html, whose path is returned.

    Raises MissingDependencyError without matplotlib, when study.json is written.
    """
    write_text(out / "study.json", json.dumps(held, indent=1) + "\n")
    drawn = [(chart, draw(chart)) for chart in charts_of(held)]
    for old in out.glob("study-*.svg"):
        old.unlink()
    for number, (_, picture) in enumerate(drawn, start=1):
        write_text(out / f"study-{number}.svg", picture)
    write_text(out / "study.md", markdown(held, [chart for chart, _ in drawn]))
    write_text(out / "study.html", page(held, drawn))
    return out / "study.html"


# -- charts -------------------------------------------------------------------------------------------------------------


def charts_of(held: Row) -> Iterator[Chart]:
    """Each held-out measure of FIRST and each task, against FLOPs and against minutes."""
    found = dict.fromkeys((row["task"], row["measure"]) for row in held["scores"])
    shown = [key for key in found if key[0] == HELD_OUT and key[1] in FIRST]
    shown.sort(key=lambda key: FIRST.index(key[1]))
    shown += [key for key in found if key[0] != HELD_OUT]
    for task, measure in shown:
        rows = [row for row in held["scores"] if (row["task"], row["measure"]) == (task, measure)]
        for key, x, scale in COSTS:
            lines = [_line(held, name, rows, key, scale) for name in held["variants"]]
            title = f"{measure} on {task}" if task == HELD_OUT else f"{task}: {measure}"
            yield Chart(title, x, measure, [line for line in lines if line.points], rows[0].get("always"))


def _line(held: Row, variant: str, rows: Sequence[Row], cost: str, scale: float) -> Line:
    costs = {row["budget"]: row[cost]["median"] / scale for row in held["costs"] if row["variant"] == variant}
    points = [
        (costs[row["budget"]], *(row["spread"][key] for key in ("median", "lowest", "highest")))
        for row in rows
        if row["variant"] == variant and row["budget"] in costs
    ]
    measure = rows[0]["measure"]
    is_held_out = rows[0]["task"] == HELD_OUT
    paths = [_path(run, measure, cost, scale) for run in held["runs"] if run["variant"] == variant and is_held_out]
    number = list(held["variants"]).index(variant)
    return Line(variant, number, sorted(points), [path for path in paths if len(path) > 1])


def _path(run: Row, measure: str, cost: str, scale: float) -> list[tuple[float, float]]:
    """A run on its way."""
    points = []
    for one in run.get("evaluations", []):
        if measure in one and one["step"]:
            spent = one["seconds"] if cost == "seconds" else run["flops"] * one["step"] / run["steps"]
            points.append((spent / scale, one[measure]))
    return points


def draw(chart: Chart) -> str:
    """A chart as SVG: ends of runs marked, with the range over the seeds; thin lines are single runs on their way."""
    figure_of, save = matplotlib()
    figure = figure_of(figsize=(6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for line in chart.lines:
        colour, marker = COLOURS[line.number % len(COLOURS)], MARKERS[line.number % len(MARKERS)]
        for path in line.paths:
            axes.plot(*zip(*path, strict=True), color=colour, linewidth=0.7, alpha=0.45)
        x, middle, low, high = ([point[i] for point in line.points] for i in range(4))
        error = [[a - b for a, b in zip(*pair, strict=True)] for pair in ((middle, low), (high, middle))]
        axes.errorbar(x, middle, yerr=error, label=line.label, color=colour, marker=marker, markersize=5, linewidth=1.6,
                      capsize=3)  # fmt: skip
    if chart.level is not None:
        axes.axhline(chart.level, label="always the same answer", color="#6b7280", linewidth=1.2, linestyle="--")
    costs = [point[0] for line in chart.lines for point in line.points]
    if max(costs) > 3 * min(costs):
        axes.set_xscale("log")
    axes.set_xlabel(chart.x)
    axes.set_ylabel(chart.y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    drawn = save(figure)
    return drawn[drawn.index("<svg") :]


# -- in words -----------------------------------------------------------------------------------------------------------


def summary(held: Row) -> str:
    """What was run, in a sentence or two."""
    pieces, seconds = held["pieces"], sum(run["process_seconds"] for run in (*held["runs"], *held["fine_tunings"]))
    budgets = ", ".join(budget["told"] for budget in held["budgets"])
    seeds = len(held["seeds"])
    return (
        f"{len(held['variants'])} variants, {seeds} seed{'s' * (seeds != 1)}, budgets of {budgets}: {pieces['done']} of "
        f"{pieces['planned']} pieces done, {seconds / 3600:.1f} hours of processes. Trained on {'; '.join(held['machines'])}; "
        f"electra {held['electra']}."
    )


LEGEND = (
    "Marked: the ends of runs, whose learning rate came down to 0 within that budget; median over the seeds, and their range. "
    "Thin: single runs on their way."
)
NOTHING = "Nothing of what the rules look for; see src/electra/study/rules.py."


def findings(held: Row) -> list[str]:
    """The differences that were shown, in sentences."""
    rows = [row for row in held["comparisons"] if row["verdict"].startswith(f"{row['first']} is ")]
    rows += [row for row in held["comparisons"] if row["verdict"].startswith(f"{row['second']} is ")]
    return [
        f"{row['measure'] if row['task'] == HELD_OUT else row['task']}, {row['budget']}: {row['verdict']} "
        f"({row['first']} − {row['second']}: {row['difference']:+.4f})."
        for row in rows
    ]


def markdown(held: Row, charts: Sequence[Chart]) -> str:
    """The study as a section of a document."""
    lines = [f"## {held['title']}", "", *([held["question"], ""] if held["question"] else []), summary(held), ""]
    lines += ["### What is shown", "", *(f"- {text}" for text in findings(held) or ["No difference."]), ""]
    lines += ["### What can't be concluded", "", *(f"- {text}" for text in held["cannot"] or [NOTHING]), ""]
    if charts:
        lines += ["### Curves", "", LEGEND, ""]
        lines += [
            f"![{chart.title} over {chart.x}](study-{number}.svg)" for number, chart in enumerate(charts, start=1)
        ]
        lines.append("")
    for table in tables_of(held):
        lines += in_markdown(table)
    return "\n".join(lines)


def page(held: Row, drawn: Sequence[tuple[Chart, str]]) -> str:
    """The study as HTML."""
    title = html.escape(held["title"])
    charts = "".join(
        f"<section><h2>{html.escape(chart.title)}</h2>"
        + picture.replace("<svg", f'<svg role="img" aria-label="{html.escape(f"{chart.title} over {chart.x}")}"', 1)
        + "</section>"
        for chart, picture in drawn
    )
    shown = _list(findings(held) or ["No difference."])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}: a study with ELECTRA</title><style>{STYLE}{MORE_STYLE}</style><h1>{title}</h1>"
        f"<p>{html.escape(held['question'])}</p><p>{html.escape(summary(held))}</p>"
        f"<h2>What is shown</h2>{shown}<h2>What can’t be concluded</h2>{_list(held['cannot'] or [NOTHING])}"
        + (f'<h2>Curves</h2><p>{LEGEND}</p><div class="charts">{charts}</div>' if drawn else "")
        + "".join(_table(table) for table in tables_of(held))
        + "</html>\n"
    )


def _list(texts: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(text)}' for text in texts)}</ul>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}" for name in table.head)
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}' for cell in row)}" for row in table.rows)
    return f'<h2>{table.title}</h2><p>{html.escape(table.text)}</p><table class="study"><tr>{head}{rows}</table>'
