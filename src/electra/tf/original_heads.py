"""The heads the original code fine-tunes, where they differ from the page's: one layer on [CLS], tags, and a joint span.

Unusual here: the end of an answer is asked for given its start. Training gives it the true start; inference follows the
beam_size likeliest starts, and answers with the likeliest ends of each.
Source: google-research/electra, finetune/classification, finetune/tagging and finetune/qa.
"""

from typing import Any

import tensorflow as tf

from electra import losses
from electra.config import ElectraConfig
from electra.outputs import OriginalQuestionAnsweringOutput
from electra.tf import ops
from electra.tf.model import TFElectraModel
from electra.tf.modules import Dropout, Linear, Module, shape_of
from electra.tf.pretrained import TFElectraPreTrainedModel
from electra.tf.task_heads import (
    TFElectraForSequenceClassification,
    TFElectraForTokenClassification,
    classifier_dropout,
)
from electra.weights.names import ANSWER_WIDTH

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy
OUTSIDE = -1000.0  # added to the scores of positions no answer may start or end at


class ElectraOriginalClassificationHead(Linear):
    """From the vector of [CLS] to one value a label, without a layer between. hidden (B, L, H) -> (B, N)."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config.hidden_size, config.num_labels)
        self.dropout = Dropout(classifier_dropout(config))

    def call(self, hidden: Tensor) -> Tensor:
        return super().call(self.dropout(hidden[:, 0]))


class TFElectraOriginalForSequenceClassification(TFElectraForSequenceClassification):
    """As TFElectraForSequenceClassification, with the original's head: dropout and one layer. logits (B, N)."""

    head_class = ElectraOriginalClassificationHead


class TFElectraOriginalForTokenClassification(TFElectraForTokenClassification):
    """As TFElectraForTokenClassification, without its dropout. logits (B, L, N)."""

    def __init__(self, config: ElectraConfig, **kwargs: object) -> None:
        super().__init__(config, **kwargs)
        self.dropout.rate = 0.0


class ElectraPairLinear(Linear):
    """A layer over two joined vectors, one half at a time: what one of them gives serves all its partners.

    vectors (..., H) -> (..., outputs); half 0 is the first vector's, 1 the second's and the bias.
    """

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.input_spec = None  # Keras would have both vectors at once

    def call(self, vectors: Tensor, half: int) -> Tensor:
        kernel = tf.split(self.kernel, 2)[half]  # (H, outputs)
        product = tf.tensordot(vectors, tf.cast(kernel, vectors.dtype), 1)
        return product + tf.cast(self.bias, vectors.dtype) if half else product


