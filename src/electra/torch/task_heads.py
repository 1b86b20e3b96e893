"""The heads that fine-tuning trains: one answer a text, one of several texts, one label a token, a span."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from electra import losses
from electra.config import ElectraConfig
from electra.errors import ConfigError, InputError
from electra.outputs import (
    MultipleChoiceModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from electra.torch import ops
from electra.torch.activations import ACTIVATIONS
from electra.torch.checks import INTEGERS, check_labels
from electra.torch.model import ElectraModel
from electra.torch.pretrained import ElectraPreTrainedModel


class ElectraClassificationHead(nn.Module):
    """From the vector of [CLS] to one value a label. hidden (B, L, H) -> (B, N). The activation is always GELU."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(classifier_dropout(config))
        self.out_proj = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, hidden: Tensor) -> Tensor:
        first = self.dropout(hidden[:, 0])  # (B, H)
        return self.out_proj(self.dropout(functional.gelu(self.dense(first))))


class ElectraSequenceSummary(nn.Module):
    """One vector for a text, by the four summary_* settings and summary_first_dropout. hidden (B, L, H) -> (B, S).

    cls_index is not told where its token stands, so it takes the last, as the reference does.
    """

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.kind = config.summary_type
        self.width = config.hidden_size
        self.first_dropout = nn.Dropout(config.summary_first_dropout)
        self.summary: nn.Module = nn.Identity()
        if config.summary_use_proj:
            self.width = config.num_labels if config.summary_proj_to_labels else config.hidden_size
            self.summary = nn.Linear(config.hidden_size, self.width)
        self.activation = ACTIVATIONS[config.summary_activation or "linear"]
        self.last_dropout = nn.Dropout(config.summary_last_dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        chosen = {"first": hidden[:, 0], "mean": hidden.mean(1)}.get(self.kind, hidden[:, -1])  # (B, H)
        return self.last_dropout(self.activation(self.summary(self.first_dropout(chosen))))


class ElectraForSequenceClassification(ElectraPreTrainedModel):
    """One answer a text: a label, several labels or numbers. logits (B, N), N = config.num_labels."""

    head_class: Any = ElectraClassificationHead

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.electra = ElectraModel(config)
        self.classifier = self.head_class(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[Tensor, ...]:
        """Arguments as ElectraModel's; labels give the mean loss, by config.problem_type or, where it is None, by themselves.

        regression                   labels (B,) or (B, N) of numbers: squared error; assumed where num_labels is 1
        single_label_classification  labels (B,) in 0 to N - 1: cross-entropy; assumed where labels are whole numbers
        multi_label_classification   labels (B, N) of 0 and 1: binary cross-entropy; assumed otherwise
        What was assumed is kept in config.problem_type, and so saved with the model.
        """
        encoded = self.electra(
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds,
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
            first_only=True,
        )  # fmt: skip
        logits = self.classifier(encoded.last_hidden_state)  # (B, N)
        loss = None if labels is None else self._loss(logits, labels)
        output = SequenceClassifierOutput(loss, logits, encoded.hidden_states, encoded.attentions)
        return output if self.wants_dict(return_dict) else output.to_tuple()

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        config, rows = self.config, logits.shape[0]
        problem_type = losses.problem_type_of(config.problem_type, config.num_labels, labels.dtype in INTEGERS)
        if self.checks_now:
            losses.check_label_shape(problem_type, config.num_labels, tuple(labels.shape), rows)
            if problem_type == "single_label_classification":
                check_labels(labels.reshape(-1), (rows,), config.num_labels)
        config.problem_type = problem_type
        return losses.classification_loss(logits, labels, problem_type, ops)


class ElectraForMultipleChoice(ElectraPreTrainedModel):
    """Which of C texts fits? All are encoded, each gets a score. logits (B, C)."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        self.electra = ElectraModel(config)
        self.sequence_summary = ElectraSequenceSummary(config)
        self.reads_padding = self.sequence_summary.kind != "first"
        self.classifier = nn.Linear(self.sequence_summary.width, 1)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> MultipleChoiceModelOutput | tuple[Tensor, ...]:
        """Arguments as ElectraModel's, with an axis of choices after the rows: ids (B, C, L), embeddings (B, C, L, E).

        labels (B,), the number of the right choice, give the mean cross-entropy over the choices in nats.
        """
        given = input_ids if inputs_embeds is None else inputs_embeds
        if given is None or given.ndim != (3 if inputs_embeds is None else 4):
            found = "nothing" if given is None else f"shape {tuple(given.shape)}"
            raise InputError(
                f"multiple choice takes ids of shape (rows, choices, positions), or embeddings of (rows, choices, "
                f"positions, E); got {found}"
            )
        rows, choices = given.shape[:2]
        flat = [
            None if x is None else x.flatten(0, 1)
            for x in (input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds)
        ]  # (B C, L)
        encoded = self.electra(
            *flat[:4], head_mask, flat[4],
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
            first_only=self.sequence_summary.kind == "first",
        )  # fmt: skip
        logits = self.classifier(self.sequence_summary(encoded.last_hidden_state)).view(rows, choices)  # (B, C)
        loss = None
        if labels is not None:
            if self.checks_now:
                check_labels(labels, (rows,), choices)
            loss = losses.cross_entropy(logits, labels, ops)
        output = MultipleChoiceModelOutput(loss, logits, encoded.hidden_states, encoded.attentions)
        return output if self.wants_dict(return_dict) else output.to_tuple()


class ElectraForTokenClassification(ElectraPreTrainedModel):
    """One label a token: entities, parts of speech, chunks. logits (B, L, N), N = config.num_labels."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.electra = ElectraModel(config)
        self.dropout = nn.Dropout(classifier_dropout(config))
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> TokenClassifierOutput | tuple[Tensor, ...]:
        """Arguments as ElectraModel's; labels (B, L), -100 where a token does not count, give the mean loss in nats."""
        encoded = self.electra(
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds,
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
        )  # fmt: skip
        logits = self.classifier(self.dropout(encoded.last_hidden_state))  # (B, L, N)
        loss = None
        if labels is not None:
            if self.checks_now:
                check_labels(labels, tuple(logits.shape[:2]), self.config.num_labels)
            loss = losses.cross_entropy(logits, labels, ops)
        output = TokenClassifierOutput(loss, logits, encoded.hidden_states, encoded.attentions)
        return output if self.wants_dict(return_dict) else output.to_tuple()


class ElectraForQuestionAnswering(ElectraPreTrainedModel):
    """Where the answer stands in a text: start_logits and end_logits (B, L)."""

    reads_padding = True  # it is among the places an answer may begin or end at, as in the reference

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.electra = ElectraModel(config)
        self.qa_outputs = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> QuestionAnsweringModelOutput | tuple[Tensor, ...]:
        """Arguments as ElectraModel's; start_positions and end_positions (B,), both given, give the mean loss in nats.

        A position beyond the text does not count. Raises ConfigError unless config.num_labels is 2, start and end.
        """
        if self.config.num_labels != 2:
            raise ConfigError(
                f"question answering has 2 labels, start and end, but num_labels is {self.config.num_labels} "
                "(perhaps from the task this model was tuned for before); load it with num_labels=2"
            )
        encoded = self.electra(
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds,
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
        )  # fmt: skip
        start_logits, end_logits = self.qa_outputs(encoded.last_hidden_state).unbind(-1)  # (B, L) each
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = losses.span_cross_entropy(start_logits, end_logits, start_positions, end_positions, ops)
        output = QuestionAnsweringModelOutput(loss, start_logits, end_logits, encoded.hidden_states, encoded.attentions)
        return output if self.wants_dict(return_dict) else output.to_tuple()


def classifier_dropout(config: ElectraConfig) -> float:
    """The dropout of a head: classifier_dropout, or the encoder's where that is None."""
    return float(config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout)
