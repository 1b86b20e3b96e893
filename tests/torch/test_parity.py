"""Random configurations, inputs and labels against the installed transformers, for every head: outputs and losses equal."""

import warnings
from typing import Any

import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightly import examples

import electra
from electra.heads import HEADS

EXAMPLES = examples(50, 1000)  # of each head
WIDE = st.sampled_from([(8, 2), (12, 3), (16, 4), (32, 1)])  # hidden_size, heads
ACTIVATIONS = [
    "gelu",
    "gelu_new",
    "gelu_fast",
    "gelu_pytorch_tanh",
    "quick_gelu",
    "relu",
    "silu",
    "swish",
    "tanh",
    "linear",
]
LONGEST = 24
ENCODER_LENGTH = 5


@st.composite
def configs(draw, head: str) -> dict[str, Any]:
    hidden, heads = draw(WIDE)
    causal = head == "causal_lm"
    is_decoder = causal or (head == "encoder" and draw(st.booleans()))
    return {
        "vocab_size": draw(st.integers(5, 60)),
        "embedding_size": draw(st.sampled_from([hidden, 6, 20])),
        "hidden_size": hidden,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "num_attention_heads": heads,
        "intermediate_size": draw(st.integers(1, 40)),
        "hidden_act": draw(st.sampled_from(ACTIVATIONS)),
        "max_position_embeddings": LONGEST,
        "type_vocab_size": draw(st.integers(1, 3)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
        "position_embedding_type": draw(st.sampled_from(["absolute", "relative_key", "relative_key_query"])),
        "chunk_size_feed_forward": draw(st.sampled_from([0, 0, 1])),
        "tie_word_embeddings": draw(st.booleans()),
        "num_labels": 2 if head == "question_answering" else draw(st.integers(1, 4)),
        "problem_type": draw(st.sampled_from([None, "regression", "multi_label_classification"])),
        "summary_type": draw(st.sampled_from(["first", "last", "mean", "cls_index"])),
        "summary_use_proj": draw(st.booleans()),
        "summary_activation": draw(st.sampled_from([None, "gelu", "tanh", "relu"])),
        "is_decoder": is_decoder,
        "add_cross_attention": is_decoder and draw(st.booleans()),
    }


@st.composite
def calls(draw, head: str, config: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a forward: tensors by a seed of their own, so that hypothesis only varies what is there."""
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))

    def integers(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(0, high, shape, generator=random)

    def is_there() -> bool:
        return draw(st.booleans())

    rows, length = draw(st.integers(1, 3)), draw(st.integers(1, LONGEST))
    shape = (rows, draw(st.integers(1, 3)), length) if head == "multiple_choice" else (rows, length)
    call: dict[str, Any] = {}
    if is_there():
        call["input_ids"] = integers(config["vocab_size"], *shape)
    else:
        call["inputs_embeds"] = torch.randn(*shape, config["embedding_size"], generator=random)
    if is_there():
        # A row's first token is always real: of a row of padding alone the reference's loss is NaN.
        call["attention_mask"] = integers(2, *shape)
        call["attention_mask"][..., 0] = 1
        if head in ("encoder", "token_classification") and is_there():
            call["attention_mask"] = integers(2, rows, length, length)
    if is_there():
        call["token_type_ids"] = integers(config["type_vocab_size"], *shape)
    if is_there():
        call["position_ids"] = integers(LONGEST, *shape)
    if is_there():
        heads, layers = config["num_attention_heads"], config["num_hidden_layers"]
        call["head_mask"] = integers(2, *draw(st.sampled_from([(heads,), (layers, heads)]))).float()
    if config["add_cross_attention"]:  # without states to look at, the reference fails where attentions are asked for
        states = torch.randn(rows, ENCODER_LENGTH, config["hidden_size"], generator=random)
        call["encoder_hidden_states"] = states
        if is_there():
            call["encoder_attention_mask"] = integers(2, rows, ENCODER_LENGTH)
    if is_there():
        call |= labels(head, config, shape, integers)
    for name in ("output_attentions", "output_hidden_states"):
        call[name] = is_there()
    return call


def labels(head: str, config: dict[str, Any], shape: tuple[int, ...], integers: Any) -> dict[str, torch.Tensor]:
    rows, count = shape[0], config["num_labels"]
    if head == "encoder":
        return {}
    if head == "question_answering":
        return {
            name: integers(shape[1] + 1, rows).clamp_(max=shape[1]) for name in ("start_positions", "end_positions")
        }
    if head == "multiple_choice":
        return {"labels": integers(shape[1], rows)}
    if head == "pretraining":
        return {"labels": integers(2, *shape)}
    if head == "sequence_classification":
        kind = config["problem_type"] or ("regression" if count == 1 else "single")
        if kind == "single":
            return {"labels": integers(count, rows)}
        return {"labels": integers(2, rows, count).float()}
    asked = integers(count if head == "token_classification" else config["vocab_size"], *shape)
    return {"labels": asked.masked_fill(integers(2, *shape) == 0, -100)}


def make_pair(class_name: str, config: dict[str, Any], seed: int) -> tuple[Any, Any]:
    """Our model and the reference's, of equal weights far from 0."""
    ours = getattr(electra, class_name)(electra.ElectraConfig(**config)).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_(std=0.4, generator=random)
    theirs = getattr(transformers, class_name)(transformers.ElectraConfig(**config)).eval()
    found = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not found.unexpected_keys
    assert all(name.endswith(("position_ids", "token_type_ids")) for name in found.missing_keys)
    return ours, theirs


def flatten(value: Any, prefix: str = "") -> dict[str, torch.Tensor]:
    if torch.is_tensor(value):
        return {prefix: value}
    pairs = value.items() if hasattr(value, "items") else enumerate(value)
    return {name: found for key, inner in pairs for name, found in flatten(inner, f"{prefix}.{key}").items()}


def assert_answers_equal(ours: Any, theirs: Any, call: dict[str, Any]) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reference warns of sizes that torch broadcasts in its regression loss
        found, expected = flatten(ours(**call)), flatten(theirs(**call))
        in_order = ours(**call, return_dict=False)
    assert list(found) == list(expected)
    assert len(in_order) == len({name.split(".")[1] for name in expected})
    for name, value in expected.items():
        # Where the reference broadcasts, or means over nothing, there is no number to compare.
        torch.testing.assert_close(
            found[name], value, rtol=1e-4, atol=2e-5, equal_nan=True, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_answers_and_losses_equal_the_reference(head):
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data(), seed=st.integers(0, 2**31))
    def check(data, seed):
        config = data.draw(configs(head.name))
        assert_answers_equal(*make_pair(head.class_name, config, seed), data.draw(calls(head.name, config)))

    check()


def test_a_real_encoder_answers_as_the_reference_and_as_the_bert_it_is(real_encoder, minilm):
    tokenizer = electra.ElectraTokenizerFast.from_pretrained(real_encoder)
    texts = ["The chef cooked the meal.", "Rivers flow to the sea; some of them, slowly, through several countries."]
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    ours = electra.ElectraModel.from_pretrained(real_encoder)
    real = inputs["attention_mask"] == 1
    with torch.no_grad():
        found = ours(**inputs).last_hidden_state[real]
        for theirs in (
            transformers.ElectraModel.from_pretrained(real_encoder),
            transformers.BertModel.from_pretrained(minilm, attn_implementation="eager"),
        ):
            torch.testing.assert_close(found, theirs(**inputs).last_hidden_state[real], rtol=0, atol=1e-5)