class ElectraOriginalAnswerHead(Module):
    """From hidden states to the fields of OriginalQuestionAnsweringOutput. Hidden layers are GELU whatever hidden_act is."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.config = config
        width = config.hidden_size
        self.start = Linear(width, 1)
        if config.joint_prediction:
            self.end_hidden = ElectraPairLinear(2 * width, ANSWER_WIDTH)
        self.end = Linear(ANSWER_WIDTH if config.joint_prediction else width, 1)
        if config.answerable_classifier:
            if config.answerable_uses_start_logits:
                self.no_answer_hidden = ElectraPairLinear(2 * width, ANSWER_WIDTH)
            self.no_answer = Linear(ANSWER_WIDTH if config.answerable_uses_start_logits else width, 1)

    def call(self, hidden: Tensor, is_allowed: Tensor, start_positions: Tensor | None) -> dict[str, Tensor]:
        """hidden (B, L, H), is_allowed (B, L) bool; with start_positions (B,), joint prediction gives their end_logits."""
        outside = OUTSIDE * tf.cast(~is_allowed, hidden.dtype)  # (B, L)
        start_logits = self.start(hidden)[..., 0] + outside
        answer = {"start_logits": start_logits}
        if not self.config.joint_prediction:
            answer["end_logits"] = self.end(hidden)[..., 0] + outside
        elif start_positions is not None:
            starts = tf.clip_by_value(tf.reshape(start_positions, [-1, 1]), 0, shape_of(hidden)[1] - 1)  # (B, 1)
            answer["end_logits"] = (self._end_logits(hidden, starts) + outside[:, None])[:, 0]
        else:
            answer |= self._beams(hidden, start_logits, outside)
        if self.config.answerable_classifier:
            answer["no_answer_logits"] = self._no_answer_logits(hidden, start_logits)
        return answer

    def _end_logits(self, hidden: Tensor, starts: Tensor) -> Tensor:
        """One value a position for each of the starts (B, K): (B, K, L)."""
        of_starts = self.end_hidden(vectors_at(hidden, starts), half=0)  # (B, K, A)
        of_ends = self.end_hidden(hidden, half=1)  # (B, L, A)
        # One start at a time: all at once would take K times the memory.
        each = [self.end(tf.nn.gelu(of_starts[:, k, None] + of_ends))[..., 0] for k in range(starts.shape[1])]
        return tf.stack(each, 1)

    def _beams(self, hidden: Tensor, start_logits: Tensor, outside: Tensor) -> dict[str, Tensor]:
        """The likeliest starts and, given each, the likeliest ends."""
        # Where a graph is open to any length, its texts must have as many positions as there are beams.
        width = min(self.config.beam_size, hidden.shape[1] or self.config.beam_size)
        start_log_probs, starts = tf.math.top_k(ops.log_softmax(start_logits), width)  # (B, K)
        end_logits = self._end_logits(hidden, starts) + outside[:, None]  # (B, K, L)
        end_log_probs, ends = tf.math.top_k(ops.log_softmax(end_logits), width)  # (B, K, K)
        return {
            "start_top_log_probs": start_log_probs,
            "start_top_index": starts,
            "end_top_log_probs": end_log_probs,
            "end_top_index": ends,
        }

    def _no_answer_logits(self, hidden: Tensor, start_logits: Tensor) -> Tensor:
        """One value a text (B,), from [CLS] and, where so configured, what the likely starts have in common."""
        first = hidden[:, 0]  # (B, H)
        if not self.config.answerable_uses_start_logits:
            return self.no_answer(first)[..., 0]
        expected = tf.einsum("bl,blh->bh", tf.nn.softmax(start_logits), hidden)  # (B, H)
        inner = tf.nn.gelu(self.no_answer_hidden(first, half=0) + self.no_answer_hidden(expected, half=1))
        return self.no_answer(inner)[..., 0]


class TFElectraOriginalForQuestionAnswering(TFElectraPreTrainedModel):
    """Where the answer stands in a text, its end given its start, and whether there is one.

    config.joint_prediction              False: start_logits and end_logits (B, L), as the page's head gives them
    config.answerable_classifier         False: no no_answer_logits (B,)
    config.answerable_uses_start_logits  False: those come from the vector of [CLS] alone
    config.beam_size                     K, the starts that are followed, and the ends of each

    Beams, of joint prediction without given starts: start_top_log_probs and start_top_index (B, K), the likeliest first, and
    end_top_log_probs and end_top_index (B, K, K), the ends of each. Scores are 1000 lower where no answer may stand.
    """

    given_targets = ("start_positions",)  # what training gives a call besides the inputs
    label_names = ("start_positions", "end_positions")
    answer_names = ("start_logits", "end_logits")

    def __init__(self, config: ElectraConfig, **kwargs: object) -> None:
        super().__init__(config, **kwargs)
        self.electra = TFElectraModel(config, name="electra")
        self.qa_head = ElectraOriginalAnswerHead(config)
        self.post_init()

    def call(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        is_impossible: Tensor | None = None,
        training: bool = False,
    ) -> OriginalQuestionAnsweringOutput | tuple[Tensor, ...]:
        """Arguments as TFElectraModel's. Answers stand where token_type_ids are 1, or at position 0 where there is none.

        start_positions and end_positions (B,), both given, give the mean loss in nats (losses.answer_loss) and, in joint
        prediction, the ends of these starts; a position beyond the text does not count. is_impossible (B,) 1 where there
        is no answer; where it is not given, that is where the start is 0.
        """
        encoded = self.electra(
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds,
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
            training=training,
        )  # fmt: skip
        is_allowed = may_answer(encoded.last_hidden_state, attention_mask, token_type_ids)  # (B, L)
        answer = self.qa_head(encoded.last_hidden_state, is_allowed, start_positions)
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = losses.answer_loss(
                answer["start_logits"], answer["end_logits"], answer.get("no_answer_logits"), start_positions,
                end_positions, is_impossible, ops,
            )  # fmt: skip
        output = OriginalQuestionAnsweringOutput(
            loss=loss, **answer, hidden_states=encoded.hidden_states, attentions=encoded.attentions
        )
        return output if self.wants_dict(return_dict) else output.to_tuple()


def may_answer(hidden: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor | None) -> Tensor:
    """Where an answer may start or end: on real tokens of the second segment, and at position 0. (B, L) bool."""
    rows, length = shape_of(hidden)[:2]
    is_first = tf.range(length)[None] == 0
    if token_type_ids is None:
        return tf.broadcast_to(is_first, [rows, length])
    is_text = token_type_ids == 1
    if attention_mask is not None and attention_mask.shape.rank == 2:
        is_text = is_text & (attention_mask == 1)
    return is_text | is_first


def vectors_at(hidden: Tensor, positions: Tensor) -> Tensor:
    """hidden (B, L, H), positions (B, K) -> (B, K, H)."""
    return tf.gather(hidden, positions, batch_dims=1)
