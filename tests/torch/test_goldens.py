"""Recorded answers of the reference on tiny random models: forward, gradients, resizing, pruning, refusals."""

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import electra.torch

GOLDENS = Path(__file__).parent / "goldens"
MANIFEST = json.loads((GOLDENS / "manifest.json").read_text())
CALLS = [(case, call) for case in MANIFEST["cases"] for call in case["calls"]]


def of_call(file: Path, name: str) -> dict[str, np.ndarray]:
    return {key.split("/", 1)[1]: value for key, value in load_file(file).items() if key.split("/", 1)[0] == name}


def flatten(value: Any, prefix: str = "") -> dict[str, np.ndarray]:
    """Nested outputs -> {"hidden_states.0": array}."""
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in flatten(inner, f"{prefix}{key}.").items()}
    if isinstance(value, tuple):
        return flatten(dict(enumerate(value)), prefix)
    return {prefix[:-1]: value.detach().numpy()}


def answer(model: Any, call: dict, inputs: dict[str, torch.Tensor]) -> tuple[Any, dict[str, np.ndarray]]:
    """The model's output, and the arrays the reference recorded of it."""
    model.train(call.get("train", False))
    if call.get("gradient_checkpointing"):
        model.gradient_checkpointing_enable()
    if call["kind"] == "resize":
        model.resize_token_embeddings(call["new_num_tokens"])
    if call["kind"] == "prune":
        model.prune_heads({int(layer): heads for layer, heads in call["heads"].items()})
    if call["kind"] == "generate":
        texts = model.generate(**inputs, **call["flags"])
        return texts, {"sequences": texts.numpy()}
    output = model(**inputs, **call.get("flags", {}))
    if call["kind"] == "grads":
        output.loss.backward()
        parameters = dict(model.named_parameters())
        return output, flatten(
            {"loss": output.loss} | {f"grad.{name}": parameters[name].grad for name in call["params"]}
        )
    arrays = flatten(output)
    if "crop_last" in call:  # new rows are random
        arrays["logits"] = arrays["logits"][..., : call["crop_last"]]
    return output, arrays


@pytest.mark.parametrize(("case", "call"), CALLS, ids=[f"{case['name']}-{call['name']}" for case, call in CALLS])
def test_the_model_answers_as_the_reference_did(case, call):
    folder = GOLDENS / case["name"]
    model = getattr(electra.torch, case["class"]).from_pretrained(folder)
    inputs = {
        name: torch.from_numpy(value) for name, value in of_call(folder / "inputs.safetensors", call["name"]).items()
    }
    if "raises" in call:
        with pytest.raises(getattr(builtins, call["raises"])):
            answer(model, call, inputs)
        return
    output, arrays = answer(model, call, inputs)
    recorded = of_call(folder / "outputs.safetensors", call["name"])
    assert arrays.keys() == recorded.keys()
    for name, value in recorded.items():
        np.testing.assert_allclose(arrays[name], value, rtol=1e-5, atol=MANIFEST["atol"], err_msg=name)
    check_extra(model, output, call.get("extra", {}))


def check_extra(model: Any, output: Any, extra: dict) -> None:
    if "fields" in extra:
        assert list(output) == extra["fields"]
    if "vocab_size_after" in extra:
        assert model.config.vocab_size == extra["vocab_size_after"]
        assert list(model.get_input_embeddings().weight.shape) == extra["embedding_shape"]
    if extra.get("output_embedding_shape"):
        assert list(model.get_output_embeddings().weight.shape) == extra["output_embedding_shape"]
    for key, value in extra.get("config_after", {}).items():
        assert getattr(model.config, key) == value
    shapes = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    assert {name: shapes[name] for name in extra.get("param_shapes", {})} == extra.get("param_shapes", {})
