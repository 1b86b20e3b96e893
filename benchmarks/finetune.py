"""Fine-tuning beside transformers' Trainer: dev scores over seeds, seconds, seconds of the processor and peak memory.

    python benchmarks/finetune.py MODEL [MODEL ...] --data FOLDER [--tasks cola mrpc] [--seeds 3] [--epochs 3]
    python benchmarks/finetune.py --table

MODEL is a model folder with a tokenizer; FOLDER holds GLUE's data sets. Both get the same weights, rows (as JSON lines),
length, batch size, epochs, learning rate, warm-up and linear decay, and judge on dev once, at the end. They take turns, a
process a run, and who begins changes by round. Ours is `electra finetune` with all that it leaves (report, predictions, a
checkpoint); the peer is Trainer at its defaults, padding each batch to its longest row (DataCollatorWithPadding), saving its
model once. What differs by design: rows of about equal length share a batch in ours, and Adam's moments have no bias correction.
Learning rates are equal in all layers. The peer needs `pip install accelerate`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from document import table, write_section

from electra.config import ElectraConfig
from electra.inference.machine import processor
from electra.tasks.statistics import spread
from electra.tasks.table import find_task, load_task

ROOT = Path(__file__).parents[1]
OUT = ROOT / "benchmarks" / "results" / "finetune.json"
ELECTRA = str(Path(sys.executable).with_name("electra"))
MAX_LENGTH = 128
SIDES = ("electra", "Trainer")

PEER = """
import json, sys
import numpy as np
from datasets import load_dataset
from transformers import (
    AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments, set_seed,
)

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    set_seed(given["seed"])
    tokenizer = AutoTokenizer.from_pretrained(given["model"])
    model = AutoModelForSequenceClassification.from_pretrained(given["model"], num_labels=2)
    files = {split: given["files"] + f"/{split}.jsonl" for split in ("train", "dev")}
    data = load_dataset("json", data_files=files, cache_dir=given["out"] + "/cache")

    def encode(batch):
        pairs = (batch["pair"],) if "pair" in batch else ()
        return tokenizer(batch["text"], *pairs, truncation=True, max_length=given["max_length"])

    data = data.map(encode, batched=True)
    settings = TrainingArguments(
        output_dir=given["out"], per_device_train_batch_size=given["batch_size"], num_train_epochs=given["epochs"],
        per_device_eval_batch_size=given["batch_size"], learning_rate=given["learning_rate"], warmup_ratio=0.1,
        adam_epsilon=1e-6, save_strategy="no", report_to="none", seed=given["seed"], disable_tqdm=True, use_cpu=True,
    )
    trainer = Trainer(
        model=model, args=settings, train_dataset=data["train"], eval_dataset=data["dev"], processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trained = trainer.train()
    predicted = trainer.predict(data["dev"])
    trainer.save_model(given["out"] + "/model")
    answers = [int(answer) for answer in np.argmax(predicted.predictions, axis=-1)]
    found = {"updates": trained.global_step, "training_seconds": trained.metrics["train_runtime"], "answers": answers}
    with open(given["out"] + "/found.json", "w") as file:
        json.dump(found, file)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, help="folder of GLUE's data sets")
    parser.add_argument("--tasks", nargs="+", default=["cola", "mrpc"], help="of two labels (cola mrpc)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="of both; 5e-4, for the size tiny")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="all cores")
    parser.add_argument("--limit-train", type=int, help="the first so many train examples, to try it quickly")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="write the section of docs/results.md, measure nothing")
    options = parser.parse_args()
    if options.table:
        write_section("finetune", section(json.loads(options.out.read_text())))
        return
    if not options.models or options.data is None:
        parser.error("give MODEL and --data FOLDER, or --table")
    result: dict[str, Any] = {
        "machine": f"{processor()}, {os.cpu_count()} cores, {options.threads} threads",
        "versions": {name: version(name) for name in ("electra", "transformers", "accelerate", "torch")},
        "settings": {key: getattr(options, key) for key in ("seeds", "epochs", "batch_size", "learning_rate")}
        | {"max_length": MAX_LENGTH, "warmup": 0.1},
        "measured": [],
    }
    for model in options.models:
        for task in options.tasks:
            result["measured"].append(measure(model, task, options))
            options.out.write_text(json.dumps(result, indent=1) + "\n")


