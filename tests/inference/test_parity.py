"""What parity.json says of an export: the same numbers come out when they are worked out again, another way."""

import json
import sys
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from small_tuning import MAKERS, data_of, model_folder

from electra import ElectraConfig, ElectraForSequenceClassification
from electra.cli import main
from electra.errors import MissingDependencyError, UsageError
from electra.heads import HEADS
from electra.inference.engine import Engine
from electra.inference.export import export_source
from electra.inference.parity import rows
from electra.inference.parity.measures import differences
from electra.inference.parity.texts import PASSAGES, own_lines
from electra.inference.predictor import read_line
from electra.tasks.task import Feature
from electra.weights.sources import Network, Source, open_source

pytestmark = pytest.mark.usefixtures("few_calls")

LINES = ["The quiet river followed the engine.", "", "The old teacher.", '{"text": "The green garden"}']


@pytest.fixture(scope="module")
def given(tuned):
    """Texts, and labelled examples: the files that an export is compared on."""
    texts, dev = tuned.parent / "texts.txt", tuned.parent / "dev.tsv"
    texts.write_text("\n".join(LINES), encoding="utf-8")
    labelled = [f"{example.text}\t{example.label}" for example in data_of().dev]
    dev.write_text("\n".join(["text\ttopic", *labelled]) + "\n", encoding="utf-8")
    return texts, dev


@pytest.fixture(scope="module")
def exported(tuned, given):
    texts, dev = map(str, given)
    target = tuned.parent / "int8"
    words = ["convert", str(tuned), str(target), "--to", "onnx", "--int8", "--texts", texts, "--dev", dev]
    assert main([*words, "--label", "topic", "--threads", "1"]) == 0
    return target


@pytest.fixture(scope="module")
def parity(exported):
    return json.loads((exported / "parity.json").read_text())


def test_differences_are_those_of_the_answers(tuned, exported, parity, tokenizer):
    model = ElectraForSequenceClassification.from_pretrained(tuned)
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    apart = []
    for text in (LINES[0], LINES[2], "The green garden"):
        inputs = tokenizer(text, return_tensors="np")
        (found,) = session.run(None, {name: np.asarray(value, np.int64) for name, value in inputs.items()})
        with torch.no_grad():
            logits = model(**{name: torch.from_numpy(np.asarray(value)) for name, value in inputs.items()}).logits
        apart.append(np.abs(found - logits.numpy()))
    kept = parity["answered_by"][-1]
    assert kept["name"] == "onnxruntime, int8"
    # A batch of several texts has one range for all of its activations, so the same texts alone differ a little.
    assert kept["largest_difference"] == pytest.approx(np.max(apart), abs=0.02)
    assert kept["mean_difference"] == pytest.approx(np.mean(apart), abs=0.01)
    assert 0 < kept["mean_difference"] <= kept["largest_difference"] < 0.1
    float32 = next(one for one in parity["answered_by"] if one["name"] == "onnxruntime, float32")
    assert float32["largest_difference"] < 1e-5
    assert parity["answered_by"][0] | {"name": ""} == parity["answered_by"][0] | {
        "name": "", "largest_difference": 0.0, "mean_difference": 0.0, "same_decisions": 1.0,
    }  # fmt: skip


def test_sizes_and_texts_are_those_of_the_files(tuned, exported, parity, given):
    sizes = {one["name"]: one["bytes"] for one in parity["answered_by"]}
    assert sizes["torch on cpu, float32"] == (tuned / "model.safetensors").stat().st_size
    assert sizes["onnxruntime, int8"] == (exported / "model.onnx").stat().st_size
    assert sizes["onnxruntime, float32"] == pytest.approx(sizes["torch on cpu, float32"], abs=60_000)  # and a program
    assert (parity["texts"]["of"], parity["texts"]["rows"]) == (str(given[0]), 3)
    assert parity["machine"]["threads"] == 1
    assert parity["versions"]["onnxruntime"] == onnxruntime.__version__


def test_scores_are_those_of_electra_evaluate(tuned, exported, parity, given, capsys):
    scores = parity["scores"]
    for folder, engine, found in ((tuned, "float32", scores["before"]), (exported, "int8", scores["after"])):
        words = ["evaluate", str(folder), str(given[1]), "--label", "topic", "--engine", engine, "--json"]
        assert main(words) == 0
        expected = json.loads(capsys.readouterr().out)["scores"]
        assert found == {name: pytest.approx(row["value"]) for name, row in expected.items()}
    assert scores["measure"] == "accuracy"
    assert scores["change"]["value"] == pytest.approx(scores["after"]["accuracy"] - scores["before"]["accuracy"])
    assert scores["change"]["low"] <= scores["change"]["value"] <= scores["change"]["high"]
    assert main(["evaluate", str(exported), str(given[1])]) == 2
    assert "engine auto or int8 takes the file as it is" in capsys.readouterr().err


def test_the_report_is_in_the_folder_and_in_its_manifest(exported):
    words = (exported / "parity.md").read_text(encoding="utf-8")
    assert words.count("| onnxruntime, int8 ") == 1
    assert "accuracy on 32 examples of" in words
    files = json.loads((exported / "manifest.json").read_text())["files"]
    assert {"model.onnx", "parity.json", "parity.md", "task.json", "vocab.txt"} <= files.keys()
    assert not [path for path in exported.iterdir() if path.name.startswith(".")]


