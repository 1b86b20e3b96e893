"""Every head in every framework: the tensors of the table, one answer, and folders that go from any to any bit for bit."""

import itertools

import numpy as np
import pytest

import electra
from electra.heads import HEADS
from electra.weights.folders import read_weights
from electra.weights.names import TIED_TABLE, canonical, tensors

CONFIGS = {
    "projected": {"embedding_size": 16},
    "as_wide": {"embedding_size": 32},
    "untied": {"embedding_size": 16, "tie_word_embeddings": False},
    "relative": {"embedding_size": 16, "position_embedding_type": "relative_key_query"},
}
CASES = [(head, framework) for head in HEADS for framework in head.frameworks]
PAIRS = [(head, *pair) for head in HEADS for pair in itertools.permutations(head.frameworks, 2)]


def config_of(head, kind="projected"):
    sizes = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 37, "num_labels": 2}
    decoder = {"is_decoder": head.name == "causal_lm", "max_position_embeddings": 40}
    return electra.ElectraConfig(**(sizes | decoder | CONFIGS[kind]))


def class_in(head, framework):
    return getattr(electra, head.class_in(framework))


def answer(model, head):
    """The first array of the answer to two rows, one padded."""
    shape = (2, 3, 9) if head.name == "multiple_choice" else (2, 9)
    ids = np.random.default_rng(0).integers(1, 99, shape).astype(np.int32)
    mask = np.ones(shape, np.int32)
    mask[1, ..., 6:] = 0
    if type(model).__module__.startswith("electra.torch"):
        import torch

        with torch.no_grad():
            return model(torch.from_numpy(ids), torch.from_numpy(mask))[0].numpy()
    return np.asarray(model(ids, attention_mask=mask)[0])


def bits(folder):
    return {
        canonical(name): (array.dtype, array.shape, array.tobytes()) for name, array in read_weights(folder).items()
    }


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize(("head", "framework"), CASES, ids=[f"{head.name}-{name}" for head, name in CASES])
def test_a_saved_model_holds_the_tensors_of_the_table(head, framework, kind, tmp_path):
    config = config_of(head, kind)
    class_in(head, framework)(config).save_pretrained(tmp_path)
    expected = tensors(config) | (tensors(config, head.tensors) if head.name != "encoder" else {})
    if config.tie_word_embeddings:
        expected.pop(TIED_TABLE, None)
    assert {name: shape for name, (_, shape, _) in bits(tmp_path).items()} == expected


@pytest.mark.parametrize(
    ("head", "one", "other"), PAIRS, ids=[f"{head.name}-{one}-{other}" for head, one, other in PAIRS]
)
def test_what_one_framework_saves_another_loads_bit_for_bit_and_answers_alike(head, one, other, tmp_path):
    first = class_in(head, one)(config_of(head))
    if one == "torch":
        first.eval()
    first.save_pretrained(tmp_path / one)
    second = class_in(head, other).from_pretrained(tmp_path / one)
    second.save_pretrained(tmp_path / other)
    assert bits(tmp_path / other) == bits(tmp_path / one)
    np.testing.assert_allclose(answer(second, head), answer(first, head), rtol=0, atol=1e-5)
