"""Runs that collapsed, a model that answers the same always or no better than chance, and runs far behind their siblings.

Fine-tuning on few examples sometimes ends so, whatever the model; its score is then no sign of what the model can do
(Dodge et al., 2020; Mosbach et al., 2021).
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from electra.tasks.metrics import matthews, pearson
from electra.tasks.task import ChoiceExample, Example, Prediction, QuestionExample, TaggedExample, TextExample

OTHERS = 0.01  # answers other than the most frequent one, at most, of a run that answers the same always
OF_TRUTH = 0.1  # and at most so many of what the truth has
SPREAD = 0.05  # standard deviation of near-constant numbers, beside the truth's
FAR = 0.5  # of the way from the median of the other seeds down to knowing nothing
ADVICE = "another seed, a lower learning rate or a longer warmup usually helps"


def collapsed(examples: Sequence[Example], predictions: Sequence[Prediction]) -> str | None:
    """Why a run counts as collapsed, or None. Predictions are those of any kind, on examples whose truth is known."""
    pairs = [pair for e, p in zip(examples, predictions, strict=True) for pair in _pairs(e, p)]
    if len(pairs) < 2:
        return None
    truth, answers = zip(*pairs, strict=True)
    if isinstance(answers[0], float):
        return collapsed_numbers(truth, answers)
    return collapsed_labels(truth, answers)


def collapsed_labels(truth: Sequence[Hashable], answers: Sequence[Hashable]) -> str | None:
    """One class for (nearly) all where the truth has several, or a Matthews correlation of zero or less."""
    most, count = Counter(answers).most_common(1)[0]
    there = sum(label == most for label in truth)
    others, true_others = len(answers) - count, len(truth) - there
    if others <= OTHERS * len(answers) and others <= OF_TRUTH * true_others and true_others:
        return (
            f"it answers {_shown(most)} for {count:,} of {len(answers):,}, where the truth has it for {there:,}: "
            f"the run collapsed; {ADVICE}"
        )
    correlation = matthews(truth, answers)
    if correlation <= 0 and true_others and len(set(truth)) > 1:
        return f"its answers are no better than chance (Matthews correlation {correlation:.3f}); {ADVICE}"
    return None


def collapsed_numbers(truth: Sequence[float], answers: Sequence[float]) -> str | None:
    """Nearly the same number for all where the truth's differ, or a correlation of zero or less."""
    if np.std(truth) == 0:
        return None
    if np.std(answers) <= SPREAD * np.std(truth):
        return (
            f"it answers {min(answers):.3g} to {max(answers):.3g} for all {len(answers):,}, where the truth goes from "
            f"{min(truth):.3g} to {max(truth):.3g}: the run collapsed; {ADVICE}"
        )
    correlation = pearson(np.array(truth), np.array(answers))
    if correlation <= 0:
        return f"its answers are no better than chance (correlation {correlation:.3f}); {ADVICE}"
    return None


def far_behind(scores: Mapping[int, float], *, floor: float, examples: int) -> dict[int, float]:
    """The seeds that are far behind the others, each with the median of those; none of fewer than three seeds.

    scores    by seed; higher is better
    floor     what knowing nothing scores
    examples  how many the scores are over
    Far is more than half of the way from that median down to the floor, and more than chance over the examples explains:
    2/sqrt(examples), two standard errors of a correlation near zero, and four of a share at most.
    """
    found = {}
    for seed, score in scores.items() if len(scores) > 2 else ():
        median = float(np.median([other for name, other in scores.items() if name != seed]))
        if median - score > max(FAR * (median - floor), 2 * examples**-0.5):
            found[seed] = median
    return found


def _pairs(example: Example, prediction: Prediction) -> list[tuple[Hashable, Hashable]]:
    """Truth and answer, or those of each word; none where the truth is not known."""
    match example:
        case (
            TextExample(label=None)
            | TaggedExample(tags=None)
            | ChoiceExample(label=None)
            | QuestionExample(answers=None)
        ):
            return []
        case TextExample(label=label) if "value" in prediction:
            return [(float(label), float(prediction["value"]))]  # type: ignore[arg-type]
        case TextExample(label=label) if "labels" in prediction:
            held = (label,) if isinstance(label, str) else label
            return [(tuple(sorted(held)), tuple(sorted(prediction["labels"])))]  # type: ignore[arg-type]
        case TextExample(label=label):
            return [(str(label), prediction["label"])]
        case TaggedExample(tags=tags):
            return list(zip(tags or (), prediction["tags"], strict=True))
        case ChoiceExample(label=label):
            return [(label, prediction["label"])]
    return []


def _shown(answer: Hashable) -> str:
    if isinstance(answer, tuple):
        return f'"{", ".join(answer)}"' if answer else "no label"
    return f'"{answer}"'
