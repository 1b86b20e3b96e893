"""One label a text or pair, several labels, or a number: what GLUE asks, and most of what people bring.

    text (and pair) -> one row, or windows over a long text -> logits -> averaged over the windows -> label or number

Unusual here: with `windows` a long text is not cut. Each window is learned from with the text's label, and the logits of its
windows are averaged for an answer.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from electra.errors import ConfigError, DataError
from electra.tasks import metrics
from electra.tasks.labels import in_order, label_of, named, names_of, number_of, some, value_of
from electra.tasks.rows import cut_row, piece_ids, unread, window_rows
from electra.tasks.task import Array, Feature, Kind, Outputs, Prediction, TextExample


@dataclass(frozen=True, kw_only=True)
class TextKind(Kind):
    """What the kinds that answer a whole text share.

    windows   pieces that neighbouring windows over a long text share; None: a long text is cut
    """

    windows: int | None = None

    def __post_init__(self) -> None:
        if self.windows is not None and self.windows < 0:
            raise ConfigError(f"windows is {self.windows}, expected the number of pieces that two share, 0 or more")

    def features(
        self, examples: Sequence[TextExample], tokenizer: Any, labels: tuple[str, ...], max_length: int
    ) -> list[Feature]:
        """One for each example, or for each of its windows. They have targets where every example's label is known."""
        targets = self._targets(examples, labels)
        firsts = piece_ids([example.text for example in examples], tokenizer)
        pairs = iter(piece_ids([example.pair for example in examples if example.pair is not None], tokenizer))
        made: list[Feature] = []
        for number, (example, first, target) in enumerate(zip(examples, firsts, targets, strict=True)):
            second = None if example.pair is None else next(pairs)
            if self.windows is None:
                rows = [cut_row(first, second, tokenizer, max_length)]
            else:
                rows = window_rows(first, second, tokenizer, max_length, self.windows)
            lost = unread(first, second, max_length, in_windows=self.windows is not None)
            made += [
                Feature(example=number, input_ids=ids, token_type_ids=types, targets=target, unread=lost)
                for ids, types in rows
            ]
        return made

    def _targets(self, examples: Sequence[TextExample], labels: tuple[str, ...]) -> list[dict[str, Array]]:
        if any(example.label is None for example in examples):
            return [{} for _ in examples]
        return [{"labels": self._target(example, labels)} for example in examples]

    @abstractmethod
    def _target(self, example: TextExample, labels: tuple[str, ...]) -> Array:
        """What the loss needs of an example whose label is known."""


@dataclass(frozen=True, kw_only=True)
class Classification(TextKind):
    """One label of several for a text or a pair.

    Predictions: {"id", "label", "score", "probabilities"}, the score being the label's probability.
    Scores: accuracy, f1_macro and matthews; with two labels also f1 and roc_auc, of the second one.
    """

    name: ClassVar[str] = "classification"
    head: ClassVar[str] = "sequence_classification"
    measures: ClassVar[tuple[str, ...]] = ("accuracy", "f1_macro", "matthews", "f1", "roc_auc")

    def labels(self, examples: Sequence[TextExample]) -> tuple[str, ...]:
        """Sorted; numbers by their value."""
        found = in_order(str(label_of(example)) for example in some(examples))
        if len(found) < 2:
            raise DataError(f'all {len(examples)} examples have the label "{found[0]}": there is nothing to tell apart')
        return found

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """Of a head with one logit a label."""
        return named(labels) | {"problem_type": "single_label_classification"}

    def _target(self, example: TextExample, labels: tuple[str, ...]) -> Array:
        return np.array(number_of(str(example.label), labels, example), np.int32)

    def predictions(
        self,
        examples: Sequence[TextExample],
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: tuple[str, ...],
    ) -> list[Prediction]:
        """The most probable label; of equals the first."""
        probabilities = softmax(averaged(features, outputs, len(examples)))
        return [
            {
                "id": example.id,
                "label": labels[int(row.argmax())],
                "score": float(row.max()),
                "probabilities": dict(zip(labels, row.tolist(), strict=True)),
            }
            for example, row in zip(examples, probabilities, strict=True)
        ]

    def scores(
        self, examples: Sequence[TextExample], predictions: Sequence[Prediction], labels: tuple[str, ...]
    ) -> dict[str, float]:
        """roc_auc is left out where the examples have one label only."""
        judged = [(str(e.label), p) for e, p in zip(examples, predictions, strict=True) if e.label is not None]
        truth, answers = [label for label, _ in judged], [prediction["label"] for _, prediction in judged]
        found = {
            "accuracy": metrics.accuracy(truth, answers),
            "f1_macro": metrics.f1_macro(truth, answers),
            "matthews": metrics.matthews(truth, answers),
        }
        if len(labels) == 2:
            found["f1"] = metrics.f1_of(truth, answers, labels[1])
            positive = np.array([label == labels[1] for label in truth], bool)
            if 0 < positive.sum() < len(positive):
                ranked = np.array([prediction["probabilities"][labels[1]] for _, prediction in judged])
                found["roc_auc"] = metrics.roc_auc(ranked, positive)
        return found


