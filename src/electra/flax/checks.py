"""What a model is given, looked at before JAX does, which would answer with NaN: errors that name the place and the limit."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from electra.config import ElectraConfig
from electra.errors import ConfigError, InputError
from electra.flax.activations import activation


def check_inputs(
    config: ElectraConfig,
    input_ids: Any,
    attention_mask: Any,
    token_type_ids: Any,
    position_ids: Any,
    past: Mapping[str, Any] | None = None,
) -> None:
    """Raise InputError that names the place and the limit. Of a traced array, inside jit or grad, only the shape is known."""
    shape = np.shape(input_ids)
    if len(shape) != 2:
        raise InputError(f"the input has shape {shape}; expected (rows, positions)")
    rows, length = shape
    if length == 0 and rows:
        raise InputError(f"the {rows} rows are empty sequences; expected at least one token each, such as [CLS]")
    limit = config.max_position_embeddings
    before = int(past["index"]) if past and is_known(past["index"]) else 0
    if before + length > limit and (position_ids is None or config.position_embedding_type != "absolute"):
        raise InputError(
            f"the input has {before + length} positions, but the model takes {limit} (max_position_embeddings); "
            "truncate the text or split it into windows"
        )
    room = past["layers"][0][0].shape[2] if past else length
    if before + length > room:
        raise InputError(
            f"the cache has room for {room} positions, and {before + length} are to be kept; make it longer by init_cache"
        )
    _check_mask(attention_mask, rows, length, before if past else None, room)
    _check_ids("input_ids", input_ids, config.vocab_size, "vocab_size")
    _check_ids("token_type_ids", token_type_ids, config.type_vocab_size, "type_vocab_size")
    _check_ids("position_ids", position_ids, limit, "max_position_embeddings")


def check_config(config: ElectraConfig) -> None:
    """Raise ConfigError where cross-attention is asked for without a decoder, or an activation that is not there."""
    activation(config.hidden_act)
    if config.add_cross_attention and not config.is_decoder:
        raise ConfigError("add_cross_attention is for decoders; set is_decoder to true as well")


def check_decoding(config: ElectraConfig, of_encoder: tuple[Any, ...], past: Mapping[str, Any] | None) -> None:
    """Raise InputError where a call asks for what this model was not configured to do."""
    if past is not None and not config.is_decoder:
        raise InputError("past_key_values are for decoders; this model has is_decoder false")
    if any(given is not None for given in of_encoder) and not config.add_cross_attention:
        raise InputError(
            "encoder_hidden_states and their mask need cross-attention; this model has add_cross_attention false "
            "and no weights for it"
        )


def is_known(value: Any) -> bool:
    """Whether a value can be looked at: not while JAX traces, nor where it is on another machine's devices."""
    return not isinstance(value, jax.core.Tracer) and getattr(value, "is_fully_addressable", True)


def _check_mask(attention_mask: Any, rows: int, length: int, before: int | None, room: int) -> None:
    """With a cache, which has kept `before` positions, a mask may have columns for all its room, too."""
    if attention_mask is None:
        return
    shape, columns = np.shape(attention_mask), length + (before or 0)
    allowed = ((rows, columns), (rows, length, columns))
    fits = len(shape) in (2, 3) and shape[:-1] in ((rows,), (rows, length)) and columns <= shape[-1] <= room
    if not fits:
        longer = "" if before is None else f", or up to {room} columns"
        raise InputError(f"attention_mask has shape {shape}; expected {allowed[0]} or {allowed[1]}{longer}")


def _check_ids(what: str, given: Any, limit: int, name: str) -> None:
    if given is None or not is_known(given):
        return
    ids = np.asarray(given)
    if ids.dtype.kind not in "iu":
        raise InputError(f"{what} has type {ids.dtype}; expected whole numbers (int32)")
    wrong = np.argwhere((ids < 0) | (ids >= limit))
    if not len(wrong):
        return
    *row, position = wrong[0].tolist()
    place = f"row {row[0]}, position {position}" if row else f"position {position}"
    raise InputError(
        f"{what} holds {ids[(*row, position)]} in {place}; expected 0 to {limit - 1} "
        f"({name} {limit}). Is the tokenizer from another model?"
    )
