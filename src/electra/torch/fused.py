"""The encoder in training on a processor: the layers of layers.py, with one pass over memory where PyTorch makes ten.

Unusual here: tokens stand without padding, (T, H); the halves of a layer have their backward pass written out, so that little
is kept and nothing is done twice; weights stay float32 and are rounded where a step computes in bfloat16.
The plain layers stay beside this and are equal: tests/torch/test_fused.py. Shapes: T tokens, otherwise as layers.py.
"""

import math
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from electra.config import ElectraConfig
from electra.outputs import BaseModelOutputWithPastAndCrossAttentions
from electra.torch import kernels
from electra.torch.kernels import Dropout, Places

UNIT = 64  # tokens; where PyTorch multiplies, their number is rounded up to it


class _Weight:
    """A weight (O, I) as a step multiplies with it: by our own products where they are the faster ones, else by PyTorch's.

    may_round   whether what comes out may be wider than O, with zeros
    """

    def __init__(self, weight: Tensor, dtype: torch.dtype, may_round: bool = False) -> None:
        self.weight, self.dtype = weight, dtype
        outputs, inputs = weight.shape
        fits = inputs == kernels.rounded(inputs) and (may_round or outputs == kernels.rounded(outputs))
        self.is_ours = fits and kernels.are_faster(dtype)

    def times(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """x (T, I) -> (T, O)"""
        if self.is_ours:
            panels = kernels.pack(self.weight, self.dtype)
            if bias is not None:
                bias = functional.pad(bias, (0, len(panels) - len(bias)))
            return kernels.product(x, panels, bias=bias)
        out, weight = kernels.spared(len(x), len(self.weight), self.dtype), self.weight.to(self.dtype)
        if bias is None:
            return torch.mm(x, weight.t(), out=out)
        return torch.addmm(bias.to(self.dtype), x, weight.t(), out=out)

    def back(self, gradient: Tensor, more: Tensor | None = None) -> Tensor:
        """The gradient (T, O) of what came out -> that of what went in (T, I), plus what else reached it."""
        if self.is_ours:
            panels = kernels.pack(self.weight, self.dtype, is_transposed=True)
            return kernels.product(gradient, panels, more=more)
        out, weight = kernels.spared(len(gradient), self.weight.shape[1], self.dtype), self.weight.to(self.dtype)
        if more is None:
            return torch.mm(gradient, weight, out=out)
        return torch.addmm(more, gradient, weight, out=out)

    def gradient(self, gradient: Tensor, x: Tensor) -> Tensor:
        """The weight's own, (O, I) float32."""
        if self.is_ours:
            return kernels.product_of_gradient(gradient, x)[: len(self.weight)]
        return torch.mm(gradient.t(), x).float()


class _Attention(torch.autograd.Function):
    """hidden (T, H) -> LayerNorm(dropout(attention) + hidden) (T, H)."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, places: Places, heads: int, epsilon: float, inside: Dropout, outside: Dropout,
        *parameters: Tensor,
    ) -> Tensor:  # fmt: skip
        w_query, b_query, w_key, b_key, w_value, b_value, w_out, b_out, norm_scale, norm_shift = parameters
        inward = _Weight(torch.cat((w_query, w_key, w_value)), hidden.dtype)
        tokens = inward.times(hidden, torch.cat((b_query, b_key, b_value)))  # (T, 3 N D)
        scale = 1 / math.sqrt(w_query.shape[0] // heads)
        context, logs = kernels.attention(tokens, places, heads=heads, scale=scale, dropout=inside)  # (T, N D)
        summed = _Weight(w_out, hidden.dtype).times(context)  # (T, H)
        out, moments = kernels.add_norm(summed, b_out, hidden, norm_scale, norm_shift, epsilon=epsilon, dropout=outside)
        ctx.save_for_backward(
            hidden, w_query, w_key, w_value, tokens, context, logs, w_out, summed, moments, norm_scale
        )
        ctx.settings = places, scale, inside, outside
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, w_query, w_key, w_value, tokens, context, logs, w_out, summed, moments, norm_scale = ctx.saved_tensors
        places, scale, inside, outside = ctx.settings
        before, of_sum, norm = kernels.add_norm_backward(gradient.contiguous(), summed, norm_scale, moments, outside)
        outward = _Weight(w_out, hidden.dtype)
        of_tokens, of_bias = kernels.attention_backward(
            outward.back(of_sum), tokens, context, logs, places, scale=scale, dropout=inside
        )
        inward = _Weight(torch.cat((w_query, w_key, w_value)), hidden.dtype)
        weights, biases = inward.gradient(of_tokens, hidden).chunk(3), of_bias.chunk(3)
        pairs = [tensor for pair in zip(weights, biases, strict=True) for tensor in pair]
        return (
            inward.back(of_tokens, before), None, None, None, None, None, *pairs, outward.gradient(of_sum, context),
            norm[2], norm[0], norm[1],
        )  # fmt: skip


class _FeedForward(torch.autograd.Function):
    """hidden (T, H) -> LayerNorm(dropout(feed-forward) + hidden) (T, H)."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, epsilon: float, outside: Dropout, *parameters: Tensor) -> Tensor:
        w_in, b_in, w_out, b_out, norm_scale, norm_shift = parameters
        wide = _Weight(w_in, hidden.dtype).times(hidden)  # (T, I)
        summed = _Weight(w_out, hidden.dtype).times(kernels.gelu(wide, b_in))
        out, moments = kernels.add_norm(summed, b_out, hidden, norm_scale, norm_shift, epsilon=epsilon, dropout=outside)
        ctx.save_for_backward(hidden, w_in, wide, b_in, w_out, summed, moments, norm_scale)
        ctx.outside = outside
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, w_in, wide, b_in, w_out, summed, moments, norm_scale = ctx.saved_tensors
        before, of_sum, norm = kernels.add_norm_backward(
            gradient.contiguous(), summed, norm_scale, moments, ctx.outside
        )
        inward, outward = _Weight(w_in, hidden.dtype), _Weight(w_out, hidden.dtype)
        of_wide = outward.back(of_sum)  # (T, I)
        activated, of_bias = kernels.gelu_backward(wide, b_in, of_wide)
        of_outward, of_inward = outward.gradient(of_sum, activated), inward.gradient(of_wide, hidden)
        return inward.back(of_wide, before), None, None, of_inward, of_bias, of_outward, norm[2], norm[0], norm[1]


class _Guess(torch.autograd.Function):
    """hidden (S, E), the word table and its bias -> errors (S,) of the originals in nats, samples (S,)."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, table: Tensor, bias: Tensor, originals: Tensor, uniform: Tensor
    ) -> tuple[Tensor, Tensor]:
        logits = _Weight(table, hidden.dtype, may_round=True).times(hidden, bias)  # (S, V)
        errors, samples, logs = kernels.guess(logits, len(table), originals, uniform)
        ctx.save_for_backward(hidden, table, logits, originals, logs)
        ctx.mark_non_differentiable(samples)
        return errors, samples

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        hidden, table, logits, originals, logs = ctx.saved_tensors
        of_bias = kernels.guess_backward(logits, len(table), originals, gradient.contiguous(), logs)
        weight = _Weight(table, hidden.dtype, may_round=True)
        return weight.back(logits), weight.gradient(logits, hidden), of_bias, None, None


class _Take(torch.autograd.Function):
    """Some of the rows, each once: x (n, H), rows (T,) -> (T, H)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor) -> Tensor:
        ctx.rows, ctx.count = rows, len(x)
        return _take(x, rows)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _put(gradient, ctx.rows, ctx.count), None


