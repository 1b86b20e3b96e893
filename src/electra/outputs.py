"""What models answer with: named fields that can also be read by key or by position.

Unusual here: a field that was not computed is None as an attribute, absent as a key, and no position.
Field names and their order are Hugging Face's; `array` stands for the tensor type of the framework in use.
"""

from collections.abc import Iterator
from typing import Any

Array = Any  # torch.Tensor, jax.Array or tf.Tensor


class ModelOutput(dict[str, Any]):
    """A dictionary of the fields that were computed, in the order the class declares them.

    `output.logits`, `output["logits"]` and `output[0]` read the same array; `return_dict=False` gives `to_tuple()`.
    """

    def __init__(self, *values: Array, **named: Array) -> None:
        fields = self.fields()
        if len(values) == 1 and isinstance(values[0], Iterator):  # of names and values, as TensorFlow rebuilds mappings
            named, values = dict(values[0]), ()
        if len(values) > len(fields):
            raise TypeError(f"{type(self).__name__} has {len(fields)} fields, got {len(values)} values")
        given = dict(zip(fields, values, strict=False))
        twice, unknown = given.keys() & named.keys(), named.keys() - set(fields)
        if twice or unknown:
            raise TypeError(f"{type(self).__name__} got {sorted(twice or unknown)}; its fields are {', '.join(fields)}")
        given |= named
        super().__init__({name: given[name] for name in fields if given.get(name) is not None})

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """Every field this class declares, computed or not."""
        return tuple(cls.__annotations__)

    def to_tuple(self) -> tuple[Array, ...]:
        """The computed fields by position."""
        return tuple(self.values())

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __getattr__(self, name: str) -> Array:
        if name in type(self).__annotations__:
            return self.get(name)
        raise AttributeError(f"{type(self).__name__} has no field {name!r}; its fields are {', '.join(self.fields())}")


class BaseModelOutput(ModelOutput):
    """The encoder's answer: last_hidden_state (B, L, H); hidden_states and attentions where asked, one per layer."""

    last_hidden_state: Array
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None


class BaseModelOutputWithPastAndCrossAttentions(ModelOutput):
    """As BaseModelOutput, with what a decoder adds: keys and values so far, and attention over another encoder."""

    last_hidden_state: Array
    past_key_values: Any
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None
    cross_attentions: tuple[Array, ...] | None


class ElectraForPreTrainingOutput(ModelOutput):
    """The discriminator's answer: logits (B, L), above 0 where a token looks replaced; loss where labels were given."""

    loss: Array | None
    logits: Array
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None


class MaskedLMOutput(ModelOutput):
    """The generator's answer: logits (B, L, V); loss where labels were given."""

    loss: Array | None
    logits: Array
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None


class CausalLMOutputWithCrossAttentions(ModelOutput):
    """A decoder's answer: logits (B, L, V) for the token after each position; loss where labels were given."""

    loss: Array | None
    logits: Array
    past_key_values: Any
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None
    cross_attentions: tuple[Array, ...] | None


class SequenceClassifierOutput(ModelOutput):
    """One answer a text: logits (B, N), N labels (or values to predict); loss where labels were given."""

    loss: Array | None
    logits: Array
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None


class MultipleChoiceModelOutput(ModelOutput):
    """One score a choice: logits (B, C); hidden states and attentions have B times C rows; loss where labels were given."""

    loss: Array | None
    logits: Array
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None


class TokenClassifierOutput(ModelOutput):
    """One label a token: logits (B, L, N); loss where labels were given."""

    loss: Array | None
    logits: Array
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None


class QuestionAnsweringModelOutput(ModelOutput):
    """Where the answer starts and ends: start_logits and end_logits (B, L); loss where both positions were given."""

    loss: Array | None
    start_logits: Array
    end_logits: Array
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None


class OriginalQuestionAnsweringOutput(ModelOutput):
    """The original's answer: start_logits, end_logits (B, L) or beams; no_answer_logits (B,) above 0 where there is none."""

    loss: Array | None
    start_logits: Array
    end_logits: Array | None
    no_answer_logits: Array | None
    start_top_log_probs: Array | None
    start_top_index: Array | None
    end_top_log_probs: Array | None
    end_top_index: Array | None
    hidden_states: tuple[Array, ...] | None
    attentions: tuple[Array, ...] | None
