"""Which of several continuations fits a prompt: SWAG, COPA, CommonsenseQA.

One row a choice, [CLS] prompt [SEP] choice [SEP], and one logit a row; the softmax goes over the choices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from electra.errors import DataError
from electra.tasks import metrics
from electra.tasks.classification import averaged, softmax
from electra.tasks.labels import some, where
from electra.tasks.rows import cut_row, piece_ids, unread
from electra.tasks.task import ChoiceExample, Feature, Kind, Outputs, Prediction


@dataclass(frozen=True, kw_only=True)
class Choice(Kind):
    """The number of the right choice, from 0. All examples have as many choices.

    Predictions: {"id", "label", "choice", "score", "probabilities"}: the number, its text, its probability, all of them.
    """

    name: ClassVar[str] = "choice"
    head: ClassVar[str] = "multiple_choice"
    measures: ClassVar[tuple[str, ...]] = ("accuracy",)

    def labels(self, examples: Sequence[ChoiceExample]) -> tuple[str, ...]:
        """The numbers of the choices. Raises DataError where an example has no label, or another number of choices."""
        for example in some(examples):
            if example.label is None:
                raise DataError(f"{where(example)}: no label, and examples to learn from need one")
        return tuple(map(str, range(_count(examples))))

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """Nothing: the head has one logit a choice, whatever the number of choices."""
        return {}

    def features(
        self, examples: Sequence[ChoiceExample], tokenizer: Any, labels: tuple[str, ...], max_length: int
    ) -> list[Feature]:
        """One for each example, with a row a choice; a row too long loses pieces from its longer side."""
        if not examples:
            return []
        _count(examples)
        texts = [text for example in examples for text in (example.prompt, *example.choices)]
        found = dict(zip(texts, piece_ids(texts, tokenizer), strict=True))
        is_known = all(example.label is not None for example in examples)
        made = []
        for number, example in enumerate(examples):
            if is_known and not 0 <= (example.label or 0) < len(example.choices):
                raise DataError(
                    f"{where(example)}: label {example.label}, expected the number of a choice, 0 to {len(example.choices) - 1}"
                )
            prompt = found[example.prompt]
            rows = [cut_row(prompt, found[choice], tokenizer, max_length) for choice in example.choices]
            made.append(
                Feature(
                    example=number,
                    input_ids=tuple(ids for ids, _ in rows),
                    token_type_ids=tuple(types for _, types in rows),
                    targets={"labels": np.array(example.label, np.int32)} if is_known else {},
                    unread=max(unread(prompt, found[choice], max_length) for choice in example.choices),
                )
            )
        return made

    def predictions(
        self,
        examples: Sequence[ChoiceExample],
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: tuple[str, ...],
    ) -> list[Prediction]:
        """The most probable choice; of equals the first."""
        probabilities = softmax(averaged(features, outputs, len(examples)))
        return [
            {
                "id": example.id,
                "label": int(row.argmax()),
                "choice": example.choices[int(row.argmax())],
                "score": float(row.max()),
                "probabilities": row.tolist(),
            }
            for example, row in zip(examples, probabilities, strict=True)
        ]

    def scores(
        self, examples: Sequence[ChoiceExample], predictions: Sequence[Prediction], labels: tuple[str, ...]
    ) -> dict[str, float]:
        """The share of right choices."""
        pairs = [(e.label, p["label"]) for e, p in zip(examples, predictions, strict=True) if e.label is not None]
        return {"accuracy": metrics.accuracy([label for label, _ in pairs], [answer for _, answer in pairs])}


def _count(examples: Sequence[ChoiceExample]) -> int:
    """How many choices each example has. Raises DataError where that differs, or is less than two."""
    expected = len(examples[0].choices)
    for example in examples:
        if len(example.choices) != expected or expected < 2:
            wanted = f"{expected}, as in {where(examples[0])}" if expected > 1 else "two or more"
            raise DataError(f"{where(example)}: {len(example.choices)} choices, expected {wanted}")
    return expected
