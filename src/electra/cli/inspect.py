"""electra inspect: each token with its probability of having been replaced."""

import json
import sys
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.text import Text

from electra.inference.inspection import InspectedText, InspectedToken, Inspector

SHADES = ((0.5, "bold white on red"), (0.25, "black on yellow"), (0.15, "underline"))  # above which probability


def inspect(
    model: tyro.conf.Positional[Path],
    texts: tyro.conf.Positional[tuple[str, ...]] = (),
    *,
    threshold: Annotated[float, tyro.conf.arg(help="probability above which a token is flagged")] = 0.5,
    proposals: Annotated[int, tyro.conf.arg(help="tokens the generator proposes for a flagged one")] = 3,
    json_lines: Annotated[bool, tyro.conf.arg(name="json", help="one JSON object a text")] = False,
) -> int:
    """Show how probable it is that each token of a text was replaced.

    Where no token passes the threshold, proposals are given for the most suspicious one.

    Args:
        model: a run folder, or a folder with a discriminator
        texts: the texts; none means one text a line from standard input
    """
    inspector = Inspector(model)
    console = _Console(highlight=False)
    for text in texts or (line.rstrip("\n") for line in sys.stdin):
        result = inspector.inspect(text, threshold=threshold, proposals=proposals)
        if json_lines:
            print(json.dumps(result.to_dict(), ensure_ascii=False))
        else:
            show(result, console)
    return 0


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # the command line knows what to do; rich would exit with 1


def show(result: InspectedText, console: Console) -> None:
    """The text with each token shaded by its probability, then the flagged tokens with what might have stood there."""
    line, end = Text(), 0
    for token in result.tokens:
        line.append(result.text[end : token.start])
        line.append(result.text[token.start : token.end], style=_shade(token.replaced))
        line.append(f"·{token.replaced * 100:.0f}", style="dim")
        end = token.end
    console.print(line + result.text[end:], soft_wrap=True)
    for token in result.tokens:
        if token.proposals:
            console.print(Text(f"  {_describe(token, result.text)}"), soft_wrap=True)
    console.print()


def _describe(token: InspectedToken, text: str) -> str:
    proposals = ", ".join(f"{name} {share:.0%}" for name, share in token.proposals)
    return f'"{text[token.start : token.end]}" is {token.replaced:.0%} likely replaced; the generator would write: {proposals}'


def _shade(probability: float) -> str:
    """From plain to red; steps, so that eight-colour terminals show them too."""
    return next((style for above, style in SHADES if probability > above), "")


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(inspect, args=words, prog="electra inspect")
