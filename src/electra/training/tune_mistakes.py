"""Dev examples that a tuned model answers wrongly, the surest first: such an answer may be right, and the label wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from electra.tasks.answers import raw_scores
from electra.tasks.check import sides, truth
from electra.tasks.labels import names_of
from electra.tasks.task import Example, Kind, Prediction

LONGEST = 160  # characters of an example that are shown, about

# kind -> what its mistakes are sorted by
WEIGHTS = {
    "classification": "probability",
    "multi-label": "probability",  # of the label that is most surely wrong, or not missing
    "regression": "error",
    "tagging": "wrong words",
    "choice": "probability",
    "answering": "score",  # the logarithm of a probability
}


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One example with the answer it got. text: before, inside and after what is marked."""

    place: str
    text: tuple[str, str, str]
    truth: str
    answer: str
    weight: float


def mistakes(kind: Kind, examples: Sequence[Example], predictions: Sequence[Prediction]) -> list[Mistake]:
    """All of them, those of greatest weight first: see WEIGHTS."""
    found = []
    for example, prediction in zip(examples, predictions, strict=True):
        wrong = FINDERS[kind.name](kind, example, prediction) if truth(example) is not None else None
        if wrong is not None:
            text, right, answer, weight = wrong
            place = PurePath(example.place or example.id).name
            text = (text, "", "") if isinstance(text, str) else text
            found.append(Mistake(place=place, text=text, truth=right, answer=answer, weight=weight))
    return sorted(found, key=lambda mistake: -mistake.weight)


# -- of each kind: text, truth, answer, weight; None where the answer is right ------------------------------------------

Wrong = tuple[str | tuple[str, str, str], str, str, float]


def _class(kind: Any, example: Any, prediction: Prediction) -> Wrong | None:
    right, given = str(example.label), prediction["label"]
    return None if right == given else (_texts(example), right, given, prediction["score"])


def _labels(kind: Any, example: Any, prediction: Prediction) -> Wrong | None:
    right, given, held = set(names_of(example.label)), set(prediction["labels"]), prediction["probabilities"]
    sure = [held.get(name, 0.0) if name in given else 1 - held.get(name, 0.0) for name in right ^ given]
    shown, answered = (", ".join(sorted(names)) or "none" for names in (right, given))
    return (_texts(example), shown, answered, max(sure)) if sure else None


def _number(kind: Any, example: Any, prediction: Prediction) -> Wrong | None:
    right, given = float(example.label), prediction["value"]
    return None if right == given else (_texts(example), f"{right:.4g}", f"{given:.4g}", abs(right - given))


def _tags(kind: Any, example: Any, prediction: Prediction) -> Wrong | None:
    """The first wrong word is marked; truth and answer are its tags."""
    right, given, words = kind.learned(example), prediction["tags"], example.words
    wrong = [i for i, (one, other) in enumerate(zip(right, given, strict=True)) if one != other]
    if not wrong:
        return None
    i, half = wrong[0], LONGEST // 2
    before, after = " ".join(words[:i]), " ".join(words[i + 1 :])
    return (cut(before, len(before), half), words[i], cut(after, 0, half)), right[i], given[i], len(wrong)


def _choice(kind: Any, example: Any, prediction: Prediction) -> Wrong | None:
    right, given = example.label, prediction["label"]
    shown, answered = (cut(example.choices[number]) for number in (right, given))
    return None if right == given else (cut(example.prompt), shown, answered, prediction["score"])


def _answer(kind: Any, example: Any, prediction: Prediction) -> Wrong | None:
    right, given = [answer.text for answer in example.answers], prediction["answer"]
    if raw_scores({"": right}, {"": given})["exact"][""]:
        return None
    score = prediction["score"] if given else -np.logaddexp(0, -prediction.get("no_answer_score", 0.0))
    context = cut(example.context, example.answers[0].start if right else 0)
    return (
        f"{cut(example.question)} | {context}",
        *(cut(text) or "no answer" for text in ([*right, ""][0], given)),
        score,
    )


FINDERS: dict[str, Callable[[Any, Any, Prediction], Wrong | None]] = {
    "classification": _class,
    "multi-label": _labels,
    "regression": _number,
    "tagging": _tags,
    "choice": _choice,
    "answering": _answer,
}


def _texts(example: Example) -> str:
    texts = sides(example)
    return " | ".join(cut(text, 0, LONGEST // len(texts)) for text in texts)


def cut(text: str, around: int = 0, longest: int = LONGEST) -> str:
    """So many characters of a text, with those at `around` in them, and ... where some are left out."""
    begin = max(0, min(around - longest // 3, len(text) - longest))
    part = text[begin : begin + longest]
    return "..." * (begin > 0) + part + "..." * (begin + len(part) < len(text))
