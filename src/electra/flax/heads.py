"""The heads that speak of tokens: the discriminator's, the generator's, and the generator as a decoder."""

import warnings
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from electra.config import ElectraConfig
from electra.errors import ConfigError
from electra.flax.activations import activation
from electra.flax.generation import generate
from electra.flax.initial import dense, norm
from electra.flax.model import FlaxElectraModule, wants_dict
from electra.flax.pretrained import FlaxElectraPreTrainedModel
from electra.flax.trees import Tree
from electra.outputs import CausalLMOutputWithCrossAttentions, ElectraForPreTrainingOutput, MaskedLMOutput


class FlaxElectraDiscriminatorPredictions(nn.Module):
    """Was this token replaced? hidden (..., H) -> logits (...)."""

    config: ElectraConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.dense = dense(self.config, self.config.hidden_size, self.dtype)
        self.activation = activation(self.config.hidden_act)
        self.dense_prediction = dense(self.config, 1, self.dtype, glorot=True)

    def __call__(self, hidden: Array) -> Array:
        return self.dense_prediction(self.activation(self.dense(hidden))).squeeze(-1)


class FlaxElectraGeneratorPredictions(nn.Module):
    """Back to the width of the embeddings. hidden (..., H) -> (..., E). The activation is always GELU."""

    config: ElectraConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.LayerNorm = norm(self.config, self.dtype)
        self.dense = dense(self.config, self.config.embedding_size, self.dtype)

    def __call__(self, hidden: Array) -> Array:
        return self.LayerNorm(jax.nn.gelu(self.dense(hidden), approximate=False))


class FlaxElectraOutputTable(nn.Module):
    """From E to V: by the word table and a bias of its own, or by a table of its own where untied."""

    config: ElectraConfig
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, hidden: Array, words: Array) -> Array:
        """hidden (..., E), words (V, E) -> logits (..., V)"""
        config = self.config
        if config.tie_word_embeddings:
            kernel = words.T
        else:
            first = jax.nn.initializers.truncated_normal(config.initializer_range)
            kernel = self.param("kernel", first, (config.embedding_size, config.vocab_size))
        bias = self.param("bias", jax.nn.initializers.zeros, (config.vocab_size,))
        return hidden @ kernel.astype(self.dtype) + bias.astype(self.dtype)


class FlaxElectraForPreTrainingModule(nn.Module):
    """FlaxElectraForPreTraining as a Linen module."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        self.electra: Any = FlaxElectraModule(self.config, self.dtype, self.gradient_checkpointing)
        self.discriminator_predictions = FlaxElectraDiscriminatorPredictions(self.config, self.dtype)

    def __call__(
        self, *inputs: Any, return_dict: bool | None = None, **options: Any
    ) -> ElectraForPreTrainingOutput | tuple[Array, ...]:
        """Arguments as FlaxElectraModule's."""
        encoded = self.electra(*inputs, return_dict=True, **options)
        logits = self.discriminator_predictions(encoded.last_hidden_state)  # (B, L)
        output = ElectraForPreTrainingOutput(None, logits, encoded.hidden_states, encoded.attentions)
        return output if wants_dict(self.config, return_dict) else output.to_tuple()

    def states_and_logits(self, *inputs: Any, **options: Any) -> tuple[Array, Array]:
        """Hidden states (B, L, H) for another head on the same encoder, and the logits (B, L)."""
        hidden = self.electra(*inputs, return_dict=True, **options).last_hidden_state
        return hidden, self.discriminator_predictions(hidden)


class FlaxElectraForPreTraining(FlaxElectraPreTrainedModel):
    """The discriminator: was each token replaced? logits (B, L), above 0 for yes."""

    module_class = FlaxElectraForPreTrainingModule
    part = "pretraining"


class _WithGenerator(nn.Module):
    """An encoder under the generator's head. The output table is the word table, unless untied."""

    config: ElectraConfig
    dtype: Any = jnp.float32
    gradient_checkpointing: bool = False

    def setup(self) -> None:
        self.electra: Any = FlaxElectraModule(self.config, self.dtype, self.gradient_checkpointing)
        self.generator_predictions = FlaxElectraGeneratorPredictions(self.config, self.dtype)
        self.generator_lm_head = FlaxElectraOutputTable(self.config, self.dtype)

    def mlm_logits(self, hidden: Array) -> Array:
        """The head alone: hidden (..., H) -> logits (..., V). Pretraining asks it at the masked positions only."""
        words = self.electra.embeddings.word_embeddings.embedding
        return self.generator_lm_head(self.generator_predictions(hidden), words)


