"""Your own columns as examples of each kind."""

import json

import pytest

from electra.errors import DataError, UsageError
from electra.tasks.own import Columns, own_examples
from electra.tasks.task import Answer


def file(tmp_path, name, content):
    path = tmp_path / name
    text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
    path.write_text(text, encoding="utf-8")
    return path


def test_classes_of_texts_and_pairs(tmp_path):
    path = file(tmp_path, "a.csv", "body,more,topic,key\nOne., x , news ,k1\nTwo.,,sport,k2\n")
    columns = Columns(text="body", pair="more", label="topic", id="key")
    first, second = own_examples("classification", path, columns)
    assert (first.id, first.text, first.pair, first.label, first.place) == ("k1", "One.", " x ", "news", f"{path}:2")
    assert (second.pair, second.label) == ("", "sport")


def test_numbers_and_truth_values_are_names_of_classes(tmp_path):
    path = file(tmp_path, "a.jsonl", [{"text": "a", "label": label} for label in (3, 2.0, 0.5, True, "x")])
    assert [example.label for example in own_examples("classification", path)] == ["3", "2", "0.5", "true", "x"]


def test_texts_without_labels_need_no_column_for_them(tmp_path):
    path = file(tmp_path, "a.csv", "text\na\n")
    assert own_examples("classification", path, Columns(label=None))[0].label is None


def test_several_classes_as_a_list_or_with_a_separator(tmp_path):
    path = file(tmp_path, "a.jsonl", [{"text": "a", "label": value} for value in (["x", "y", "x"], [], "y, x", 2)])
    examples = own_examples("multi-label", path)
    assert [example.label for example in examples] == [("x", "y"), (), ("y", "x"), ("2",)]
    path = file(tmp_path, "a.csv", "text,label\na,x|y z\nb,\n")
    examples = own_examples("multi-label", path, Columns(label_separator="|"))
    assert [example.label for example in examples] == [("x", "y z"), ()]


def test_regression_reads_numbers(tmp_path):
    path = file(tmp_path, "a.csv", "text,label\na,2.5\nb,-1\n")
    assert [example.label for example in own_examples("regression", path)] == [2.5, -1.0]


SENTENCES = [(("Ann", "sleeps"), ("B-PER", "O")), (('"', "Rome"), ("O", "B-LOC"))]
TAGGED = {
    "lists": ("a.jsonl", [{"words": list(words), "tags": list(tags)} for words, tags in SENTENCES], Columns()),
    "columns": ("a.conll", "Ann NNP B-PER\nsleeps VBZ O\n\n\n\" '' O\nRome NNP B-LOC", Columns()),
    "a word a row": ("a.tsv", 'words\ttags\nAnn\tB-PER\nsleeps\tO\n\t\n"\tO\nRome\tB-LOC\n', Columns()),
    "numbered sentences": (
        "a.csv",
        'sentence,token,tag\n1,Ann,B-PER\n,sleeps,O\n2,"""",O\n2,Rome,B-LOC\n',
        Columns(words="token", tags="tag", sentence="sentence"),
    ),
}


@pytest.mark.parametrize(("name", "content", "columns"), TAGGED.values(), ids=TAGGED)
def test_words_with_tags_in_every_layout(tmp_path, name, content, columns):
    examples = own_examples("tagging", file(tmp_path, name, content), columns)
    assert [(example.words, example.tags) for example in examples] == SENTENCES


CONTEXT = "Rome is old. Rome is large."
ANSWERED = {
    "the first place": ({"answers": "Rome"}, (Answer(text="Rome", start=0),)),
    "a given place": ({"answers": "Rome", "at": 13}, (Answer(text="Rome", start=13),)),
    "several": ({"answers": ["old", "Rome"]}, (Answer(text="old", start=8), Answer(text="Rome", start=0))),
    "a record": ({"answers": {"text": ["Rome"], "answer_start": [13]}}, (Answer(text="Rome", start=13),)),
    "no answer": ({"answers": []}, ()),
    "an empty answer": ({"answers": "", "at": ""}, ()),
}


