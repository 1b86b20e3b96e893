"""The commands of fine-tuning as a person calls them: from a file of their own to answers, and what a wrong call is told."""

import io
import json
import os
import re
import signal
import threading
import time

import pytest
from small_tuning import MODEL, data_of

from electra.cli import main

FAST = ("--threads", 1, "--precision", "float32", "--max-length", 48, "--batch-size", 16, "--layer-decay", 1, "--quiet")


@pytest.fixture(scope="module")
def place(tokenizer, tmp_path_factory):
    """A folder with a discriminator, labelled files, and a fine-tuning of two seeds by command."""
    import torch

    import electra

    torch.manual_seed(0)  # with others it may learn less, and ROC-AUC then hangs on rounding

    place = tmp_path_factory.mktemp("finetuning")
    config = electra.ElectraConfig(vocab_size=len(tokenizer), **MODEL)
    for name, kind in (("discriminator", electra.ElectraForPreTraining), ("generator", electra.ElectraForMaskedLM)):
        kind(config).save_pretrained(place / "pair" / name)
        tokenizer.save_pretrained(place / "pair" / name)
    data = data_of()
    for name, examples in (("train", data.train), ("dev", data.dev)):
        rows = [{"name": e.id, "body": e.text, "topic": e.label} for e in examples]
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (place / "only_header.csv").write_text("body,topic\n")
    unseen = {"body": "The old river.", "topic": "weather"}
    (place / "unseen.jsonl").write_text((place / "dev.jsonl").read_text() + json.dumps(unseen) + "\n")
    assert run(place, *CALL, "--seeds", 2, "--epochs", 12, "--learning-rate", 5e-3) == 0
    return place


CALL = (
    "finetune",
    "pair",
    "run",
    "--train",
    "train.jsonl",
    "--dev",
    "dev.jsonl",
    "--text",
    "body",
    "--label",
    "topic",
    *FAST,
)


def run(place, *words):
    """One command inside `place`; its exit code."""
    before = os.getcwd()
    os.chdir(place)
    try:
        return main([str(word) for word in words])
    except SystemExit as end:  # tyro ends so on a wrong option
        return end.code
    finally:
        os.chdir(before)


def test_the_way_from_a_file_to_a_model_ends_with_what_comes_next(place, capfd):
    # The run is complete, so the same command only tells again what it reached.
    assert run(place, *CALL, "--seeds", 2, "--epochs", 12, "--learning-rate", 5e-3) == 0
    told = capfd.readouterr().err
    assert "ElectraForPreTraining of pair; 96 train and 32 dev examples of train.jsonl and dev.jsonl\n" in told
    assert re.search(r"accuracy [01]\.\d{4} on 32 dev examples \(median of 2 seeds", told)
    assert "electra predict run/model FILE" in told
    assert {"config.json", "model.safetensors", "task.json", "README.md"} <= set(os.listdir(place / "run/model"))
    assert json.loads((place / "run/model/task.json").read_text())["columns"] == {"text": "body", "label": "topic"}


def test_the_lines_of_a_log_file_say_which_seed_they_are_of_and_the_names_of_scores_as_they_are_typed(place, capfd):
    words = [word for word in CALL if word != "--quiet"]
    words[2] = "told"
    assert run(place, *words, "--seeds", 2, "--seed", 4, "--epochs", 1, "--evaluations", 1) == 0
    lines = capfd.readouterr().err.splitlines()
    first, second = lines.index("seed 4 (1 of 2)"), lines.index("seed 5 (2 of 2)")
    assert lines[first + 1].startswith("step       1/6: loss")
    assert re.match(r"step       6 dev: accuracy 0\.\d{4}, f1_macro 0\.\d{4}, matthews", lines[second - 1])


