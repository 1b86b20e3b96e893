"""The plan of a run: from its settings, the size of its corpus and what was measured, to time, memory, disk and money.

Everything is a plain value, as --json prints it: tokens, seconds, bytes, money. What is assumed is said in "assumptions".
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from electra.config import ElectraConfig
from electra.errors import UsageError, did_you_mean
from electra.first_weights import shapes_of
from electra.flops import multiplied, step_flops
from electra.inference.machine import cores, memory, processor
from electra.planning.machines import ACCELERATORS, Reckoned, assumptions, reckon
from electra.planning.measure import Measured, Rows, corpus_rows, measure, random_rows
from electra.training.networks import shared_by
from electra.training.settings import PretrainSettings, with_steps
from electra.weights.names import TIED_TABLE

FLOAT32 = 4  # bytes
NEAR = 0.97  # of the best speed, for which fewer rows at once are taken
HERE = "here"  # this machine's name among prices
HOUR = 3600  # seconds
Plan = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What is to be trained, on how much. examples: rows in an epoch; is_text: whether the corpus is there."""

    settings: PretrainSettings
    networks: dict[str, ElectraConfig]
    rows: Rows
    tokens: int
    examples: int
    is_text: bool

    @property
    def parameters(self) -> int:
        """Numbers that are trained, what two networks share once."""
        shared = tuple(f"{one.taker}.{one.path}." for one in shared_by(self.settings, self.networks))
        return sum(count for name, count in _sizes(self.networks).items() if not name.startswith(shared))


def make_plan(
    corpus: Path | int, settings: PretrainSettings, *, framework: str = "torch", seconds: float = 30.0,
    prices: Mapping[str, float] | None = None, gpus: Sequence[int] = (1, 8),
) -> Plan:  # fmt: skip
    """Measure this machine for about `seconds` (0: not at all) and reckon the run.

    corpus   a folder of `electra prepare`, or a number of tokens
    prices   money an hour, by the name of a GPU, or "here"
    gpus     how many of each kind
    Raises UsageError on the price of something that is not in the plan, and on minutes where nothing was measured.
    """
    prices = dict(prices or {})
    _check_prices(prices)
    job = job_of(corpus, settings)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # before there is ours
    measured = (
        measure(job.rows, job.networks, settings, framework=framework, seconds=seconds, parameters=job.parameters)
        if seconds
        else []
    )
    if settings.minutes is not None:
        job = replace(job, settings=_with_steps(job, measured))
    reckoned = [
        reckon(one, count, job.networks, job.settings, job.parameters) for one in ACCELERATORS for count in gpus
    ]
    return {
        "run": _run(job),
        "here": {"seconds": seconds, "load": load, **_here(job, measured, framework, prices.get(HERE))},
        "disk": _disk(job),
        "elsewhere": [_elsewhere(one, prices.get(one.accelerator.name)) for one in reckoned],
        "assumptions": [*_assumed(job), *assumptions(job.networks, max(gpus, default=1) > 1)],
    }


