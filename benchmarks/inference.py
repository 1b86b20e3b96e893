"""Answers of ElectraForPreTraining, small and base with random weights, beside other libraries: speed, and how far from float32.

    python benchmarks/inference.py [--quick] [--sizes small base]
    python benchmarks/inference.py --table

Rows of 6 to 116 tokens of real text, 61 on average: "given", batches of 16 in the order given; "sorted", the same after sorting
by length; "single", one by one. A round answers all rows; arrays of ids go in, logits of the real tokens come out, so padding
is everyone's own to do or to avoid. electra's are its engines: its own C in every precision the processor has, "torch", which
it takes without a compiler, and "plain", the model with padding. onnxruntime and OpenVINO read the file that `electra convert
--to onnx` writes; int8 is onnxruntime's dynamic quantization of it. All have the same number of threads and are at their
defaults otherwise (OpenVINO's is bfloat16 where the processor has it). "texts" goes from lines of text to labels: electra's
Predictor beside transformers' pipeline, on ElectraForSequenceClassification, with batches of 16, and the difference is one of
probabilities; "texts single", one text after the other. "exported" is what `electra convert --to onnx`, with and without
`--int8`, makes of that model, in Predictor too.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from document import axes, color_of, picture, table, write_section
from engines import BATCH, ENGINES, EXPORTED, TEXT_ENGINES
from machine import described, facts, has_bfloat16
from texts import LONGEST, corpus, files_of, lines_of, mixed_lengths, rows_of_lengths, vocabulary
from turns import OURS, Answer, arguments, fastest, parsed, spread, take_turns, theirs_to_ours, told, write_results

VOCABULARY = 30_522
ROWS = {"small": 128, "base": 32}
ROUNDS = {"small": 5, "base": 3}
WORKLOADS = ("given", "sorted", "single")
TEXTS, TEXTS_SINGLE = "texts", "texts single"
REFERENCE = "transformers float32"
Array = np.ndarray


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sizes", nargs="+", default=list(ROWS), choices=list(ROWS))
    options = parsed(parser, "inference")
    if options.table:
        write_section("inference", section(json.loads(options.out.read_text())))
        return
    from electra.inference.compiled import kinds

    result: dict[str, Any] = facts(options.threads) | {"rows": ROWS, "measured": {}, "left_out": {}, "auto": {}}
    precisions = ["float32", *(["bfloat16"] if has_bfloat16() else [])]
    ours = [
        f"{OURS} {kind}" for kind in (*kinds(), *(f"torch {precision}" for precision in precisions), "plain float32")
    ]
    theirs = [f"transformers {precision}" for precision in precisions]
    contests = (
        ([*ours, *theirs, "onnxruntime float32", "onnxruntime int8", "openvino"], WORKLOADS),
        ([*ours, *(f"{OURS} {kind}" for kind in EXPORTED), *theirs], (TEXTS, TEXTS_SINGLE)),
    )
    for size in options.sizes:
        rounds = 1 if options.quick else ROUNDS[size]
        with tempfile.TemporaryDirectory() as place:
            given = prepare(Path(place), size, options)
            result["auto"][size] = given["auto"]
            for names, workloads in contests:
                measured, missing = take_turns(
                    "inference", names, given, dict.fromkeys(workloads, rounds), threads=options.threads, warm=0
                )
                result["left_out"] |= missing
                for workload, held in measured.items():
                    result["measured"].setdefault(size, {})[workload] = {
                        "rounds": held,
                        "difference": differences(Path(place), list(held), workload),
                        "theirs_to_ours": {key: theirs_to_ours(held, key) for key in ("seconds", "cpu_seconds")},
                    }
        write_results(options.out, result)


def prepare(folder: Path, size: str, options: Any) -> dict[str, Any]:
    """Models with random weights, as folders and as ONNX, and the rows and texts to answer."""
    import torch

    from electra import ElectraConfig, ElectraForPreTraining, ElectraForSequenceClassification
    from electra.inference.engine import open_engine
    from electra.inference.export import IN_ONE_FILE, export_onnx
    from electra.inference.quantize import quantize
    from electra.tasks.classification import Classification
    from electra.tokenization import load_tokenizer
    from electra.training.tune_files import Purpose
    from electra.training.tune_settings import TuneSettings

    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    files, count = files_of(options.corpus), ROWS[size] // (4 if options.quick else 1)
    config, tokenizer = ElectraConfig.of_size(size), load_tokenizer(vocabulary(files, VOCABULARY))
    model = ElectraForPreTraining(config).eval()
    model.save_pretrained(folder / "model")
    export_onnx(model, folder / "model.onnx")
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(folder / "model.onnx", folder / "int8.onnx")
    tuned = ElectraForSequenceClassification(config).eval()
    tuned.save_pretrained(folder / "tuned")
    purpose = Purpose(name=TEXTS, kind=Classification(), measure="accuracy", labels=("no", "yes"), max_length=LONGEST)
    for name in ("tuned", *EXPORTED):
        config.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        purpose.write(folder / name)
    float32, int8 = (folder / name / "model.onnx" for name in EXPORTED)
    export_onnx(tuned, float32)
    quantize(float32, int8, rows=VOCABULARY, in_one_file=IN_ONE_FILE)
    place = corpus(files, VOCABULARY)
    rows = rows_of_lengths(place, mixed_lengths(count), tokenizer.cls_token_id, tokenizer.sep_token_id)
    np.savez(folder / "rows.npz", *rows)
    (folder / "texts.json").write_text(json.dumps(lines_of(files)[:: max(1, 20_000 // count)][:count]))
    opened = open_engine(folder / "model", TuneSettings(device="cpu", threads=options.threads), engine="auto")
    return {"folder": str(folder), "auto": str(opened)}


def differences(folder: Path, names: Sequence[str], workload: str) -> dict[str, float]:
    """The largest difference of each contender's answers from those of transformers in float32."""
    answers = {name: np.load(folder / f"{name} {workload}.npy") for name in names}
    return {name: float(np.abs(found - answers[REFERENCE]).max()) for name, found in answers.items()}


