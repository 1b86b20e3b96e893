"""Every head against the PyTorch class with the same weights: forward, gradients, and random configurations."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from every_head import inputs_of, model_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nightly import examples
from twins import arrays, check_output, close, twin_of

import electra.flax
import electra.torch
from electra import ElectraConfig, losses
from electra.flax import ops
from electra.flax.trees import to_arrays
from electra.heads import HEADS

EXAMPLES = examples(2, 60)  # of each head; compiling one takes seconds
KINDS: dict[str, dict[str, Any]] = {
    "projected": {},
    "equal": dict(embedding_size=32),
    "relative_key": dict(position_embedding_type="relative_key"),
    "relative_key_query": dict(position_embedding_type="relative_key_query"),
    "untied_in_chunks": dict(tie_word_embeddings=False, chunk_size_feed_forward=3, hidden_act="relu"),
}
ACTIVATIONS = sorted(electra.flax.activations.ACTIVATIONS)


def _pairs() -> list[Any]:
    """Every head in two kinds, the encoder and the generator in every kind."""
    every = ("encoder", "masked_lm")
    return [
        pytest.param(head, kind, id=f"{head.name}-{kind}")
        for head in HEADS
        for number, kind in enumerate(KINDS)
        if head.name in every or number < 2
    ]


@pytest.mark.parametrize(("head", "kind"), _pairs())
def test_outputs_and_gradients_equal_pytorchs(head, kind):
    layers = 2 if head.name == "encoder" else 1
    model = model_of(head, initializer_range=0.2, num_hidden_layers=layers, **KINDS[kind])
    inputs = inputs_of(head)
    inputs["token_type_ids"] = torch.arange(inputs["input_ids"].numel()).reshape(inputs["input_ids"].shape) % 2
    twin = twin_of(model)

    def loss(params: Any) -> Any:
        output = twin(**arrays(inputs), params=params, output_hidden_states=True, output_attentions=True)
        return sum((jnp.cos(value) * jnp.arange(value.size).reshape(value.shape)).mean() for value in output.to_tuple()
                   if not isinstance(value, tuple)), output  # fmt: skip

    (value, output), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(twin.params)
    theirs = model(**inputs, output_hidden_states=True, output_attentions=True)
    check_output(output, theirs)
    tensors = [v for v in theirs.to_tuple() if not isinstance(v, tuple)]
    total = sum((v.cos() * torch.arange(v.numel()).reshape(v.shape)).mean() for v in tensors)
    total.backward()
    close(value, total, rtol=1e-4)
    found = to_arrays(gradients)
    expected = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters()}
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        scale = max(1.0, float(gradient.abs().max()))
        close(found[name] / scale, gradient / scale)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_equals_pytorchs(activation):
    x = np.linspace(-6, 6, 1001, dtype=np.float32)
    ours = electra.flax.activations.ACTIVATIONS[activation](jnp.asarray(x))
    close(ours, electra.torch.activations.ACTIVATIONS[activation](torch.from_numpy(x)), atol=1e-6)


@pytest.mark.parametrize("name", sorted(electra.torch.activations.ACTIVATIONS.keys() - set(ACTIVATIONS)))
def test_an_activation_that_flax_s_models_lack_is_refused_as_in_the_reference(name):
    config = electra.ElectraConfig(
        vocab_size=9, embedding_size=4, hidden_size=4, num_attention_heads=1, hidden_act=name
    )
    with pytest.raises(KeyError, match=f"no activation '{name}'"):
        electra.FlaxElectraModel(config)


MASKS = {
    "1d": torch.tensor([1.0, 0.0, 0.5, 1.0]),
    "2d": torch.tensor([[1.0, 0.0, 0.5, 1.0], [0.0, 1.0, 1.0, 0.25]]),
}


@pytest.mark.parametrize("mask", MASKS)
def test_a_head_mask_equals_pytorchs(mask):
    model = model_of(HEADS[0], initializer_range=0.2)
    inputs = inputs_of(HEADS[0])
    ours = twin_of(model)(**arrays(inputs), head_mask=MASKS[mask].numpy(), output_attentions=True)
    check_output(ours, model(**inputs, head_mask=MASKS[mask], output_attentions=True))


def test_a_mask_per_position_and_a_row_of_padding_equal_pytorchs():
    model = model_of(HEADS[0], initializer_range=0.2)
    ids = inputs_of(HEADS[0])["input_ids"]
    mask = torch.ones(2, 9, 9, dtype=torch.int64).tril(2)
    mask[1] = 0
    ours = twin_of(model)(ids.numpy(), attention_mask=mask.numpy())
    check_output(ours, model(ids, attention_mask=mask))
    assert np.isfinite(ours.last_hidden_state).all()


def test_missing_token_types_are_zeros_which_the_reference_takes_for_ones():
    twin = twin_of(model_of(HEADS[0], initializer_range=0.2))
    ids = inputs_of(HEADS[0])["input_ids"].numpy()
    np.testing.assert_array_equal(twin(ids)[0], twin(ids, token_type_ids=np.zeros_like(ids))[0])
    assert not np.allclose(twin(ids)[0], twin(ids, token_type_ids=np.ones_like(ids))[0])


def test_the_losses_of_the_heads_equal_pytorchs():
    head = next(head for head in HEADS if head.name == "masked_lm")
    model, inputs = model_of(head, initializer_range=0.2), inputs_of(head)
    labels = torch.where(inputs["attention_mask"] > 0, inputs["input_ids"], losses.IGNORED)
    logits = twin_of(model)(**arrays(inputs)).logits
    close(losses.cross_entropy(logits, jnp.asarray(labels.numpy()), ops), model(**inputs, labels=labels).loss)


# ------------------------------------------------------------------------------------------------ random configurations

LENGTHS, ROWS = (1, 5), (2,)  # few shapes: every new one is compiled


@st.composite
def configs(draw, head: str) -> dict[str, Any]:
    causal = head == "causal_lm"
    is_decoder = causal or (head == "encoder" and draw(st.booleans()))
    return {
        "vocab_size": 23,
        "embedding_size": draw(st.sampled_from([8, 6])),
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": draw(st.sampled_from([1, 2])),
        "intermediate_size": 12,
        "hidden_act": draw(st.sampled_from(ACTIVATIONS)),
        "max_position_embeddings": 10,
        "type_vocab_size": draw(st.integers(1, 2)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
        "position_embedding_type": draw(st.sampled_from(["absolute", "relative_key", "relative_key_query"])),
        "chunk_size_feed_forward": draw(st.sampled_from([0, 1])),
        "tie_word_embeddings": draw(st.booleans()),
        "num_labels": 2 if head == "question_answering" else draw(st.integers(1, 3)),
        "summary_type": draw(st.sampled_from(["first", "last", "mean", "cls_index"])),
        "summary_use_proj": draw(st.booleans()),
        "summary_activation": draw(st.sampled_from([None, "gelu", "relu"])),
        "is_decoder": is_decoder,
        "add_cross_attention": is_decoder and draw(st.booleans()),
        "pruned_heads": draw(st.sampled_from([{}, {0: [1]}])),
    }


@st.composite
def calls(draw, head: str, config: dict[str, Any]) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))

    def integers(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(0, high, shape, generator=random)

    rows, length = draw(st.sampled_from(ROWS)), draw(st.sampled_from(LENGTHS))
    shape = (rows, 2, length) if head == "multiple_choice" else (rows, length)
    call = {"input_ids": integers(config["vocab_size"], *shape)}
    if draw(st.booleans()):
        call["attention_mask"] = integers(2, *shape, length) if draw(st.booleans()) else integers(2, *shape)
    if draw(st.booleans()):
        call["token_type_ids"] = integers(config["type_vocab_size"], *shape)
    if draw(st.booleans()):
        call["position_ids"] = integers(10, *shape)
    if draw(st.booleans()) and not config["pruned_heads"]:
        layers = [(), (config["num_hidden_layers"],)][draw(st.integers(0, 1))]
        call["head_mask"] = torch.rand(*layers, config["num_attention_heads"], generator=random)
    if config["add_cross_attention"] and draw(st.booleans()):
        call["encoder_hidden_states"] = torch.randn(rows, 3, config["hidden_size"], generator=random)
        if draw(st.booleans()):
            call["encoder_attention_mask"] = integers(2, rows, 3)
    return call


@pytest.mark.filterwarnings("ignore:ElectraForCausalLM with is_decoder")
@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, phases=[Phase.generate],
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(data=st.data())
def test_random_configurations_and_calls_equal_pytorchs(head, data):
    values = data.draw(configs(head.name))
    if values["num_attention_heads"] == 1:
        values["pruned_heads"] = {}
    config = ElectraConfig(**values, initializer_range=0.3)
    torch.manual_seed(1)
    model = getattr(electra.torch, head.class_name)(config).eval()
    call = data.draw(calls(head.name, values))
    twin, flags = twin_of(model), dict(output_attentions=True, output_hidden_states=True)
    ours = twin(**arrays(call), **flags)
    with torch.no_grad():
        check_output(ours, model(**call, **flags))
