"""Questions about a text: its windows as rows, the likeliest span as the answer, and whether there is one.

A row is [CLS] question [SEP] window of the text [SEP]. A window without the answer has it at position 0, [CLS]; so has every
window of a question the text does not answer. Answers are cut out of the text as it was written, by character offsets.

Two heads are read: start_logits and end_logits, and the original's beams (electra.torch.original_heads). Unusual here: spans of
different windows are ranked by log-probability, so a window that points at [CLS] claims little; and `as_shipped` is the
original code with its quirks (electra.tasks.answering_as_shipped).
Source: Devlin et al., 2019; Clark et al., 2020; google-research/electra, finetune/qa.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from electra.errors import DataError
from electra.tasks import answering_as_shipped
from electra.tasks.answers import evaluate_v1, evaluate_v2, raw_scores, working_threshold
from electra.tasks.decoding import Candidate, Seen, candidates, distinct, null_log_prob
from electra.tasks.task import Answer, Array, Feature, Kind, Outputs, Prediction, QuestionExample
from electra.tasks.windows import best_windows, cut

ANSWER, NO_ANSWER = "answer", "no answer"  # the labels: what a question may get
IMPOSSIBLE = -1000.0  # log-probability of an answer in a text without pieces


@dataclass(frozen=True, kw_only=True)
class Answering(Kind):
    """The settings of question answering; the defaults are the original's."""

    doc_stride: int = 128  # pieces from the start of a window to the start of the next
    max_question_pieces: int = 64  # longer questions are cut
    max_answer_pieces: int = 30  # longer spans are no answers
    nbest: int = 20  # answers a prediction lists
    no_answer_threshold: float | None = (
        None  # no answer where the score is above it; None: 0, even odds. `tuned` finds it
    )
    as_shipped: bool = False  # labels, ranking and texts as the original code has them

    name = "answering"
    head = "question_answering"
    measures = (
        "f1", "exact", "has_answer_f1", "has_answer_exact", "no_answer_f1", "no_answer_exact",
    )  # fmt: skip

    def labels(self, examples: Sequence[QuestionExample]) -> tuple[str, ...]:
        """("answer", "no answer") where some questions have none, else ("answer",). DataError where no answer is known."""
        known = [example.answers for example in examples if example.answers is not None]
        if not any(known):
            raise DataError("no question has an answer that is known; there is nothing to learn from")
        return (ANSWER, NO_ANSWER) if () in known else (ANSWER,)

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """The two outputs of the head, start and end."""
        names = {i: f"LABEL_{i}" for i in range(2)}
        return {"id2label": names, "label2id": {name: i for i, name in names.items()}, "problem_type": None}

    def learnable(self, examples: Sequence[QuestionExample]) -> list[QuestionExample]:
        """The questions with an answer that stands in the text, and those known to have none."""
        find = answering_as_shipped.find_words if self.as_shipped else locate
        return [
            example
            for example in examples
            if example.answers is not None
            and (not example.answers or find(example.context, example.answers[0]) is not None)
        ]

    def features(
        self, examples: Sequence[QuestionExample], tokenizer: Any, labels: tuple[str, ...], max_length: int
    ) -> list[Feature]:
        """The windows of all texts, in order. Targets: start_positions and end_positions; as_shipped also is_impossible.

        Raises DataError where a question leaves no room for the text.
        """
        encode = _Encoder(tokenizer)
        questions = encode([example.question for example in examples])
        texts = encode({example.context: None for example in examples})
        return [
            feature
            for number, example in enumerate(examples)
            for feature in self._windows(
                number, example, questions[example.question][0], texts[example.context], encode, max_length
            )
        ]

    def _windows(
        self,
        number: int,
        example: QuestionExample,
        question: Array,
        text: tuple[Array, Array],
        encode: "_Encoder",
        max_length: int,
    ) -> Iterator[Feature]:
        lost = max(0, len(question) - self.max_question_pieces)
        question, (ids, offsets) = question[: self.max_question_pieces], text
        room = max_length - len(question) - 3
        if room < 1:
            raise DataError(
                f"{example.place or example.id}: a question of {len(question)} pieces leaves no room for the text in rows of "
                f"max_length {max_length}; expected at least {len(question) + 4}"
            )
        windows = cut(len(ids), room=room, stride=self.doc_stride)
        best, span = best_windows(len(ids), windows), self._span(example, ids, offsets, encode)
        shipped = (
            answering_as_shipped.shipped_text(example.context, ids, offsets, encode.tokenizer)
            if self.as_shipped
            else None
        )
        head = np.concatenate([[encode.cls], question, [encode.sep]])
        for index, (start, count) in enumerate(windows):
            part = slice(start, start + count)
            row = np.concatenate([head, ids[part], [encode.sep]]).astype(np.int32)
            yield Feature(
                example=number,
                input_ids=row,
                token_type_ids=(np.arange(len(row)) >= len(head)).astype(np.int32),
                targets={} if span is None else self._targets(span, start, count, len(head)),
                aside=Seen(
                    first=len(head), piece=start, offsets=offsets[part], is_best=best[part] == index, shipped=shipped
                ),
                unread=lost,
            )

    def _span(self, example: QuestionExample, ids: Array, offsets: Array, encode: "_Encoder") -> "Span | None":
        """The first and last piece of the answer, (-1, -1) where there is none; None where the truth is not known."""
        if example.answers is None:
            return None
        if not example.answers:
            return -1, -1
        answer = example.answers[0]
        if self.as_shipped:
            (known,) = encode([answer.text]).values()
            return answering_as_shipped.find_pieces(example.context, answer, ids, offsets, known[0])
        found = locate(example.context, answer)
        return None if found is None else pieces_of(found, offsets)

    def _targets(self, span: "Span", start: int, count: int, first: int) -> dict[str, Array]:
        is_here = start <= span[0] and span[1] < start + count
        places = [piece - start + first if is_here else 0 for piece in span]
        targets = dict(zip(("start_positions", "end_positions"), places, strict=True))
        if self.as_shipped:
            targets["is_impossible"] = int(span == (-1, -1))
        return {name: np.asarray(value, np.int64) for name, value in targets.items()}

    # -- answers ------------------------------------------------------------------------------------------------------

    def predictions(
        self,
        examples: Sequence[QuestionExample],
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: tuple[str, ...],
    ) -> list[Prediction]:
        """For each question: id, answer ("" for none), its start and end in the text, score (log-probability), nbest.

        Where questions may have no answer, also no_answer_score: above 0 where none is likelier than the best answer.
        """
        windows: list[list[tuple[Feature, Outputs]]] = [[] for _ in examples]
        for feature, output in zip(features, outputs, strict=True):
            windows[feature.example].append((feature, output))
        decode = answering_as_shipped.decode if self.as_shipped else self._decode
        found = (decode(example.context, of_it, self) for example, of_it in zip(examples, windows, strict=True))
        return [
            self._prediction(example, nbest, null, NO_ANSWER in labels)
            for example, (nbest, null) in zip(examples, found, strict=True)
        ]

    def _decode(
        self, context: str, windows: Sequence[tuple[Feature, Outputs]], settings: "Answering"
    ) -> tuple[list[dict[str, Any]], float]:
        """The best answers, and how much likelier it is that there is none."""
        found: list[Candidate] = []
        for feature, output in windows:
            found += candidates(feature.aside, output, self.max_answer_pieces, 4 * self.nbest)
        nbest = distinct(context, found, self.nbest)
        if any("no_answer_logits" in output for _, output in windows):
            return nbest, min(float(output["no_answer_logits"]) for _, output in windows)
        best = nbest[0]["score"] if nbest else IMPOSSIBLE
        return nbest, float(min(null_log_prob(output) for _, output in windows) - best)

    def _prediction(
        self, example: QuestionExample, nbest: list[dict[str, Any]], null: float, may_have_none: bool
    ) -> Prediction:
        best = next((entry for entry in nbest if entry["answer"]), None)
        threshold = self.no_answer_threshold
        if threshold is None:
            threshold = answering_as_shipped.THRESHOLD if self.as_shipped else 0.0
        score = {"no_answer_score": null} if may_have_none else {}
        if best is None or (may_have_none and null > threshold):
            best = {"answer": "", "start": None, "end": None, "score": None if best is None else best["score"]}
        return {
            "id": example.id,
            **{key: best[key] for key in ("answer", "start", "end", "score")},
            **score,
            "nbest": nbest,
        }

    def tuned(
        self, examples: Sequence[QuestionExample], predictions: Sequence[Prediction], labels: tuple[str, ...]
    ) -> Self:
        """With the threshold on no_answer_score that gives these questions the best F1."""
        known = [(e, p) for e, p in zip(examples, predictions, strict=True) if e.answers is not None]
        if NO_ANSWER not in labels or not known:
            return self
        texts = {str(i): p["nbest"][0]["answer"] if p["nbest"] else "" for i, (_, p) in enumerate(known)}
        nulls = {str(i): p["no_answer_score"] for i, (_, p) in enumerate(known)}
        f1 = raw_scores({str(i): _texts(e) for i, (e, _) in enumerate(known)}, texts)["f1"]
        has_answer = {str(i): bool(e.answers) for i, (e, _) in enumerate(known)}
        return replace(self, no_answer_threshold=working_threshold(f1, texts, nulls, has_answer))

    def scores(
        self, examples: Sequence[QuestionExample], predictions: Sequence[Prediction], labels: tuple[str, ...]
    ) -> dict[str, float]:
        """By SQuAD 1.1 where every question has an answer, else by 2.0 with both kinds of question apart, too."""
        known = [(e, p) for e, p in zip(examples, predictions, strict=True) if e.answers is not None]
        answers = {str(i): _texts(example) for i, (example, _) in enumerate(known)}
        given = {str(i): prediction["answer"] for i, (_, prediction) in enumerate(known)}
        if all(answers.values()):
            first = evaluate_v1(answers, given)
            return {"f1": first["f1"] / 100, "exact": first["exact_match"] / 100}
        found = evaluate_v2(answers, given)
        names = {"": "", "HasAns_": "has_answer_", "NoAns_": "no_answer_"}
        return {
            f"{ours}{measure}": found[f"{theirs}{measure}"] / 100
            for theirs, ours in names.items()
            for measure in ("f1", "exact")
            if f"{theirs}{measure}" in found
        }


