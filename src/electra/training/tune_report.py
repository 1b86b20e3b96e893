"""One HTML page of a fine-tuning: the scores of all seeds, how each learned, and what the chosen model mixes up."""

import html
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.errors import DataError
from electra.tasks.task import Prediction
from electra.training.report import COLOURS, STYLE, draw, matplotlib
from electra.training.run import read_metrics
from electra.training.tune_files import PREDICTIONS, RESULTS, read_examples, read_lines
from electra.training.tune_results import chosen_told, told
from electra.weights.files import write_atomically

Points = list[tuple[float, float]]
MOST_LABELS = 20  # of a confusion matrix; of more, the most frequent
MATRIX = """
td, th { padding: .15rem .7rem .15rem 0; text-align: right; } .matrix td { min-width: 2.2rem; padding: .25rem .4rem; }
th:first-child, td:first-child { text-align: left; }
"""


def write_report(run: Path, target: Path | None = None) -> Path:
    """Write the page (default: RUN/report.html), and RUN/curves.png. DataError where the fine-tuning is not finished."""
    if not (run / RESULTS).is_file():
        raise DataError(f"{run} has no {RESULTS}: the fine-tuning is not finished")
    summary, record = read_json_object(run / RESULTS), read_json_object(run / "settings.json")
    curves = _curves(run, summary)
    write_atomically(run / "curves.png", lambda file: file.write(_png(curves, summary["measure"])))
    page = _page(run, summary, record, curves)
    target = target or run / "report.html"
    write_atomically(target, lambda file: file.write(page.encode("utf-8")))
    return target


def _page(
    run: Path, summary: Mapping[str, Any], record: Mapping[str, Any], curves: dict[str, dict[str, Points]]
) -> str:
    heading, lines = html.escape(run.name), [*told(summary)]
    if summary["chosen"] is not None:
        lines.append(chosen_told(summary))
    boxes = "".join(
        f"<div><b>{values['median']:.4f}</b>{html.escape(name)}, median</div>"
        for name, values in summary["spread"].items()
    )
    charts = "".join(
        f"<section><h2>{title}</h2><p>{text}</p>{draw(_series(curves[key]), unit, title)}</section>"
        for key, title, text, unit in (
            ("loss", "Training loss", "Of single batches. A run that stays high, or returns there, has collapsed.", ""),
            ("score", f"{summary['measure']} on dev", "Seeds that scatter say how much a single run is worth.", ""),
        )
        if any(curves[key].values())
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{heading}: ELECTRA fine-tuning</title><style>{STYLE}{MATRIX}</style><h1>{heading}</h1>"
        f"<p>{html.escape(summary.get('source', summary['task']))} ({summary['kind']}), {html.escape(summary['model'])}.</p>"
        + "".join(f"<p>{html.escape(line)}</p>" for line in lines)
        + f'<div class="numbers">{boxes}</div><h2>Scores</h2>{_scores(summary)}<div class="charts">{charts}</div>'
        f"{_confusion(run, summary)}<h2>Settings</h2>{_facts(record)}</html>\n"
    )


def _scores(summary: Mapping[str, Any]) -> str:
    names = list(summary["spread"])
    head = "<tr><th>seed" + "".join(f"<th>{html.escape(name)}" for name in names) + "<th>"
    rows = [
        f"<tr><td>{result['seed']}"
        + "".join(f"<td>{result.get('scores', {}).get(name, float('nan')):.4f}" for name in names)
        + f"<td>{html.escape(_fate(result))}"
        for result in summary["seeds"].values()
    ]
    for what in ("median", "deviation", "lowest", "highest"):
        values = [summary["spread"][name][what] for name in names]
        rows.append(f"<tr><td>{what}" + "".join("<td>" if v is None else f"<td>{v:.4f}" for v in values) + "<td>")
    if summary["baseline"]:
        held = [summary["baseline"].get(name) for name in names]
        rows.append("<tr><td>baseline" + "".join("<td>" if v is None else f"<td>{v:.4f}" for v in held) + "<td>")
    return f"<table>{head}{''.join(rows)}</table>"


def _fate(result: Mapping[str, Any]) -> str:
    """What went wrong with a seed's run, if anything."""
    named = {"collapsed": "collapsed", "far_behind": "far behind"}
    return str(result.get("failed") or next((word for what, word in named.items() if result.get(what)), ""))


