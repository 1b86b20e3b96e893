"""The layouts of published data sets, on files made up here."""

import json

import pytest

from electra.errors import DataError
from electra.tasks.choices import read_commonsenseqa, read_copa, read_piqa, read_swag
from electra.tasks.conll import iob2, read_conll
from electra.tasks.glue import Layout, read_glue
from electra.tasks.questions import read_questions
from electra.tasks.task import Answer


def file(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------------------------ GLUE

PAIR = Layout(text="a", pair="b", label="gold", labels=("no", "yes"), ignored="-")


def test_columns_are_found_by_name_wherever_they_stand(tmp_path):
    path = file(tmp_path, "a.tsv", 'index\tgold\tx\tb\ta\n7\tyes\t\t"two\tone\n')
    (example,) = read_glue(path, PAIR)
    assert (example.id, example.text, example.pair, example.label) == ("7", "one", '"two', "yes")
    assert example.place == f"{path}:2"


def test_a_file_without_the_column_of_labels_has_none(tmp_path):
    assert read_glue(file(tmp_path, "a.tsv", "a\tb\none\ttwo\n"), PAIR)[0].label is None


def test_malformed_lines_and_those_without_agreement_are_left_out_and_counted(tmp_path):
    rows = ["a\tb\tgold", "1\t2\tyes", "1\t2", "1\t2\t3\tno", "1\t2\t-", "3\t4\tno"]
    path, notes = file(tmp_path, "a.tsv", "\n".join(rows)), []
    assert [example.place for example in read_glue(path, PAIR, notes=notes)] == [f"{path}:2", f"{path}:6"]
    assert notes == [
        f"2 lines left out, with other than 3 fields: {path}:3, {path}:4",
        f"1 line left out, with no label agreed on: {path}:5",
    ]


def test_a_file_that_begins_with_a_row_is_read_by_the_known_names(tmp_path):
    layout = Layout(text="text", no_header=("source", "label", "text"), labels=("0", "1"))
    assert read_glue(file(tmp_path, "train.tsv", "s\t1\tone\ns\t0\ttwo\n"), layout)[0].text == "one"
    assert read_glue(file(tmp_path, "test.tsv", "index\ttext\n0\tone\n"), layout)[0].label is None


def test_an_unknown_label_and_a_score_that_is_none_are_told_with_their_place(tmp_path):
    with pytest.raises(DataError, match=r'a\.tsv:2: label "maybe", expected one of no, yes'):
        read_glue(file(tmp_path, "a.tsv", "a\tb\tgold\n1\t2\tmaybe\n"), PAIR)
    with pytest.raises(DataError, match=r'b\.tsv:2: score "high", expected a number'):
        read_glue(file(tmp_path, "b.tsv", "a\tlabel\n1\thigh\n"), Layout(text="a"))


# ----------------------------------------------------------------------------------------------------------------- CoNLL


def test_documents_blank_lines_and_a_last_sentence_without_one(tmp_path):
    text = "-DOCSTART- -X- O O\n\nAnn NNP I-NP I-PER\n\n \nIn IN I-PP O\nRome NNP I-NP I-LOC"
    first, second = read_conll(file(tmp_path, "a.txt", text), iob1=True)
    assert (first.words, first.tags) == (("Ann",), ("B-PER",))
    assert (second.words, second.tags) == (("In", "Rome"), ("O", "B-LOC"))
    assert second.place.endswith("a.txt:6")
    assert [example.tags for example in read_conll(tmp_path / "a.txt", tag=1)] == [("NNP",), ("IN", "NNP")]


def test_a_word_may_hold_a_space_where_columns_are_separated_by_tabs(tmp_path):
    (example,) = read_conll(file(tmp_path, "a.conll", "New York\tB-LOC\n\t\n"))
    assert example.words == ("New York",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I-A I-A O I-A", "B-A I-A O B-A"),
        ("I-A B-A I-A I-B", "B-A B-A I-A B-B"),
        ("B-A I-A O B-B", "B-A I-A O B-B"),
    ],
)
def test_iob1_becomes_iob2_and_iob2_stays(before, after):
    assert iob2(before.split()) == tuple(after.split())


def test_a_line_with_other_columns_is_told_with_its_place(tmp_path):
    with pytest.raises(DataError, match=r"a\.txt:3: 1 columns, expected 2"):
        read_conll(file(tmp_path, "a.txt", "Ann B-PER\n\nsleeps\n"))


# ------------------------------------------------------------------------------------------------------------- questions

ASKED = [
    {"id": "1", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}]},
    {"id": "2", "question": "Why?", "answers": [], "is_impossible": True, "plausible_answers": [{"text": "Ann"}]},
    {"id": "3", "question": "When?"},
]


