"""electra verify: whether a model folder is still what it was, and whether its parts belong together."""

import sys
from pathlib import Path

import tyro

from electra.errors import UsageError
from electra.training.run import find_model
from electra.verification.checks import UNKNOWN, Check
from electra.verification.checks import verify as check
from electra.verification.record import seal
from electra.weights.shipped import or_shipped
from electra.weights.sources import NETWORKS


def verify(folder: tyro.conf.Positional[Path], *, write: bool = False) -> int:
    """Hold a model folder against its manifest.json, and its files against each other.

    The answers are ok, changed, wrong and cannot say. Exit code 1 where something has changed or is wrong.

    Args:
        folder: a model folder, a run, the name of a model, or a folder with discriminator/ and generator/: each network in turn
        write: first record the folder as it is now, for later checks: one of other makers, or after a change that was meant
    """
    results = []
    for network in _networks(folder):
        for note in seal(network) if write else []:
            print(f"{network}: not recorded: {note.splitlines()[0]}", file=sys.stderr)
        print(network)
        checks = check(network)
        for line in checks:
            words = line.words.replace("\n", "\n" + " " * 30)
            print(f"  {line.name:<16}{line.answer:<12}{words}")
        results += checks
    print(_verdict(folder, results), file=sys.stderr)
    return int(any(result.has_failed for result in results))


def _networks(folder: Path) -> list[Path]:
    """The model folders that `folder` names. Raises UsageError where there is none."""
    folder = or_shipped(folder)
    if (folder / "config.json").is_file():
        return [folder]
    found = [path for name in (*NETWORKS, "masked_lm") if (path := find_model(folder, name)) != folder]
    if not found:
        what = "has no config.json, and no discriminator or generator in it" if folder.is_dir() else "is no folder"
        raise UsageError(
            f"{folder} {what}; expected a model folder, a run, or a folder with discriminator/ and generator/"
        )
    return found


def _verdict(folder: Path, results: list[Check]) -> str:
    failed = sum(result.has_failed for result in results)
    unknown = sum(result.answer == UNKNOWN for result in results)
    if failed:
        return (
            f"{failed} of {len(results)} checks failed; restore the folder, or the packages it was made with; where the change "
            f"was meant, accept it: electra verify {folder} --write"
        )
    if unknown:
        return f"nothing is wrong, but {unknown} of {len(results)} checks cannot say"
    return f"all {len(results)} checks are ok"


def main(words: list[str]) -> int:
    """Returns 0, or 1 where a check failed."""
    return tyro.cli(verify, args=words, prog="electra verify")
