"""One HTML page of a run: what it was, how it went, what it caught, what it reached. Self-contained: nothing is loaded."""

import html
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from electra.disk.replace import write_atomically
from electra.errors import DataError, install_hint
from electra.training.chart import line_chart
from electra.training.health import health_lines
from electra.training.panel import EVALUATED, clock
from electra.training.run import RunFolder, read_metrics
from electra.training.styles import style
from electra.training.then_and_now import sureness, then_and_now

Records = list[dict[str, Any]]

# chart: title, what to look for, unit of y, then lines of (kind, metric, label)
Lines = tuple[tuple[str, str, str], ...]
CHARTS: tuple[tuple[str, str, str, Lines], ...] = (
    (
        "Generator",
        "Falls quickly, then slowly. Held-out text above training text would be over-fitting.",
        "loss, nats",
        (("train", "mlm_loss", "training"), ("evaluation", "mlm_loss", "held-out")),
    ),
    (
        "Two towers",
        "Their loss over every token that could have been hidden, given all the others.",
        "loss, nats",
        (("train", "cloze_loss", "training"), ("evaluation", "cloze_loss", "held-out")),
    ),
    (
        "Predictions of the main network",
        "What it says of the original text, seeing the generator's samples in it.",
        "loss, nats",
        (("train", "prediction_loss", "training"), ("evaluation", "prediction_loss", "held-out")),
    ),
    (
        "Discriminator against knowing nothing",
        "The gap below the class prior is what it has learned; the prior falls as the generator gets better.",
        "loss, nats",
        (
            ("train", "discriminator_loss", "training"),
            ("evaluation", "discriminator_loss", "held-out"),
            ("evaluation", "prior_loss", "class prior"),
        ),
    ),
    (
        "Ranking of replaced tokens, held-out",
        "0.5 is chance for ROC-AUC; average precision starts from the share replaced.",
        "",
        (
            ("evaluation", "roc_auc", "ROC-AUC"),
            ("evaluation", "average_precision", "average precision"),
            ("evaluation", "replaced_share", "share replaced"),
        ),
    ),
    (
        "Gradient norm",
        "Before clipping. Spikes that do not come down announce divergence.",
        "",
        (("train", "gradient_norm", "both networks"),),
    ),
    ("Learning rate", "", "", (("train", "learning_rate", "of the update"),)),
    ("Speed", "", "tokens/s", (("train", "tokens_per_second", "training steps"),)),
)
STYLE = style("page", "chart")
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0e7490")  # of pictures that matplotlib draws
MARKERS = "os^Dv"  # as many lines as colours times markers look different


def write_report(run: Path, target: Path | None = None) -> Path:
    """Write the page (default: RUN/report.html); DataError where the folder holds no run or has no metrics yet."""
    folder = RunFolder(run)
    if not folder.settings_file.exists():
        raise DataError(f"{run} is not a run folder: it has no settings.json (electra pretrain makes one)")
    records = list(read_metrics(folder.metrics_file)) if folder.metrics_file.exists() else []
    if not records:
        raise DataError(f"{run} has no metrics yet; the first line is written after log_every steps")
    held = list(read_metrics(folder.held_out_file)) if folder.held_out_file.exists() else []
    page = _page(Path(run).name, folder.settings(), records, held)
    target = target or folder.path / "report.html"
    write_atomically(target, lambda file: file.write(page.encode("utf-8")))
    return target


def _page(name: str, facts: dict[str, Any], records: Records, held: Records) -> str:
    settings, heading = facts["settings"], html.escape(name)
    last = next((record for record in reversed(records) if record["kind"] == "train"), records[-1])
    charts = "".join(_section(title, text, unit, lines, records) for title, text, unit, lines in CHARTS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{heading}: ELECTRA pretraining</title><style>{STYLE}{style('text', 'pairs')}</style><h1>{heading}</h1>"
        f"<p>{settings['size']}, objective {settings['objective']}: {last['step']:,} of {settings['steps']:,} steps, "
        f"{last.get('tokens', 0):,} tokens in {clock(last.get('seconds', 0))} on {html.escape(_machine(facts['machine']))}"
        f"{_operations(last)}.</p>"
        f'{_numbers(records)}{_health(records)}{then_and_now(held)}<div class="charts">{charts}{sureness(held)}</div>'
        f"<h2>Settings</h2>{_table(facts)}</html>\n"
    )


def _operations(last: dict[str, Any]) -> str:
    return f"; {last['flops']:.2e} operations as the paper counts them" if "flops" in last else ""


def _machine(machine: dict[str, Any]) -> str:
    return f"{machine['device']} ({machine['precision']}, {machine['threads']} threads, {machine['framework']})"


def _numbers(records: Records) -> str:
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    if not evaluations:
        return "<p>Not evaluated on held-out text yet.</p>"
    shown = [
        (label, form.format(evaluations[-1][key])) for key, (label, form) in EVALUATED.items() if key in evaluations[-1]
    ]
    boxes = "".join(f"<div><b>{value}</b>{label}</div>" for label, value in shown)
    return f'<p>On held-out text, after step {evaluations[-1]["step"]:,}:</p><div class="numbers">{boxes}</div>'


def _health(records: Records) -> str:
    told = health_lines(records)
    if not told:
        return ""
    rows = "".join(
        f"<tr><td>step {line['step']:,}<td>{html.escape(line['finding'].replace('_', ' '))}"
        f"<td>{html.escape(line['text'])} {html.escape(line['advice'])}"
        for line in told
    )
    return f"<h2>Health</h2><table>{rows}</table>"


def _section(title: str, text: str, unit: str, lines: Lines, records: Records) -> str:
    series = [(label, points_of(records, kind, metric)) for kind, metric, label in lines]
    series = [(label, points) for label, points in series if points]
    if not series:
        return ""
    return f"<section><h2>{title}</h2><p>{text}</p>{line_chart(series, title=title, unit=unit)}</section>"


def points_of(records: Sequence[Mapping[str, Any]], kind: str, metric: str) -> list[tuple[float, float]]:
    """(step, value) of a metric, in the records of a kind that have it."""
    return [(r["step"], r[metric]) for r in records if r["kind"] == kind and r.get(metric) is not None]


def matplotlib() -> tuple[Callable[..., Any], Callable[[Any], str]]:
    """What makes a figure, and what makes its SVG. Raises MissingDependencyError without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise install_hint("matplotlib", "report", "electra report") from None

    def save(figure: Any) -> str:
        text = io.StringIO()
        with rc_context({"svg.fonttype": "none", "font.family": "sans-serif"}):
            figure.savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()

    return Figure, save


def _table(facts: dict[str, Any]) -> str:
    rows = {
        "electra": facts["electra"],
        **facts["settings"],
        **facts["machine"],
        **{f"corpus {k}": v for k, v in facts["corpus"].items()},
    }
    cells = "".join(f"<tr><td>{html.escape(k)}<td><code>{html.escape(str(v))}</code>" for k, v in rows.items())
    return f"<table>{cells}</table>"
