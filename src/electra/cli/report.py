"""electra report: the curves and numbers of a run as one HTML page."""

import sys
from pathlib import Path

import tyro

from electra.training.report import write_report
from electra.training.tune_files import RESULTS
from electra.training.tune_report import write_report as write_tune_report


def report(run: tyro.conf.Positional[Path], *, out: Path | None = None) -> int:
    """Write the curves of a run into one self-contained HTML page.

    Args:
        run: folder of the run: of pretraining, finished or under way, or of a finished fine-tuning
        out: the page; by default RUN/report.html
    """
    write = write_tune_report if (run / RESULTS).is_file() else write_report
    print(f"open {write(run, out)} in a browser", file=sys.stderr)
    return 0


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(report, args=words, prog="electra report")
