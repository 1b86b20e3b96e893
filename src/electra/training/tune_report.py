"""One HTML page of a fine-tuning: the scores of all seeds, how each learned, and what the chosen model answers wrongly."""

import html
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.errors import DataError
from electra.tasks.task import Example, Kind, Prediction
from electra.training.report import STYLE, Level, Series, draw, matplotlib, plot
from electra.training.run import read_metrics
from electra.training.tune_files import PREDICTIONS, RESULTS, read_examples, read_lines, read_purpose
from electra.training.tune_mistakes import WEIGHTS, Mistake, mistakes
from electra.training.tune_results import chosen_told, told
from electra.weights.files import write_atomically

MOST_LABELS = 20  # of a confusion matrix; of more, the most frequent
MOST = 10  # mistakes that are shown
HASH = 12  # characters of a sha256 that are shown
TABLES = """
td, th { padding: .15rem .7rem .15rem 0; text-align: right; } .matrix td { min-width: 2.2rem; padding: .25rem .4rem; }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
td:first-child { white-space: nowrap; } .words td:nth-child(2) { max-width: 36rem; }
table + h2, p + h2 { margin-top: 2rem; } .charts { margin-top: 1.5rem; }
"""


def write_report(run: Path, target: Path | None = None) -> Path:
    """Write the page (default: RUN/report.html), and RUN/curves.png. DataError where the fine-tuning is not finished."""
    if not (run / RESULTS).is_file():
        raise DataError(f"{run} has no {RESULTS}: the fine-tuning is not finished")
    summary, record = read_json_object(run / RESULTS), read_json_object(run / "settings.json")
    charts = _charts(run, summary)
    write_atomically(run / "curves.png", lambda file: file.write(_png(charts)))
    page = _page(run, summary, record, charts)
    target = target or run / "report.html"
    write_atomically(target, lambda file: file.write(page.encode("utf-8")))
    return target


def _page(run: Path, summary: Mapping[str, Any], record: Mapping[str, Any], charts: "Charts") -> str:
    heading, lines = html.escape(run.name), [*told(summary)]
    if summary["chosen"] is not None:
        lines.append(chosen_told(summary))
    boxes = "".join(
        f"<div><b>{values['median']:.4f}</b>{html.escape(name)}{', median' * (values['count'] > 1)}</div>"
        for name, values in summary["spread"].items()
    )
    drawn = "".join(
        f"<section><h2>{title}</h2><p>{text}</p>{draw(series, unit, title, level)}</section>"
        for title, text, unit, series, level in charts
        if series
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{heading}: ELECTRA fine-tuning</title><style>{STYLE}{TABLES}</style><h1>{heading}</h1>"
        f"<p>{html.escape(summary.get('source', summary['task']))} ({summary['kind']}), {html.escape(summary['model'])}.</p>"
        + "".join(f"<p>{html.escape(line)}</p>" for line in lines)
        + f'<div class="numbers">{boxes}</div><h2>Scores on dev</h2>{_scores(summary)}<div class="charts">{drawn}</div>'
        f"{_answers(run, summary)}<h2>Settings</h2>{_facts(record)}</html>\n"
    )


def _scores(summary: Mapping[str, Any]) -> str:
    """A row a seed, and below what they have in common."""
    names, spread = list(summary["spread"]), summary["spread"]
    rows = [(str(result["seed"]), result.get("scores", {}), _fate(result)) for result in summary["seeds"].values()]
    if len(rows) > 1:
        for what in ("median", "deviation", "lowest", "highest"):
            rows.append((what, {name: spread[name][what] for name in names}, ""))
    if summary["baseline"]:
        rows.append(("constant answer", summary["baseline"], ""))
    head = "".join(f"<th>{html.escape(name)}" for name in ("seed", *names, ""))
    return f"<table><tr>{head}{''.join(_row(name, [held.get(n) for n in names], fate) for name, held, fate in rows)}</table>"


def _row(name: str, values: Sequence[float | None], more: str) -> str:
    cells = "".join("<td>" if value is None else f"<td>{value:.4f}" for value in values)
    return f"<tr><td>{name}{cells}<td>{html.escape(more)}"


def _fate(result: Mapping[str, Any]) -> str:
    """What went wrong with a seed's run, if anything."""
    named = {"collapsed": "collapsed", "far_behind": "far behind"}
    return str(result.get("failed") or next((word for what, word in named.items() if result.get(what)), ""))


# -- curves -------------------------------------------------------------------------------------------------------------

Charts = list[tuple[str, str, str, Series, Level | None]]  # title, what to look for, label of y, lines, the baseline


