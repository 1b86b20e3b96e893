"""What a line of predictions shows: six digits, and candidates that are whole words."""

from electra.inference.shown import rounded, with_nbest

CONTEXT = "The mill in Westby's east was built in 1820 by Łukasz."


def candidates(context, *texts):
    places = [(text, context.index(text)) for text in texts]
    nbest = [{"answer": text, "start": at, "end": at + len(text), "score": -1.0} for text, at in places]
    return {"id": "1", "answer": texts[0], "nbest": nbest}


def texts(prediction):
    return [entry["answer"] for entry in prediction["nbest"]]


def test_floats_are_rounded_wherever_they_stand_and_nothing_else_is():
    held = {
        "id": "0.12345678",
        "score": 0.123456789,
        "all": [1.0, {"a": -12345678.9, "b": 3e-15}],
        "label": 1234567,
        "end": None,
    }
    expected = {
        "id": "0.12345678",
        "score": 0.123457,
        "all": [1.0, {"a": -12345700.0, "b": 3e-15}],
        "label": 1234567,
        "end": None,
    }
    assert rounded(held) == expected


def test_candidates_that_begin_or_end_inside_a_word_are_left_out():
    given = candidates(CONTEXT, "Westby", "stby's east", "Westby's east", "182", "1820", "ukasz", "Łukasz")
    assert texts(with_nbest(given, CONTEXT, 20)) == ["Westby", "Westby's east", "1820", "Łukasz"]
    assert texts(with_nbest(given, CONTEXT, 2)) == ["Westby", "Westby's east"]
    assert given["nbest"][1]["answer"] == "stby's east"  # what the kind gave stays


def test_where_the_likeliest_is_no_whole_word_nothing_is_left_out():
    given = candidates("ตลาดอยู่ในเมือง", "ในเมือง", "ตลาด", "อยู่ในเมือง")
    assert texts(with_nbest(given, "ตลาดอยู่ในเมือง", 2)) == ["ในเมือง", "ตลาด"]


def test_a_chinese_character_is_a_word():
    given = candidates("磨坊在西村,建于1820年。", "西村", "西", "820", "1820")
    assert texts(with_nbest(given, "磨坊在西村,建于1820年。", 3)) == ["西村", "西", "1820"]


def test_an_answer_without_a_place_is_kept():
    none = {"answer": "", "start": None, "end": None, "score": 0.0}
    given = candidates(CONTEXT, "Westby", "stby")
    assert with_nbest({"nbest": [none, *given["nbest"]]}, CONTEXT, 3)["nbest"] == [none, given["nbest"][0]]
