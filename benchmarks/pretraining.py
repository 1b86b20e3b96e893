"""A pretraining step beside its peers: ELECTRA-small and tiny, batches of 32 rows of 128 tokens, dropout 0.1.

    python benchmarks/pretraining.py [--quick] [--sizes small tiny]
    python benchmarks/pretraining.py --table

All have the same batches, first weights, share of masked tokens (15%, none of them special), loss positions, learning rates,
weight decay and clipping, and each masks in its own round. electra and the plain loop mask the same positions; electra-pytorch
(lucidrains) draws its own. electra's Adam has no bias correction, so its rates are those that make its updates torch's
AdamW's, and losses can be compared. The peers compute on transformers' classes, with torch's AdamW.

Three kinds of batches: real text in segments, random ids in full rows, and rows of 6 to 116 tokens that are padded to the
longest of their batch. Tokens are real ones; so are the operations that the share of the machine's peak is made of. The peak is
a product of two square matrices in the same turns, by the fastest of torch, NumPy and our own C. richarddwang's training class
is no package of PyPI and is left out.
"""

import json
import math
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from batches import read_batches, write_batches
from document import axes, color_of, picture, table, write_section
from machine import described, facts, has_bfloat16, matrix_product, pretraining_operations
from texts import files_of
from turns import (
    OURS,
    Answer,
    Rounds,
    arguments,
    fastest,
    parsed,
    spread,
    take_turns,
    theirs_to_ours,
    told,
    write_results,
)

from electra.batch import Batch
from electra.training.settings import PretrainSettings

B, L = 32, 128
VOCABULARY = {"small": 30_522, "tiny": 4_096}
UPDATES = {"small": 1, "tiny": 5}  # in a round
ROUNDS = {"real text": 5, "random ids": 3, "mixed lengths": 5}
RATE, WARM_UPDATES = 5e-4, 5
EPSILON = 1e-9  # of Adam, in all: with a larger one, bias correction would make a difference to small gradients
PEAK = "GEMM"  # the contender that only multiplies
MEASURES = ("seconds", "cpu_seconds", "peak_bytes")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sizes", nargs="+", default=list(VOCABULARY), choices=list(VOCABULARY))
    options = parsed(parser, "pretraining")
    if options.table:
        write_section("pretraining", section(json.loads(options.out.read_text())))
        return
    rounds = {next(iter(ROUNDS)): 1} if options.quick else ROUNDS
    precisions = ["float32", *(["bfloat16"] if has_bfloat16() else [])]
    names = [f"{side} {precision}" for side in (OURS, "transformers", PEAK) for precision in precisions]
    result: dict[str, Any] = facts(options.threads) | {"updates": UPDATES, "measured": {}}
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as place:
            most = UPDATES[size] * (1 + max(ROUNDS.values()))
            given = {"size": size, "batches": place} | write_batches(
                Path(place), files_of(options.corpus), VOCABULARY[size], shape=(most, B, L)
            )
            measured, result["left_out"] = take_turns(
                "pretraining", [*names, "electra-pytorch float32"], given, rounds, threads=options.threads
            )
        result["measured"][size] = {name: with_ratios(held) for name, held in measured.items()}
        write_results(options.out, result)


def with_ratios(rounds: Rounds) -> dict[str, Any]:
    trainers = {name: held for name, held in rounds.items() if not name.startswith(PEAK)}
    return {"rounds": rounds, "theirs_to_ours": {key: theirs_to_ours(trainers, key) for key in MEASURES}}


# -- the contenders -----------------------------------------------------------------------------------------------------


def contend(name: str, given: dict[str, Any], workload: str) -> Callable[[], Answer]:
    side, precision = name.split()
    if side == PEAK:
        return matrix_product(precision, given["threads"])
    settings = PretrainSettings(
        size=given["size"], batch_size=B, max_length=L, precision=precision, adam_epsilon=EPSILON
    )
    networks = settings.networks(VOCABULARY[given["size"]], pad_token_id=0)
    if side == OURS:
        step = our_step(settings, networks, given["special_ids"])
    else:
        from peers import pretraining_step

        step = pretraining_step(side, settings, networks, given["special_ids"])
    batches, numbers = read_batches(Path(given["batches"]) / f"{workload}.npz"), count()

    def work() -> Answer:
        losses, tokens, operations = [], 0, 0.0
        for _ in range(UPDATES[given["size"]]):
            number = next(numbers)
            batch = batches[number % len(batches)]
            losses.append(step(batch, number, RATE * min(1.0, (number + 1) / WARM_UPDATES)))
            for length in batch.attention_mask.sum(1).tolist():
                tokens += length
                operations += length * pretraining_operations(
                    **networks, length=length, share=settings.mask_probability
                )
        return dict(zip(("generator_loss", "discriminator_loss"), np.mean(losses, axis=0).tolist(), strict=True)) | {
            "updates_so_far": number + 1, "tokens": tokens, "operations": operations,
        }  # fmt: skip

    return work


