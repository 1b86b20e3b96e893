"""Half a minute of a run's own updates on this machine: tokens a second and memory, for rows at once, threads and lengths.

Unusual here: rows at once begin few and double while the time and the free memory allow, so that the peak of memory so far is
that of the last ones. An update in parts costs its first part and the others; both are timed, because the optimizer's share is
in the first alone.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from electra.batch import Batch, map_arrays
from electra.config import ElectraConfig
from electra.data.batches import batch
from electra.data.corpus import Corpus
from electra.inference.machine import cores, memory
from electra.objective import mask_tokens
from electra.planning.machines import Accelerator
from electra.planning.machines import memory as expected_memory
from electra.training.backend import Backend, Part, open_backend
from electra.training.memory import give_back_memory, is_out_of_memory
from electra.training.settings import PretrainSettings
from electra.training.steps import BUILDERS

START_TOKENS = 512  # at once, the fewest that are tried
TIMES = 3  # an update is timed, where there is time
MOST_MEMORY = 0.7  # of what is free
MOST_TIME = 0.75  # of the seconds goes to rows at once, the rest to threads and lengths
SPECIAL_IDS = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}  # of texts that are not there


@dataclass(frozen=True)
class Measured:
    """Updates on `rows` rows at once. `first`: seconds of an update in one part; `more`: of each further part."""

    rows: int
    length: int
    threads: int
    tokens: int  # real ones in a part
    first: float
    more: float
    peak_memory: int  # bytes of the process so far; 0 where the system does not tell

    def update_seconds(self, batch_size: int) -> float:
        """Seconds of an update on batch_size rows, in parts of `rows`."""
        return self.first + (batch_size / self.rows - 1) * self.more

    def tokens_per_second(self, batch_size: int) -> float:
        """Real tokens a second, in updates of batch_size rows."""
        return self.tokens * batch_size / self.rows / self.update_seconds(batch_size)


@dataclass(frozen=True)
class Rows:
    """Rows to measure with: a batch of the corpus, or random ids where there is no text."""

    whole: Batch
    special_ids: dict[str, int]
    vocab_size: int
    settings: PretrainSettings
    seconds: float  # it took to make a batch

    def part(self, rows: int, length: int) -> Part:
        """`rows` of them, cut to `length`, masked."""
        cut = map_arrays(self.whole, lambda array: np.ascontiguousarray(array[:rows, :length]))
        rng = np.random.default_rng(0)
        masked = mask_tokens(
            cut, settings=self.settings, special_ids=self.special_ids, vocab_size=self.vocab_size, rng=rng
        )
        return cut, masked

    @property
    def real_share(self) -> float:
        """Of the positions, those that are not padding."""
        return float(np.mean(self.whole.attention_mask))


def corpus_rows(folder: Path, settings: PretrainSettings) -> tuple[Rows, int, int]:
    """Rows of a prepared corpus, its tokens, and how many examples an epoch has."""
    corpus = Corpus.open(folder, "train")
    examples = BUILDERS[settings.examples](corpus, settings.max_length, settings.seed)
    for step in range(2):  # the first reads from the disk
        started = time.perf_counter()
        whole = batch(examples, seed=settings.seed, step=step, batch_size=settings.batch_size)
        rows = Rows(whole, corpus.special_ids, corpus.vocab_size, settings, 0.0)
        rows.part(settings.batch_size, settings.max_length)
        seconds = time.perf_counter() - started
    return replace(rows, seconds=seconds), corpus.tokens, len(examples)


def random_rows(settings: PretrainSettings, vocab_size: int) -> Rows:
    """Rows of random ids, all full."""
    shape = (settings.batch_size, settings.max_length)
    ids = np.random.default_rng(0).integers(len(SPECIAL_IDS), vocab_size, shape, np.int32)
    ids[:, 0], ids[:, -1] = SPECIAL_IDS["cls"], SPECIAL_IDS["sep"]
    ones = np.ones(shape, np.int32)
    return Rows(
        Batch(input_ids=ids, attention_mask=ones, token_type_ids=ones * 0), SPECIAL_IDS, vocab_size, settings, 0.0
    )


def measure(
    rows: Rows, networks: dict[str, ElectraConfig], settings: PretrainSettings, *, framework: str, seconds: float,
    parameters: int,
) -> list[Measured]:  # fmt: skip
    """Updates timed for about `seconds`: rows at once from few to many, then half the length, then fewer threads.

    The list is empty where the machine has not the memory for the fewest rows.
    """

    def opened(threads: int) -> Backend:
        return open_backend(framework, networks, replace(settings, threads=threads), rows.special_ids)

    candidates = _candidates(settings.batch_size, settings.max_length)
    fits = fitting(networks, parameters, settings)
    if not fits(candidates[0]):
        return []
    backend = opened(settings.threads)
    threads = int(backend.describe().get("threads") or 0)
    started = time.perf_counter()
    found: list[Measured] = []
    for count in candidates:
        left = seconds * MOST_TIME - (time.perf_counter() - started)
        if found and (not fits(count) or _cost(found[-1]) * count / found[-1].rows > left):
            break
        try:
            found.append(_timed(backend, rows, count, settings.max_length, threads, left / 4))
        except Exception as error:  # a GPU's memory, of which `fits` knows nothing
            if not is_out_of_memory(error):
                raise
            give_back_memory()
            break
    if not found:
        return []
    best = max(found, key=lambda one: one.tokens_per_second(settings.batch_size))
    left = seconds - (time.perf_counter() - started)
    half, twice = settings.max_length // 2, min(2 * best.rows, settings.batch_size)
    if half >= 8 and _cost(best) < left:
        found.append(_timed(backend, rows, twice, half, threads, left / 8))
    left = seconds - (time.perf_counter() - started)
    if framework == "torch" and settings.threads == 0 and cores() > 1 and 2 * _cost(best) < left:
        del backend
        fewer = max(1, cores() // 2)
        found.append(_timed(opened(fewer), rows, best.rows, settings.max_length, fewer, left / 8))
    return found


def fitting(networks: dict[str, ElectraConfig], parameters: int, settings: PretrainSettings) -> Callable[[int], bool]:
    """Whether so many rows at once are expected to fit into this machine's free memory."""
    free = memory()[1]
    here = Accelerator("here", 0.0, "float32", free)

    def fits(count: int) -> bool:
        needed = expected_memory(networks, parameters, count, settings, here)
        return not free or needed < MOST_MEMORY * free

    return fits


