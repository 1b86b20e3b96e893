"""Sections of docs/results.md that a benchmark writes from its own results, between two comments that name it; pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "docs" / "results.md"
LAST = "\n## Not measured\n"  # a section that is new goes before this one


def write_section(name: str, lines: Sequence[str]) -> None:
    """Write the section of benchmarks/NAME.py, in place of the one it wrote before."""
    begin, end = f"<!-- written by benchmarks/{name}.py --table -->\n", f"<!-- end of benchmarks/{name}.py -->\n"
    text = RESULTS.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    if found:
        after = rest.partition(end)[2]
    else:
        before, last, after = text.partition(LAST)
        before, after = f"{before}\n", f"{last}{after}"
    RESULTS.write_text("".join([before, begin, *(f"{line}\n" for line in lines), end, after]), encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def axes(columns: int, rows: int = 1, width: float = 11.0, height: float = 3.6) -> tuple[Any, Any]:
    """An empty figure and its axes, (rows, columns); width and height of a row in inches."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "electra"  # the same picture, the same file
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=(width, height * rows), layout="constrained", squeeze=False)


def color_of(name: str, is_ours: bool) -> str:
    """Reds for our own contenders, greys for the others; darker where they compute in fewer bits."""
    shades = {"int8": 0, "bfloat16": 1, "openvino": 1}
    shade = shades.get(name.split()[-1], 2)
    return (("#7f1d1d", "#c0392b", "#e8a39b") if is_ours else ("#3d4650", "#7a8794", "#b9c2cb"))[shade]


def picture(figure: Any, name: str, caption: str) -> str:
    """Write a figure to docs/results/NAME.svg; the line of Markdown that shows it."""
    figure.savefig(RESULTS.parent / "results" / f"{name}.svg", metadata={"Date": None})
    return f"![{caption}](results/{name}.svg)"