def job_of(corpus: Path | int, settings: PretrainSettings) -> Job:
    """The networks and rows of a run on a corpus, or on so many tokens of text that is not there."""
    if isinstance(corpus, Path):
        rows, tokens, examples = corpus_rows(corpus, settings)
        return Job(settings, settings.networks(rows.vocab_size, rows.special_ids["pad"]), rows, tokens, examples, True)
    size = ElectraConfig.of_size(settings.size, **settings.model)
    rows = random_rows(settings, int(vars(size)["vocab_size"]))
    networks = settings.networks(rows.vocab_size, rows.special_ids["pad"])
    return Job(settings, networks, rows, corpus, max(1, corpus // settings.max_length), False)


def _sizes(networks: Mapping[str, ElectraConfig]) -> dict[str, int]:
    """NETWORK.NAME -> numbers, of every tensor in the files of a run's networks."""
    sizes = {}
    for name, config in networks.items():
        for key, shape in shapes_of(name, config).items():
            if key != TIED_TABLE or not vars(config)["tie_word_embeddings"]:
                sizes[f"{name}.{key}"] = prod(shape)
    return sizes


def _check_prices(prices: Mapping[str, float]) -> None:
    known = [HERE, *(one.name for one in ACCELERATORS)]
    unknown = [f'"{name}"{did_you_mean(name, known)}' for name in prices if name not in known]
    if unknown:
        raise UsageError(f"there is a price for {', '.join(unknown)}; expected {', '.join(known)}")


# -- the run ----------------------------------------------------------------------------------------------------------


def _run(job: Job) -> Plan:
    settings = job.settings
    real = job.rows.real_share * settings.max_length
    size = dict(length=settings.max_length, batch_size=settings.batch_size)
    return {
        "size": settings.size,
        "objective": settings.objective,
        "parameters": job.parameters,
        "steps": settings.steps,
        "batch_size": settings.batch_size,
        "max_length": settings.max_length,
        "tokens": int(settings.steps * settings.batch_size * real),
        "corpus_tokens": job.tokens,
        "steps_per_epoch": job.examples / settings.batch_size,
        "epochs": settings.steps * settings.batch_size / job.examples,
        "flops": settings.steps * step_flops(job.networks, **size),
        "multiplied": settings.steps * multiplied(job.networks, **size, predicted=settings.mask_probability),
    }


def _disk(job: Job) -> Plan:
    """Bytes: a checkpoint has both networks and two moments; one more than is kept is there while it is written."""
    networks = FLOAT32 * sum(_sizes(job.networks).values())
    checkpoint = networks + 2 * FLOAT32 * job.parameters
    kept = min(job.settings.keep_checkpoints, -(-job.settings.steps // job.settings.checkpoint_every))
    return {"checkpoint": checkpoint, "kept": kept, "most": (kept + 1) * checkpoint + networks}


# -- this machine -----------------------------------------------------------------------------------------------------


def _here(job: Job, measured: list[Measured], framework: str, price: float | None) -> Plan:
    total, free = memory()
    batch_size = job.settings.batch_size
    facts: Plan = {
        "processor": processor(),
        "cores": cores(),
        "memory": total,
        "free_memory": free,
        "framework": framework,
    }
    facts["measured"] = [vars(one) | {"tokens_per_second": one.tokens_per_second(batch_size)} for one in measured]
    if not measured:
        return facts
    as_set, best = _as_set(job, measured), _best(job, measured)
    facts["as_set"] = _taken(job, as_set, price)
    facts["recommended"] = _taken(job, best, price) | {"accumulate": batch_size // best.rows}
    return facts


def _as_set(job: Job, measured: list[Measured]) -> Measured:
    """The measurement that is the nearest to what the settings say, threads as set."""
    asked = job.settings.batch_size // job.settings.accumulate
    same = [one for one in measured if (one.length, one.threads) == (job.settings.max_length, measured[0].threads)]
    return min(same, key=lambda one: abs(one.rows - asked))


def _best(job: Job, measured: list[Measured]) -> Measured:
    """The fewest rows at once that are about as fast as the fastest."""
    fitting = [one for one in measured if one.length == job.settings.max_length]
    speeds = {one: one.tokens_per_second(job.settings.batch_size) for one in fitting}
    return min((one for one in fitting if speeds[one] >= NEAR * max(speeds.values())), key=lambda one: one.rows)


def _update_seconds(job: Job, one: Measured) -> float:
    """With making the batch, where no other process does, and the share of evaluations: forward, a third of an update."""
    settings = job.settings
    update = one.update_seconds(settings.batch_size)
    evaluation = update * settings.eval_rows / settings.batch_size / 3 / settings.eval_every if job.is_text else 0.0
    return update + evaluation + (job.rows.seconds if settings.workers == 0 else 0.0)


def _taken(job: Job, one: Measured, price: float | None) -> Plan:
    seconds = job.settings.steps * _update_seconds(job, one)
    taken = {
        "rows": one.rows,
        "threads": one.threads,
        "tokens_per_second": one.tokens_per_second(job.settings.batch_size),
        "flops_per_second": _run(job)["flops"] / seconds,
        "seconds": seconds,
        "peak_memory": one.peak_memory,
    }
    return taken if price is None else taken | {"cost": price * seconds / HOUR}


def _with_steps(job: Job, measured: list[Measured]) -> PretrainSettings:
    """As many steps as this machine makes in the settings' minutes."""
    if not measured:
        raise UsageError("minutes become steps only where this machine was measured; give steps, or --seconds")
    assert job.settings.minutes is not None
    seconds = _as_set(job, measured).update_seconds(job.settings.batch_size)
    return with_steps(job.settings, max(1, int(job.settings.minutes * 60 / seconds)))


# -- elsewhere --------------------------------------------------------------------------------------------------------


def _elsewhere(one: Reckoned, price: float | None) -> Plan:
    facts = {
        "gpu": one.accelerator.name, "count": one.count, "peak": one.accelerator.peak, "gpu_memory": one.accelerator.memory,
        "rows": one.rows, "parts": one.parts, "memory": one.memory, "seconds": list(one.seconds), "is_measured": False,
    }  # fmt: skip
    if price is None:
        return facts
    return facts | {"cost": [price * one.count * seconds / HOUR for seconds in one.seconds]}


def _assumed(job: Job) -> list[str]:
    told = [
        "Operations: as the paper counts them, a multiplication with its addition being two, forward and backward alike, tables "
        "and padding counted (electra.flops). What is multiplied is counted apart, and held against peaks.",
        "Time here: the rest of the run is as fast as the updates that were timed, on a machine as busy as now; starting and "
        "writing checkpoints are left out"
        + (", evaluations and making batches are in." if job.is_text else ", and so are evaluations and reading text."),
    ]
    if not job.is_text:
        size = job.rows.vocab_size
        told.append(
            f"Corpus: {job.tokens:,} tokens in full rows without padding, a vocabulary of {size:,}; ids were random."
        )
    return told
