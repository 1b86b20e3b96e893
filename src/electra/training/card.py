"""The model card of a pretrained network and the picture beside it, made from what was measured and nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from electra.disk.replace import write_atomically
from electra.training.chart import line_chart, picture
from electra.training.panel import EVALUATED, clock
from electra.training.report import CHARTS, points_of

CARD, PICTURE = "README.md", "curves.svg"

# network -> what it does, and which charts of the report show how it learned
ABILITIES = {
    "discriminator": (
        "says of each token of a text whether another network put it there. Its encoder is what fine-tuning begins with",
        ("Discriminator against knowing nothing", "Ranking of replaced tokens, held-out"),
    ),
    "generator": (
        "names the tokens that are hidden in a text ([MASK]). It made the replacements that the main network learned from",
        ("Generator",),
    ),
    "masked_lm": (
        "names the tokens of a text that are hidden ([MASK]) or replaced, as its objective asks. Its encoder is what fine-tuning "
        "begins with",
        ("Predictions of the main network",),
    ),
    "generator_ltr": ("is an encoder that reads a text from its beginning", ("Two towers",)),
    "generator_rtl": ("is an encoder that reads a text from its end", ("Two towers",)),
    "cloze": ("names each token of a text from what two towers read on either side of it", ("Two towers",)),
}
ENERGY = "gives each token of a text an energy: the higher, the less it belongs there. Its encoder can be fine-tuned"


def _ability(network: str, objective: str) -> tuple[str, tuple[str, ...]]:
    ability, charts = ABILITIES[network]
    if objective == "electric" and network == "discriminator":
        return ENERGY, charts
    return ability, ("Generator",) if objective == "mlm" else charts


def write_card(folder: Path, network: str, facts: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> None:
    """Write README.md and curves.svg into the model folder of a network, from a run's settings.json and metrics."""
    _, wanted = _ability(network, facts["settings"]["objective"])
    charts = []
    for title, _, unit, lines in CHARTS:
        series = [(label, points_of(records, kind, metric)) for kind, metric, label in lines]
        series = [(label, points) for label, points in series if points]
        if title in wanted and series:
            above = "Hidden tokens" if network == "masked_lm" and title == "Generator" else title
            charts.append((above, line_chart(series, title=above, unit=unit)))
    if charts:
        _write(folder / PICTURE, picture(charts, "How it learned"))
    _write(folder / CARD, model_card(network, facts, records, has_picture=bool(charts)))


def model_card(
    network: str, facts: Mapping[str, Any], records: Sequence[Mapping[str, Any]], *, has_picture: bool
) -> str:
    """README.md of a network's folder: what it does, what it reached, how it was made."""
    settings = facts["settings"]
    ability, _ = _ability(network, settings["objective"])
    last: Mapping[str, Any] = next((record for record in reversed(records) if record["kind"] == "train"), {})
    begun = facts.get("init_from", {}).get("sources", [])
    machine = facts["machine"]
    lines = [
        "---",
        "library_name: electra",
        f"tags: [electra, pretraining, {network}]",
        "---",
        f"# ELECTRA {network.replace('_', ' ')}, {settings['size']}",
        "",
        f"The network {ability}.",
        "",
        "## What it reached",
        "",
        *_reached(records, settings),
        *(["![Loss and measures over the steps](curves.svg)", ""] if has_picture else []),
        "Texts of another kind, or of another language, were not measured. What it is worth for a task is known after",
        "fine-tuning, `electra finetune`.",
        "",
        "## How it was made",
        "",
        f"- objective {settings['objective']}: {settings['steps']:,} updates of {settings['batch_size']} rows of "
        f"{settings['max_length']} tokens, {last.get('tokens', 0):,} tokens in all, learning rate {settings['learning_rate']:g}, "
        f"seed {settings['seed']}",
        *([f"- it began with the weights of {', '.join(f'`{source}`' for source in begun)}"] if begun else []),
        f"- {clock(last.get('seconds', 0))} of training on {machine['device']}, {machine['precision']}, {machine['threads']} "
        f"threads, {machine['framework']}, electra {facts['electra']}",
        f"- fingerprints: corpus `{facts['corpus']['fingerprint'][:16]}`, tokenizer `{facts['corpus']['tokenizer'][:16]}`",
        "",
        "All settings are in settings.json of the run.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _reached(records: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> list[str]:
    last = next((record for record in reversed(records) if record["kind"] == "evaluation"), None)
    if last is None:
        return ["It was not evaluated: the corpus has no held-out text.", ""]
    is_alone = settings["objective"] == "mlm"  # no generator, but the one network there is
    rows = [
        f"| {label.removeprefix('generator ') if is_alone else label} | {form.format(last[key])} |"
        for key, (label, form) in EVALUATED.items()
        if key in last
    ]
    return [
        f"On at most {settings['eval_rows']:,} rows of held-out text, after step {last['step']:,}; losses in nats:",
        "",
        "| measure | |",
        "|---|---|",
        *rows,
        "",
    ]


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))
