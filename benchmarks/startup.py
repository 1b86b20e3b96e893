"""What starting costs: `import electra`, `electra --help`, the help of one command, and torch's models, beside an empty Python.

    python benchmarks/startup.py [--rounds 15] [--out benchmarks/results/startup.json]

Whole processes by the clock, taking turns, modules' bytecode warm.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from prepare import processor

PROGRAMS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import electra": [sys.executable, "-c", "import electra"],
    "electra --help": [str(Path(sys.executable).with_name("electra")), "--help"],
    "electra pretrain --help": [str(Path(sys.executable).with_name("electra")), "pretrain", "--help"],
    "import electra, ElectraForPreTraining": [sys.executable, "-c", "from electra import ElectraForPreTraining"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/startup.json"))
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for number in range(options.rounds + 1):
        for name, command in PROGRAMS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if number:  # the first round warms the disk's cache
                seconds[name].append(time.perf_counter() - started)
    found = {
        name: {"median_s": statistics.median(times), "lowest_s": min(times), "highest_s": max(times)}
        for name, times in seconds.items()
    }
    for name, row in found.items():
        print(f"{name:<40} {row['median_s']:.3f} s ({row['lowest_s']:.3f} to {row['highest_s']:.3f})")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(
        json.dumps({"machine": processor(), "rounds": options.rounds, "seconds": found}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
