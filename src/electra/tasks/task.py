"""What a task is: examples become features, a model answers them, the answers become predictions and scores.

    Example -> Kind.features -> Feature -> collate -> a model of Kind.head -> Kind.predictions -> Kind.scores

A kind (classification, regression, tagging, ...) holds the rules, without weights and without a framework. A task is a kind
with data: a row of a published benchmark, or your own files.

Unusual here: an example may give several features (windows of a long text), and a kind joins their answers again.
Shapes: B rows, C choices, L positions, N labels.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

Array = np.ndarray[Any, Any]
Outputs = Mapping[
    str, Array
]  # what a model says of one feature, without padding: logits (N,) or (L, N), start_logits (L,)
Prediction = dict[str, Any]  # plain values, as a line of JSON


@dataclass(frozen=True, kw_only=True)
class Example:
    """One thing of a data set. `place` is where it was read, such as "dev.tsv:17": errors name it."""

    id: str
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class TextExample(Example):
    """A text, or a pair, with a label: a name, a number, or the names of those that hold; None where it is not known."""

    text: str
    pair: str | None = None
    label: str | float | tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class TaggedExample(Example):
    """Words with a tag each; no tags where they are not known."""

    words: tuple[str, ...]
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer and the character it begins at in the context."""

    text: str
    start: int


@dataclass(frozen=True, kw_only=True)
class QuestionExample(Example):
    """A question about a context. No answers: the context does not answer it. None: not known."""

    question: str
    context: str
    answers: tuple[Answer, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ChoiceExample(Example):
    """A prompt with several continuations, of which number `label` (from 0) fits; None where it is not known."""

    prompt: str
    choices: tuple[str, ...]
    label: int | None = None


E = TypeVar("E", bound=Example)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One row a model reads, in NumPy, without padding.

    example         the example's number in the list it came from
    input_ids       (L,), or a tuple of C arrays for choices     token_type_ids   alike
    targets         what the loss needs: labels () or (N,) or (L,), start_positions (), ...; empty where not known
    aside           what the kind needs to read the model's answer, such as where words begin
    unread          pieces of the example that no row has, being too long
    """

    example: int
    input_ids: Array | tuple[Array, ...]
    token_type_ids: Array | tuple[Array, ...]
    targets: Mapping[str, Array] = field(default_factory=dict)
    aside: Any = None
    unread: int = 0

    @property
    def length(self) -> int:
        """Positions of its longest row."""
        rows = self.input_ids if isinstance(self.input_ids, tuple) else (self.input_ids,)
        return max(len(row) for row in rows)


class Kind(ABC):
    """The rules of one kind of task. Frozen dataclasses derive from it; their fields are the kind's settings."""

    name: ClassVar[str]  # as users write it
    head: ClassVar[str]  # the row of electra.heads.HEADS that answers it
    measures: ClassVar[tuple[str, ...]]  # the names its scores may have; the first decides where a task names no other

    @abstractmethod
    def labels(self, examples: Sequence[Any]) -> tuple[str, ...]:
        """The labels in order, as id2label holds them. Raises DataError where the examples cannot be learned from."""

    @abstractmethod
    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """What ElectraConfig gets: num_labels, id2label, label2id, problem_type."""

    def learnable(self, examples: Sequence[Any]) -> list[Any]:
        """The examples a model can learn from: all of them, unless a kind leaves out those whose truth cannot be shown."""
        return list(examples)

    @abstractmethod
    def features(
        self, examples: Sequence[Any], tokenizer: Any, labels: tuple[str, ...], max_length: int
    ) -> list[Feature]:
        """The rows of all examples, in order. Raises DataError on a label that `labels` does not have, with its place."""

    @abstractmethod
    def predictions(
        self, examples: Sequence[Any], features: Sequence[Feature], outputs: Sequence[Outputs], labels: tuple[str, ...]
    ) -> list[Prediction]:
        """One for each example, in order. Each holds "id"."""

    @abstractmethod
    def scores(
        self, examples: Sequence[Any], predictions: Sequence[Prediction], labels: tuple[str, ...]
    ) -> dict[str, float]:
        """The measures by name, as shares (0 to 1; correlations -1 to 1), over the examples whose truth is known."""

    def tuned(self, examples: Sequence[Any], predictions: Sequence[Prediction], labels: tuple[str, ...]) -> Self:
        """The kind with what dev examples tell of its settings, such as a threshold; itself where there is nothing to tell."""
        return self


def collate(
    features: Sequence[Feature], *, pad_token_id: int, multiple: int = 8
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Features as one batch: inputs (input_ids, attention_mask, token_type_ids) and targets.

    Inputs are (B, L) int32, or (B, C, L) for choices, padded to the longest row rounded up to `multiple`. Targets of one
    value a position are padded with -100. Raises ValueError where some features have targets and others have none.
    """
    length = -(-max(feature.length for feature in features) // multiple) * multiple
    inputs = {
        "input_ids": _padded([feature.input_ids for feature in features], length, pad_token_id),
        "attention_mask": _padded([_ones(feature.input_ids) for feature in features], length, 0),
        "token_type_ids": _padded([feature.token_type_ids for feature in features], length, 0),
    }
    names = {tuple(feature.targets) for feature in features}
    if len(names) > 1:
        raise ValueError(f"features of one batch have different targets: {sorted(names)}")
    return inputs, {
        name: _target([feature.targets[name] for feature in features], features, length) for name in names.pop()
    }


def _ones(ids: Array | tuple[Array, ...]) -> Array | tuple[Array, ...]:
    return tuple(np.ones_like(row) for row in ids) if isinstance(ids, tuple) else np.ones_like(ids)


def _padded(rows: Sequence[Array | tuple[Array, ...]], length: int, filler: int) -> Array:
    if isinstance(rows[0], tuple):
        return np.stack([_padded(row, length, filler) for row in rows if isinstance(row, tuple)])
    out = np.full((len(rows), length), filler, np.int32)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return out


def _target(values: Sequence[Array], features: Sequence[Feature], length: int) -> Array:
    each_position = values[0].ndim == 1 and all(len(v) == f.length for v, f in zip(values, features, strict=True))
    if not each_position or values[0].dtype.kind == "f":
        return np.stack(values)
    out = np.full((len(values), length), -100, values[0].dtype)
    for place, row in zip(out, values, strict=True):
        place[: len(row)] = row
    return out
