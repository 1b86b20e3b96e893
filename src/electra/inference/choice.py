"""Which precision is the fastest here: float32 and bfloat16, by timing one layer of the model's width. A few milliseconds.

One layer tells: products are most of the work, and their speed in each precision is what machines differ in.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from electra.config import ElectraConfig
from electra.inference import compiled

Array = np.ndarray[Any, Any]
TRIED = ("float32", "bfloat16")
TOKENS, TRIES = 192, 5
GAIN = 0.9  # of float32's time that bfloat16 may take to be chosen


def of_compiled(config: ElectraConfig) -> str:
    """The precision that is faster in our own C."""
    return fastest(time_compiled(config))


def of_torch(config: ElectraConfig) -> str:
    """The precision that is faster in PyTorch, on the CPU."""
    return fastest(time_torch(config))


def fastest(seconds: Mapping[str, float]) -> str:
    """bfloat16 where there is no doubt that it is faster, else float32."""
    return "bfloat16" if seconds.get("bfloat16", np.inf) < GAIN * seconds["float32"] else "float32"


def time_compiled(config: ElectraConfig, kinds: tuple[str, ...] = TRIED) -> dict[str, float]:
    """Seconds of the widest layer over TOKENS tokens, for each of these precisions the processor has."""
    weight, x = _layer(config)
    layers = {kind: compiled.Linear(weight, weight[:, 0], kind) for kind in kinds if kind in compiled.kinds()}
    return _timed({kind: partial(layer, x) for kind, layer in layers.items()})


def time_torch(config: ElectraConfig) -> dict[str, float]:
    """As `time_compiled`, in PyTorch."""
    import torch

    weight, x = map(torch.from_numpy, _layer(config))
    types = zip(TRIED, (torch.float32, torch.bfloat16), strict=True)
    pairs = {kind: (x.to(dtype), weight.to(dtype)) for kind, dtype in types}
    with torch.inference_mode():
        return _timed({kind: partial(torch.nn.functional.linear, *pair) for kind, pair in pairs.items()})


def _layer(config: ElectraConfig) -> tuple[Array, Array]:
    """A weight (I, H) and tokens (TOKENS, H)."""
    rng = np.random.default_rng(0)
    rows = (config.intermediate_size, TOKENS)
    weight, x = (rng.standard_normal((count, config.hidden_size), np.float32) for count in rows)
    return weight, x


def _timed(calls: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """The least seconds of each call; they take turns, after one that does not count."""
    seconds = dict.fromkeys(calls, np.inf)
    for attempt in range(TRIES + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if attempt:
                seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds
