"""How many pieces of one text or two stay when a row must not be longer than max_length. Pure functions on lengths.

Hugging Face's two kinds of tokenizers differ: the slow ones take pieces away (`cut`), the fast ones fill the room there
is (`share_room`) and can go on in further windows over the same text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from electra.errors import UsageError

Span = tuple[int, int]  # first and stop


@dataclass(frozen=True)
class Cut:
    """What stays of each text, and which pieces of which text flow over; stride pieces of them stay as well."""

    spans: list[Span]
    overflow: Span = (0, 0)
    overflowing_text: int = 0


def cut(lengths: Sequence[int], excess: int, *, strategy: str, stride: int, side: str) -> Cut | None:
    """Take `excess` pieces from the end of texts, or the start where side is "left"; None where that cannot be done.

    Source: transformers, PreTrainedTokenizerBase.truncate_sequences.
    """
    if excess <= 0:
        return Cut([(0, length) for length in lengths])
    if strategy == "longest_first" and len(lengths) == 2:
        shares = share_removal(lengths[0], lengths[1], excess)
        lefts = [max(0, length - share) for length, share in zip(lengths, shares, strict=True)]
        return Cut([keep(length, left, side) for length, left in zip(lengths, lefts, strict=True)])
    target = target_of(strategy)
    if target >= len(lengths) or lengths[target] <= excess:
        return None
    kept = [length - excess * (i == target) for i, length in enumerate(lengths)]
    overflow = keep(lengths[target], min(lengths[target], stride + excess), "left" if side == "right" else "right")
    return Cut([keep(*pair, side) for pair in zip(lengths, kept, strict=True)], overflow, target)


def share_removal(first: int, second: int, excess: int) -> tuple[int, int]:
    """How many of `excess` tokens to take from each of two texts: from the longer until they are equal, then evenly.

    An odd one is taken from the second text, as Hugging Face's slow tokenizers do.
    """
    from_longer = min(abs(first - second), excess)
    rest = excess - from_longer
    if first > second:
        from_first = from_longer + rest // 2
        return from_first, excess - from_first
    return rest // 2, excess - rest // 2


def fill(lengths: Sequence[int], room: int, strategy: str) -> list[int] | None:
    """How many pieces of each text a row of `room` pieces holds; None where the strategy's text is too short.

    Source: tokenizers, truncate_encodings.
    """
    excess = sum(lengths) - room
    if excess <= 0:
        return list(lengths)
    if room == 0:
        return [0] * len(lengths)
    if strategy == "longest_first":
        return [room] if len(lengths) == 1 else list(share_room(lengths[0], lengths[1], room))
    target = target_of(strategy)
    if target >= len(lengths) or lengths[target] <= excess:
        return None
    return [length - excess * (i == target) for i, length in enumerate(lengths)]


def share_room(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens two texts keep of `room`, as `tokenizers` shares it: an odd one goes to the longer, or the second."""
    if first + second <= room:
        return first, second
    short, long = sorted((first, second))
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short = room // 2
        long = short + room % 2
    return (long, short) if first > second else (short, long)


def windows(length: int, size: int, stride: int, side: str) -> list[Span]:
    """Spans of at most `size` pieces over all of a text, each sharing `stride` pieces with the one before.

    They begin at the start, or at the end where side is "left". Raises UsageError where they would not move on.
    """
    if size >= length:
        return [(0, length)]
    if stride >= size:
        raise UsageError(
            f"a window has room for {size} pieces of the text and stride asks {stride} of them to be shared with the "
            "window before; lower stride, or raise max_length"
        )
    starts = range(0, length - stride, size - stride)
    spans = [(start, min(start + size, length)) for start in starts]
    return spans if side == "right" else [(length - stop, length - start) for start, stop in spans]


def does_not_fit(lengths: Sequence[int], excess: int, strategy: str) -> str:
    """What to tell where a strategy cannot take `excess` pieces away."""
    return (
        f"{excess} of {' + '.join(map(str, lengths))} tokens do not fit, and truncation={strategy!r} cannot take them "
        'away; raise max_length or use truncation="longest_first"'
    )


def side_by_side(spans: Sequence[Sequence[Span]]) -> list[tuple[Span, ...]]:
    """Which windows over one text or two make a row together.

    The first of both; then every later one of the first text with all of the second's; then the first text's first
    with the second's later ones. Source: tokenizers, Encoding.merge_with.
    """
    if len(spans) == 1:
        return [(span,) for span in spans[0]]
    (first, *later), (second, *more) = spans
    return [(first, second), *product(later, spans[1]), *((first, span) for span in more)]


def target_of(strategy: str) -> int:
    """Which text a strategy shortens where it names one, or where there is one only."""
    return 1 if strategy == "only_second" else 0


def keep(length: int, kept: int, side: str) -> Span:
    """The span of `kept` of `length` pieces: the first ones, or the last ones where side is "left"."""
    return (0, kept) if side == "right" else (length - kept, length)