# -- rows and measures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MAKERS)
def test_our_own_texts_are_read_by_every_kind(kind, tokenizer, tmp_path):
    folder = model_folder(kind, tokenizer, tmp_path / "model")
    head = next(row for row in HEADS if row.class_name == ElectraConfig.from_pretrained(folder).architectures[0])
    lines = list(own_lines(kind))
    assert len(lines) > 30
    examples = [read_line(kind, line, "1", {})[0] for line in lines]
    purpose = rows.Purpose(name="own", kind=data_of(kind).kind, measure="", labels=data_of(kind).labels, max_length=48)
    place, found = rows.rows_of(folder, head, purpose, None, [], "")
    assert place == "own example texts, in English"
    assert len({row.example for row in found}) > 0.9 * len(examples)  # of answering, some of the windows
    assert max(row.length for row in found) == 48
    assert all(len(passage.split()) > 50 for passage in PASSAGES)


def test_rows_without_a_vocabulary_are_drawn(tmp_path):
    ElectraConfig.tiny(vocab_size=99).save_pretrained(tmp_path)
    place, found = rows.rows_of(tmp_path, HEADS[0], None, None, [], "")
    assert place == "random ids, since the model has no vocabulary"
    assert max(int(row.input_ids.max()) for row in found) < 99
    assert rows.told(found, tmp_path)["unknown"] is None


def engine_of(answer):
    return Engine(lambda inputs: {"logits": answer(inputs)}, "nowhere", "float32", 1)


def test_padding_counts_for_nothing_and_decisions_are_counted():
    head = next(row for row in HEADS if row.name == "token_classification")
    ids = [np.array([1, 2, 3], np.int32), np.array([1, 2], np.int32)]
    features = [Feature(example=n, input_ids=row, token_type_ids=row * 0) for n, row in enumerate(ids)]
    config = ElectraConfig.tiny(pad_token_id=0)
    batches = list(rows.batches_of(features, head, config))
    first = np.zeros((2, 3, 2), np.float32)
    first[..., 0] = 1
    second = first + np.float32(0.5)
    second[0, 0] = (0, 4)  # another class at one of five tokens
    second[1, 2] = 100  # padding
    found = differences([engine_of(lambda inputs: first), engine_of(lambda inputs: second)], batches, head, config)
    assert found[0] == {"largest_difference": 0.0, "mean_difference": 0.0, "same_decisions": 1.0}
    assert found[1]["largest_difference"] == 4.0
    assert found[1]["mean_difference"] == pytest.approx((1 + 4 + 8 * 0.5) / 10)
    assert found[1]["same_decisions"] == pytest.approx(4 / 5)
    second[0, 1] = np.nan
    assert np.isnan(
        differences([engine_of(lambda inputs: first), engine_of(lambda inputs: second)], batches, head, config)[1][
            "largest_difference"
        ]
    )


def test_features_keep_no_truth(tokenizer, tmp_path):
    folder = model_folder("classification", tokenizer, tmp_path / "model")
    data = data_of()
    purpose = rows.Purpose(name="own", kind=data.kind, measure="", labels=data.labels, max_length=48)
    mixed = [*data.dev, replace(data.dev[0], label=None)]
    _, found = rows.rows_of(folder, HEADS[4], purpose, None, mixed, "dev.tsv")
    assert all(row.targets == {} for row in found)


# -- requests that cannot be met ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--int8"], 2, "--int8, --texts and --dev are of an ONNX file, and torch was asked for; add --to onnx"),
        (["--to", "onnx", "--texts", "nowhere.txt"], 65, "nowhere.txt does not exist; give a file with one text"),
        (["--to", "onnx", "--dev", "nowhere.tsv"], 65, "nowhere.tsv"),
    ],
)
def test_a_request_that_cannot_be_met_leaves_nothing(words, code, message, tuned, tmp_path, capsys):
    assert main(["convert", str(tuned), str(tmp_path / "out"), *words]) == code
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_model_without_a_task_has_no_scores(short_run, given, tmp_path, capsys):
    words = ["convert", str(short_run / "generator"), str(tmp_path / "out"), "--to", "onnx", "--dev", str(given[1])]
    assert main(words) == 2
    assert "the model has no task.json, which says what it was tuned for" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_text_that_cannot_be_read_is_named_before_anything_is_exported(tuned, tmp_path, capsys):
    (tmp_path / "texts.jsonl").write_text('{"text": "one"}\n{"words": ["two"]}\n')
    words = ["--to", "onnx", "--texts", str(tmp_path / "texts.jsonl")]
    assert main(["convert", str(tuned), str(tmp_path / "out"), *words]) == 65
    assert 'texts.jsonl, line 2: found words and no "text", expected text' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript", "torch"])
def test_a_missing_package_is_named_with_the_command(package, tuned, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # which import takes for a package that is not there
    said = rf"an ONNX file needs {package}, which is not installed: pip install 'electra\[torch,onnx\]'"
    with pytest.raises(MissingDependencyError, match=said):
        export_source(open_source(tuned), tmp_path / "out", int8=True)
    assert not list(tmp_path.iterdir())


def test_a_head_of_the_original_code_is_refused_with_what_answers_it(tmp_path):
    config = ElectraConfig.tiny(architectures=["ElectraOriginalForSequenceClassification"])
    source = Source("model folder", {"model": Network(config, {})}, tmp_path)
    with pytest.raises(
        UsageError, match="a head of the original code, which `electra predict` and `electra serve` answer"
    ):
        export_source(source, tmp_path / "out")
    assert not list(tmp_path.iterdir())
