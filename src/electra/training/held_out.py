"""What an evaluation saw of held-out text, beyond its measures: a few rows as the networks judged them, and all scores, counted.

RUN/held_out.jsonl has a line for each evaluation:

    step    updates made until then
    rows    EXAMPLES rows, the same at every evaluation, masked alike and sampled with the same random numbers
        pieces    the text, at most LONGEST pieces
        asked     places in `pieces` where the generator was asked
        hidden    of each, 1 where the generator saw [MASK] there, 0 where it saw the piece
        written   of each, the piece it wrote: its sample or, without a discriminator, its best guess
        known     of each, the probability it gave the piece that stood there
        scores    of each piece, the discriminator's probability that it was replaced, null where it was not asked
    scores  all tokens it was asked about by the discriminator's logit, between EDGES: counts of `original` and of `replaced`
            ones, and their mean `probability`

Both scores are absent where no network says what was replaced.

Unusual here: nothing is computed for it. It is what the evaluation needs anyway, looked at in NumPy.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electra.batch import Batch, Masked
from electra.training.metrics import Observed

EXAMPLES = 4
LONGEST = 64  # pieces of a row that are kept
DIGITS = 4  # of probabilities
EDGES = np.arange(-8.0, 8.25, 0.5)  # logits; probabilities from 0.0003 to 0.9997

Part = tuple[Batch, Masked]
Row = dict[str, Any]


def held_out_record(
    step: int, parts: Sequence[Part], observed: Sequence[Observed], pieces: Sequence[str]
) -> dict[str, Any]:
    """The line of an evaluation. `pieces` are those of the vocabulary, by id."""
    rows = [(number, row) for number, (batch, _) in enumerate(parts) for row in range(len(batch.input_ids))]
    chosen = dict.fromkeys(len(rows) * number // EXAMPLES for number in range(EXAMPLES)) if rows else {}
    record: dict[str, Any] = {
        "step": step,
        "rows": [
            _row(parts[number], observed[number], row, pieces) for number, row in (rows[place] for place in chosen)
        ],
    }
    if observed and observed[0].logits is not None:
        record["scores"] = _counted(observed)
    return record


def _row(part: Part, seen: Observed, row: int, pieces: Sequence[str]) -> Row:
    batch, masked = part
    ids, real = np.asarray(batch.input_ids[row]), np.asarray(batch.attention_mask[row]) > 0
    shown = np.nonzero(real)[0][:LONGEST]
    slots = np.nonzero((masked.weights[row] > 0) & np.isin(masked.positions[row], shown))[0]
    slots = slots[np.argsort(masked.positions[row][slots], kind="stable")]
    places, firsts = np.unique(masked.positions[row][slots], return_index=True)
    asked = slots[firsts]
    held: Row = {
        "pieces": [pieces[i] for i in ids[shown]],
        "asked": np.searchsorted(shown, places).tolist(),
        "hidden": (masked.input_ids[row][places] != ids[places]).astype(int).tolist(),
        "written": [pieces[i] for i in _written(masked, seen, row, len(ids))[places]],
        "known": _rounded(np.exp(-seen.mlm_errors[row][asked])),
    }
    if seen.logits is not None:
        asked_about = np.ones(len(shown), bool) if seen.judged is None else seen.judged[row][shown] > 0
        scores = _rounded(probability(seen.logits[row][shown]))
        held["scores"] = [score if is_asked else None for score, is_asked in zip(scores, asked_about, strict=True)]
    return held


def _written(masked: Masked, seen: Observed, row: int, length: int) -> np.ndarray:
    """The ids (L,) that the generator put where it was asked. A place drawn twice: as objective.corrupt, the floored mean."""
    used = masked.weights[row] > 0
    positions, best = masked.positions[row][used], seen.mlm_ids[row]
    ids = (best if seen.sampled_ids is None else seen.sampled_ids[row])[used]
    sums, counts = np.zeros(length, np.int64), np.zeros(length, np.int64)
    np.add.at(sums, positions, ids)
    np.add.at(counts, positions, 1)
    return sums // np.maximum(counts, 1)


def _counted(observed: Sequence[Observed]) -> dict[str, list[Any]]:
    logits = np.concatenate([batch.asked("logits") for batch in observed]).astype(np.float64)
    replaced = np.concatenate([batch.asked("is_replaced") for batch in observed]).astype(bool)
    bins = np.searchsorted(EDGES, logits, side="right")

    def count(chosen: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(chosen, weights, minlength=len(EDGES) + 1)

    totals = count(bins)
    return {
        "original": count(bins[~replaced]).tolist(),
        "replaced": count(bins[replaced]).tolist(),
        "probability": _rounded(count(bins, probability(logits)) / np.maximum(totals, 1)),
    }


def probability(logits: np.ndarray) -> np.ndarray:
    """Of logits, in float64; the same shape."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(logits, np.float64)))


