"""Where the time of a pretraining step goes: ELECTRA-small in the fused path, 32 rows of 128 tokens of real text.

    python benchmarks/step_profile.py [--quick]
    python benchmarks/step_profile.py --table

The functions of electra.torch.fused and kernels are clocked from outside; what is left is PyTorch: embeddings, gathering rows,
autograd, losses, clipping, Adam. The share of the peak is of a product of two square matrices on the same threads.

And the same steps in three ways that take turns: "plain" layers by PyTorch's kernels alone, those "compiled" by torch.compile,
and "fused", as they are by default on such a processor.
"""

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from batches import read_batches, write_batches
from document import table, write_section
from machine import described, facts, has_bfloat16, matrix_product, pretraining_operations
from pretraining import RATE, VOCABULARY, B, L, our_step
from texts import files_of
from turns import Answer, arguments, parsed, spread, take_turns, told, write_results

from electra.training.settings import PretrainSettings

PARTS: dict[str, tuple[tuple[str, str], ...]] = {  # what -> (holder in electra.torch, name)
    "products, forward": (("fused._Weight", "times"),),
    "products, backward to what came in": (("fused._Weight", "back"),),
    "products, backward to the weights": (("fused._Weight", "gradient"),),
    "attention, forward": (("kernels", "attention"),),
    "attention, backward": (("kernels", "attention_backward"),),
    "bias, dropout, residual, LayerNorm": (("kernels", "add_norm"), ("kernels", "add_norm_backward")),
    "GELU with its bias": (("kernels", "gelu"), ("kernels", "gelu_backward")),
    "softmax over the vocabulary, errors, samples": (("kernels", "guess"), ("kernels", "guess_backward")),
}
WARM, STEPS = 3, 12
WAYS: dict[str, tuple[dict[str, str], bool]] = {  # environment, whether to compile
    "plain": ({"ELECTRA_NATIVE": "0"}, False),
    "compiled": ({"ELECTRA_NATIVE": "0"}, True),
    "fused": ({}, False),
}
ROUNDS = 5


def main() -> None:
    options = parsed(arguments(__doc__), "step_profile")
    if options.table:
        write_section("step_profile", section(json.loads(options.out.read_text())))
        return
    import torch

    torch.set_num_threads(options.threads)
    result: dict[str, Any] = facts(options.threads) | {"measured": {}}
    steps = 2 if options.quick else STEPS
    with tempfile.TemporaryDirectory() as place:
        given = write_batches(Path(place), files_of(options.corpus), VOCABULARY["small"], shape=(WARM + steps, B, L))
        batches = read_batches(Path(place) / "real text.npz")
        for precision in ["float32", *(["bfloat16"] if has_bfloat16() else [])]:
            result["measured"][precision] = profile(precision, batches, given["special_ids"], options.threads)
            print(precision, json.dumps(result["measured"][precision]), flush=True)
        rounds = {"real text": 1 if options.quick else ROUNDS}
        names = [f"{way} {precision}" for way in WAYS for precision in result["measured"]]
        found, _ = take_turns(
            "step_profile", names, given | {"batches": place}, rounds, threads=options.threads, warm=2
        )
    result["ways"] = found["real text"]
    write_results(options.out, result)


def contend(name: str, given: dict[str, Any], workload: str) -> Callable[[], Answer]:
    """A round is one step."""
    way, precision = name.split()
    variables, is_compiled = WAYS[way]
    os.environ.update(variables)
    settings = PretrainSettings(size="small", batch_size=B, max_length=L, precision=precision, compile=is_compiled)
    step = our_step(settings, settings.networks(VOCABULARY["small"], pad_token_id=0), given["special_ids"])
    batches, numbers = read_batches(Path(given["batches"]) / f"{workload}.npz"), count()

    def work() -> Answer:
        number = next(numbers)
        loss, _ = step(batches[number % len(batches)], number, RATE)
        return {"generator_loss": loss}

    return work


