"""Batches that real use gives, and how far answers are apart: shared by the tests of what answers."""

import numpy as np
import torch

SIZES = dict(embedding_size=16, hidden_size=64, num_attention_heads=4, intermediate_size=48)  # what our own C takes
LENGTHS = (3, 150, 1, 31, 32, 33, 97)  # around what attention is cut into


def batch_of(head, lengths=LENGTHS, vocabulary=99, seed=0):
    """Rows of these lengths, padded at their end; of multiple choice, two choices of each length."""
    rng = np.random.default_rng(seed)
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int32)
    ids, types = (rng.integers(0, size, mask.shape, np.int32) * mask for size in (vocabulary, 2))
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    if head.name != "multiple_choice":
        return inputs
    return {name: np.stack([array, array[::-1]], 1) for name, array in inputs.items()}


def plain(model, inputs):
    """The model's own answer, field by field."""
    with torch.no_grad():
        answer = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    return {name: value.numpy() for name, value in answer.items() if isinstance(value, torch.Tensor)}


def weights_of(model):
    """Its tensors by the names a file has."""
    prefix = "" if hasattr(model, "electra") else "electra."
    return {f"{prefix}{name}": value.numpy() for name, value in model.state_dict().items()}


def differences(found, expected, inputs):
    """The largest difference on real tokens, over the spread of the expected answer; a number for each field."""
    assert set(found) == set(expected)
    return {name: _difference(found[name], expected[name], inputs["attention_mask"]) for name in expected}


def _difference(found, expected, mask):
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    if expected.shape[: mask.ndim] == mask.shape:
        found, expected = found[mask == 1], expected[mask == 1]
    return float(np.abs(found - expected).max() / expected.std())
