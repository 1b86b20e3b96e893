"""The heads the original code fine-tunes, where they differ from the page's: one layer on [CLS], tags, and a joint span.

Unusual here: the end of an answer is asked for given its start. Training gives it the true start; inference follows the
beam_size likeliest starts, and answers with the likeliest ends of each.
Source: google-research/electra, finetune/classification, finetune/tagging and finetune/qa.
"""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen import initializers
from jax import Array

from electra.config import ElectraConfig
from electra.flax import ops
from electra.flax.initial import dense
from electra.flax.model import FlaxElectraModule, wants_dict
from electra.flax.pretrained import FlaxElectraPreTrainedModel
from electra.flax.task_heads import FlaxElectraForTokenClassificationModule, classifier_dropout
from electra.outputs import OriginalQuestionAnsweringOutput, SequenceClassifierOutput
from electra.weights.names import ANSWER_WIDTH

OUTSIDE = -1000.0  # added to the scores of positions no answer may start or end at


class FlaxElectraOriginalForSequenceClassificationModule(nn.Module):
    """FlaxElectraOriginalForSequenceClassification as a Linen module."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        self.electra: Any = FlaxElectraModule(self.config, self.dtype, self.gradient_checkpointing)
        self.dropout = nn.Dropout(classifier_dropout(self.config))
        self.classifier = dense(self.config, self.config.num_labels, self.dtype, glorot=True)

    def __call__(
        self, *inputs: Any, deterministic: bool = True, return_dict: bool | None = None, **options: Any
    ) -> SequenceClassifierOutput | tuple[Array, ...]:
        """Arguments as FlaxElectraModule's."""
        encoded = self.electra(*inputs, deterministic=deterministic, return_dict=True, first_only=True, **options)
        first = self.dropout(encoded.last_hidden_state[:, 0], deterministic=deterministic)  # (B, H)
        output = SequenceClassifierOutput(None, self.classifier(first), encoded.hidden_states, encoded.attentions)
        return output if wants_dict(self.config, return_dict) else output.to_tuple()


class FlaxElectraOriginalForSequenceClassification(FlaxElectraPreTrainedModel):
    """As FlaxElectraForSequenceClassification, with the original's head: dropout and one layer. logits (B, N)."""

    module_class = FlaxElectraOriginalForSequenceClassificationModule
    part = "token_classification"  # its tensors are the same


class FlaxElectraOriginalForTokenClassificationModule(FlaxElectraForTokenClassificationModule):
    """FlaxElectraOriginalForTokenClassification as a Linen module."""

    def setup(self) -> None:
        self.electra: Any = FlaxElectraModule(self.config, self.dtype, self.gradient_checkpointing)
        self.dropout = nn.Dropout(0.0)
        self.classifier = dense(self.config, self.config.num_labels, self.dtype, glorot=True)


class FlaxElectraOriginalForTokenClassification(FlaxElectraPreTrainedModel):
    """As FlaxElectraForTokenClassification, without its dropout. logits (B, L, N)."""

    module_class = FlaxElectraOriginalForTokenClassificationModule
    part = "token_classification"


class FlaxElectraPairLinear(nn.Module):
    """A layer over two joined vectors, one half at a time: what one of them gives serves all its partners.

    vectors (..., H) -> (..., outputs); half 0 is the first vector's, 1 the second's and the bias.
    """

    inputs: int
    outputs: int
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.kernel = self.param("kernel", initializers.glorot_uniform(), (self.inputs, self.outputs))
        self.bias = self.param("bias", initializers.zeros_init(), (self.outputs,))

    def __call__(self, vectors: Array, half: int) -> Array:
        product = vectors @ jnp.split(self.kernel, 2)[half].astype(self.dtype)
        return product + self.bias.astype(self.dtype) if half else product


