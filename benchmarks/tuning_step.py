"""Fine-tuning beside a plain loop: an epoch of ELECTRA-small over rows of 6 to 116 tokens, 61 on average, batches of 32.

    python benchmarks/tuning_step.py [--quick]
    python benchmarks/tuning_step.py --table

Both have the same rows of real text with two labels, first weights, number of updates, learning rate, dropout and clipping (see
pretraining.py for the rates of an Adam without bias correction). A round is an epoch: making its batches, and an update on
each. electra's are of rows of about equal length, as `electra finetune` makes them; the plain loop does what transformers'
Trainer does by default: rows in random order, each batch padded to its longest, torch's AdamW. benchmarks/finetune.py measures
whole runs, with Trainer itself.
"""

import json
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from document import table, write_section
from machine import described, encoder_operations, facts, has_bfloat16
from pretraining import EPSILON, without_correction
from texts import LONGEST, corpus, files_of, mixed_lengths, padded, rows_of_lengths
from turns import OURS, Answer, arguments, parsed, take_turns, theirs_to_ours, told, write_results

from electra.config import ElectraConfig
from electra.first_weights import first_weights
from electra.training.tune_settings import TuneSettings
from electra.weights.names import tensors

VOCABULARY = 30_522
ROWS, BATCH, ROUNDS = 192, 32, 4
RATE, WARM_UPDATES = 1e-4, 12
CLASS = "ElectraForSequenceClassification"
WORKLOAD = "mixed lengths"
Array = np.ndarray
Epoch = Callable[[int], list[float]]  # its number -> the loss of each update


def main() -> None:
    options = parsed(arguments(__doc__), "tuning_step")
    if options.table:
        write_section("tuning_step", section(json.loads(options.out.read_text())))
        return
    precisions = ["float32", *(["bfloat16"] if has_bfloat16() else [])]
    names = [f"{side} {precision}" for side in (OURS, "transformers") for precision in precisions]
    with tempfile.TemporaryDirectory() as place:
        from electra.data.corpus import Corpus

        folder = corpus(files_of(options.corpus), VOCABULARY)
        special = Corpus.open(folder).special_ids
        lengths = mixed_lengths(BATCH if options.quick else ROWS)
        np.savez(Path(place) / "rows.npz", *rows_of_lengths(folder, lengths, special["cls"], special["sep"]))
        measured, missing = take_turns(
            "tuning_step", names, {"folder": place}, {WORKLOAD: 1 if options.quick else ROUNDS}, threads=options.threads
        )
    rounds = measured[WORKLOAD]
    ratios = {key: theirs_to_ours(rounds, key) for key in ("seconds", "cpu_seconds", "peak_bytes")}
    held = {"rows": len(lengths), "left_out": missing, "rounds": rounds, "theirs_to_ours": ratios}
    write_results(options.out, facts(options.threads) | held)


# -- the contenders -----------------------------------------------------------------------------------------------------


def contend(name: str, given: dict[str, Any], workload: str) -> Callable[[], Answer]:
    """A round is the next epoch."""
    side, precision = name.split()
    with np.load(Path(given["folder"]) / "rows.npz") as held:
        rows = [held[key] for key in held.files]
    middle = np.median([row[1] for row in rows])
    labels = np.array([row[1] > middle for row in rows], np.int64)  # of the first word: it can be learned
    config = ElectraConfig.small(num_labels=2)
    weights = first_weights(tensors(config) | tensors(config, "sequence_classification"), config.initializer_range, 0)
    settings = TuneSettings(
        batch_size=BATCH,
        max_length=LONGEST,
        learning_rate=RATE,
        layer_decay=1.0,
        precision=precision,
        adam_epsilon=EPSILON,
    )
    epoch, numbers = (ours if side == OURS else theirs)(config, weights, settings, rows, labels), count()
    tokens = sum(map(len, rows))
    operations = 3.0 * sum(len(row) * encoder_operations(config, len(row)) for row in rows)

    def work() -> Answer:
        losses = epoch(next(numbers))
        return {"loss": float(np.mean(losses)), "updates": len(losses), "rows": len(rows), "tokens": tokens,
                "operations": operations}  # fmt: skip

    return work