def _charts(run: Path, summary: Mapping[str, Any]) -> Charts:
    """The training loss and the deciding score over the steps of each seed."""
    measure, losses, scores = summary["measure"], [], []
    for seed in summary["seeds"]:
        records = list(read_metrics(run / f"seed-{seed}" / "metrics.jsonl"))
        losses.append((f"seed {seed}", [(r["step"], r["loss"]) for r in records if r["kind"] == "train"]))
        evaluations = [r for r in records if r["kind"] == "evaluation"]
        scores.append((f"seed {seed}", [(r["step"], r["scores"][measure]) for r in evaluations]))
    always = summary["baseline"].get(measure)
    level = None if always is None else ("constant answer", always)
    losses, scores = ([line for line in lines if line[1]] for lines in (losses, scores))
    return [
        ("Training loss", "Of single batches. A run that stays high, or returns there, learned nothing.", "loss", losses, None),
        (f"{measure} on dev", "Seeds that scatter say how much a single run is worth.", measure, scores, level),
    ]  # fmt: skip


def _png(charts: Charts) -> bytes:
    figure_of, _ = matplotlib()
    figure = figure_of(figsize=(10, 3.6), layout="constrained", dpi=150)
    for place, (title, _, unit, series, level) in enumerate(charts, start=1):
        axes = figure.add_subplot(1, len(charts), place)
        plot(axes, series, unit, level)
        axes.set_title(title)
    held = io.BytesIO()
    figure.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()


# -- what is answered wrongly -------------------------------------------------------------------------------------------


def _answers(run: Path, summary: Mapping[str, Any]) -> str:
    """What the chosen model mixes up on dev, and examples of it."""
    if summary["chosen"] is None:
        return ""
    kept = run / f"seed-{summary['chosen']}" / "kept"
    kind, examples = read_purpose(kept / "model").kind, read_examples(run / "dev.jsonl", summary["kind"])
    predictions = list(read_lines(kept / PREDICTIONS))
    wrong = _wrong(kind, mistakes(kind, examples, predictions), len(examples))
    return f"{_confusion(kind, examples, predictions)}<h2>What is wrong</h2>{wrong}"


def _confusion(kind: Kind, examples: Sequence[Example], predictions: Sequence[Prediction]) -> str:
    """Rows are the truth, columns the answers; empty for kinds without classes."""
    pairs = Counter(pair for e, p in zip(examples, predictions, strict=True) for pair in _pairs(kind, e, p))
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
        f"<h2>What is mixed up</h2><p>By the chosen model on dev; rows are the truth, columns the answers.{more}</p>"
        f'<table class="matrix">{head}{rows}</table>'
    )


def _cell(count: int, total: int) -> str:
    return f'<td style="background: rgb(37 99 235 / {0.6 * count / total:.2f})">{count:,}'


def _pairs(kind: Any, example: Any, prediction: Prediction) -> Sequence[tuple[str, str]]:
    if "tags" in prediction:
        return [] if example.tags is None else list(zip(kind.learned(example), prediction["tags"], strict=True))
    label = getattr(example, "label", None)
    return [] if label is None or "label" not in prediction else [(str(label), str(prediction["label"]))]


def _wrong(kind: Kind, found: Sequence[Mistake], count: int) -> str:
    if not found:
        return f"<p>Nothing, on {count:,} dev examples.</p>"
    weight = WEIGHTS[kind.name]
    rows = "".join(
        f"<tr><td>{html.escape(one.place)}<td>{_marked(one.text)}<td>{html.escape(one.truth)}<td>{html.escape(one.answer)}"
        f"<td>{one.weight:.4g}"
        for one in found[:MOST]
    )
    order = {
        "error": "largest errors first",
        "wrong words": "most wrong words first; the first of them is marked, with its tags",
    }.get(weight, "the surest first")
    return (
        f"<p>{len(found):,} of {count:,} dev examples, by the chosen model; {order}. Look whether the truth is right.</p>"
        f'<table class="words"><tr><th>example<th>text<th>truth<th>answer<th>{weight}{rows}</table>'
    )


def _marked(text: tuple[str, str, str]) -> str:
    before, word, after = map(html.escape, text)
    return f"{before} <mark>{word}</mark> {after}" if word else before


# -- settings -----------------------------------------------------------------------------------------------------------


def _facts(record: Mapping[str, Any]) -> str:
    rows = {
        "electra": record["electra"],
        "framework": record["framework"],
        **record["settings"],
        **{part: f"{f['examples']:,} examples, sha256 {f['sha256'][:HASH]}" for part, f in record["data"].items()},
        "class": record["model"]["class"],
        "weights it began with": f"sha256 {record['model']['weights'][:HASH]}"
        if record["model"]["weights"]
        else "random",
    }
    cells = "".join(f"<tr><td>{html.escape(k)}<td><code>{html.escape(_shown(v))}</code>" for k, v in rows.items())
    return f'<table class="words">{cells}</table>'


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not set"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
