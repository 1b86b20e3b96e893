"""One run on one process and on several: `electra pretrain` with the cores as threads, and as processes by DDP and by FSDP.

    python benchmarks/distributed.py [--quick]
    python benchmarks/distributed.py --table

Each way trains the same batches (ELECTRA-small, 32 rows of 128 tokens, precision auto) from the command line, a few dozen steps
at a time, and the ways take turns. Tokens a second are those of metrics.jsonl, the median of the steps after the first five.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from document import table, write_section
from machine import described, facts
from texts import corpus, files_of
from turns import arguments, parsed, spread, write_results

VOCABULARY, WARM = 30_522, 5
SHARED = {"preset": "small", "batch-size": 32, "max-length": 128, "steps": 25}
QUICK = {"preset": "tiny", "batch-size": 16, "max-length": 64, "steps": 12}
ROUNDS = 5


def main() -> None:
    options = parsed(arguments(__doc__), "distributed")
    if options.table:
        write_section("distributed", section(json.loads(options.out.read_text())))
        return
    result: dict[str, Any] = facts(options.threads) | {"shared": QUICK if options.quick else SHARED}
    folder, found = corpus(files_of(options.corpus), VOCABULARY), ways(options.threads)
    speeds: dict[str, list[float]] = {name: [] for name in found}
    for number in range(1 if options.quick else ROUNDS):
        turn = number % len(found)
        for name in [*list(found)[turn:], *list(found)[:turn]]:
            speeds[name].append(train(folder, result["shared"], **found[name]))
            print(f"round {number + 1}, {name}: {speeds[name][-1]:,.0f} tokens/s", flush=True)
    result["ways"] = found
    result["tokens_per_second"] = {name: spread(values) for name, values in speeds.items()}
    write_results(options.out, result)


def ways(cores: int) -> dict[str, dict[str, Any]]:
    """Processes and threads of each, and how the processes share the work."""
    several = {"1 process, 1 thread": dict(processes=1, threads=1)}
    if cores > 1:
        several[f"1 process, {cores} threads"] = dict(processes=1, threads=cores)
        for parallel in ("ddp", "fsdp"):
            name = f"{cores} processes of 1 thread, {parallel}"
            several[name] = dict(processes=cores, threads=1, parallel=parallel)
    # More processes than cores share them: what is seen is what the exchange of four costs, not what four cores would give.
    several.setdefault("4 processes of 1 thread, ddp", dict(processes=4, threads=1, parallel="ddp"))
    return several


def train(folder: Path, given: dict[str, Any], *, processes: int, threads: int, parallel: str = "ddp") -> float:
    """Tokens a second of a run."""
    launch = ["-m", "electra.torch.launch", "--standalone", "--nproc-per-node", processes] if processes > 1 else []
    settings = given | {"threads": threads, "parallel": parallel, "log-every": 1, "eval-every": 10**6}
    flags = [word for name, value in settings.items() for word in (f"--{name}", value)]
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        command = [sys.executable, *launch, "-m", "electra", "pretrain", folder, run, *flags, "--quiet"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        records = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        steps = [record["tokens_per_second"] for record in records if record["kind"] == "train"]
    return statistics.median(steps[WARM:])


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    shared, speeds = result["shared"], result["tokens_per_second"]
    base = speeds["1 process, 1 thread"]["median"]
    rows = [
        [
            name,
            f"{held['median']:,.0f} ({held['lowest']:,.0f} to {held['highest']:,.0f})",
            f"{held['median'] / base:.2f}",
        ]
        for name, held in speeds.items()
    ]
    return [
        "## One run on several processes",
        "",
        f"`python benchmarks/distributed.py`: `electra pretrain` on one machine, preset {shared['preset']}, "
        f"{shared['batch-size']} rows of",
        f"{shared['max-length']} tokens, the same batches in all. Tokens a second, median (lowest to highest) of the runs.",
        described(result),
        "",
        *table(("", "tokens/s", "times one thread's"), rows),
        "",
        "Four processes on fewer cores share them: this shows what more processes cost, not what more cores give. Clusters and",
        "GPUs are not measured. File: [distributed.json](../benchmarks/results/distributed.json).",
    ]


if __name__ == "__main__":
    main()
