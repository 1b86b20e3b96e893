"""One HTML page of a run: what it was, how it went, what it reached. Self-contained: curves are drawn into the page."""

import html
import io
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

from electra.errors import DataError, install_hint
from electra.training.health import health_lines
from electra.training.panel import EVALUATED, clock
from electra.training.run import RunFolder, read_metrics
from electra.weights.files import write_atomically

Records = list[dict[str, Any]]

Series = list[tuple[str, list[tuple[float, float]]]]  # label, points (step, value)
Level = tuple[str, float]  # label, value

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
MANY = 200  # points of a curve
FEW = 20  # points up to which each is marked
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0e7490")
MARKERS = "os^Dv"  # as many lines as colours times markers look different
STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 0 0 .2rem; } p { margin: .2rem 0 .6rem; opacity: .8; }
.numbers { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
.numbers div { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .9rem; }
.numbers b { display: block; font-size: 1.3rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 1rem; }
.charts + h2 { margin-top: 2rem; }
section { border: 1px solid var(--line); border-radius: 8px; padding: .8rem; }
svg { width: 100%; height: auto; background: #fff; border-radius: 4px; }
table { border-collapse: collapse; } td { padding: .1rem 1rem .1rem 0; vertical-align: top; } code { overflow-wrap: anywhere; }
"""


def write_report(run: Path, target: Path | None = None) -> Path:
    """Write the page (default: RUN/report.html); DataError where the folder holds no run or has no metrics yet."""
    folder = RunFolder(run)
    if not folder.settings_file.exists():
        raise DataError(f"{run} is not a run folder: it has no settings.json (electra pretrain makes one)")
    records = list(read_metrics(folder.metrics_file)) if folder.metrics_file.exists() else []
    if not records:
        raise DataError(f"{run} has no metrics yet; the first line is written after log_every steps")
    page = _page(Path(run).name, folder.settings(), records)
    target = target or folder.path / "report.html"
    write_atomically(target, lambda file: file.write(page.encode("utf-8")))
    return target


def _page(name: str, facts: dict[str, Any], records: Records) -> str:
    settings, heading = facts["settings"], html.escape(name)
    last = next((record for record in reversed(records) if record["kind"] == "train"), records[-1])
    charts = "".join(_section(title, text, unit, lines, records) for title, text, unit, lines in CHARTS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{heading}: ELECTRA pretraining</title><style>{STYLE}</style><h1>{heading}</h1>"
        f"<p>{settings['size']}, objective {settings['objective']}: {last['step']:,} of {settings['steps']:,} steps, "
        f"{last.get('tokens', 0):,} tokens in {clock(last.get('seconds', 0))} on {html.escape(_machine(facts['machine']))}"
        f"{_operations(last)}.</p>"
        f'{_numbers(records)}{_health(records)}<div class="charts">{charts}</div><h2>Settings</h2>{_table(facts)}</html>\n'
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
    series = [(label, _points(records, kind, metric)) for kind, metric, label in lines]
    series = [(label, points) for label, points in series if points]
    if not series:
        return ""
    return f"<section><h2>{title}</h2><p>{text}</p>{draw(series, unit, title)}</section>"


def _points(records: Records, kind: str, metric: str) -> list[tuple[float, float]]:
    return [(r["step"], r[metric]) for r in records if r["kind"] == kind and r.get(metric) is not None]


def draw(series: Series, unit: str, title: str, level: Level | None = None) -> str:
    """Lines as an SVG; see `plot`."""
    figure_of, save = matplotlib()
    figure = figure_of(figsize=(6, 3.2), layout="constrained")
    plot(figure.add_subplot(), series, unit, level)
    drawn = save(figure)
    return drawn[drawn.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{html.escape(title)}"', 1)


def plot(axes: Any, series: Series, unit: str, level: Level | None = None) -> None:
    """Lines over the steps, and a dashed one at `level`, which holds at all of them."""
    for (label, points), colour, marker in zip(series, cycle(COLOURS), cycle(MARKERS), strict=False):
        steps, values = zip(*points, strict=True)
        width = 1.6 if len(points) < MANY else 0.6  # single steps are noisy: many of them are a band, not a line
        mark = marker if len(points) < FEW else None
        axes.plot(steps, values, label=label, color=colour, linewidth=width, marker=mark, markersize=4)
    if level is not None:
        axes.axhline(level[1], label=level[0], color="#6b7280", linewidth=1.2, linestyle="--")
    axes.set_xlabel("step")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if len(series) > 1 or level is not None:
        axes.legend(frameon=False)


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