# -- curves -------------------------------------------------------------------------------------------------------------


def _curves(run: Path, summary: Mapping[str, Any]) -> dict[str, dict[str, Points]]:
    """The training loss and the deciding score over the steps of each seed."""
    found: dict[str, dict[str, Points]] = {"loss": {}, "score": {}}
    for seed in summary["seeds"]:
        records = list(read_metrics(run / f"seed-{seed}" / "metrics.jsonl"))
        found["loss"][seed] = [(r["step"], r["loss"]) for r in records if r["kind"] == "train"]
        scores = [(r["step"], r["scores"][summary["measure"]]) for r in records if r["kind"] == "evaluation"]
        found["score"][seed] = scores
    return found


def _series(curves: Mapping[str, Points]) -> list[tuple[str, Points]]:
    return [(f"seed {seed}", points) for seed, points in curves.items() if points]


def _png(curves: Mapping[str, Mapping[str, Points]], measure: str) -> bytes:
    figure_of, _ = matplotlib()
    figure = figure_of(figsize=(10, 3.6), layout="constrained", dpi=150)
    for place, (key, title) in enumerate((("loss", "training loss"), ("score", f"{measure} on dev")), start=1):
        axes = figure.add_subplot(1, 2, place)
        for number, (label, points) in enumerate(_series(curves[key])):
            steps, values = zip(*points, strict=True)
            marker = "o" if len(points) < 20 else None
            axes.plot(steps, values, label=label, color=COLOURS[number % len(COLOURS)], linewidth=1.2, marker=marker)
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if any(curves["loss"].values()):
        axes.legend(frameon=False)
    held = io.BytesIO()
    figure.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()


# -- what is mixed up ---------------------------------------------------------------------------------------------------


def _confusion(run: Path, summary: Mapping[str, Any]) -> str:
    """Rows are the truth, columns the answers of the chosen model; empty for kinds without classes."""
    if summary["chosen"] is None:
        return ""
    examples = read_examples(run / "dev.jsonl", summary["kind"])
    predictions = list(read_lines(run / f"seed-{summary['chosen']}" / "kept" / PREDICTIONS))
    pairs = Counter(pair for e, p in zip(examples, predictions, strict=True) for pair in _pairs(e, p))
    if not pairs:
        return ""
    counts: Counter[str] = Counter()
    for (truth, answer), count in pairs.items():
        counts[truth] += count
        counts[answer] += 0
    labels = [label for label, _ in counts.most_common(MOST_LABELS)]
    totals = {label: sum(count for (truth, _), count in pairs.items() if truth == label) or 1 for label in labels}
    head = "<tr><th>truth \\ answer" + "".join(f"<th>{html.escape(label)}" for label in labels)
    rows = "".join(
        f"<tr><th>{html.escape(truth)}" + "".join(_cell(pairs[truth, answer], totals[truth]) for answer in labels)
        for truth in labels
    )
    more = f" The {MOST_LABELS} most frequent of {len(counts)}." if len(counts) > MOST_LABELS else ""
    return (
        f"<h2>What is mixed up</h2><p>Seed {summary['chosen']} on dev; rows are the truth, columns the answers.{more}</p>"
        f'<table class="matrix">{head}{rows}</table>'
    )


def _cell(count: int, total: int) -> str:
    return f'<td style="background: rgb(37 99 235 / {0.6 * count / total:.2f})">{count:,}'


def _pairs(example: Any, prediction: Prediction) -> Sequence[tuple[str, str]]:
    if "tags" in prediction:
        return list(zip(example.tags or (), prediction["tags"], strict=False))
    label = getattr(example, "label", None)
    return [] if label is None or "label" not in prediction else [(str(label), str(prediction["label"]))]


def _facts(record: Mapping[str, Any]) -> str:
    rows = {
        "electra": record["electra"],
        "framework": record["framework"],
        **record["settings"],
        **{f"data {part}": facts for part, facts in record["data"].items()},
        "model weights": record["model"]["weights"] or "random",
    }
    cells = "".join(f"<tr><td>{html.escape(k)}<td><code>{html.escape(str(v))}</code>" for k, v in rows.items())
    return f"<table>{cells}</table>"
