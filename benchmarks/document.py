"""Sections of docs/results.md that a benchmark writes from its own results, between two comments that name it."""

from collections.abc import Sequence
from pathlib import Path

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
