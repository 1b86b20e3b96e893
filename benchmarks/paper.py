"""The paper's three models on paper: operations beside the published ones, and what a run would take on GPUs and on this CPU.

    python benchmarks/paper.py --table

Nothing is measured here: operations and GPUs are `electra plan`'s, the processor's speed is that of distributed.json.
"""

import json
from pathlib import Path
from typing import Any

from document import table, write_section
from machine import described

from electra.planning.plan import make_plan
from electra.training.settings import preset

MEASURED = Path(__file__).parent / "results" / "distributed.json"
WAY = "1 process, 2 threads"  # of distributed.json: ELECTRA-small on all cores
PUBLISHED = {"small": 1.4e18, "base": 6.4e19, "large": 7.1e20}  # training FLOPs, as Clark et al. (2020) print them
GPUS, COUNTS = ("L4", "A100", "H100", "B200"), (1, 8)
CORPUS = 3_300_000_000  # tokens: Wikipedia and books
DAY = 86400


def main() -> None:
    write_section("paper", section(json.loads(MEASURED.read_text())))


def section(measured: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    plans = {name: make_plan(CORPUS, preset(name), seconds=0, gpus=COUNTS) for name in PUBLISHED}
    runs = {name: plan["run"] for name, plan in plans.items()}
    pace = measured["tokens_per_second"][WAY]["median"]
    speed = pace * runs["small"]["multiplied"] / runs["small"]["tokens"]  # operations a second
    shown = [[name, *(_days(plans[name], gpu, count) for gpu in GPUS for count in COUNTS)] for name in plans]
    return [
        "## On paper",
        "",
        "`python benchmarks/paper.py --table`; nothing of this was run. Operations of an update and of a whole run as the paper",
        "counts them, beside what its tables print (1.4e18 is what the original's script counts for the BERT beside small; for",
        "ELECTRA-small itself it counts 1.29e18, as we do), and of the products alone, which is what a peak is about: with a",
        "backward pass of two forward passes, and without a product with the whole table for each embedding that is looked up.",
        "",
        *table(
            (
                "",
                "both networks",
                "updates x rows x tokens",
                "an update",
                "a run",
                "printed",
                "ratio",
                "products of a run",
            ),
            [
                [
                    name,
                    f"{run['parameters'] / 1e6:.0f} M",
                    f"{run['steps']:,} x {run['batch_size']:,} x {run['max_length']}",
                    f"{run['flops'] / run['steps']:.3g}",
                    f"{run['flops']:.3g}",
                    f"{PUBLISHED[name]:.2g}",
                    f"{run['flops'] / PUBLISHED[name]:.2f}",
                    f"{run['multiplied']:.3g}",
                ]
                for name, run in runs.items()
            ],
        ),
        "",
        f"On a processor: small was measured at {pace:,.0f} tokens/s, {speed / 1e9:,.0f} GFLOP/s of products, with rows of "
        f"{measured['shared']['max-length']} tokens",
        f"and {measured['shared']['batch-size']} rows at once ([distributed.json](../benchmarks/results/distributed.json)). "
        "At that speed, which was not measured for the others, a run takes",
        ", ".join(f"{_long(run['multiplied'] / speed)} for {name}" for name, run in runs.items()) + ".",
        described(measured),
        "",
        "On GPUs, days of a run from the best to the worst case of what is assumed:",
        "",
        *table(("", *(f"{count} x {gpu}" for gpu in GPUS for count in COUNTS)), shown),
        "",
        *dict.fromkeys(line for name in ("small", "large") for line in plans[name]["assumptions"] if "GPUs" in line),
        f"A check: the paper's small took 4 days on one V100, for which the same sum says {_days(plans['small'], 'V100', 1)}.",
        "",
        "The paper's small on one GPU is `electra pretrain corpus run --recipe recipes/small-one-gpu.toml`, and",
        "`electra plan 3.3B --recipe recipes/small-one-gpu.toml --seconds 0` prints these sums for every kind of GPU. The recipe",
        "is tested to be read, planned and begun on a processor; it was not run on a GPU.",
    ]


def _days(plan: dict[str, Any], gpu: str, count: int) -> str:
    found = next(one for one in plan["elsewhere"] if (one["gpu"], one["count"]) == (gpu, count))
    days = [seconds / DAY for seconds in found["seconds"]]
    return " to ".join(f"{day:.2g}" if day < 10 else f"{day:,.0f}" for day in days) if found["rows"] else "does not fit"


def _long(seconds: float) -> str:
    days = seconds / DAY
    return f"{days:,.0f} days" if days < 1000 else f"{days / 365:,.0f} years"


if __name__ == "__main__":
    main()
