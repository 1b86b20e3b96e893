"""What an ElectraConfig may hold: the allowed values, and every problem of a configuration in one list."""

from collections.abc import Mapping
from typing import Any

from electra.errors import did_you_mean

ACTIVATIONS = (
    "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu", "swish", "tanh", "linear",
)  # fmt: skip
POSITION_TYPES = ("absolute", "relative_key", "relative_key_query")
SUMMARY_TYPES = ("first", "last", "mean", "cls_index")
PROBLEM_TYPES = (None, "regression", "single_label_classification", "multi_label_classification")
POSITIVE_INTEGERS = (
    "vocab_size", "embedding_size", "hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings",
    "type_vocab_size", "beam_size",
)  # fmt: skip
SHARES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "summary_last_dropout", "summary_first_dropout")
SWITCHES = (
    "summary_use_proj", "summary_proj_to_labels", "use_cache", "is_decoder", "add_cross_attention", "tie_word_embeddings",
    "output_attentions", "output_hidden_states", "return_dict", "joint_prediction", "answerable_classifier",
    "answerable_uses_start_logits",
)  # fmt: skip


def problems_of(values: Mapping[str, Any]) -> list[str]:
    """One sentence per problem of a configuration's fields: what was found, what was expected."""
    return [*_numbers(values), *_choices(values), *_relations(values)]


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numbers(values: Mapping[str, Any]) -> list[str]:
    problems = []
    for key in POSITIVE_INTEGERS:
        if not _is_integer(values[key]) or values[key] < 1:
            problems.append(f"{key} is {values[key]!r}, expected a whole number of at least 1")
    for key in ("num_hidden_layers", "chunk_size_feed_forward"):
        if not _is_integer(values[key]) or values[key] < 0:
            problems.append(f"{key} is {values[key]!r}, expected a whole number of at least 0")
    for key in SHARES:
        if not _is_number(values[key]) or not 0 <= values[key] <= 1:
            problems.append(f"{key} is {values[key]!r}, expected a number from 0 to 1")
    dropout = values["classifier_dropout"]
    if dropout is not None and (not _is_number(dropout) or not 0 <= dropout <= 1):
        problems.append(f"classifier_dropout is {dropout!r}, expected None or a number from 0 to 1")
    for key in ("initializer_range", "layer_norm_eps"):
        if not _is_number(values[key]) or values[key] <= 0:
            problems.append(f"{key} is {values[key]!r}, expected a positive number")
    return problems


def _choices(values: Mapping[str, Any]) -> list[str]:
    choices: dict[str, tuple[Any, ...]] = {
        "hidden_act": ACTIVATIONS,
        "summary_activation": (None, *ACTIVATIONS),
        "summary_type": SUMMARY_TYPES,
        "position_embedding_type": POSITION_TYPES,
        "problem_type": PROBLEM_TYPES,
    }
    problems = []
    for key, allowed in choices.items():
        if values[key] not in allowed:
            hint = did_you_mean(str(values[key]), [name for name in allowed if name])
            problems.append(f"{key} is {values[key]!r}{hint}, expected one of {', '.join(map(str, allowed))}")
    names = values["architectures"]
    if names is not None and not (isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)):
        problems.append(f"architectures is {names!r}, expected a list with the name of a class")
    for key in SWITCHES:
        if not isinstance(values[key], bool):
            problems.append(f"{key} is {values[key]!r}, expected true or false")
    return problems


def _relations(values: Mapping[str, Any]) -> list[str]:
    problems = []
    hidden, heads, pad, vocab = (
        values[key] for key in ("hidden_size", "num_attention_heads", "pad_token_id", "vocab_size")
    )
    if _is_integer(hidden) and _is_integer(heads) and heads > 0 and hidden % heads:
        problems.append(f"hidden_size {hidden} is not a multiple of num_attention_heads {heads}")
    if pad is not None and (not _is_integer(pad) or pad < 0 or (_is_integer(vocab) and pad >= vocab)):
        problems.append(f"pad_token_id is {pad!r}, expected an id of the vocabulary (0 to {vocab} - 1)")
    if _is_integer(heads) and not _is_pruning(values["pruned_heads"], heads):
        problems.append(
            f"pruned_heads is {values['pruned_heads']!r}, expected layers with their pruned heads (0 to {heads} - 1)"
        )
    return problems


def _is_pruning(value: Any, heads: int) -> bool:
    """Whether this is layer -> heads. Layers are texts in JSON."""
    return isinstance(value, Mapping) and all(
        str(layer).isdecimal()
        and isinstance(gone, list | tuple | set)
        and all(_is_integer(head) and 0 <= head < heads for head in gone)
        for layer, gone in value.items()
    )