class _Put(torch.autograd.Function):
    """The other way: x (T, H) -> (n, H), zeros where no row is put."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, count: int) -> Tensor:
        ctx.rows = rows
        return _put(x, rows, count)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _take(gradient, ctx.rows), None, None


def _take(x: Tensor, rows: Tensor) -> Tensor:
    return torch.index_select(x, 0, rows, out=kernels.spared(len(rows), x.shape[1], x.dtype))


def _put(x: Tensor, rows: Tensor, count: int) -> Tensor:
    return x.new_zeros(count, x.shape[1]).index_copy_(0, rows, x)


def can_fuse(config: ElectraConfig, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the layers of this configuration can be computed here, in this type, on this machine."""
    return (
        device.type == "cpu"
        and config.hidden_act == "gelu"
        and config.position_embedding_type == "absolute"
        and config.num_hidden_layers > 0
        and not config.is_decoder
        and not config.chunk_size_feed_forward
        and config.hidden_size // config.num_attention_heads % 2 == 0
        and kernels.are_there(dtype)
    )


def attend(layer: Any, hidden: Tensor, places: Places, inside: Dropout, outside: Dropout) -> Tensor:
    """The first half of an ElectraLayer, (T, H) -> (T, H)."""
    attention, output = layer.attention.self, layer.attention.output
    parts = (attention.query, attention.key, attention.value, output.dense, output.LayerNorm)
    parameters = [parameter for part in parts for parameter in (part.weight, part.bias)]
    heads, epsilon = len(attention.heads), output.LayerNorm.eps
    return _Attention.apply(hidden, places, heads, epsilon, inside, outside, *parameters)


