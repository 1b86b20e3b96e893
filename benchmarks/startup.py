"""What starting costs: `import electra`, help, a class beside transformers 4 and 5, and a first prediction from the command line.

    python benchmarks/startup.py [--rounds 7] [--quick]
    python benchmarks/startup.py --table

Whole processes by the clock, taking turns, bytecode written in a round that does not count. The programs that import a
class import torch first and tell what the class took after it. A prediction is one line of text to its label, by
ElectraForSequenceClassification of size small with random weights: `electra predict MODEL FILE`, also with the model that
`electra convert --to onnx` makes of it, beside the shortest program with transformers' Auto classes. transformers is kept from
importing TensorFlow and Flax, though they are installed here; scikit-learn and SciPy it imports where they are. Ratios are of
the same round. Peak memory is no lower than this program's own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from document import table, write_section
from machine import described, facts
from turns import FOR_TRANSFORMERS, ROOT, arguments, parsed, spread, write_results

TRANSFORMERS5 = ROOT / ".venv" / "peers" / "transformers5"  # `make setup` fills it
ELECTRA = str(Path(sys.executable).with_name("electra"))
ONE_CLASS = """
import time, torch
started = time.perf_counter()
from {} import ElectraForPreTraining
print(time.perf_counter() - started)
"""
PREDICT = """
import sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
with torch.no_grad(), open(sys.argv[2]) as file:
    print(model(**tokenizer(file.read(), return_tensors="pt")).logits.softmax(-1))
