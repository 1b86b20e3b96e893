"""Whole fine-tunings: every kind learns what can be learned, several seeds, killed, refused, failed, collapsed."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from killed_tuning import LONG
from small_tuning import MAKERS, data_of, encoder_of, settings_of

from electra.errors import ConfigError, DataError, FrozenRunError, RunFailedError
from electra.inference.predictor import Predictor
from electra.tasks.task import TextExample
from electra.training.finetune import finetune
from electra.training.run import read_metrics
from electra.training.tune_batches import epoch_batches, make_batch, padding_multiple
from electra.training.tune_data import own_data, split_off
from electra.training.tune_files import read_lines
from electra.training.tune_results import chosen_told
from electra.training.tune_scores import compare_runs
from electra.weights.checkpoint import read_manifest

HERE = Path(__file__).parent
CLOCK = {"seconds", "seconds_left", "rows_per_second"}


def results(run):
    return json.loads((run / "results.json").read_text())


def contents(run):
    """Every file of a finished run by its sha256, times of the clock left out."""
    files = {}
    for path in sorted(run.rglob("*")):
        if (path.is_file() and path.suffix in (".safetensors", ".txt")) or path.name == "predictions-dev.jsonl":
            files[str(path.relative_to(run))] = hashlib.sha256(path.read_bytes()).hexdigest()
    metrics = [
        {k: v for k, v in record.items() if k not in CLOCK}
        for seed in sorted(run.glob("seed-*"))
        for record in read_metrics(seed / "metrics.jsonl")
    ]
    return files, metrics


# -- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MAKERS)
def test_each_kind_learns_what_one_word_decides_and_predicts_it(kind, tokenizer, tmp_path):
    data = data_of(kind)
    finetune(data, encoder_of(tokenizer), settings_of(), tmp_path / "run", panel=False, report=False)
    found = results(tmp_path / "run")
    assert found["seeds"]["0"]["scores"][data.measure] > 0.9, found["seeds"]["0"]
    assert found["collapsed"] == found["failed"] == []
    predicted = Predictor(tmp_path / "run", settings_of(), engine="plain").predict(data.dev)
    kept = list(read_lines(tmp_path / "run" / "seed-0" / "kept" / "predictions-dev.jsonl"))
    ours, theirs = (data.kind.scores(data.dev, answers, data.labels) for answers in (predicted, kept))
    assert ours == pytest.approx(theirs, abs=2e-3)  # two ways to compute the same, and ranks of numbers that nearly tie


@pytest.mark.parametrize("kind", ["classification", "answering"])
def test_the_original_heads_learn_it_too(kind, tokenizer, tmp_path):
    data = data_of(kind)
    finetune(
        data,
        encoder_of(tokenizer),
        settings_of(head="original", loss="sum", learning_rate=3e-3),
        tmp_path / "run",
        panel=False,
    )
    found = results(tmp_path / "run")
    assert found["class"].startswith("ElectraOriginal")
    assert found["seeds"]["0"]["scores"][data.measure] > 0.9


@pytest.mark.parametrize("framework", ["tf", "flax"])
def test_the_other_frameworks_learn_it(framework, tokenizer, tmp_path):
    data = data_of()
    finetune(
        data, encoder_of(tokenizer), settings_of(), tmp_path / "run", framework=framework, panel=False, report=False
    )
    assert results(tmp_path / "run")["seeds"]["0"]["scores"]["accuracy"] > 0.9
    first, second = (Predictor(tmp_path / "run", settings_of(), framework=name) for name in (framework, "torch"))
    ours, theirs = ([p["probabilities"]["place"] for p in model.predict(data.dev)] for model in (first, second))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_line_s_entities_say_which_characters_they_cover_and_bad_lines_stay_in_their_place(tokenizer, tmp_path):
    finetune(data_of("tagging"), encoder_of(tokenizer), settings_of(), tmp_path / "run", panel=False, report=False)
    line = "The  quiet river followed the engine"
    lines = [line, "", '{"words": ["The", "garden"]}', '{"words": []}']
    answers = list(Predictor(tmp_path / "run").predict_lines(lines, window=2))
    assert [line[slice(*entity["characters"])] for entity in answers[0]["entities"]] == ["river", "engine"]
    assert [line[slice(*word)] for word in answers[0]["offsets"]] == answers[0]["words"]
    assert [entity["text"] for entity in answers[1]["entities"]] == ["garden"]
    assert answers[2] == {"line": 4, "error": 'line 4: "words" is list, expected a list of texts'}


def test_a_line_s_answer_lists_as_many_candidates_as_asked_for_of_whole_words(tokenizer, tmp_path):
    settings = settings_of(epochs=0.2, evaluations=1)
    finetune(data_of("answering"), encoder_of(tokenizer), settings, tmp_path / "run", panel=False, report=False)
    line = json.dumps({"question": "How?", "context": "The very quiet river followed the careful engine."})
    (answer,) = Predictor(tmp_path / "run").predict_lines([line], nbest=4)
    (whole,) = Predictor(tmp_path / "run").predict_lines([line])
    assert answer["nbest"][0] == whole["nbest"][0]
    assert len(answer["nbest"]) == 4 < len(whole["nbest"])
    assert "line" in next(Predictor(tmp_path / "run").predict_lines(["{"], nbest=4))


def test_a_line_that_does_not_fit_its_neighbours_is_answered_alone(tokenizer, tmp_path):
    finetune(data_of("choice"), encoder_of(tokenizer), settings_of(), tmp_path / "run", panel=False, report=False)
    lines = [
        json.dumps({"prompt": "The river.", "choices": choices})
        for choices in (
            ["It was old.", "It was green."],
            ["It was old.", "It was old.", "It was green."],
            ["It was old."],
        )
    ]
    first, second, third = Predictor(tmp_path / "run").predict_lines(lines)
    assert (first["label"], second["label"]) == (1, 2)
    assert third["line"] == 3
    assert "expected two or more" in third["error"]


# -- what a run leaves ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tokenizer, tmp_path_factory):
    """A run of two seeds, not long enough to be perfect."""
    run = tmp_path_factory.mktemp("tuned") / "run"
    finetune(data_of(), encoder_of(tokenizer), settings_of(seeds=2, epochs=2, learning_rate=2e-3), run, panel=False)
    return run


def test_a_run_leaves_scores_of_every_seed_a_model_its_card_and_a_report(finished):
    assert {path.name for path in finished.iterdir()} == {
        "settings.json", "dev.jsonl", "seed-0", "seed-1", "results.json", "model", "report.html", "curves.svg",
    }  # fmt: skip
    assert {path.name for path in (finished / "seed-0").iterdir()} == {
        "settings.json", "metrics.jsonl", "kept", "result.json",
    }  # fmt: skip
    found = results(finished)
    scores = [found["seeds"][seed]["scores"]["accuracy"] for seed in ("0", "1")]
    assert found["spread"]["accuracy"]["median"] == pytest.approx(sum(scores) / 2)
    assert found["seeds"][str(found["chosen"])]["scores"]["accuracy"] == max(scores)
    assert 0.5 < found["baseline"]["accuracy"] < 0.9
    card = (finished / "model" / "README.md").read_text()
    assert f"median | {found['spread']['accuracy']['median']:.4f}" in card
    assert chosen_told(found) in card
    assert "](curves.svg)" in card
    assert ElementTree.parse(finished / "model" / "curves.svg").getroot().tag.endswith("svg")
    assert {"README.md", "curves.svg"} <= read_manifest(finished / "model")["files"].keys()
    page = (finished / "report.html").read_text()
    assert "<svg" in page
    assert "What is mixed up" in page


def test_transformers_loads_the_model_with_its_labels(finished):
    import torch
    from transformers import AutoTokenizer, ElectraForSequenceClassification

    model = ElectraForSequenceClassification.from_pretrained(finished / "model").eval()
    ids = AutoTokenizer.from_pretrained(finished / "model")("The old river.", return_tensors="pt")
    with torch.no_grad():
        probabilities = model(**ids).logits.softmax(-1)[0].tolist()
    (ours,) = Predictor(finished).predict([TextExample(id="0", text="The old river.")])
    assert model.config.id2label == {0: "other", 1: "place"}
    assert list(ours["probabilities"].values()) == pytest.approx(probabilities, abs=1e-5)
    assert not {"kind", "columns", "electra_task"} & json.loads((finished / "model" / "config.json").read_text()).keys()


def test_more_seeds_lengthen_a_run(finished, tokenizer, tmp_path):
    import shutil

    run = shutil.copytree(finished, tmp_path / "run")
    before = contents(run)
    finetune(
        data_of(),
        encoder_of(tokenizer),
        settings_of(seeds=3, epochs=2, learning_rate=2e-3),
        run,
        panel=False,
        report=False,
    )
    assert list(results(run)["seeds"]) == ["0", "1", "2"]
    after = contents(run)
    assert {name: after[0][name] for name in before[0] if name.startswith("seed-")} == {
        name: value for name, value in before[0].items() if name.startswith("seed-")
    }


def test_two_runs_are_compared_over_examples_and_over_seeds(finished, tokenizer, tmp_path):
    settings = settings_of(seeds=2, epochs=1, learning_rate=1e-4)
    finetune(data_of(), encoder_of(tokenizer), settings, tmp_path / "worse", panel=False, report=False)
    found = compare_runs(finished, tmp_path / "worse")
    assert found.paired == (0, 1)
    assert found.examples.low <= found.examples.value <= found.examples.high
    assert found.examples.value == pytest.approx(found.first.mean - found.second.mean)
    assert found.seeds.smallest_p == 0.5


def test_runs_on_different_dev_examples_are_not_compared(finished, tokenizer, tmp_path):
    finetune(
        data_of(seed=5), encoder_of(tokenizer), settings_of(epochs=1), tmp_path / "other", panel=False, report=False
    )
    with pytest.raises(DataError, match="scores on different examples cannot be compared"):
        compare_runs(finished, tmp_path / "other")


# -- killed, stopped, refused -----------------------------------------------------------------------------------------


@pytest.mark.fault(1)
def test_a_run_killed_twenty_times_ends_bit_for_bit_like_one_that_was_not(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    encoder = encoder_of(tokenizer, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)
    finetune(data_of(), encoder, settings_of(**LONG), tmp_path / "whole", panel=False, report=False)
    command = [sys.executable, HERE / "killed_tuning.py", tmp_path / "tokenizer", tmp_path / "killed", "20", "7"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.fault(9)
def test_a_run_with_other_settings_or_data_is_refused_with_the_difference(finished, tokenizer):
    with pytest.raises(FrozenRunError) as caught:
        finetune(
            data_of(seed=1), encoder_of(tokenizer), settings_of(seeds=2, epochs=3), finished, panel=False, report=False
        )
    assert "settings.epochs: was 2, is 3" in str(caught.value)
    assert "data.train.sha256" in str(caught.value)


@pytest.mark.fault(10)
def test_a_seed_that_diverges_is_a_result_and_the_others_go_on(tokenizer, tmp_path):
    settings = settings_of(seeds=2, epochs=1, learning_rate=1e30, clip_norm=1e30, warmup=0)
    with pytest.raises(RunFailedError, match=r"the runs of all 2 seeds failed.*learning_rate"):
        finetune(data_of(), encoder_of(tokenizer), settings, tmp_path / "run", panel=False, report=False)
    found = results(tmp_path / "run")
    assert found["failed"] == [0, 1]
    assert "gradient norm" in found["seeds"]["1"]["failed"]


def test_a_run_that_answers_the_same_always_is_called_collapsed(tokenizer, tmp_path):
    settings = settings_of(learning_rate=0.0, evaluations=1, epochs=1)
    data = data_of()
    finetune(data, encoder_of(tokenizer, initializer_range=1e-6), settings, tmp_path / "run", panel=False, report=False)
    found = results(tmp_path / "run")
    assert found["collapsed"] == [0]
    assert "the run collapsed" in found["seeds"]["0"]["collapsed"]


def test_patience_stops_early_and_keeps_the_best(tokenizer, tmp_path):
    settings = settings_of(learning_rate=0.0, evaluations=8, patience=2)
    finetune(data_of(), encoder_of(tokenizer), settings, tmp_path / "run", panel=False, report=False)
    evaluations = [r for r in read_metrics(tmp_path / "run" / "seed-0" / "metrics.jsonl") if r["kind"] == "evaluation"]
    assert len(evaluations) == 3  # nothing is learned at a learning rate of 0
    assert results(tmp_path / "run")["seeds"]["0"]["step"] == evaluations[0]["step"]


@pytest.mark.fault(19)
def test_rows_longer_than_the_model_reads_are_refused(tokenizer, tmp_path):
    with pytest.raises(ConfigError, match="max_length is 128, but the model reads 64"):
        finetune(
            data_of(), encoder_of(tokenizer), settings_of(max_length=128), tmp_path / "run", panel=False, report=False
        )


@pytest.mark.fault(22)
def test_a_label_of_dev_that_train_lacks_is_named_with_its_place(tokenizer, tmp_path):
    data = data_of()
    strange = replace(data.dev[3], label="plce")
    data = replace(data, dev=[*data.dev[:3], strange])
    with pytest.raises(DataError, match=r'dev:3: label "plce" is not among .*did you mean "place"'):
        finetune(data, encoder_of(tokenizer), settings_of(), tmp_path / "run", panel=False, report=False)
    assert not (tmp_path / "run").exists()


# -- batches and data -------------------------------------------------------------------------------------------------


def test_an_epoch_has_every_row_once_and_rows_of_a_batch_are_alike_in_length():
    lengths = np.random.default_rng(0).integers(5, 120, 1000)
    batches = epoch_batches(lengths, seed=3, epoch=1, batch_size=16)
    assert sorted(np.concatenate(batches)) == list(range(1000))
    again = epoch_batches(lengths, seed=3, epoch=1, batch_size=16)
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))
    assert not np.array_equal(batches[0], epoch_batches(lengths, seed=3, epoch=2, batch_size=16)[0])
    padded = sum(len(batch) * max(lengths[batch]) for batch in batches)
    assert padded < 1.1 * lengths.sum()


@pytest.mark.parametrize("max_length", [8, 128, 384, 512])
def test_rows_are_padded_to_few_lengths_where_each_is_compiled(max_length):
    for framework in ("tf", "flax"):
        multiple = padding_multiple(max_length, framework)
        assert multiple % 8 == 0
        assert -(-max_length // multiple) <= 8
    assert padding_multiple(max_length, "torch") == 1


@pytest.mark.fault(21)
def test_filler_and_words_without_a_tag_weigh_nothing(tokenizer):
    data = data_of("tagging", count=3)
    features = data.kind.features(data.train, tokenizer, data.labels, 48)
    inputs, targets = make_batch(features, batch_size=5, pad_token_id=0, multiple=8)
    assert inputs["input_ids"].shape == targets["weights"].shape
    assert (targets["weights"][3:] == 0).all()
    assert targets["weights"][:3].sum() == sum(len(example.words) for example in data.train)


def test_rare_labels_weigh_more_where_balance_is_asked_for(tokenizer, tmp_path):
    with pytest.raises(ConfigError, match="regression has no classes"):
        finetune(
            data_of("regression"), encoder_of(tokenizer), settings_of(class_weights="balanced"), tmp_path, panel=False
        )


def test_dev_examples_are_split_off_by_label_with_alike_texts_on_one_side():
    examples = [
        TextExample(
            id=str(i), text=f"Text number {i // 2}!" if i % 2 else f"text number {i // 2}", label=str(i // 2 % 4)
        )
        for i in range(200)
    ]
    train, dev = split_off(examples, seed=0)
    assert len(train) + len(dev) == 200
    assert 15 <= len(dev) <= 25
    assert {e.label for e in dev} == {"0", "1", "2", "3"}
    assert not {e.text.lower().strip("!") for e in dev} & {e.text.lower().strip("!") for e in train}
    assert split_off(examples, seed=0) == (train, dev)
    assert split_off(examples, seed=1) != (train, dev)


def test_a_limit_keeps_the_labels_of_all_examples(tmp_path):
    from electra.tasks.own import Columns

    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "".join(f"text {i},{i % 10}\n" for i in range(100)))
    notes: list[str] = []
    data = own_data("classification", path, None, Columns(), {}, limit=3, seed=0, notes=notes)
    assert len(data.train) == 3
    assert data.labels == tuple(map(str, range(10)))
    assert any("split off" in note for note in notes)
