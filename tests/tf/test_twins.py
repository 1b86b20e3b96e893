"""The TensorFlow classes beside the PyTorch ones of the same weights: answers, losses and gradients are equal."""

from typing import Any

import numpy as np
import pytest
import test_parity as random_calls
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightly import examples
from pairs import TINY, assert_close, gradients, in_tf, make_pair, torch_gradients

from electra.heads import HEADS

TF_HEADS = [head for head in HEADS if "tf" in head.frameworks]
EXAMPLES = examples(3, 60)  # of each head; building and tracing one takes a second


def inputs_of(head: Any, rows: int = 2, length: int = 9) -> dict[str, torch.Tensor]:
    """Ids, a mask with padding, token types, labels."""
    random = torch.Generator().manual_seed(7)
    shape = (rows, 3, length) if head.name == "multiple_choice" else (rows, length)
    mask = torch.ones(shape, dtype=torch.int64)
    mask[1:, ..., -2:] = 0

    def integers(high: int, *of: int) -> torch.Tensor:
        return torch.randint(0, high, of, generator=random)

    call = {
        "input_ids": integers(99, *shape),
        "attention_mask": mask,
        "token_type_ids": integers(2, *shape),
    }
    config = {"num_labels": 2, "problem_type": None, "vocab_size": 99}
    return call | random_calls.labels(head.name, config, shape, integers)


def check(class_name: str, call: dict[str, Any], **config: Any) -> None:
    """Answers and gradients of both, within 1e-5."""
    theirs, ours = make_pair(class_name, std=0.1, **(TINY | config))
    with torch.no_grad():
        expected = theirs(**call)
    assert_close(ours(**in_tf(call)), expected, atol=1e-5)
    found, wanted = gradients(ours, in_tf(call)), torch_gradients(theirs, call)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        scale = max(1.0, float(np.abs(value).max()))
        np.testing.assert_allclose(found[name] / scale, value / scale, atol=1e-5, err_msg=name)


KINDS: dict[str, dict[str, Any]] = {
    "projected": {},
    "equal sizes": {"embedding_size": 32},
    "relative keys": {"position_embedding_type": "relative_key"},
    "relative keys and queries": {"position_embedding_type": "relative_key_query"},
    "untied": {"tie_word_embeddings": False},
    "chunks": {"chunk_size_feed_forward": 3},
}


# Every head in two kinds, the encoder and the generator in every kind: the others add nothing to these.
PAIRS = [
    pytest.param(head, kind, id=f"{head.name}-{kind}")
    for head in TF_HEADS
    for number, kind in enumerate(KINDS)
    if head.name in ("encoder", "masked_lm") or number < 2
]


@pytest.mark.parametrize(("head", "kind"), PAIRS)
def test_every_head_answers_and_learns_as_its_twin(head, kind):
    check(head.class_name, inputs_of(head), **KINDS[kind])


@pytest.mark.parametrize("activation", random_calls.ACTIVATIONS)
def test_every_activation(activation):
    check("ElectraForPreTraining", inputs_of(TF_HEADS[1]), hidden_act=activation)


def causal(rows: int, length: int) -> torch.Tensor:
    return torch.ones(length, length, dtype=torch.int64).tril().expand(rows, -1, -1)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "head_mask of heads": {"head_mask": torch.tensor([1.0, 0.0, 0.5, 1.0])},
    "head_mask of layers and heads": {"head_mask": torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])},
    "a mask of rows and columns": {"attention_mask": causal(2, 9)},
    "position_ids": {"position_ids": torch.arange(9).flip(0).expand(2, -1)},
    "embeddings": {
        "inputs_embeds": torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(3)),
        "input_ids": None,
    },
    "a row of padding": {"attention_mask": torch.tensor([[1] * 9, [0] * 9])},
    "a mask of floats": {"attention_mask": torch.tensor([[1.0] * 9, [1.0] * 5 + [0.0] * 4])},
    "a mask of booleans": {"attention_mask": torch.tensor([[True] * 9, [True] * 5 + [False] * 4])},
    "all outputs": {"output_attentions": True, "output_hidden_states": True},
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_every_argument(argument):
    check("ElectraForTokenClassification", inputs_of(TF_HEADS[5]) | ARGUMENTS[argument])


def test_the_loss_of_real_tokens_under_a_mask_of_rows_and_columns():
    check("ElectraForPreTraining", inputs_of(TF_HEADS[1]) | {"attention_mask": causal(2, 9)})


DECODER = dict(is_decoder=True, add_cross_attention=True)


def test_a_decoder_over_another_encoder():
    states = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(5))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    call = {
        "input_ids": torch.arange(1, 19).view(2, 9),
        "encoder_hidden_states": states,
        "encoder_attention_mask": mask,
    }
    check("ElectraModel", call | {"use_cache": True, "output_attentions": True}, **DECODER)


@pytest.mark.parametrize("positions", ["absolute", "relative_key"])
def test_a_text_in_pieces_gives_the_same_as_the_whole(positions):
    theirs, ours = make_pair("ElectraModel", std=0.1, **(TINY | DECODER), position_embedding_type=positions)
    ids = np.arange(1, 19).reshape(2, 9)
    states = np.random.default_rng(0).standard_normal((2, 5, 32)).astype(np.float32)
    whole = ours(ids, encoder_hidden_states=states)
    first = ours(ids[:, :4], encoder_hidden_states=states, use_cache=True)
    second = ours(ids[:, 4:], encoder_hidden_states=states, past_key_values=first.past_key_values, use_cache=True)
    pieces = np.concatenate([first[0], second[0]], axis=1)
    np.testing.assert_allclose(pieces, whole.last_hidden_state, atol=1e-5)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(ids), encoder_hidden_states=torch.from_numpy(states), use_cache=True)
    assert_close(
        {"states": pieces, "past": second.past_key_values},
        {"states": expected[0], "past": expected.past_key_values},
        atol=1e-5,
    )


def test_a_decoder_caches_unasked_as_tensorflow_s_documentation_says_but_not_in_a_tuple():
    _, ours = make_pair("ElectraModel", **TINY, is_decoder=True)
    ids = np.array([[1, 2, 3]])
    assert list(ours(ids)) == ["last_hidden_state", "past_key_values"]
    assert len(ours(ids, return_dict=False)) == 1
    assert (
        list(ours(ids, use_cache=False)) == list(ours(ids, attention_mask=np.ones((1, 3, 3)))) == ["last_hidden_state"]
    )


@pytest.mark.parametrize("head", TF_HEADS, ids=lambda head: head.name)
def test_random_configurations_inputs_and_labels(head):
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data(), seed=st.integers(0, 2**31))
    def check(data, seed):
        config = data.draw(random_calls.configs(head.name))
        theirs, ours = make_pair(head.class_name, seed=seed, **config)
        call = data.draw(random_calls.calls(head.name, config)) | (
            {"use_cache": False} if head.name == "encoder" else {}
        )
        with torch.no_grad():
            expected, in_order = theirs(**call), theirs(**call, return_dict=False)
        assert_close(ours(**in_tf(call)), expected, atol=2e-5, rtol=1e-4)
        assert len(ours(**in_tf(call), return_dict=False)) == len(in_order)

    check()
