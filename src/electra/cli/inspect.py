"""electra inspect: each word with its probability of having been replaced, and better ones for those that don't belong."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.text import Text

from electra.errors import DataError
from electra.inference.detection import Detector
from electra.inference.loaded import load

SHADES = ((0.5, "bold white on red"), (0.25, "black on yellow"), (0.15, "underline"))  # above which probability


def inspect(
    model: tyro.conf.Positional[Path],
    texts: tyro.conf.Positional[tuple[str, ...]] = (),
    *,
    threshold: Annotated[float, tyro.conf.arg(help="probability above which a word is flagged")] = 0.5,
    suggestions: Annotated[int, tyro.conf.arg(help="words suggested for a flagged one; 0: none")] = 3,
    json_lines: Annotated[bool, tyro.conf.arg(name="json", help="one JSON object a text")] = False,
    framework: Annotated[str, tyro.conf.arg(help="what computes: torch, tf or flax")] = "torch",
) -> int:
    """Show how probable it is that each word of a text was replaced.

    Where no word passes the threshold, suggestions are made for the most suspicious one. The generator of the same run
    proposes them, and both networks rank them.

    Args:
        model: a run folder, or a folder with a discriminator
        texts: the texts, of any length; none means one text a line from standard input
    """
    detector = load(model, framework=framework)
    if not isinstance(detector, Detector):
        raise DataError(
            f"{model} is a model of kind {detector.kind}, expected a pretraining run or a discriminator. A tuned model "
            f'answers with electra predict, a generator with electra.load("{model}").predict'
        )
    console = _Console(highlight=False)
    for text in texts or (line.rstrip("\n") for line in sys.stdin):
        answer = look_at(detector, text, threshold=threshold, suggestions=suggestions)
        if json_lines:
            print(json.dumps(answer, ensure_ascii=False))
        else:
            show(answer, console)
    return 0


def look_at(detector: Detector, text: str, *, threshold: float, suggestions: int) -> dict[str, Any]:
    """The detector's answer; words above `threshold`, or else the one with the highest score, have "suggestions" too."""
    (answer,) = detector.predict([{"text": text}])
    words = answer["words"]
    flagged = [word for word in words if word["score"] > threshold] or sorted(words, key=lambda w: -w["score"])[:1]
    if detector.generator is not None and suggestions:
        for word in flagged:
            word["suggestions"] = detector.suggest(text, word["start"], word["end"], suggestions)
    return answer


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # the command line knows what to do; rich would exit with 1


def show(answer: dict[str, Any], console: Console) -> None:
    """The text with each word shaded by its probability, then the flagged words with what might have stood there."""
    line, end, text = Text(), 0, answer["text"]
    for word in answer["words"]:
        line.append(text[end : word["start"]])
        line.append(word["text"], style=_shade(word["score"]))
        line.append(f"·{word['score'] * 100:.0f}", style="dim")
        end = word["end"]
    console.print(line + text[end:], soft_wrap=True)
    for word in answer["words"]:
        if word.get("suggestions"):
            console.print(Text(f"  {_describe(word)}"), soft_wrap=True)
    console.print()


def _describe(word: dict[str, Any]) -> str:
    better = ", ".join(f"{found['text']} {found['score']:.0%}" for found in word["suggestions"])
    return (
        f'"{word["text"]}" is {word["score"]:.0%} likely replaced; in its place, with their own probability: {better}'
    )


def _shade(probability: float) -> str:
    """From plain to red; steps, so that eight-colour terminals show them too."""
    return next((style for above, style in SHADES if probability > above), "")


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(inspect, args=words, prog="electra inspect")
