"""Worker processes that answer in order: the engine under the loader and under prepare.

Unusual here: every worker has a pipe of its own and nothing is shared, so a worker killed at any moment cannot leave a
lock behind. Its tasks are kept until answered: it is replaced once and they are done again. Workers leave when their
parent does.
"""

import multiprocessing
import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from electra.errors import ElectraError, RunFailedError, TryAgainError

Task = TypeVar("Task")
Answer = TypeVar("Answer")


def ordered_map(
    function: Callable[[Task], Answer],
    tasks: Iterable[Task],
    *,
    workers: int,
    ahead: int = 2,
    name: str = "worker",
    setup: Callable[[], None] | None = None,
    as_needed: bool = False,
) -> Generator[Answer]:
    """function(task) for each task, in the order of tasks, computed by `workers` spawned processes.

    A worker holds at most `ahead` tasks, and at most twice that many per worker are begun and not yet given. Tasks or
    answers may be large, not both: one of the two has to fit a pipe's buffer (64 kB). `setup` runs first in every
    worker. With `as_needed`, it begins with one worker, and another comes when a task finds all of them busy. An
    exception in a worker is raised here; a worker killed twice raises TryAgainError. Closing the iterator ends the
    workers.
    """
    team = [_Worker(function, setup, name) for _ in range(1 if as_needed else workers)]

    def grow() -> None:
        team.append(_Worker(function, setup, name))

    try:
        yield from _run(team, enumerate(tasks), ahead, workers, grow)
    finally:
        for worker in team:
            worker.end()


def _run(
    team: list["_Worker"], tasks: Iterator[tuple[int, Any]], ahead: int, workers: int, grow: Callable[[], None]
) -> Iterator[Any]:
    answers: dict[int, Any] = {}
    sent = given = 0
    upcoming = next(tasks, None)  # read before waiting, so that a free worker finds its task ready
    while upcoming is not None or given < sent:
        window = 2 * ahead * len(team)  # twice: a free worker need not wait for a slow one
        worker = min(team, key=lambda one: len(one.tasks))
        if upcoming is not None and len(worker.tasks) < ahead and sent - given < window:
            worker.give(upcoming)
            sent += 1
            upcoming = next(tasks, None)
        elif given in answers:
            yield answers.pop(given)
            given += 1
        else:
            busy = {one.connection: one for one in team if one.tasks}
            # One that has not answered yet may still be starting: that is no reason for another.
            is_full = upcoming is not None and all(len(one.tasks) == ahead and one.has_answered for one in team)
            ready = wait(list(busy), timeout=0 if is_full and len(team) < workers else None)
            if not ready:
                grow()
            for connection in ready:
                for number, answer in busy[connection].take():  # type: ignore[index]
                    answers[number] = answer


class _Worker:
    """One process and the tasks it has not answered yet, oldest first."""

    def __init__(self, function: Callable[[Any], Any], setup: Callable[[], None] | None, name: str) -> None:
        self.function, self.setup, self.name = function, setup, name
        self.tasks: deque[tuple[int, Any]] = deque()
        self.was_replaced = self.has_answered = False
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_work, args=(theirs, self.function, self.setup), name=f"electra {self.name}", daemon=True
        )
        self.process.start()
        theirs.close()  # ours would keep the pipe open after the worker's death

    def give(self, task: tuple[int, Any]) -> None:
        self.tasks.append(task)
        try:
            self.connection.send(task)
        except OSError:
            self._replace()

    def take(self) -> list[tuple[int, Any]]:
        """The next answer, as a list; empty where the worker had died and was replaced."""
        try:
            number, is_answer, value = self.connection.recv()
        except (EOFError, OSError):
            self._replace()
            return []
        self.tasks.popleft()
        self.has_answered = True
        if not is_answer:
            raise value
        return [(number, value)]

    def _replace(self) -> None:
        self.process.join(5)
        code = self.process.exitcode
        if self.was_replaced:
            killed = code is not None and code < 0
            hint = "most often the memory was too small: use fewer processes" if killed else "see what it wrote above"
            raise TryAgainError(f"a {self.name} process died twice (pid {self.process.pid}, exit code {code}); {hint}")
        self.end()
        self.was_replaced = True
        self._start()
        try:
            for task in self.tasks:
                self.connection.send(task)
        except OSError:
            self._replace()

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()


def one_thread() -> None:
    """Workers are the parallelism; threads inside them would only compete."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = "1"


def _work(connection: Connection, function: Callable[[Any], Any], setup: Callable[[], None] | None) -> None:
    """A worker's life: answer tasks until the pipe closes, which it does when the parent dies."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal or a launcher sends them to all; they are the parent's
        signal.signal(number, signal.SIG_IGN)
    is_ready = setup is None
    try:
        while True:
            number, task = connection.recv()
            try:
                if setup is not None and not is_ready:
                    setup()
                    is_ready = True
                message = (number, True, function(task))
            except Exception as error:
                message = (number, False, _portable(error))
            connection.send(message)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _portable(error: Exception) -> Exception:
    """The error itself if it survives pickling, else one of ours with its message; the traceback is added as a note."""
    note = "in a worker process:\n" + traceback.format_exc()
    try:
        copy = pickle.loads(pickle.dumps(error))
        same = type(copy) is type(error) and str(copy) == str(error)
    except Exception:
        same = False
    if not same:
        kind = RunFailedError if not isinstance(error, ElectraError) else type(error)
        error = kind(f"{type(error).__name__}: {error}")
    error.add_note(note)
    return error
