"""Is what is learned the same? Whole pretraining runs in float32 by the plain layers, and as they are by default.

    python benchmarks/quality.py [--steps 2000] [--seeds 3] [--jobs 2]
    python benchmarks/quality.py --table

Runs of the preset `tiny`, with its own dropout (none) and with 0.1: the same corpus, seeds, batches, masks and rates in both
ways. `reference` is float32 with ELECTRA_NATIVE=0, so nothing of ours in C has a part in it; `fast` is what a user gets who sets
nothing. They are compared on held-out text, beside how far the seeds are apart. A run that is there is not made again.
"""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

from document import table, write_section
from machine import described, facts
from texts import ELECTRA, ROOT, corpus, files_of
from turns import arguments, parsed, spread, told, write_results

VOCABULARY = 4_096
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "reference": ("float32", {"ELECTRA_NATIVE": "0"}),
    "fast": ("auto", {}),
}
DROPOUTS = (0.0, 0.1)
MEASURES = {"discriminator_loss": ".4f", "mlm_loss": ".3f", "roc_auc": ".4f", "average_precision": ".4f"}
HEADS = ("discriminator loss", "generator loss", "ROC-AUC", "average precision")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="runs at a time, a thread each")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "quality", help="folder of the runs")
    options = parsed(parser, "quality")
    if options.table:
        write_section("quality", section(json.loads(options.out.read_text())))
        return
    steps, seeds = (40, 1) if options.quick else (options.steps, options.seeds)
    folder = corpus(files_of(options.corpus), VOCABULARY)
    pieces = list(product(range(seeds), DROPOUTS, WAYS))
    with ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(lambda piece: run(folder, options.runs, steps, *piece), pieces))
    result: dict[str, Any] = {"steps": steps, "seeds": seeds, "measured": {}}
    for (_, dropout, way), last in zip(pieces, found, strict=True):
        result["measured"].setdefault(str(dropout), {}).setdefault(way, []).append(last)
    write_results(options.out, facts(1) | result)


def run(folder: Path, place: Path, steps: int, seed: int, dropout: float, way: str) -> dict[str, Any]:
    """The last evaluation of a run, with the seconds it took."""
    precision, variables = WAYS[way]
    name = f"{way}-{dropout}-{seed}-{steps}"
    place.mkdir(parents=True, exist_ok=True)
    recipe = place / f"{name}.toml"
    recipe.write_text(
        f'preset = "tiny"\nsteps = {steps}\nseed = {seed}\nprecision = "{precision}"\nthreads = 1\neval_every = {steps}\n'
        f"eval_rows = 4096\n[model]\nhidden_dropout_prob = {dropout}\nattention_probs_dropout_prob = {dropout}\n"
        "initializer_range = 0.06\n"
    )
    command = [ELECTRA, "pretrain", str(folder), str(place / name), "--recipe", str(recipe)]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    lines = [json.loads(line) for line in (place / name / "metrics.jsonl").read_text().splitlines()]
    last: dict[str, Any] = [line for line in lines if line["kind"] == "evaluation"][-1]
    print(name, json.dumps(last), flush=True)
    return last


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    rows = []
    for dropout, ways in result["measured"].items():
        for way, runs in ways.items():
            rows.append([dropout, way, *(told([one[key] for one in runs], form) for key, form in MEASURES.items())])
        reference, fast = (ways[way] for way in WAYS)
        told_apart = []
        for key, form in MEASURES.items():
            apart = [ours[key] - plain[key] for ours, plain in zip(fast, reference, strict=True)]
            told_apart.append(told(apart, f"+{form}"))
        rows.append([dropout, "fast - reference, same seed", *told_apart])
    tokens = next(iter(result["measured"].values()))["fast"][0]["tokens"]
    return [
        "## Fast, and the same",
        "",
        f"`python benchmarks/quality.py --steps {result['steps']} --seeds {result['seeds']}`: the preset `tiny`, "
        f"{tokens / 1e6:.1f} million tokens, on held-out text of",
        "the demonstration, 4,096 rows. `reference` is float32 by the plain layers, without our own C; `fast` is what one gets",
        "without setting anything. Median (lowest to highest) of the seeds.",
        described(result),
        "",
        *table(("dropout", "", *HEADS), rows),
        "",
        verdict(result),
        "",
        "File: [quality.json](../benchmarks/results/quality.json).",
    ]


def verdict(result: dict[str, Any]) -> str:
    """Whether the two ways are nearer to each other than seeds are."""
    outside = []
    for dropout, ways in result["measured"].items():
        for key, head in zip(MEASURES, HEADS, strict=True):
            medians = {way: spread([one[key] for one in runs]) for way, runs in ways.items()}
            reference = medians["reference"]
            if not reference["lowest"] <= medians["fast"]["median"] <= reference["highest"]:
                is_lower = medians["fast"]["median"] < reference["lowest"]
                side = "better" if is_lower == key.endswith("loss") else "worse"
                outside.append(f"{head} with dropout {dropout} ({side})")
    if outside:
        return f"The fast median is outside the reference's seeds in: {', '.join(outside)}."
    return "Every median of the fast way is within the seeds of the reference."


if __name__ == "__main__":
    main()
