"""How good answers are: exact match and F1 over words, as SQuAD 1.1, SQuAD 2.0 and MRQA publish them.

Unusual here: 1.1 (and MRQA) and 2.0 differ where an answer has no words left. "The" against "the" is an exact match in both, but
shares no word, so its F1 is 0 in 1.1; 2.0 says 1 where both are empty. And an answer without words is no answer in 2.0.
Source: the published behaviour of the evaluations of Rajpurkar et al. (2016, 2018) and Fisch et al. (2019).
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)  # ASCII only: other quotes and dashes are parts of words

Answers = Mapping[str, Sequence[str]]  # question -> its right answers; none where the text does not answer it
Scores = dict[str, float]  # by question


def normalize(text: str) -> str:
    """Lower case, then without ASCII punctuation, then without articles, words joined by one space."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact(prediction: str, answer: str) -> float:
    """1 where both are the same when normalised."""
    return float(normalize(prediction) == normalize(answer))


def f1(prediction: str, answer: str, *, both_empty: float = 0.0) -> float:
    """The harmonic mean of precision and recall over normalised words, each counted as often as it occurs.

    both_empty    the F1 of two answers without words: 0 in SQuAD 1.1 and MRQA, 1 in SQuAD 2.0
    """
    predicted, right = normalize(prediction).split(), normalize(answer).split()
    if not predicted and not right:
        return both_empty
    shared = sum((Counter(predicted) & Counter(right)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(predicted), shared / len(right)
    return 2 * precision * recall / (precision + recall)


def best_of(measure: Callable[[str, str], float], prediction: str, answers: Sequence[str]) -> float:
    """The measure beside the right answer that suits it best."""
    return max(measure(prediction, answer) for answer in answers)


def evaluate_v1(answers: Answers, predictions: Mapping[str, str]) -> Scores:
    """SQuAD 1.1 and MRQA: exact_match and f1 in per cent; a question without a prediction scores 0."""
    asked = [(predictions[key], right) for key, right in answers.items() if key in predictions]
    return {
        "exact_match": 100 * sum(best_of(exact, given, right) for given, right in asked) / len(answers),
        "f1": 100 * sum(best_of(f1, given, right) for given, right in asked) / len(answers),
    }


def evaluate_v2(
    answers: Answers,
    predictions: Mapping[str, str],
    no_answer_scores: Mapping[str, float] | None = None,
    threshold: float = 1.0,
) -> Scores:
    """SQuAD 2.0, in per cent: exact, f1, total; the same of the questions with an answer (HasAns_) and without (NoAns_).

    predictions       "" where there is no answer; a question without a prediction does not count
    no_answer_scores  higher where no answer is likelier; an answer counts as "" where its score is above `threshold`.
                      With them also best_exact, best_f1 and their thresholds (see `best_threshold`)
    """
    has_answer = {key: bool(right) for key, right in answers.items()}
    raw = raw_scores(answers, predictions)
    scores = no_answer_scores or dict.fromkeys(answers, 0.0)
    final = {
        name: {
            key: float(not has_answer[key]) if scores[key] > threshold else value for key, value in by_question.items()
        }
        for name, by_question in raw.items()
    }
    result = _means(final, list(final["exact"]), "")
    for prefix, wanted in (("HasAns_", True), ("NoAns_", False)):
        keys = [key for key in final["exact"] if has_answer[key] is wanted]
        result |= _means(final, keys, prefix) if keys else {}
    if no_answer_scores is not None:
        for name, by_question in raw.items():
            best, at = best_threshold(by_question, predictions, no_answer_scores, has_answer)
            result |= {f"best_{name}": best, f"best_{name}_thresh": at}
    return result


def raw_scores(answers: Answers, predictions: Mapping[str, str]) -> dict[str, Scores]:
    """ "exact" and "f1" of each predicted question, by SQuAD 2.0; right answers without words are none."""
    found: dict[str, Scores] = {"exact": {}, "f1": {}}
    for key, right in answers.items():
        if key in predictions:
            wordy = [answer for answer in right if normalize(answer)] or [""]
            found["exact"][key] = best_of(exact, predictions[key], wordy)
            found["f1"][key] = best_of(_f1_v2, predictions[key], wordy)
    return found


def best_threshold(
    scores: Scores,
    predictions: Mapping[str, str],
    no_answer_scores: Mapping[str, float],
    has_answer: Mapping[str, bool],
) -> tuple[float, float]:
    """The best mean score, in per cent, that a threshold on the no-answer score reaches, and the threshold, as published.

    Questions are answered one after another, the likeliest to have an answer first. The published search, kept here: 0.0
    stands for answering nothing, whatever the scores are, and questions of one score may fall on two sides of it.
    """
    found = current = float(sum(not has_answer[key] for key in scores))
    at = 0.0
    for key in sorted(no_answer_scores, key=lambda name: no_answer_scores[name]):
        if key in scores:
            current += scores[key] if has_answer[key] else -bool(predictions[key])
            if current > found:
                found, at = current, no_answer_scores[key]
    return 100 * found / len(scores), at


def working_threshold(
    scores: Scores,
    predictions: Mapping[str, str],
    no_answer_scores: Mapping[str, float],
    has_answer: Mapping[str, bool],
) -> float:
    """The threshold whose answers score best when it is applied: answers of questions with a score above it are "".

    As `best_threshold`, but answering nothing has a threshold below every score, and questions of one score stay together.
    """
    keys = sorted(scores, key=lambda name: no_answer_scores[name])
    found = current = float(sum(not has_answer[key] for key in keys))
    at = no_answer_scores[keys[0]] - 1.0
    for number, key in enumerate(keys):
        current += scores[key] if has_answer[key] else -bool(predictions[key])
        here = no_answer_scores[key]
        is_last_of_tie = number + 1 == len(keys) or no_answer_scores[keys[number + 1]] != here
        if is_last_of_tie and current > found:
            found, at = current, here
    return at


def _f1_v2(prediction: str, answer: str) -> float:
    return f1(prediction, answer, both_empty=1.0)


def _means(scores: Mapping[str, Scores], keys: Sequence[str], prefix: str) -> Scores:
    means = {f"{prefix}{name}": 100 * sum(values[key] for key in keys) / len(keys) for name, values in scores.items()}
    return means | {f"{prefix}total": float(len(keys))}