class FlaxElectraOriginalAnswerHead(nn.Module):
    """From hidden states to the fields of OriginalQuestionAnsweringOutput. Hidden layers are GELU whatever hidden_act is."""

    config: ElectraConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        config, width = self.config, 2 * self.config.hidden_size
        self.start = dense(config, 1, self.dtype, glorot=True)
        if config.joint_prediction:
            self.end_hidden = FlaxElectraPairLinear(width, ANSWER_WIDTH, self.dtype)
        self.end = dense(config, 1, self.dtype, glorot=True)
        if config.answerable_classifier:
            if config.answerable_uses_start_logits:
                self.no_answer_hidden = FlaxElectraPairLinear(width, ANSWER_WIDTH, self.dtype)
            self.no_answer = dense(config, 1, self.dtype, glorot=True)

    def __call__(self, hidden: Array, is_allowed: Array, start_positions: Array | None) -> dict[str, Array]:
        """hidden (B, L, H), is_allowed (B, L) bool; with start_positions (B,), joint prediction gives their end_logits."""
        outside = OUTSIDE * (~is_allowed).astype(hidden.dtype)  # (B, L)
        start_logits = self.start(hidden)[..., 0] + outside
        answer = {"start_logits": start_logits}
        if not self.config.joint_prediction:
            answer["end_logits"] = self.end(hidden)[..., 0] + outside
        elif start_positions is not None:
            starts = start_positions.reshape(-1, 1).clip(0, hidden.shape[1] - 1)  # (B, 1)
            answer["end_logits"] = (self._end_logits(hidden, starts) + outside[:, None])[:, 0]
        else:
            answer |= self._beams(hidden, start_logits, outside)
        if self.config.answerable_classifier:
            answer["no_answer_logits"] = self._no_answer_logits(hidden, start_logits)
        return answer

    def _end_logits(self, hidden: Array, starts: Array) -> Array:
        """One value a position for each of the starts (B, K): (B, K, L)."""
        of_starts = self.end_hidden(vectors_at(hidden, starts), half=0)  # (B, K, A)
        of_ends = self.end_hidden(hidden, half=1)  # (B, L, A)
        # One start at a time: all at once would take K times the memory.
        each = [self.end(_gelu(of_starts[:, k, None] + of_ends))[..., 0] for k in range(starts.shape[1])]
        return jnp.stack(each, 1)

    def _beams(self, hidden: Array, start_logits: Array, outside: Array) -> dict[str, Array]:
        """The likeliest starts and, given each, the likeliest ends."""
        width = min(self.config.beam_size, hidden.shape[1])
        start_log_probs, starts = jax.lax.top_k(ops.log_softmax(start_logits), width)  # (B, K)
        end_logits = self._end_logits(hidden, starts) + outside[:, None]  # (B, K, L)
        end_log_probs, ends = jax.lax.top_k(ops.log_softmax(end_logits), width)  # (B, K, K)
        return {
            "start_top_log_probs": start_log_probs,
            "start_top_index": starts,
            "end_top_log_probs": end_log_probs,
            "end_top_index": ends,
        }

    def _no_answer_logits(self, hidden: Array, start_logits: Array) -> Array:
        """One value a text (B,), from [CLS] and, where so configured, what the likely starts have in common."""
        first = hidden[:, 0]  # (B, H)
        if not self.config.answerable_uses_start_logits:
            return self.no_answer(first)[..., 0]
        expected = jnp.einsum("bl,blh->bh", jax.nn.softmax(start_logits), hidden)  # (B, H)
        inner = _gelu(self.no_answer_hidden(first, half=0) + self.no_answer_hidden(expected, half=1))
        return self.no_answer(inner)[..., 0]


class FlaxElectraOriginalForQuestionAnsweringModule(nn.Module):
    """FlaxElectraOriginalForQuestionAnswering as a Linen module."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        self.electra: Any = FlaxElectraModule(self.config, self.dtype, self.gradient_checkpointing)
        self.qa_head = FlaxElectraOriginalAnswerHead(self.config, self.dtype)

    def __call__(
        self,
        input_ids: Array,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
        *inputs: Any,
        start_positions: Array | None = None,
        return_dict: bool | None = None,
        **options: Any,
    ) -> OriginalQuestionAnsweringOutput | tuple[Array, ...]:
        """Arguments as FlaxElectraModule's. Answers stand where token_type_ids are 1, or at position 0 where there is none.

        start_positions (B,), of training, give the ends of these starts in joint prediction.
        """
        encoded = self.electra(input_ids, attention_mask, token_type_ids, *inputs, return_dict=True, **options)
        is_allowed = may_answer(encoded.last_hidden_state, attention_mask, token_type_ids)  # (B, L)
        answer = self.qa_head(encoded.last_hidden_state, is_allowed, start_positions)
        output = OriginalQuestionAnsweringOutput(
            **answer, hidden_states=encoded.hidden_states, attentions=encoded.attentions
        )
        return output if wants_dict(self.config, return_dict) else output.to_tuple()


class FlaxElectraOriginalForQuestionAnswering(FlaxElectraPreTrainedModel):
    """Where the answer stands in a text, its end given its start, and whether there is one.

    config.joint_prediction              False: start_logits and end_logits (B, L), as the page's head gives them
    config.answerable_classifier         False: no no_answer_logits (B,)
    config.answerable_uses_start_logits  False: those come from the vector of [CLS] alone
    config.beam_size                     K, the starts that are followed, and the ends of each

    Beams, of joint prediction without given starts: start_top_log_probs and start_top_index (B, K), the likeliest first, and
    end_top_log_probs and end_top_index (B, K, K), the ends of each. Scores are 1000 lower where no answer may stand.
    """

    module_class = FlaxElectraOriginalForQuestionAnsweringModule
    part = "original_question_answering"
    given_targets: ClassVar = ("start_positions",)  # what training gives a call of the module besides the inputs


def may_answer(hidden: Array, attention_mask: Array | None, token_type_ids: Array | None) -> Array:
    """Where an answer may start or end: on real tokens of the second segment, and at position 0. (B, L) bool."""
    is_first = jnp.arange(hidden.shape[1])[None] == 0
    if token_type_ids is None:
        return jnp.broadcast_to(is_first, hidden.shape[:2])
    is_text = token_type_ids == 1
    if attention_mask is not None and attention_mask.ndim == 2:
        is_text = is_text & (attention_mask == 1)
    return is_text | is_first


def vectors_at(hidden: Array, positions: Array) -> Array:
    """hidden (B, L, H), positions (B, K) -> (B, K, H)."""
    return jnp.take_along_axis(hidden, positions[..., None], 1)


def _gelu(x: Array) -> Array:
    return jax.nn.gelu(x, approximate=False)
