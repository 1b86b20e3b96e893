"""The same pretraining in PyTorch, TensorFlow and Flax, from the same start: curves over one another, tokens a second.

    python benchmarks/frameworks.py --corpus demo/corpus --steps 600

Each framework trains in a process of its own, one after another, `--rounds` times; the corpus is a prepared one (`make demo`
leaves one in demo/corpus). Batches, masks, samples' noise and first weights follow from the seed and are the same in all.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FRAMEWORKS = {"torch": "PyTorch", "tf": "TensorFlow", "flax": "Flax"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="a prepared corpus")
    parser.add_argument("--steps", type=int, default=600, help="updates (600)")
    parser.add_argument("--rounds", type=int, default=1, help="times each framework trains (1)")
    parser.add_argument("--precision", default="float32", help="float32 or bfloat16 (float32)")
    options = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in FRAMEWORKS}
    for _ in range(options.rounds):
        for name in FRAMEWORKS:
            with tempfile.TemporaryDirectory() as folder:
                runs[name].append(train(name, options, Path(folder) / "run"))
            print(f"{name}: {runs[name][-1]['tokens_per_second']:,.0f} tokens/s", flush=True)
    result = {
        "command": f"python benchmarks/frameworks.py --steps {options.steps} --rounds {options.rounds}",
        "precision": options.precision,
        "machines": {name: rounds[0]["machine"] for name, rounds in runs.items()},
        "tokens_per_second": {name: [run["tokens_per_second"] for run in rounds] for name, rounds in runs.items()},
        "largest_difference_of_losses": largest_differences({name: rounds[0] for name, rounds in runs.items()}),
        "evaluations": {name: rounds[0]["evaluations"] for name, rounds in runs.items()},
    }
    (ROOT / "benchmarks/results/frameworks.json").write_text(json.dumps(result, indent=1) + "\n")
    draw({name: rounds[0] for name, rounds in runs.items()}, ROOT / "docs/results/frameworks.png")
    print(json.dumps(result["largest_difference_of_losses"], indent=1))


def train(framework: str, options: argparse.Namespace, run: Path) -> dict[str, Any]:
    """One run of the preset `tiny`: its machine, its losses by step, its evaluations, and its median tokens a second."""
    command = [
        sys.executable, "-m", "electra", "pretrain", options.corpus, run, "--preset", "tiny", "--framework", framework,
        "--steps", options.steps, "--precision", options.precision, "--log-every", 10, "--eval-every", 100,
        "--checkpoint-every", 1_000_000, "--quiet",
    ]  # fmt: skip
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [record for record in records if record["kind"] == "train"]
    return {
        "machine": json.loads((run / "settings.json").read_text())["machine"],
        "losses": {r["step"]: {key: r[key] for key in ("loss", "mlm_loss", "discriminator_loss")} for r in steps},
        "evaluations": [record for record in records if record["kind"] == "evaluation"],
        "tokens_per_second": statistics.median(record["tokens_per_second"] for record in steps[1:]),
    }


def largest_differences(runs: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """How far the loss of a step lies from PyTorch's, in the first 20 steps, the first 100, and all."""
    reference = runs["torch"]["losses"]
    return {
        name: {
            f"steps to {last}": max(
                abs(values["loss"] - reference[step]["loss"]) for step, values in run["losses"].items() if step <= last
            )
            for last in (20, 100, max(reference))
        }
        for name, run in runs.items()
        if name != "torch"
    }


def draw(runs: dict[str, dict[str, Any]], path: Path) -> None:
    """The losses of all frameworks over the steps, drawn over one another: wide lines below, thin ones above."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
    for axis, key, title in zip(
        axes, ("mlm_loss", "discriminator_loss"), ("generator loss", "discriminator loss"), strict=True
    ):
        for width, (name, run) in zip((6, 3, 1), runs.items(), strict=True):
            losses = run["losses"]
            axis.plot(
                list(losses), [values[key] for values in losses.values()], linewidth=width, label=FRAMEWORKS[name]
            )
        axis.set(title=f"{title}, nats", xlabel="updates")
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
