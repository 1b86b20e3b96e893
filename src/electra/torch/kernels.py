"""What a training step does in our own C: native/multiply.c, attention.c, layer.c and guess.c on tensors.

Each function is one pass over its arrays where PyTorch makes several. Dropout is a hash of (seed, row, place), so the backward
pass tosses the same coins again. Shapes: T tokens without padding, B rows, N heads, D width of a head, S asked positions.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from electra.native import library

TYPES = {
    "T": ctypes.c_void_p,  # a tensor, or None
    "n": ctypes.c_int64,
    "f": ctypes.c_float,
    "s": ctypes.c_uint64,  # seed
    "u": ctypes.c_uint32,  # threshold
    "i": ctypes.c_int,
}
FUNCTIONS = {
    "is_faster": ("multiply", "i"),
    "has_pairs": ("multiply", ""),
    "wide": ("multiply", ""),
    "pack": ("multiply", "TTnniii"),
    "product": ("multiply", "TTTTTnnnii"),
    "product_of_gradient": ("multiply", "TTTnnnii"),
    "attention": ("attention", "TTTTTTnnnnfsufii"),
    "attention_backward": ("attention", "TTTTTTTTTnnnnfsufii"),
    "add_norm": ("layer", "TTTTTTTnnfsufii"),
    "add_norm_backward": ("layer", "TTTTTTTnnsufii"),
    "gelu": ("layer", "TTTnnii"),
    "gelu_backward": ("layer", "TTTTTnnii"),
    "guess": ("guess", "TTTTTTnnnii"),
    "guess_backward": ("guess", "TTTTTnnnii"),
}
SPARE = 16  # tokens beyond the last whose memory native/attention.c may read
STEP = 256  # tokens that memory is asked for at once: sizes that come again are found again by the allocator


@cache
def are_there(dtype: torch.dtype) -> bool:
    """Whether this machine could compile them, and computes in this type by them."""
    if any(library(file, threads=True) is None for file, _ in FUNCTIONS.values()):
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and bool(_function("has_pairs")()))


@cache
def _function(name: str) -> Callable[..., int]:
    file, types = FUNCTIONS[name]
    function: Any = getattr(library(file, threads=True), name)
    function.argtypes = [TYPES[kind] for kind in types]
    return function


def _call(name: str, *arguments: Any) -> None:
    """The last argument of every function is the number of threads."""
    held = [argument.data_ptr() if isinstance(argument, Tensor) else argument for argument in arguments]
    _function(name)(*held, torch.get_num_threads())


def _is_bfloat16(tensor: Tensor) -> int:
    assert tensor.is_contiguous()
    return int(tensor.dtype == torch.bfloat16)


def _sums(width: int, parts: int = 1) -> Tensor:
    return torch.zeros(torch.get_num_threads(), parts, width)


def spared(tokens: int, width: int, dtype: torch.dtype) -> Tensor:
    """An array (T, width) to be filled, with memory beyond its end."""
    return torch.empty(-(-(tokens + SPARE) // STEP) * STEP, width, dtype=dtype)[:tokens]


def _like(x: Tensor) -> Tensor:
    return spared(x.shape[0], x.shape[1], x.dtype)


@dataclass(frozen=True)
class Dropout:
    """One place where numbers are dropped with probability `p`: the coins follow from the seed."""

    p: float
    seed: int

    @property
    def coins(self) -> tuple[int, int, float]:
        """Seed, the threshold below which a coin of 32 bits drops, and what the numbers that stay are multiplied by."""
        threshold = round(self.p * (1 << 32))
        return self.seed, threshold, 1 / (1 - threshold / (1 << 32))


@dataclass(frozen=True)
class Places:
    """Where the tokens of each row stand, and who sees whom: of its row, a token those whose of_key is its of_query.

    starts (B + 1,) int64; of_query, of_key (T,) int32; longest is the tokens of the longest row
    """

    starts: Tensor
    of_query: Tensor
    of_key: Tensor
    longest: int


# -- products with a weight ---------------------------------------------------------------------------------------------


def are_faster(dtype: torch.dtype) -> bool:
    """Whether native/multiply.c is faster than PyTorch here."""
    return bool(_function("is_faster")(int(dtype == torch.bfloat16)))


def rounded(width: int) -> int:
    """A width as native/multiply.c takes it."""
    unit = _function("wide")()
    return -(-width // unit) * unit


def pack(weight: Tensor, dtype: torch.dtype, *, is_transposed: bool = False) -> Tensor:
    """A weight (O, I) float32 as `product` takes it, in `dtype`; O is rounded up with zeros. Rows of words, a column each."""
    (outputs, inputs), pairs = weight.shape, int(dtype == torch.bfloat16)
    columns, along = (inputs, rounded(outputs)) if is_transposed else (rounded(outputs), inputs)
    panels = torch.empty(columns, along // (1 + pairs), dtype=torch.int32)
    _call("pack", weight.contiguous(), panels, outputs, inputs, int(is_transposed), pairs)
    return panels


def product(x: Tensor, panels: Tensor, *, bias: Tensor | None = None, more: Tensor | None = None) -> Tensor:
    """x (T, I) times a packed weight, (T, O), plus a bias (O,) and another array (T, O)."""
    (columns, steps), out = panels.shape, spared(len(x), len(panels), x.dtype)
    _call("product", x, panels, bias, more, out, len(x), steps, columns, _is_bfloat16(x))
    return out


def product_of_gradient(gradient: Tensor, x: Tensor) -> Tensor:
    """The gradient (O, I) float32 of a weight: the sum over tokens of gradient (T, O) times x (T, I)."""
    out = torch.empty(gradient.shape[1], x.shape[1])
    _call("product_of_gradient", gradient, x, out, len(x), *out.shape, _is_bfloat16(x))
    return out


# -- attention ----------------------------------------------------------------------------------------------------------


def attention(tokens: Tensor, places: Places, *, heads: int, scale: float, dropout: Dropout) -> tuple[Tensor, Tensor]:
    """tokens (T, 3 N D), query, key and value -> context (T, N D), and logarithms of sums (T, N) for the backward pass."""
    width = tokens.shape[1] // 3
    context, logs = spared(len(tokens), width, tokens.dtype), torch.empty(len(tokens), heads)
    _call(
        "attention", tokens, places.starts, places.of_query, places.of_key, context, logs, len(places.starts) - 1, heads,
        width // heads, places.longest, scale, *dropout.coins, _is_bfloat16(tokens),
    )  # fmt: skip
    return context, logs


def attention_backward(
    gradient: Tensor, tokens: Tensor, context: Tensor, logs: Tensor, places: Places, *, scale: float, dropout: Dropout
) -> tuple[Tensor, Tensor]:
    """The gradients of tokens (T, 3 N D) and of a bias added to them (3 N D,)."""
    of_tokens, sums, heads = _like(tokens), _sums(tokens.shape[1]), logs.shape[1]
    _call(
        "attention_backward", tokens, places.starts, places.of_query, places.of_key, context, logs, gradient, of_tokens, sums,
        len(places.starts) - 1, heads, context.shape[1] // heads, places.longest, scale, *dropout.coins,
        _is_bfloat16(tokens),
    )  # fmt: skip
    return of_tokens, sums.sum((0, 1))


# -- between the products -----------------------------------------------------------------------------------------------


def add_norm(
    summed: Tensor, bias: Tensor, before: Tensor, scale: Tensor, shift: Tensor, *, epsilon: float, dropout: Dropout
) -> tuple[Tensor, Tensor]:
    """LayerNorm(dropout(summed + bias) + before) and the moments (T, 2) of its rows; `summed` (T, H) becomes what is normed."""
    out, moments = _like(before), torch.empty(len(summed), 2)
    _call(
        "add_norm", summed, bias, before, scale, shift, out, moments, *summed.shape, epsilon, *dropout.coins,
        _is_bfloat16(summed),
    )  # fmt: skip
    return out, moments


def add_norm_backward(
    gradient: Tensor, summed: Tensor, scale: Tensor, moments: Tensor, dropout: Dropout
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of `before` (T, H), of what was dropped (T, H), and of scale, shift and bias (3, H)."""
    before, sums = _like(gradient), _sums(gradient.shape[1], 3)
    dense = _like(gradient) if dropout.p else None
    _call(
        "add_norm_backward", gradient, summed, scale, moments, before, dense, sums, *gradient.shape, *dropout.coins,
        _is_bfloat16(gradient),
    )  # fmt: skip
    return before, before if dense is None else dense, sums.sum(0)


