"""A data set in numbers: examples, labels, lengths, and the score of answering the same always."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from electra.tasks.check import label_counts, share, sides, truth
from electra.tasks.task import ChoiceExample, Example, QuestionExample, TaggedExample, TextExample

LABELS_SHOWN = 12
BATCH = 1000  # texts a tokenizer gets at once


def summarize(
    splits: Mapping[str, Sequence[Example]], *, tokenizer: Any = None, max_length: int = 128
) -> Iterator[str]:
    """Lines of plain words on each split. With a tokenizer also how many word pieces (tokens) a row has."""
    for name, examples in splits.items():
        yield f"{name}: {len(examples):,} examples"
        yield from (f"  {line}" for line in _labels(examples))
        yield f"  words {_spread([sum(len(side.split()) for side in sides(example)) for example in examples])}"
        yield f"  characters {_spread([sum(map(len, sides(example))) for example in examples])}"
        if tokenizer is not None:
            lengths = _pieces(examples, tokenizer)
            beyond = sum(length > max_length for length in lengths)
            what = "read in windows" if isinstance(examples[0], QuestionExample) else "cut"
            yield f"  word pieces {_spread(lengths)}; more than {max_length} in {share(beyond, len(examples))}, which are {what}"
    yield from _always_the_same(splits)


def _spread(values: Sequence[int]) -> str:
    middle, most = np.percentile(values, [50, 95], method="higher")
    return f"{int(middle):,} in the middle, up to {int(most):,} in 95%, at most {max(values):,}"


def _labels(examples: Sequence[Example]) -> Iterator[str]:
    counts = label_counts(examples)
    if counts:
        total = counts.total() if isinstance(examples[0], TaggedExample) else len(examples)
        shown = ", ".join(f"{label} {share(count, total)}" for label, count in counts.most_common(LABELS_SHOWN))
        more = len(counts) - LABELS_SHOWN
        what = "tag" if isinstance(examples[0], TaggedExample) else "label"
        yield f"{len(counts)} {what}{'s' * (len(counts) != 1)}: {shown}" + (f", and {more} more" if more > 0 else "")
        return
    scores = [value for value in map(truth, examples) if isinstance(value, float)]
    if not scores:
        yield "no labels"
        return
    yield f"scores {min(scores):g} to {max(scores):g}, mean {np.mean(scores):.3g}, {len(set(scores)):,} different"


def _pieces(examples: Sequence[Example], tokenizer: Any) -> list[int]:
    """Word pieces of the longest row of each example, special tokens included."""
    rows = [(number, row) for number, example in enumerate(examples) for row in _rows(example)]
    lengths = [0] * len(examples)
    for begin in range(0, len(rows), BATCH):
        part = rows[begin : begin + BATCH]
        texts, pairs = [row[0] for _, row in part], [row[1] for _, row in part if len(row) > 1]
        ids = tokenizer(texts, pairs or None)["input_ids"]
        for (number, _), row in zip(part, ids, strict=True):
            lengths[number] = max(lengths[number], len(row))
    return lengths


def _rows(example: Example) -> list[tuple[str, ...]]:
    if isinstance(example, ChoiceExample):
        return [(example.prompt, choice) for choice in example.choices]
    return [sides(example)]


def _always_the_same(splits: Mapping[str, Sequence[Example]]) -> Iterator[str]:
    """The score a model must beat: the most frequent answer of train (or of the split itself), given to all."""
    for name, examples in splits.items():
        known = [truth(example) for example in examples if truth(example) is not None]
        if name == "train" or not known:
            continue
        counts = label_counts(splits.get("train", examples)) or label_counts(examples)
        if isinstance(examples[0], QuestionExample):
            unanswered = sum(not answers for answers in known)
            yield f'always "no answer" on {name}: exact match and F1 {unanswered / len(known):.3f}'
        elif isinstance(examples[0], TaggedExample):
            tags = label_counts(examples)
            tag = counts.most_common(1)[0][0]
            yield f"always {tag} on {name}: accuracy {tags[tag] / tags.total():.3f}" + (
                "; F1 of spans 0" * (tag == "O")
            )
        elif isinstance(examples[0], TextExample) and isinstance(known[0], tuple):
            none = sum(not labels for labels in known)
            label = counts.most_common(1)[0][0] if counts else ""
            alone = sum(labels == (label,) for labels in known)
            yield f"always {label} alone on {name}: all labels right in {max(alone, none) / len(known):.3f}"
        elif isinstance(known[0], float):
            yield f"always the mean on {name}: correlation 0, standard deviation {np.std(known):.3g}"
        else:
            label = counts.most_common(1)[0][0]
            yield f"always {label} on {name}: accuracy {sum(str(value) == label for value in known) / len(known):.3f}"
