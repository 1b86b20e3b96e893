"""How cost grows: a pretraining step over length, batch, width, depth and threads, and preparation over the size of its text.

    python benchmarks/scaling.py [--quick]
    python benchmarks/scaling.py --table

One thing changes at a time, from ELECTRA-small with a quarter of its width for the generator, 32 rows of 128 tokens (random ids,
full rows), precision auto. Each point is a process of its own, and its memory the peak of that. The lines to compare with are
the operations of the same points (products of matrices, machine.py), put through the point that all share.
"""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from document import axes, picture, table, write_section
from machine import described, facts, pretraining_operations
from prepare import OURS as PREPARE
from prepare import measure as run_prepare
from texts import files_of, lines_of, vocabulary
from turns import Answer, Contender, arguments, parsed, spread, write_results

from electra.config import ElectraConfig

VOCABULARY, SHARE, ROUNDS = 30_522, 0.15, 2
CORES = len(os.sched_getaffinity(0))
SHARED = {"length": 128, "batch": 32, "width": 256, "depth": 12}
POINTS: dict[str, Sequence[int]] = {
    "length": (64, 128, 256, 512),
    "batch": (1, 4, 16, 32, 64, 256),
    "width": (128, 256, 512, 768),
    "depth": (3, 6, 12, 24),
    "threads": tuple(sorted({1, 2, CORES} & set(range(1, CORES + 1)))),
}
QUICK = {"length": 32, "batch": 4, "width": 128, "depth": 2}
SHARES_OF_TEXT = (1 / 8, 1 / 4, 1 / 2, 1)
UNITS = {"length": "tokens a row", "batch": "rows", "width": "hidden size", "depth": "layers", "threads": "threads",
         "text": "MB of text"}  # fmt: skip


def main() -> None:
    options = parsed(arguments(__doc__), "scaling")
    if options.table:
        write_section("scaling", section(json.loads(options.out.read_text())))
        return
    result: dict[str, Any] = facts(options.threads) | {"measured": {}}
    shared = result["shared"] = (QUICK if options.quick else SHARED) | {"threads": options.threads}
    known: dict[str, dict[str, Any]] = {}
    for what, values in POINTS.items():
        for value in values[:1] if options.quick else values:
            sizes = shared | {what: value}
            key = json.dumps(sizes)
            if key not in known:
                known[key] = point(sizes, 1 if options.quick else ROUNDS)
                print(what, value, json.dumps(known[key]), flush=True)
            result["measured"].setdefault(what, []).append({"value": value, **known[key]})
    result["measured"]["text"] = preparations(options)
    write_results(options.out, result)


def point(sizes: dict[str, int], rounds: int) -> dict[str, Any]:
    """A process that makes some steps of these sizes: tokens a second, operations a token, peak memory."""
    with Contender("scaling", f"electra {json.dumps(sizes)}", sizes, sizes["threads"]) as contender:
        answers = [contender.ask("step") for _ in range(rounds + 1)][1:]
    return {
        "tokens_per_second": spread([one["tokens"] / one["seconds"] for one in answers]),
        "operations_per_token": answers[0]["operations"] / answers[0]["tokens"],
        "peak_mb": max(one["peak_bytes"] for one in answers) / 1e6,
    }


