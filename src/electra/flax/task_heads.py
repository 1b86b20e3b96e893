"""The heads that fine-tuning trains: one answer a text, one of several texts, one label a token, a span."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from electra.config import ElectraConfig
from electra.errors import ConfigError, InputError
from electra.flax.activations import activation
from electra.flax.initial import dense
from electra.flax.model import FlaxElectraModule, wants_dict
from electra.flax.pretrained import FlaxElectraPreTrainedModel
from electra.outputs import (
    MultipleChoiceModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)


class FlaxElectraClassificationHead(nn.Module):
    """From the vector of [CLS] to one value a label. hidden (B, L, H) -> (B, N). The activation is always GELU."""

    config: ElectraConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.dense = dense(self.config, self.config.hidden_size, self.dtype, glorot=True)
        self.dropout = nn.Dropout(classifier_dropout(self.config))
        self.out_proj = dense(self.config, self.config.num_labels, self.dtype, glorot=True)

    def __call__(self, hidden: Array, deterministic: bool = True) -> Array:
        first = self.dropout(hidden[:, 0], deterministic=deterministic)  # (B, H)
        inner = jax.nn.gelu(self.dense(first), approximate=False)
        return self.out_proj(self.dropout(inner, deterministic=deterministic))


class FlaxElectraSequenceSummary(nn.Module):
    """One vector for a text, by the four summary_* settings and summary_first_dropout. hidden (B, L, H) -> (B, S).

    cls_index is not told where its token stands, so it takes the last, as the reference does.
    """

    config: ElectraConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        config = self.config
        self.first_dropout = nn.Dropout(config.summary_first_dropout)
        if config.summary_use_proj:
            width = config.num_labels if config.summary_proj_to_labels else config.hidden_size
            self.summary = dense(config, width, self.dtype, glorot=True)
        self.activation = activation(config.summary_activation or "linear")
        self.last_dropout = nn.Dropout(config.summary_last_dropout)

    def __call__(self, hidden: Array, deterministic: bool = True) -> Array:
        ends = {"first": hidden[:, 0], "mean": hidden.mean(1)}
        chosen = ends.get(self.config.summary_type, hidden[:, -1])  # (B, H)
        chosen = self.first_dropout(chosen, deterministic=deterministic)
        if self.config.summary_use_proj:
            chosen = self.summary(chosen)
        return self.last_dropout(self.activation(chosen), deterministic=deterministic)


class FlaxElectraForSequenceClassificationModule(nn.Module):
    """FlaxElectraForSequenceClassification as a Linen module."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        self.electra: Any = FlaxElectraModule(self.config, self.dtype, self.gradient_checkpointing)
        self.classifier = FlaxElectraClassificationHead(self.config, self.dtype)

    def __call__(
        self, *inputs: Any, deterministic: bool = True, return_dict: bool | None = None, **options: Any
    ) -> SequenceClassifierOutput | tuple[Array, ...]:
        """Arguments as FlaxElectraModule's."""
        encoded = self.electra(*inputs, deterministic=deterministic, return_dict=True, first_only=True, **options)
        logits = self.classifier(encoded.last_hidden_state, deterministic)  # (B, N)
        output = SequenceClassifierOutput(None, logits, encoded.hidden_states, encoded.attentions)
        return output if wants_dict(self.config, return_dict) else output.to_tuple()


class FlaxElectraForSequenceClassification(FlaxElectraPreTrainedModel):
    """One answer a text: a label, several labels or numbers. logits (B, N), N = config.num_labels."""

    module_class = FlaxElectraForSequenceClassificationModule
    part = "sequence_classification"


class FlaxElectraForMultipleChoiceModule(nn.Module):
    """FlaxElectraForMultipleChoice as a Linen module."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        self.electra: Any = FlaxElectraModule(self.config, self.dtype, self.gradient_checkpointing)
        self.sequence_summary = FlaxElectraSequenceSummary(self.config, self.dtype)
        self.classifier = dense(self.config, 1, self.dtype, glorot=True)

    def __call__(
        self,
        input_ids: Array,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
        position_ids: Array | None = None,
        *others: Any,
        deterministic: bool = True,
        return_dict: bool | None = None,
        **options: Any,
    ) -> MultipleChoiceModelOutput | tuple[Array, ...]:
        """Arguments as FlaxElectraModule's, with an axis of choices after the rows: ids (B, C, L)."""
        rows, choices = input_ids.shape[:2]
        flat = [flatten_choices(x) for x in (input_ids, attention_mask, token_type_ids, position_ids)]  # (B C, L)
        first_only = self.config.summary_type == "first"
        encoded = self.electra(
            *flat, *others, deterministic=deterministic, return_dict=True, first_only=first_only, **options
        )
        summary = self.sequence_summary(encoded.last_hidden_state, deterministic)
        logits = self.classifier(summary).reshape(rows, choices)  # (B, C)
        output = MultipleChoiceModelOutput(None, logits, encoded.hidden_states, encoded.attentions)
        return output if wants_dict(self.config, return_dict) else output.to_tuple()


