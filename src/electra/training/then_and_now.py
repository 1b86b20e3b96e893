"""The part of a pretraining's page that shows text: what was caught at the first evaluation and at the last, and how surely.

Colours are never alone: what was caught is underlined, what was missed dashed, what was suspected wrongly wavy.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from electra.training.chart import line_chart
from electra.training.held_out import (
    VERDICTS,
    Judged,
    calibration_error,
    judged,
    precision_recall,
    reliability,
    tally,
)

Records = Sequence[Mapping[str, Any]]  # lines of held_out.jsonl


def then_and_now(held: Records) -> str:
    """The rows after the first and the last evaluation side by side; nothing where none were kept."""
    if not held or not held[-1]["rows"]:
        return ""
    shown = held if len(held) == 1 else [held[0], held[-1]]
    has_scores = "scores" in held[-1]["rows"][0]
    title = "What it caught, then and now" if has_scores else "What it guessed, then and now"
    pairs = "".join(
        f'<div class="pair">{"".join(_side(record, number) for record in shown)}</div>'
        for number in range(len(held[-1]["rows"]))
    )
    return f"<section><h2>{title}</h2><p>{_explained(has_scores)}</p>{_legend(shown)}{pairs}</section>"


def _explained(has_scores: bool) -> str:
    if not has_scores:
        return (
            "Held-out text in which some words were hidden. What the network guessed stands in the text; where that is wrong, "
            "the right word stands above it, with the probability it was given."
        )
    return (
        "Held-out text as the discriminator reads it: some words are the generator's. Above them stands the word they "
        "replaced, and the discriminator's probability that there is something wrong. Both networks saw the same rows, with the "
        "same words hidden, both times."
    )


def _legend(shown: Records) -> str:
    found = {verdict for record in shown for row in record["rows"] for verdict in tally(row)}
    has_scores = "scores" in shown[0]["rows"][0]
    items = "".join(
        f'<li><span class="{_class(verdict, has_scores)}">{meaning}</span>'
        for verdict, meaning in VERDICTS.items()
        if verdict in found
    )
    return f'<ul class="verdicts">{items}</ul>'


def _side(record: Mapping[str, Any], number: int) -> str:
    row = record["rows"][number]
    pieces = "".join(("" if one.is_glued else " ") + _piece(one, "scores" in row) for one in judged(row))
    return f'<div><h3>step {record["step"]:,}: {told(row)}</h3><p class="judged">{pieces.strip()}</p></div>'


def told(row: Mapping[str, Any]) -> str:
    """What was found in a row, in words."""
    counts = tally(row)
    caught, missed, alarms, restored, wrong = (counts.get(name, 0) for name in VERDICTS)
    if "scores" not in row:
        return f"{restored} of {restored + wrong} guessed right"
    wrongly = f", {alarms} suspected wrongly" if alarms else ""
    return f"{caught} of {caught + missed} replaced caught{wrongly}"


def _piece(one: Judged, has_scores: bool) -> str:
    text = html.escape(one.text)
    if one.verdict in ("", "special"):
        return f'<span class="special">{text}</span>' if one.verdict else text
    above = " ".join(filter(None, (one.original, "" if one.percent is None else f"{one.percent}%")))
    kind = _class(one.verdict, has_scores)
    if one.verdict == "restored":
        return f'<span class="{kind}" title="{VERDICTS[one.verdict]}, {one.percent}%">{text}</span>'
    return f'<ruby class="{kind}" title="{VERDICTS[one.verdict]}">{text}<rt>{html.escape(above)}</rt></ruby>'


def _class(verdict: str, has_scores: bool) -> str:
    """A guess that is right is the aim of masked language modelling, and nothing to catch beside a discriminator."""
    return "restored right" if verdict == "restored" and not has_scores else verdict


# -- how sure -----------------------------------------------------------------------------------------------------------


def sureness(held: Records) -> str:
    """A reliability diagram, and precision over recall, of the first and the last evaluation."""
    shown = [record for record in ([held[0], held[-1]] if len(held) > 1 else held) if "scores" in record]
    if not shown:
        return ""
    names = [f"step {record['step']:,}" for record in shown]
    means = [[(mean, share) for mean, share, _ in reliability(record["scores"])] for record in shown]
    curves = [precision_recall(record["scores"]) for record in shown]
    error = calibration_error(shown[-1]["scores"])
    charts = [
        ("Does it mean what it says?",
         "Held-out tokens by the discriminator's probability, and how many of them were replaced: on the diagonal it is as sure "
         f"as it is right. The mean distance from it, over all tokens, is now {error:.4f}.",
         line_chart(_named(names, means), title="Reliability diagram of the discriminator", unit="share replaced",
                    x="probability of having been replaced", level=("as sure as right", 0.0), square=(0.0, 1.0))),
        ("Precision and recall",
         "Of what is called replaced above a threshold, how much is; and how much of what is replaced is called so.",
         line_chart(_named(names, curves), title="Precision over recall of the discriminator", unit="precision", x="recall",
                    square=(0.0, 1.0))),
    ]  # fmt: skip
    return "".join(f"<section><h2>{title}</h2><p>{text}</p>{drawn}</section>" for title, text, drawn in charts)


def _named(names: list[str], lines: list[list[tuple[float, float]]]) -> list[tuple[str, list[tuple[float, float]]]]:
    return [(name, line) for name, line in zip(names, lines, strict=True) if line]
