"""Models in 8 bits: as near as 8 bits can be, a third of the size, and answered by onnxruntime with no framework to be had."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from shutil import copyfile, copytree

import numpy as np
import onnx
import onnxruntime.quantization
import pytest
import torch
from every_head import inputs_of, model_of
from nightly import examples

import electra
from electra.cli import main
from electra.errors import UsageError, WeightsError
from electra.heads import HEADS
from electra.inference import export
from electra.inference.engine import Engine, open_engine
from electra.inference.export import export_onnx
from electra.inference.parity import measures
from electra.inference.parity.rows import batches_of, rows_of
from electra.inference.predictor import Predictor
from electra.inference.quantize import in_8_bits, quantize
from electra.inference.session import Session
from electra.training.tune_settings import TuneSettings
from electra.weights.sources import open_source

pytestmark = pytest.mark.usefixtures("few_calls")
# An export takes seconds: the one with a tied table and the one with another axis, and all of them at night.
DIFFERENT = [row for row in HEADS if row.name in ("masked_lm", "multiple_choice")]
ROWS = [*DIFFERENT, *(row for row in HEADS if row not in DIFFERENT)][: examples(2, len(HEADS))]

# What the exported model may not need, blocked, then the command line with the rest of the arguments.
ALONE = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    names = {"torch", "tensorflow", "keras", "jax", "flax", "transformers", "onnx", "onnxscript"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""
COMMAND = ALONE + "from electra.cli import main\nsys.exit(main(sys.argv[1:]))"
LINES = ["The quiet river followed the engine.", "The old teacher.", "garden"]


def alone(program, *arguments):
    done = subprocess.run([sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(tuned):
    target = tuned.parent / "int8"
    assert main(["convert", str(tuned), str(target), "--to", "onnx", "--int8"]) == 0
    return target


@pytest.fixture(scope="module")
def pair(short_run, tmp_path_factory):
    target = tmp_path_factory.mktemp("pair") / "int8"
    assert main(["convert", str(short_run), str(target), "--to", "onnx", "--int8"]) == 0
    return target


# -- the file -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ROWS, ids=lambda head: head.name)
def test_every_head_answers_in_8_bits_at_any_shape(head, tmp_path):
    model = model_of(head, vocab_size=601, hidden_size=64, intermediate_size=96)
    export_onnx(model, tmp_path / "float32.onnx")
    quantize(tmp_path / "float32.onnx", tmp_path / "model.onnx", rows=601, in_one_file=10**9)
    session = Session(tmp_path)
    assert session.precision == "int8"
    for rows, length in ((1, 4), (3, 11), (2, 320)):
        inputs = inputs_of(head, rows, length)
        inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])
        with torch.no_grad():
            expected = model(**inputs)
        answers = session.predict({name: value.numpy() for name, value in inputs.items()})
        for name, found in answers.items():
            truth = expected[name].numpy()
            assert found.shape == truth.shape
            assert np.abs(found - truth).max() < 0.05 * max(1e-3, np.abs(truth).max())
    held = onnx.load(tmp_path / "model.onnx").graph.initializer
    large = [list(t.dims) for t in held if t.data_type == onnx.TensorProto.FLOAT and np.prod(t.dims) > 2 * 601]
    assert large == [[320, 16]]  # the positions
    assert [t.data_type for t in held if list(t.dims) == [601, 16]] == [onnx.TensorProto.INT8]


def test_each_row_of_the_word_table_has_a_scale_of_its_own():
    table = np.array([[0.001, -0.0005, 0.0], [100.0, 3.0, -50.0], [0.0, 0.0, 0.0]], np.float32)
    small, scales = in_8_bits(table)
    assert small.dtype == np.int8
    assert small.tolist() == [[127, -64, 0], [127, 4, -64], [0, 0, 0]]
    assert np.all(np.abs(small * scales - table) <= scales / 2 + 1e-9)


def test_a_model_beyond_one_file_has_its_weights_beside_it(tmp_path, monkeypatch):
    head = HEADS[1]
    model_of(head, num_hidden_layers=1).save_pretrained(tmp_path / "model")
    monkeypatch.setattr(export, "IN_ONE_FILE", 10_000)
    export.export_source(open_source(tmp_path / "model"), tmp_path / "whole", int8=True)
    (tmp_path / "whole").rename(tmp_path / "moved")
    held = {path.name for path in (tmp_path / "moved").iterdir()}
    assert {"model.onnx", "model.onnx.data", "parity.json", "manifest.json"} <= held
    inputs = {name: value.numpy() for name, value in inputs_of(head).items()}
    inputs["token_type_ids"] = np.zeros_like(inputs["input_ids"])
    before = model_of(head, num_hidden_layers=1)(**{name: torch.from_numpy(value) for name, value in inputs.items()})
    found = Session(tmp_path / "moved").predict(inputs)["logits"]
    np.testing.assert_allclose(found, before.logits.detach(), atol=0.02)
    (tmp_path / "moved/model.onnx.data").unlink()
    with pytest.raises(WeightsError, match=r"moved/model\.onnx\.data is missing, says manifest\.json"):
        Session(tmp_path / "moved")
    (tmp_path / "moved/manifest.json").unlink()
    with pytest.raises(WeightsError, match=r"is it whole, with model\.onnx\.data beside it"):
        Session(tmp_path / "moved")


# -- its use ------------------------------------------------------------------------------------------------------------


def test_the_commands_answer_with_onnxruntime_alone(tuned, exported, tmp_path):
    texts, found = tmp_path / "texts.txt", []
    texts.write_text("\n".join(LINES), encoding="utf-8")
    for line in alone(COMMAND, "predict", exported, texts).splitlines():
        found.append(json.loads(line))
    expected = Predictor(tuned, TuneSettings(device="cpu"), engine="plain").predict_lines(LINES)
    for answer, truth in zip(found, expected, strict=True):
        assert answer["probabilities"] == pytest.approx(truth["probabilities"], abs=0.02)
    program = (
        ALONE + "import electra, json; print(json.dumps(electra.load(sys.argv[1]).predict([{'text': sys.argv[2]}])))"
    )
    (answer,) = json.loads(alone(program, exported, LINES[0]))
    # onnxruntime takes one range for the activations of all rows of a batch, so a text alone is answered a little otherwise.
    assert answer["probabilities"] == pytest.approx(found[0]["probabilities"], abs=0.02)


def test_the_server_answers_with_onnxruntime_alone(exported, pair):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", f"tuned={exported}", f"run={pair}", "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *words], stderr=subprocess.PIPE, text=True)
    try:
        answers = {}
        for name in ("tuned", "run"):
            body = json.dumps({"inputs": [{"text": LINES[0]}]}).encode()
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/models/{name}/predict", body, {"Content-Type": "application/json"}
            )
            answers[name] = json.loads(when_up(request, process))["predictions"]
        assert set(answers["tuned"][0]["probabilities"]) == {"other", "place"}
        assert [word["text"] for word in answers["run"][0]["words"]] == LINES[0].replace(".", " .").split()
    finally:
        process.terminate()
        process.communicate(timeout=60)


def when_up(request, process):
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)


def test_a_pretraining_in_8_bits_is_a_detector_with_its_generator(pair, short_run):
    model, original = electra.load(pair), electra.load(short_run)
    assert (model.kind, model.generator.kind) == ("detection", "filling")
    assert model.max_length == original.max_length
    text = "The old river followed the garden. " * 12  # in several windows
    found, expected = ([word["score"] for word in m.predict([{"text": text}])[0]["words"]] for m in (model, original))
    np.testing.assert_allclose(found, expected, atol=0.02)
    masked = [{"text": f"The [MASK] river followed the {noun}.", "count": 20} for noun in ("garden", "old engine")]
    for answer, truth in zip(model.generator.predict(masked), original.generator.predict(masked), strict=True):
        ours, theirs = ({c["text"]: c["score"] for c in one["masks"][0]["candidates"]} for one in (answer, truth))
        assert all(ours[text] == pytest.approx(theirs[text], abs=0.02) for text in ours.keys() & theirs.keys())
        assert len(ours.keys() & theirs.keys()) > 10
    assert {found["text"] for found in model.suggest("The old river.", 8, 13)}


def test_the_engine_is_named_by_what_is_in_the_file(exported):
    assert str(open_engine(exported, TuneSettings(threads=1), engine="auto")) == "onnxruntime, int8, 1 thread"
    assert open_engine(exported, TuneSettings(), engine="int8").precision == "int8"
    with pytest.raises(
        UsageError, match=r"an ONNX file, which is int8; float32 needs a folder with weights, and engine auto"
    ):
        open_engine(exported, TuneSettings(), engine="float32")


def test_the_program_of_the_page_runs_on_an_exported_folder(exported, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs/how-to/export.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "exported").symlink_to(exported)
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "export.md", "exec"), {})
    assert capsys.readouterr().out == "(1, 2)\n"


def test_another_head_than_asked_for_is_refused(pair, tmp_path):
    copytree(pair, tmp_path / "pair")
    copyfile(pair / "generator/config.json", tmp_path / "pair/discriminator/config.json")
    with pytest.raises(WeightsError, match="holds an exported ElectraForMaskedLM, expected ElectraForPreTraining"):
        electra.load(tmp_path / "pair")


def test_numbers_that_are_not_finite_are_not_kept():
    found = {"answered_by": [{"name": "one", "largest_difference": 0.0}, {"name": "two", "largest_difference": np.nan}]}
    with pytest.raises(WeightsError, match="two answers with numbers that are not finite; nothing was kept"):
        export._check_finite(found)


if os.environ.get("NIGHTLY"):

    def test_a_scale_for_each_output_halves_the_difference_of_real_weights(real_encoder, tmp_path, monkeypatch):
        head, config = HEADS[0], electra.ElectraConfig.from_pretrained(real_encoder)
        export_onnx(electra.ElectraModel.from_pretrained(real_encoder), tmp_path / "model.onnx")
        _, features = rows_of(real_encoder, head, None, None, [], "")
        whole, engines = onnxruntime.quantization.quantize_dynamic, [session_of(tmp_path)]
        for name in ("ours", "a scale for a table"):
            (tmp_path / name).mkdir()
            if name != "ours":
                monkeypatch.setattr(
                    onnxruntime.quantization,
                    "quantize_dynamic",
                    lambda *a, **b: whole(*a, **b | {"per_channel": False}),
                )
            quantize(tmp_path / "model.onnx", tmp_path / name / "model.onnx", rows=config.vocab_size, in_one_file=10**9)
            engines.append(session_of(tmp_path / name))
        _, ours, table = measures.differences(engines, list(batches_of(features, head, config)), head, config)
        assert ours["mean_difference"] < 0.55 * table["mean_difference"]

    def session_of(folder):
        return Engine(Session(folder, 1).predict, "onnxruntime", "", 1)
