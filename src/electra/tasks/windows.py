"""Windows of a text that is longer than a row: where they begin, and which of them sees a piece best.

Source: Devlin et al., 2019, and google-research/electra, finetune/qa/qa_tasks.py.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Window = tuple[int, int]  # the number of its first piece, and how many pieces it has


def cut(count: int, *, room: int, stride: int) -> list[Window]:
    """The windows of `count` pieces: up to `room` each, `stride` apart, the last ending with the text. One if count is 0."""
    step = min(room, stride)
    windows = [(0, min(count, room))]
    while sum(windows[-1]) < count:
        start = windows[-1][0] + step
        windows.append((start, min(count - start, room)))
    return windows


def best_windows(count: int, windows: list[Window]) -> Array:
    """For each piece the number of the window where it has most pieces around it: (count,) int64.

    That is the smaller of its neighbours to the left and to the right; longer windows win by a hundredth of their length,
    then earlier ones.
    """
    best, found = np.full(count, -np.inf), np.zeros(count, np.int64)
    for number, (start, length) in enumerate(windows):
        place = np.arange(length)
        context = np.minimum(place, length - 1 - place) + 0.01 * length
        covered = slice(start, start + length)
        is_better = context > best[covered]
        best[covered] = np.where(is_better, context, best[covered])
        found[covered] = np.where(is_better, number, found[covered])
    return found
