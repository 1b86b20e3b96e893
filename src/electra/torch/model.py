"""The encoder, from ids to hidden states."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from electra.config import ElectraConfig
from electra.errors import ConfigError
from electra.outputs import BaseModelOutputWithPastAndCrossAttentions
from electra.torch.checks import check_decoding, check_inputs
from electra.torch.layers import ElectraEmbeddings, ElectraEncoder, KeysAndValues
from electra.torch.pretrained import ElectraPreTrainedModel


class ElectraModel(ElectraPreTrainedModel):
    """The bare encoder. last_hidden_state (B, L, H); position 0, [CLS], stands for the whole text. A decoder if so configured."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        if config.add_cross_attention and not config.is_decoder:
            raise ConfigError("add_cross_attention is for decoders; set is_decoder to true as well")
        self.embeddings = ElectraEmbeddings(config)
        if config.embedding_size != config.hidden_size:
            self.embeddings_project = nn.Linear(config.embedding_size, config.hidden_size)
        self.encoder = ElectraEncoder(config)
        self.prune_heads(config.pruned_heads)
        self.post_init()

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
        past_key_values: Sequence[KeysAndValues] | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        first_only: bool = False,
    ) -> BaseModelOutputWithPastAndCrossAttentions | tuple[Tensor, ...]:
        """Encode ids (B, L), or rows of embeddings (B, L, E) in their place.

        attention_mask   (B, L) 1 on real tokens, or (B, L, L) 1 where the row's position may look at the column's. A
                         decoder's positions look at themselves and those before, unless the mask is (B, L, L)
        head_mask        (N,) or (layers, N), multiplied into the attention weights
        first_only       the caller reads position 0 of last_hidden_state alone, and the others may be left out
        Of decoders (is_decoder, and add_cross_attention for the encoder_* arguments):
        encoder_hidden_states (B, S, H) of another encoder, with encoder_attention_mask (B, S) or (B, L, S)
        past_key_values  what a call with use_cache answered; input_ids are then the L tokens after it, and the columns of
                         attention_mask count those before too
        Raises InputError on ids or lengths the model cannot take; `model.check_inputs = False` leaves the checks out.
        """
        config = self.config
        past = past_key_values[0][0].shape[2] if past_key_values else 0  # tokens of earlier calls
        if self.checks_now:
            check_decoding(config, (encoder_hidden_states, encoder_attention_mask), past_key_values)
            check_inputs(config, input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, past)
        hidden = self.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds, past)  # (B, L, E)
        if config.embedding_size != config.hidden_size:
            hidden = self.embeddings_project(hidden)  # (B, L, H)
        if config.is_decoder:
            attention_mask = causal_mask(attention_mask, hidden.shape[1], past, hidden.device)
        output = self.encoder(
            hidden,
            None if attention_mask is None else additive_mask(attention_mask, self.dtype),
            None if head_mask is None else expand_head_mask(head_mask, config, self.dtype),
            config.output_attentions if output_attentions is None else output_attentions,
            config.output_hidden_states if output_hidden_states is None else output_hidden_states,
            bool(use_cache) and config.is_decoder,
            past_key_values,
            encoder_hidden_states,
            None if encoder_attention_mask is None else additive_mask(encoder_attention_mask, self.dtype),
            first_only,
        )
        return output if self.wants_dict(return_dict) else output.to_tuple()


def causal_mask(attention_mask: Tensor | None, length: int, past: int, device: torch.device) -> Tensor:
    """Which keys each position of a decoder may look at: (B, L, K) from (B, K) or nothing; (B, L, K) as it is."""
    if attention_mask is not None and attention_mask.ndim == 3:
        return attention_mask
    before = torch.ones(1, length, past + length, dtype=torch.bool, device=device).tril(past)
    return before if attention_mask is None else before * attention_mask[:, None, :]


def additive_mask(attention_mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to the scores: 0 where allowed, the smallest number of `dtype` where not. (B, 1, 1 or L, L).

    The smallest number, not -inf: a row that is all padding then attends evenly instead of becoming NaN.
    """
    shaped = attention_mask[:, None, None, :] if attention_mask.ndim == 2 else attention_mask[:, None, :, :]
    return (1.0 - shaped.to(dtype)) * torch.finfo(dtype).min


def expand_head_mask(head_mask: Tensor, config: ElectraConfig, dtype: torch.dtype) -> Tensor:
    """(N,) or (layers, N) -> (layers, N, 1, 1)."""
    return head_mask.to(dtype).expand(config.num_hidden_layers, -1)[:, :, None, None]