def gelu(x: Tensor, bias: Tensor) -> Tensor:
    """GELU(x + bias), (T, I), in the exact, erf form."""
    out = _like(x)
    _call("gelu", x, bias, out, *x.shape, _is_bfloat16(x))
    return out


def gelu_backward(x: Tensor, bias: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """GELU(x + bias) again, and the gradient of the bias (I,); `gradient` becomes that of x."""
    out, sums = _like(x), _sums(x.shape[1])
    _call("gelu_backward", x, bias, gradient, out, sums, *x.shape, _is_bfloat16(x))
    return out, sums.sum((0, 1))


# -- the generator's answers --------------------------------------------------------------------------------------------


def guess(logits: Tensor, width: int, originals: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of `width` logits in each row: the original's error in nats, a sample drawn by a uniform number, log of the sum. (S,)"""
    count = len(logits)
    errors, logs, samples = torch.empty(count), torch.empty(count), torch.empty(count, dtype=torch.int32)
    _call("guess", logits, originals, uniform, errors, samples, logs, *logits.shape, width, _is_bfloat16(logits))
    return errors, samples, logs


def guess_backward(logits: Tensor, width: int, originals: Tensor, gradient: Tensor, logs: Tensor) -> Tensor:
    """`logits` become their gradient, from the gradient (S,) of the errors. Returns that of a bias of the logits (width,)."""
    sums = _sums(width)
    _call("guess_backward", logits, originals, gradient, logs, sums, *logits.shape, width, _is_bfloat16(logits))
    return sums.sum((0, 1))