@pytest.mark.parametrize(("fields", "answers"), ANSWERED.values(), ids=ANSWERED)
def test_questions_with_answers_in_every_layout(tmp_path, fields, answers):
    path = file(tmp_path, "a.jsonl", [{"question": "Which?", "context": CONTEXT} | fields])
    columns = Columns(start="at") if "at" in fields else None
    assert own_examples("answering", path, columns)[0].answers == answers


def test_choices_in_a_list_or_in_columns(tmp_path):
    rows = [{"prompt": "It rained, so", "choices": ["we stayed.", "we swam."], "label": 0}]
    table = 'prompt,a,b,label\n"It rained, so",we stayed.,we swam.,0\n'
    for path, columns in (
        (file(tmp_path, "a.jsonl", rows), Columns()),
        (file(tmp_path, "a.csv", table), Columns(choices=("a", "b"))),
    ):
        (example,) = own_examples("choice", path, columns)
        assert (example.prompt, example.choices, example.label) == ("It rained, so", ("we stayed.", "we swam."), 0)


WRONG = {
    "no label": ("classification", [{"text": "a", "label": ""}], r'a\.jsonl:1: no label in "label", expected a class'),
    "null": ("classification", [{"text": "a", "label": None}], r'a\.jsonl:1: no label in "label"'),
    "a list": ("classification", [{"text": "a", "label": ["x"]}], r"a\.jsonl:1: list as label"),
    "a number as text": (
        "classification",
        [{"text": 5, "label": "x"}],
        r'a\.jsonl:1: "text" is 5 \(int\), expected text',
    ),
    "null as text": ("classification", [{"text": None, "label": "x"}], r'a\.jsonl:1: "text" is empty, expected text'),
    "a later row": (
        "classification",
        [{"text": "a", "label": "x"}, {"txt": "b", "label": "x"}],
        r'a\.jsonl:2: no column "text" \(did you mean "txt"\?\)',
    ),
    "a word as score": (
        "regression",
        [{"text": "a", "label": "high"}],
        r'a\.jsonl:1: "label" is "high" \(str\), expected a',
    ),
    "no finite score": ("regression", [{"text": "a", "label": "inf"}], r"expected a number"),
    "null for classes": ("multi-label", [{"text": "a", "label": None}], r"a\.jsonl:1: .* expected classes"),
    "tags are missing": ("tagging", [{"words": ["a", "b"], "tags": ["O"]}], r"a\.jsonl:1: 2 words and 1 tags"),
    "no words": ("tagging", [{"words": [], "tags": []}], r'a\.jsonl:1: "words" is an empty list'),
    "words as text": ("tagging", [{"words": "a b", "tags": []}], r"expected a list of strings"),
    "an answer from elsewhere": (
        "answering",
        [{"question": "?", "context": "a", "answers": "b"}],
        r'a\.jsonl:1: the answer "b" does not stand in the context',
    ),
    "a choice too far": (
        "choice",
        [{"prompt": "a", "choices": ["b", "c"], "label": 2}],
        r'a\.jsonl:1: "label" is 2, expected the number of a choice, 0 to 1',
    ),
}


@pytest.mark.parametrize(("kind", "rows", "message"), WRONG.values(), ids=WRONG)
def test_a_row_that_cannot_be_used_is_told_with_its_place(tmp_path, kind, rows, message):
    with pytest.raises(DataError, match=message):
        own_examples(kind, file(tmp_path, "a.jsonl", rows))


def test_an_unknown_kind_is_told_with_its_nearest_neighbour(tmp_path):
    with pytest.raises(UsageError, match=r'no kind "multilabel" \(did you mean "multi-label"\?\)'):
        own_examples("multilabel", tmp_path / "a.csv")
