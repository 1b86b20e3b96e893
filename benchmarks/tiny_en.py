"""What the model `electra-tiny-en` is worth, as it is shipped: rounded to bfloat16.

    python benchmarks/tiny_en.py MODEL --run RUN --mlm RUN --corpus CORPUS --data FOLDER [--only cola,rte] [--jobs 2] [--seeds 3]
    python benchmarks/tiny_en.py --table

MODEL is the folder of both networks, RUN the pretraining it was made from, --mlm one of as many minutes by masked language
modelling, CORPUS the prepared corpus of both, FOLDER published data sets as benchmarks/tasks.py reads them.

1. Held-out text, corrupted by its own generator: ROC-AUC and average precision of the discriminator.
2. Held-out sentences with one replaced word (benchmarks/suggest.py): how often it has the highest score.
3. Tasks, fine-tuned alike from the model, from random weights of its sizes and from the masked language model.

The command continues where it stopped: each fine-tuning of these weights is kept in --work.
"""

import argparse
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from document import table, write_section
from suggest import found_words, parameters_of, ranked_words, read_lines, spoiled_sentences, suggested
from tasks import make_piece, place_of, seed_test, told_difference, told_scores, told_task

import electra
from electra.data.corpus import Corpus
from electra.inference.machine import processor
from electra.tasks.table import find_task
from electra.training.backend import open_backend
from electra.training.given import open_given
from electra.training.metrics import measure
from electra.training.run import RunFolder, find_model, read_metrics
from electra.training.settings import preset
from electra.training.steps import Steps
from electra.training.tune_scores import compare_runs