def test_evaluate_gives_each_score_with_its_interval(place, capfd):
    assert run(place, "evaluate", "run", "dev.jsonl", "--json", "--predictions", "predicted.jsonl") == 0
    found = json.loads(capfd.readouterr().out)
    kept = json.loads((place / "run/results.json").read_text())
    scores = kept["seeds"][str(kept["chosen"])]["scores"]
    assert found["examples"] == 32
    for name, row in found["scores"].items():
        assert row["value"] == pytest.approx(scores[name])
        assert row["low"] is None or row["low"] <= row["value"] <= row["high"]
    assert found["scores"]["accuracy"]["method"] == "wilson"
    assert found["scores"]["accuracy"]["low"] < found["scores"]["accuracy"]["high"]
    assert len((place / "predicted.jsonl").read_text().splitlines()) == 32


def test_predict_answers_each_line_in_order(place, capfd, monkeypatch):
    lines = ["The old river followed the engine.", '{"id": "x", "text": "The old engine followed the river."}', ""]
    lines += ['{"body": "The quiet garden followed the letter."}', '{"n": 1}', "{"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))
    assert run(place, "predict", "run/model", "--threads", 1) == 65
    out, told = capfd.readouterr()
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer.get("id") for answer in answers] == ["1", "x", "4", None, None]
    assert [answer.get("label") for answer in answers[:2]] == ["place", "other"]
    assert answers[2]["label"] in ("place", "other")  # of no text
    assert "found n and no" in answers[3]["error"]
    assert "not JSON" in answers[4]["error"]
    assert "2 lines could not be used" in told
    assert all(len(f"{answer['score']}") <= 8 for answer in answers[:3]), answers


def test_predict_says_which_lines_were_cut_and_reads_all_of_them_in_windows(place, capfd, monkeypatch):
    line = "The old river followed the engine. " * 60
    for words, told in (((), "1 line was longer than the model reads; see unread_pieces, or give --windows 32\n"),
                        (("--windows", 16), "")):  # fmt: skip
        monkeypatch.setattr("sys.stdin", io.StringIO(f"The river.\n{line}\n"))
        assert run(place, "predict", "run/model", "--threads", 1, *words) == 0
        out, said = capfd.readouterr()
        short, long = map(json.loads, out.splitlines())
        assert ("unread_pieces" in short, "unread_pieces" in long) == (False, not words)
        assert said.removeprefix("electra predict: ") == told


def test_compare_says_what_two_seeds_cannot_show(place, capfd):
    assert run(place, "compare", "run", "run") == 0
    told = capfd.readouterr().out
    assert "no difference is shown over examples" in told
    assert "2 pairs of runs cannot show a difference" in told


def test_report_draws_a_fine_tuning_again(place):
    assert run(place, "report", "run", "--out", "page.html") == 0
    assert "What is mixed up" in (place / "page.html").read_text()


def test_random_weights_and_another_size_are_a_command_away(place, capfd):
    changed = [word if word != "run" else "random" for word in CALL]
    assert run(place, *changed, "--random-weights", "--seeds", 1, "--epochs", 1) == 0
    assert "random weights of the sizes of pair" in capfd.readouterr().err
    (place / "size.json").write_text(json.dumps(MODEL | {"hidden_size": 16, "model_type": "electra"}))
    changed = [{"run": "scratch", "pair": "pair/discriminator"}.get(word, word) for word in CALL]
    assert run(place, *changed, "--from-scratch", "size.json", "--seeds", 1, "--epochs", 1) == 0
    assert json.loads((place / "scratch/model/config.json").read_text())["hidden_size"] == 16


def test_a_generator_is_taken_with_a_word_about_it(place, capfd):
    changed = [{"run": "generated", "pair": "pair/generator"}.get(word, word) for word in CALL]
    assert run(place, *changed, "--seeds", 1, "--epochs", 1) == 0
    assert "pair/generator is a generator" in capfd.readouterr().err


