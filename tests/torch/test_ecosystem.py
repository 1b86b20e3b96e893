"""Every head under what people do with PyTorch models: compile, export, copy, pickle, halve, shard, hook."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from every_head import answer, inputs_of, model_of

from electra.heads import HEADS

TORCH_HEADS = [head for head in HEADS if "torch" in head.frameworks]
every_head = pytest.mark.parametrize("head", TORCH_HEADS, ids=lambda head: head.name)


@every_head
def test_a_copy_and_a_pickle_answer_as_the_model(head):
    model, inputs = model_of(head, hidden_act="quick_gelu"), inputs_of(head)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(answer(other, inputs), answer(model, inputs))
        tables = [parameter.data_ptr() for parameter in other.parameters()]
        assert not {parameter.data_ptr() for parameter in model.parameters()} & set(tables)
        assert len(tables) == len(list(model.parameters()))  # what was tied still is


@every_head
def test_the_state_of_one_model_makes_another_answer_alike(head):
    model, other = model_of(head), model_of(head, initializer_range=0.5)
    assert not torch.equal(answer(other, inputs_of(head)), answer(model, inputs_of(head)))
    other.load_state_dict(model.state_dict())
    assert torch.equal(answer(other, inputs_of(head)), answer(model, inputs_of(head)))


@every_head
def test_the_whole_model_compiles_without_a_break_for_every_length(head):
    model = model_of(head)
    compiled = torch.compile(model, fullgraph=True, backend="eager", dynamic=True)
    for rows, length in ((2, 9), (3, 20)):
        inputs = inputs_of(head, rows, length)
        torch.testing.assert_close(answer(compiled, inputs), answer(model, inputs), rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")  # torch's own
def test_a_model_compiled_to_machine_code_answers_alike():
    head = next(head for head in TORCH_HEADS if head.name == "pretraining")
    model = model_of(head)
    compiled = torch.compile(model, fullgraph=True)
    torch.testing.assert_close(answer(compiled, inputs_of(head)), answer(model, inputs_of(head)), rtol=0, atol=1e-5)


@every_head
def test_an_exported_graph_serves_other_numbers_of_rows_and_lengths(head):
    model, inputs = model_of(head), inputs_of(head)
    rows, length = torch.export.Dim("rows", max=64), torch.export.Dim("length", max=320)
    axes = {0: rows, inputs["input_ids"].ndim - 1: length}
    exported = torch.export.export(model, (), inputs, dynamic_shapes=dict.fromkeys(inputs, axes)).module()
    for shape in ((2, 9), (3, 300)):
        other = inputs_of(head, *shape)
        torch.testing.assert_close(answer(exported, other), answer(model, other), rtol=0, atol=1e-5)


@every_head
@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.bfloat16, 0.06), (torch.float16, 0.01)], ids=["bfloat16", "float16"]
)
@pytest.mark.parametrize("length", [9, 300], ids=["explicit", "fused"])
def test_half_precision_stays_near(head, dtype, atol, length):
    """The tolerances are those of the last hidden states, normalised to about 1: some 8 and 11 bits through two layers."""
    model, inputs = model_of(head), inputs_of(head, length=length)
    halved = copy.deepcopy(model).to(dtype)
    found = answer(halved, inputs)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), answer(model, inputs), rtol=0, atol=atol)


@every_head
def test_modules_bear_the_names_people_hook(head):
    model = model_of(head)
    seen = []
    encoder = model if head.name == "encoder" else model.electra
    encoder.encoder.layer[0].attention.self.query.register_forward_hook(
        lambda module, given, result: seen.append(result)
    )
    answer(model, inputs_of(head))
    assert seen[0].shape[-1] == model.config.hidden_size


@every_head
def test_frozen_layers_get_no_gradient_and_the_rest_does(head):
    model = model_of(head)
    for parameter in model.base_model.embeddings.parameters():
        parameter.requires_grad = False
    answer(model, inputs_of(head)).square().mean().backward()
    with_gradient = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert not [name for name in with_gradient if "embeddings." in name]
    assert any("encoder.layer.0.attention.self.value" in name for name in with_gradient)


def test_every_head_sharded_by_layers_answers_and_learns_as_it_does_whole():
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    program = Path(__file__).parent / "sharded_heads.py"
    done = subprocess.run([*command, program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{head.name} over 2 processes" for head in TORCH_HEADS]
