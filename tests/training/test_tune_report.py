"""The page of a fine-tuning: curves beside the baseline, and examples that went wrong, of every kind."""

import json
import re

import pytest
from small_tuning import data_of, encoder_of, settings_of

from electra.tasks.answering import Answering
from electra.tasks.choice import Choice
from electra.tasks.classification import Classification, MultiLabel, Regression
from electra.tasks.tagging import Tagging
from electra.tasks.task import Answer, ChoiceExample, QuestionExample, TaggedExample, TextExample
from electra.training.finetune import make_plan
from electra.training.tune_files import PREDICTIONS, write_examples, write_lines
from electra.training.tune_mistakes import cut, mistakes
from electra.training.tune_report import write_report
from electra.training.tune_results import summarise, write_results

LONG = " ".join(f"word{number}" for number in range(60))


def text(label, first="A text.", pair=None):
    return TextExample(id="7", place="folder/dev.csv:9", text=first, pair=pair, label=label)


def seen(found):
    return [(one.text, one.truth, one.answer, pytest.approx(one.weight)) for one in found]


def test_of_classes_the_surest_mistake_is_first_and_right_answers_are_left_out():
    examples = [text("a"), text("b"), text("a", "Left.", "Right."), text(None)]
    given = [{"label": "b", "score": score} for score in (0.6, 0.9, 0.8, 0.99)]
    found = mistakes(Classification(), examples, given)
    assert seen(found) == [(("Left. | Right.", "", ""), "a", "b", 0.8), (("A text.", "", ""), "a", "b", 0.6)]
    assert found[0].place == "dev.csv:9"


def test_long_texts_of_a_pair_are_cut_to_the_length_of_one():
    (found,) = mistakes(Classification(), [text("a", LONG, LONG)], [{"label": "b", "score": 0.5}])
    assert 160 <= len(found.text[0]) <= 170


def test_of_several_labels_it_is_the_label_most_surely_wrong():
    held = {"a": 0.9, "b": 0.2, "c": 0.1}
    (found,) = mistakes(MultiLabel(), [text(("b", "c"))], [{"labels": ["a"], "probabilities": held}])
    assert seen([found]) == [(("A text.", "", ""), "b, c", "a", 0.9)]
    (none,) = mistakes(MultiLabel(), [text(())], [{"labels": ["a"], "probabilities": held}])
    assert none.truth == "none"
    assert mistakes(MultiLabel(), [text(("a",))], [{"labels": ["a"], "probabilities": held}]) == []


def test_of_numbers_it_is_the_largest_error():
    found = mistakes(Regression(), [text(1.0), text(2.0), text(3.0)], [{"value": v} for v in (1.5, 2.0, 0.25)])
    assert [(one.truth, one.answer, one.weight) for one in found] == [("3", "0.25", 2.75), ("1", "1.5", 0.5)]


def test_of_tags_the_first_wrong_word_is_marked_whatever_the_scheme():
    words = tuple(f"w{number}" for number in range(60))
    example = TaggedExample(id="0", words=words, tags=("O",) * 30 + ("B-X", "I-X") + ("O",) * 28)
    given = ["O"] * 30 + ["B-X", "E-X"] + ["O"] * 28
    assert mistakes(Tagging(scheme="IOBES"), [example], [{"tags": given}]) == []
    (found,) = mistakes(Tagging(scheme="IOBES"), [example], [{"tags": [*given[:31], "O", "S-X", *given[33:]]}])
    assert (found.text[1], found.truth, found.answer, found.weight) == ("w31", "E-X", "O", 2)
    assert found.text[0].startswith("...")
    assert found.text[0].endswith(" w30")
    assert found.text[2].startswith("w32 ")


def test_of_choices_both_texts_are_shown():
    example = ChoiceExample(id="0", prompt="It rained, so", choices=("we stayed.", "we swam."), label=0)
    (found,) = mistakes(Choice(), [example], [{"label": 1, "score": 0.7}])
    assert seen([found]) == [(("It rained, so", "", ""), "we stayed.", "we swam.", 0.7)]


