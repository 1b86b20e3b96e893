"""Whatever computes them, the answers are the plain model's: exactly to rounding, or as near as the precision asked for."""

import inspect
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from small_tuning import MAKERS, data_of, encoder_of, model_folder, settings_of

from electra.cli import main
from electra.cli.evaluate import evaluate
from electra.cli.predict import predict
from electra.config import ElectraConfig
from electra.errors import UsageError
from electra.inference import choice, compiled, machine
from electra.inference.engine import open_engine
from electra.inference.predictor import Predictor
from electra.training.finetune import class_of
from electra.training.tune_files import Purpose
from electra.training.tuner import open_tuner

APART = {"auto": 0.03, "float32": 1e-5, "bfloat16": 0.03, "int8": 0.1, "plain": 1e-6}  # of one answer from another
HERE = ("float32", *(kind for kind in ("auto", "bfloat16", "int8") if kind in (*compiled.kinds(), "auto")))


def original_folder(kind, tokenizer, folder, **options):
    """As model_folder's, with the head of the original code."""
    data, settings, encoder = data_of(kind, **options), settings_of(), encoder_of(tokenizer)
    config = ElectraConfig.from_dict(encoder.config.to_dict() | data.kind.settings(data.labels))
    open_tuner("torch", class_of(data.kind, "original"), config, {}, settings, seed=0).save_model(folder)
    tokenizer.save_pretrained(folder)
    Purpose(name="own", kind=data.kind, measure=data.measure, labels=data.labels, max_length=48).write(folder)
    return folder


def numbers(prediction):
    """Every number of a prediction, in order, without the places of answers: near ones may change places."""
    if isinstance(prediction, dict):
        kept = {name: value for name, value in prediction.items() if name not in ("nbest", "start", "end", "id")}
        return [number for value in kept.values() for number in numbers(value)]
    if isinstance(prediction, list | tuple):
        return [number for value in prediction for number in numbers(value)]
    return [prediction] if isinstance(prediction, float) else []


def apart(found, expected):
    """How far predictions are apart: the largest difference of two numbers over their spread; of tags the share that differs."""
    if "tags" in expected[0]:
        return float(
            np.mean([np.array(one["tags"]) != other["tags"] for one, other in zip(found, expected, strict=True)])
        )
    first, second = (np.array(numbers(predictions)) for predictions in (found, expected))
    return float(np.abs(first - second).max() / max(1.0, np.abs(second).mean()))


@pytest.mark.parametrize("make", [model_folder, original_folder], ids=["page", "original"])
@pytest.mark.parametrize("kind", MAKERS)
def test_every_engine_predicts_as_the_plain_model(kind, make, tokenizer, tmp_path):
    folder, examples = make(kind, tokenizer, tmp_path / "model"), data_of(kind).dev
    plain = Predictor(folder, settings_of(), engine="plain")
    assert plain.engine.place == "torch on cpu"
    expected = plain.predict(examples)
    is_its_own = kind == "answering" and make is original_folder
    for engine in HERE:
        if is_its_own and engine == "int8":
            with pytest.raises(UsageError, match="has a head of its own"):
                open_engine(folder, settings_of(), engine=engine)
            continue
        found = Predictor(folder, settings_of(), engine=engine)
        assert found.engine.place == ("torch without padding" if is_its_own else "our own C")
        assert bool(found.engine.reason) == is_its_own
        assert apart(found.predict(examples), expected) < APART[engine], engine


PROGRAM = """
import json, sys
from electra.inference.predictor import Predictor
from electra.training.tune_settings import TuneSettings
predictor = Predictor(sys.argv[1], TuneSettings(device="cpu"), engine=sys.argv[2])
answers = list(predictor.predict_lines(json.loads(sys.argv[3])))
print(json.dumps([str(predictor.engine), answers, [name for name in ("torch", "transformers") if name in sys.modules]]))
"""
LINES = ["The quiet river followed the engine.", "The old teacher.", "garden"]