def contend(name: str, given: dict[str, Any], workload: str) -> Callable[[], Answer]:
    """A round is one step."""
    from electra.batch import Batch
    from electra.objective import mask_tokens
    from electra.training.backend import open_backend
    from electra.training.settings import PretrainSettings

    length, rows, width = given["length"], given["batch"], given["width"]
    model = ElectraConfig.small(
        hidden_size=width, num_hidden_layers=given["depth"], num_attention_heads=max(1, width // 64),
        intermediate_size=4 * width, max_position_embeddings=max(512, length),
    )  # fmt: skip
    networks = {"discriminator": model, "generator": model.generator()}
    special_ids = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    settings = PretrainSettings(batch_size=rows, max_length=length, threads=given["threads"])
    backend, rng, numbers = open_backend("torch", networks, settings, special_ids), np.random.default_rng(0), count()
    operations = pretraining_operations(**networks, length=length, share=SHARE)

    def work() -> Answer:
        ids = rng.integers(len(special_ids), VOCABULARY, (rows, length)).astype(np.int32)
        batch = Batch(input_ids=ids, attention_mask=np.ones_like(ids), token_type_ids=np.zeros_like(ids))
        masked = mask_tokens(batch, settings=settings, special_ids=special_ids, vocab_size=VOCABULARY, rng=rng)
        backend.train_step([(batch, masked)], step=next(numbers), learning_rate=1e-4)
        return {"tokens": ids.size, "operations": operations * ids.size}

    return work


def preparations(options: Any) -> list[dict[str, Any]]:
    """`electra prepare` on a part of the text: megabytes a second by the clock of the whole process, and peak memory."""
    files = files_of(options.corpus)
    lines, tokenizer, found = lines_of(files), vocabulary(files, VOCABULARY), []
    for share in SHARES_OF_TEXT[:1] if options.quick else SHARES_OF_TEXT:
        with tempfile.TemporaryDirectory() as place:
            text = Path(place) / "text.txt"
            text.write_text("\n".join(lines[: int(share * len(lines))]) + "\n", encoding="utf-8")
            megabytes = text.stat().st_size / 1e6
            runs = [run_prepare(PREPARE, tokenizer, [str(text)]) for _ in range(1 if options.quick else 3)]
        found.append(
            {
                "value": round(megabytes, 2),
                "megabytes_per_second": spread([megabytes / one["seconds"] for one in runs]),
                "peak_mb": max(one["peak_mb"] for one in runs),
            }
        )
        print("text", json.dumps(found[-1]), flush=True)
    return found


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    rows = []
    for what, points in result["measured"].items():
        for held in points:
            speed = held.get("tokens_per_second") or held["megabytes_per_second"]
            form, unit = (",.0f", "tokens/s") if "tokens_per_second" in held else (".1f", "MB/s")
            operations = held.get("operations_per_token")
            rows.append([
                f"{held['value']:,} {UNITS[what]}",
                f"{speed['median']:{form}} ({speed['lowest']:{form}} to {speed['highest']:{form}}) {unit}",
                f"{operations / 1e6:,.0f}" if operations else "",
                f"{operations * speed['median'] / 1e9:,.0f}" if operations else "", f"{held['peak_mb']:,.0f}",
            ])  # fmt: skip
    return [
        "## How cost grows",
        "",
        "`python benchmarks/scaling.py`: one thing changes at a time, from a pretraining step of ELECTRA-small over 32 rows of",
        "128 tokens, precision auto, each point in a process of its own; the last rows are `electra prepare`. Median (lowest to",
        "highest). In the picture, dashed: what the operations of the products of matrices would give, through the point that",
        "all share, and twice the speed for twice the threads.",
        described(result),
        "",
        *table(("", "speed", "MFLOP a token", "GFLOP/s", "peak MB"), rows),
        "",
        draw(result),
        "",
        "File: [scaling.json](../benchmarks/results/scaling.json).",
    ]


def draw(result: dict[str, Any]) -> str:
    """A column for each thing that changes: speed above, memory below."""
    figure, panels = axes(len(result["measured"]), 2, width=18.0, height=3.2)
    for above, below, (what, points) in zip(*panels, result["measured"].items(), strict=True):
        values = [held["value"] for held in points]
        speeds = [(held.get("tokens_per_second") or held["megabytes_per_second"])["median"] for held in points]
        above.plot(values, speeds, "o-")
        expected = expectations(result["shared"], what, points)
        if expected:
            above.plot(values, expected, "--", color="tab:gray", label="by operations")
        peaks = [held["peak_mb"] for held in points]
        below.plot(values, peaks, "o-", color="tab:orange")
        above.set(title="MB/s" if what == "text" else "tokens/s", xscale="log", ylim=(0, None))
        below.set(title="peak MB", xscale="log", xlabel=UNITS[what], ylim=(0, 1.1 * max(peaks)))
        for axis in (above, below):
            axis.set_xticks(values, [f"{value:g}" for value in values])
            axis.minorticks_off()
            axis.grid(alpha=0.3)
    return picture(figure, "scaling", "Speed and memory over length, batch, width, depth, threads and text")


def expectations(shared: dict[str, int], what: str, points: list[dict[str, Any]]) -> list[float]:
    """Speeds in proportion to the operations of a token, and to threads; none where the shared point was not measured."""
    middle = next((held for held in points if held["value"] == shared.get(what)), None)
    if middle is None:
        return []
    speed, operations = middle["tokens_per_second"]["median"], middle["operations_per_token"]
    more = [held["value"] / middle["value"] if what == "threads" else 1.0 for held in points]
    return [speed * operations / held["operations_per_token"] * by for held, by in zip(points, more, strict=True)]


if __name__ == "__main__":
    main()
