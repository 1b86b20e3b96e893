"""The encoder as a decoder: causal, with a cache of fixed room, looking at another encoder; and generate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from twins import twin_of

import electra.torch
from electra import ElectraConfig
from electra.errors import ConfigError, InputError, UsageError
from electra.flax import FlaxElectraForCausalLM, FlaxElectraModel

SIZES = dict(
    vocab_size=50, embedding_size=16, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
    max_position_embeddings=20, initializer_range=0.3, is_decoder=True,
)  # fmt: skip
IDS = np.array([[3, 14, 15, 9, 26, 5], [2, 7, 18, 28, 18, 0]])
REAL = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]])
STATES = np.random.default_rng(1).standard_normal((2, 7, 32), np.float32)
STATES_REAL = np.array([[1] * 7, [1] * 4 + [0] * 3])


def decoder(kind=FlaxElectraModel, **changes):
    return kind(ElectraConfig(**SIZES | changes))


def same(one, other):
    np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "changes", [{}, {"position_embedding_type": "relative_key_query"}, {"add_cross_attention": True}]
)
def test_a_text_in_pieces_with_a_cache_equals_the_text_at_once(changes):
    model = decoder(**changes)
    other = {}
    if "add_cross_attention" in changes:
        other = dict(encoder_hidden_states=STATES, encoder_attention_mask=STATES_REAL)
    whole = model(IDS, attention_mask=REAL, **other)[0]
    past, found, end = model.init_cache(2, 10), [], 0
    for size in (3, 2, 1):
        start, end = end, end + size
        output = model(IDS[:, start:end], attention_mask=REAL[:, :end], past_key_values=past, **other)
        past = output.past_key_values
        found.append(output[0])
        other.pop("encoder_hidden_states", None)  # their keys and values are in the cache now
    assert int(past["index"]) == 6
    same(jnp.concatenate(found, 1), whole)


def test_the_cache_works_under_jit_and_as_the_tuple_s_second_element():
    model = decoder()
    step = jax.jit(lambda params, ids, past: model(ids, params=params, past_key_values=past, return_dict=False))
    past, found = model.init_cache(2, 8), []
    for place in range(IDS.shape[1]):
        hidden, past = step(model.params, IDS[:, place : place + 1], past)
        found.append(hidden)
    assert step._cache_size() == 1
    same(jnp.concatenate(found, 1), model(IDS)[0])


def test_no_position_sees_what_comes_after_it():
    model, changed = decoder(), IDS.copy()
    changed[:, 4:] = 11
    same(model(IDS)[0][:, :4], model(changed)[0][:, :4])
    assert not np.allclose(model(IDS)[0][:, 4], model(changed)[0][:, 4])


def test_a_mask_per_position_says_all_in_a_decoder_too():
    mask = np.ones((2, 6, 6), int)
    encoder = FlaxElectraModel(ElectraConfig(**SIZES | {"is_decoder": False}))
    same(decoder()(IDS, attention_mask=mask)[0], encoder(IDS)[0])


def test_greedy_texts_equal_pytorchs():
    torch.manual_seed(0)
    theirs = electra.torch.ElectraForCausalLM(ElectraConfig(**SIZES)).eval()
    ours = twin_of(theirs)
    text = theirs.generate(torch.from_numpy(IDS[:, :3]), max_length=12)
    np.testing.assert_array_equal(ours.generate(IDS[:, :3], max_length=12), text)
    ends = int(text[0, 5])
    text = theirs.generate(torch.from_numpy(IDS), max_new_tokens=9, eos_token_id=ends, pad_token_id=0)
    np.testing.assert_array_equal(ours.generate(IDS, max_new_tokens=9, eos_token_id=ends, pad_token_id=0), text)


def test_greedy_texts_that_look_at_another_encoder_equal_pytorchs():
    torch.manual_seed(0)
    theirs = electra.torch.ElectraForCausalLM(ElectraConfig(**SIZES, add_cross_attention=True)).eval()
    source = dict(encoder_hidden_states=STATES, encoder_attention_mask=STATES_REAL)
    text = theirs.generate(
        torch.from_numpy(IDS[:, :2]), max_length=8, **{k: torch.from_numpy(v) for k, v in source.items()}
    )
    np.testing.assert_array_equal(twin_of(theirs).generate(IDS[:, :2], max_length=8, **source), text)


def test_a_sample_repeats_by_its_key_and_stays_within_the_likeliest():
    model = decoder(FlaxElectraForCausalLM, num_hidden_layers=1)
    options = dict(max_new_tokens=5, do_sample=True, temperature=3.0)
    one, again, other = (model.generate(IDS[:, :3], prng_key=jax.random.key(k), **options) for k in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    greedy = model.generate(IDS[:, :3], max_new_tokens=5)
    np.testing.assert_array_equal(model.generate(IDS[:, :3], **options, top_k=1), greedy)
    np.testing.assert_array_equal(model.generate(IDS[:, :3], **options, top_p=1e-6), greedy)


def test_what_a_decoder_cannot_do_is_refused_by_name():
    encoder, model = FlaxElectraModel(ElectraConfig(**SIZES | {"is_decoder": False})), decoder()
    with pytest.raises(UsageError, match="is_decoder False"):
        encoder.init_cache(2, 8)
    with pytest.raises(UsageError, match="takes 20"):
        model.init_cache(2, 21)
    with pytest.raises(InputError, match="is_decoder false"):
        encoder(IDS, past_key_values=model.init_cache(2, 8))
    with pytest.raises(InputError, match="add_cross_attention false"):
        model(IDS, encoder_hidden_states=STATES)
    with pytest.raises(InputError, match="room for 4 positions, and 6"):
        model(IDS, past_key_values=model.init_cache(2, 4))
    with pytest.raises(ConfigError, match="set is_decoder to true"):
        FlaxElectraModel(ElectraConfig(**SIZES | {"is_decoder": False}, add_cross_attention=True))
    with pytest.raises(UsageError, match=r"top_p 2\.0"):
        decoder(FlaxElectraForCausalLM).generate(IDS, top_p=2.0)
    with pytest.warns(UserWarning, match="is_decoder false lets every position see"):
        FlaxElectraForCausalLM(ElectraConfig(**SIZES | {"is_decoder": False}))
