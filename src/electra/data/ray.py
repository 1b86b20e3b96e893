"""prepare on a Ray cluster: the portions of work.py as Ray tasks.

Every machine of the cluster has to see the sources and the folder of the corpus, under the same paths or addresses.
"""

import os
from collections import deque
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from electra.data.plan import Portion
from electra.data.units import Unit
from electra.errors import ElectraError, TryAgainError, install_hint

if TYPE_CHECKING:
    from electra.data.work import Done, Job

WAITING = 4  # tasks begun per CPU of the cluster


def ray_map(job: "Job", tasks: Iterator[tuple[int, Unit | Portion]], processes: int) -> Iterator["Done"]:
    """job(task) for each task, in order, each a Ray task of one CPU.

    Uses the cluster that this program is connected to or that RAY_ADDRESS names, else begins one of `processes` CPUs on
    this machine. Raises TryAgainError where Ray lost a task for good.
    """
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise install_hint("ray", "ray", "the engine ray") from None
    is_ours = not ray.is_initialized()
    if is_ours and "RAY_ADDRESS" in os.environ:
        ray.init(log_to_driver=False)
    elif is_ours:
        ray.init(num_cpus=processes, include_dashboard=False, log_to_driver=False)
    try:
        do, held = ray.remote(num_cpus=1, max_retries=3)(_do), ray.put(job)
        begun: deque[Any] = deque()
        for task in tasks:
            begun.append(do.remote(held, task, os.getcwd()))
            if len(begun) >= WAITING * max(int(ray.cluster_resources().get("CPU", 1)), 1):
                yield _answer(ray, begun.popleft())
        while begun:
            yield _answer(ray, begun.popleft())
    finally:
        if is_ours:
            ray.shutdown()


def _do(job: "Job", task: tuple[int, Unit | Portion], place: str) -> "Done":
    """One task, in a process of Ray's; `place` is what relative paths begin from."""
    from electra.data.workers import one_thread

    one_thread()
    os.chdir(place)
    return job(task)


def _answer(ray: Any, reference: Any) -> "Done":
    try:
        done: Done = ray.get(reference)
        return done
    except ray.exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, ElectraError) else error) from None
    except ray.exceptions.RayError as error:
        raise TryAgainError(
            f"Ray lost a part of the work ({error}); the same command goes on: finished work is kept"
        ) from error
