"""The two-tower generator: one encoder reads from the left, one from the right, and a token is named from what both know.

Position t is named from the left encoder's state at t - 1 and the right one's at t + 1, so nothing has to be hidden, and one
pass names every token of a text. Source: google-research/electra, run_pretraining.py (Electric); the paper is
"Pre-Training Transformers as Energy-Based Cloze Models" (Clark et al., 2020).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from electra.config import ElectraConfig
from electra.torch.pretrained import ElectraPreTrainedModel


class ElectraClozePredictions(nn.Module):
    """From both encoders' states to the width of the embeddings. (..., 2 H) -> (..., E)."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.LayerNorm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dense = nn.Linear(2 * config.hidden_size, config.embedding_size)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.LayerNorm(functional.gelu(self.dense(hidden)))


class ElectraClozeBias(nn.Module):
    """From E to V by a table that is another's, and a bias of its own."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        """hidden (..., E), words (V, E) -> logits (..., V)"""
        return functional.linear(hidden, words, self.bias)


class ElectraCloze(ElectraPreTrainedModel):
    """The head over two towers, whose `config` is that of each. Its word table is the one the towers read by."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        self.cloze_predictions = ElectraClozePredictions(config)
        self.cloze_lm_head = ElectraClozeBias(config)
        self.post_init()

    def cloze_logits(self, left: Tensor, right: Tensor, words: Tensor) -> Tensor:
        """States of the towers (B, L, H), words (V, E) -> logits (B, L, V). The ends, [CLS] and [SEP], mean nothing."""
        both = torch.cat([left.roll(1, 1), right.roll(-1, 1)], -1)  # (B, L, 2 H), the states before and after
        return self.cloze_lm_head(self.cloze_predictions(both), words)


def one_sided(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Who may look at whom, (B, L, L), reading from the left and from the right; seen (B, L) or (B, L, L) for both sides."""
    square: Any = seen if seen.ndim == 3 else seen[:, None, :].expand(-1, seen.shape[1], -1)
    return square.tril(), square.triu()
