"""electra report: the curves and numbers of a run as one HTML page."""

import sys
from pathlib import Path

import tyro

from electra.training.report import write_report


def report(run: tyro.conf.Positional[Path], *, out: Path | None = None) -> int:
    """Write the curves of a run into one self-contained HTML page.

    Args:
        run: folder of the run, finished or under way
        out: the page; by default RUN/report.html
    """
    print(f"open {write_report(run, out)} in a browser", file=sys.stderr)
    return 0


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(report, args=words, prog="electra report")
