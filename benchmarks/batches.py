"""Batches of pretraining that all contenders read from a file: real text, random ids, and rows of mixed lengths."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from texts import corpus, mixed_lengths, padded, rows_of_lengths

from electra.batch import Batch


def write_batches(
    folder: Path, files: Sequence[Path], vocabulary: int, *, shape: tuple[int, int, int]
) -> dict[str, Any]:
    """Write a file for each workload, with arrays of this shape: batches, rows, positions. Returns the ids of special tokens."""
    from electra.data.batches import batch
    from electra.data.corpus import Corpus
    from electra.data.segments import build_segments

    batches, rows, length = shape
    place = corpus(files, vocabulary)
    held = Corpus.open(place)
    special, segments = held.special_ids, build_segments(held, length, 0)
    ids = np.random.default_rng(0).integers(len(special), vocabulary, (batches * rows, length))
    ids[:, 0], ids[:, -1] = special["cls"], special["sep"]
    mixed = rows_of_lengths(place, mixed_lengths(batches * rows), special["cls"], special["sep"])
    for name, arrays in {
        "real text": vars(batch(segments, seed=0, step=0, batch_size=batches * rows)),
        "random ids": padded(list(ids)),
        "mixed lengths": padded(mixed),
    }.items():
        whole = {key: np.asarray(array, np.int32) for key, array in arrays.items() if array is not None}
        np.savez(folder / f"{name}.npz", **{key: array.reshape(batches, rows, -1) for key, array in whole.items()})
    return {"special_ids": special}


def read_batches(path: Path) -> list[Batch]:
    """The batches of a file, each cut to its longest row."""
    with np.load(path) as file:
        held = {key: file[key] for key in ("input_ids", "attention_mask", "token_type_ids")}
    longest = held["attention_mask"].any(1).sum(1)  # (batches,)
    return [
        Batch(**{key: np.ascontiguousarray(array[number, :, :length]) for key, array in held.items()})
        for number, length in enumerate(longest.tolist())
    ]
