"""Google's checkpoints of full size to PyTorch folders: seconds and peak memory, beside transformers 4's loader.

    python benchmarks/convert.py --sizes small base large

Random weights under the original's names. Each conversion is a process of its own; the two take turns. transformers converts
one network a call and needs TensorFlow, so its seconds are those of both calls, its memory that of the larger. What a process
needs before it begins, with everything imported, is given beside the whole.
"""

import argparse
import json
import shutil
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
# Seconds, of the processor too, and the peak of this program alone: getrusage's would begin with that of its parent's.
REPORT = """
def report():
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("REPORT", int(peak.split()[1]) * 1024, time.perf_counter() - started, time.process_time())
"""
OURS = f"""
import time; started = time.perf_counter()
import sys
import electra.weights.table, google_crc32c, tyro
from electra.cli import convert, main
{REPORT}
report()
assert main(["convert", sys.argv[1], sys.argv[2]]) == 0
report()
"""
THEIRS = f"""
import time; started = time.perf_counter()
import sys
import tensorflow, transformers
from transformers.models.electra.modeling_electra import load_tf_weights_in_electra
{REPORT}
config = transformers.ElectraConfig.from_json_file(sys.argv[3])
kind = dict(discriminator=transformers.ElectraForPreTraining, generator=transformers.ElectraForMaskedLM)[sys.argv[4]]
report()
model = load_tf_weights_in_electra(kind(config), config, sys.argv[1], discriminator_or_generator=sys.argv[4])
model.save_pretrained(sys.argv[2])
report()
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
    runs: dict[str, list[dict[str, float]]] = {"electra": [], "transformers": []}
    for number in range(rounds):
        runs["electra"].append(run(OURS, prefix, folder / f"ours-{number}"))
        both = [
            run(THEIRS, prefix, folder / f"theirs-{number}-{network}", config, network)
            for network, config in configs.items()
        ]
        runs["transformers"].append(
            {
                key: max(one[key] for one in both) if "bytes" in key else round(sum(one[key] for one in both), 2)
                for key in both[0]
            }
        )
        for path in [*folder.glob("ours-*"), *folder.glob("theirs-*")]:
            shutil.rmtree(path)
    ours, theirs = runs.values()
    ratios = {
        key: [round(other[key] / own[key], 2) for own, other in zip(ours, theirs, strict=True)]
        for key in ("seconds", "seconds_after_imports", "cpu_seconds_after_imports")
    }
    return {
        "checkpoint_bytes": weight,
        "peak_to_checkpoint": {name: [round(one["peak_bytes"] / weight, 2) for one in of] for name, of in runs.items()},
        "peak_beyond_start_to_checkpoint": {
            name: [round((one["peak_bytes"] - one["start_bytes"]) / weight, 2) for one in of]
            for name, of in runs.items()
        },
        "theirs_to_ours": ratios,
        "runs": runs,
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


def run(program: str, *arguments: object) -> dict[str, float]:
    """Memory in bytes and seconds of a program in a process of its own: when all is imported, and at its end."""
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    reports = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("REPORT ")]
    (start, began, began_cpu), (peak, seconds, cpu) = (map(float, words) for words in reports)
    return {
        "start_bytes": start,
        "peak_bytes": peak,
        "seconds": round(seconds, 2),
        "seconds_after_imports": round(seconds - began, 2),
        "cpu_seconds_after_imports": round(cpu - began_cpu, 2),
    }


if __name__ == "__main__":
    main()
