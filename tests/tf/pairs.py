"""A TensorFlow model beside the PyTorch model of equal weights, and what both say."""

from typing import Any

import numpy as np
import tensorflow as tf
import torch

import electra
import electra.tf
from electra.tf.initial import fill

TINY = dict(
    vocab_size=99, embedding_size=16, hidden_size=32, num_hidden_layers=2, intermediate_size=37, max_position_embeddings=40,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, summary_last_dropout=0.0,
)  # fmt: skip


def twin_of(model: Any) -> Any:
    """The TensorFlow model with a PyTorch model's configuration and weights."""
    twin = getattr(electra.tf, f"TF{type(model).__name__}")(electra.ElectraConfig.from_dict(model.config.to_dict()))
    fill(twin.named_weights(), {name: value.detach().numpy() for name, value in model.state_dict().items()})
    return twin


def make_pair(class_name: str, *, seed: int = 0, std: float = 0.4, **config: Any) -> tuple[Any, Any]:
    """A PyTorch model of random weights far from 0, in eval mode, and its twin."""
    model = getattr(electra, class_name)(electra.ElectraConfig(**config)).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=std, generator=random)
    return model, twin_of(model)


def in_tf(call: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a PyTorch call, for its twin."""
    return {name: tf.constant(value.numpy()) if torch.is_tensor(value) else value for name, value in call.items()}


def flatten(value: Any, prefix: str = "") -> dict[str, np.ndarray]:
    """Nested outputs -> {"hidden_states.0": array}."""
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in flatten(inner, f"{prefix}{key}.").items()}
    if isinstance(value, tuple):
        return flatten(dict(enumerate(value)), prefix)
    return {prefix[:-1]: value.detach().numpy() if torch.is_tensor(value) else np.asarray(value)}


def assert_close(found: Any, expected: Any, *, atol: float, rtol: float = 1e-5) -> None:
    found, expected = flatten(found), flatten(expected)
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=atol, rtol=rtol, err_msg=name)


def gradients(model: Any, call: dict[str, Any]) -> dict[str, np.ndarray]:
    """The gradient of a TensorFlow model's answer by canonical names and in the canonical layout; 0 where there is none.

    Of the loss, or of the sum of the first output.
    """
    from electra.weights.translation import transposed

    weights = model.named_weights()
    with tf.GradientTape() as tape:
        output = model(**call)
        target = output["loss"] if "loss" in output else tf.reduce_sum(output[0] ** 2)
    found = tape.gradient(
        target, [weight.value for weight in weights.values()], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return {name: transposed(name, tf.convert_to_tensor(g).numpy()) for name, g in zip(weights, found, strict=True)}


def torch_gradients(model: Any, call: dict[str, Any]) -> dict[str, np.ndarray]:
    """The same of a PyTorch model."""
    model.zero_grad()
    output = model(**call)
    (output["loss"] if "loss" in output else (output[0] ** 2).sum()).backward()
    return {
        name: np.zeros(tuple(p.shape), np.float32) if p.grad is None else p.grad.numpy()
        for name, p in model.named_parameters()
    }
