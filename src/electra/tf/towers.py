"""The two-tower generator: one encoder reads from the left, one from the right, and a token is named from what both know.

Position t is named from the left encoder's state at t - 1 and the right one's at t + 1, so nothing has to be hidden, and one
pass names every token of a text. Source: google-research/electra, run_pretraining.py (Electric); the paper is
"Pre-Training Transformers as Energy-Based Cloze Models" (Clark et al., 2020).
"""

from typing import Any, ClassVar

import tensorflow as tf

from electra.config import ElectraConfig
from electra.tf.modules import LayerNorm, Linear, Module
from electra.tf.pretrained import TFElectraPreTrainedModel

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy


class ElectraClozePredictions(Module):
    """From both encoders' states to the width of the embeddings. (..., 2 H) -> (..., E)."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.LayerNorm = LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dense = Linear(2 * config.hidden_size, config.embedding_size)

    def call(self, hidden: Tensor) -> Tensor:
        return self.LayerNorm(tf.nn.gelu(self.dense(hidden)))


class ElectraClozeBias(Module):
    """From E to V by a table that is another's, and a bias of its own."""

    own_weights: ClassVar = {"bias": "bias"}

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.size = config.vocab_size

    def build(self, input_shape: Any = None) -> None:
        self.bias = self.add_weight((self.size,), "zeros", name="bias")

    def call(self, hidden: Tensor, words: Tensor) -> Tensor:
        """hidden (..., E), words (V, E) -> logits (..., V)"""
        table = tf.cast(words, self.compute_dtype)
        return tf.einsum("...e,ve->...v", hidden, table) + tf.cast(self.bias, self.compute_dtype)


class TFElectraCloze(TFElectraPreTrainedModel):
    """The head over two towers, whose `config` is that of each. Its word table is the one the towers read by."""

    def __init__(self, config: ElectraConfig, **kwargs: object) -> None:
        super().__init__(config, **kwargs)
        self.cloze_predictions = ElectraClozePredictions(config)
        self.cloze_lm_head = ElectraClozeBias(config)
        self.post_init()

    def cloze_logits(self, left: Tensor, right: Tensor, words: Tensor) -> Tensor:
        """States of the towers (B, L, H), words (V, E) -> logits (B, L, V). The ends, [CLS] and [SEP], mean nothing."""
        both = tf.concat([tf.roll(left, 1, 1), tf.roll(right, -1, 1)], -1)  # (B, L, 2 H), the states before and after
        return self.cloze_lm_head(self.cloze_predictions(both), words)


def one_sided(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Who may look at whom, (B, L, L), reading from the left and from the right; seen (B, L) or (B, L, L) for both sides."""
    seen = tf.cast(seen, tf.float32)
    square = seen if seen.shape.rank == 3 else tf.repeat(seen[:, None, :], tf.shape(seen)[1], axis=1)
    return tf.linalg.band_part(square, -1, 0), tf.linalg.band_part(square, 0, -1)