def test_of_answers_the_context_is_shown_where_the_truth_stands_and_no_answer_is_one():
    context = f"{LONG} Anna Berg {LONG}"
    known = QuestionExample(
        id="0", question="Who?", context=context, answers=(Answer(text="Anna Berg", start=len(LONG) + 1),)
    )
    none = QuestionExample(id="1", question="When?", context="Long ago.", answers=())
    given = [{"answer": "", "no_answer_score": 3.0, "score": -5.0}, {"answer": "Long ago", "score": -0.5}]
    first, second = mistakes(Answering(), [known, none], given)
    assert (first.truth, first.answer) == ("Anna Berg", "no answer")
    assert re.fullmatch(r"Who\? \| \.\.\..* Anna Berg .*\.\.\.", first.text[0])
    assert (second.text[0], second.truth, second.answer, second.weight) == (
        "When? | Long ago.",
        "no answer",
        "Long ago",
        -0.5,
    )
    assert mistakes(Answering(), [none], [{"answer": "", "score": None}]) == []


def test_a_text_is_cut_around_a_place():
    assert cut("short") == "short"
    assert cut("0123456789" * 3, 0, 10) == "0123456789..."
    assert cut("0123456789" * 3, 30, 10) == "...0123456789"
    assert cut("0123456789" * 3, 15, 10) == "...2345678901..."


# -- the page -----------------------------------------------------------------------------------------------------------

WRONG = {
    "classification": lambda e: {"label": "other", "score": 0.75, "probabilities": {"other": 0.75, "place": 0.25}},
    "multi-label": lambda e: {"labels": ["calm"], "probabilities": {"calm": 0.9, "seen": 0.3}},
    "regression": lambda e: {"value": 20.0 + int(e.id)},
    "tagging": lambda e: {"tags": ["O"] * len(e.words)},
    "choice": lambda e: {"label": 0, "choice": e.choices[0], "score": 0.8, "probabilities": [0.8, 0.2]},
    "answering": lambda e: {"answer": "The <b>", "start": 0, "end": 3, "score": -0.5, "nbest": []},
}


MATRIX, LABELS, SURE = "What is mixed up", "Each label", "Does it mean what it says?"
DRAWN = {
    "classification": {MATRIX, LABELS, SURE},
    "multi-label": {LABELS, SURE},
    "regression": {"Answers over the truth"},
    "tagging": {MATRIX, LABELS},
    "choice": {MATRIX, LABELS, SURE},
    "answering": {SURE},
}


@pytest.mark.parametrize("kind", WRONG)
def test_the_page_of_each_kind_shows_what_is_wrong_in_plain_words(kind, tokenizer, tmp_path):
    data = data_of(kind)
    plan = make_plan(data, encoder_of(tokenizer), settings_of(seeds=3), "torch")
    write_examples(tmp_path / "dev.jsonl", data.dev)
    predictions = [{"id": example.id} | WRONG[kind](example) for example in data.dev]
    scores = data.kind.scores(data.dev, predictions, data.labels)
    for seed in range(3):
        kept = tmp_path / f"seed-{seed}" / "kept"
        (kept / "model").mkdir(parents=True)
        plan.purpose.write(kept / "model")
        write_lines(kept / PREDICTIONS, predictions)
        records = [{"kind": "train", "step": step, "loss": 1.0} for step in (1, 2)]
        records.append({"kind": "evaluation", "step": 2, "scores": scores})
        write_lines(kept.parent / "metrics.jsonl", records)
    results = [{"seed": seed, "scores": scores, "step": 2, "seconds": 1.0} for seed in range(3)]
    summary = summarise(tmp_path, plan, data, results, "random weights")
    write_results(tmp_path, summary)
    facts = {part: {"examples": 96, "sha256": 64 * "c"} for part in ("train", "dev")}
    record = {"electra": "0.1.0", "framework": "torch", "settings": plan.settings.to_dict(), "data": facts}
    (tmp_path / "settings.json").write_text(json.dumps(record | {"model": {"class": "E", "weights": ""}}))
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "<h2>What is wrong</h2>" in page
    assert len(re.findall(r"<tr><td>dev:\d+", page)) == 10
    assert ("<mark>" in page) == (kind == "tagging")
    assert "<b>" not in page.partition("What is wrong")[2]
    assert "<tr><td>constant answer<td>" in page
    assert (">constant answer</text>" in page) == (data.measure in summary["baseline"])  # of the chart
    assert "96 examples, sha256 cccccccccccc</code>" in page
    assert "{'" not in page
    colours = set(re.findall(r'polyline points="[^"]+" stroke="([^"]+)"', page))
    assert {"var(--l0)", "var(--l1)", "var(--l2)"} <= colours  # a line a seed
    titles = set(re.findall("<section><h2>([^<]+)", page)) - {"Training loss", f"{data.measure} on dev"}
    assert titles == DRAWN[kind]