def squad(asked):
    return json.dumps({"version": "v2.0", "data": [{"paragraphs": [{"context": "Ann sleeps.", "qas": asked}]}]})


def test_squad_tells_answered_unanswerable_and_unknown_apart(tmp_path):
    examples = read_questions(file(tmp_path, "a.json", squad(ASKED)))
    assert [example.answers for example in examples] == [(Answer(text="Ann", start=0),), (), None]
    assert [example.id for example in examples] == ["1", "2", "3"]
    assert examples[1].place.endswith("a.json: data[0].paragraphs[0].qas[1]")


def test_mrqa_has_a_header_and_a_place_for_each_occurrence(tmp_path):
    spans = {"text": "ann", "char_spans": [[0, 2], [12, 14]]}
    line = {"context": "Ann sleeps. Ann!", "qas": [{"qid": "q", "question": "Who?", "detected_answers": [spans]}]}
    path = file(tmp_path, "a.jsonl", json.dumps({"header": {}}) + "\n" + json.dumps(line) + "\n")
    (example,) = read_questions(path)
    assert example.answers == (Answer(text="Ann", start=0), Answer(text="Ann", start=12))


def test_what_a_question_lacks_is_told_with_its_place(tmp_path):
    path = file(tmp_path, "a.json", squad([{"id": "1", "question": "Who?", "answers": [{"text": "Ann"}]}]))
    with pytest.raises(DataError, match=r'data\[0\]\.paragraphs\[0\]\.qas\[0\]: no field "answer_start"; .* text'):
        read_questions(path)
    with pytest.raises(DataError, match=r'b\.json: no field "data"'):
        read_questions(file(tmp_path, "b.json", "{}"))


# --------------------------------------------------------------------------------------------------------------- choices


def test_swag(tmp_path):
    text = ",sent1,sent2,ending0,ending1,ending2,ending3,label\n0,She sits.,She,reads.,sings.,runs.,flies.,2\n"
    (example,) = read_swag(file(tmp_path, "a.csv", text))
    assert example.prompt == "She sits."
    assert example.choices == ("She reads.", "She sings.", "She runs.", "She flies.")
    assert example.label == 2


XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE copa-corpus SYSTEM "copa.dtd">
<copa-corpus version="1.0">
<item id="4" asks-for="cause" most-plausible-alternative="2"><p>It is wet.</p><a1>It shone.</a1><a2>It rained.</a2></item>
</copa-corpus>
"""


def test_copa_as_published_and_as_in_superglue(tmp_path):
    line = {
        "premise": "It is wet.",
        "choice1": "It shone.",
        "choice2": "It rained.",
        "question": "cause",
        "idx": 4,
        "label": 1,
    }
    for path in (file(tmp_path, "a.xml", XML), file(tmp_path, "a.jsonl", json.dumps(line))):
        (example,) = read_copa(path)
        assert (example.id, example.label) == ("4", 1)
        assert example.prompt == "It is wet. What was the cause of this?"
        assert example.choices == ("It shone.", "It rained.")


def test_commonsenseqa_with_its_choices_inside_the_question_or_beside_it(tmp_path):
    inside = {"stem": "Where?", "choices": [{"label": "A", "text": "here"}, {"label": "B", "text": "there"}]}
    beside = {"question": "Where?", "choices": {"label": ["A", "B"], "text": ["here", "there"]}}
    for row in ({"question": inside}, beside):
        (example,) = read_commonsenseqa(file(tmp_path, "a.jsonl", json.dumps(row | {"answerKey": "B"})))
        assert (example.prompt, example.choices, example.label) == ("Where?", ("here", "there"), 1)
    assert read_commonsenseqa(file(tmp_path, "a.jsonl", json.dumps(beside)))[0].label is None


def test_piqa_with_its_labels_in_the_rows_or_in_a_file_beside(tmp_path):
    rows = [{"goal": "To write", "sol1": "use a pen.", "sol2": "use a spoon."}] * 2
    path = file(tmp_path, "train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert [example.label for example in read_piqa(path)] == [None, None]
    file(tmp_path, "train-labels.lst", "1\n0\n")
    assert [example.label for example in read_piqa(path)] == [1, 0]
    file(tmp_path, "train-labels.lst", "1\n")
    with pytest.raises(DataError, match=r"train-labels\.lst has 1 labels, expected 2"):
        read_piqa(path)
    path = file(tmp_path, "dev.jsonl", json.dumps(rows[0] | {"label": 1}))
    assert read_piqa(path)[0].label == 1
