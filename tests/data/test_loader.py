"""Batches ahead of time, in order, whatever happens to the workers. Real processes, real kills."""

import multiprocessing
import time
from functools import partial

import numpy as np
import pytest
from data.loader_tasks import (
    die_always,
    die_once,
    fail_at_three,
    fail_oddly,
    large_array,
    slow_and_where,
    slow_if_even,
    square,
)

from electra.data.batches import batch_maker
from electra.data.corpus import Corpus
from electra.data.loader import ordered
from electra.data.prepare import prepare
from electra.data.segments import build_segments
from electra.data.workers import ordered_map
from electra.errors import CorpusError, RunFailedError, TryAgainError, UsageError


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order_for_any_number_of_workers(workers):
    assert list(ordered(square, start=4, stop=40, workers=workers)) == [step * step for step in range(4, 40)]


def test_fast_workers_do_not_overtake_slow_ones():
    assert list(ordered(slow_if_even, start=0, stop=20, workers=2)) == list(range(20))


def test_results_larger_than_a_pipe_arrive_whole():
    for step, array in enumerate(ordered(large_array, start=0, stop=6, workers=2)):
        np.testing.assert_array_equal(array, np.full(300_000, step))


def test_one_and_four_workers_load_the_same_batches(tmp_path, tokenizer):
    source = tmp_path / "text.txt"
    source.write_text("\n".join("the cat of word 12 is on it." * (i % 7 + 1) + "\n" * (i % 3 == 0) for i in range(300)))
    prepare(source, tmp_path / "corpus", tokenizer, processes=1)
    make = batch_maker(build_segments(Corpus.open(tmp_path / "corpus"), 64, 1), seed=2, batch_size=8)
    runs = [list(ordered(make, start=3, stop=15, workers=workers)) for workers in (0, 1, 4)]
    for one, two, three in zip(*runs, strict=True):
        for name, array in vars(one).items():
            np.testing.assert_array_equal(array, getattr(two, name))
            np.testing.assert_array_equal(array, getattr(three, name))


def test_an_error_in_a_worker_is_raised_here_with_its_message_and_traceback():
    results = ordered(fail_at_three, start=0, stop=9, workers=2)
    with pytest.raises(CorpusError, match="shard 7 is damaged") as caught:
        list(results)
    assert "fail_at_three" in "".join(caught.value.__notes__)


def test_an_error_that_cannot_travel_still_tells_its_name_and_message():
    with pytest.raises(RunFailedError, match="TwoPartsError: ice and fire"):
        list(ordered(fail_oddly, start=0, stop=2, workers=1))


@pytest.mark.fault(33)
def test_a_killed_worker_is_replaced_and_its_steps_are_done_again(tmp_path):
    assert list(ordered(partial(die_once, tmp_path), start=0, stop=20, workers=2)) == list(range(20))
    assert (tmp_path / "died").exists()


@pytest.mark.fault(33)
def test_a_worker_killed_twice_ends_the_run_with_a_clean_error():
    with pytest.raises(TryAgainError, match=r"a loader process died twice \(pid \d+, exit code -9\).*use fewer"):
        list(ordered(die_always, start=0, stop=4, workers=1))
    assert not multiprocessing.active_children()


def test_closing_the_iterator_ends_the_workers():
    results = ordered(square, start=0, stop=1000, workers=2)
    assert next(results) == 0
    assert len(multiprocessing.active_children()) == 2
    results.close()
    assert not multiprocessing.active_children()


def test_as_needed_one_worker_begins_and_others_come_when_it_is_busy():
    results = ordered_map(slow_and_where, range(40), workers=3, as_needed=True)
    step, _ = next(results)
    assert step == 0
    assert len(multiprocessing.active_children()) == 1
    steps, processes = zip(*results, strict=True)
    assert steps == tuple(range(1, 40))
    assert 1 < len(set(processes)) <= 3
    assert not multiprocessing.active_children()


def test_workers_leave_when_the_parent_is_killed(start_python):
    code = """
import multiprocessing, operator, time
from electra.data.loader import ordered
results = ordered(operator.neg, start=0, stop=10**6, workers=2)
next(results)
print(*(child.pid for child in multiprocessing.active_children()), flush=True)
time.sleep(60)
"""
    parent = start_python(code)
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 20
    while any(is_running(pid) for pid in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in children)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_negative_number_of_workers_is_refused():
    with pytest.raises(UsageError, match="workers is -1"):
        ordered(square, start=0, stop=3, workers=-1)
