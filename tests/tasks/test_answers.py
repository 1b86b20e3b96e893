"""Exact match and F1 against a published implementation of SQuAD 2.0's evaluation, and where answers are odd."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightly import examples

from electra.tasks.answers import (
    best_of,
    best_threshold,
    evaluate_v1,
    evaluate_v2,
    exact,
    f1,
    normalize,
    working_threshold,
)

# words, articles, punctuation of ASCII and beyond, white space of several kinds, capital letters that grow when lowered
PARTS = [
    "the",
    "An",
    "a",
    "river",
    "River",
    "1,000",
    "$5.50",
    "«rue»",
    "don't",
    "—",
    "!",
    " ",
    "\u2003",
    "\n",
    "İ",
    "ß",
    "a-b",
]
answer = st.lists(st.sampled_from(PARTS), max_size=5).map(" ".join)
questions = st.lists(
    st.tuples(st.lists(answer, max_size=3), answer, st.sampled_from([-2.0, 0.0, 0.5, 1.0])), min_size=1
)


@settings(max_examples=examples(60, 3000), deadline=None)
@given(questions, st.sampled_from([-1.0, 0.0, 1.0]))
def test_scores_equal_the_reference_s_on_random_answers(rows, threshold):
    from transformers.data.metrics.squad_metrics import squad_evaluate

    asked = [
        SimpleNamespace(qas_id=str(i), answers=[{"text": text} for text in right])
        for i, (right, _, _) in enumerate(rows)
    ]
    predictions = {str(i): given for i, (_, given, _) in enumerate(rows)}
    no_answer = {str(i): score for i, (_, _, score) in enumerate(rows)}
    expected = squad_evaluate(asked, predictions, no_answer, threshold)
    found = evaluate_v2({str(i): right for i, (right, _, _) in enumerate(rows)}, predictions, no_answer, threshold)
    assert found == pytest.approx(dict(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  River's\tend.", "rivers end"),
        ("a an the", ""),
        ("theory of an atom", "theory of atom"),
        ("a-b", "ab"),  # punctuation goes before articles do, so the article has become part of a word
        ("the\u2003river\n", "river"),
        ("«River» — U.S.", "«river» — us"),  # punctuation outside ASCII stays
        ("", ""),
    ],
)
def test_answers_are_normalised(text, expected):
    assert normalize(text) == expected


def test_answers_without_words_are_where_the_two_evaluations_differ():
    assert exact("The", "the!") == 1
    assert f1("The", "the!") == 0
    assert f1("The", "the!", both_empty=1.0) == 1
    assert evaluate_v1({"q": ["the"]}, {"q": "a"}) == {"exact_match": 100, "f1": 0}
    assert evaluate_v2({"q": ["the"]}, {"q": ""})["f1"] == 100
    assert evaluate_v2({"q": ["the", "river"]}, {"q": ""})["f1"] == 0  # only the answer with words is one


def test_f1_counts_a_word_as_often_as_it_occurs():
    assert f1("river river", "river") == pytest.approx(2 / 3)
    assert best_of(f1, "old river", ["old old river", "river", "old"]) == pytest.approx(0.8)


def test_a_question_without_prediction_scores_nothing_in_the_first_and_is_left_out_in_the_second():
    answers, predictions = {"one": ["river"], "two": ["garden"]}, {"one": "river"}
    assert evaluate_v1(answers, predictions) == {"exact_match": 50, "f1": 50}
    found = evaluate_v2(answers, predictions)
    assert (found["exact"], found["total"], found["HasAns_total"]) == (100, 1, 1)


def test_the_threshold_decides_who_is_answered():
    answers = {"one": ["river"], "two": []}
    predictions, scores = {"one": "river", "two": "garden"}, {"one": 0.5, "two": 1.5}
    assert evaluate_v2(answers, predictions, scores, 1.0)["exact"] == 100
    assert evaluate_v2(answers, predictions, scores, 0.5)["exact"] == 100  # a score at the threshold is not above it
    assert evaluate_v2(answers, predictions, scores, 0.4)["HasAns_exact"] == 0
    assert evaluate_v2(answers, predictions, scores, 2.0)["NoAns_exact"] == 0


@pytest.mark.parametrize(
    ("scores", "has_answer", "no_answer_scores", "published", "working"),
    [
        ([1.0, 0.0], [True, False], [-3.0, 2.0], (100, -3.0), -3.0),
        ([0.0, 0.0], [True, False], [-3.0, -2.0], (50, 0.0), -4.0),  # nothing is answered only below every score
        ([1.0, 0.0], [True, False], [1.0, 1.0], (100, 1.0), 0.0),  # a tie that no threshold can split
    ],
)
def test_the_working_threshold_does_what_the_published_search_promises(
    scores, has_answer, no_answer_scores, published, working
):
    keys = ["a", "b"]
    named = [dict(zip(keys, values, strict=True)) for values in (scores, no_answer_scores, has_answer)]
    predictions = dict.fromkeys(keys, "river")
    assert best_threshold(named[0], predictions, named[1], named[2]) == published
    assert working_threshold(named[0], predictions, named[1], named[2]) == working
