"""What a model is given, looked at before TensorFlow does: errors that name the place and the limit."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from electra.config import ElectraConfig
from electra.errors import InputError
from electra.losses import IGNORED
from electra.tf.layers import KeysAndValues

Tensor = Any  # tf.Tensor; TensorFlow has no types for mypy
INTEGERS = (tf.int64, tf.int32)


def check_inputs(
    config: ElectraConfig,
    input_ids: Tensor | None,
    attention_mask: Tensor | None,
    token_type_ids: Tensor | None,
    position_ids: Tensor | None,
    inputs_embeds: Tensor | None,
    past: int = 0,
) -> None:
    """Raise InputError that names the place and the limit, before TensorFlow does without them."""
    if (input_ids is None) == (inputs_embeds is None):
        raise InputError(f"give either input_ids or inputs_embeds; got {'neither' if input_ids is None else 'both'}")
    given, axes = (inputs_embeds, "(rows, positions, E)") if input_ids is None else (input_ids, "(rows, positions)")
    assert given is not None  # one of the two is
    if given.ndim != len(axes.split(",")):
        raise InputError(f"the input has shape {tuple(given.shape)}; expected {axes}")
    rows, length = given.shape[:2]
    if length == 0 and rows:
        raise InputError(f"the {rows} rows are empty sequences; expected at least one token each, such as [CLS]")
    limit = config.max_position_embeddings
    if past + length > limit and (position_ids is None or config.position_embedding_type != "absolute"):
        raise InputError(
            f"the input has {past + length} positions, but the model takes {limit} (max_position_embeddings); "
            "truncate the text or split it into windows"
        )
    _check_mask(attention_mask, rows, length, past)
    _check_ids("input_ids", input_ids, config.vocab_size, "vocab_size")
    _check_ids("token_type_ids", token_type_ids, config.type_vocab_size, "type_vocab_size")
    _check_ids("position_ids", position_ids, limit, "max_position_embeddings")


def check_decoding(
    config: ElectraConfig, of_encoder: tuple[Tensor | None, ...], past: Sequence[KeysAndValues] | None
) -> None:
    """Raise InputError where a call asks for what this model was not configured to do."""
    if past is not None and not config.is_decoder:
        raise InputError("past_key_values are for decoders; this model has is_decoder false")
    if any(given is not None for given in of_encoder) and not config.add_cross_attention:
        raise InputError(
            "encoder_hidden_states and their mask need cross-attention; this model has add_cross_attention false "
            "and no weights for it"
        )


def check_labels(labels: Tensor, shape: tuple[int, ...], count: int) -> None:
    """Raise InputError unless labels have the shape, and are -100 or one of 0 to count - 1."""
    if tuple(labels.shape) != shape:
        raise InputError(f"labels have shape {tuple(labels.shape)}; expected {shape}")
    _check_ids("labels", tf.where(labels == IGNORED, tf.zeros_like(labels), labels), count, "the number of labels")


def _check_mask(attention_mask: Tensor | None, rows: int, length: int, past: int) -> None:
    allowed = ((rows, past + length), (rows, length, past + length))
    if attention_mask is not None and tuple(attention_mask.shape) not in allowed:
        raise InputError(
            f"attention_mask has shape {tuple(attention_mask.shape)}; expected {allowed[0]} or {allowed[1]}"
        )


def _check_ids(what: str, ids: Tensor | None, limit: int, name: str) -> None:
    if ids is None:
        return
    if ids.dtype not in INTEGERS:
        raise InputError(f"{what} has type {ids.dtype.name}; expected whole numbers (tf.int64 or tf.int32)")
    values = ids.numpy()
    if values.size == 0 or (values.min() >= 0 and values.max() < limit):
        return
    found = tuple(((values < 0) | (values >= limit)).nonzero()[axis][0] for axis in range(values.ndim))
    *row, position = found
    place = f"row {row[0]}, position {position}" if row else f"position {position}"
    raise InputError(
        f"{what} holds {values[found]} in {place}; expected 0 to {limit - 1} "
        f"({name} {limit}). Is the tokenizer from another model?"
    )