def rate_at(update: int) -> float:
    return RATE * min(1.0, (update + 1) / WARM_UPDATES)


def ours(config: ElectraConfig, weights: Any, settings: TuneSettings, rows: list[Array], labels: Array) -> Epoch:
    from electra.tasks.task import Feature
    from electra.training.tune_batches import epoch_batches, make_batch, padding_multiple
    from electra.training.tuner import open_tuner

    tuner, updates = open_tuner("torch", CLASS, config, weights, settings, seed=0), count()
    features = [
        Feature(example=number, input_ids=row, token_type_ids=np.zeros_like(row), targets={"labels": labels[number]})
        for number, row in enumerate(rows)
    ]
    multiple = padding_multiple(settings.max_length, "torch")

    def epoch(number: int) -> list[float]:
        losses = []
        for batch in epoch_batches([len(row) for row in rows], seed=0, epoch=number, batch_size=BATCH):
            held = [features[place] for place in batch]
            inputs, targets = make_batch(held, batch_size=BATCH, pad_token_id=0, multiple=multiple)
            step = next(updates)
            rate = without_correction(rate_at(step), step)
            losses.append(tuner.train_step(inputs, targets, step=step, learning_rate=rate)["loss"])
        return losses

    return epoch


def theirs(config: ElectraConfig, weights: Any, settings: TuneSettings, rows: list[Array], labels: Array) -> Epoch:
    import torch
    import transformers
    from peers import Loop

    model = getattr(transformers, CLASS)(transformers.ElectraConfig(**config.to_dict())).train()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, strict=False)
    loop, updates = Loop(list(model.parameters()), settings, settings.precision == "bfloat16"), count()

    def epoch(number: int) -> list[float]:
        losses = []
        order = np.random.default_rng(number).permutation(len(rows))
        for batch in (order[start : start + BATCH] for start in range(0, len(rows), BATCH)):
            inputs = {name: torch.from_numpy(array) for name, array in padded([rows[place] for place in batch]).items()}
            inputs["labels"] = torch.from_numpy(labels[batch])
            losses.append(float(loop.step(lambda inputs=inputs: (model(**inputs).loss,), rate_at(next(updates)))[0]))
        return losses

    return epoch


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    ratios = result["theirs_to_ours"]["seconds"]
    rows = []
    for name, rounds in result["rounds"].items():
        times = [f"{ratios[own][name]['median']:.1f}" if name in ratios[own] else "" for own in ratios]
        speeds = [told([one["tokens"] / one[key] for one in rounds], ",.0f") for key in ("seconds", "cpu_seconds")]
        peak, last = max(one["peak_bytes"] for one in rounds), rounds[-1]
        loss = f"{last['loss']:.3f}"
        rows.append([name, speeds[0], *times, speeds[1], f"{peak / 1e6:,.0f}", loss])
    updates = next(iter(result["rounds"].values()))[0]["updates"]
    return [
        "## A fine-tuning step",
        "",
        f"`python benchmarks/tuning_step.py`: epochs of ELECTRA-small over {result['rows']} rows of 6 to 116 tokens, {updates} "
        f"updates of {BATCH} rows each,",
        "a process each, taking turns, beside a loop that pads as transformers' Trainer does. Median (lowest to highest); times",
        "are theirs to ours by the clock, the median of the same rounds. Tokens are real ones; the loss is of the last epoch.",
        described(result),
        "",
        *table(
            ("", "tokens/s", *(f"times {own}'s" for own in ratios), "tokens per s of the processor", "peak MB", "loss"),
            rows,
        ),
        "",
        "File: [tuning_step.json](../benchmarks/results/tuning_step.json).",
    ]


if __name__ == "__main__":
    main()