def in_a_process(folder, engine, **variables):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), engine, json.dumps(LINES)],
        env=os.environ | variables, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        return done.stderr.strip().splitlines()[-1], None, None
    return json.loads(done.stdout)


def test_our_own_c_needs_no_framework_and_without_a_compiler_torch_answers(tokenizer, tmp_path):
    folder = model_folder("classification", tokenizer, tmp_path / "model")
    place, fast, imported = in_a_process(folder, "float32")
    assert place == "our own C, float32, 1 thread"
    assert imported == []
    place, slow, imported = in_a_process(folder, "float32", ELECTRA_NATIVE="0")
    assert place == "torch without padding, float32, 1 thread; no faster one: ELECTRA_NATIVE is 0"
    assert imported == ["torch"]
    np.testing.assert_allclose(numbers(fast), numbers(slow), atol=1e-5)
    error, _, _ = in_a_process(folder, "int8", ELECTRA_NATIVE="0")
    assert "int8 is computed by our own C alone, which is not to be had here (ELECTRA_NATIVE is 0)" in error


def test_an_exported_model_is_answered_by_onnxruntime_alone(tokenizer, tmp_path):
    folder = model_folder("classification", tokenizer, tmp_path / "model")
    assert main(["convert", str(folder), str(tmp_path / "onnx"), "--to", "onnx"]) == 0
    place, answers, imported = in_a_process(tmp_path / "onnx", "auto", ELECTRA_NATIVE="0")
    assert place == "onnxruntime, float32, 1 thread"
    assert imported == []
    plain = Predictor(folder, settings_of(), engine="plain").predict_lines(LINES)
    np.testing.assert_allclose(numbers(answers), numbers(list(plain)), atol=1e-5)
    with pytest.raises(UsageError, match="has an ONNX file, which is float32; bfloat16 needs a folder with weights"):
        open_engine(tmp_path / "onnx", settings_of(), engine="bfloat16")


def test_a_framework_that_is_not_torch_answers_by_its_own_model(tokenizer, tmp_path):
    folder = model_folder("classification", tokenizer, tmp_path / "model")
    engine = open_engine(folder, settings_of(), framework="flax", engine="auto")
    assert engine.place.startswith("flax on ")
    with pytest.raises(UsageError, match="int8 is computed by our own C alone: it needs framework torch"):
        open_engine(folder, settings_of(), framework="flax", engine="int8")


def test_an_engine_nobody_knows_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r'no engine "int4" \(did you mean "int8"\?\)'):
        open_engine(tmp_path, settings_of(), engine="int4")


# -- the choice ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"float32": 1.0, "bfloat16": 0.5}, "bfloat16"),
        ({"float32": 1.0, "bfloat16": 0.95}, "float32"),
        ({"float32": 1.0}, "float32"),
    ],
)
def test_bfloat16_is_taken_where_it_is_clearly_faster(seconds, chosen):
    assert choice.fastest(seconds) == chosen


def test_the_choice_is_made_by_timing_both():
    config = ElectraConfig.tiny()
    for seconds in (choice.time_compiled(config), choice.time_torch(config)):
        assert {"float32"} <= set(seconds) <= set(choice.TRIED)
        assert all(0 < value < 10 for value in seconds.values())


def test_scores_are_taken_in_float32_and_predictions_by_the_fastest_unless_asked_otherwise():
    defaults = [inspect.signature(command).parameters["engine"].default for command in (evaluate, predict)]
    assert defaults == ["float32", "auto"]


def test_a_gpu_that_only_seems_to_be_there_keeps_nothing_from_our_own_c(tokenizer, tmp_path, monkeypatch):
    folder = model_folder("classification", tokenizer, tmp_path / "model")
    monkeypatch.setattr(machine, "GPUS", ("/",))
    assert machine.has_gpu()
    assert open_engine(folder, settings_of(device="auto")).place == "our own C"
