"""What starting costs: `import electra`, commands' help, and one class of PyTorch's models beside transformers 4 and 5.

    python benchmarks/startup.py [--rounds 15] [--out benchmarks/results/startup.json]

Whole processes by the clock, taking turns, bytecode written in a round that does not count. The programs that import a
class import torch first and tell what the class took after it. Ratios are of the same round, ours to theirs.
"""

import argparse
import json
import os
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


def measure(name: str) -> tuple[float, float | None]:
    """Seconds of one process, and what it says its class took beyond torch."""
    variables = os.environ | {"HF_HUB_OFFLINE": "1"}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    if name == PEERS[1]:
        variables["PYTHONPATH"] = f"{TRANSFORMERS5}{os.pathsep}{variables.get('PYTHONPATH', '')}"
    started = time.perf_counter()
    done = subprocess.run(PROGRAMS[name], check=True, stdout=subprocess.PIPE, text=True, env=variables)
    return time.perf_counter() - started, float(done.stdout) if name in (OURS, *PEERS) else None


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def ratios(ours: list[float], theirs: list[float]) -> dict[str, float]:
    return spread([mine / other for mine, other in zip(ours, theirs, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/startup.json"))
    options = parser.parse_args()
    if not TRANSFORMERS5.is_dir():
        parser.exit(2, f"{TRANSFORMERS5} is missing; `make setup` fills it\n")
    whole: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    beyond: dict[str, list[float]] = {name: [] for name in (OURS, *PEERS)}
    for number in range(options.rounds + 1):
        for name in PROGRAMS:
            seconds, of_class = measure(name)
            if number:  # the first round warms the disk's cache
                whole[name].append(seconds)
                if of_class is not None:
                    beyond[name].append(of_class)
    found = {
        "seconds": {name: spread(values) for name, values in whole.items()},
        "seconds_after_torch": {name: spread(values) for name, values in beyond.items()},
        "ratio": {name: ratios(whole[OURS], whole[name]) for name in PEERS},
        "ratio_after_torch": {name: ratios(beyond[OURS], beyond[name]) for name in PEERS},
    }
    for kind, rows in found.items():
        for name, row in rows.items():
            print(f"{kind:<20} {name:<40} {row['median']:.3f} ({row['lowest']:.3f} to {row['highest']:.3f})")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": processor(), "rounds": options.rounds} | found, indent=1) + "\n")


if __name__ == "__main__":
    main()
