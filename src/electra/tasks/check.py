"""What is wrong with a data set, in plain words, before anything is trained on it.

An "error" makes results wrong: labels that cannot be learned, a leak, answers that are not where they are said to be. A
"warning" is for you to judge.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePath
from typing import Any, Literal

from electra.tasks.overlap import key, near_pairs, normal
from electra.tasks.task import ChoiceExample, Example, QuestionExample, TaggedExample, TextExample

LEAK = 0.1  # share of a split's examples that are in train too, from which it is an error; published sets: up to 0.06
UNSEEN = 0.01  # share of a split's labels that train does not have, from which it is an error
MISPLACED = 0.01  # share of the questions with an answer that does not stand at its place, from which it is an error
SIDE = 0.05  # share of examples with one text in common with train, from which it is told
SCORES = 20  # different labels with a fraction, from which they look like scores
SHOWN = 3  # places, or labels, in a finding

Level = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found. `places` are the first few examples of it."""

    level: Level
    split: str
    text: str
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        places = f" ({', '.join(self.places)})" if self.places else ""
        return f"{self.level}: {self.split}: {self.text}{places}"


def check(splits: Mapping[str, Sequence[Example]]) -> list[Finding]:
    """All findings, errors first. Splits by name; the one called "train" is what the others must not repeat."""
    keys = {name: [key(sides(example)) for example in examples] for name, examples in splits.items()}
    found = []
    for name, examples in splits.items():
        found += [finding for look in (_empty, _encoding, _labels, _answers, _tags) for finding in look(name, examples)]
        found += _repeated(name, examples, keys[name])
    if "train" in splits:
        for name in splits:
            if name != "train":
                found += _unseen(name, splits[name], splits["train"])
    for first, second in combinations(sorted(splits, key=lambda name: name != "train"), 2):
        found += _leak(first, splits[first], keys[first], second, splits[second], keys[second])
        found += _one_side(first, splits[first], second, splits[second])
    return sorted(found, key=lambda finding: finding.level != "error")


def sides(example: Example) -> tuple[str, ...]:
    """The texts of an example."""
    if isinstance(example, TextExample):
        return (example.text,) if example.pair is None else (example.text, example.pair)
    if isinstance(example, TaggedExample):
        return (" ".join(example.words),)
    if isinstance(example, QuestionExample):
        return (example.question, example.context)
    assert isinstance(example, ChoiceExample)
    return (example.prompt, *example.choices)


def truth(example: Example) -> Any:
    """What a model is to answer; None where it is not known."""
    if isinstance(example, TaggedExample):
        return example.tags
    if isinstance(example, QuestionExample):
        return example.answers
    return example.label if isinstance(example, (TextExample, ChoiceExample)) else None


def label_counts(examples: Sequence[Example]) -> Counter[str]:
    """How often each label stands there: classes, tags, answered or not, numbers of choices. Empty for scores."""
    counts: Counter[str] = Counter()
    for example in examples:
        value = truth(example)
        if isinstance(example, QuestionExample):
            counts.update([] if value is None else ["answered" if value else "no answer"])
        elif isinstance(value, tuple):
            counts.update(value)
        elif isinstance(value, (str, int)):
            counts[str(value)] += 1
    return counts


def share(part: int, whole: int) -> str:
    """'12 (3.4%)'."""
    percent = f"{part / max(whole, 1):.1%}"
    return f"{part:,} ({'below 0.1%' if part and percent == '0.0%' else percent})"


def _places(examples: Sequence[Example]) -> tuple[str, ...]:
    return tuple(PurePath(example.place or example.id).name for example in examples[:SHOWN])


# ------------------------------------------------------------------------------------------------------------- one split


def _empty(split: str, examples: Sequence[Example]) -> Iterator[Finding]:
    empty = [example for example in examples if not all(side.strip() for side in sides(example))]
    if empty:
        text = f"{share(len(empty), len(examples))} have an empty text"
        yield Finding(level="warning", split=split, text=text, places=_places(empty))


