"""A tag for each word: entities, chunks, parts of speech.

    words -> pieces -> rows of [CLS] pieces [SEP] -> logits at each word's first piece -> tags -> entities

Every word gets a tag: one without pieces (control characters) is read as [UNK], and a sentence longer than a row is read in
windows, each word being answered where it has most context. A word is learned from once.

Unusual here: `as_shipped` gives the features of the original ELECTRA code, quirks included: token types of 1, text always
lower-cased without accents, a length check that counts words beside pieces and so cuts sentences early, words beyond the cut
lost, and tags converted to BIOES.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from electra.errors import ConfigError, DataError, did_you_mean
from electra.tasks import metrics, spans
from electra.tasks.labels import named, number_of, some, where
from electra.tasks.rows import piece_ids
from electra.tasks.task import Array, Feature, Kind, Outputs, Prediction, TaggedExample

AS_WRITTEN = "as written"


@dataclass(frozen=True, kw_only=True)
class Tagging(Kind):
    """Tags for words.

    scheme      what the model learns and answers in: "as written", or a name of spans.SCHEMES
    shared      pieces of context that neighbouring windows over a long sentence share, at most half a row
    as_shipped  the features of the original code
    Predictions: {"id", "words", "tags", "entities": [{"type", "start", "end", "text"}]}, start and end being numbers of
    words, the end not inside; plain tags (parts of speech) give no entities.
    Scores: f1, precision, recall and f1_macro of entities, accuracy of tags. Of plain tags f1 is over all words, which is
    the accuracy, and f1_macro the mean over tags.
    """

    name: ClassVar[str] = "tagging"
    head: ClassVar[str] = "token_classification"
    measures: ClassVar[tuple[str, ...]] = ("f1", "precision", "recall", "f1_macro", "accuracy")

    scheme: str = AS_WRITTEN
    shared: int = 32
    as_shipped: bool = False

    def __post_init__(self) -> None:
        allowed = (AS_WRITTEN, *spans.SCHEMES)
        if self.scheme not in allowed:
            raise ConfigError(
                f'scheme is "{self.scheme}"{did_you_mean(self.scheme, allowed)}, expected one of {", ".join(allowed)}'
            )
        if self.shared < 0:
            raise ConfigError(f"shared is {self.shared}, expected a number of pieces, 0 or more")

    def labels(self, examples: Sequence[TaggedExample]) -> tuple[str, ...]:
        """Sorted. Tags of spans in every combination of the letters and types found, so that dev may have a rare one.

        Raises DataError where tags are missing, mix plain ones with lettered ones, or are all the same.
        """
        found: set[str] = set()
        for example in some(examples):
            if example.tags is None:
                raise DataError(f"{where(example)}: no tags, and examples to learn from need them")
            found.update(self.learned(example))
        if not found - {"O"} or len(found) == 1:
            raise DataError(f"every word has the tag {min(found, default='O')}: there is nothing to learn")
        if not spans.is_plain(found) and not self.as_shipped:
            letters, types = ({tag[begin:end] for tag in found - {"O"}} for begin, end in ((0, 1), (2, None)))
            letters |= set(spans.LETTERS.get(self.scheme, ())) - {"O"}
            found |= {"O"} | {f"{letter}-{type_}" for letter in letters for type_ in types}
        return tuple(sorted(found))

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """Of a head with one logit a tag and position."""
        return named(labels) | {"problem_type": None}

    def features(
        self, examples: Sequence[TaggedExample], tokenizer: Any, labels: tuple[str, ...], max_length: int
    ) -> list[Feature]:
        """Rows of at most `max_length` tokens; targets are -100 but on the first piece of a word, where tags are known.

        `aside` of each is (words, positions): which words it answers, and where in the row. Words may be none.
        """
        words = [word for example in examples for word in example.words]
        found = dict(zip(words, piece_ids(list(map(self._word, words)), tokenizer), strict=True))
        numbers = self._numbers(examples, labels)
        made: list[Feature] = []
        for number, (example, tags) in enumerate(zip(examples, numbers, strict=True)):
            pieces = [found[word] for word in example.words]
            if self.as_shipped:
                rows: Iterator[tuple[list[int], list[int], list[int]]] = iter([_early_cut(pieces, max_length)])
            else:
                whole = [ids[: max_length - 2] or [tokenizer.unk_token_id] for ids in pieces]
                rows = _windows(whole, max_length - 2, self.shared)
            for ids, answered, positions in rows:
                input_ids = np.array([tokenizer.cls_token_id, *ids, tokenizer.sep_token_id], np.int32)
                aside = (np.array(answered, np.int64), np.array(positions, np.int64))
                made.append(
                    Feature(
                        example=number,
                        input_ids=input_ids,
                        token_type_ids=np.full_like(input_ids, int(self.as_shipped)),
                        targets={} if tags is None else {"labels": _at(*aside, tags, len(input_ids))},
                        aside=aside,
                    )
                )
        return made

    def predictions(
        self,
        examples: Sequence[TaggedExample],
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: tuple[str, ...],
    ) -> list[Prediction]:
        """The most probable tag of each word; O, or the first label, for words the original's features leave out."""
        absent = labels.index("O") if "O" in labels else 0
        numbers = [np.full(len(example.words), absent) for example in examples]
        for feature, output in zip(features, outputs, strict=True):
            words, positions = feature.aside
            numbers[feature.example][words] = np.asarray(output["logits"])[positions].argmax(-1)
        made: list[Prediction] = []
        for example, row in zip(examples, numbers, strict=True):
            tags = [labels[number] for number in row]
            made.append({"id": example.id, "words": list(example.words), "tags": tags})
            if self.has_spans(labels):
                made[-1]["entities"] = [
                    {"type": type_, "start": first, "end": last + 1, "text": " ".join(example.words[first : last + 1])}
                    for first, last, type_ in self.spans_of(tags)
                ]
        return made

    def scores(
        self, examples: Sequence[TaggedExample], predictions: Sequence[Prediction], labels: tuple[str, ...]
    ) -> dict[str, float]:
        """Entities count where both ends and the type are right."""
        judged = [(e.tags, p["tags"]) for e, p in zip(examples, predictions, strict=True) if e.tags is not None]
        if not self.has_spans(labels):
            truth, answers = ([tag for pair in judged for tag in pair[side]] for side in (0, 1))
            accuracy = metrics.accuracy(truth, answers)
            macro = metrics.f1_macro(truth, answers)
            return {"f1": accuracy, "precision": accuracy, "recall": accuracy, "f1_macro": macro, "accuracy": accuracy}
        total, by_type = spans.score(*([self.spans_of(pair[side]) for pair in judged] for side in (0, 1)))
        learned = [tag for e in examples if e.tags is not None for tag in self.learned(e)]
        return {
            "f1": total.f1,
            "precision": total.precision,
            "recall": total.recall,
            "f1_macro": metrics.macro(by_type).f1,
            "accuracy": metrics.accuracy(learned, [tag for _, tags in judged for tag in tags]),
        }

    def has_spans(self, labels: Sequence[str]) -> bool:
        """Whether tags mark spans of words: entities, not parts of speech."""
        return not spans.is_plain(labels)

    def spans_of(self, tags: Sequence[str]) -> list[spans.Span]:
        """The spans of a sentence, as scores count them."""
        return spans.original_spans(tags) if self.as_shipped else spans.spans(spans.as_ending_letters(tags))

    def learned(self, example: TaggedExample) -> Sequence[str]:
        """The tags of an example as the model learns them. Raises DataError where they are not as many as words."""
        tags = example.tags or ()
        if len(tags) != len(example.words):
            raise DataError(f"{where(example)}: {len(example.words)} words and {len(tags)} tags, expected one each")
        scheme = "IOBES" if self.as_shipped else self.scheme
        if scheme == AS_WRITTEN or spans.is_plain(tags):
            return tags
        return spans.tags_of(self.spans_of(tags), len(tags), scheme)

    def _numbers(self, examples: Sequence[TaggedExample], labels: tuple[str, ...]) -> list[Array | None]:
        """Of the tags of each example; None for all where one is not known."""
        if any(example.tags is None for example in examples):
            return [None] * len(examples)
        known = {label: number for number, label in enumerate(labels)}
        return [
            np.array([known[tag] if tag in known else number_of(tag, labels, e) for tag in self.learned(e)], np.int32)
            for e in examples
        ]

    def _word(self, word: str) -> str:
        if not self.as_shipped:
            return word
        return "".join(c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn")


def _at(words: Array, positions: Array, tags: Array, length: int) -> Array:
    targets = np.full(length, -100, np.int32)
    targets[positions] = tags[words]
    return targets


def _windows(
    pieces: Sequence[Sequence[int]], room: int, shared: int
) -> Iterator[tuple[list[int], list[int], list[int]]]:
    """Pieces of each row, the words it answers, and their positions in the row, [CLS] being position 0.

    pieces   of each word, 1 to `room` of them
    """
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in pieces])])  # of each word, and the end, in pieces
    windows = _spread(starts, room, min(shared, room // 2))
    answering, most = np.zeros(len(pieces), np.int64), np.full(len(pieces), -1)  # of each word: its window, its context
    for number, (first, stop) in enumerate(windows):
        # An end of the sentence is not an end of context.
        left = starts[first:stop] - starts[first] if first else starts[-1]
        right = starts[stop] - starts[first + 1 : stop + 1] if stop < len(pieces) else starts[-1]
        context = np.broadcast_to(np.minimum(left, right), stop - first)
        words = first + np.flatnonzero(context > most[first:stop])
        answering[words], most[words] = number, context[words - first]
    for number, (first, stop) in enumerate(windows):
        answered = [word for word in range(first, stop) if answering[word] == number]
        if answered:
            ids = [piece for word in range(first, stop) for piece in pieces[word]]
            yield ids, answered, [int(1 + starts[word] - starts[first]) for word in answered]


def _spread(starts: Array, room: int, shared: int) -> list[tuple[int, int]]:
    """Windows of whole words over a sentence, (first word, stop), each with at least one word the one before has not."""
    count, windows, first, stop = len(starts) - 1, [], 0, 0
    while stop < count:
        reached = stop
        # Back into the window before by at most `shared` pieces, but so that the next word fits.
        first = int(np.searchsorted(starts, max(starts[reached] - shared, starts[reached + 1] - room)))
        stop = int(np.searchsorted(starts, starts[first] + room, side="right")) - 1
        windows.append((first, stop))
    return windows


def _early_cut(pieces: Sequence[Sequence[int]], max_length: int) -> tuple[list[int], list[int], list[int]]:
    """The row of the original code: words are read while 4 + words + pieces read so far are at most `max_length`.

    A word without pieces stands where the next one stands. Source: google-research/electra, finetune/tagging.
    """
    ids: list[int] = []
    answered: list[int] = []
    positions: list[int] = []
    for number, word in enumerate(pieces):
        if 4 + len(pieces) + len(ids) > max_length or len(ids) + len(word) > max_length - 2:
            break
        answered.append(number)
        positions.append(1 + len(ids))
        ids += word
    return ids, answered, positions
