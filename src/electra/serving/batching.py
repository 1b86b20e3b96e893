"""One thread for each model, fed from a bounded queue: inputs of different requests are answered together.

Unusual here: a batch is what waits when the model is free, so a lone request is answered at once and a crowd in full batches;
nothing sleeps. Work whose request is over (it is too late, or the client left) is taken out of the queue. And no more is taken
in than will be answered in half the time there is: a queue as long as the deadline would have every answer come too late.
"""

import asyncio
import math
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from electra.errors import DataError
from electra.inference.shown import rounded
from electra.serving.faults import Fault
from electra.serving.limits import Limits
from electra.serving.reading import characters

CHARACTERS = 1_000  # of an input, on average over a batch: fewer inputs go together where they are longer
SHARE = (
    0.5  # of the deadline, in which what is taken in should be answered; the rest is for what takes longer than before
)
Input = dict[str, Any]
Answer = dict[str, Any]


class Model(Protocol):
    """What is served: the kind it is of, and answers to inputs, in order. It is called from one thread."""

    @property
    def kind(self) -> str: ...
    @property
    def labels(self) -> Sequence[str] | None: ...
    @property
    def max_length(self) -> int: ...
    def predict(self, inputs: Sequence[Input], /) -> list[Answer]: ...


class Job:
    """What one request asks of a model, and where its answers are put. Belongs to the loop; the thread reads it.

    alone   a call that is not put together with others, in place of `model.predict(inputs)`
    """

    def __init__(
        self, model: str, inputs: Sequence[Input], seconds: float, alone: Callable[[], Answer] | None = None
    ) -> None:
        self.model, self.inputs, self.alone = model, inputs, alone
        self.answers: list[Answer] = [{}] * len(inputs)
        self.left = len(inputs)
        self.expires = time.monotonic() + seconds
        self.has_begun = False
        self.is_over = False  # nobody waits for it any more
        self.future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()


