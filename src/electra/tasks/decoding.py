"""From scores to spans: which pieces of a window may be an answer, and how likely each is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electra.tasks.task import Array, Outputs


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a window shows of its text.

    first    position of its first piece in the row
    piece    number of that piece in the text
    offsets  (n, 2) the characters of its pieces in the text
    is_best  (n,) bool: whether a piece has most context in this window; answers start only where they have
    shipped  what `as_shipped` reads besides
    """

    first: int
    piece: int
    offsets: Array
    is_best: Array
    shipped: Any = None


Candidate = tuple[float, int, int]  # log-probability, first character, character after the last


def candidates(seen: Seen, output: Outputs, longest: int, most: int) -> list[Candidate]:
    """The likeliest spans of a window, up to `most`: inside it, at most `longest` pieces long."""
    if not len(seen.offsets):
        return []
    spans = _beam_spans if "end_top_index" in output else _plain_spans
    score, start, end = (np.concatenate(part) for part in zip(*spans(seen, output, longest), strict=True))
    order = np.argsort(-score, kind="stable")[:most]
    first, last = seen.offsets[start[order], 0], seen.offsets[end[order], 1]
    return list(zip(score[order].tolist(), first.tolist(), last.tolist(), strict=True))


def _plain_spans(seen: Seen, output: Outputs, longest: int) -> Iterator[tuple[Array, Array, Array]]:
    """All spans: (scores, first pieces, last pieces), one triple for each length."""
    count = len(seen.offsets)
    here = slice(seen.first, seen.first + count)
    starts = np.where(seen.is_best, log_softmax(output["start_logits"])[here], -np.inf)
    ends = log_softmax(output["end_logits"])[here]
    for more in range(min(longest, count)):
        place = np.flatnonzero(seen.is_best[: count - more])
        yield starts[place] + ends[place + more], place, place + more


def _beam_spans(seen: Seen, output: Outputs, longest: int) -> Iterator[tuple[Array, Array, Array]]:
    """The spans of the beams."""
    start = output["start_top_index"].astype(np.int64)[:, None] - seen.first  # (K, 1)
    end = output["end_top_index"].astype(np.int64) - seen.first  # (K, K)
    score = output["start_top_log_probs"].astype(np.float64)[:, None] + output["end_top_log_probs"]
    count = len(seen.offsets)
    is_valid = (start >= 0) & (start < count) & (end >= start) & (end < count) & (end - start < longest)
    is_valid &= seen.is_best[start.clip(0, count - 1)]
    yield score[is_valid], np.broadcast_to(start, end.shape)[is_valid], end[is_valid]


def distinct(context: str, found: Sequence[Candidate], most: int) -> list[dict[str, Any]]:
    """The likeliest answers of different texts: answer, start, end (characters), score."""
    texts: dict[str, dict[str, Any]] = {}
    for score, start, end in sorted(found, key=lambda candidate: (-candidate[0], candidate[1:])):
        text = context[start:end]
        if text not in texts:
            texts[text] = {"answer": text, "start": start, "end": end, "score": score}
        if len(texts) == most:
            break
    return list(texts.values())


def null_log_prob(output: Outputs) -> float:
    """The log-probability of the span of position 0 alone, [CLS]: that a window holds no answer."""
    if "end_top_index" in output:
        is_start, is_end = output["start_top_index"] == 0, output["end_top_index"] == 0  # (K,), (K, K)
        score = output["start_top_log_probs"].astype(np.float64)[:, None] + output["end_top_log_probs"]
        held = score[is_start[:, None] & is_end]
        return float(held[0]) if len(held) else float(score.min())  # beyond the beam: less likely than all of it
    return float(log_softmax(output["start_logits"])[0] + log_softmax(output["end_logits"])[0])


def log_softmax(logits: Array) -> Array:
    """In float64. logits (L,)."""
    shifted = logits.astype(np.float64) - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
