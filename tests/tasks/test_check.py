"""What is found wrong with a data set, and what is not."""

import random

import pytest

from electra.tasks.check import check
from electra.tasks.overlap import near_pairs, normal
from electra.tasks.summary import summarize
from electra.tasks.task import Answer, ChoiceExample, QuestionExample, TaggedExample, TextExample

TEXT = "north south river stone winter paper garden music letter window summer bridge silver mountain evening"
WORDS = TEXT.split()


def sentence(seed, length=12):
    return " ".join(random.Random(seed).choices(WORDS, k=length))


def texts(count, *, first=0, labels=("a", "b"), split="train"):
    """Different sentences with labels in turn."""
    return [
        TextExample(id=str(n), place=f"{split}:{n}", text=sentence(first + n), label=labels[n % len(labels)])
        for n in range(count)
    ]


def like(example, **changes):
    return TextExample(**{**vars(example), "place": "copy:0", **changes})


def found(level="warning", **splits):
    return [finding.text for finding in check(splits) if finding.level == level]


def test_nothing_is_found_in_good_data():
    assert check({"train": texts(50), "dev": texts(20, first=100)}) == []


def test_a_tenth_of_dev_in_train_is_an_error_and_less_a_warning():
    train, dev = texts(50), texts(20, first=100)
    copies = [like(train[0], text=train[0].text.upper() + "!"), like(train[3], text=f"  {train[3].text}")]
    assert found(train=train, dev=[*dev, copies[0]]) == ["1 (4.8%) are in train too"]
    assert found("error", train=train, dev=[*dev[:10], *copies]) == ["2 (16.7%) are in train too"]


def test_the_places_of_both_are_told():
    train, dev = texts(50), texts(20, first=100)
    (finding,) = check({"train": train, "dev": [*dev, like(train[7])]})
    assert finding.places == ("copy:0 = train:7",)
    assert str(finding) == "warning: dev: 1 (4.8%) are in train too (copy:0 = train:7)"


def test_a_copy_with_one_word_more_is_told_and_half_a_copy_is_not():
    train, dev = [texts(1)[0], *texts(50, first=50)], texts(20, first=200)
    longer = like(train[0], text=train[0].text + " indeed")
    assert found(train=train, dev=[*dev, longer]) == ["1 (4.8%) are nearly the same as one in train"]
    half = like(train[0], text=" ".join([*train[0].text.split()[:6], *sentence(999, 6).split()]))
    assert found(train=train, dev=[*dev, half]) == []


def test_nearly_equal_texts_are_found_in_many():
    known = [normal(sentence(n, 30)) for n in range(2000)]
    asked = [f"{text} more" for text in known[::100]]
    assert near_pairs(known, asked) == [(n, 100 * n) for n in range(20)]


def test_repeated_examples_are_told_and_those_with_another_label_apart():
    train = texts(10)
    more = [like(train[0]), like(train[1], label="a")]
    assert found(train=[*train, *more]) == [
        "2 (16.7%) repeat another example",
        "2 (16.7%) repeat another example, but for case and punctuation, with a different label",
    ]


def test_signs_without_words_are_not_all_the_same():
    faces = [
        TextExample(id=str(n), text=text, label=label) for n, (text, label) in enumerate([(":-)", "a"), (":-(", "b")])
    ]
    assert check({"train": faces}) == []


def test_one_text_of_a_pair_in_common_is_told():
    train = [like(example, pair=sentence(500 + n)) for n, example in enumerate(texts(50))]
    dev = [like(example, pair=sentence(700 + n)) for n, example in enumerate(train[:20])]
    assert found(train=train, dev=dev) == ["20 (100.0%) have a first text of the pair that train has too"]


def test_labels_that_train_lacks_are_an_error_from_a_hundredth_on():
    train, dev = texts(50), texts(20, first=100)
    missing = found("error", train=train, dev=[*dev, like(texts(1, first=300)[0], label="c")])
    assert missing == ['1 (4.8%) of the labels are not among those of train: "c" (1)']
    many = texts(200, first=100)
    assert found(train=train, dev=[*many, like(texts(1, first=400)[0], label="c")])


def test_a_train_split_with_one_label_or_without_labels_is_an_error():
    assert found("error", train=texts(10, labels=("a",))) == ["every example has the same label, a"]
    assert found("error", train=texts(10, labels=("a", "b", None))) == ["3 (30.0%) have no label"]
    assert found("error", train=texts(10, labels=(None,))) == []  # nothing is known: texts to predict