def without_correction(rate: float, update: int) -> float:
    """The rate with which Adam without bias correction makes the update number `update` (from 0) of AdamW with it.

    Equal where epsilon is small beside the moments, but for the decay of weights, which the factor moves by next to nothing.
    """
    return rate * math.sqrt(1 - 0.999 ** (update + 1)) / (1 - 0.9 ** (update + 1))


def our_step(
    settings: PretrainSettings, networks: dict[str, Any], special_ids: dict[str, int]
) -> Callable[[Batch, int, float], tuple[float, float]]:
    from electra.objective import mask_tokens
    from electra.training.backend import open_backend

    backend, rng = open_backend("torch", networks, settings, special_ids), np.random.default_rng(0)
    vocab_size = networks["generator"].vocab_size

    def step(batch: Batch, number: int, rate: float) -> tuple[float, float]:
        masked = mask_tokens(batch, settings=settings, special_ids=special_ids, vocab_size=vocab_size, rng=rng)
        values = backend.train_step([(batch, masked)], step=number, learning_rate=without_correction(rate, number))
        return values["mlm_loss"], values["discriminator_loss"]

    return step


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        "## A pretraining step",
        "",
        f"`python benchmarks/pretraining.py`, batches of {B} rows of {L} tokens, dropout 0.1, 15% masked, AdamW, clipping:",
        "the same batches, first weights, loss positions and rates in all, a process each, taking turns. Median (lowest to",
        "highest); times are theirs to ours in the same round, by the clock, to the fastest of ours. Tokens are real ones, the",
        "share is of a product of two square matrices in the same precision and turns, by the fastest of torch, NumPy and our",
        "own C. The losses are of the last round.",
        described(result),
        "",
    ]
    for size, workloads in result["measured"].items():
        lines += [f"**{size}**", "", *table(
            ("", "", "tokens/s", "times", "tokens per s of the processor", "of the peak", "peak MB", "losses, generator and "
             "discriminator"),
            [row for workload, held in workloads.items() for row in rows_of(workload, held)],
        ), ""]  # fmt: skip
    left_out = [f"Left out: {name} ({why})." for name, why in result["left_out"].items()]
    return [*lines, *left_out, draw(result), "", "File: [pretraining.json](../benchmarks/results/pretraining.json)."]


def rows_of(workload: str, held: dict[str, Any]) -> list[list[str]]:
    rounds = held["rounds"]
    ratios = held["theirs_to_ours"]["seconds"][fastest(rounds)]
    rows = []
    for name in [name for name in rounds if not name.startswith(PEAK)]:
        peaks = [one["operations"] / one["seconds"] for one in rounds[f"{PEAK} {name.split()[1]}"]]
        share = [one["operations"] / one["seconds"] / peak for one, peak in zip(rounds[name], peaks, strict=True)]
        times = ratios.get(name)
        last = rounds[name][-1]
        rows.append([
            workload if not rows else "", name, told(speeds(rounds[name]), ",.0f"),
            f"{times['median']:.1f} ({times['lowest']:.1f} to {times['highest']:.1f})" if times else "",
            told(speeds(rounds[name], "cpu_seconds"), ",.0f"), f"{spread(share)['median']:.0%}",
            f"{max(one['peak_bytes'] for one in rounds[name]) / 1e6:,.0f}",
            f"{last['generator_loss']:.2f}, {last['discriminator_loss']:.3f} after {last['updates_so_far']}",
        ])  # fmt: skip
    return rows


def speeds(rounds: list[Answer], key: str = "seconds") -> list[float]:
    return [one["tokens"] / one[key] for one in rounds]


def draw(result: dict[str, Any]) -> str:
    """Tokens a second by the clock: a panel for each size, a group of bars for each workload."""
    figure, panels = axes(len(result["measured"]))
    for axis, (size, workloads) in zip(panels[0], result["measured"].items(), strict=True):
        names = [name for name in next(iter(workloads.values()))["rounds"] if not name.startswith(PEAK)]
        for place, name in enumerate(names):
            found = [spread(speeds(held["rounds"][name])) for held in workloads.values()]
            middle = [one["median"] for one in found]
            error = [
                [one["median"] - one["lowest"] for one in found],
                [one["highest"] - one["median"] for one in found],
            ]
            color = color_of(name, name.split()[0] == OURS)
            color = "#d9c9a3" if name.startswith("electra-pytorch") else color
            axis.bar(np.arange(len(found)) + 0.16 * place, middle, 0.15, yerr=error, label=name, color=color)
        axis.set_xticks(np.arange(len(workloads)) + 0.16 * (len(names) - 1) / 2, list(workloads))
        axis.set(title=f"{size}: tokens a second")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize="small")
    return picture(figure, "pretraining", "Tokens a second of a pretraining step")


if __name__ == "__main__":
    main()
