"""What may have stood at a place: words of the generator, ranked by both networks.

    masks at the place -> the generator's words, of one piece and of several -> each judged in its place -> best first

Unusual here: neither network ranks alone. A discriminator D that was trained against the generator G knows by how much a word
is likelier in text than in G's answers, (1 - D) / D, so words are ranked by G's probability times that ratio: the text's own
probability, but for a constant (Clark et al., 2020, "Pre-Training Transformers as Energy-Based Cloze Models"). Measured in
docs/results.md: the right word comes first twice as often as by G alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from electra.inference.filling import Filler
from electra.inference.network import Array, Network, around

SINGLES = 50  # words of one piece that are judged
LONGEST = 3  # pieces of a word
WIDTH = 8  # beginnings of words of several pieces that are kept
GOES_ON = "##"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Pieces first:stop of a text, which are to be replaced; ids (n,) of all of it."""

    ids: Array
    first: int
    stop: int

    def filled(self, pieces: Sequence[int], room: int) -> tuple[Array, int]:
        """The window of at most `room` pieces around the place with these pieces in it, and where in it they begin."""
        ids = np.concatenate([self.ids[: self.first], np.asarray(pieces, np.int32), self.ids[self.stop :]])
        begin, stop = around(len(ids), self.first, self.first + len(pieces), room)
        return ids[begin:stop], self.first - begin


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A word for a place.

    generator  its probability as the generator says: of several pieces the product, each asked after the ones before it
    logits     of its pieces in its place, by the discriminator
    """

    text: str
    generator: float
    logits: Array

    @property
    def rank(self) -> float:
        """The logarithm of the generator's probability times (1 - D) / D of each piece."""
        return float(np.log(self.generator) - self.logits.sum())


class Suggester:
    """A generator and the discriminator it was trained with."""

    def __init__(self, filler: Filler, discriminator: Network) -> None:
        self.filler, self.discriminator = filler, discriminator
        self.room = min(filler.max_length, discriminator.max_length) - 2
        pieces = filler.pieces
        goes_on = np.array([piece.startswith(GOES_ON) for piece in pieces])
        has_letters = np.array([any(map(str.isalnum, piece)) for piece in pieces])
        self.goes_on = goes_on & filler.is_text
        self.starts = {kind: filler.is_text & ~goes_on & (has_letters == kind) for kind in (True, False)}

    def propose(self, place: Place, *, is_word: bool) -> list[Proposal]:
        """Words, or else punctuation marks, for a place, best first."""
        found = self._of_length(place, 1, self.starts[is_word], SINGLES)
        if is_word:
            for length in range(2, LONGEST + 1):
                found += self._of_length(place, length, self.starts[is_word], WIDTH)
        texts = ["".join(self.filler.pieces[i].removeprefix(GOES_ON) for i in pieces) for pieces, _ in found]
        # Pieces the tokenizer would not cut a word into are no word it ever saw: "gar" and "##den" where it knows "garden".
        encoded = self.filler.network.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        kept = [i for i, (pieces, _) in enumerate(found) if list(pieces) == encoded[i]]
        filled = [place.filled(found[i][0], self.room) for i in kept]
        judged = self.discriminator.replaced([self.discriminator.row(ids) for ids, _ in filled])
        proposals = [
            Proposal(
                text=texts[i],
                generator=float(np.exp(found[i][1])),
                logits=logits[1 + begin : 1 + begin + len(found[i][0])].astype(np.float64),
            )
            for i, (_, begin), logits in zip(kept, filled, judged, strict=True)
        ]
        return sorted(proposals, key=lambda proposal: -proposal.rank)

    def _of_length(self, place: Place, length: int, starts: Array, width: int) -> list[tuple[tuple[int, ...], float]]:
        """The likeliest words of so many pieces with their log-probabilities, found piece by piece, `width` kept at each."""
        found: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
        for done in range(length):
            masks = [self.filler.mask_id] * (length - done)
            filled = [place.filled([*pieces, *masks], self.room) for pieces, _ in found]
            rows = [self.filler.network.row(ids) for ids, _ in filled]
            answers = self.filler.network.tokens(rows, [1 + begin + done for _, begin in filled])
            allowed = self.goes_on if done else starts
            totals = np.array([total for _, total in found])[:, None] + answers[:, : len(allowed)]
            totals = np.where(allowed, totals, -np.inf)
            best = np.argsort(-totals, axis=None, kind="stable")[:width]
            pairs = zip(*np.unravel_index(best, totals.shape), strict=True)
            found = [
                ((*found[row][0], int(piece)), float(totals[row, piece]))
                for row, piece in pairs
                if np.isfinite(totals[row, piece])
            ]
        return found
