"""Batch t is a pure function, and an epoch is a permutation."""

import numpy as np
import pytest

from electra.data.batches import batch, batch_maker, evaluation_batches, example_numbers, permuted
from electra.data.packed import build_packed
from electra.data.segments import build_segments
from electra.errors import CorpusError, UsageError


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 17, 64, 65, 1000, 4097])
def test_an_epoch_holds_every_example_once(count):
    numbers = permuted(np.arange(count), count, seed=3, epoch=5)
    np.testing.assert_array_equal(np.sort(numbers), np.arange(count))


def test_batches_of_any_size_cut_the_same_endless_row():
    ends = [
        np.concatenate([example_numbers(10, seed=1, step=step, batch_size=size) for step in range(60 // size)])
        for size in (1, 3, 4, 15, 60)
    ]
    for numbers in ends:
        np.testing.assert_array_equal(numbers, ends[0])
        np.testing.assert_array_equal(np.sort(numbers.reshape(6, 10), axis=1), np.tile(np.arange(10), (6, 1)))


def test_epochs_and_seeds_differ():
    orders = {
        tuple(permuted(np.arange(100), 100, seed=seed, epoch=epoch).tolist()) for seed in range(5) for epoch in range(5)
    }
    assert len(orders) == 25


def test_an_example_is_as_likely_at_any_place_of_an_epoch():
    places = np.stack([permuted(np.arange(10), 10, seed=seed, epoch=0) for seed in range(1000)])
    counts = np.stack([np.bincount(column, minlength=10) for column in places.T])
    assert ((counts - 100) ** 2 / 100).sum() < 140  # chi-square with 81 degrees of freedom exceeds 140 once in 20000


def test_neighbours_of_the_corpus_are_not_neighbours_of_the_epoch():
    numbers = permuted(np.arange(100_000), 100_000, seed=0, epoch=0)
    assert (np.abs(np.diff(numbers)) == 1).sum() < 12  # two are expected
    assert abs(np.corrcoef(np.arange(100_000), numbers)[0, 1]) < 0.02


@pytest.mark.parametrize("build", [build_segments, build_packed])
def test_a_batch_is_the_same_for_the_same_arguments(build, golden_corpus):
    examples = build(golden_corpus("corpus_long_docs.txt"), 64, 1)
    again = build(golden_corpus("corpus_long_docs.txt"), 64, 1)
    one, two = batch(examples, seed=4, step=9, batch_size=16), batch_maker(again, seed=4, batch_size=16)(9)
    for name, array in vars(one).items():
        np.testing.assert_array_equal(array, getattr(two, name))
    assert one.input_ids.shape == (16, 64)
    assert one.input_ids.dtype == np.int32
    assert (batch(examples, seed=5, step=9, batch_size=16).input_ids != one.input_ids).any()


def test_evaluation_sees_every_example_once_in_order(golden_corpus):
    examples = build_segments(golden_corpus("corpus_long_docs.txt"), 128, 1)
    batches = list(evaluation_batches(examples, 100))
    assert [len(one.input_ids) for one in batches[:-1]] == [100] * (len(examples) // 100)
    np.testing.assert_array_equal(
        np.concatenate([one.input_ids for one in batches]), examples.rows(np.arange(len(examples))).input_ids
    )


def test_an_empty_or_negative_request_is_refused():
    with pytest.raises(CorpusError, match="no examples"):
        example_numbers(0, seed=0, step=0, batch_size=4)
    with pytest.raises(UsageError, match="batch_size is 0"):
        example_numbers(5, seed=0, step=0, batch_size=0)
    with pytest.raises(UsageError, match="step -1"):
        example_numbers(5, seed=0, step=-1, batch_size=2)