# what it is, its pattern, what to do
TROUBLES = (
    (
        "U+FFFD, the sign of bytes that were not valid",
        "\ufffd",
        "convert the file, such as iconv -f windows-1252 -t utf-8",
    ),
    (
        'letters like "Ã©" for "é"',
        "[ÂÃ][\u0080-\u00bfŒœŠšŽžŸƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]|â€|ï»¿",
        "the file was converted twice",
    ),
    ("NUL characters", "\0", "they are removed"),
    ("control characters", "[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "they are removed"),
    ("lone surrogates", "[\ud800-\udfff]", "they cannot be written as UTF-8"),
)


def _encoding(split: str, examples: Sequence[Example]) -> Iterator[Finding]:
    every = re.compile("|".join(pattern for _, pattern, _ in TROUBLES))
    suspects = [example for example in examples if any(every.search(side) for side in sides(example))]
    for what, pattern, advice in TROUBLES:
        found = [example for example in suspects if any(re.search(pattern, side) for side in sides(example))]
        if found:
            text = f"{share(len(found), len(examples))} have {what}: {advice}"
            yield Finding(level="warning", split=split, text=text, places=_places(found))


def _repeated(split: str, examples: Sequence[Example], keys: Sequence[str]) -> Iterator[Finding]:
    groups: dict[str, list[Example]] = defaultdict(list)
    for example, name in zip(examples, keys, strict=True):
        groups[name].append(example)
    repeated = [group for group in groups.values() if len(group) > 1]
    extra = sum(len(group) - 1 for group in repeated)
    if extra:
        text = f"{share(extra, len(examples))} repeat another example"
        yield Finding(level="warning", split=split, text=text, places=_pair_places(repeated))
    differing = [group for group in repeated if len({truth(example) for example in group} - {None}) > 1]
    if differing and not isinstance(examples[0], QuestionExample):  # a question may be asked twice, with other answers
        count = sum(map(len, differing))
        text = f"{share(count, len(examples))} repeat another example, but for case and punctuation, with a different label"
        yield Finding(level="warning", split=split, text=text, places=_pair_places(differing))


def _pair_places(groups: Sequence[Sequence[Example]]) -> tuple[str, ...]:
    return tuple(" = ".join(_places(group[:2])) for group in groups[:SHOWN])


def _labels(split: str, examples: Sequence[Example]) -> Iterator[Finding]:
    if isinstance(examples[0], QuestionExample):
        return
    known = [truth(example) for example in examples if truth(example) is not None]
    if known and len(known) < len(examples):
        text = f"{share(len(examples) - len(known), len(examples))} have no label"
        yield Finding(level="error" if split == "train" else "warning", split=split, text=text)
    if len(known) > 1 and len(set(known)) == 1:
        text = f"every example has the same label, {known[0]}"
        yield Finding(level="error" if split == "train" else "warning", split=split, text=text)
    fractions = {label for label in known if isinstance(label, str) and re.fullmatch(r"-?\d*\.\d*[1-9]\d*", label)}
    if len(fractions) >= SCORES:
        text = f"{len(fractions)} labels are numbers with a fraction, such as {min(fractions)}: is this regression?"
        yield Finding(level="warning", split=split, text=text)


def _answers(split: str, examples: Sequence[Example]) -> Iterator[Finding]:
    questions = [example for example in examples if isinstance(example, QuestionExample)]
    repeated = [name for name, count in Counter(example.id for example in questions).items() if count > 1]
    if repeated:
        text = f"{len(repeated):,} ids name several questions: answers are told apart by id"
        yield Finding(level="error", split=split, text=text, places=tuple(repeated[:SHOWN]))
    misplaced = [
        example
        for example in questions
        if not all(example.context.startswith(answer.text, answer.start) for answer in example.answers or ())
    ]
    if misplaced:
        text = f"{share(len(misplaced), len(questions))} have an answer that does not stand at its place in the context"
        level: Level = "error" if len(misplaced) >= MISPLACED * len(questions) else "warning"
        yield Finding(level=level, split=split, text=text, places=_places(misplaced))


def _tags(split: str, examples: Sequence[Example]) -> Iterator[Finding]:
    """Tags that go on with a span (I-, E-) which none before them began."""
    wrong = [example for example in examples if isinstance(example, TaggedExample) and _goes_on(example.tags or ())]
    if wrong:
        text = f"{share(len(wrong), len(examples))} have a tag I- or E- with no B- before it; such tags count as beginnings"
        yield Finding(level="warning", split=split, text=text, places=_places(wrong))


def _goes_on(tags: Sequence[str]) -> bool:
    before = ("O", *tags)
    return any(
        tag[:2] in ("I-", "E-") and not (last[:2] in ("B-", "I-") and last[2:] == tag[2:])
        for last, tag in zip(before, tags, strict=False)
    )


# ---------------------------------------------------------------------------------------------------------- between splits


def _unseen(split: str, examples: Sequence[Example], train: Sequence[Example]) -> Iterator[Finding]:
    if isinstance(examples[0], (QuestionExample, ChoiceExample)):
        return
    known, here = label_counts(train), label_counts(examples)
    unseen = sorted(set(here) - set(known))
    if known and unseen:
        names = ", ".join(f'"{name}" ({here[name]:,})' for name in unseen[:SHOWN]) + ", ..." * (len(unseen) > SHOWN)
        missed = sum(here[name] for name in unseen)
        text = f"{share(missed, here.total())} of the labels are not among those of train: {names}"
        yield Finding(level="error" if missed >= UNSEEN * here.total() else "warning", split=split, text=text)


def _leak(
    first: str,
    known: Sequence[Example],
    known_keys: Sequence[str],
    second: str,
    examples: Sequence[Example],
    keys: Sequence[str],
) -> Iterator[Finding]:
    """Examples of the second split that are in the first too, or nearly."""
    where = dict(zip(known_keys, known, strict=True))
    equal = [(example, where[name]) for example, name in zip(examples, keys, strict=True) if name in where]
    if equal:
        text = f"{share(len(equal), len(examples))} are in {first} too"
        level: Level = "error" if first == "train" and len(equal) >= LEAK * len(examples) else "warning"
        yield Finding(level=level, split=second, text=text, places=_pair_places(equal))
    if isinstance(examples[0], QuestionExample):
        return  # questions about one context would all seem alike
    near = [(examples[number], known[other]) for number, other in near_pairs(known_keys, keys)]
    if near:
        text = f"{share(len(near), len(examples))} are nearly the same as one in {first}"
        yield Finding(level="warning", split=second, text=text, places=_pair_places(near))


# the kind of example, the text that several examples share, and how it is read
SHARED: tuple[tuple[type[Example], str, Callable[[Any], str | None]], ...] = (
    (QuestionExample, "context", lambda example: example.context),
    (ChoiceExample, "prompt", lambda example: example.prompt),
    (TextExample, "first text of the pair", lambda example: None if example.pair is None else example.text),
    (TextExample, "second text of the pair", lambda example: example.pair),
)


def _one_side(first: str, known: Sequence[Example], second: str, examples: Sequence[Example]) -> Iterator[Finding]:
    for kind, what, read in SHARED:
        if not isinstance(examples[0], kind) or read(examples[0]) is None:
            continue
        texts = {normal(text) for example in known if (text := read(example))}
        common = [example for example in examples if (text := read(example)) and normal(text) in texts]
        if len(common) >= SIDE * len(examples):
            text = f"{share(len(common), len(examples))} have a {what} that {first} has too"
            yield Finding(level="warning", split=second, text=text, places=_places(common))
