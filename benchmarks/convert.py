"""Google's checkpoints of full size to PyTorch folders: seconds and peak memory, beside transformers 4's loader.

    python benchmarks/convert.py --sizes small base large

Random weights under the original's names. Each conversion is a process of its own; the two take turns. transformers converts
one network a call and needs TensorFlow, so its seconds are those of both calls.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from electra.config import ElectraConfig
from electra.first_weights import first_weights
from electra.weights.bundle import write_bundle
from electra.weights.google import to_variables
from electra.weights.names import tensors

ROOT = Path(__file__).parents[1]
# The peak of this program alone: getrusage's would begin with that of the process it was started from.
REPORT = """
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024, time.perf_counter() - started)
"""
OURS = f"""
import time; started = time.perf_counter()
import sys
from electra.cli import main
assert main(["convert", sys.argv[1], sys.argv[2]]) == 0
{REPORT}
"""
THEIRS = f"""
import time; started = time.perf_counter()
import sys
import transformers
from transformers.models.electra.modeling_electra import load_tf_weights_in_electra
config = transformers.ElectraConfig.from_json_file(sys.argv[3])
kind = dict(discriminator=transformers.ElectraForPreTraining, generator=transformers.ElectraForMaskedLM)[sys.argv[4]]
model = load_tf_weights_in_electra(kind(config), config, sys.argv[1], discriminator_or_generator=sys.argv[4])
model.save_pretrained(sys.argv[2])
{REPORT}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["small", "base", "large"])
    parser.add_argument("--rounds", type=int, default=3, help="conversions of each (3)")
    options = parser.parse_args()
    result = {"command": f"python benchmarks/convert.py --sizes {' '.join(options.sizes)} --rounds {options.rounds}"}
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            result[size] = measure(size, Path(folder), options.rounds)
        print(size, json.dumps(result[size]), flush=True)
    (ROOT / "benchmarks/results/convert.json").write_text(json.dumps(result, indent=1) + "\n")


def measure(size: str, folder: Path, rounds: int) -> dict[str, object]:
    """Write a checkpoint of a size, and convert it by turns."""
    prefix = folder / "model.ckpt-0"
    configs = write_checkpoint(size, prefix)
    weight = sum(path.stat().st_size for path in folder.glob("model.ckpt-0*"))
    times: dict[str, list[float]] = {"electra": [], "transformers": []}
    peaks: dict[str, list[float]] = {"electra": [], "transformers": []}
    for number in range(rounds):
        peak, seconds = run(OURS, prefix, folder / f"ours-{number}")
        times["electra"].append(seconds)
        peaks["electra"].append(peak / weight)
        both = [
            run(THEIRS, prefix, folder / f"theirs-{number}-{network}", config, network)
            for network, config in configs.items()
        ]
        times["transformers"].append(sum(seconds for _, seconds in both))
        peaks["transformers"].append(max(peak for peak, _ in both) / weight)
    return {
        "checkpoint_bytes": weight,
        "seconds": {name: [round(value, 2) for value in values] for name, values in times.items()},
        "peak_memory_to_checkpoint": {name: [round(value, 2) for value in values] for name, values in peaks.items()},
        "median_ratio_of_seconds": round(
            statistics.median(theirs / ours for ours, theirs in zip(*times.values(), strict=True)), 2
        ),
    }


def write_checkpoint(size: str, prefix: Path) -> dict[str, Path]:
    """A checkpoint with random weights of a size's two networks; the folder of each configuration."""
    config = ElectraConfig.of_size(size)
    networks = {"discriminator": (config, "pretraining"), "generator": (config.generator(), "masked_lm")}
    arrays, paths = {}, {}
    for seed, (name, (sizes, part)) in enumerate(networks.items()):
        arrays[name] = first_weights(tensors(sizes) | tensors(sizes, part), 0.02, seed)
        paths[name] = prefix.parent / f"{name}.json"
        paths[name].write_text(sizes.to_json_string())
    for name in [name for name in arrays["generator"] if name.startswith("electra.embeddings.")]:
        arrays["generator"][name] = arrays["discriminator"][name]
    write_bundle(prefix, to_variables(arrays["discriminator"], arrays["generator"], True))
    return paths


def run(program: str, *arguments: object) -> tuple[float, float]:
    """Peak memory in bytes and seconds of a program in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    peak, seconds = map(float, done.stdout.split()[-2:])
    return peak, seconds


if __name__ == "__main__":
    main()
