"""Kinds: what rows a model reads, what becomes of its answers, and what is refused."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightly import examples as several

from electra import ElectraConfig, ElectraTokenizer, ElectraTokenizerFast
from electra.errors import ConfigError, DataError, UsageError
from electra.tasks.choice import Choice
from electra.tasks.classification import Classification, MultiLabel, Regression, both_orders
from electra.tasks.rows import cut_row, windows
from electra.tasks.table import KINDS, find_kind
from electra.tasks.tagging import Tagging, _windows
from electra.tasks.task import ChoiceExample, TaggedExample, TextExample, collate

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "##d", "e", "caf", "##e", "##é", ".", ","]
ID = {piece: i for i, piece in enumerate(PIECES)}
CLS, SEP = ID["[CLS]"], ID["[SEP]"]


@pytest.fixture(scope="module", params=[ElectraTokenizerFast, ElectraTokenizer], ids=["fast", "slow"])
def tokenizer(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join([*PIECES, "[MASK]"]) + "\n")
    return request.param(str(path))


def texts(*rows, labels=None):
    pairs = [row if isinstance(row, tuple) else (row, None) for row in rows]
    labels = labels or [None] * len(rows)
    return [
        TextExample(id=f"n{i}", place=f"x.tsv:{i + 2}", text=text, pair=pair, label=label)
        for i, ((text, pair), label) in enumerate(zip(pairs, labels, strict=True))
    ]


def sentence(words, tags=None, place="x.txt:1"):
    tags = None if tags is None else tuple(tags.split())
    return TaggedExample(id="s", place=place, words=tuple(words.split(" ")) if words else (), tags=tags)


def spelled(ids):
    return " ".join(PIECES[i] for i in ids)


def test_every_kind_of_the_table_is_there_and_its_settings_survive_a_file():
    for name in ("classification", "multi-label", "regression", "tagging", "choice"):
        kind = find_kind(name)
        assert kind.name == name
        assert name in KINDS
        assert kind(**json.loads(json.dumps(asdict(kind())))) == kind()


# -- rows ---------------------------------------------------------------------------------------------------------------


def test_a_text_and_a_pair_as_rows(tokenizer):
    made = Classification().features(texts("a b", ("a", "b c"), "", labels=["0", "1", "0"]), tokenizer, ("0", "1"), 16)
    assert [spelled(f.input_ids) for f in made] == ["[CLS] a b [SEP]", "[CLS] a [SEP] b c [SEP]", "[CLS] [SEP]"]
    assert [f.token_type_ids.tolist() for f in made] == [[0, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0]]
    inputs, targets = collate(made, pad_token_id=0)
    assert inputs["input_ids"].shape == (3, 8)
    assert targets["labels"].tolist() == [0, 1, 0]


@settings(max_examples=several(30, 1000), deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(4, 20))
def test_a_long_pair_loses_pieces_one_by_one_from_its_longer_text(tokenizer, first, second, max_length):
    a, b = [ID["a"]] * first, [ID["b"]] * second
    while len(a) + len(b) > max_length - 3:
        (a if len(a) > len(b) else b).pop()
    ids, _ = cut_row([ID["a"]] * first, [ID["b"]] * second, tokenizer, max_length)
    assert ids.tolist() == [CLS, *a, SEP, *b, SEP]


def test_windows_cover_a_long_text_and_their_answers_are_averaged(tokenizer):
    kind, examples = Classification(windows=1), texts("a b c d e", "a", labels=["0", "1"])
    made = kind.features(examples, tokenizer, ("0", "1"), 5)
    assert [spelled(f.input_ids) for f in made] == ["[CLS] a b c [SEP]", "[CLS] c d e [SEP]", "[CLS] a [SEP]"]
    assert [int(f.targets["labels"]) for f in made] == [0, 0, 1]
    outputs = [{"logits": np.array(logits)} for logits in ([0.0, 3.0], [2.0, 0.0], [0.0, 0.0])]
    first, second = kind.predictions(examples, made, outputs, ("0", "1"))
    assert first["label"] == "1"  # logits 1.0 and 1.5
    assert first["probabilities"]["1"] == first["score"] == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert (second["id"], second["label"], second["score"]) == ("n1", "0", 0.5)


def test_windows_of_a_pair_go_over_its_longer_text(tokenizer):
    made = Classification(windows=0).features(texts(("a", "b c d e"), ("b c d e", "a a a a a a a")), tokenizer, (), 7)
    assert [spelled(f.input_ids) for f in made] == [
        "[CLS] a [SEP] b c d [SEP]",
        "[CLS] a [SEP] e [SEP]",
        *["[CLS] b c [SEP] a a [SEP]"] * 3,
        "[CLS] b c [SEP] a [SEP]",
    ]


def test_windows_that_would_not_move_on_are_refused():
    with pytest.raises(UsageError, match="windows share 3 pieces, but one has room for 3"):
        windows([1, 2, 3, 4], 3, 3)
    with pytest.raises(ConfigError, match="windows is -1"):
        Classification(windows=-1)


def test_pairs_in_both_orders():
    doubled = both_orders(texts(("a", "b"), ("c", "d"), labels=["0", "1"]))
    assert [(e.text, e.pair, e.label) for e in doubled] == [
        ("a", "b", "0"),
        ("c", "d", "1"),
        ("b", "a", "0"),
        ("d", "c", "1"),
    ]


# -- labels -------------------------------------------------------------------------------------------------------------


def test_labels_are_sorted_and_numbers_by_their_value():
    assert Classification().labels(texts(*"abc", labels=["10", "9", "-1"])) == ("-1", "9", "10")
    assert Classification().labels(texts(*"abc", labels=["10", "9", "x"])) == ("10", "9", "x")
    assert MultiLabel().labels(texts(*"abc", labels=[("z", "b"), (), ("a",)])) == ("a", "b", "z")
    assert Regression().labels(texts("a", labels=[0.5])) == ("value",)


def test_the_configuration_knows_the_labels():
    config = ElectraConfig(**Classification().settings(("no", "yes")))
    assert (config.num_labels, config.label2id, config.problem_type) == (
        2,
        {"no": 0, "yes": 1},
        "single_label_classification",
    )
    assert MultiLabel().settings(("a",))["problem_type"] == "multi_label_classification"
    assert ElectraConfig(**Regression().settings(("value",))).num_labels == 1
    assert ElectraConfig(**Tagging().settings(("B-A", "O"))).id2label == {0: "B-A", 1: "O"}
    assert Choice().settings(("0", "1")) == {}


@pytest.mark.parametrize(
    ("kind", "examples", "words"),
    [
        (Classification(), [], "there are no examples to learn from"),
        (Classification(), texts("a", "b", labels=["x", "x"]), 'all 2 examples have the label "x"'),
        (Classification(), texts("a", "b", labels=["x", None]), "x.tsv:3: no label"),
        (MultiLabel(), texts("a", labels=[()]), "none of 1 examples has a label"),
        (Regression(), texts("a", labels=["many"]), 'x.tsv:2: label "many", expected a number'),
        (Regression(), texts("a", labels=[float("nan")]), "x.tsv:2: label nan, expected a finite number"),
        (Tagging(), [sentence("a b", "O")], "x.txt:1: 2 words and 1 tags"),
        (Tagging(), [sentence("a b")], "x.txt:1: no tags"),
        (Tagging(), [sentence("a b", "O O")], "every word has the tag O"),
        (Tagging(), [sentence("a b", "B-X Y")], "tags mix two ways of writing"),
        (Choice(), [ChoiceExample(id="1", prompt="a", choices=("b", "c"))], "example 1: no label"),
        (
            Choice(),
            [ChoiceExample(id="1", prompt="a", choices=("b",), label=0)],
            "example 1: 1 choices, expected two or",
        ),
    ],
)
def test_examples_that_cannot_be_learned_from_are_refused_in_words(kind, examples, words):
    with pytest.raises(DataError) as error:
        kind.labels(examples)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("kind", "examples", "labels", "words"),
    [
        (
            Classification(),
            texts("a", "b", labels=["sport", "sports"]),
            ("politics", "sport"),
            'x.tsv:3: label "sports" is not among those learned (did you mean "sport"?): politics, sport',
        ),
        (
            MultiLabel(),
            texts("a", labels=[("x", "q")]),
            ("x", "y"),
            'x.tsv:2: label "q" is not among those learned: x, y',
        ),
        (Tagging(), [sentence("a", "B-LOC")], ("B-PER", "O"), 'x.txt:1: label "B-LOC" is not among those learned'),
        (Tagging(), [sentence("a a", "O")], ("B-PER", "O"), "x.txt:1: 2 words and 1 tags"),
        (
            Choice(),
            [ChoiceExample(id="7", prompt="a", choices=("b", "c"), label=2)],
            (),
            "example 7: label 2, expected the number of a choice, 0 to 1",
        ),
        (
            Choice(),
            [ChoiceExample(id=c, prompt="a", choices=tuple(c), label=0) for c in ("bc", "bcd")],
            (),
            "example bcd: 3 choices, expected 2, as in example bc",
        ),
    ],
)
def test_a_label_that_was_not_learned_is_refused_with_its_place(tokenizer, kind, examples, labels, words):
    with pytest.raises(DataError) as error:
        kind.features(examples, tokenizer, labels, 16)
    assert words in str(error.value)


def test_where_a_label_is_not_known_there_are_no_targets(tokenizer):
    examples = texts("a", "b", labels=["0", None])
    made = Classification().features(examples, tokenizer, ("0", "1"), 16)
    assert [f.targets for f in made] == [{}, {}]
    predictions = [{"label": "0", "probabilities": {"0": 1.0, "1": 0.0}}] * 2
    assert Classification().scores(examples, predictions, ("0", "1"))["accuracy"] == 1.0


# -- answers and scores ---------------------------------------------------------------------------------------------------


def answered(kind, examples, tokenizer, labels, logits):
    made = kind.features(examples, tokenizer, labels, 16)
    return kind.predictions(examples, made, [{"logits": np.array(row)} for row in logits], labels)


def test_scores_of_two_labels(tokenizer):
    examples = texts(*"abcd", labels=["0", "1", "1", "0"])
    logits = [[2.0, 0.0], [0.0, 1.0], [1.0, 0.5], [0.6, 0.0]]
    predictions = answered(Classification(), examples, tokenizer, ("0", "1"), logits)
    found = Classification().scores(examples, predictions, ("0", "1"))
    assert found == pytest.approx(
        {"accuracy": 0.75, "f1_macro": (0.8 + 2 / 3) / 2, "matthews": 3**-0.5, "f1": 2 / 3, "roc_auc": 1}
    )
    assert set(found) == set(Classification.measures)
    assert "roc_auc" not in Classification().scores(examples[:1], predictions[:1], ("0", "1"))


def test_several_labels(tokenizer):
    kind, examples = MultiLabel(), texts(*"abc", labels=[("x", "y"), (), "y"])
    assert [f.targets["labels"].tolist() for f in kind.features(examples, tokenizer, ("x", "y"), 8)] == [
        [1, 1],
        [0, 0],
        [0, 1],
    ]
    predictions = answered(kind, examples, tokenizer, ("x", "y"), [[1.0, 2.0], [-1.0, -3.0], [0.1, -1.0]])
    assert [p["labels"] for p in predictions] == [["x", "y"], [], ["x"]]
    assert kind.scores(examples, predictions, ("x", "y")) == pytest.approx(
        {"f1_micro": 4 / 6, "f1_macro": 2 / 3, "subset_accuracy": 2 / 3}
    )


def test_numbers_are_learned_between_zero_and_one_and_answered_in_their_own_unit(tokenizer):
    examples = texts(*"abc", labels=[0.0, 5.0, "2.5"])
    kind = Regression().scaled_to(examples)
    assert (kind.low, kind.high) == (0, 5)
    assert [float(f.targets["labels"]) for f in kind.features(examples, tokenizer, ("value",), 8)] == [0, 1, 0.5]
    predictions = answered(kind, examples, tokenizer, ("value",), [[0.0], [1.2], [0.5]])
    assert [p["value"] for p in predictions] == [0, 6, 2.5]
    found = kind.scores(examples, predictions, ("value",))
    assert (found["spearman"], found["mse"]) == pytest.approx((1, 1 / 3))
    with pytest.raises(ConfigError, match="low is 2"):
        Regression(low=2, high=1)


def test_choices(tokenizer):
    examples = [ChoiceExample(id="q", prompt="a b c", choices=("d", "e a"), label=1)]
    (made,) = Choice().features(examples, tokenizer, ("0", "1"), 7)
    assert [spelled(row) for row in made.input_ids] == ["[CLS] a b c [SEP] d [SEP]", "[CLS] a b [SEP] e a [SEP]"]
    inputs, targets = collate([made, made], pad_token_id=0)
    assert inputs["input_ids"].shape == (2, 2, 8)
    assert targets["labels"].tolist() == [1, 1]
    (found,) = Choice().predictions(examples, [made], [{"logits": np.array([0.0, 1.0])}], ("0", "1"))
    assert (found["label"], found["choice"]) == (1, "e a")
    assert Choice().scores(examples, [found], ("0", "1")) == {"accuracy": 1.0}


# -- tagging --------------------------------------------------------------------------------------------------------------

TAGS = ("B-X", "I-X", "O")


def test_the_first_piece_of_a_word_is_learned_and_a_word_without_pieces_is_unknown(tokenizer):
    (made,) = Tagging().features([sentence("a bd \x00 café", "O B-X I-X O")], tokenizer, TAGS, 16)
    assert spelled(made.input_ids) == "[CLS] a b ##d [UNK] caf ##e [SEP]"
    assert made.targets["labels"].tolist() == [-100, 2, 0, -100, 1, 2, -100, -100]
    assert made.token_type_ids.tolist() == [0] * 8


@settings(max_examples=several(40, 2000), deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=25), st.integers(6, 12), st.integers(0, 12))
def test_every_word_of_a_long_sentence_is_answered_once(sizes, room, shared):
    pieces = [[word] * size for word, size in enumerate(sizes)]
    rows = list(_windows(pieces, room, shared))
    assert sorted(word for _, answered, _ in rows for word in answered) == list(range(len(sizes)))
    for ids, answered, positions in rows:
        assert len(ids) <= room
        assert [ids[p - 1] for p in positions] == answered
        assert all(p == 1 or ids[p - 2] != word for p, word in zip(positions, answered, strict=True))
    assert len(rows) == 1 or shared == 0 or sum(len(ids) for ids, _, _ in rows) >= sum(sizes)


def test_windows_share_context(tokenizer):
    made = Tagging(shared=2).features([sentence("a b c d e a b c")], tokenizer, TAGS, 7)
    assert [spelled(f.input_ids) for f in made] == ["[CLS] a b c d e [SEP]", "[CLS] d e a b c [SEP]"]
    assert [f.aside[0].tolist() for f in made] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [f.aside[1].tolist() for f in made] == [[1, 2, 3, 4], [2, 3, 4, 5]]


def scored(kind, examples, tokenizer, labels, tags):
    """Predictions and scores of a model that answers `tags`."""
    made = kind.features(examples, tokenizer, labels, 16)
    outputs = []
    for feature in made:
        logits, (words, positions) = np.zeros((feature.length, len(labels))), feature.aside
        for word, position in zip(words, positions, strict=True):
            logits[position, labels.index(tags[feature.example].split()[word])] = 1
        outputs.append({"logits": logits})
    predictions = kind.predictions(examples, made, outputs, labels)
    return predictions, kind.scores(examples, predictions, labels)


def test_entities_and_their_scores(tokenizer):
    examples = [sentence("a b c d", "B-X I-X O B-X"), sentence("a e", "O O")]
    predictions, found = scored(Tagging(), examples, tokenizer, TAGS, ["B-X I-X O O", "O I-X"])
    assert predictions[0]["entities"] == [{"type": "X", "start": 0, "end": 2, "text": "a b"}]
    assert predictions[1] == {
        "id": "s", "words": ["a", "e"], "tags": ["O", "I-X"], "entities": [{"type": "X", "start": 1, "end": 2, "text": "e"}],
    }  # fmt: skip
    assert found == pytest.approx({"f1": 0.5, "precision": 0.5, "recall": 0.5, "f1_macro": 0.5, "accuracy": 4 / 6})
    assert set(found) == set(Tagging.measures)


def test_plain_tags_are_scored_by_word(tokenizer):
    examples = [sentence("a b c", "NN VB -LRB-")]
    labels = Tagging().labels(examples)
    assert labels == ("-LRB-", "NN", "VB")
    predictions, found = scored(Tagging(), examples, tokenizer, labels, ["NN NN -LRB-"])
    assert "entities" not in predictions[0]
    assert found["f1"] == found["accuracy"] == pytest.approx(2 / 3)


def test_tags_are_learned_in_another_scheme(tokenizer):
    kind, examples = Tagging(scheme="IOB2"), [sentence("a b c", "I-X I-X B-X")]
    assert kind.labels(examples) == TAGS
    (made,) = kind.features(examples, tokenizer, TAGS, 8)
    assert made.targets["labels"].tolist() == [-100, 0, 1, 0, -100]
    assert scored(kind, examples, tokenizer, TAGS, ["B-X I-X B-X"])[1]["f1"] == 1.0
    bilou = [sentence("a b c", "U-X B-X L-X")]
    assert (
        scored(Tagging(), bilou, tokenizer, Tagging().labels(bilou), ["U-X B-X L-X"])[0][0]["entities"][1]["end"] == 3
    )
    with pytest.raises(ConfigError, match='scheme is "IOB"'):
        Tagging(scheme="IOB")


def test_a_type_gets_every_letter_so_that_dev_may_have_rare_ones():
    assert Tagging().labels([sentence("a b c d", "B-X I-X O B-Y")]) == ("B-X", "B-Y", "I-X", "I-Y", "O")


def test_a_sentence_without_words_has_no_tags(tokenizer):
    examples = [sentence("", ""), sentence("a", "O")]
    assert [p["tags"] for p in scored(Tagging(), examples, tokenizer, TAGS, ["", "O"])[0]] == [[], ["O"]]


def test_tagging_as_shipped(tokenizer):
    kind = Tagging(as_shipped=True)
    examples = [sentence("A bd \u200b CAFÉ c", "I-X I-X O B-X I-Y")]
    assert kind.labels(examples) == ("B-X", "B-Y", "E-X", "E-Y", "O")
    # A span goes on at an I of another type, and has the last tag's type.
    assert kind.learned(examples[0]) == ["B-X", "E-X", "O", "B-Y", "E-Y"]
    labels = kind.labels([sentence("a b c d e", "B-X I-X O B-Y I-Y")])
    (made,) = kind.features(examples, tokenizer, labels, 16)
    assert spelled(made.input_ids) == "[CLS] a b ##d caf ##e c [SEP]"
    assert made.token_type_ids.tolist() == [1] * 8
    assert made.aside[1].tolist() == [1, 2, 4, 4, 6]  # the third word has no pieces and stands where the next one does
    # 4 + 5 words + pieces so far: with 11 tokens the first three words are read, though all would fit.
    (made,) = kind.features(examples, tokenizer, labels, 11)
    assert spelled(made.input_ids) == "[CLS] a b ##d [SEP]"
    (prediction,) = kind.predictions(examples, [made], [{"logits": np.eye(5)[[4, 0, 2, 2, 4]]}], labels)
    assert prediction["tags"] == ["B-X", "E-X", "O", "O", "O"]
