"""The heads that speak of tokens: the discriminator's and the generator's."""

from typing import Any

import tensorflow as tf

from electra import losses
from electra.config import ElectraConfig
from electra.errors import ConfigError
from electra.outputs import ElectraForPreTrainingOutput, MaskedLMOutput
from electra.tf import ops
from electra.tf.activations import ACTIVATIONS
from electra.tf.checks import check_labels
from electra.tf.model import TFElectraModel
from electra.tf.modules import LayerNorm, Linear, Module, OutputTable, replace_layer
from electra.tf.pretrained import TFElectraPreTrainedModel

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy


class ElectraDiscriminatorPredictions(Module):
    """Was this token replaced? hidden (..., H) -> logits (...)."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.activation = ACTIVATIONS[config.hidden_act]
        self.dense_prediction = Linear(config.hidden_size, 1)

    def call(self, hidden: Tensor) -> Tensor:
        return self.dense_prediction(self.activation(self.dense(hidden)))[..., 0]


class ElectraGeneratorPredictions(Module):
    """Back to the width of the embeddings. hidden (..., H) -> (..., E). The activation is always GELU."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.LayerNorm = LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dense = Linear(config.hidden_size, config.embedding_size)

    def call(self, hidden: Tensor) -> Tensor:
        return self.LayerNorm(tf.nn.gelu(self.dense(hidden)))


class TFElectraForPreTraining(TFElectraPreTrainedModel):
    """The discriminator: was each token replaced? logits (B, L), above 0 for yes."""

    def __init__(self, config: ElectraConfig, **kwargs: object) -> None:
        super().__init__(config, **kwargs)
        self.electra = TFElectraModel(config, name="electra")
        self.discriminator_predictions = ElectraDiscriminatorPredictions(config)
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
        labels: Tensor | None = None,
        training: bool = False,
    ) -> ElectraForPreTrainingOutput | tuple[Tensor, ...]:
        """Arguments as TFElectraModel's; labels (B, L), 1 where replaced, give the mean loss over real tokens in nats.

        Real are the tokens with a 1 in attention_mask (B, L); with a mask (B, L, L), those that may look at themselves.
        """
        encoded = self.electra(
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds,
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
            training=training,
        )  # fmt: skip
        logits = self.discriminator_predictions(encoded.last_hidden_state)  # (B, L)
        loss = None
        if labels is not None:
            mask = attention_mask
            if mask is not None:
                mask = ops.to_float(mask if mask.shape.rank == 2 else tf.linalg.diag_part(mask))
            loss = losses.replaced_token_cross_entropy(logits, labels, None if mask is None else mask == 1, ops)
        output = ElectraForPreTrainingOutput(loss, logits, encoded.hidden_states, encoded.attentions)
        return output if self.wants_dict(return_dict) else output.to_tuple()


class _WithGenerator(TFElectraPreTrainedModel):
    """An encoder under the generator's head. The output table is the word table, unless untied."""

    def __init__(self, config: ElectraConfig, **kwargs: object) -> None:
        super().__init__(config, **kwargs)
        self.electra = TFElectraModel(config, name="electra")
        self.generator_predictions = ElectraGeneratorPredictions(config)
        self.generator_lm_head = OutputTable(config.embedding_size, config.vocab_size)
        self.post_init()

    def get_output_embeddings(self) -> OutputTable:
        return self.generator_lm_head

    def set_output_embeddings(self, layer: OutputTable) -> None:
        replace_layer(self, "generator_lm_head", layer)

    def mlm_logits(self, hidden: Tensor) -> Tensor:
        """The head alone: hidden (..., H) -> logits (..., V). Pretraining asks it at the masked positions only."""
        return self.generator_lm_head(self.generator_predictions(hidden))


class TFElectraForMaskedLM(_WithGenerator):
    """The generator: which token stood here? logits (B, L, V). The output table is the word table, unless untied."""

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
        labels: Tensor | None = None,
        training: bool = False,
    ) -> MaskedLMOutput | tuple[Tensor, ...]:
        """Arguments as TFElectraModel's; labels (B, L), -100 where not asked, give the mean loss in nats."""
        encoded = self.electra(
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds,
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
            training=training,
        )  # fmt: skip
        logits = self.mlm_logits(encoded.last_hidden_state)  # (B, L, V)
        loss = None
        if labels is not None:
            if self.checks_now:
                check_labels(labels, tuple(logits.shape[:2]), self.config.vocab_size)
            loss = losses.cross_entropy(logits, labels, ops)
        output = MaskedLMOutput(loss, logits, encoded.hidden_states, encoded.attentions)
        return output if self.wants_dict(return_dict) else output.to_tuple()


def share_embeddings(generator: TFElectraForMaskedLM, discriminator: TFElectraForPreTraining) -> None:
    """Give the generator the discriminator's embeddings: three tables and their LayerNorm; its output table follows.

    Raises ConfigError where the two are not made for each other.
    """
    for key in ("vocab_size", "embedding_size", "max_position_embeddings", "type_vocab_size"):
        ours, theirs = getattr(generator.config, key), getattr(discriminator.config, key)
        if ours != theirs:
            raise ConfigError(
                f"{key} is {ours} in the generator, {theirs} in the discriminator; to share they must agree"
            )
    replace_layer(generator.electra, "embeddings", discriminator.electra.embeddings)
    generator.tie_weights()
