"""PyTorch without padding answers as with it: on every head, in float32 to rounding, in bfloat16 nearly."""

import copy

import pytest
import torch
from answering import batch_of, differences, plain
from every_head import model_of

from electra.config import ElectraConfig
from electra.errors import InputError
from electra.heads import HEADS, ORIGINAL_HEADS
from electra.torch import original_heads
from electra.torch.unpadded import remove_padding, why_not

ROWS = [row for row in (*HEADS, *ORIGINAL_HEADS) if row.class_name not in ("ElectraModel", "ElectraForCausalLM")]
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 0.1}  # of the spread of the answers


def random_model(head, **changes):
    if head in HEADS:
        return model_of(head, initializer_range=0.15, **changes)
    torch.manual_seed(0)
    config = ElectraConfig(
        vocab_size=99, embedding_size=16, hidden_size=32, num_hidden_layers=2, intermediate_size=37,
        max_position_embeddings=320, initializer_range=0.15, joint_prediction=False, **changes,
    )  # fmt: skip
    return getattr(original_heads, head.class_name)(config).eval()


@pytest.mark.parametrize("dtype", TOLERANCES, ids=["float32", "bfloat16"])
@pytest.mark.parametrize("head", ROWS, ids=lambda head: head.class_name)
def test_every_head_answers_as_with_padding(head, dtype):
    model, inputs = random_model(head), batch_of(head)
    other = copy.deepcopy(model)
    remove_padding(other, dtype)
    found = differences(plain(other, inputs), plain(model, inputs), inputs)
    assert max(found.values()) < TOLERANCES[dtype], found


@pytest.mark.parametrize("changes", [{"hidden_act": "relu"}, {"embedding_size": 32}, {"pruned_heads": {0: [1, 2]}}])
def test_other_encoders_answer_as_with_padding(changes):
    head = ROWS[0]
    model, inputs = random_model(head, **changes), batch_of(head)
    other = copy.deepcopy(model)
    remove_padding(other)
    assert max(differences(plain(other, inputs), plain(model, inputs), inputs).values()) < 1e-5


@pytest.mark.fault(18)
def test_what_it_cannot_take_is_refused():
    head = ROWS[0]
    model, inputs = random_model(head), batch_of(head, lengths=(9, 9))
    remove_padding(model)
    with pytest.raises(InputError, match="input_ids holds 99 in row 1, position 2; expected 0 to 98"):
        plain(model, inputs | {"input_ids": inputs["input_ids"] * 0 + 99 * (torch.arange(18).view(2, 9).numpy() == 11)})
    inputs["attention_mask"][1, 0] = 0
    with pytest.raises(InputError, match="a row begins with padding"):
        plain(model, inputs)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is relative_key"),
        ({"is_decoder": True}, "the model is a decoder"),
        ({"summary_type": "mean"}, "summary_type mean reads padding"),
    ],
)
def test_models_that_need_padding_are_named(changes, why):
    assert why_not("ElectraForMultipleChoice", ElectraConfig(**changes)) == why