@pytest.mark.fault(31, 32)
def test_a_signal_ends_the_step_and_the_same_command_continues(place, capfd):
    words = [word if word != "run" else "stopped" for word in CALL] + ["--seeds", 1, "--epochs", 200]

    def stop():
        while not (place / "stopped/seed-0/metrics.jsonl").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    for message in ("stopped by SIGTERM after step", "seed 0: continuing after step"):
        thread = threading.Thread(target=stop)
        thread.start()
        assert run(place, *words) == 75
        thread.join()
        assert message in capfd.readouterr().err
        (place / "stopped/seed-0/metrics.jsonl").unlink()  # the continued run writes its own lines


WRONG = [
    (("finetune", "pair", "new", "--train", "train.jsonl", "--text", "bdy"), 65, r'no column "bdy" \(did you mean "body"'),
    (("finetune", "pair", "new", "--train", "train.jsonl", "--text", "body", "--label", "topik"), 65, "topik.*topic"),
    (("finetune", "pair", "new", "--train", "only_header.csv", *CALL[7:]), 65, "has no rows, only a header"),
    (("finetune", "pair", "new", "--train", "absent.csv"), 65, r"absent\.csv does not exist"),
    (("finetune", "pair", "new"), 2, "give --task with --data FOLDER, or files of your own with --train"),
    (("finetune", "pair", "new", "--task", "colla", "--data", "."), 2, 'no task "colla".*did you mean "cola"'),
    (("finetune", "pair", "new", "--task", "cola", "--data", "."), 65, "no train file of cola: looked for"),
    (("finetune", "train.jsonl", "new", *CALL[3:]), 65, "train.jsonl is (no checkpoint|a file)"),
    (("finetune", "nowhere", "new", *CALL[3:]), 65, "nowhere"),
    (("finetune", "pair", "new", *CALL[3:], "--epochs", 0), 2, "epochs is 0.*expected a positive number"),
    (("finetune", "pair", "new", *CALL[3:], "--set", "window=3"), 2, 'no setting "window" \\(did you mean "windows"'),
    (("finetune", "pair", "new", *CALL[3:], "--kind", "tags"), 2, 'there is no kind "tags"'),
    (("finetune", "pair", "new", *CALL[3:], "--max-length", 512), 2, "max_length is 512, but the model reads 64"),
    (("finetune", "pair", "new", "--train", "train.jsonl", "--dev", "unseen.jsonl", *CALL[7:]), 65,
     'unseen.jsonl:33: label "weather" is not among those learned'),
    (("finetune", "pair", "run", *CALL[3:], "--seeds", 2, "--epochs", 3), 65, r"settings.epochs: was 12(\.0)?, is 3"),
    (("finetune", "pair", "new", *CALL[3:], "--framework", "abacus"), 2, 'no framework "abacus"'),
    (("evaluate", "run"), 2, "give a labelled FILE"),
    (("evaluate", "pair/discriminator", "dev.jsonl"), 65, "has no task.json"),
    (("evaluate", "run", "dev.jsonl", "--label", "name"), 65, "not among|topic"),
    (("predict", "run", "absent.txt"), 65, "absent.txt does not exist"),
    (("predict", "nowhere"), 65, "nowhere"),
    (("compare", "run", "pair"), 65, "pair has no results.json"),
    (("compare", "run", "run", "--measure", "accurcy"), 2, 'did you mean "accuracy"'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "message"), WRONG, ids=lambda v: " ".join(map(str, v))[:70] if isinstance(v, tuple) else ""
)
def test_a_wrong_call_is_told_what_is_wrong_and_has_its_exit_code(place, words, code, message, capfd, monkeypatch):
    monkeypatch.setenv("ELECTRA_OFFLINE", "1")
    found = run(place, *words)
    out, err = capfd.readouterr()
    told = re.sub(r"[│╭╮╰╯─\s]+", " ", err + out)
    assert found == code, told
    assert re.search(message, told), told
    assert not (place / "new").exists()
