"""Fuzz the parsers: python tests/fuzzing/fuzz.py [PARSER ...] --minutes 10 [--seed 0] [--found FOLDER]

Each parser is given whole files with damage drawn by a seed, which is printed. Whatever ends otherwise than by reading them or
by an ElectraError is kept under FOLDER/PARSER-SEED with what was raised. The server is fuzzed by bytes over its socket.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / name) for name in ("", "training", "serving", "fuzzing")]

from damage import damaged, damaged_within, limits  # noqa: E402
from http_fuzz import fuzz_server  # noqa: E402
from long_runs import keep  # noqa: E402
from parsers import PARSERS  # noqa: E402

from electra.errors import ElectraError  # noqa: E402


def case(parser, whole, folder, seed):
    """Damage one file of the folder by this seed and read all. Returns whether it was refused; raises what is a finding."""
    rng = random.Random(seed)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    path = rng.choice(sorted(file for file in folder.rglob("*") if file.is_file()))
    content = path.read_bytes()
    path.write_bytes(damaged_within(path, content, rng) if rng.random() < 0.5 else damaged(content, rng))
    try:
        with limits(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser.read(folder)
    except ElectraError:
        return True
    return False


def fuzz(name, minutes, seed, found):
    """Fuzz one parser for so long; the numbers of findings and of cases."""
    until, findings, refused, number = time.monotonic() + 60 * minutes, 0, 0, 0
    with tempfile.TemporaryDirectory() as work:
        whole, folder = Path(work) / "whole", Path(work) / "case"
        whole.mkdir()
        PARSERS[name].make(whole)
        PARSERS[name].read(whole)
        while time.monotonic() < until:
            one = f"{name}-{seed}-{number}"
            try:
                refused += case(PARSERS[name], whole, folder, one)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                findings += 1
                kept = found / one
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(folder, kept)
                (kept / "raised.txt").write_text(traceback.format_exc())
                print(f"{one}: {type(error).__name__}: {str(error)[:200]}; kept in {kept}", flush=True)
            number += 1
    print(f"{name}: {number} cases with seed {seed}, {refused} refused, {findings} findings", flush=True)
    return findings, number


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parsers", nargs="*", help=f"of {', '.join(PARSERS)}, http; all where none is named")
    options.add_argument("--minutes", type=float, default=10.0, help="for each parser")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options.add_argument("--found", type=Path, default=Path("fuzz-found"))
    options.add_argument("--keep", action="store_true", help="write what came of it into docs/long_runs.json")
    given = options.parse_args()
    findings = 0
    for name in given.parsers or [*PARSERS, "http"]:
        run = fuzz_server if name == "http" else fuzz
        wrong, cases = run(name, given.minutes, given.seed, given.found)
        findings += wrong
        if given.keep:
            keep(f"fuzz {name}", minutes=given.minutes, seed=given.seed, cases=cases, findings=wrong)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