Span = tuple[int, int]


def locate(context: str, answer: Answer) -> Span | None:
    """The characters [start, end) of an answer: where it is said to stand, else the nearest place of its text, else None.

    Capital letters matter only where the text is there with the same ones.
    """
    for text, whole in ((answer.text, context), (answer.text.lower(), context.lower())):
        if not text.strip() or len(whole) != len(context):
            continue
        starts = list(_places(whole, text))
        if starts:
            start = min(starts, key=lambda place: abs(place - answer.start))
            return start, start + len(text)
    return None


def pieces_of(characters: Span, offsets: Array) -> Span:
    """The first and last piece that reach into the characters [start, end); offsets (n, 2)."""
    first = int(np.searchsorted(offsets[:, 1], characters[0], side="right"))
    last = int(np.searchsorted(offsets[:, 0], characters[1], side="left")) - 1
    return (first, last) if first <= last else (-1, -1)


def _places(whole: str, text: str) -> Iterator[int]:
    place = whole.find(text)
    while place >= 0:
        yield place
        place = whole.find(text, place + 1)


def _texts(example: QuestionExample) -> list[str]:
    return [answer.text for answer in example.answers or ()]


class _Encoder:
    """The pieces of texts, and where in the text they stand."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer, self.cls, self.sep = tokenizer, tokenizer.cls_token_id, tokenizer.sep_token_id

    def __call__(self, texts: Iterable[str]) -> dict[str, tuple[Array, Array]]:
        """Text -> ids (n,) and offsets (n, 2)."""
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return {}
        encoded = self.tokenizer(distinct, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        return {
            text: (np.asarray(ids, np.int32), np.asarray(offsets, np.int64).reshape(-1, 2))
            for text, (ids, offsets) in zip(distinct, pairs, strict=True)
        }