# -- the contenders -----------------------------------------------------------------------------------------------------


def contend(name: str, given: dict[str, Any], workload: str) -> Callable[[], Answer]:
    """A round over all rows. What it answers is written once, before the clock runs, to be compared."""
    folder = Path(given["folder"])
    side, _, kind = name.partition(" ")
    if workload in (TEXTS, TEXTS_SINGLE):
        texts = json.loads((folder / "texts.json").read_text())
        answer_texts = TEXT_ENGINES[side](folder, kind, given["threads"])
        parts = [[text] for text in texts] if workload == TEXTS_SINGLE else [texts]
        np.save(folder / f"{name} {workload}.npy", np.concatenate([answer_texts(part) for part in parts]))
        return lambda: {"sentences": len(texts)} | timed(answer_texts, parts, is_single=workload == TEXTS_SINGLE)

    with np.load(folder / "rows.npz") as held:
        rows = [held[key] for key in held.files]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i])) if workload == "sorted" else list(range(len(rows)))
    size = 1 if workload == "single" else BATCH
    groups = [[rows[i] for i in order[start : start + size]] for start in range(0, len(rows), size)]
    answer: Callable[[list[Array]], list[Array]] = ENGINES[side](folder, kind, given["threads"])
    np.save(folder / f"{name} {workload}.npy", np.concatenate([logits for group in groups for logits in answer(group)]))

    return lambda: {"sentences": len(rows)} | timed(answer, groups, is_single=size == 1)


