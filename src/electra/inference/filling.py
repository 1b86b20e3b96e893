"""What may stand at [MASK]? The generator's answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from electra.errors import DataError
from electra.inference.inputs import count_of, text_of
from electra.inference.network import Array, Network, Options, Pieces, around
from electra.tasks.task import Prediction

CANDIDATES = 5


class Filler:
    """A generator that answers for masked places.

    kind "filling"; labels None; max_length in tokens of a row. Of a longer text each place is seen in a window around it.
    """

    kind = "filling"
    labels = None

    def __init__(self, folder: Path, options: Options) -> None:
        self.network = Network("ElectraForMaskedLM", folder, options)
        self.max_length = self.network.max_length
        tokenizer = self.network.tokenizer
        self.mask, self.mask_id = str(tokenizer.mask_token), int(tokenizer.mask_token_id)
        self.pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        # No text holds special tokens, and no model has learned anything of rows that were kept free.
        special = set(tokenizer.all_special_ids)
        self.is_text = np.array([i not in special and not p.startswith("[unused") for i, p in enumerate(self.pieces)])

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """For each {"text"} with one [MASK] or more: {"text", "masks": [{"start", "end", "candidates"}]}, in order.

        Places are characters. candidates are {"text", "score"}: pieces ("##" for those that go on with a word) and their
        probabilities, best first, "count" of them (default 5). Other masks stay masked while one is answered.
        Raises DataError, naming the input, where it has no [MASK].
        """
        texts = [text_of(values, "text", number) for number, values in enumerate(inputs, start=1)]
        counts = [count_of(values, CANDIDATES, number) for number, values in enumerate(inputs, start=1)]
        rows: list[Array] = []
        positions: list[int] = []
        answers: list[Prediction] = []
        for number, text in enumerate(texts, start=1):
            pieces = self._read(text)
            places = np.flatnonzero(pieces.ids == self.mask_id).tolist()
            if not places:
                raise DataError(f"input {number}: the text has no {self.mask}; write {self.mask} where a word is asked")
            for place in places:
                begin, stop = around(len(pieces.ids), place, place + 1, self.max_length - 2)
                rows.append(self.network.row(pieces.ids[begin:stop]))
                positions.append(1 + place - begin)
            answers.append({"text": text, "masks": [_span(pieces.offsets[place]) for place in places]})
        found = iter(self.network.tokens(rows, positions))
        for answer, count in zip(answers, counts, strict=True):
            for mask in answer["masks"]:
                mask["candidates"] = self._best(next(found), count)
        return answers

    def _read(self, text: str) -> Pieces:
        """The pieces of a text whose masks are one piece each, and whose other special tokens are text."""
        ids, offsets, start = [], [], 0
        for number, part in enumerate(text.split(self.mask)):
            if number:
                ids.append(np.array([self.mask_id], np.int32))
                offsets.append(np.array([[start - len(self.mask), start]]))
            pieces = self.network.pieces(part)
            ids.append(pieces.ids)
            offsets.append(pieces.offsets + start)
            start += len(part) + len(self.mask)
        return Pieces(np.concatenate(ids), np.concatenate(offsets), np.empty(0, np.int64))

    def _best(self, log_probabilities: Array, count: int) -> list[dict[str, Any]]:
        shares = np.where(self.is_text, np.exp(log_probabilities[: len(self.is_text)]), -1)
        return [
            {"text": self.pieces[index], "score": float(shares[index])}
            for index in np.argsort(-shares, kind="stable")[:count].tolist()
            if self.is_text[index]
        ]


def _span(offsets: Array) -> dict[str, Any]:
    return {"start": int(offsets[0]), "end": int(offsets[1])}
