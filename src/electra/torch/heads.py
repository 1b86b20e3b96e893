"""The heads that speak of tokens: the discriminator's, the generator's, and the generator as a decoder."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from electra import losses
from electra.config import ElectraConfig
from electra.errors import ConfigError
from electra.outputs import CausalLMOutputWithCrossAttentions, ElectraForPreTrainingOutput, MaskedLMOutput
from electra.torch import ops
from electra.torch.activations import ACTIVATIONS
from electra.torch.checks import check_labels
from electra.torch.generation import generate
from electra.torch.layers import KeysAndValues
from electra.torch.model import ElectraModel
from electra.torch.pretrained import ElectraPreTrainedModel


class ElectraDiscriminatorPredictions(nn.Module):
    """Was this token replaced? hidden (..., H) -> logits (...)."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = ACTIVATIONS[config.hidden_act]
        self.dense_prediction = nn.Linear(config.hidden_size, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.dense_prediction(self.activation(self.dense(hidden))).squeeze(-1)


class ElectraGeneratorPredictions(nn.Module):
    """Back to the width of the embeddings. hidden (..., H) -> (..., E). The activation is always GELU."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.LayerNorm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dense = nn.Linear(config.hidden_size, config.embedding_size)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.LayerNorm(functional.gelu(self.dense(hidden)))


class ElectraForPreTraining(ElectraPreTrainedModel):
    """The discriminator: was each token replaced? logits (B, L), above 0 for yes."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        self.electra = ElectraModel(config)
        self.discriminator_predictions = ElectraDiscriminatorPredictions(config)
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
    ) -> ElectraForPreTrainingOutput | tuple[Tensor, ...]:
        """Arguments as ElectraModel's; labels (B, L), 1 where replaced, give the mean loss over real tokens in nats.

        Real are the tokens with a 1 in attention_mask (B, L); with a mask (B, L, L), those that may look at themselves.
        """
        encoded = self.electra(
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds,
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
        )  # fmt: skip
        logits = self.discriminator_predictions(encoded.last_hidden_state)  # (B, L)
        loss = None
        if labels is not None:
            mask = (
                attention_mask
                if attention_mask is None or attention_mask.ndim == 2
                else attention_mask.diagonal(0, 1, 2)
            )
            loss = losses.replaced_token_cross_entropy(logits, labels, None if mask is None else mask == 1, ops)
        output = ElectraForPreTrainingOutput(loss, logits, encoded.hidden_states, encoded.attentions)
        return output if self.wants_dict(return_dict) else output.to_tuple()


class _WithGenerator(ElectraPreTrainedModel):
    """An encoder under the generator's head. The output table is the word table, unless untied."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        self.electra = ElectraModel(config)
        self.generator_predictions = ElectraGeneratorPredictions(config)
        self.generator_lm_head = nn.Linear(config.embedding_size, config.vocab_size)
        self.post_init()

    def get_output_embeddings(self) -> nn.Linear:
        return self.generator_lm_head

    def set_output_embeddings(self, layer: nn.Linear) -> None:
        self.generator_lm_head = layer

    def mlm_logits(self, hidden: Tensor) -> Tensor:
        """The head alone: hidden (..., H) -> logits (..., V). Pretraining asks it at the masked positions only."""
        return self.generator_lm_head(self.generator_predictions(hidden))


class ElectraForMaskedLM(_WithGenerator):
    """The generator: which token stood here? logits (B, L, V). The output table is the word table, unless untied."""

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
    ) -> MaskedLMOutput | tuple[Tensor, ...]:
        """Arguments as ElectraModel's; labels (B, L), -100 where not asked, give the mean loss in nats."""
        encoded = self.electra(
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds,
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
        )  # fmt: skip
        logits = self.mlm_logits(encoded.last_hidden_state)  # (B, L, V)
        loss = None
        if labels is not None:
            if self.checks_now:
                check_labels(labels, tuple(logits.shape[:2]), self.config.vocab_size)
            loss = losses.cross_entropy(logits, labels, ops)
        output = MaskedLMOutput(loss, logits, encoded.hidden_states, encoded.attentions)
        return output if self.wants_dict(return_dict) else output.to_tuple()


class ElectraForCausalLM(_WithGenerator):
    """The generator as a decoder: which token comes next? logits (B, L, V). Needs is_decoder=True in the configuration."""

    def __init__(self, config: ElectraConfig) -> None:
        if not config.is_decoder:
            warnings.warn(
                "ElectraForCausalLM with is_decoder false lets every position see the whole text; "
                "set is_decoder=True in the configuration to predict the next token",
                stacklevel=2,
            )
        super().__init__(config)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        past_key_values: Sequence[KeysAndValues] | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> CausalLMOutputWithCrossAttentions | tuple[Any, ...]:
        """Arguments as ElectraModel's; labels (B, L), the input_ids with -100 where not asked, give the mean loss in nats.

        Labels are shifted here: position t is asked for token t + 1. With labels nothing is cached.
        """
        encoded = self.electra(
            input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds,
            encoder_hidden_states, encoder_attention_mask, past_key_values, False if labels is not None else use_cache,
            output_attentions=output_attentions, output_hidden_states=output_hidden_states, return_dict=True,
        )  # fmt: skip
        logits = self.mlm_logits(encoded.last_hidden_state)  # (B, L, V)
        loss = None
        if labels is not None:
            if self.checks_now:
                check_labels(labels, tuple(logits.shape[:2]), self.config.vocab_size)
            loss = losses.next_token_cross_entropy(logits, labels, ops)
        output = CausalLMOutputWithCrossAttentions(
            loss, logits, encoded.past_key_values, encoded.hidden_states, encoded.attentions, encoded.cross_attentions
        )
        return output if self.wants_dict(return_dict) else output.to_tuple()

    @torch.no_grad()
    def generate(self, input_ids: Tensor, attention_mask: Tensor | None = None, **options: Any) -> Tensor:
        """Continue texts (B, L) token by token: ids (B, up to max_length). Options are those of `generation.generate`."""
        return generate(self, input_ids, attention_mask, **options)


def share_embeddings(generator: ElectraForMaskedLM, discriminator: ElectraForPreTraining) -> None:
    """Give the generator the discriminator's embeddings: three tables and their LayerNorm; its output table follows.

    Raises ConfigError where the two are not made for each other.
    """
    for key in ("vocab_size", "embedding_size", "max_position_embeddings", "type_vocab_size"):
        ours, theirs = getattr(generator.config, key), getattr(discriminator.config, key)
        if ours != theirs:
            raise ConfigError(
                f"{key} is {ours} in the generator, {theirs} in the discriminator; to share they must agree"
            )
    generator.electra.embeddings = discriminator.electra.embeddings
    generator.tie_weights()
