"""The encoder as a decoder: causal, with a cache, looking at another encoder; held against transformers on equal weights."""

import pytest
import torch
from transformers import ElectraConfig as ReferenceConfig
from transformers import ElectraModel as Reference

from electra.config import ElectraConfig
from electra.errors import ConfigError, InputError
from electra.torch import ElectraModel

SIZES = dict(
    vocab_size=50, embedding_size=16, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
    max_position_embeddings=20, initializer_range=0.3, is_decoder=True,
)  # fmt: skip
IDS = torch.tensor([[3, 14, 15, 9, 26, 5], [2, 7, 18, 28, 18, 0]])
REAL = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]])
STATES = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(1))
STATES_REAL = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])


def pair(**changes):
    """Our model and transformers', with the same weights."""
    torch.manual_seed(0)
    ours = ElectraModel(ElectraConfig(**SIZES, **changes)).eval()
    theirs = Reference(ReferenceConfig(**SIZES, **changes)).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours, theirs


def same(one, other):
    torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("positions", ["absolute", "relative_key", "relative_key_query"])
def test_a_decoder_answers_as_the_reference(positions):
    ours, theirs = pair(position_embedding_type=positions)
    for mask in (None, REAL):
        same(ours(IDS, attention_mask=mask)[0], theirs(IDS, attention_mask=mask)[0])


def test_no_position_sees_what_comes_after_it():
    model, _ = pair()
    changed = IDS.clone()
    changed[:, 4:] = 11
    same(model(IDS)[0][:, :4], model(changed)[0][:, :4])
    assert not torch.allclose(model(IDS)[0][:, 4], model(changed)[0][:, 4])


@pytest.mark.parametrize("pieces", [(1, 1, 1, 1, 1, 1), (3, 2, 1), (2, 4)])
@pytest.mark.parametrize("changes", [{}, {"position_embedding_type": "relative_key"}, {"add_cross_attention": True}])
def test_a_text_in_pieces_with_a_cache_equals_the_text_at_once(pieces, changes):
    model, _ = pair(**changes)
    other = (
        dict(encoder_hidden_states=STATES, encoder_attention_mask=STATES_REAL)
        if changes.get("add_cross_attention")
        else {}
    )
    whole, past, found, end = model(IDS, attention_mask=REAL, **other)[0], None, [], 0
    for piece in IDS.split(pieces, dim=1):
        end += piece.shape[1]
        answer = model(piece, attention_mask=REAL[:, :end], past_key_values=past, use_cache=True, **other)
        past = answer.past_key_values
        assert [tensor.shape[2] for tensor in past[0]] == [end, end, *([7, 7] if other else [])]
        found.append(answer[0])
    same(torch.cat(found, 1), whole)


def test_a_cached_cross_attention_needs_no_encoder_again():
    model, _ = pair(add_cross_attention=True)
    first = model(IDS[:, :5], encoder_hidden_states=STATES, use_cache=True)
    same(
        model(IDS[:, 5:], past_key_values=first.past_key_values)[0][:, 0],
        model(IDS, encoder_hidden_states=STATES)[0][:, 5],
    )


def test_cross_attention_answers_as_the_reference_with_gradients():
    ours, theirs = pair(add_cross_attention=True)
    arguments = dict(
        attention_mask=REAL, encoder_hidden_states=STATES, encoder_attention_mask=STATES_REAL, output_attentions=True
    )
    mine, other = ours(IDS, **arguments), theirs(IDS, **arguments)
    same(mine[0], other[0])
    for one, two in zip(mine.cross_attentions, other.cross_attentions, strict=True):
        same(one, two)
    mine[0].sin().sum().backward()
    other[0].sin().sum().backward()
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        same(parameter.grad, expected[name].grad)


def test_checkpointing_gives_the_same_gradients_to_decoder_and_encoder():
    gradients = []
    for checkpointing in (False, True):
        model, _ = pair(add_cross_attention=True, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        if checkpointing:
            model.gradient_checkpointing_enable()
        states = STATES.clone().requires_grad_()
        model.train()(IDS, encoder_hidden_states=states)[0].sin().sum().backward()
        gradients.append([states.grad, model.encoder.layer[0].crossattention.self.key.weight.grad])
    same(*gradients)


def test_an_encoder_is_no_decoder():
    model = ElectraModel(ElectraConfig(**SIZES | {"is_decoder": False}))
    cache = pair()[0](IDS, use_cache=True).past_key_values
    with pytest.raises(InputError, match="past_key_values are for decoders"):
        model(IDS, past_key_values=cache)
    assert model(IDS, use_cache=True).past_key_values is None


def test_what_a_decoder_was_not_made_for_is_refused():
    model, _ = pair()
    with pytest.raises(InputError, match="add_cross_attention false and no weights"):
        model(IDS, encoder_hidden_states=STATES)
    with pytest.raises(InputError, match="encoder_hidden_states and their mask need cross-attention"):
        model(IDS, encoder_attention_mask=STATES_REAL)
    with pytest.raises(ConfigError, match="set is_decoder to true"):
        ElectraModel(ElectraConfig(add_cross_attention=True))
    cache = model(IDS, use_cache=True).past_key_values
    with pytest.raises(InputError, match=r"shape \(2, 6\); expected \(2, 12\) or \(2, 6, 12\)"):
        model(IDS, attention_mask=REAL, past_key_values=cache)
    with pytest.raises(InputError, match="has 21 positions, but the model takes 20"):
        model(torch.ones(2, 15, dtype=torch.long), past_key_values=cache)