class FlaxElectraForMaskedLMModule(_WithGenerator):
    """FlaxElectraForMaskedLM as a Linen module."""

    def __call__(
        self, *inputs: Any, return_dict: bool | None = None, **options: Any
    ) -> MaskedLMOutput | tuple[Array, ...]:
        """Arguments as FlaxElectraModule's."""
        encoded = self.electra(*inputs, return_dict=True, **options)
        logits = self.mlm_logits(encoded.last_hidden_state)  # (B, L, V)
        output = MaskedLMOutput(None, logits, encoded.hidden_states, encoded.attentions)
        return output if wants_dict(self.config, return_dict) else output.to_tuple()

    def logits_at(self, positions: Array, *inputs: Any, **options: Any) -> Array:
        """Logits (B, M, V) at positions (B, M) only: the rest would be most of a training step's work."""
        hidden = self.electra(*inputs, return_dict=True, **options).last_hidden_state  # (B, L, H)
        return self.mlm_logits(jnp.take_along_axis(hidden, positions[..., None], axis=1))


class FlaxElectraForMaskedLM(FlaxElectraPreTrainedModel):
    """The generator: which token stood here? logits (B, L, V). The output table is the word table, unless untied."""

    module_class = FlaxElectraForMaskedLMModule
    part = "masked_lm"


class FlaxElectraForCausalLMModule(_WithGenerator):
    """FlaxElectraForCausalLM as a Linen module."""

    def __call__(
        self, *inputs: Any, return_dict: bool | None = None, **options: Any
    ) -> CausalLMOutputWithCrossAttentions | tuple[Any, ...]:
        """Arguments as FlaxElectraModule's."""
        encoded = self.electra(*inputs, return_dict=True, **options)
        logits = self.mlm_logits(encoded.last_hidden_state)  # (B, L, V)
        output = CausalLMOutputWithCrossAttentions(
            None, logits, encoded.past_key_values, encoded.hidden_states, encoded.attentions, encoded.cross_attentions
        )
        return output if wants_dict(self.config, return_dict) else output.to_tuple()


class FlaxElectraForCausalLM(FlaxElectraPreTrainedModel):
    """The generator as a decoder: which token comes next? logits (B, L, V). Needs is_decoder=True in the configuration."""

    module_class = FlaxElectraForCausalLMModule
    part = "masked_lm"

    def __init__(self, config: ElectraConfig, *arguments: Any, **options: Any) -> None:
        if not config.is_decoder:
            warnings.warn(
                "FlaxElectraForCausalLM with is_decoder false lets every position see the whole text; "
                "set is_decoder=True in the configuration to predict the next token",
                stacklevel=2,
            )
        super().__init__(config, *arguments, **options)

    def generate(self, input_ids: Any, attention_mask: Any = None, **options: Any) -> Array:
        """Continue texts (B, L) token by token: ids (B, up to max_length). Options are those of `generation.generate`."""
        return generate(self, input_ids, attention_mask, **options)


def share_embeddings(generator: FlaxElectraForMaskedLM, discriminator: FlaxElectraForPreTraining) -> None:
    """Give the generator the discriminator's embeddings: three tables and their LayerNorm; its output table follows.

    JAX's arrays do not change, so this is of the moment: training keeps one tree for the two (see backend.py).
    Raises ConfigError where the two are not made for each other.
    """
    check_shared(generator.config, discriminator.config)
    generator.params = with_embeddings(generator.params, discriminator.params["electra"]["embeddings"])


def check_shared(generator: ElectraConfig, discriminator: ElectraConfig) -> None:
    """Raise ConfigError unless two networks can share their embeddings."""
    for key in ("vocab_size", "embedding_size", "max_position_embeddings", "type_vocab_size"):
        ours, theirs = getattr(generator, key), getattr(discriminator, key)
        if ours != theirs:
            raise ConfigError(
                f"{key} is {ours} in the generator, {theirs} in the discriminator; to share they must agree"
            )


def with_embeddings(params: Tree, embeddings: Tree) -> Tree:
    """A network's parameters with these embeddings."""
    return {**params, "electra": {**params["electra"], "embeddings": embeddings}}