def measure(model: Path, task: str, options: argparse.Namespace) -> dict[str, Any]:
    """Both sides on one task from one model, all seeds."""
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as place:
        files = Path(place)
        counts = {split: write_rows(task, split, files, options) for split in ("train", "dev")}
        for seed in range(options.seeds):
            for side in SIDES if seed % 2 == 0 else SIDES[::-1]:
                out = files / f"{side}-{seed}"
                found = (ours if side == "electra" else theirs)(model, task, files, out, seed, options)
                runs[side].append(found)
                print(f"{task}, seed {seed}, {side}: {json.dumps(found)}", flush=True)
    updates = {one["updates"] for of in runs.values() for one in of}
    if len(updates) > 1:
        raise SystemExit(f"{task}: the two made {sorted(updates)} updates; they are to make as many")
    config = vars(ElectraConfig.from_pretrained(model))
    keys = ("seconds", "training_seconds", "cpu_seconds", "peak_bytes")
    return {
        "task": task,
        "measure": find_task(task).measure,
        "sizes": {key: config[key] for key in ("num_hidden_layers", "hidden_size", "vocab_size")},
        "examples": counts,
        "updates": updates.pop(),
        "runs": runs,
        "theirs_to_ours": {
            key: [round(other[key] / own[key], 2) for own, other in zip(*runs.values(), strict=True)] for key in keys
        },
    }


def write_rows(task: str, split: str, folder: Path, options: argparse.Namespace) -> int:
    """The examples of a split as JSON lines with text, pair and a label of 0 or 1; how many."""
    row = find_task(task)
    examples = load_task(task, options.data, split)[: options.limit_train if split == "train" else None]
    with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
        for example in examples:
            held: dict[str, Any] = {"text": example.text}  # type: ignore[attr-defined]
            if example.pair is not None:  # type: ignore[attr-defined]
                held["pair"] = example.pair  # type: ignore[attr-defined]
            held["label"] = row.labels.index(example.label)  # type: ignore[attr-defined]
            file.write(json.dumps(held) + "\n")
    return len(examples)


# -- the two sides ------------------------------------------------------------------------------------------------------


