"""Contenders on one workload, taking turns: each in a process of its own, so that nothing one of them sets reaches another.

    measured = take_turns("pretraining", names, given, {"real text": 5}, threads=2)

A script has `contend(name, given, workload)`, which builds a contender and returns its round: a function that does the work
once and says what the clock does not (tokens, losses). All do a round before any does its next, and who begins changes, so
that rounds can be compared in pairs. What is built is built before the clock runs, and the first round does not count.

Unusual here: a contender that cannot be imported is left out, and the results say so; any other failure ends the benchmark.
The clock holds the round alone: seconds, seconds of the processor (all threads), and the peak memory of the process so far.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
Rounds = dict[str, list[Answer]]  # contender -> its rounds
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TRIES = ROOT / "runs" / "bench" / "quick"  # where --quick writes its results
REST = 0.2  # seconds before a round, in which threads of the one before end their waiting
# transformers imports every framework that is installed, and here all are: its users mostly have one.
FOR_TRANSFORMERS = {
    "USE_TORCH": "1",
    "USE_TF": "0",
    "USE_FLAX": "0",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
OURS = "electra"  # the first word of our own contenders' names


class Contender:
    """A process that does one round when it is told a workload's name, and answers with a line of JSON."""

    def __init__(self, script: str, name: str, given: Mapping[str, Any], threads: int) -> None:
        self.name = name
        variables = os.environ | {
            "OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads), **FOR_TRANSFORMERS,
        }  # fmt: skip
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, script, name, json.dumps(given | {"threads": threads})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=variables,
        )  # fmt: skip

    def ask(self, workload: str) -> Answer:
        """One round; {"missing": why} where a package is not there."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(f"{workload}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended; the log says why
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise SystemExit(f"{self.name} ended with {self.process.wait()}:\n{self.log.read()[-3000:]}")
        answer: Answer = json.loads(line)
        return answer

    def __enter__(self) -> "Contender":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


def take_turns(
    script: str,
    names: Sequence[str],
    given: Mapping[str, Any],
    workloads: Mapping[str, int],
    *,
    threads: int,
    warm: int = 1,
) -> tuple[dict[str, Rounds], dict[str, str]]:
    """The rounds of each workload, and of contenders that were left out: why.

    workloads    name -> rounds that count
    warm         rounds before them that do not
    """
    measured: dict[str, Rounds] = {}
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        contenders = {name: stack.enter_context(Contender(script, name, given, threads)) for name in names}
        for workload, rounds in workloads.items():
            for number in range(-warm, rounds):
                turn = number % len(names)
                for name in [*names[turn:], *names[:turn]]:
                    if name in missing:
                        continue
                    answer = contenders[name].ask(workload)
                    if "missing" in answer:
                        missing[name] = answer["missing"]
                        print(f"{name} is left out: {missing[name]}", flush=True)
                    elif number >= 0:
                        measured.setdefault(workload, {}).setdefault(name, []).append(answer)
                        print(f"{workload}, round {number + 1}, {name}: {told_round(answer)}", flush=True)
    return measured, missing


def told_round(answer: Answer) -> str:
    """A round in a line of the log."""
    peak = f"{answer['seconds']:.3f} s, {answer['cpu_seconds']:.3f} s of the processor, peak {answer['peak_bytes'] / 1e6:.0f} MB"
    others = {key: value for key, value in answer.items() if isinstance(value, int | float | str)}
    return ", ".join([peak, *(f"{key} {value:.5g}" if isinstance(value, float) else f"{key} {value}"
                              for key, value in others.items()
                              if key not in ("seconds", "cpu_seconds", "peak_bytes"))])  # fmt: skip


# -- inside the process of a contender ----------------------------------------------------------------------------------


def serve(script: str, name: str, given: dict[str, Any]) -> None:
    """Do a round for each line of standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints goes to the log
    contend = import_module(script).contend
    built, work = None, None
    for line in sys.stdin:
        workload = line.strip()
        try:
            if workload != built:
                work = None
                gc.collect()
                work, built = contend(name, given, workload), workload
            answer = clocked(work)
        except ImportError as error:
            answer = {"missing": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def clocked(work: Any) -> Answer:
    """What a round answers, with its seconds and the peak memory of this process."""
    time.sleep(REST)
    used, started = time.process_time(), time.perf_counter()
    found = work()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes()} | found


def peak_bytes() -> int:
    """The most memory this process has had; getrusage's number would begin with the parent's on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# -- what rounds say together -------------------------------------------------------------------------------------------


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def theirs_to_ours(rounds: Rounds, key: str = "seconds") -> dict[str, dict[str, dict[str, float]]]:
    """Of each of our contenders, of each other: the spread of other / ours over the rounds, in pairs."""
    return {
        own: {
            name: spread([other[key] / mine[key] for other, mine in zip(others, rounds[own], strict=True)])
            for name, others in rounds.items()
            if name != own
        }
        for own in rounds
        if own.split()[0] == OURS
    }


def fastest(rounds: Rounds) -> str:
    """Which of our contenders has the lowest median of seconds."""
    ours = [name for name in rounds if name.split()[0] == OURS]
    return min(ours, key=lambda name: spread([one["seconds"] for one in rounds[name]])["median"])


def told(values: Sequence[float], form: str) -> str:
    """The median of some values (lowest to highest)."""
    found = spread(values)
    return f"{found['median']:{form}} ({found['lowest']:{form}} to {found['highest']:{form}})"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The arguments that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="of all contenders; all cores"
    )
    parser.add_argument(
        "--corpus", nargs="*", default=[], help="files of text; by default what `make demo` learns from"
    )
    parser.add_argument("--quick", action="store_true", help="a try in under two minutes, written to runs/bench/quick")
    parser.add_argument("--table", action="store_true", help="write the section of docs/results.md, measure nothing")
    parser.add_argument("--out", type=Path, help="the results; by default benchmarks/results/NAME.json")
    return parser


def parsed(parser: argparse.ArgumentParser, name: str) -> argparse.Namespace:
    """The arguments given to the benchmark of a name."""
    options = parser.parse_args()
    options.out = options.out or (TRIES if options.quick else RESULTS) / f"{name}.json"
    return options


def write_results(path: Path, result: Mapping[str, Any]) -> None:
    """Write the results as JSON, rounds in one line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