OUT = Path("benchmarks/results/tiny_en.json")
TASKS = "cola,sst-2,mrpc,sts-b,rte,conll2003,conll2000,trec"
COMMAND = "python benchmarks/tiny_en.py MODEL --run RUN --mlm RUN --corpus CORPUS --data FOLDER"
STARTS = ("pretrained", "random", "mlm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--mlm", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", default=TASKS, help=f"tasks, comma between ({TASKS})")
    parser.add_argument("--rows", type=int, default=4096, help="of held-out text (4096)")
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2, help="fine-tunings at a time (2)")
    parser.add_argument("--threads", type=int, default=1, help="of each (1)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cap", type=int, help="learn from so many examples at most, to try the whole quickly")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/tiny_en"), help="folder of the fine-tunings (runs/tiny_en)"
    )
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="write the section of docs/results.md, measure nothing")
    options = parser.parse_args()
    if options.table:
        write_section("tiny_en", section(json.loads(options.out.read_text())))
        return
    if None in (options.model, options.run, options.mlm, options.corpus, options.data):
        parser.error("give MODEL, --run, --mlm, --corpus and --data, or --table")
    report = {
        "command": f"{COMMAND} --rows {options.rows} --sentences {options.sentences} --seeds {options.seeds}",
        "machine": processor(),
        **size_of(options.model),
        "pretraining": {"electra": facts_of(options.run), "mlm": facts_of(options.mlm)},
        "detection": detection(options.model, options.corpus, options.rows),
        "words": words(options.model, options.corpus, options.sentences),
        "tasks": tasks(options),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print("\n".join(section(report)))


# -- what is measured ---------------------------------------------------------------------------------------------------


def size_of(model: Path) -> dict[str, Any]:
    """Bytes of the weights of both networks, and the sha256 that tells them from others."""
    files = sorted(model.rglob("*.safetensors"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    return {"bytes": sum(file.stat().st_size for file in files), "weights_sha256": digest.hexdigest()}


def facts_of(run: Path) -> dict[str, Any]:
    """How a finished run was made: minutes of updates, settings, machine, sizes."""
    folder = RunFolder(run)
    held = folder.settings()
    last = [record for record in read_metrics(folder.metrics_file) if record["kind"] == "train"][-1]
    if last["step"] != held["settings"]["steps"]:
        raise SystemExit(f"{run} stands at step {last['step']} of {held['settings']['steps']}; finish it first")
    kept = ("size", "objective", "steps", "batch_size", "max_length", "learning_rate", "seed")
    return {
        "minutes": last["seconds"] / 60,
        "tokens": last["tokens"],
        **{name: held["settings"][name] for name in kept},
        "machine": held["machine"],
        "corpus": held["corpus"]["fingerprint"],
        "networks": held["networks"],
    }


def detection(model: Path, corpus: Path, rows: int) -> dict[str, float]:
    """The measures of pretraining, of the folder as it is: its own generator corrupts held-out rows."""
    settings = preset("tiny", max_length=electra.load(model).max_length, eval_rows=rows, precision="float32")
    given = open_given([model], settings)
    backend = open_backend(
        "torch",
        {name: network.config for name, network in given.items()},
        settings,
        Corpus.open(corpus, "validation").special_ids,
        {name: network.arrays for name, network in given.items()},
    )
    parts = Steps(corpus, "train", settings).held_out()
    tokens = sum(int(batch.attention_mask.sum()) for batch, _ in parts)
    return {"tokens": tokens, **measure([backend.observe(part) for part in parts])}


def words(model: Path, corpus: Path, count: int) -> dict[str, Any]:
    """Of held-out sentences with one replaced word: how often it is found, and the right one proposed."""
    detector: Any = electra.load(model)
    lines = read_lines(corpus)
    spoiled = spoiled_sentences(detector, lines, ranked_words(lines), count, seed=0)
    found = found_words(detector, spoiled)
    return {
        "parameters": parameters_of(detector.network.reader.config),
        "found": found["rules"]["mean"] | {"chance": found["chance"], "words": found["words"]},
        "suggested": suggested(detector, spoiled)["both"],
    }


def tasks(options: argparse.Namespace) -> dict[str, Any]:
    """Task -> what each start reached, and the model minus each of the others."""
    names = [find_task(name).name for name in options.only.split(",")]
    places = {name: place for name in names if (place := place_of(options.data, name)) is not None}
    if left_out := [name for name in names if name not in places]:
        raise SystemExit(f"no train and dev file in {options.data}: {', '.join(left_out)}")
    work = options.work / size_of(options.model)["weights_sha256"][:12]
    work.mkdir(parents=True, exist_ok=True)
    shared = vars(options) | {"out": work, "runs": work, "learning_rate": None, "layer_decay": None}
    models = dict.fromkeys(STARTS, options.model) | {"mlm": find_model(options.mlm, "masked_lm")}

    def piece(name: str, start: str) -> None:
        own = argparse.Namespace(**shared | {"model": models[start]})
        print(f"{name}, {start}: {make_piece(own, name, places[name], start)}", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(options.jobs) as pool:
        for done in [pool.submit(piece, name, start) for name in names for start in STARTS]:
            done.result()
    return {name: task_of(work, name) for name in names}


def task_of(work: Path, name: str) -> dict[str, Any]:
    pieces = {start: json.loads((work / f"{name}-{start}.json").read_text()) for start in STARTS}
    others = STARTS[1:]
    against = {start: compare_runs(work / f"{name}-pretrained", work / f"{name}-{start}") for start in others}
    return {"starts": pieces, "against": {start: asdict(found) for start, found in against.items()}}


# -- what is said of it -------------------------------------------------------------------------------------------------


def section(report: dict[str, Any]) -> list[str]:
    """Of docs/results.md."""
    return [
        "## The model that comes along: electra-tiny-en",
        "",
        f"`{report['command']}`; {report['machine']}. Weights in bfloat16, {report['bytes'] / 1e6:.1f} MB for both networks.",
        "",
        *told(report),
        "",
    ]


def told(report: dict[str, Any]) -> list[str]:
    """The three measurements, for docs/results.md and for the card."""
    held, found, proposed = report["detection"], report["words"]["found"], report["words"]["suggested"]
    ours, mlm = (report["pretraining"][name] for name in ("electra", "mlm"))
    first = next(iter(report["tasks"].values()))["starts"]["pretrained"]
    return [
        f"On {held['tokens']:,} tokens of held-out text, corrupted by its own generator: ROC-AUC {held['roc_auc']:.3f}, average",
        f"precision {held['average_precision']:.3f} ({held['replaced_share']:.3f} by chance), discriminator loss "
        f"{held['discriminator_loss']:.3f} (knowing nothing: {held['prior_loss']:.3f}). The generator",
        f"has {held['mlm_accuracy']:.1%} of the hidden tokens right; the better it is, the harder its words are to find: these",
        "numbers can't be held against those of a model with another generator.",
        "",
        f"In {found['first']['of']} held-out sentences one word was replaced by another of similar frequency, whether that can",
        f"be noticed or not. It has the highest score in {percent(found['first'])}, by chance {found['chance']['first']:.1%}; is "
        f"among three in {percent(found['among_three'])}.",
        f"Told the place, the right word is proposed first in {percent(proposed['first'])}, among ten in "
        f"{percent(proposed['among_ten'])}.",
        "",
        f"Fine-tuned, {first['count']} seeds each: from random weights of the same sizes, from a masked language model of the",
        f"same sizes, text and minutes ({mlm['minutes']:.0f}, {mlm['steps']:,} updates; this model {ours['minutes']:.0f} and "
        f"{ours['steps']:,}), and from this model.",
        "Large sets are capped and dev sets are parts of the published ones: no score can be held against a published one.",
        "",
        *table(HEAD, [row(name, found) for name, found in report["tasks"].items()]),
        "",
        "Scores are the median of the seeds (lowest to highest); always: the most frequent answer of train. Differences are",
        "means over the seeds, with the interval of 95% over dev examples.",
    ]


HEAD = (
    "task", "measure", "train", "dev", "always", "random weights", "masked language model", "electra-tiny-en",
    "minus random", "minus masked language model",
)  # fmt: skip


def row(name: str, task: dict[str, Any]) -> list[str]:
    ours, random, mlm = (task["starts"][start] for start in STARTS)
    minus = {start: seed_test(ours, task["starts"][start]).difference for start in STARTS[1:]}
    return [
        *told_task(name, ours),
        *map(told_scores, (random, mlm, ours)),
        *(told_difference(found, task["against"][start]["examples"]) for start, found in minus.items()),
    ]


def percent(value: dict[str, Any]) -> str:
    return f"{value['share']:.1%} (95%: {value['low']:.1%} to {value['high']:.1%})"


if __name__ == "__main__":
    main()
