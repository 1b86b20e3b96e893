"""A Flax model with the weights of a PyTorch model, and their answers held side by side."""

import warnings
from typing import Any

import numpy as np
import torch

import electra.flax
from electra.flax.trees import to_tree


def twin_of(model: Any) -> Any:
    """The Flax model with a PyTorch model's weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FlaxElectraForCausalLM without is_decoder
        twin = getattr(electra.flax, f"Flax{type(model).__name__}")(model.config, _do_init=False)
    named = {name: value.detach().numpy() for name, value in model.named_parameters()}  # tied tensors once
    twin.params = to_tree(named)
    return twin


def arrays(inputs: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in inputs.items()}


def close(ours: Any, theirs: torch.Tensor, **tolerance: float) -> None:
    np.testing.assert_allclose(np.asarray(ours), theirs.detach().numpy(), **({"atol": 1e-5, "rtol": 1e-5} | tolerance))


def check_output(ours: Any, theirs: Any) -> None:
    """The same fields, the same numbers; past_key_values are PyTorch's alone where no cache was given."""
    flat_ours, flat_theirs = flatten(ours), flatten(theirs)
    assert flat_ours.keys() == flat_theirs.keys()
    for name, value in flat_theirs.items():
        close(flat_ours[name], value, atol=2e-5, rtol=1e-4)


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in flatten(inner, f"{prefix}{key}.").items()}
    if isinstance(value, tuple):
        return flatten(dict(enumerate(value)), prefix)
    return {prefix[:-1]: value}
