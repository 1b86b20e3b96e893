"""The measures against scikit-learn and SciPy, on random cases and on the edges."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightly import examples
from scipy import stats
from sklearn import metrics as sk

from electra.tasks import metrics as ours

few = settings(max_examples=examples(15, 500), deadline=None)
LABELS = st.sampled_from(["0", "1", "a", "b-c", ""])
pairs_of_labels = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30).map(
    lambda rows: tuple(zip(*rows, strict=True))
)
VALUES = st.one_of(
    st.floats(-5, 5, allow_subnormal=False), st.sampled_from([0.0, 1.0, 2.5, -1e-9, 1e6]), st.integers(0, 5).map(float)
)
pairs_of_values = st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=30).map(lambda rows: np.array(rows).T)
EDGES = {
    "one class, all right": (["a"] * 5, ["a"] * 5),
    "one class, all wrong": (["a"] * 5, ["b"] * 5),
    "constant answers": (["a", "b", "a", "b"], ["b"] * 4),
    "constant truth": (["b"] * 4, ["a", "b", "a", "b"]),
    "one example": (["a"], ["b"]),
    "a class only the answers have": (["a", "b"], ["a", "c"]),
}


def quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **options)


def check_labels(truth, predicted):
    names = sorted({*truth, *predicted})
    assert ours.accuracy(truth, predicted) == pytest.approx(sk.accuracy_score(truth, predicted), abs=1e-12)
    assert ours.matthews(truth, predicted) == pytest.approx(quietly(sk.matthews_corrcoef, truth, predicted), abs=1e-9)
    np.testing.assert_array_equal(
        ours.confusion(truth, predicted, names), quietly(sk.confusion_matrix, truth, predicted, labels=names)
    )
    theirs = np.array(quietly(sk.precision_recall_fscore_support, truth, predicted, labels=names))
    mine = ours.per_class(truth, predicted)
    np.testing.assert_allclose(np.array([mine[name] for name in names]).T, theirs, atol=1e-12)
    for average, rates in (("macro", ours.macro(mine)), ("micro", None)):
        expected = quietly(sk.precision_recall_fscore_support, truth, predicted, average=average)[:3]
        found = rates[:3] if rates else [ours.f1_micro(truth, predicted)] * 3
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert ours.f1_macro(truth, predicted) == ours.macro(mine).f1
    binary = [np.array(side) == names[-1] for side in (truth, predicted)]
    assert ours.f1_of(truth, predicted, names[-1]) == pytest.approx(quietly(sk.f1_score, *binary), abs=1e-12)


@few
@given(pairs_of_labels)
def test_measures_of_labels_equal_scikit_learns(pair):
    check_labels(*map(list, pair))


@pytest.mark.parametrize("edge", EDGES.values(), ids=EDGES)
def test_measures_of_labels_equal_scikit_learns_on_the_edges_without_a_warning(edge):
    check_labels(*edge)


def test_labels_may_be_arrays_and_must_be_as_many():
    assert ours.accuracy(np.array(["a", "b"]), ["a", "c"]) == 0.5
    with pytest.raises(ValueError, match="2 labels of the truth and 1 answers"):
        ours.matthews(["a", "b"], ["a"])
    with pytest.raises(ValueError, match=r"class 'c' is not among \['a', 'b'\]"):
        ours.confusion(["a"], ["c"], ["a", "b"])


@few
@given(st.integers(1, 4), st.lists(st.integers(0, 255), min_size=1, max_size=20))
def test_measures_of_several_labels_equal_scikit_learns(width, rows):
    bits = (np.array(rows)[:, None] >> np.arange(2 * width)) & 1
    truth, predicted = bits[:, :width] > 0, bits[:, width:] > 0
    assert ours.subset_accuracy(truth, predicted) == pytest.approx(sk.accuracy_score(truth, predicted), abs=1e-12)
    # One column is taken for one label of two classes by scikit-learn, unless it is told otherwise.
    as_ints = (truth.astype(int), predicted.astype(int)) if width > 1 else (truth[:, 0], predicted[:, 0])
    for average, found in (
        ("macro", ours.macro(ours.per_label(truth, predicted))),
        ("micro", ours.micro_rates(truth, predicted)),
    ):
        options = dict(average=average if width > 1 else "binary")
        expected = quietly(sk.precision_recall_fscore_support, *as_ints, **options)[:3]
        np.testing.assert_allclose(found[:3], expected, atol=1e-12)


@few
@given(pairs_of_values)
def test_measures_of_numbers_equal_scipys(pair):
    truth, predicted = pair
    assert ours.mean_squared_error(truth, predicted) == pytest.approx(
        sk.mean_squared_error(truth, predicted), abs=1e-12
    )
    np.testing.assert_array_equal(ours.ranks(truth), stats.rankdata(truth))
    for found, reference in ((ours.pearson, stats.pearsonr), (ours.spearman, stats.spearmanr)):
        expected = quietly(reference, truth, predicted).statistic
        assert found(truth, predicted) == pytest.approx(0.0 if np.isnan(expected) else expected, abs=1e-6)


@pytest.mark.parametrize("unit", [5e-324, 1e-200, 1e200])
def test_the_correlation_of_tiny_and_huge_numbers(unit):
    assert ours.pearson(np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 3.0]) * unit) == pytest.approx(1)


def test_a_correlation_with_a_constant_or_with_one_example_is_zero():
    assert ours.pearson(np.ones(3), np.arange(3.0)) == 0.0
    assert ours.spearman(np.arange(3.0), np.full(3, 0.1)) == 0.0
    assert ours.pearson(np.ones(1), np.ones(1)) == 0.0


@few
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30))
def test_the_area_under_the_curve_equals_scikit_learns(rows):
    scores, labels = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows])
    expected = quietly(sk.roc_auc_score, labels, scores) if 0 < labels.sum() < len(labels) else np.nan
    assert ours.roc_auc(scores, labels) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_of_no_examples_every_measure_is_zero():
    none, flat = np.zeros((0, 2), bool), np.zeros(0)
    assert ours.accuracy([], []) == ours.matthews([], []) == ours.f1_macro([], []) == ours.f1_of([], [], "1") == 0.0
    assert ours.subset_accuracy(none, none) == ours.micro_rates(none, none).f1 == 0.0
    assert ours.pearson(flat, flat) == ours.spearman(flat, flat) == ours.mean_squared_error(flat, flat) == 0.0
    assert ours.confusion([], [], ["a", "b"]).tolist() == [[0, 0], [0, 0]]
