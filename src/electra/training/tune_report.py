"""One HTML page of a fine-tuning: the scores of all seeds, how each learned, and what the chosen model answers wrongly."""

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra.config import read_json_object
from electra.errors import DataError
from electra.tasks.task import Kind
from electra.training.chart import line_chart, picture
from electra.training.run import read_metrics
from electra.training.styles import style
from electra.training.tune_files import PREDICTIONS, RESULTS, read_examples, read_lines, read_purpose, write_text
from electra.training.tune_mistakes import WEIGHTS, Mistake, mistakes
from electra.training.tune_pictures import pictures
from electra.training.tune_results import chosen_told, told

MOST = 10  # mistakes that are shown
HASH = 12  # characters of a sha256 that are shown


def write_report(run: Path, target: Path | None = None) -> Path:
    """Write the page (default: RUN/report.html), and RUN/curves.svg. DataError where the fine-tuning is not finished."""
    if not (run / RESULTS).is_file():
        raise DataError(f"{run} has no {RESULTS}: the fine-tuning is not finished")
    summary, record = read_json_object(run / RESULTS), read_json_object(run / "settings.json")
    write_text(run / "curves.svg", curves(run, summary))
    target = target or run / "report.html"
    write_text(target, _page(run, summary, record))
    return target


def _page(run: Path, summary: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    heading, lines = html.escape(run.name), [*told(summary)]
    if summary["chosen"] is not None:
        lines.append(chosen_told(summary))
    boxes = "".join(
        f"<div><b>{values['median']:.4f}</b>{html.escape(name)}{', median' * (values['count'] > 1)}</div>"
        for name, values in summary["spread"].items()
    )
    drawn = "".join(
        f"<section><h2>{title}</h2><p>{text}</p>{drawn}</section>" for title, text, drawn in _charts(run, summary)
    )
    sheets = style("page", "chart", "text", "tables", "pictures")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{heading}: ELECTRA fine-tuning</title><style>{sheets}</style><h1>{heading}</h1>"
        f"<p>{html.escape(summary.get('source', summary['task']))} ({summary['kind']}), {html.escape(summary['model'])}.</p>"
        + "".join(f"<p>{html.escape(line)}</p>" for line in lines)
        + f'<div class="numbers">{boxes}</div><h2>Scores on dev</h2><div class="wide">{_scores(summary)}</div>'
        f'<div class="charts">{drawn}</div>'
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


def _charts(run: Path, summary: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Title, what to look for, and drawing of the training loss and the deciding score over the steps of each seed."""
    measure, losses, scores = summary["measure"], [], []
    for seed in summary["seeds"]:
        records = list(read_metrics(run / f"seed-{seed}" / "metrics.jsonl"))
        losses.append((f"seed {seed}", [(r["step"], r["loss"]) for r in records if r["kind"] == "train"]))
        evaluations = [r for r in records if r["kind"] == "evaluation"]
        scores.append((f"seed {seed}", [(r["step"], r["scores"][measure]) for r in evaluations]))
    always = summary["baseline"].get(measure)
    level = None if always is None else ("constant answer", always)
    for title, text, unit, lines, dashed in (
        ("Training loss", "Of single batches. A run that stays high, or returns there, learned nothing.", "loss", losses, None),
        (f"{measure} on dev", "Seeds that scatter say how much a single run is worth.", measure, scores, level),
    ):  # fmt: skip
        if series := [line for line in lines if line[1]]:
            yield title, text, line_chart(series, title=title, unit=unit, level=dashed)


def curves(run: Path, summary: Mapping[str, Any]) -> str:
    """The same as one SVG, for the model card."""
    return picture([(title, drawn) for title, _, drawn in _charts(run, summary)], "How each seed learned")


# -- what is answered wrongly -------------------------------------------------------------------------------------------


def _answers(run: Path, summary: Mapping[str, Any]) -> str:
    """What the chosen model answers on dev: as pictures, and examples of what is wrong."""
    if summary["chosen"] is None:
        return ""
    kept = run / f"seed-{summary['chosen']}" / "kept"
    kind, examples = read_purpose(kept / "model").kind, read_examples(run / "dev.jsonl", summary["kind"])
    predictions = list(read_lines(kept / PREDICTIONS))
    wrong = _wrong(kind, mistakes(kind, examples, predictions), len(examples))
    return f"{pictures(kind, examples, predictions)}<h2>What is wrong</h2>{wrong}"


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
        f'<div class="wide"><table class="words"><tr><th>example<th>text<th>truth<th>answer<th>{weight}{rows}</table></div>'
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
