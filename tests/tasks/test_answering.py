"""Question answering: windows and their targets, spans from scores, and where there is no answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightly import examples

from electra.errors import DataError
from electra.tasks.answering import Answering, locate
from electra.tasks.answering_as_shipped import final_text, find_words
from electra.tasks.decoding import log_softmax
from electra.tasks.task import Answer, QuestionExample, collate
from electra.tasks.windows import best_windows, cut
from electra.tokenization.wordpiece import split_words

CONTEXT = (
    "The old mill stands by the river. Élise Marchand bought it in 1987 for $12,500; her brother repaired the wheel, and "
    "the two sold flour on the market every Saturday until the flood of 2003."
)
ASKED = QuestionExample(
    id="q", question="Who bought the mill?", context=CONTEXT, answers=(Answer(text="Élise Marchand", start=34),)
)
BOTH = ("answer", "no answer")


@pytest.fixture(scope="module")
def bert(minilm):
    from electra import ElectraTokenizerFast

    return ElectraTokenizerFast(vocab_file=str(minilm / "vocab.txt"))


def random_outputs(features, seed, **more):
    rng = np.random.default_rng(seed)
    return [
        {name: rng.normal(size=f.length).astype(np.float32) for name in ("start_logits", "end_logits")} | more
        for f in features
    ]


def test_windows_overlap_and_the_last_ends_with_the_text():
    assert cut(10, room=4, stride=2) == [(0, 4), (2, 4), (4, 4), (6, 4)]
    assert cut(5, room=8, stride=2) == [(0, 5)]
    assert cut(9, room=4, stride=8) == [(0, 4), (4, 4), (8, 1)]  # a stride beyond the room leaves no piece out
    assert cut(0, room=4, stride=2) == [(0, 0)]


def test_a_piece_belongs_to_the_window_that_shows_most_around_it():
    assert best_windows(10, cut(10, room=6, stride=2)).tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]


@settings(max_examples=examples(15, 500), deadline=None)
@given(st.integers(0, 20), st.integers(1, 6), st.integers(20, 60), st.integers(1, 40))
def test_a_window_points_at_the_answer_where_it_shows_it_whole_and_at_cls_elsewhere(bert, first, words, length, stride):
    parts = CONTEXT.split(" ")[first : first + words]
    start = len(" ".join(CONTEXT.split(" ")[:first])) + (first > 0)
    example = replace(ASKED, answers=(Answer(text=" ".join(parts), start=start),))
    features = Answering(doc_stride=stride).features([example], bert, ("answer",), length)
    for feature in features:
        seen = feature.aside
        begins, ends = (int(feature.targets[f"{name}_positions"]) for name in ("start", "end"))
        shows_all = seen.offsets[0, 0] <= start and seen.offsets[-1, 1] >= start + len(" ".join(parts))
        assert (begins > 0) == shows_all
        if shows_all:
            assert CONTEXT[seen.offsets[begins - seen.first, 0] : seen.offsets[ends - seen.first, 1]] == " ".join(parts)
        assert feature.length <= length
        assert feature.token_type_ids.tolist() == [0] * seen.first + [1] * (feature.length - seen.first)
    assert sum(feature.aside.is_best.sum() for feature in features) == len(bert.tokenize(CONTEXT))


def test_a_batch_has_the_targets_of_its_windows(bert):
    features = Answering(doc_stride=16).features([ASKED], bert, ("answer",), 40)
    inputs, targets = collate(features, pad_token_id=0)
    assert inputs["input_ids"].shape == (len(features), 40)
    assert targets["start_positions"].tolist() == [15] + [0] * (len(features) - 1)
    assert inputs["input_ids"][0, :8].tolist() == [101, 2040, 4149, 1996, 4971, 1029, 102, 1996]


def test_an_answer_is_looked_for_near_the_place_it_is_said_to_have():
    assert locate("one two one", Answer(text="one", start=0)) == (0, 3)
    assert locate("one two one", Answer(text="one", start=7)) == (8, 11)
    assert locate("One two", Answer(text="one", start=3)) == (0, 3)
    assert locate("one two", Answer(text="three", start=0)) is None
    assert locate("one two", Answer(text=" ", start=3)) is None


def test_questions_whose_answer_is_not_in_the_text_are_not_learned_from():
    strange = replace(ASKED, id="strange", answers=(Answer(text="the bakery", start=3),))
    unknown, without = replace(ASKED, id="unknown", answers=None), replace(ASKED, id="without", answers=())
    assert [e.id for e in Answering().learnable([ASKED, strange, unknown, without])] == ["q", "without"]


def test_the_labels_say_whether_a_question_may_have_no_answer():
    without = replace(ASKED, answers=())
    assert Answering().labels([ASKED]) == ("answer",)
    assert Answering().labels([without, ASKED]) == BOTH
    with pytest.raises(DataError, match="nothing to learn from"):
        Answering().labels([without, replace(ASKED, answers=None)])


def test_the_answer_is_cut_out_of_the_text_as_it_was_written(bert):
    kind = Answering(doc_stride=16)
    features = kind.features([ASKED], bert, ("answer",), 40)
    outputs = random_outputs(features, 0)
    for feature, output in zip(features, outputs, strict=True):
        output["start_logits"][feature.targets["start_positions"]] += 20
        output["end_logits"][feature.targets["end_positions"]] += 20
    (found,) = kind.predictions([ASKED], features, outputs, ("answer",))
    assert (found["id"], found["answer"], found["start"], found["end"]) == ("q", "Élise Marchand", 34, 48)
    assert found["nbest"][0] == {key: found[key] for key in ("answer", "start", "end", "score")}
    assert "no_answer_score" not in found
    assert kind.scores([ASKED], [found], ("answer",)) == {"f1": 1, "exact": 1}


@pytest.mark.parametrize("seed", range(examples(3, 100)))
def test_answers_are_the_likeliest_of_all_spans(bert, seed):
    kind = Answering(doc_stride=12, max_answer_pieces=5, nbest=6)
    features = kind.features([ASKED], bert, BOTH, 32)
    outputs = random_outputs(features, seed)
    best: dict[str, float] = {}
    nulls = []
    for feature, output in zip(features, outputs, strict=True):
        start, end, seen = log_softmax(output["start_logits"]), log_softmax(output["end_logits"]), feature.aside
        nulls.append(start[0] + end[0])
        for i in np.flatnonzero(seen.is_best):
            for j in range(i, min(i + 5, len(seen.offsets))):
                text = CONTEXT[seen.offsets[i, 0] : seen.offsets[j, 1]]
                best[text] = max(best.get(text, -np.inf), start[i + seen.first] + end[j + seen.first])
    expected = sorted(best, key=lambda text: -best[text])[:6]
    (found,) = kind.predictions([ASKED], features, outputs, BOTH)
    assert [entry["answer"] for entry in found["nbest"]] == expected
    assert [entry["score"] for entry in found["nbest"]] == pytest.approx([best[text] for text in expected])
    assert found["no_answer_score"] == pytest.approx(min(nulls) - best[expected[0]])


def test_beams_give_the_end_that_belongs_to_a_start(bert):
    kind = Answering()
    (feature,) = kind.features([ASKED], bert, BOTH, 64)
    mill, river = (feature.aside.first + number for number in (2, 6))  # the third piece, and the seventh
    beams = {
        "start_logits": np.zeros(64, np.float32),
        "start_top_index": np.asarray([mill, 0, river]),
        "start_top_log_probs": np.log(np.float32([0.6, 0.3, 0.1])),
        "end_top_index": np.asarray([[mill - 1, mill + 1, 0], [0, mill, 1], [river, 0, 1]]),
        "end_top_log_probs": np.log(np.float32([[0.7, 0.2, 0.1], [0.9, 0.06, 0.04], [0.8, 0.1, 0.1]])),
        "no_answer_logits": np.float32(-1.5),
    }
    (found,) = kind.predictions([ASKED], [feature], [beams], BOTH)
    assert [entry["answer"] for entry in found["nbest"]] == ["mill stands", "river"]
    assert found["nbest"][0]["score"] == pytest.approx(np.log(0.6 * 0.2))
    assert found["no_answer_score"] == -1.5
    del beams["no_answer_logits"]
    (found,) = kind.predictions([ASKED], [feature], [beams], BOTH)
    assert found["no_answer_score"] == pytest.approx(np.log(0.3 * 0.9 / (0.6 * 0.2)))
    assert found["answer"] == ""


def test_the_threshold_of_no_answer_is_found_on_known_questions(bert):
    kind, asked = Answering(), [ASKED, replace(ASKED, answers=()), replace(ASKED, answers=())]
    features = kind.features(asked, bert, BOTH, 64)
    outputs = random_outputs(features, 0)
    for output, logit in zip(outputs, (1.0, 3.0, 2.0), strict=True):
        output |= {"no_answer_logits": np.float32(logit)}
        for name in ("start", "end"):
            output[f"{name}_logits"][features[0].targets[f"{name}_positions"]] += 20
    before = kind.predictions(asked, features, outputs, BOTH)
    assert [found["answer"] for found in before] == ["", "", ""]
    better = kind.tuned(asked, before, BOTH)
    after = better.predictions(asked, features, outputs, BOTH)
    assert better.no_answer_threshold == 1.0
    assert [found["answer"] for found in after] == ["Élise Marchand", "", ""]
    assert better.scores(asked, after, BOTH)["f1"] == 1
    assert kind.scores(asked, before, BOTH) == pytest.approx(
        {
            "f1": 2 / 3, "exact": 2 / 3, "has_answer_f1": 0, "has_answer_exact": 0, "no_answer_f1": 1, "no_answer_exact": 1,
        }
    )  # fmt: skip
    assert kind.tuned(asked, before, ("answer",)) is kind


def test_a_text_without_pieces_has_no_answer(bert):
    kind, empty = Answering(), replace(ASKED, context=" \u200b ", answers=())
    features = kind.features([empty], bert, BOTH, 64)
    (found,) = kind.predictions([empty], features, random_outputs(features, 0), BOTH)
    assert (found["answer"], found["start"], found["nbest"]) == ("", None, [])
    assert 0 < found["no_answer_score"] < np.inf


def test_a_long_question_is_cut_and_one_that_leaves_no_room_is_refused(bert):
    long = replace(ASKED, question="why " * 100, place="dev.json: data[3]")
    (feature,) = Answering().features([long], bert, ("answer",), 128)
    assert feature.aside.first == 66
    with pytest.raises(DataError, match=r"dev.json: data\[3\]: a question of 64 pieces leaves no room"):
        Answering().features([long], bert, ("answer",), 67)


# ------------------------------------------------------------------------------------------------------- as shipped


def test_as_shipped_a_window_without_the_answer_counts_as_answerable(bert):
    features = Answering(doc_stride=16, as_shipped=True).features([ASKED], bert, BOTH, 40)
    assert [int(f.targets["is_impossible"]) for f in features] == [0] * len(features)
    assert [int(f.targets["start_positions"]) > 0 for f in features] == [True] + [False] * (len(features) - 1)
    (without,) = Answering(as_shipped=True).features([replace(ASKED, answers=())], bert, BOTH, 64)
    assert {name: int(value) for name, value in without.targets.items()} == {
        "start_positions": 0, "end_positions": 0, "is_impossible": 1,
    }  # fmt: skip


def test_as_shipped_targets_are_the_same_where_the_answer_is_whole_words(bert):
    ours, shipped = (Answering(doc_stride=16, as_shipped=x).features([ASKED], bert, BOTH, 40) for x in (False, True))
    for one, other in zip(ours, shipped, strict=True):
        assert one.input_ids.tolist() == other.input_ids.tolist()
        assert {**other.targets, "is_impossible": 0} == {**one.targets, "is_impossible": 0}


def test_as_shipped_an_answer_must_be_among_the_words_at_its_place():
    assert find_words(CONTEXT, Answer(text="bought it", start=49)) == (9, 10)
    assert find_words(CONTEXT, Answer(text="ought", start=50)) == (9, 9)
    assert find_words(CONTEXT, Answer(text="bought it", start=4)) is None
    assert find_words(CONTEXT, Answer(text="2003. And more", start=len(CONTEXT) - 5)) is None


@pytest.mark.parametrize(
    ("pieces", "words", "expected"),
    [
        ("elise", "Élise's", "Élise"),
        ("$ 12 , 500", "$12,500;", "$12,500"),
        ("caf", "Cafés", "Caf"),
        ("not there", "Something else", "Something else"),
        ("ss", "Straße", "Straße"),  # not among the normalised words
        ("mill", "mill\u0000s", "mill\u0000s"),  # a character that is dropped: the forms differ in length
    ],
)
def test_as_shipped_a_text_is_laid_over_its_words(pieces, words, expected):
    assert final_text(pieces, words, split_words) == expected


def test_as_shipped_raw_scores_rank_the_answers_and_the_score_of_no_answer_decides(bert):
    kind = Answering(as_shipped=True, nbest=3)
    (feature,) = kind.features([ASKED], bert, BOTH, 64)
    (output,) = random_outputs([feature], 0)
    for name in ("start", "end"):
        output[f"{name}_logits"][feature.targets[f"{name}_positions"]] += 20
    (found,) = kind.predictions([ASKED], [feature], [output | {"no_answer_logits": np.float32(-2.7)}], BOTH)
    assert (found["answer"], found["nbest"][0]["answer"], len(found["nbest"])) == ("", "Élise Marchand", 3)
    (found,) = kind.predictions([ASKED], [feature], [output | {"no_answer_logits": np.float32(-2.8)}], BOTH)
    assert found["answer"] == "Élise Marchand"
    (found,) = kind.predictions([ASKED], [feature], [output], BOTH)
    null = output["start_logits"][0] + output["end_logits"][0]
    assert found["no_answer_score"] == pytest.approx(float(null) - found["nbest"][0]["score"])