def ours(model: Path, task: str, files: Path, out: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    has_pair = '"pair"' in (files / "dev.jsonl").read_text(encoding="utf-8").partition("\n")[0]
    given = {
        "train": files / "train.jsonl", "dev": files / "dev.jsonl", "text": "text", "label": "label",
        **({"pair": "pair"} if has_pair else {}),
        "epochs": options.epochs, "batch-size": options.batch_size, "max-length": MAX_LENGTH,
        "learning-rate": options.learning_rate, "layer-decay": 1.0, "evaluations": 1, "seeds": 1, "seed": seed,
        "threads": options.threads, "precision": "float32",
    }  # fmt: skip
    words = [str(word) for key, value in given.items() for word in (f"--{key}", value)]
    used = run([ELECTRA, "finetune", str(model), str(out), *words, "--quiet"], options.threads)
    found = json.loads((out / "results.json").read_text())
    (result,) = found["seeds"].values()
    score = result["scores"][find_task(task).measure]
    return used | {"score": score, "updates": found["steps"], "training_seconds": round(result["seconds"], 2)}


def theirs(model: Path, task: str, files: Path, out: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    given = {
        "model": str(model.resolve()), "files": str(files), "out": str(out), "seed": seed, "max_length": MAX_LENGTH,
        "epochs": options.epochs, "batch_size": options.batch_size, "learning_rate": options.learning_rate,
    }  # fmt: skip
    out.mkdir()
    used = run([sys.executable, "-W", "ignore", "-c", PEER, json.dumps(given)], options.threads)
    found = json.loads((out / "found.json").read_text())
    score = score_of(task, files, found["answers"])
    return used | {"score": score, "updates": found["updates"], "training_seconds": round(found["training_seconds"], 2)}


def score_of(task: str, files: Path, answers: Sequence[int]) -> float:
    """The task's measure of the peer's answers, by scikit-learn."""
    from sklearn.metrics import accuracy_score, matthews_corrcoef

    truth = [json.loads(line)["label"] for line in (files / "dev.jsonl").read_text(encoding="utf-8").splitlines()]
    measure = {"accuracy": accuracy_score, "matthews": matthews_corrcoef}[find_task(task).measure]
    return float(measure(truth, answers))


def run(command: list[str], threads: int) -> dict[str, float]:
    """Seconds by the clock and of the processor, and the peak memory in bytes, of a process from its start to its end."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_NO_TF": "1",
    }  # fmt: skip
    with tempfile.TemporaryFile("w+") as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"{command[0]} ended with {process.returncode}:\n{log.read()[-3000:]}")
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_bytes": usage.ru_maxrss * 1024,
    }


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    settings, versions = result["settings"], result["versions"]
    rows = [row for one in result["measured"] for row in rows_of(one)]
    return [
        "## Fine-tuning beside transformers' Trainer",
        "",
        "`python benchmarks/finetune.py MODEL --data glue`: the same weights, rows, batch size "
        f"({settings['batch_size']}), updates, learning rate",
        f"({settings['learning_rate']:g}, warm-up {settings['warmup']:g}, linear decay), {settings['epochs']:g} epochs, "
        f"{settings['seeds']} seeds each, a process a run, taking turns; {result['machine']};",
        f"torch {versions['torch']}, transformers {versions['transformers']}, accelerate {versions['accelerate']}.",
        "Trainer at its defaults, padding each batch to its longest row. Median (lowest to highest); ratios are theirs to ours",
        "in the same round.",
        "",
        *table(
            ("task, model", "", "dev score", "s of the whole", "s of training", "s of the processor", "peak MB"), rows
        ),
        "",
        *[conclusion(one) for one in result["measured"]],
        "Trainer corrects the bias of Adam's moments; ours, as the original, does not, and its batches are of like lengths.",
        "The goal is half of Trainer's time. File: [finetune.json](../benchmarks/results/finetune.json).",
    ]


def rows_of(one: dict[str, Any]) -> list[list[str]]:
    name = f"{one['task']}, {one['sizes']['num_hidden_layers']} layers of {one['sizes']['hidden_size']}"
    scales = {"score": (100, ".1f"), "seconds": (1, ".1f"), "training_seconds": (1, ".1f"), "cpu_seconds": (1, ".1f")}
    scales["peak_bytes"] = (1e-6, ".0f")
    rows = [
        [
            name if side == SIDES[0] else "",
            side,
            *(told([scale * run[key] for run in runs], form) for key, (scale, form) in scales.items()),
        ]
        for side, runs in one["runs"].items()
    ]
    ratios = [told(one["theirs_to_ours"][key], ".2f") for key in scales if key != "score"]
    return [*rows, ["", "ratio", "", *ratios]]


def told(values: Sequence[float], form: str) -> str:
    found = spread(values)
    return f"{found.median:{form}} ({found.lowest:{form}} to {found.highest:{form}})"


def conclusion(one: dict[str, Any]) -> str:
    """Whether the scores agree within the spread of the seeds, and whether the goal of half the time is reached."""
    own, other = (spread([run["score"] for run in one["runs"][side]]) for side in SIDES)
    overlap = own.lowest <= other.highest and other.lowest <= own.highest
    times = {key: spread(one["theirs_to_ours"][key]).median for key in ("seconds", "training_seconds")}
    return (
        f"{one['task']}, width {one['sizes']['hidden_size']}: the scores {'overlap' if overlap else 'do not overlap'} over the "
        f"seeds; {times['seconds']:.1f} times as fast as a whole, {times['training_seconds']:.1f} times in training."
    )


if __name__ == "__main__":
    main()