"""
MODEL = """
import sys
from pathlib import Path
from electra import ElectraConfig, ElectraForSequenceClassification, ElectraTokenizerFast
from electra.tasks.classification import Classification
from electra.training.tune_files import Purpose
folder = Path(sys.argv[1])
ElectraForSequenceClassification(ElectraConfig.small()).save_pretrained(folder)
words = Path(sys.argv[2]).read_text().lower().split()
ElectraTokenizerFast(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(words)]).save_pretrained(folder)
purpose = Purpose(name="one", kind=Classification(), measure="accuracy", labels=("no", "yes"), max_length=128)
purpose.write(folder)
"""
TEXT = "The children went to school before they could read"

OURS, PEERS = "electra: ElectraForPreTraining", [f"transformers {version}: ElectraForPreTraining" for version in (4, 5)]
OUR_PREDICTIONS = ("electra predict", "electra predict, exported")
THEIR_PREDICTIONS = [f"transformers {version}: a prediction" for version in (4, 5)]
TRANSFORMERS5_PROGRAMS = (PEERS[1], THEIR_PREDICTIONS[1])
PAIRS = {OURS: PEERS, **dict.fromkeys(OUR_PREDICTIONS, THEIR_PREDICTIONS)}  # ours -> theirs
KINDS = ("seconds", "cpu_seconds", "peak_mb", "seconds_after_torch")


def programs(folder: str, text: str) -> dict[str, list[str]]:
    """Name -> command line."""
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import numpy": [sys.executable, "-c", "import numpy"],
        "import electra": [sys.executable, "-c", "import electra"],
        "electra --help": [ELECTRA, "--help"],
        "electra pretrain --help": [ELECTRA, "pretrain", "--help"],
        "import torch": [sys.executable, "-c", "import torch"],
        OURS: [sys.executable, "-c", ONE_CLASS.format("electra")],
        **{name: [sys.executable, "-c", ONE_CLASS.format("transformers")] for name in PEERS},
        **{
            name: [ELECTRA, "predict", path, text]
            for name, path in zip(OUR_PREDICTIONS, (folder, f"{folder}-onnx"), strict=True)
        },
        **{name: [sys.executable, "-c", PREDICT, folder, text] for name in THEIR_PREDICTIONS},
    }


def measure(name: str, command: list[str], threads: int) -> dict[str, float]:
    """Of one process: seconds, seconds of processors, peak memory, and what it says its class took after torch (or 0)."""
    variables = os.environ | FOR_TRANSFORMERS | {"OMP_NUM_THREADS": str(threads)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    if name in TRANSFORMERS5_PROGRAMS:
        variables["PYTHONPATH"] = f"{TRANSFORMERS5}{os.pathsep}{variables.get('PYTHONPATH', '')}"
    with tempfile.TemporaryFile("w+") as answer, tempfile.TemporaryFile("w+") as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=answer, stderr=log, env=variables)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0), answer.seek(0)
        if process.returncode:
            raise SystemExit(f"{name} ended with {process.returncode}:\n{log.read()[-3000:]}")
        told = float(answer.read()) if name in (OURS, *PEERS) else 0.0
    return dict(zip(KINDS, (seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, told), strict=True))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parsed(parser, "startup")
    if options.table:
        write_section("startup", section(json.loads(options.out.read_text())))
        return
    if not TRANSFORMERS5.is_dir():
        parser.exit(2, f"{TRANSFORMERS5} is missing; `make setup` fills it\n")
    rounds = 1 if options.quick else options.rounds
    measured: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder, text = f"{place}/model", f"{place}/text"
        Path(text).write_text(f"{TEXT}\n")
        subprocess.run([sys.executable, "-c", MODEL, folder, text], check=True)
        subprocess.run([ELECTRA, "convert", folder, f"{folder}-onnx", "--to", "onnx"], check=True)
        for number in range(rounds + 1):
            for name, command in programs(folder, text).items():
                found = measure(name, command, options.threads)
                if number:  # the first round warms the disk's cache
                    measured.setdefault(name, []).append(found)
    report: dict[str, Any] = facts(options.threads) | {"rounds": rounds}
    for kind in KINDS:
        columns = {name: [row[kind] for row in rows] for name, rows in measured.items()}
        report[kind] = {name: spread(values) for name, values in columns.items() if any(values)}
        report[f"theirs_to_ours_{kind}"] = {
            mine: {
                other: spread([theirs / own for theirs, own in zip(columns[other], columns[mine], strict=True)])
                for other in others
            }
            for mine, others in PAIRS.items()
            if all(columns[mine])
        }
        for name, row in report[kind].items():
            print(f"{kind:<20} {name:<40} {row['median']:.3f} ({row['lowest']:.3f} to {row['highest']:.3f})")
    write_results(options.out, report)


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(report: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""

    def cells(held: dict[str, dict[str, Any]], name: str, forms: Sequence[str]) -> list[str]:
        rows = [(held[kind].get(name), form) for kind, form in zip(KINDS, forms, strict=True)]
        return [
            f"{row['median']:{form}} ({row['lowest']:{form}} to {row['highest']:{form}})" if row else ""
            for row, form in rows
        ]

    def beside(mine: str) -> list[list[str]]:
        held = {kind: report[f"theirs_to_ours_{kind}"].get(mine, {}) for kind in KINDS}
        return [[f"{other} to {mine}", *cells(held, other, [".2f"] * 4)] for other in PAIRS[mine]]

    head = ("", "seconds", "seconds of the processor", "peak MB", "seconds after `import torch`")
    return [
        "## Starting",
        "",
        f"`python benchmarks/startup.py --rounds {report['rounds']}`, whole processes that take turns, median (lowest to",
        "highest). A prediction is one line of text to its label by a model of size small: `electra predict MODEL FILE` beside",
        "the shortest program with transformers' Auto classes. transformers is kept from importing TensorFlow and Flax.",
        described(report),
        "",
        *table(
            head,
            [
                [f"`{name}`" if ":" not in name else name, *cells(report, name, [".3f", ".3f", ".0f", ".3f"])]
                for name in report["seconds"]
            ],
        ),
        "",
        "Theirs to ours, in the same round:",
        "",
        *table(head, [row for mine in PAIRS for row in beside(mine)]),
        "",
        "File: [startup.json](../benchmarks/results/startup.json).",
    ]


if __name__ == "__main__":
    main()
