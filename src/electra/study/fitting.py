"""A run's settings fitted to its budget: steps, warm-up and decay, when it is evaluated, and when it is saved.

Minutes are minutes of updates, as `seconds` in metrics.jsonl counts them, at the speed that was measured before; see speed.py.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from electra.data.corpus import Corpus
from electra.errors import ConfigError
from electra.flops import multiplied
from electra.study.contents import Budget
from electra.training.backend import Backend, open_backend
from electra.training.settings import PretrainSettings, with_steps
from electra.training.steps import Steps

WARM, TIMED = 6, 18  # steps: the first warm caches and kernels
SECONDS = 6.0  # a measurement takes at least so long, where the budget is not shorter
SAVED, LOGGED = 16, 50  # checkpoints and lines of metrics in a run
MOST = 1000  # steps that are timed
COUNTED = 8  # batches that tokens are counted of and steps are timed on


def fit(
    settings: PretrainSettings, budget: Budget, corpus: Path, *, evaluations: int, speed: float | None
) -> PretrainSettings:
    """The settings with their length. speed: seconds a step takes. Raises ConfigError where the budget is less than a step."""
    return with_length(settings, budget, steps_of(settings, budget, corpus, speed), evaluations)


def with_length(settings: PretrainSettings, budget: Budget, steps: int, evaluations: int) -> PretrainSettings:
    """The settings of a run of so many steps, with all that follows from them."""
    if steps < 1:
        raise ConfigError(
            f"{budget} is less than one step of {settings.batch_size} rows of {settings.max_length} tokens"
        )
    return replace(
        with_steps(settings, steps), eval_every=max(1, -(-steps // evaluations)), checkpoint_every=max(1, steps // SAVED),
        keep_checkpoints=1, log_every=max(1, steps // LOGGED),
    )  # fmt: skip


def steps_of(settings: PretrainSettings, budget: Budget, corpus: Path, speed: float | None = None) -> int:
    """How many updates the budget pays. speed: seconds a step takes, which minutes need."""
    if budget.unit == "minutes":
        assert speed is not None
        return round(budget.amount * 60 / speed)
    if budget.unit == "flops":
        return round(budget.amount / step_flops(settings, corpus))
    return round(budget.amount / step_tokens(settings, corpus))


def networks_of(settings: PretrainSettings, corpus: Path) -> dict[str, Any]:
    """The networks a run of these settings trains."""
    opened = Corpus.open(corpus)
    return settings.networks(opened.vocab_size, opened.special_ids["pad"])


def step_flops(settings: PretrainSettings, corpus: Path) -> float:
    """FLOPs of an update: what its matrix products multiply and add, padding too."""
    networks, shape = networks_of(settings, corpus), {"length": settings.max_length, "batch_size": settings.batch_size}
    everywhere, objective = 0.0, str(settings.objective)
    if objective == "all_tokens_mlm":  # two heads on one encoder, which names every token
        everywhere = multiplied({"masked_lm": networks.pop("masked_lm")}, predicted=1.0, **shape)
        networks.pop("discriminator")
    return everywhere + multiplied(networks, predicted=settings.mask_probability, **shape)


def step_tokens(settings: PretrainSettings, corpus: Path) -> float:
    """Real tokens of an update, on average."""
    steps = Steps(corpus, "train", settings)
    counts = [sum(int(rows.attention_mask.sum()) for rows, _ in steps(number)) for number in range(COUNTED)]
    return float(np.mean(counts))


def opened_backend(settings: PretrainSettings, corpus: Path) -> Backend:
    """The networks of a run before its first step."""
    return open_backend("torch", networks_of(settings, corpus), settings, Corpus.open(corpus).special_ids)


def step_seconds(backend: Backend, settings: PretrainSettings, corpus: Path, *, at_most: float) -> float:
    """What an update takes, by the clock, as metrics.jsonl will count it. Nothing is learned (the rate is 0).

    at_most   seconds that the measurement takes, about
    """
    steps = Steps(corpus, "train", settings)
    parts = [steps(number) for number in range(COUNTED)]  # metrics.jsonl does not count the making of batches either

    def step(number: int) -> None:
        backend.train_step(parts[number % COUNTED], step=number, learning_rate=0.0)

    return measured_seconds(step, at_most)


def measured_seconds(step: Callable[[int], object], at_most: float) -> float:
    """Seconds of a step, the mean of at least TIMED; `step` gets its number."""
    seconds = list[float]()
    for number in range(WARM + MOST):
        started = time.perf_counter()
        step(number)
        seconds.append(time.perf_counter() - started)
        timed = seconds[WARM:]
        if len(timed) >= TIMED and (sum(timed) >= SECONDS or sum(seconds) >= at_most):
            break
        if timed and sum(seconds) >= at_most:
            break
    return float(np.mean(seconds[WARM:] or seconds))
