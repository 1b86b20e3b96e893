"""Which of these words don't belong? The discriminator's answer for each word, and better words for a place.

    text -> pieces -> overlapping windows -> a logit for each piece -> a probability for each word

Unusual here: a word's score is the mean of its pieces' probabilities. With it the replaced word is the one with the highest
score a little more often than with the highest of its pieces, which long words have more of to be unlucky with; over the words
of all texts together the highest ranks a little better. Of the windows over a long text, half of each shared with the next, a
piece is answered by the one where it has most pieces around it. Both were chosen by measuring; see docs/results.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import InputError, UsageError
from electra.inference.filling import Filler
from electra.inference.inputs import count_of, text_of
from electra.inference.network import Array, Network, Options, Pieces
from electra.inference.suggestions import Place, Suggester
from electra.tasks.task import Prediction
from electra.tasks.windows import best_windows, cut

SUGGESTIONS = 10


class Detector:
    """A discriminator, with the generator of its pretraining where there is one.

    kind "detection"; labels None; max_length in tokens of a row. A longer text is read in windows, and all of it is answered.
    """

    kind = "detection"
    labels = None

    def __init__(self, folder: Path, options: Options, generator: Filler | None = None) -> None:
        self.network = Network("ElectraForPreTraining", folder, options)
        self.max_length = self.network.max_length
        self.generator = generator
        if generator is not None and generator.pieces != self._vocabulary():
            raise UsageError(f"{folder} and the generator beside it have different vocabularies; they are no pair")
        self.suggester = None if generator is None else Suggester(generator, self.network)

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """For each {"text"}: {"text", "words": [{"text", "start", "end", "score"}]}, in order.

        start and end are characters, score the probability that the word was replaced. Raises DataError, naming the input,
        where there is no text.
        """
        texts = [text_of(values, "text", number) for number, values in enumerate(inputs, start=1)]
        pieces = [self.network.pieces(text) for text in texts]
        answers = []
        for text, own, logits in zip(texts, pieces, self.logits(pieces), strict=True):
            words = [
                {"text": text[start:end], "start": start, "end": end, "score": score(logits[first:stop])}
                for first, stop, start, end in words_of(own)
            ]
            answers.append({"text": text, "words": words})
        return answers

    def suggest(self, text: str, start: int, end: int, count: int = SUGGESTIONS) -> list[dict[str, Any]]:
        """Words for characters start:end of a text: {"text", "generator", "score"}, best first, at most `count`.

        The place is that of all words it touches. generator is the probability the generator gives a word, score the word's
        own probability of having been replaced, once it stands there, seen in a window of the text around it.
        With a vocabulary without capitals, words are written with those of the word they replace.
        Raises InputError where no word stands there, UsageError where there is no generator.
        """
        if self.suggester is None:
            raise UsageError(
                "suggestions need a generator, and this model is a discriminator alone; load the run it is of"
            )
        count_of({"count": count}, count, 1)
        pieces = self.network.pieces(text)
        touched = [word for word in words_of(pieces) if word[2] < end and word[3] > start]
        if not touched:
            raise InputError(f"no word stands at characters {start} to {end} of a text of {len(text)} characters")
        place = Place(ids=pieces.ids, first=touched[0][0], stop=touched[-1][1])
        replaced = text[touched[0][2] : touched[-1][3]]
        lowers = bool(self.network.tokenizer.do_lower_case)
        found = {}
        for proposal in self.suggester.propose(place, is_word=any(map(str.isalnum, replaced))):
            word = like(replaced, proposal.text) if lowers else proposal.text
            if word != replaced:
                found[word] = {"text": word, "generator": proposal.generator, "score": score(proposal.logits)}
        return list(found.values())[:count]

    def _vocabulary(self) -> list[str]:
        tokenizer = self.network.tokenizer
        return list(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))

    def logits(self, texts: Sequence[Pieces]) -> Iterator[Array]:
        """Of each text: the logit of each piece, (n,) float64."""
        room = self.max_length - 2
        windows = [cut(len(pieces.ids), room=room, stride=max(1, room // 2)) for pieces in texts]
        rows = [
            self.network.row(pieces.ids[begin : begin + length])
            for pieces, own in zip(texts, windows, strict=True)
            for begin, length in own
        ]
        found = iter(self.network.replaced(rows))
        for pieces, own in zip(texts, windows, strict=True):
            best = best_windows(len(pieces.ids), own)
            logits = np.empty(len(pieces.ids), np.float64)
            for number, (begin, length) in enumerate(own):
                answered = np.flatnonzero(best == number)
                logits[answered] = next(found)[1 : 1 + length][answered - begin]
            yield logits


def score(logits: Array) -> float:
    """The probability that a word was replaced, from the logits of its pieces: the mean of their probabilities."""
    return float(np.mean(1 / (1 + np.exp(-np.asarray(logits, np.float64)))))


def words_of(pieces: Pieces) -> list[tuple[int, int, int, int]]:
    """Each word: its pieces first:stop and its characters start:end."""
    edges = np.flatnonzero(np.diff(pieces.words, prepend=-1, append=-1))
    return [
        (first, stop, int(pieces.offsets[first, 0]), int(pieces.offsets[stop - 1, 1]))
        for first, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]


def like(model: str, word: str) -> str:
    """A word in small letters, with the capitals of `model`: all of them, the first, or none."""
    letters = [letter for letter in model if letter.isalpha()]
    if len(letters) > 1 and all(map(str.isupper, letters)):
        return word.upper()
    return word[:1].upper() + word[1:] if letters and letters[0].isupper() else word
