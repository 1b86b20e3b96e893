"""electra compare: whether one fine-tuning is better than another, or only luckier."""

from pathlib import Path

import tyro


def compare(
    first: tyro.conf.Positional[Path], second: tyro.conf.Positional[Path], *, measure: str | None = None
) -> int:
    """Compare two fine-tunings on the same dev examples: over the examples (bootstrap) and over the seeds (permutations).

    Args:
        first: folder of a finished electra finetune
        second: another, judged on the same dev examples
        measure: a score both have; by default the one that decides in the first
    """
    from electra.training.tune_scores import compare_runs, told

    for line in told(compare_runs(first, second, measure), {"first": str(first), "second": str(second)}):
        print(line)
    return 0


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(compare, args=words, prog="electra compare")
