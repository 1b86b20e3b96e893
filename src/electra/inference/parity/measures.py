"""What is measured of a model and its export: how far their answers are apart, how fast each answers, how large it is.

Unusual here: contenders are timed one after the other and not in turns, since the threads of onnxruntime wait busily for a
next call for a while, and would take the processor from whoever comes next.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from electra.config import ElectraConfig
from electra.heads import Head
from electra.inference.engine import Arrays, Engine
from electra.inference.parity.rows import BATCH
from electra.tasks.task import Array, Feature, collate
from electra.weights.checkpoint import list_files

CALLS, SECONDS = 200, 10.0  # one by one: so many calls, or so many seconds of them
PASSES = 3  # over all rows in batches, or SECONDS of them
UNMEASURED = 3  # calls before the clock runs
WEIGHTS = (".safetensors", ".onnx", ".data")


def differences(
    engines: Sequence[Engine], batches: Sequence[Arrays], head: Head, config: ElectraConfig
) -> list[dict[str, float | None]]:
    """Of each engine from the first: the largest and the mean difference of a number, and the share of equal decisions.

    Over real tokens. A decision is the class of a text or of a token, the choice, where an answer begins or ends, or whether
    a token was replaced; None where the head decides nothing. A number that is not finite makes the difference NaN.
    """
    largest, total, same = (np.zeros(len(engines)) for _ in range(3))
    numbers = decisions = 0
    for inputs in batches:
        is_real = inputs["attention_mask"].astype(bool)
        expected = engines[0].predict(inputs)
        for field, array in expected.items():
            reference, decided = _real(array, head, is_real), _decided(field, array, head, config, is_real)
            numbers += reference.size
            decisions += 0 if decided is None else decided.size
        for place, engine in enumerate(engines):
            answer = engine.predict(inputs) if place else expected
            for field, array in expected.items():
                apart = np.abs(_real(answer[field], head, is_real) - _real(array, head, is_real))
                largest[place] = np.maximum(largest[place], apart.max(initial=0))
                total[place] += apart.sum(dtype=np.float64)
                decided = _decided(field, array, head, config, is_real)
                if decided is not None:
                    same[place] += np.sum(_decided(field, answer[field], head, config, is_real) == decided)
    return [
        {
            "largest_difference": float(largest[place]),
            "mean_difference": float(total[place] / numbers),
            "same_decisions": float(same[place] / decisions) if decisions else None,
        }
        for place in range(len(engines))
    ]


def _real(array: Array, head: Head, is_real: Array) -> Array:
    """The numbers of real tokens, where an answer has positions."""
    return array[is_real] if "L" in head.logits or not head.logits else array


def _decided(field: str, array: Array, head: Head, config: ElectraConfig, is_real: Array) -> Array | None:
    if not head.logits:
        return None
    if field in ("start_logits", "end_logits"):
        return np.asarray(np.where(is_real, array, -np.inf).argmax(1))
    if head.logits == "BL" or vars(config).get("problem_type") == "multi_label_classification":
        return _real(array > 0, head, is_real)
    return None if array.shape[-1] == 1 else _real(array.argmax(-1), head, is_real)


def speed(engine: Engine, rows: Sequence[Feature], batches: Sequence[Arrays]) -> dict[str, Any]:
    """Milliseconds of a row that goes alone, and rows a second in batches of mixed lengths."""
    singles = [partial(engine.predict, collate([row], pad_token_id=0, multiple=1)[0]) for row in rows]
    seconds = _timed(singles, CALLS)
    p50, p99 = (1000 * np.percentile(seconds, (50, 99))).tolist()
    passes = _timed([lambda: [engine.predict(inputs) for inputs in batches]], PASSES)
    rate = len(rows) / float(np.median(passes))
    return {"p50_ms": p50, "p99_ms": p99, "calls": len(seconds), "rows_per_second": rate, "batch": BATCH}


def _timed(calls: Sequence[Callable[[], Any]], most: int) -> list[float]:
    """Seconds of the calls, in their order again and again: `most` of them, or as many as go into SECONDS."""
    for call in calls[: min(UNMEASURED, most - 1)]:
        call()
    taken: list[float] = []
    while len(taken) < most and sum(taken) < SECONDS:
        started = time.perf_counter()
        calls[len(taken) % len(calls)]()
        taken.append(time.perf_counter() - started)
    return taken


def size_of(folder: Path) -> int:
    """Bytes of the weights of a folder."""
    return sum((folder / name).stat().st_size for name in list_files(folder) if name.endswith(WEIGHTS))
