"""The objective's operations in PyTorch."""

import torch
import torch.nn.functional as F
from torch import Tensor


def log_softmax(logits: Tensor) -> Tensor:
    return F.log_softmax(logits, dim=-1, dtype=torch.float32)


def take(values: Tensor, ids: Tensor) -> Tensor:
    return values.gather(-1, ids.long()[..., None])[..., 0]


def gather(values: Tensor, positions: Tensor) -> Tensor:
    return values.gather(1, positions.long()[..., None].expand(-1, -1, values.shape[-1]))


def one_hot(ids: Tensor, size: int) -> Tensor:
    return F.one_hot(ids.long(), size).float()


def scatter_add(like: Tensor, positions: Tensor, values: Tensor) -> Tensor:
    return torch.zeros_like(like).scatter_add(1, positions.long(), values.to(like.dtype))


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits.float(), labels, reduction="none")


def draw(weights: Tensor, uniform: Tensor) -> Tensor:
    cumulative = weights.cumsum(-1)
    ids = torch.searchsorted(cumulative, uniform[..., None] * cumulative[..., -1:], right=True)[..., 0]
    return ids.clamp(max=weights.shape[-1] - 1)  # rounding may put the target on the last edge


def argmax(values: Tensor) -> Tensor:
    return values.argmax(-1)


exp, log, where = torch.exp, torch.log, torch.where


def to_int(values: Tensor) -> Tensor:
    return values.to(torch.int64)


def to_float(values: Tensor) -> Tensor:
    return values.to(torch.float32)


def stop_gradient(values: Tensor) -> Tensor:
    return values.detach()
