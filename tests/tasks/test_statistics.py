"""Spread, intervals and tests against SciPy, on simulated data, and what few seeds can show."""

import numpy as np
import pytest
from nightly import examples
from scipy import stats

from electra.tasks import statistics as ours


def scores(seed, n, shift=0.0):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=n)
    return base + rng.normal(size=n) + shift, base + rng.normal(size=n)


def test_the_spread_of_several_seeds():
    found = ours.spread([0.1, 0.4, 0.2])
    assert (found.count, found.median, found.lowest, found.highest) == (3, 0.2, 0.1, 0.4)
    assert found.mean == pytest.approx(0.7 / 3)
    assert found.deviation == pytest.approx(np.std([0.1, 0.4, 0.2], ddof=1))
    assert ours.spread([0.5]).deviation is None
    with pytest.raises(ValueError, match="no values"):
        ours.spread([])


@pytest.mark.parametrize("n", [2, 3, 7, 10])
def test_sign_flips_of_few_pairs_equal_scipys_exact_permutation_test(n):
    first, second = scores(n, n, 0.5)
    expected = stats.permutation_test(
        (first, second), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert ours.sign_flips(first - second) == pytest.approx(expected.pvalue, abs=1e-12)


def test_sign_flips_of_many_pairs_come_near_students_test_and_are_seeded():
    first, second = scores(1, 200, 0.15)
    p = ours.sign_flips(first - second, rounds=5000)
    assert p == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=0.02)
    assert p == ours.sign_flips(first - second, rounds=5000)


def test_pairs_without_a_difference_change_nothing():
    assert ours.sign_flips(np.zeros(5)) == 1.0
    assert ours.sign_flips(np.array([0.1, 0.2, 0.3, 0, 0])) == ours.sign_flips(np.array([0.1, 0.2, 0.3])) == 0.25


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.7, 0.6), (0.9, 0.5), (1.0, 1.0), (1.0, 0.0)])
def test_mcnemars_test_equals_the_exact_binomial(shares):
    rng = np.random.default_rng(3)
    first, second = (rng.random(300) < share for share in shares)
    one, other = (first & ~second).sum(), (second & ~first).sum()
    expected = stats.binomtest(int(one), int(one + other)).pvalue if one + other else 1.0
    assert ours.mcnemar(first, second) == pytest.approx(expected, rel=1e-9)
    assert ours.mcnemar(second, first) == ours.mcnemar(first, second)


def test_mcnemars_test_of_many_examples_does_not_overflow():
    first = np.arange(20_000) % 2 == 0
    assert ours.mcnemar(first, ~first) == 1.0


def test_three_pairs_of_seeds_cannot_show_a_difference_and_it_is_said():
    found = ours.compare_seeds([0.9, 0.91, 0.92], [0.1, 0.11, 0.12])
    assert (found.p, found.smallest_p) == (0.25, 0.25)
    assert found.difference == pytest.approx(0.8)
    assert found.words == (
        "3 pairs of runs cannot show a difference: the smallest p they can reach is 0.25; run 6 seeds or more"
    )


def test_six_pairs_of_seeds_can():
    found = ours.compare_seeds([0.9, 0.91, 0.92, 0.9, 0.93, 0.9], [0.8, 0.85, 0.81, 0.8, 0.84, 0.8])
    assert found.p == found.smallest_p == 0.03125
    assert found.words == "the difference over 6 pairs of runs is more than chance (p = 0.031)"
    mixed = ours.compare_seeds([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1])
    assert mixed.p == 1.0
    assert mixed.words.startswith("no difference is shown by 6 pairs of runs (p = 1,")


def test_runs_that_are_not_paired_are_refused():
    with pytest.raises(ValueError, match="3 scores and 2"):
        ours.compare_seeds([1, 2, 3], [1, 2])


def test_the_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    repeats, covered = examples(100, 1000), 0
    for seed in range(repeats):
        right = np.random.default_rng([seed, 1]).random(120) < 0.8  # not the stream the resamples are drawn from
        found = ours.bootstrap(lambda rows, right=right: right[rows].mean(), 120, seed=seed, resamples=200)
        covered += found.low <= 0.8 <= found.high
    assert 0.87 <= covered / repeats <= 0.99


def test_the_bootstrap_equals_scipys_in_width_and_is_seeded():
    values = np.random.default_rng(0).normal(size=150)
    expected = stats.bootstrap((values,), np.median, method="percentile", rng=1, n_resamples=1000).confidence_interval
    found = ours.bootstrap(lambda rows: np.median(values[rows]), 150, seed=2)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.05)
    assert found.value == np.median(values)
    assert found == ours.bootstrap(lambda rows: np.median(values[rows]), 150, seed=2)
    assert found != ours.bootstrap(lambda rows: np.median(values[rows]), 150, seed=3)


def test_differences_are_symmetric_and_agree_between_tests():
    first, second = scores(5, 150, 0.4)
    measures = [lambda rows, side=side: side[rows].mean() for side in (first, second)]
    found, turned = ours.bootstrap_difference(*measures, 150), ours.bootstrap_difference(*measures[::-1], 150)
    assert (found.value, found.low, found.high, found.p) == pytest.approx(
        (-turned.value, -turned.high, -turned.low, turned.p)
    )
    assert 0 < found.low < found.value < found.high
    assert found.p < 0.01
    both = np.stack([first, second])
    swapped = ours.randomisation(lambda swap: both[swap.astype(int), np.arange(150)].mean(), 150)
    assert swapped == pytest.approx(ours.sign_flips(first - second), abs=0.01)


def test_a_system_does_not_differ_from_itself():
    values = np.random.default_rng(0).random(50)
    same = ours.bootstrap_difference(lambda rows: values[rows].mean(), lambda rows: values[rows].mean(), 50)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert ours.randomisation(lambda swap: 0.5, 50) == 1.0


@pytest.mark.parametrize(("right", "count"), [(0, 7), (1, 7), (80, 100), (100, 100), (1, 1)])
def test_the_interval_of_a_share_equals_scipys_and_has_a_width_without_a_mistake(right, count):
    found = ours.wilson(right, count)
    expected = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.low <= found.value <= found.high
    assert found.low < found.high


def test_a_resample_without_one_of_the_classes_does_not_spoil_the_interval():
    values = np.array([0.2, np.nan, 0.6] + [0.4] * 9)
    found = ours.bootstrap(lambda rows: values[rows[0]] if len(set(rows)) > 1 else 0.4, 12)
    assert 0.2 <= found.low < found.high <= 0.6


def test_there_must_be_examples_to_draw_from():
    for interval in (lambda: ours.bootstrap(lambda rows: 0.0, 0), lambda: ours.wilson(0, 0)):
        with pytest.raises(ValueError, match="no examples"):
            interval()