def test_labels_that_look_like_scores_are_told():
    labels = tuple(f"{n / 10}" for n in range(1, 40))
    assert any("is this regression?" in text for text in found(train=texts(40, labels=labels)))


TROUBLES = {
    "caf\ufffd": "U+FFFD",
    "cafÃ©": "letters like",
    "itâ€™s": "letters like",
    "a\0b": "NUL",
    "a\x93b": "control",
    "a\ud800b": "surrogates",
}


@pytest.mark.parametrize(("text", "message"), TROUBLES.items(), ids=map(repr, TROUBLES))
def test_trouble_with_the_encoding_is_told(text, message):
    (told,) = found(train=[*texts(10), like(texts(1, first=50)[0], text=text)])
    assert message in told
    assert "1 (9.1%)" in told


def test_letters_with_accents_are_no_trouble():
    fine = like(texts(1, first=50)[0], text="café à la carte, Ångström, È vero, «ÂME», “quoted” – naïve…")
    assert found(train=[*texts(10), fine]) == []


def question(number, answers, context="Ann sleeps in Rome."):
    return QuestionExample(
        id=str(number), place=f"q:{number}", question=sentence(number), context=context, answers=answers
    )


def test_answers_out_of_place_and_ids_given_twice_are_errors():
    good, bad = (Answer(text="Rome", start=14),), (Answer(text="Rome", start=3),)
    assert found("error", train=[question(0, good), question(1, ())]) == []
    out = found("error", train=[question(0, good), question(1, bad)])
    assert out == ["1 (50.0%) have an answer that does not stand at its place in the context"]
    twice = found("error", train=[question(0, good), question(0, good)])
    assert twice == ["1 ids name several questions: answers are told apart by id"]


def test_a_context_on_both_sides_is_told():
    train, dev = [question(n, ()) for n in range(5)], [question(n, (), "Another.") for n in range(9, 14)]
    assert found(train=train, dev=dev) == []
    assert found(train=train, dev=[*dev, question(20, ())]) == ["1 (16.7%) have a context that train has too"]


@pytest.mark.parametrize(("tags", "is_told"), [("B-A I-A O", 0), ("O I-A O", 1), ("B-A I-B O", 1), ("N V O", 0)])
def test_tags_that_go_on_with_what_did_not_begin_are_told(tags, is_told):
    words = tuple(WORDS[:3])
    other = TaggedExample(id="1", words=tuple(WORDS[3:6]), tags=("B-A", "I-A", "B-B"))
    assert len(found(train=[TaggedExample(id="0", words=words, tags=tuple(tags.split())), other])) == is_told


def test_empty_texts_are_told():
    assert found(train=[*texts(9), like(texts(1, first=50)[0], text=" ")]) == ["1 (10.0%) have an empty text"]


def test_the_summary_gives_shares_lengths_and_what_a_constant_answer_scores():
    train, dev = texts(9, labels=("a", "a", "b")), texts(4, first=100, labels=("a", "b"))
    lines = list(summarize({"train": train, "dev": dev}))
    assert lines[:3] == [
        "train: 9 examples",
        "  2 labels: a 6 (66.7%), b 3 (33.3%)",
        "  words 12 in the middle, up to 12 in 95%, at most 12",
    ]
    assert lines[-1] == "always a on dev: accuracy 0.500"


def test_the_summary_of_every_kind_has_a_constant_answer():
    words = TaggedExample(id="0", words=("a", "b"), tags=("O", "B-A"))
    choice = ChoiceExample(id="0", prompt="a", choices=("b", "c"), label=1)
    several = [like(example, label=label) for example, label in zip(texts(2), [("a",), ()], strict=True)]
    scores = [like(example, label=label) for example, label in zip(texts(2), [1.0, 3.0], strict=True)]
    expected = {
        'always "no answer" on dev: exact match and F1 0.500': [
            question(0, ()),
            question(1, (Answer(text="Ann", start=0),)),
        ],
        "always O on dev: accuracy 0.500; F1 of spans 0": [words],
        "always 1 on dev: accuracy 1.000": [choice],
        "always a alone on dev: all labels right in 0.500": several,
        "always the mean on dev: correlation 0, standard deviation 1": scores,
    }
    assert [list(summarize({"dev": examples}))[-1] for examples in expected.values()] == list(expected)
