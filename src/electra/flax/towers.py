"""The two-tower generator: one encoder reads from the left, one from the right, and a token is named from what both know.

Position t is named from the left encoder's state at t - 1 and the right one's at t + 1, so nothing has to be hidden, and one
pass names every token of a text. Source: google-research/electra, run_pretraining.py (Electric); the paper is
"Pre-Training Transformers as Energy-Based Cloze Models" (Clark et al., 2020).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from electra.config import ElectraConfig
from electra.flax.initial import dense, norm
from electra.flax.pretrained import FlaxElectraPreTrainedModel
from electra.weights.names import Shape, tensors


class FlaxElectraClozePredictions(nn.Module):
    """From both encoders' states to the width of the embeddings. (..., 2 H) -> (..., E)."""

    config: ElectraConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.LayerNorm = norm(self.config, self.dtype)
        self.dense = dense(self.config, self.config.embedding_size, self.dtype)

    def __call__(self, hidden: Array) -> Array:
        return self.LayerNorm(jax.nn.gelu(self.dense(hidden), approximate=False))


class FlaxElectraClozeBias(nn.Module):
    """From E to V by a table that is another's, and a bias of its own."""

    config: ElectraConfig
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, hidden: Array, words: Array) -> Array:
        """hidden (..., E), words (V, E) -> logits (..., V)"""
        bias = self.param("bias", jax.nn.initializers.zeros, (self.config.vocab_size,))
        return hidden @ words.T.astype(self.dtype) + bias.astype(self.dtype)


class FlaxElectraClozeModule(nn.Module):
    """FlaxElectraCloze as a Linen module."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        self.cloze_predictions = FlaxElectraClozePredictions(self.config, self.dtype)
        self.cloze_lm_head = FlaxElectraClozeBias(self.config, self.dtype)

    def cloze_logits(self, left: Array, right: Array, words: Array) -> Array:
        """States of the towers (B, L, H), words (V, E) -> logits (B, L, V). The ends, [CLS] and [SEP], mean nothing."""
        both = jnp.concatenate([jnp.roll(left, 1, 1), jnp.roll(right, -1, 1)], -1)  # (B, L, 2 H), before and after
        return self.cloze_lm_head(self.cloze_predictions(both), words)


class FlaxElectraCloze(FlaxElectraPreTrainedModel):
    """The head over two towers, whose `config` is that of each. Its word table is the one the towers read by."""

    module_class = FlaxElectraClozeModule
    part = "cloze"

    def shapes(self) -> dict[str, Shape]:
        return tensors(self.config, self.part)


def one_sided(seen: Array) -> tuple[Array, Array]:
    """Who may look at whom, (B, L, L), reading from the left and from the right; seen (B, L) or (B, L, L) for both sides."""
    length = seen.shape[1]
    square = seen if seen.ndim == 3 else jnp.broadcast_to(seen[:, None, :], (len(seen), length, length))
    return jnp.tril(square), jnp.triu(square)
