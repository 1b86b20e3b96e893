"""What starting costs: `import electra`, commands' help, and one class of PyTorch's models beside transformers 4 and 5.

    python benchmarks/startup.py [--rounds 15] [--out benchmarks/results/startup.json]

Whole processes by the clock, taking turns, bytecode written in a round that does not count. The programs that import a
class import torch first and tell what the class took after it. Ratios are ours to theirs in the same round.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from prepare import processor

TRANSFORMERS5 = Path(__file__).parents[1] / ".venv" / "peers" / "transformers5"  # `make setup` fills it
ELECTRA = str(Path(sys.executable).with_name("electra"))
ONE_CLASS = """
import time, torch
started = time.perf_counter()
from {} import ElectraForPreTraining
print(time.perf_counter() - started)
"""

OURS, PEERS = "electra: ElectraForPreTraining", [f"transformers {version}: ElectraForPreTraining" for version in (4, 5)]
PROGRAMS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import electra": [sys.executable, "-c", "import electra"],
    "electra --help": [ELECTRA, "--help"],
    "electra pretrain --help": [ELECTRA, "pretrain", "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
    OURS: [sys.executable, "-c", ONE_CLASS.format("electra")],
    PEERS[0]: [sys.executable, "-c", ONE_CLASS.format("transformers")],
    PEERS[1]: [sys.executable, "-c", ONE_CLASS.format("transformers")],
}


def measure(name: str) -> tuple[float, float, float]:
    """Of one process: seconds by the clock, seconds of processors, and what it says its class took after torch (or 0)."""
    variables = os.environ | {"HF_HUB_OFFLINE": "1"}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    if name == PEERS[1]:
        variables["PYTHONPATH"] = f"{TRANSFORMERS5}{os.pathsep}{variables.get('PYTHONPATH', '')}"
    started, used = time.perf_counter(), cpu_seconds()
    done = subprocess.run(PROGRAMS[name], check=True, stdout=subprocess.PIPE, text=True, env=variables)
    return time.perf_counter() - started, cpu_seconds() - used, float(done.stdout) if name in (OURS, *PEERS) else 0.0


def cpu_seconds() -> float:
    """Of all child processes so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/startup.json"))
    options = parser.parse_args()
    if not TRANSFORMERS5.is_dir():
        parser.exit(2, f"{TRANSFORMERS5} is missing; `make setup` fills it\n")
    measured: dict[str, list[tuple[float, float, float]]] = {name: [] for name in PROGRAMS}
    for number in range(options.rounds + 1):
        for name in PROGRAMS:
            found = measure(name)
            if number:  # the first round warms the disk's cache
                measured[name].append(found)
    report: dict[str, dict[str, dict[str, float]]] = {}
    for place, kind in enumerate(("seconds", "cpu_seconds", "seconds_after_torch")):
        columns = {name: [row[place] for row in rows] for name, rows in measured.items()}
        shown = PROGRAMS if kind != "seconds_after_torch" else (OURS, *PEERS)
        report[kind] = {name: spread(columns[name]) for name in shown}
        report[f"ratio_of_{kind}"] = {
            name: spread([mine / other for mine, other in zip(columns[OURS], columns[name], strict=True)])
            for name in PEERS
        }
    for kind, rows in report.items():
        for name, row in rows.items():
            print(f"{kind:<28} {name:<40} {row['median']:.3f} ({row['lowest']:.3f} to {row['highest']:.3f})")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": processor(), "rounds": options.rounds} | report, indent=1) + "\n")


if __name__ == "__main__":
    main()
