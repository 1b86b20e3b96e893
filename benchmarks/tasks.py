"""What pretraining is worth: published tasks fine-tuned from a pretrained model and from random weights of the same sizes.

    python benchmarks/tasks.py MODEL --data FOLDER [--only cola,rte] [--jobs 2] [--threads 1] [--seeds 3]
    python benchmarks/tasks.py --table

A piece is one task from one start: an `electra finetune` of all seeds, in RUNS/NAME-START. What it reached is written as it
ends, to results/tasks/NAME-START.json, and what is there is not made again; a piece that was stopped continues. When both
starts of a task are there, they are compared, over seeds and over dev examples: NAME-compared.json. `--table` writes the
section of docs/results.md from these files alone.

FOLDER holds the data sets as they are published, GLUE's in FOLDER/glue; tasks whose train or dev file is missing are left out.

Unusual here: both starts have the same examples, epochs, tokens, learning rate (without layer decay); see RATE for the
search. CAPS keeps all pieces within about three hours of two cores, for the size `tiny`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from document import table, write_section

from electra.config import ElectraConfig
from electra.inference.machine import processor
from electra.tasks.statistics import compare_seeds, spread
from electra.tasks.table import TASKS, find_split, find_task
from electra.training.run import find_model
from electra.training.tune_scores import compare_runs

ROOT = Path(__file__).parents[1]
OUT = ROOT / "benchmarks" / "results" / "tasks"
ELECTRA = str(Path(sys.executable).with_name("electra"))
STARTS = ("pretrained", "random")

# task -> train examples at most, epochs, tokens a row at most (cut to what the model reads)
CAPS = {
    "cola": (8000, 4, 64),
    "sst-2": (8000, 4, 64),
    "mrpc": (4000, 4, 64),  # each pair in both orders, which doubles them
    "sts-b": (4000, 4, 64),  # alike
    "qqp": (8000, 4, 64),
    "mnli": (8000, 4, 64),
    "mnli-mismatched": (8000, 4, 64),
    "qnli": (8000, 6, 64),
    "rte": (8000, 10, 128),
    "wnli": (8000, 10, 64),
    "snli": (8000, 4, 64),
    "squad-1.1": (8000, 3, 128),  # several windows a question
    "squad-2.0": (4000, 2, 128),
    "conll2003": (8000, 4, 64),
    "conll2000": (8000, 4, 64),
    "pos": (8000, 4, 64),
    "wnut17": (8000, 6, 64),
    "swag": (2000, 4, 64),  # as many rows a example as it has choices, in these four
    "copa": (2000, 20, 64),
    "commonsenseqa": (2000, 10, 64),
    "piqa": (2000, 10, 64),
    "trec": (8000, 6, 64),
    "ag-news": (8000, 4, 64),
    "goemotions": (8000, 4, 64),
}
SETTINGS = {"squad-1.1": ["doc_stride=64"], "squad-2.0": ["doc_stride=64"]}  # of a kind, where windows are that short

# Of both starts, for the size tiny. Searched with the model of `make demo`, SST-2 (accuracy; dev 611, so two points are
# chance) and CoNLL-2000 (F1), 1,500 examples, 4 epochs, one seed:
#     rate, decay    pretrained: sst-2, conll2000    random: sst-2, conll2000
#     3e-4, 0.8      59.9  78.7                      63.7  59.2
#     3e-4, 1.0      63.2  79.7                      64.5  60.3
#     5e-4, 1.0      60.4  80.7                      64.7  60.6
#     1e-3, 0.8      60.4  80.7                      63.2  61.0
#     1e-3, 1.0      62.4  80.4                      collapsed  62.9
#     3e-3, 0.8      collapsed  79.1                 collapsed  59.0
#     3e-3, 1.0      collapsed  76.1                 collapsed  59.8
# And with the model of docs/results.md, where it is not ahead, two seeds, the caps below (ag-news, goemotions, mnli):
#     5e-4, 1.0      80.2  22.0  43.4 (three seeds)  83.4  27.9  45.2 (three seeds)
#     1e-3, 1.0      78.8  19.6  44.6                84.8  26.1  37.8
RATE, DECAY = 5e-4, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a pretrained model folder or run")
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", help="tasks, comma between; all")
    parser.add_argument("--jobs", type=int, default=2, help="pieces at a time (2)")
    parser.add_argument("--threads", type=int, default=1, help="of each (1)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the results (benchmarks/results/tasks)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "tasks", help="folder of the runs (runs/tasks)")
    parser.add_argument("--cap", type=int, help="learn from so many examples at most, to try the whole quickly")
    parser.add_argument("--learning-rate", type=float, help="instead of RATE, to search")
    parser.add_argument("--layer-decay", type=float)
    parser.add_argument("--table", action="store_true", help="write the section of docs/results.md, measure nothing")
    options = parser.parse_args()
    if options.table:
        write_section("tasks", section(options.out))
        return
    if options.model is None or options.data is None:
        parser.error("give MODEL and --data FOLDER, or --table")
    options.out.mkdir(parents=True, exist_ok=True)
    options.runs.mkdir(parents=True, exist_ok=True)
    sys.exit(measure(options))


# -- pieces -------------------------------------------------------------------------------------------------------------


def measure(options: argparse.Namespace) -> int:
    """All pieces that are not there yet; 1 where some did not end well."""
    names = options.only.split(",") if options.only else [task.name for task in TASKS]
    wanted = [find_task(name).name for name in names]
    places = {name: place for name in wanted if (place := place_of(options.data, name)) is not None}
    left_out = [name for name in wanted if name not in places]
    if left_out:
        print(f"no train and dev file in {options.data}: {', '.join(left_out)}", flush=True)
    failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        pieces = {
            pool.submit(make_piece, options, name, places[name], start): (name, start)
            for name in places
            for start in STARTS
        }
        try:
            for piece in as_completed(pieces):
                name, start = pieces[piece]
                error = piece.exception()
                failed += error is not None
                print(f"{name}, {start}: {error or piece.result()}", flush=True)
                if error is None:
                    compare(options, name)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)  # the commands had the signal too, and keep where they stand
            print("stopped; the same command continues")
            return 130
    return int(failed > 0)


def place_of(data: Path, name: str) -> Path | None:
    """The folder of a task's files, or the one above it."""
    row = find_task(name)
    for place in (data, data / "glue"):
        if place.is_dir() and all(split in row.files and find_split(row, place, split) for split in ("train", "dev")):
            return place
    return None


