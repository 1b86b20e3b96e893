"""The fused encoder against the plain one: values, gradients, dropout by the same coins; and the pieces it is made of."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from electra.config import ElectraConfig
from electra.torch import ElectraForMaskedLM, ElectraModel, fused, kernels
from electra.torch.backend import _guesses_fused
from electra.torch.kernels import Dropout, Places
from electra.training.settings import PretrainSettings

CPU = torch.device("cpu")
TYPES = [dtype for dtype in (torch.float32, torch.bfloat16) if kernels.are_there(dtype)]
# What rounding to bfloat16 at every step may come to, as a share of an array's norm; float32's is a few in ten million.
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 0.02}
SIZES = dict(
    vocab_size=99, embedding_size=24, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
    max_position_embeddings=80, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)  # fmt: skip
KINDS = {
    "own products": {},
    "PyTorch's products": {},
    "widths that are no multiple of 32": {"hidden_size": 40, "intermediate_size": 52},
    "one head, no projection": {"num_attention_heads": 1, "embedding_size": 64},
    "pruned heads": {"pruned_heads": {0: [1], 1: [0, 2]}},
}


def random(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def close(ours, theirs, dtype=torch.float32):
    ours, theirs = ours.detach().float(), theirs.detach().float()
    assert ours.shape == theirs.shape
    assert (ours - theirs).norm() <= CLOSE[dtype] * theirs.norm()


def ids_and_mask(lengths=(70, 1, 33, 8)):
    ids = torch.randint(1, 99, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(1))
    return ids, (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


def model_of(**changes):
    model = ElectraModel(ElectraConfig(**SIZES | changes)).train()
    for number, parameter in enumerate(model.parameters()):
        parameter.data += 0.2 * random(*parameter.shape, seed=number)
    return model


def gradients(model, hidden, mask):
    """Of a sum in which every number of every real token has its own weight."""
    model.zero_grad()
    (hidden.float() * mask[..., None] * random(*hidden.shape)).sum().backward()
    return {name: p.grad for name, p in model.named_parameters()}


def without_key_biases(names):
    return [name for name in names if not name.endswith("key.bias")]  # theirs is 0 but for rounding


def test_this_machine_has_the_kernels():
    assert torch.float32 in TYPES


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_states_and_gradients_are_the_plain_ones(kind, monkeypatch):
    if kind == "PyTorch's products":
        monkeypatch.setattr(kernels, "are_faster", lambda dtype: False)  # as on a processor that has AMX
    model, (ids, mask) = model_of(**KINDS[kind]), ids_and_mask()
    assert fused.can_fuse(model.config, torch.float32, CPU)
    types = (ids > 50).long()
    ours = fused.encode(model, ids, mask, types) * mask[..., None]
    found = gradients(model, ours, mask)
    theirs = model(ids, attention_mask=mask, token_type_ids=types)[0] * mask[..., None]
    close(ours, theirs)
    expected = gradients(model, theirs, mask)
    assert found.keys() == expected.keys()
    for name in without_key_biases(expected):
        close(found[name], expected[name])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", TYPES[1:], ids=str)
def test_bfloat16_is_as_near_to_float32_as_autocast_is(kind, dtype):
    model, (ids, mask) = model_of(**KINDS[kind]), ids_and_mask()
    with torch.autocast("cpu", dtype=dtype):
        ours = fused.encode(model, ids, mask, None, None)
        cast = model(ids, attention_mask=mask)[0] * mask[..., None]
    exact = model(ids, attention_mask=mask)[0] * mask[..., None]
    assert ours.dtype == dtype
    assert (ours - exact).norm() < 1.3 * (cast - exact).norm()
    of_exact, of_cast, of_ours = (
        torch.cat([gradient.flatten() for gradient in gradients(model, states, mask).values()])
        for states in (exact, cast, ours)
    )
    assert (of_ours - of_exact).norm() < 1.5 * (of_cast - of_exact).norm()


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_position_alone_is_that_of_the_whole(kind):
    model, (ids, mask) = model_of(**KINDS[kind]), ids_and_mask()
    ours, theirs = fused.encode(model, ids, mask, first_only=True), model(ids, attention_mask=mask)[0][:, :1]
    close(ours, theirs)
    ones = torch.ones(len(ids), 1)
    found, expected = gradients(model, ours, ones), gradients(model, theirs, ones)
    for name in without_key_biases(expected):
        close(found[name], expected[name])


def test_padding_is_worked_out_where_it_is_asked_for():
    model, (ids, mask) = model_of(), ids_and_mask()
    ours, theirs = fused.encode(model, ids, mask, with_padding=True), model(ids, attention_mask=mask)[0]
    close(ours, theirs)
    ones = torch.ones_like(mask)
    found, expected = gradients(model, ours, ones), gradients(model, theirs, ones)
    for name in without_key_biases(expected):
        close(found[name], expected[name])


def test_documents_in_a_row_do_not_see_one_another():
    model, (ids, _) = model_of(), ids_and_mask()
    documents = torch.tensor([1] * 20 + [2] * 30 + [3] * 12 + [0] * 8).repeat(4, 1)
    positions = torch.arange(70).repeat(4, 1)
    ours = fused.encode(model, ids, documents, None, positions)
    theirs = model(ids, attention_mask=documents[:, :, None] == documents[:, None, :], position_ids=positions)[0]
    real = (documents > 0)[..., None]
    close(ours, theirs * real)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "gelu_new"},
        {"position_embedding_type": "relative_key"},
        {"is_decoder": True},
        {"chunk_size_feed_forward": 5},
        {"hidden_size": 12},
    ],
    ids=str,
)
def test_what_it_does_not_know_is_left_to_the_plain_layers(changes):
    assert not fused.can_fuse(ElectraConfig(**SIZES | changes), torch.float32, CPU)
    assert not fused.can_fuse(ElectraConfig(**SIZES), torch.float32, torch.device("cuda"))
    assert not fused.can_fuse(ElectraConfig(**SIZES), torch.float16, CPU)


# -- dropout ------------------------------------------------------------------------------------------------------------


def kept(dropout, rows, width):
    """Which numbers stay, and how much they grow: the coins of native/rows.h, tossed in NumPy."""
    seed, threshold, growth = dropout.coins
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (np.arange(rows, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        h = (z >> np.uint64(32)).astype(np.uint32)[:, None] + np.arange(width, dtype=np.uint32) * np.uint32(0x9E3779B1)
        h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return torch.from_numpy(h >= threshold).float() * growth


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_dropout_residual_and_norm_are_pytorch_s_with_the_same_coins(dtype):
    dropout, (tokens, width) = Dropout(0.3, seed=11), (37, 72)
    arrays = [random(tokens, width, seed=n, dtype=dtype).requires_grad_() for n in (1, 2)]
    dense, before = arrays
    bias, scale, shift = (random(width, seed=n).requires_grad_() for n in (3, 4, 5))
    out, moments = kernels.add_norm(
        summed := dense.detach().clone(), bias, before, scale, shift, epsilon=1e-6, dropout=dropout
    )
    total = (dense.float() + bias) * kept(dropout, tokens, width) + before.float()
    expected = functional.layer_norm(total, (width,), scale, shift, 1e-6)
    close(out, expected, dtype)
    gradient = random(tokens, width, seed=6, dtype=dtype)
    expected.backward(gradient.float())
    of_before, of_dense, norm = kernels.add_norm_backward(gradient, summed, scale, moments, dropout)
    for ours, theirs in zip((of_before, of_dense, *norm), (before, dense, scale, shift, bias), strict=True):
        close(ours, theirs.grad, dtype)


def places_of(lengths):
    starts = torch.tensor([0, *np.cumsum(lengths).tolist()])
    ones = torch.ones(sum(lengths), dtype=torch.int32)
    return Places(starts, ones, ones, max(lengths))


@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_attention_is_softmax_with_the_same_coins(dtype, p):
    (heads, width), lengths, dropout = (3, 34), (5, 1, 70), Dropout(p, seed=9)
    places, scale = places_of(lengths), 1 / math.sqrt(width)
    tokens = kernels.spared(sum(lengths), 3 * heads * width, dtype).copy_(random(sum(lengths), 3 * heads * width))
    context, logs = kernels.attention(tokens, places, heads=heads, scale=scale, dropout=dropout)
    gradient = kernels.spared(*context.shape, dtype).copy_(random(*context.shape, seed=1))
    of_tokens, of_bias = kernels.attention_backward(
        gradient, tokens, context, logs, places, scale=scale, dropout=dropout
    )
    given = tokens.float().requires_grad_()
    grown = kept(dropout, sum(lengths) * heads, max(lengths)).view(-1, heads, max(lengths))
    rows = []
    for start, length in zip(places.starts.tolist(), lengths, strict=False):
        row = given[start : start + length].view(length, 3, heads, width)
        query, key, value = row.permute(1, 2, 0, 3)  # (N, L, D)
        shares = (query @ key.transpose(1, 2) * scale).softmax(-1)
        shares = shares * grown[start : start + length, :, :length].transpose(0, 1)
        rows.append((shares @ value).transpose(0, 1).flatten(1))
    expected = torch.cat(rows)
    close(context, expected, dtype)
    expected.backward(gradient.float())
    close(of_tokens, given.grad, dtype)
    close(of_bias, given.grad.sum(0), dtype)


def test_a_token_that_sees_nothing_looks_evenly():
    tokens = random(6, 3 * 8)
    places = Places(torch.tensor([0, 6]), torch.ones(6, dtype=torch.int32), torch.zeros(6, dtype=torch.int32), 6)
    context, _ = kernels.attention(kernels.spared(6, 24, torch.float32).copy_(tokens), places, heads=1, scale=1.0,
                                   dropout=Dropout(0.0, 0))  # fmt: skip
    close(context, tokens[:, 16:].mean(0).expand(6, 8))


def test_coins_drop_the_asked_share_and_keep_the_mean():
    for seed in (0, 1):
        grown = kept(Dropout(0.1, seed), 4000, 256)
        share = (grown == 0).double()
        deviation = math.sqrt(0.1 * 0.9 / share.numel())
        assert share.mean() == pytest.approx(0.1, abs=4 * deviation)
        assert grown.double().mean() == pytest.approx(1, abs=5 * deviation)
        for axis, count in ((0, 4000), (1, 256)):  # no row and no place is dropped more often than another
            assert (share.mean(axis) - 0.1).abs().max() < 5.5 * math.sqrt(0.09 / count)
    one, other = (kept(Dropout(0.5, seed), 1000, 1000).flatten() for seed in (3, 4))
    assert abs(float(torch.corrcoef(torch.stack([one, other]))[0, 1])) < 0.005
    assert abs(float(torch.corrcoef(torch.stack([one[1:], one[:-1]]))[0, 1])) < 0.005


def test_dropout_follows_the_random_state_and_is_off_outside_training():
    model, (ids, mask) = model_of(hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1), ids_and_mask()
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(fused.encode(model, ids, mask, None, None))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
    model.eval()
    close(fused.encode(model, ids, mask) * mask[..., None], model(ids, attention_mask=mask)[0] * mask[..., None])


def test_the_number_of_threads_changes_no_bit_of_the_hidden_states():
    model, (ids, mask) = model_of(hidden_dropout_prob=0.1), ids_and_mask()
    before, states = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        states.append(fused.encode(model, ids, mask, None, None))
    torch.set_num_threads(before)
    assert all(torch.equal(states[0], other) for other in states[1:])


# -- pieces -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("tokens", [1, 3, 64, 301])
def test_products_are_pytorch_s(dtype, tokens):
    weight = random(96, 64)
    narrow = weight.to(dtype).float()
    x, gradient = random(tokens, 64, seed=1, dtype=dtype), random(tokens, 96, seed=2, dtype=dtype)
    bias, more = random(96, seed=3), random(tokens, 64, seed=4, dtype=dtype)
    close(kernels.product(x, kernels.pack(weight, dtype), bias=bias), x.float() @ narrow.t() + bias, dtype)
    panels = kernels.pack(weight, dtype, is_transposed=True)
    close(kernels.product(gradient, panels, more=more), gradient.float() @ narrow + more.float(), dtype)
    close(kernels.product_of_gradient(gradient, x), gradient.float().t() @ x.float())


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_gelu_is_the_exact_one(dtype):
    x, bias = (4 * random(9, 130)).to(dtype).requires_grad_(), random(130, seed=1).requires_grad_()
    expected = functional.gelu(x.float() + bias)
    close(kernels.gelu(x.detach(), bias), expected, dtype)
    gradient = random(9, 130, seed=2, dtype=dtype)
    expected.backward(gradient.float())
    again, of_bias = kernels.gelu_backward(x.detach(), bias.detach(), gradient)
    close(again, expected, dtype)
    close(gradient, x.grad, dtype)
    close(of_bias, bias.grad, dtype)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("vocab_size", [99, 1024])
def test_errors_samples_and_gradients_of_the_generator_are_the_plain_ones(vocab_size, dtype):
    model = ElectraForMaskedLM(ElectraConfig(**SIZES | {"vocab_size": vocab_size, "embedding_size": 32}))
    for number, parameter in enumerate(model.parameters()):
        parameter.data += 0.3 * random(*parameter.shape, seed=number)
    hidden, originals = random(3, 5, 64).requires_grad_(), torch.randint(0, vocab_size, (3, 5))
    weights, noise = torch.ones(3, 5), torch.rand(3, 5, generator=torch.Generator().manual_seed(2))
    weights[1, 3:] = 0
    answers = []
    for is_ours in (True, False):
        model.zero_grad()
        hidden.grad = None
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            if is_ours:
                errors, samples = fused.guess(model, hidden, originals, weights, noise)
            else:
                logits = model.mlm_logits(hidden).float()
                errors = functional.cross_entropy(logits.flatten(0, 1), originals.flatten(), reduction="none").view(
                    3, 5
                )
                shares = logits.softmax(-1).double().cumsum(-1)
                samples = (shares <= noise[..., None] * shares[..., -1:]).sum(-1)
        ((errors * weights).sum() / weights.sum()).backward()
        found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        answers.append((errors * weights, samples * weights, found, hidden.grad.clone()))
    (errors, samples, found, of_hidden), (their_errors, their_samples, expected, of_their_hidden) = answers
    close(errors, their_errors, dtype)
    if dtype == torch.float32:  # a sample is next to another where a logit was rounded the other way
        assert torch.equal(samples, their_samples)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        close(found[name], gradient, dtype)
    close(of_hidden, of_their_hidden, dtype)


def test_samples_follow_the_distribution():
    logits = random(1, 40).expand(20_000, 40).contiguous()
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    _, samples, _ = kernels.guess(logits, 40, torch.zeros(20_000, dtype=torch.long), uniform)
    shares = logits[0].softmax(-1)
    counts = torch.bincount(samples.long(), minlength=40)
    assert ((counts - 20_000 * shares) ** 2 / (20_000 * shares)).sum() < 80  # chi-square of 39 degrees: once in 10,000
    edges = torch.tensor([0.0, 1 - 2**-24])
    _, samples, _ = kernels.guess(logits[:2], 40, torch.zeros(2, dtype=torch.long), edges)
    assert samples.tolist() == [0, 39]


@pytest.mark.parametrize(
    "changes", [{"temperature": 0.9}, {"disallow_correct": True}, {"gumbel_noise": True}, {"objective": "mlm"}], ids=str
)
def test_other_ways_to_sample_are_left_to_the_plain_objective(changes):
    assert _guesses_fused(PretrainSettings())
    assert not _guesses_fused(PretrainSettings(**changes))
