"""What the workers of test_loader.py do; in a module of its own, because workers import it by name."""

import os
import signal
import time

import numpy as np

from electra.errors import CorpusError


def square(step):
    return step * step


def slow_if_even(step):
    time.sleep(0.02 * (step % 2 == 0))
    return step


def slow_and_where(step):
    time.sleep(0.05)
    return step, os.getpid()


def large_array(step):
    return np.full(300_000, step)


def fail_at_three(step):
    if step == 3:
        raise CorpusError("shard 7 is damaged")
    return step


class TwoPartsError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fail_oddly(step):
    raise TwoPartsError("ice", "fire")


def die_once(folder, step):
    """Kill this process at step 5, the first time."""
    mark = folder / "died"
    if step == 5 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return step


def die_always(step):
    os.kill(os.getpid(), signal.SIGKILL)