def _rounded(values: np.ndarray) -> list[float]:
    return [float(value) for value in np.round(np.asarray(values, np.float64), DIGITS)]


# -- reading ------------------------------------------------------------------------------------------------------------

# verdict -> what it means; the first three need a discriminator
VERDICTS = {
    "caught": "replaced, and caught",
    "missed": "replaced, and missed",
    "alarm": "original, and suspected",
    "restored": "asked, and guessed right",
    "wrong": "asked, and guessed wrong",
}


@dataclass(frozen=True)
class Judged:
    """One piece of a row as it is shown.

    text      the piece as the discriminator read it, or the guess
    is_glued  it continues the word before it
    verdict   a key of VERDICTS, "special" for [CLS] and [SEP], or ""
    original  what stood there, where that is another piece
    percent   the discriminator's probability, else that of the right piece; None where neither was asked
    """

    text: str
    is_glued: bool
    verdict: str
    original: str
    percent: int | None


def judged(row: Mapping[str, Any]) -> Iterator[Judged]:
    """The pieces of a row. A probability of one half or more is a suspicion."""
    written = dict(zip(row["asked"], zip(row["written"], row["known"], strict=True), strict=True))
    for place, piece in enumerate(row["pieces"]):
        text, known = written.get(place, (piece, None))
        score = row["scores"][place] if "scores" in row else None
        value = known if score is None else score
        yield Judged(
            text=text.removeprefix("##"),
            is_glued=text.startswith("##"),
            verdict=_verdict(place in written, text != piece, score, "scores" in row)
            or "special" * (piece in ("[CLS]", "[SEP]")),
            original=piece if text != piece else "",
            percent=None if value is None else round(100 * value),
        )


def _verdict(is_asked: bool, is_other: bool, score: float | None, is_judged: bool) -> str:
    if is_judged and score is None:
        return ""
    if score is None:
        return ("wrong" if is_other else "restored") if is_asked else ""
    if is_other:
        return "caught" if score >= 0.5 else "missed"
    return "alarm" if score >= 0.5 else "restored" if is_asked else ""


def tally(row: Mapping[str, Any]) -> dict[str, int]:
    """How many pieces of a row have each verdict."""
    verdicts = [one.verdict for one in judged(row)]
    return {verdict: verdicts.count(verdict) for verdict in VERDICTS if verdict in verdicts}


def reliability(scores: Mapping[str, Sequence[Any]]) -> list[tuple[float, float, int]]:
    """(mean probability, share replaced, tokens) of each of the bins that has tokens, from the lowest probability."""
    original, replaced = (np.array(scores[name]) for name in ("original", "replaced"))
    counts = original + replaced
    return [
        (float(scores["probability"][i]), float(replaced[i] / counts[i]), int(counts[i]))
        for i in np.nonzero(counts)[0].tolist()
    ]


def precision_recall(scores: Mapping[str, Sequence[Any]]) -> list[tuple[float, float]]:
    """(recall, precision) of calling replaced what is above each edge, from the strictest; empty where nothing is replaced."""
    hits = np.cumsum(np.array(scores["replaced"])[::-1])
    called = hits + np.cumsum(np.array(scores["original"])[::-1])
    if not hits[-1]:
        return []
    return [(float(h / hits[-1]), float(h / c)) for h, c in zip(hits, called, strict=True) if c]


def calibration_error(scores: Mapping[str, Sequence[Any]]) -> float:
    """The mean distance, over tokens, of the bins' probability from their share replaced; 0 to 1."""
    bins = reliability(scores)
    total = sum(count for *_, count in bins)
    return sum(abs(mean - share) * count for mean, share, count in bins) / total if total else 0.0
