"""Question answering as the original code has it, quirks included; for comparison, not for use.

Answers are looked for word by word; windows without the answer still count as answerable; raw scores of different windows are
ranked together; and an answer's text is rebuilt from its pieces and laid over the words of the text with spaces left out.
Source: google-research/electra, finetune/qa/qa_tasks.py and qa_metrics.py; BERT's run_squad.py for the texts.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electra.tasks.task import Answer, Array, Feature, Outputs
from electra.tokenization.wordpiece import CONTINUATION, split_words

THRESHOLD = -2.75  # of the score of no answer: a probability of about 0.06
SPACES = " \t\r\n\u202f"  # what separates words there

Span = tuple[int, int]


@dataclass(frozen=True)
class ShippedText:
    """A text as the original sees it: its words, the word and the string of each piece, and how words are split."""

    words: tuple[str, ...]
    word_of: Array  # (n,)
    pieces: tuple[str, ...]
    split: Callable[[str], list[str]]


def shipped_text(context: str, ids: Array, offsets: Array, tokenizer: Any) -> ShippedText:
    """The words and pieces of a text."""
    spans = list(_words(context))
    starts = np.asarray([start for start, _ in spans], np.int64)
    options = tokenizer.normalization

    def split(text: str) -> list[str]:
        return split_words(
            text, do_lower_case=bool(options["do_lower_case"]), strip_accents_too=options["strip_accents"],
            tokenize_chinese_chars=bool(options["tokenize_chinese_chars"]),
        )  # fmt: skip

    return ShippedText(
        words=tuple(context[start:end] for start, end in spans),
        word_of=np.searchsorted(starts, offsets[:, 0], side="right") - 1,
        pieces=tuple(tokenizer.convert_ids_to_tokens([int(i) for i in ids])),
        split=split,
    )


def find_words(context: str, answer: Answer) -> Span | None:
    """The first and last word of an answer; None where its words are not those at its place, capitals apart."""
    last = answer.start + len(answer.text) - 1
    if last >= len(context):
        return None
    spans = list(_words(context))
    starts = [start for start, _ in spans]
    # A space belongs to the word before it.
    first_word, last_word = (max(0, bisect_left(starts, place + 1) - 1) for place in (answer.start, last))
    there = " ".join(context[start:end] for start, end in spans[first_word : last_word + 1])
    is_there = " ".join(answer.text.split()).lower() in there.lower()
    return (first_word, last_word) if is_there else None


def find_pieces(context: str, answer: Answer, ids: Array, offsets: Array, answer_ids: Array) -> Span | None:
    """The pieces of the answer's words, or among them the first that are exactly the answer's own."""
    words = find_words(context, answer)
    if words is None:
        return None
    starts = np.asarray([start for start, _ in _words(context)], np.int64)
    word_of = np.searchsorted(starts, offsets[:, 0], side="right") - 1
    inside = np.flatnonzero((word_of >= words[0]) & (word_of <= words[1]))
    if not len(inside):
        return None
    first, last, size = int(inside[0]), int(inside[-1]), len(answer_ids)
    for start in range(first, last + 2 - size if size else first):
        if np.array_equal(ids[start : start + size], answer_ids):
            return start, start + size - 1
    return first, last


def decode(
    context: str, windows: Sequence[tuple[Feature, Outputs]], settings: Any
) -> tuple[list[dict[str, Any]], float]:
    """The best answers, and the score of no answer."""
    found = [span for feature, output in windows for span in _spans(feature.aside, output, settings)]
    found.sort(key=lambda span: -(span[0] + span[1]))
    nbest: dict[str, dict[str, Any]] = {}
    for start_score, end_score, seen, start, end in found:
        if len(nbest) == settings.nbest:
            break
        text = final_text(*_texts(seen.shipped, seen.piece + start, seen.piece + end), seen.shipped.split)
        places = {"start": int(seen.offsets[start, 0]), "end": int(seen.offsets[end, 1])}
        entry = {"answer": text, **places, "score": start_score + end_score}
        nbest.setdefault(text, entry | {"start_logit": start_score, "end_logit": end_score})
    if not nbest:
        empty = {"answer": "empty", "start": None, "end": None, "score": 0.0, "start_logit": 0.0, "end_logit": 0.0}
        nbest["empty"] = empty
    if any("no_answer_logits" in output for _, output in windows):
        return list(nbest.values()), min(float(output["no_answer_logits"]) for _, output in windows)
    null = min((_null(output) for _, output in windows), default=0.0)
    best = next((entry["score"] for text, entry in nbest.items() if text), 0.0)
    return list(nbest.values()), null - best


def _null(output: Outputs) -> float:
    # Of beams the original has no scores of ends, only zeros.
    end = float(output["end_logits"][0]) if "end_logits" in output else 0.0
    return float(output["start_logits"][0]) + end


def _spans(seen: Any, output: Outputs, settings: Any) -> Iterator[tuple[float, float, Any, int, int]]:
    """Scores of start and end, what the window shows, first and last piece: of the spans that can be answers."""
    if "end_top_index" in output:
        pairs = [
            (float(start_score), float(end_score), int(start), int(end))
            for start_score, start, end_scores, ends in zip(
                output["start_top_log_probs"], output["start_top_index"], output["end_top_log_probs"],
                output["end_top_index"], strict=True,
            )
            for end_score, end in zip(end_scores, ends, strict=True)
        ]  # fmt: skip
    else:
        starts, ends = (np.argsort(-output[f"{name}_logits"], kind="stable") for name in ("start", "end"))
        pairs = [
            (float(output["start_logits"][start]), float(output["end_logits"][end]), int(start), int(end))
            for start in starts[: settings.nbest]
            for end in ends[: settings.nbest]
        ]
    for start_score, end_score, start, end in pairs:
        start, end = start - seen.first, end - seen.first
        if 0 <= start <= end < len(seen.offsets) and seen.is_best[start] and end - start < settings.max_answer_pieces:
            yield start_score, end_score, seen, start, end


def _texts(text: ShippedText, start: int, end: int) -> tuple[str, str]:
    """The pieces of a span joined to words, and the whole words of the text they lie in."""
    pieces = " ".join(text.pieces[start : end + 1]).replace(f" {CONTINUATION}", "").replace(CONTINUATION, "")
    words = " ".join(text.words[text.word_of[start] : text.word_of[end] + 1])
    return " ".join(pieces.split()), words


def final_text(predicted: str, original: str, split: Callable[[str], list[str]]) -> str:
    """The part of `original` that `predicted`, made of normalised pieces, was; `original` where they cannot be matched.

    The original text is normalised too; with all spaces left out, both forms must be equally long, and are then taken to
    match character by character. An accent that takes none, or "ß" beside "ss", is where that fails.
    """
    normal = " ".join(split(original))
    start = normal.find(predicted)
    if start < 0:
        return original
    of_normal = [place for place, char in enumerate(normal) if char != " "]
    of_original = [place for place, char in enumerate(original) if char != " "]
    if len(of_normal) != len(of_original):
        return original
    places = {place: of_original[number] for number, place in enumerate(of_normal)}
    first, last = places.get(start), places.get(start + len(predicted) - 1)
    return original if first is None or last is None else original[first : last + 1]


def _words(context: str) -> Iterator[Span]:
    """The characters [start, end) of each word."""
    start = None
    for place, char in enumerate(context):
        if char in SPACES:
            if start is not None:
                yield start, place
            start = None
        elif start is None:
            start = place
    if start is not None:
        yield start, len(context)