def profile(precision: str, batches: list[Any], special_ids: dict[str, int], threads: int) -> dict[str, Any]:
    """Seconds a step of each part, of the whole, and operations."""
    settings = PretrainSettings(size="small", batch_size=B, max_length=L, precision=precision, threads=threads)
    networks = settings.networks(VOCABULARY["small"], pad_token_id=0)
    step, seconds = our_step(settings, networks, special_ids), clock_parts()
    for number, batch in enumerate(batches):
        if number == WARM:
            seconds.clear()
            started = time.perf_counter()
        step(batch, number, RATE)
    count = len(batches) - WARM
    whole = (time.perf_counter() - started) / count
    tokens = [length for batch in batches[WARM:] for length in batch.attention_mask.sum(1).tolist()]
    share = settings.mask_probability
    operations = sum(n * pretraining_operations(**networks, length=n, share=share) for n in tokens)
    without = sum(n * pretraining_operations(**networks, length=0, share=share) for n in tokens)
    peak = matrix_product(precision, threads)
    peak()
    began = time.perf_counter()
    done = peak()["operations"]
    return {
        "seconds": whole,
        "parts": {name: spent / count for name, spent in seconds.items()},
        "operations": operations / count,
        "operations_of_products": without / count,
        "peak": done / (time.perf_counter() - began),
    }


def clock_parts() -> Counter[str]:
    """Seconds by part, which grow as the functions are called from now on."""
    from electra.torch import fused, kernels

    seconds: Counter[str] = Counter()
    holders = {"kernels": kernels, "fused._Weight": fused._Weight}
    for part, names in PARTS.items():
        for holder, name in names:
            function = getattr(holders[holder], name)
            setattr(holders[holder], name, clocked(getattr(function, "whole", function), seconds, part))
    return seconds


def clocked(function: Callable[..., Any], seconds: Counter[str], part: str) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        started = time.perf_counter()
        found = function(*given, **named)
        seconds[part] += time.perf_counter() - started
        return found

    call.whole = function  # type: ignore[attr-defined]
    return call


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    measured = result["measured"]
    names = [*PARTS, "PyTorch: all else"]
    rows = []
    for name in names:
        row = [name]
        for held in measured.values():
            spent = held["parts"].get(name, held["seconds"] - sum(held["parts"].values()))
            row += [f"{1e3 * spent:,.0f}", f"{100 * spent / held['seconds']:.0f}%"]
        rows.append(row)
    rows.append(
        ["all", *(cell for held in measured.values() for cell in (f"**{1e3 * held['seconds']:,.0f}**", "100%"))]
    )
    shares = []
    for precision, held in measured.items():
        spent = sum(value for name, value in held["parts"].items() if name.startswith("products"))
        rate, whole, peak = held["operations_of_products"] / spent, held["operations"] / held["seconds"], held["peak"]
        shares.append(
            f"In {precision} the products run at {rate / 1e9:,.0f} GFLOP/s, {rate / peak:.0%} of the {peak / 1e9:,.0f} that "
            f"square matrices reach; the whole step at {whole / 1e9:,.0f}, {whole / peak:.0%}."
        )
    return [
        "## Where a pretraining step spends its time",
        "",
        f"`python benchmarks/step_profile.py`: ELECTRA-small, {B} rows of {L} tokens of real text, dropout 0.1. Milliseconds.",
        described(result),
        "",
        *table(("", *(cell for precision in measured for cell in (precision, "of it"))), rows),
        "",
        *shares,
        "",
        "The same steps in three ways that took turns: by PyTorch's kernels alone, compiled by torch.compile, and as they are",
        "by default. Seconds a step by the clock, median (lowest to highest).",
        "",
        *table(
            ("", "seconds", "of the processor", "peak MB", "plain / this"),
            [way_row(name, result["ways"]) for name in result["ways"]],
        ),
        "",
        "File: [step_profile.json](../benchmarks/results/step_profile.json).",
    ]


def way_row(name: str, ways: dict[str, list[Answer]]) -> list[str]:
    rounds, plain = ways[name], ways[f"plain {name.split()[1]}"]
    gain = [one["seconds"] / other["seconds"] for one, other in zip(plain, rounds, strict=True)]
    return [
        name, *(told([one[key] for one in rounds], ".2f") for key in ("seconds", "cpu_seconds")),
        f"{max(one['peak_bytes'] for one in rounds) / 1e6:,.0f}", f"{spread(gain)['median']:.1f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
