"""Generated texts against the reference's: greedy, sampled with the same seed, beam search; and what is refused."""

import warnings

import pytest
import torch
import transformers

from electra import ElectraConfig, ElectraForCausalLM
from electra.errors import UsageError

SIZES = dict(
    vocab_size=37, embedding_size=16, hidden_size=32, num_hidden_layers=2, intermediate_size=37, max_position_embeddings=48,
)  # fmt: skip
EOS = 7


def pair(**changes):
    """Our decoder and the reference's with equal weights, far enough from 0 that texts differ and end."""
    config = SIZES | {"is_decoder": True} | changes
    ours = ElectraForCausalLM(ElectraConfig(**config)).eval()
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_(std=0.5, generator=random)
    theirs = transformers.ElectraForCausalLM(transformers.ElectraConfig(**config)).eval()
    theirs.load_state_dict(ours.state_dict(), strict=False)
    return ours, theirs


def prompts(rows=3, length=4):
    return torch.randint(8, 37, (rows, length), generator=torch.Generator().manual_seed(rows))


def assert_same_texts(models, ids, mask=None, seed=0, **options):
    ours, theirs = models
    mask = torch.ones_like(ids) if mask is None else mask
    torch.manual_seed(seed)
    found = ours.generate(ids, mask, **options)
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reference warns of options that the mode does not use
        expected = theirs.generate(ids, attention_mask=mask, pad_token_id=0, **options)
    assert found.tolist() == expected.tolist()
    return found


@pytest.mark.parametrize(
    "options", [{}, {"max_new_tokens": 11}, {"max_length": 30}, {"max_new_tokens": 25, "eos_token_id": EOS}]
)
def test_the_likeliest_token_follows_as_in_the_reference(options):
    assert_same_texts(pair(), prompts(), **options)


def test_a_text_that_ended_is_filled_with_padding():
    found = assert_same_texts(pair(), prompts(8), max_new_tokens=40, eos_token_id=[EOS, 9, 11])
    ends = torch.isin(found, torch.tensor([EOS, 9, 11]))
    assert ends.any()
    for row, ended in zip(found[:, 4:], ends[:, 4:], strict=True):
        assert not ended.any() or row[ended.nonzero()[0, 0] + 1 :].eq(0).all()


def test_padding_on_the_left_is_not_looked_at():
    ids, mask = prompts(), torch.ones(3, 4, dtype=torch.int64)
    ids[1, :2] = 0
    mask[1, :2] = 0
    found = assert_same_texts(pair(), ids, mask, max_new_tokens=8)
    assert pair()[0].generate(ids, max_new_tokens=8).tolist() == found.tolist()  # also where no mask says so


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.7},
        {"top_k": 5},
        {"top_k": 0, "top_p": 0.6},
        {"temperature": 1.5, "top_k": 9, "top_p": 0.8},
    ],
    ids=str,
)
def test_samples_of_a_seed_are_the_reference_s(seed, options):
    assert_same_texts(pair(), prompts(), do_sample=True, max_new_tokens=9, seed=seed, **options)


def test_several_samples_of_a_prompt():
    found = assert_same_texts(pair(), prompts(2), do_sample=True, max_new_tokens=9, num_return_sequences=3)
    assert len({tuple(row) for row in found.tolist()}) > 2


@pytest.mark.parametrize("beams", [2, 3, 5])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"eos_token_id": EOS},
        {"eos_token_id": [EOS, 9], "length_penalty": 2.0},
        {"eos_token_id": [EOS, 9], "length_penalty": 0.0},
        {"eos_token_id": [EOS, 9, 11, 13], "length_penalty": -1.0},
        {"eos_token_id": [EOS, 9, 11], "early_stopping": True},
    ],
    ids=str,
)
def test_beam_search_finds_what_the_reference_finds(beams, options):
    for rows in (1, 4):
        assert_same_texts(pair(), prompts(rows), num_beams=beams, max_new_tokens=12, **options)
        assert_same_texts(
            pair(), prompts(rows), num_beams=beams, max_new_tokens=12, num_return_sequences=beams, **options
        )


@pytest.mark.parametrize("beams", [1, 3])
def test_a_decoder_with_cross_attention_looks_at_the_encoder_at_every_step(beams):
    model = pair(add_cross_attention=True)[0]
    random = torch.Generator().manual_seed(0)
    states, mask = torch.randn(2, 5, 32, generator=random), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    source = {"encoder_hidden_states": states, "encoder_attention_mask": mask}
    found = model.generate(prompts(2), max_new_tokens=6, num_beams=beams, **source)
    other = model.generate(prompts(2), max_new_tokens=6, num_beams=beams, encoder_hidden_states=-states)
    assert found.tolist() != other.tolist()
    if beams == 1:
        with torch.no_grad():
            logits = model(found[:, :-1], **source).logits
        assert logits[:, 3:].argmax(-1).tolist() == found[:, 4:].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 4}, "the prompt has 4 tokens, and 4 are allowed with it"),
        ({"max_length": 9, "max_new_tokens": 3}, "both max_length 9 and max_new_tokens 3"),
        ({"max_new_tokens": 45}, "49 tokens were asked for, but the model takes 48"),
        ({"num_beams": 0}, "num_beams is 0; expected 1 or more"),
        ({"do_sample": True, "temperature": 0.0}, r"temperature 0.0, .*expected temperature above 0"),
        ({"do_sample": True, "num_beams": 2}, "do_sample and num_beams above 1 exclude each other"),
        ({"num_return_sequences": 2}, "num_return_sequences 2 needs do_sample, or num_beams"),
    ],
)
def test_what_cannot_be_generated_is_refused_with_a_reason(options, message):
    with pytest.raises(UsageError, match=message):
        pair()[0].generate(prompts(), **options)


def test_an_option_nobody_knows_is_refused():
    with pytest.raises(TypeError, match="num_beems"):
        pair()[0].generate(prompts(), num_beems=2)


def test_an_encoder_does_not_generate():
    with pytest.warns(UserWarning, match="set is_decoder=True in the configuration"):
        model = ElectraForCausalLM(ElectraConfig(**SIZES))
    with pytest.raises(UsageError, match="is_decoder false; load it with is_decoder=True"):
        model.generate(prompts())