class FlaxElectraForMultipleChoice(FlaxElectraPreTrainedModel):
    """Which of C texts fits? All are encoded, each gets a score. logits (B, C)."""

    module_class = FlaxElectraForMultipleChoiceModule
    part = "multiple_choice"

    def as_rows(self, x: Any) -> Any:
        return flatten_choices(x)


class FlaxElectraForTokenClassificationModule(nn.Module):
    """FlaxElectraForTokenClassification as a Linen module."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        self.electra: Any = FlaxElectraModule(self.config, self.dtype, self.gradient_checkpointing)
        self.dropout = nn.Dropout(classifier_dropout(self.config))
        self.classifier = dense(self.config, self.config.num_labels, self.dtype, glorot=True)

    def __call__(
        self, *inputs: Any, deterministic: bool = True, return_dict: bool | None = None, **options: Any
    ) -> TokenClassifierOutput | tuple[Array, ...]:
        """Arguments as FlaxElectraModule's."""
        encoded = self.electra(*inputs, deterministic=deterministic, return_dict=True, **options)
        logits = self.classifier(self.dropout(encoded.last_hidden_state, deterministic=deterministic))  # (B, L, N)
        output = TokenClassifierOutput(None, logits, encoded.hidden_states, encoded.attentions)
        return output if wants_dict(self.config, return_dict) else output.to_tuple()


class FlaxElectraForTokenClassification(FlaxElectraPreTrainedModel):
    """One label a token: entities, parts of speech, chunks. logits (B, L, N), N = config.num_labels."""

    module_class = FlaxElectraForTokenClassificationModule
    part = "token_classification"


class FlaxElectraForQuestionAnsweringModule(nn.Module):
    """FlaxElectraForQuestionAnswering as a Linen module."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        self.electra: Any = FlaxElectraModule(self.config, self.dtype, self.gradient_checkpointing)
        self.qa_outputs = dense(self.config, self.config.num_labels, self.dtype, glorot=True)

    def __call__(
        self, *inputs: Any, return_dict: bool | None = None, **options: Any
    ) -> QuestionAnsweringModelOutput | tuple[Array, ...]:
        """Arguments as FlaxElectraModule's. Raises ConfigError unless config.num_labels is 2, start and end."""
        if self.config.num_labels != 2:
            raise ConfigError(
                f"question answering has 2 labels, start and end, but num_labels is {self.config.num_labels} "
                "(perhaps from the task this model was tuned for before); load it with num_labels=2"
            )
        encoded = self.electra(*inputs, return_dict=True, **options)
        logits = self.qa_outputs(encoded.last_hidden_state)  # (B, L, 2)
        output = QuestionAnsweringModelOutput(
            None, logits[..., 0], logits[..., 1], encoded.hidden_states, encoded.attentions
        )
        return output if wants_dict(self.config, return_dict) else output.to_tuple()


class FlaxElectraForQuestionAnswering(FlaxElectraPreTrainedModel):
    """Where the answer stands in a text: start_logits and end_logits (B, L)."""

    module_class = FlaxElectraForQuestionAnsweringModule
    part = "question_answering"


def flatten_choices(x: Any) -> Any:
    """(B, C, ...) -> (B C, ...)"""
    shape = getattr(x, "shape", None) if x is None or hasattr(x, "shape") else jnp.shape(x)
    if shape is None:
        return None
    if len(shape) < 3:
        raise InputError(f"multiple choice takes ids of shape (rows, choices, positions); got shape {tuple(shape)}")
    return jnp.reshape(x, (-1, *shape[2:]))


def classifier_dropout(config: ElectraConfig) -> float:
    """The dropout of a head: classifier_dropout, or the encoder's where that is None."""
    return float(config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout)