def feed_forward(layer: Any, hidden: Tensor, outside: Dropout) -> Tensor:
    """The second half of an ElectraLayer, (T, H) -> (T, H)."""
    parts = (layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm)
    parameters = [parameter for part in parts for parameter in (part.weight, part.bias)]
    return _FeedForward.apply(hidden, layer.output.LayerNorm.eps, outside, *parameters)


def encode(
    model: Any,
    input_ids: Tensor,
    seen: Tensor,
    token_type_ids: Tensor | None = None,
    position_ids: Tensor | None = None,
    *,
    first_only: bool = False,
    with_padding: bool = False,
) -> Tensor:
    """last_hidden_state (B, L, H) of an ElectraModel; on padding it means nothing.

    seen           (B, L) 0 on padding; tokens of a row see one another where their numbers are equal
    first_only     position 0 alone, (B, 1, H)
    with_padding   padding is worked out too: it sees the real tokens of its row, whose number is 1
    """
    rows, length = seen.shape
    hidden = model.embeddings(input_ids, token_type_ids, position_ids)  # (B, L, E)
    if hasattr(model, "embeddings_project"):
        hidden = model.embeddings_project(hidden)
    hidden = hidden.to(_dtype()).flatten(0, 1)  # (B L, H)
    kept, places = _arrange(seen, with_padding)
    hidden = _Take.apply(hidden, kept)  # (T, H)
    inside, outside = (
        (model.config.attention_probs_dropout_prob, model.config.hidden_dropout_prob) if model.training else (0.0, 0.0)
    )
    coins = count(int(torch.randint(1 << 62, ())))
    for layer in model.encoder.layer:
        hidden = attend(layer, hidden, places, Dropout(inside, next(coins)), Dropout(outside, next(coins)))
        if first_only and layer is model.encoder.layer[-1]:
            hidden = _Take.apply(hidden, places.starts[:rows])  # (B, H)
        hidden = feed_forward(layer, hidden, Dropout(outside, next(coins)))
    if first_only:
        return hidden.view(rows, 1, -1)
    return _Put.apply(hidden, kept, rows * length).view(rows, length, -1)


def fuse(model: Any, *, with_padding: bool) -> None:
    """Let `encode` answer the calls of an ElectraModel that is trained; they may ask for the last hidden state alone."""

    def forward(
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        *_: Any,
        first_only: bool = False,
        **__: Any,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        seen = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        hidden = encode(
            model, input_ids, seen, token_type_ids, position_ids, first_only=first_only, with_padding=with_padding
        )
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=hidden)

    model.forward = forward


def _dtype() -> torch.dtype:
    return torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32


def _arrange(seen: Tensor, with_padding: bool) -> tuple[Tensor, Places]:
    """Which positions (T,) of all B L are worked out, and where they stand."""
    real = torch.ones_like(seen, dtype=torch.bool) if with_padding else seen > 0
    counts, kept = real.sum(1), real.flatten().nonzero()[:, 0]
    if not kernels.are_faster(_dtype()) and len(kept) % UNIT:
        # PyTorch compiles its products for each T it meets; some padding, as a row of its own, leaves few.
        spare = (~real).flatten().nonzero()[: -len(kept) % UNIT, 0]
        counts, kept = torch.cat([counts, counts.new_tensor([len(spare)])]), torch.cat([kept, spare])
    of_key = seen.flatten()[kept].int()  # (T,)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    of_query = torch.ones_like(of_key) if with_padding else of_key
    return kept, Places(starts, of_query, of_key, int(counts.max()))


def guess(model: Any, hidden: Tensor, original_ids: Tensor, weights: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """What the generator says at the asked positions, hidden (B, M, H): errors in nats and samples, (B, M) each.

    Slots of weight 0 may be left out; both are 0 there.
    """
    asked = model.generator_predictions(hidden).to(_dtype()).flatten(0, 1)  # (B M, E)
    used = weights.flatten().nonzero()[:, 0]  # (S,)
    if not kernels.are_faster(_dtype()):
        used = torch.arange(weights.numel())  # one S for all batches, as in _arrange
    head, originals = model.generator_lm_head, original_ids.flatten()[used].long()
    answers = _Guess.apply(_Take.apply(asked, used), head.weight, head.bias, originals, noise.flatten()[used])
    errors, samples = (_Put.apply(x[:, None], used, weights.numel()).view_as(weights) for x in answers)
    return errors, samples