def make_piece(options: argparse.Namespace, name: str, data: Path, start: str) -> str:
    """Fine-tune, and write what was reached; in words."""
    out, run = options.out / f"{name}-{start}.json", options.runs / f"{name}-{start}"
    arguments = arguments_of(options, name, start)
    if out.exists():
        if json.loads(out.read_text())["arguments"] != arguments:
            raise RuntimeError(f"{out} is of other settings; remove it, and {run}, to measure anew")
        return "is there"
    place = [options.model, run, "--data", data, "--threads", options.threads, "--quiet"]
    command = [ELECTRA, "finetune", *map(str, place), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"electra finetune ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    held = result_of(run, start, arguments, options)
    out.write_text(json.dumps(held | {"command_seconds": round(time.perf_counter() - started, 1)}, indent=1) + "\n")
    return f"{held['measure']} {held['median']:.4f}, {time.perf_counter() - started:.0f} s"


def arguments_of(options: argparse.Namespace, name: str, start: str) -> list[str]:
    """What the command gets beside places and threads: what decides the result."""
    limit, epochs, length = CAPS[name]
    longest = int(
        vars(ElectraConfig.from_pretrained(find_model(Path(options.model), "discriminator")))["max_position_embeddings"]
    )
    given = {
        "task": name,
        "limit-train": min(limit, options.cap or limit),
        "epochs": epochs,
        "max-length": min(length, longest),
        "learning-rate": options.learning_rate or RATE,
        "layer-decay": options.layer_decay or DECAY,
        "evaluations": 1,
        "seeds": options.seeds,
    }
    words = [word for key, value in given.items() for word in (f"--{key}", str(value))]
    words += ["--set", *SETTINGS[name]] if name in SETTINGS else []
    return [*words, "--random-weights"] if start == "random" else words


def result_of(run: Path, start: str, arguments: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """The content of NAME-START.json, out of a finished run. Scores are by seed; seconds those of training."""
    found, record = (json.loads((run / name).read_text()) for name in ("results.json", "settings.json"))
    measure, seeds = found["measure"], found["seeds"]
    scores = {seed: result["scores"][measure] for seed, result in seeds.items() if "scores" in result}
    return {
        "task": found["task"],
        "start": start,
        "measure": measure,
        "scores": scores,
        **asdict(spread(list(scores.values()))),
        "collapsed": {seed: result["collapsed"] for seed, result in seeds.items() if result.get("collapsed")},
        "failed": {seed: result["failed"] for seed, result in seeds.items() if "failed" in result},
        "baseline": found["baseline"].get(measure),
        "seconds": {seed: round(result.get("seconds", 0.0), 1) for seed, result in seeds.items()},
        "train_examples": found["train_examples"],
        "dev_examples": found["dev_examples"],
        "updates": found["steps"],
        "arguments": arguments,
        "weights_sha256": record["model"]["weights"],
        "sizes": {key: record["model"]["config"][key] for key in ("num_hidden_layers", "hidden_size", "vocab_size")},
        "versions": {name: version(name) for name in ("electra", "torch", "numpy")},
        "machine": f"{processor()}, {os.cpu_count()} cores, {options.jobs} jobs of {options.threads} threads",
    }


def compare(options: argparse.Namespace, name: str) -> None:
    """Where both starts of a task are there: pretrained minus random."""
    out, runs = options.out / f"{name}-compared.json", [options.runs / f"{name}-{start}" for start in STARTS]
    done = [options.out / f"{name}-{start}.json" for start in STARTS]
    if out.exists() or not all(path.exists() for path in [*done, *(run / "results.json" for run in runs)]):
        return
    found = compare_runs(*runs)
    out.write_text(json.dumps(asdict(found), indent=1) + "\n")


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(out: Path) -> list[str]:
    """Lines of Markdown. Raises SystemExit where the pieces are not of one model."""
    pieces = {path.stem: json.loads(path.read_text()) for path in sorted(out.glob("*.json"))}
    names = [task.name for task in TASKS if all(f"{task.name}-{start}" in pieces for start in STARTS)]
    if not names:
        raise SystemExit(f"{out} has no task with both starts")
    models = {pieces[f"{name}-pretrained"]["weights_sha256"] for name in names}
    if len(models) > 1:
        raise SystemExit(f"the pieces of {out} are of {len(models)} pretrained models; measure all with one")
    first = pieces[f"{names[0]}-pretrained"]
    hours = sum(sum(pieces[f"{name}-{start}"]["seconds"].values()) for name in names for start in STARTS) / 3600
    sizes = first["sizes"]
    return [
        "## What pretraining is worth, task by task",
        "",
        "`python benchmarks/tasks.py MODEL --data FOLDER`: each task from a pretrained model and from random weights of the same",
        f"sizes ({sizes['num_hidden_layers']} layers of width {sizes['hidden_size']}, {sizes['vocab_size']:,} pieces), with the",
        f"same examples, epochs and tokens, {first['count']} seeds each. Large sets are capped, and dev sets are parts of the",
        "published ones: no number here can be held against a published one.",
        f"{hours:.1f} hours of training in all; {first['machine']}. {rates_told(names, pieces)}",
        "",
        *table(HEAD, [row(name, pieces) for name in names]),
        "",
        "Scores are the median of the seeds (lowest to highest); always: the most frequent answer of train, given to all. The",
        "difference is the mean over the seeds, pretrained minus random, with the interval of 95% over dev examples (bootstrap).",
        *findings(names, pieces),
        "Files: [results/tasks](../benchmarks/results/tasks).",
    ]


HEAD = ("task", "measure", "train", "dev", "always", "random weights", "pretrained", "difference", "p over seeds")


def row(name: str, pieces: dict[str, Any]) -> list[str]:
    pretrained, random = (pieces[f"{name}-{start}"] for start in STARTS)
    over_seeds = seed_test(pretrained, random)
    return [
        *told_task(name, pretrained),
        told_scores(random),
        told_scores(pretrained),
        told_difference(over_seeds.difference, interval_of(pieces, name)),
        f"{over_seeds.p:.2g}",
    ]


def told_task(name: str, piece: dict[str, Any]) -> list[str]:
    """Name, measure, examples of train and dev, and the score of the most frequent answer."""
    return [
        name,
        piece["measure"].replace("_", " "),
        f"{piece['train_examples']:,}",
        f"{piece['dev_examples']:,}",
        "" if piece["baseline"] is None else f"{100 * piece['baseline']:.1f}",
    ]


def told_difference(difference: float, interval: dict[str, float] | None) -> str:
    """Of two scores, with its interval over the dev examples."""
    told = "" if interval is None else f" ({100 * interval['low']:+.1f} to {100 * interval['high']:+.1f})"
    return f"{100 * difference:+.1f}{told}"


def told_scores(piece: dict[str, Any]) -> str:
    return f"{100 * piece['median']:.1f} ({100 * piece['lowest']:.1f} to {100 * piece['highest']:.1f})"


def seed_test(pretrained: dict[str, Any], random: dict[str, Any]) -> Any:
    """Over the seeds that failed in neither."""
    both = sorted(pretrained["scores"].keys() & random["scores"].keys())
    return compare_seeds(*([piece["scores"][seed] for seed in both] for piece in (pretrained, random)))


def interval_of(pieces: dict[str, Any], name: str) -> dict[str, float] | None:
    return pieces.get(f"{name}-compared", {}).get("examples")


def rates_told(names: list[str], pieces: dict[str, Any]) -> str:
    """The learning rates and layer decays that the pieces were made with."""
    given = [piece["arguments"] for start in STARTS for piece in of(start, names, pieces)]
    held = [dict(zip(words[::2], words[1::2], strict=False)) for words in given]
    rates = sorted({f"{float(g['--learning-rate']):g} (layer decay {g['--layer-decay']})" for g in held})
    return f"Learning rate of both starts: {' or '.join(rates)}."


def of(start: str, names: list[str], pieces: dict[str, Any]) -> list[dict[str, Any]]:
    return [pieces[f"{name}-{start}"] for name in names]


def findings(names: list[str], pieces: dict[str, Any]) -> list[str]:
    """Where the pretrained model is not ahead, or only perhaps, and which runs collapsed, in sentences."""
    pairs = {name: tuple(pieces[f"{name}-{start}"] for start in STARTS) for name in names}
    behind = [name for name, (pretrained, random) in pairs.items() if pretrained["median"] <= random["median"]]
    doubtful = [n for n in names if n not in behind and (found := interval_of(pieces, n)) and found["low"] <= 0]
    useless = [n for n, (p, _) in pairs.items() if p["baseline"] is not None and p["median"] <= p["baseline"]]
    test = seed_test(*pairs[names[0]])
    lines = [f"No p over {first_count(pairs)} seeds can be below {test.smallest_p:.2g}, so the interval says more."]
    lines.append(
        f"The pretrained model is not ahead (median) on {', '.join(behind)}."
        if behind
        else "The pretrained model is ahead (median) on every task."
    )
    if doubtful:
        lines.append(f"It is ahead, but other dev examples might have said otherwise, on {', '.join(doubtful)}.")
    if useless:
        lines.append(f"It is no better than always giving the most frequent answer on {', '.join(useless)}.")
    for start in STARTS:
        lines += [
            f"Of {piece['task']} from {start} weights, {len(piece[what])} of {piece['count']} runs {what}."
            for piece in of(start, names, pieces)
            for what in ("collapsed", "failed")
            if piece[what]
        ]
    return lines


def first_count(pairs: dict[str, Any]) -> int:
    return int(statistics.mode(pretrained["count"] for pretrained, _ in pairs.values()))


if __name__ == "__main__":
    main()
