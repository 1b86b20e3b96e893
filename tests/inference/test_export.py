"""Models as ONNX files: onnxruntime alone answers as the model does, at any batch, number of choices and length."""

import numpy as np
import onnxruntime
import pytest
import torch
from every_head import inputs_of, model_of
from nightly import examples

from electra import AutoTokenizer, ElectraForPreTraining
from electra.cli import main
from electra.errors import WeightsError
from electra.heads import HEADS
from electra.inference import export
from electra.inference.export import INPUTS, export_onnx
from electra.weights.sources import open_source

# An export takes seconds: the three that differ in their axes or their outputs, and all of them at night.
DIFFERENT = [row for row in HEADS if row.name in ("pretraining", "multiple_choice", "question_answering")]
ROWS = [*DIFFERENT, *(row for row in HEADS if row not in DIFFERENT)][: examples(3, len(HEADS))]
NAMES = {"encoder": ["last_hidden_state"], "question_answering": ["start_logits", "end_logits"]}


@pytest.mark.parametrize("head", ROWS, ids=lambda head: head.name)
def test_onnxruntime_answers_as_the_model_at_any_shape(head, tmp_path):
    model = model_of(head, num_hidden_layers=1)
    assert export_onnx(model, tmp_path / "model.onnx") < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [tensor.name for tensor in session.get_inputs()] == list(INPUTS)
    assert [tensor.name for tensor in session.get_outputs()] == NAMES.get(head.name, ["logits"])
    for rows, length in ((1, 4), (3, 11), (2, 320)):
        inputs = inputs_of(head, rows, length)
        inputs["token_type_ids"] = inputs["input_ids"] % 2
        with torch.no_grad():
            expected = model(**inputs)
        answers = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        for name, answer in zip(NAMES.get(head.name, ["logits"]), answers, strict=True):
            torch.testing.assert_close(torch.from_numpy(answer), expected[name], rtol=0, atol=1e-5)


def test_the_command_exports_a_network_with_its_tokenizer(short_run, tmp_path, capsys):
    assert main(["convert", str(short_run / "discriminator"), str(tmp_path / "onnx"), "--to", "onnx"]) == 0
    assert (
        "discriminator: ElectraForPreTraining, model.onnx, opset 18, differs from the model by"
        in capsys.readouterr().err
    )
    held = {path.name for path in (tmp_path / "onnx").iterdir()}
    assert {"model.onnx", "config.json", "vocab.txt", "tokenizer.json"} <= held
    assert not any("safetensors" in name for name in held)
    inputs = dict(AutoTokenizer.from_pretrained(tmp_path / "onnx")(["The old teacher.", "The river"], padding=True))
    arrays = {name: np.array(value) for name, value in inputs.items()}
    (logits,) = onnxruntime.InferenceSession(tmp_path / "onnx/model.onnx").run(None, arrays)
    with torch.no_grad():
        model = ElectraForPreTraining.from_pretrained(short_run / "discriminator")
        expected = model(**{name: torch.from_numpy(value) for name, value in arrays.items()}).logits
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)


def test_an_export_that_answers_otherwise_is_not_kept(tmp_path, monkeypatch):
    model_of(DIFFERENT[0], num_hidden_layers=1).save_pretrained(tmp_path / "model")
    monkeypatch.setattr(export, "TOLERANCE", -1.0)  # which no export keeps
    with pytest.raises(WeightsError, match=r"answers otherwise than the model: .* nothing was kept"):
        export.export_source(open_source(tmp_path / "model"), tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()