@dataclass(frozen=True, kw_only=True)
class MultiLabel(TextKind):
    """Any number of labels for a text or a pair, none included.

    Predictions: {"id", "labels", "probabilities"}: those labels whose probability is at least `threshold`.
    Scores: f1_micro, f1_macro (the mean over all labels the model has) and subset_accuracy (all labels right).
    """

    name: ClassVar[str] = "multi-label"
    head: ClassVar[str] = "sequence_classification"
    measures: ClassVar[tuple[str, ...]] = ("f1_micro", "f1_macro", "subset_accuracy")

    threshold: float = 0.5

    def labels(self, examples: Sequence[TextExample]) -> tuple[str, ...]:
        """Sorted; numbers by their value."""
        found = in_order(name for example in some(examples) for name in names_of(label_of(example)))
        if not found:
            raise DataError(f"none of {len(examples)} examples has a label: there is nothing to learn")
        return found

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """Of a head with one logit a label."""
        return named(labels) | {"problem_type": "multi_label_classification"}

    def _target(self, example: TextExample, labels: tuple[str, ...]) -> Array:
        target = np.zeros(len(labels), np.float32)
        target[[number_of(name, labels, example) for name in names_of(example.label)]] = 1
        return target

    def predictions(
        self,
        examples: Sequence[TextExample],
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: tuple[str, ...],
    ) -> list[Prediction]:
        """The labels that hold, in the order of `labels`."""
        probabilities = 1 / (1 + np.exp(-averaged(features, outputs, len(examples))))
        return [
            {
                "id": example.id,
                "labels": [label for label, value in zip(labels, row, strict=True) if value >= self.threshold],
                "probabilities": dict(zip(labels, row.tolist(), strict=True)),
            }
            for example, row in zip(examples, probabilities, strict=True)
        ]

    def scores(
        self, examples: Sequence[TextExample], predictions: Sequence[Prediction], labels: tuple[str, ...]
    ) -> dict[str, float]:
        """Over labels the model has; others in the truth count as missed only by subset_accuracy."""
        judged = [
            (set(names_of(e.label)), set(p["labels"]))
            for e, p in zip(examples, predictions, strict=True)
            if e.label is not None
        ]
        truth, answers = (
            np.array([[label in pair[side] for label in labels] for pair in judged], bool).reshape(-1, len(labels))
            for side in (0, 1)
        )
        return {
            "f1_micro": metrics.micro_rates(truth, answers).f1,
            "f1_macro": metrics.macro(metrics.per_label(truth, answers)).f1,
            "subset_accuracy": float(np.mean([there == given for there, given in judged])) if judged else 0.0,
        }


@dataclass(frozen=True, kw_only=True)
class Regression(TextKind):
    """A number for a text or a pair.

    low, high   what the model learns as 0 and as 1; STS-B: 0 and 5. None: see `scaled_to`
    Predictions: {"id", "value"}. Scores: pearson, spearman, and mse in the square of the numbers' own unit.
    """

    name: ClassVar[str] = "regression"
    head: ClassVar[str] = "sequence_classification"
    measures: ClassVar[tuple[str, ...]] = ("pearson", "spearman", "mse")

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise ConfigError(f"low is {self.low} and high is {self.high}, expected a lower and a higher number")

    def scaled_to(self, examples: Sequence[TextExample]) -> "Regression":
        """With the lowest and highest number of the examples as low and high: numbers far from 0 to 1 learn slowly."""
        values = [value_of(example) for example in some(examples)]
        if min(values) == max(values):
            raise DataError(f"all {len(examples)} examples have the number {values[0]:g}: there is nothing to learn")
        return replace(self, low=min(values), high=max(values))

    def labels(self, examples: Sequence[TextExample]) -> tuple[str, ...]:
        """One name for the one logit."""
        for example in some(examples):
            value_of(example)
        return ("value",)

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """Of a head with one logit."""
        return named(labels) | {"problem_type": "regression"}

    def _target(self, example: TextExample, labels: tuple[str, ...]) -> Array:
        return np.array((value_of(example) - self.low) / (self.high - self.low), np.float32)

    def predictions(
        self,
        examples: Sequence[TextExample],
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: tuple[str, ...],
    ) -> list[Prediction]:
        """Numbers in the examples' own unit, not cut to low and high."""
        values = averaged(features, outputs, len(examples))[:, 0] * (self.high - self.low) + self.low
        return [{"id": e.id, "value": float(value)} for e, value in zip(examples, values, strict=True)]

    def scores(
        self, examples: Sequence[TextExample], predictions: Sequence[Prediction], labels: tuple[str, ...]
    ) -> dict[str, float]:
        """Correlations with the truth, and the mean squared error."""
        pairs = [(value_of(e), p["value"]) for e, p in zip(examples, predictions, strict=True) if e.label is not None]
        truth, answers = np.array(pairs, np.float64).reshape(-1, 2).T
        return {
            "pearson": metrics.pearson(truth, answers),
            "spearman": metrics.spearman(truth, answers),
            "mse": metrics.mean_squared_error(truth, answers),
        }


def both_orders(examples: Sequence[TextExample]) -> list[TextExample]:
    """The examples, and then all of them again with the two texts swapped: for pairs that say the same either way.

    The original does so with the training sets of MRPC and STS-B (its setting double_unordered).
    """
    return [*examples, *(replace(e, text=e.pair, pair=e.text) for e in examples if e.pair is not None)]


def averaged(features: Sequence[Feature], outputs: Sequence[Outputs], count: int) -> Array:
    """The mean logits of each example's windows: (count, N) float64."""
    if not outputs:
        return np.zeros((count, 1))
    owners = np.array([feature.example for feature in features], np.int64)
    logits = np.stack([np.asarray(output["logits"], np.float64) for output in outputs])
    total = np.zeros((count, logits.shape[1]))
    np.add.at(total, owners, logits)
    return total / np.bincount(owners, minlength=count)[:, None]


def softmax(logits: Array) -> Array:
    """Probabilities (B, N)."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: Array = powers / powers.sum(1, keepdims=True)
    return shares