def timed(answer: Callable[[Any], Any], parts: Sequence[Any], *, is_single: bool) -> Answer:
    """Answer all parts; where they are single rows or texts, the milliseconds that half of them, and 99 of 100, take at most."""
    milliseconds = []
    for part in parts:
        started = time.perf_counter()
        answer(part)
        milliseconds.append(1000 * (time.perf_counter() - started))
    p50, p99 = np.percentile(milliseconds, (50, 99)).tolist()
    return {"p50_ms": p50, "p99_ms": p99} if is_single else {}


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        "## Inference",
        "",
        "`python benchmarks/inference.py`: sentences a second by the clock, rows of 6 to 116 tokens, 61 on average; batches of",
        f"{BATCH} in the order given, the same sorted by length, and one by one; `texts` goes from lines of text to labels",
        "(Predictor, pipeline), `texts single` one text after the other; `exported` is Predictor with onnxruntime. Random",
        "weights; a process each, taking turns; median (lowest to highest). The difference is the largest of a logit (`texts`:",
        "of a probability) from transformers' in float32. In brackets behind it: theirs to the fastest of ours, the median of",
        "the same rounds.",
        described(result),
        "",
    ]
    for size, workloads in result["measured"].items():
        names = list(dict.fromkeys(name for held in workloads.values() for name in held["rounds"]))
        head = ("", *workloads, "single: p50, p99, ms", "texts single: p50, p99, ms", "difference", "`texts`")
        rows = [[name, *(cell(held, name) for held in workloads.values()), *others(workloads, name)] for name in names]
        lines += [f"**{size}** (`auto` takes {result['auto'][size]})", "", *table(head, rows), ""]
    left_out = [f"Left out: {name} ({why})." for name, why in result["left_out"].items()]
    return [*lines, *left_out, draw(result), "", "File: [inference.json](../benchmarks/results/inference.json)."]


def cell(held: dict[str, Any], name: str) -> str:
    """Sentences a second, and what one of theirs takes to the fastest of ours."""
    if name not in held["rounds"]:
        return ""
    ratios = held["theirs_to_ours"]["seconds"][fastest(held["rounds"])]
    times = f" [{ratios[name]['median']:.1f}]" if name in ratios else ""
    return f"{told(speeds(held, name), '.0f')}{times}"


def others(workloads: dict[str, Any], name: str) -> list[str]:
    delays = []
    for key in ("single", TEXTS_SINGLE):
        found = workloads.get(key, {"rounds": {}})["rounds"].get(name, [])
        medians = [spread([one[field] for one in found])["median"] for field in ("p50_ms", "p99_ms") if found]
        delays.append(", ".join(f"{median:.1f}" for median in medians))
    return [*delays, apart(workloads, name, WORKLOADS), apart(workloads, name, (TEXTS, TEXTS_SINGLE))]


def apart(workloads: dict[str, Any], name: str, keys: Sequence[str]) -> str:
    """The largest difference of a contender's answers over these workloads; nothing where it was in none."""
    found = [workloads[key]["difference"][name] for key in keys if name in workloads.get(key, {}).get("difference", {})]
    return f"{max(found):.1e}" if found else ""


def speeds(held: dict[str, Any], name: str) -> list[float]:
    return [one["sentences"] / one["seconds"] for one in held["rounds"][name]]


def draw(result: dict[str, Any]) -> str:
    """Speed, a panel for each size and workload of logits, the fastest on top."""
    figure, panels = axes(len(WORKLOADS), len(result["measured"]), width=15.0, height=3.4)
    for row, (size, workloads) in zip(panels, result["measured"].items(), strict=True):
        for axis, workload in zip(row, WORKLOADS, strict=True):
            found = {name: spread(speeds(workloads[workload], name)) for name in workloads[workload]["rounds"]}
            names = sorted(found, key=lambda name: found[name]["median"])
            middle = [found[name]["median"] for name in names]
            error = [
                [found[name]["median"] - found[name]["lowest"] for name in names],
                [found[name]["highest"] - found[name]["median"] for name in names],
            ]
            colors = [color_of(name, name.split()[0] == OURS) for name in names]
            axis.barh(names, middle, xerr=error, color=colors, ecolor="#00000055")
            axis.tick_params(axis="y", labelsize="small")
            axis.set(title=f"{size}, {workload}: sentences a second")
    return picture(figure, "inference", "Sentences a second, the fastest on top; electra in red")


if __name__ == "__main__":
    main()
