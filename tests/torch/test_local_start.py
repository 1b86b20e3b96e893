"""A local start: the first layer's heads look at the neighbours from the first step on, and nothing else is special."""

import pytest
import torch

from electra.config import ElectraConfig
from electra.errors import ConfigError
from electra.first_weights import first_networks
from electra.local_start import offset_of
from electra.torch import ElectraForPreTraining
from electra.torch.initial import fill


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = ElectraConfig.tiny(initializer_range=0.06)
    model = ElectraForPreTraining(config).eval()
    first = first_networks({"discriminator": config}, seed=0, start="local")["discriminator"]
    fill(dict(model.named_parameters()), first)
    return model


@pytest.mark.parametrize("first_position", [0, 60])
def test_each_head_of_the_first_layer_looks_at_its_offset(model, first_position):
    ids = torch.randint(5, 4096, (8, 40))
    places = torch.arange(first_position, first_position + 40).expand(8, -1)
    weights = model.electra(ids, position_ids=places, output_attentions=True).attentions[0]  # (B, N, L, L)
    inner = torch.arange(3, 37)
    for head, offset in enumerate([-1, 1, -2, 2]):
        assert offset_of(head) == offset
        assert (weights[:, head, inner].argmax(-1) == inner + offset).all()
        assert weights[:, head, inner, inner + offset].mean() > 0.5


def test_words_leave_the_dimensions_of_the_positions_alone(model):
    tables = model.electra.embeddings
    assert not tables.word_embeddings.weight[:, :32].any()
    assert not tables.position_embeddings.weight[:, 32:].any()
    assert tables.word_embeddings.weight[:, 32:].std().item() == pytest.approx(0.06 * 0.88, rel=0.02)  # cut at 2 sigma


def test_all_of_it_is_trained(model):
    model.train()(torch.randint(5, 4096, (2, 30))).logits.sum().backward()
    query = model.electra.encoder.layer[0].attention.self.query.weight
    assert query.grad.abs().max() > 0
    assert model.electra.embeddings.word_embeddings.weight.grad[:, :32].abs().max() > 0


@pytest.mark.parametrize("sizes", [{"embedding_size": 64}, {"num_attention_heads": 8}, {"num_hidden_layers": 0}])
def test_an_encoder_without_room_for_it_is_refused(sizes):
    with pytest.raises(ConfigError, match="needs embedding_size equal to hidden_size"):
        first_networks({"discriminator": ElectraConfig.tiny(**sizes)}, seed=0, start="local")