def _candidates(batch_size: int, length: int) -> list[int]:
    """Rows at once that divide a batch, each at least twice the one before."""
    chosen: list[int] = []
    for count in range(1, batch_size + 1):
        is_enough = count * length >= START_TOKENS or count == batch_size
        if batch_size % count == 0 and is_enough and (not chosen or count >= 2 * chosen[-1]):
            chosen.append(count)
    return chosen


def _cost(one: Measured) -> float:
    """Seconds that timing it takes at least: a warm-up, an update in one part, and one in two."""
    return 3 * one.first + one.more


def _timed(backend: Backend, rows: Rows, count: int, length: int, threads: int, seconds: float) -> Measured:
    part = rows.part(count, length)

    def taken(parts: list[Part]) -> float:
        times: list[float] = []
        while not times or (len(times) < TIMES and sum(times) < seconds):
            started = time.perf_counter()
            backend.train_step(parts, step=0, learning_rate=0.0)
            times.append(time.perf_counter() - started)
        return median(times)

    backend.train_step([part], step=0, learning_rate=0.0)  # the first of a size warms caches and memory
    first = taken([part])
    more = min(first, max(taken([part, part]) - first, first / 2))
    return Measured(count, length, threads, int(part[0].attention_mask.sum()), first, more, peak_memory())


def peak_memory() -> int:
    """Bytes this process has had at most; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