class Worker:
    """The queue and the thread of one model, or of several that must not be asked at once.

    models     all there are, by name
    on_batch   called on the loop after each batch, with the model's name and the number of inputs
    """

    def __init__(self, models: Mapping[str, Model], limits: Limits, on_batch: Callable[[str, int], None]) -> None:
        self.models, self.limits, self.on_batch = models, limits, on_batch
        self.waiting: deque[tuple[Job, int]] = deque()  # a job and the number of one of its inputs
        self.has_work = threading.Condition()
        self.is_closed = False
        self.seconds_per_input = 0.0
        self.loop = asyncio.get_running_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    # -- on the loop ----------------------------------------------------------------------------------------------------

    def submit(self, model: str, inputs: Sequence[Input], alone: Callable[[], Answer] | None = None) -> Job:
        """Put the inputs in the queue. Raises Fault (429) where they do not fit."""
        self.check_room(len(inputs))
        job = Job(model, inputs, self.limits.deadline_seconds, alone)
        if not inputs:
            job.future.set_result([])
            return job
        with self.has_work:
            self.waiting.extend((job, number) for number in range(len(inputs)))
            self.has_work.notify()
        return job

    def check_room(self, count: int = 1) -> None:
        """Raises Fault (429) where so many inputs do not fit into the queue, or would not be answered in time."""
        waiting = len(self.waiting)
        seconds = (waiting + count + self.limits.batch_size) * self.seconds_per_input  # with the batch that is at work
        is_late = waiting > 0 and seconds > self.limits.deadline_seconds * SHARE
        if is_late or waiting + count > self.limits.queue:
            raise Fault(429, "queue_full", f"{waiting} inputs wait; send it again later", retry_after=self.retry_after)

    @property
    def retry_after(self) -> int:
        """Seconds in which what waits now will be answered, 1 to 60."""
        return min(60, max(1, math.ceil(len(self.waiting) * self.seconds_per_input)))

    def drop(self, job: Job) -> None:
        """Take what has not begun of a job out of the queue."""
        job.is_over = True
        job.future.cancel()
        with self.has_work:
            if any(held is job for held, _ in self.waiting):
                self.waiting = deque(item for item in self.waiting if item[0] is not job)

    def close(self) -> None:
        """Let the thread end after the batch it is at."""
        with self.has_work:
            self.is_closed = True
            self.waiting.clear()
            self.has_work.notify()

    def _deliver(self, jobs: Sequence[tuple[Job, Exception | None]], model: str, count: int) -> None:
        self.on_batch(model, count)
        for job, error in jobs:
            if job.future.done():
                continue
            if error is None:
                job.future.set_result(job.answers)
            else:
                job.future.set_exception(error)

    # -- in the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self.is_closed:
            batch = self._take()
            if not batch:
                continue
            started = time.monotonic()
            answers = self._answer(batch)
            seconds = (time.monotonic() - started) / len(batch)
            self.seconds_per_input = 0.8 * self.seconds_per_input + 0.2 * seconds if self.seconds_per_input else seconds
            self._keep(batch, answers)

    def _take(self) -> list[tuple[Job, int]]:
        """What is answered next, as soon as there is something; nothing where all that waited was late, or at the end."""
        batch: list[tuple[Job, int]] = []
        size = 0
        with self.has_work:
            self.has_work.wait_for(lambda: self.waiting or self.is_closed)
            now = time.monotonic()
            while self.waiting:
                job, number = self.waiting[0]
                size += _work(job.inputs[number])
                is_full = len(batch) == self.limits.batch_size or size > CHARACTERS * self.limits.batch_size
                if batch and (is_full or _sort(self.waiting[0]) != _sort(batch[0])):
                    break
                self.waiting.popleft()
                if not job.is_over and now < job.expires:
                    job.has_begun = True
                    batch.append((job, number))
        return batch

    def _answer(self, batch: Sequence[tuple[Job, int]]) -> list[Answer | Exception]:
        """An answer to each input of a batch; where one cannot be answered, its halves, so that the others are."""
        job, _ = batch[0]
        inputs = [held.inputs[number] for held, number in batch]
        try:
            return (
                [_without_id(job.alone())]
                if job.alone
                else [_without_id(answer) for answer in self.models[job.model].predict(inputs)]
            )
        except Exception as error:
            if len(batch) > 1:
                half = len(batch) // 2
                return [*self._answer(batch[:half]), *self._answer(batch[half:])]
            if isinstance(error, DataError):
                return [Fault(422, "bad_input", f"{_place(batch[0])}{str(error).removeprefix('input 1: ')}")]
            traceback.print_exc(file=sys.stderr)
            return [error]

    def _keep(self, batch: Sequence[tuple[Job, int]], answers: Sequence[Answer | Exception]) -> None:
        """Put the answers where they belong; jobs that are whole, or cannot be, are told."""
        told: list[tuple[Job, Exception | None]] = []
        for (job, number), answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                if not job.is_over:
                    told.append((job, answer))
                job.is_over = True
                continue
            job.answers[number] = answer
            job.left -= 1
            if not job.left:
                told.append((job, None))
        self.loop.call_soon_threadsafe(self._deliver, told, batch[0][0].model, len(batch))


def _sort(item: tuple[Job, int]) -> tuple[Any, ...]:
    """What inputs of one batch have in common: the model, and the number of choices where there are any."""
    job, number = item
    return job.model, job.alone and id(job), len(job.inputs[number].get("choices", ()))


def _work(values: Input) -> int:
    """Characters a model reads of an input: a prompt with each of its choices."""
    return characters(values) + len(values.get("prompt", "")) * (len(values.get("choices", ())) - 1)


def _without_id(answer: Answer) -> Answer:
    """The answer without the number of its place in the batch, which says nothing to the client."""
    return {name: value for name, value in rounded(answer).items() if name != "id"}


def _place(item: tuple[Job, int]) -> str:
    job, number = item
    return f"inputs[{number}]: " if len(job.inputs) > 1 else ""
