"""The encoder, from ids to hidden states."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from electra.config import ElectraConfig
from electra.errors import ConfigError
from electra.outputs import BaseModelOutputWithPastAndCrossAttentions
from electra.tf.checks import check_decoding, check_inputs
from electra.tf.layers import ElectraEmbeddings, ElectraEncoder, KeysAndValues
from electra.tf.modules import Linear, shape_of
from electra.tf.pretrained import TFElectraPreTrainedModel

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy


class TFElectraModel(TFElectraPreTrainedModel):
    """The bare encoder. last_hidden_state (B, L, H); position 0, [CLS], stands for the whole text. A decoder if so configured."""

    label_names = ()
    answer_names = ("last_hidden_state",)

    def __init__(self, config: ElectraConfig, **kwargs: object) -> None:
        super().__init__(config, **kwargs)
        if config.add_cross_attention and not config.is_decoder:
            raise ConfigError("add_cross_attention is for decoders; set is_decoder to true as well")
        self.embeddings = ElectraEmbeddings(config)
        if config.embedding_size != config.hidden_size:
            self.embeddings_project = Linear(config.embedding_size, config.hidden_size)
        self.encoder = ElectraEncoder(config)
        self.post_init()
        self.prune_heads(config.pruned_heads)

    def call(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: Sequence[KeysAndValues] | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        training: bool = False,
        first_only: bool = False,
    ) -> BaseModelOutputWithPastAndCrossAttentions | tuple[Tensor, ...]:
        """Encode ids (B, L), or rows of embeddings (B, L, E) in their place.

        attention_mask   (B, L) 1 on real tokens, or (B, L, L) 1 where the row's position may look at the column's. A
                         decoder's positions look at themselves and those before, unless the mask is (B, L, L)
        head_mask        (N,) or (layers, N), multiplied into the attention weights
        training         whether dropout is on
        first_only       the caller reads position 0 of last_hidden_state alone, and the others may be left out
        Of decoders (is_decoder, and add_cross_attention for the encoder_* arguments):
        encoder_hidden_states (B, S, H) of another encoder, with encoder_attention_mask (B, S) or (B, L, S)
        past_key_values  what a call with use_cache answered; input_ids are then the L tokens after it, and the columns of
                         attention_mask count those before too
        use_cache        None: see `caches_by_default`
        Inputs may also come in the first argument, as a list in this order or a dictionary by these names.
        Raises InputError on ids or lengths the model cannot take; `model.check_inputs = False` leaves the checks out.
        """
        config = self.config
        past = shape_of(past_key_values[0][0])[2] if past_key_values else 0  # tokens of earlier calls
        if self.checks_now:
            check_decoding(config, (encoder_hidden_states, encoder_attention_mask), past_key_values)
            check_inputs(config, input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, past)
        hidden = self.embeddings(
            input_ids, token_type_ids, position_ids, inputs_embeds, first_position=past
        )  # (B, L, E)
        if config.embedding_size != config.hidden_size:
            hidden = self.embeddings_project(hidden)  # (B, L, H)
        as_dict = self.wants_dict(return_dict)
        if use_cache is None:
            use_cache = as_dict and caches_by_default(config, attention_mask)
        if config.is_decoder:
            attention_mask = causal_mask(attention_mask, shape_of(hidden)[1], past)
        output = self.encoder(
            hidden,
            None if attention_mask is None else additive_mask(attention_mask),
            None if head_mask is None else expand_head_mask(head_mask, config),
            with_weights=config.output_attentions if output_attentions is None else output_attentions,
            with_states=config.output_hidden_states if output_hidden_states is None else output_hidden_states,
            with_cache=use_cache and config.is_decoder,
            past=past_key_values,
            encoder_states=encoder_hidden_states,
            encoder_mask=None if encoder_attention_mask is None else additive_mask(encoder_attention_mask),
            first_only=first_only,
        )
        return output if as_dict else output.to_tuple()


def caches_by_default(config: ElectraConfig, attention_mask: Tensor | None) -> bool:
    """Whether a decoder answers with keys and values unasked: config.use_cache, the documented default of TensorFlow.

    The reference's TensorFlow class knows neither masks (B, L, L) nor relative positions; with them, and in tuples, the
    default is PyTorch's, which is no.
    """
    has_rows = attention_mask is None or attention_mask.shape.rank == 2
    return config.use_cache and has_rows and config.position_embedding_type == "absolute"


def causal_mask(attention_mask: Tensor | None, length: int | Tensor, past: int | Tensor) -> Tensor:
    """Which keys each position of a decoder may look at: (B, L, K) from (B, K) or nothing; (B, L, K) as it is."""
    if attention_mask is not None and attention_mask.shape.rank == 3:
        return attention_mask
    keys = tf.range(past + length)
    before = tf.cast(keys[None, None, :] <= keys[None, past:, None], tf.float32)  # (1, L, K)
    return before if attention_mask is None else before * tf.cast(attention_mask, tf.float32)[:, None, :]


def additive_mask(attention_mask: Tensor) -> Tensor:
    """What is added to the scores: 0 where allowed, the smallest float32 where not. (B, 1, 1 or L, L).

    The smallest number, not -inf: a row that is all padding then attends evenly instead of becoming NaN.
    """
    shaped = attention_mask[:, None, None, :] if attention_mask.shape.rank == 2 else attention_mask[:, None, :, :]
    return (1.0 - tf.cast(shaped, tf.float32)) * tf.float32.min


def expand_head_mask(head_mask: Tensor, config: ElectraConfig) -> Tensor:
    """(N,) or (layers, N) -> (layers, N, 1, 1)."""
    heads = shape_of(head_mask)[-1]
    return tf.broadcast_to(tf.cast(head_mask, tf.float32), [config.num_hidden_layers, heads])[:, :, None, None]
