"""Tags of words and the spans they mark: reading, writing, converting, scoring.

A tag is O (outside), or a letter and a type such as B-PER. Schemes differ in the letters: IOB1 (B only between two neighbours
of one type), IOB2 (B begins every span, also called BIO), IOE1 and IOE2 (E ends them), IOBES (both, and S for one word; also
BIOES), BILOU (L and U for E and S).

Unusual here: three ways of reading. The usual one takes any sequence, also malformed ones, as conlleval and seqeval's default
mode do; "strict" counts only what its scheme allows, as seqeval's strict mode; "original" is that of the original ELECTRA
code, which lets no span end at an I of another type. Spans are (first word, last word, type), both words inside.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from electra.errors import DataError
from electra.tasks.metrics import Rates, rates

Span = tuple[int, int, str]
Tags = Sequence[str]

SCHEMES = ("IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU")
PLAIN = "plain"  # tags that are types themselves, as parts of speech are

# What a scheme says of two neighbouring tags, by their letters: "=" where their types must be equal, "/" where they must
# differ, "?" either. A span begins at the second tag of a pair of `begin`, goes on over pairs of `inside`, and counts if
# the pair after its last tag is one of `end`. Any letter is *. Source: seqeval 1.2.2, whose strict mode this is.
RULES = {
    "IOB1": ("OI? II/ BI? IB= BB=", "BI= II=", "II/ IO? IB? BO? BI/ BB="),
    "IOB2": ("*B?", "BI= II=", "IO? II/ IB? BO? BI/ BB?"),
    "IOE1": ("OI? II/ EI? EE=", "II= IE=", "II/ IO? IE/ EI= EE="),
    "IOE2": ("OI? OE? EI? EE? II/ IE/", "IE= II=", "E*?"),
    "IOBES": ("*B? *S?", "BI= BE= II= IE=", "S*? E*?"),
    "BILOU": ("*B? *U?", "BI= BL= II= IL=", "U*? L*?"),
}
LETTERS = {name: frozenset("".join(rules)) & frozenset("IOBESLU") | {"O"} for name, rules in RULES.items()}


# -- tags to spans ------------------------------------------------------------------------------------------------------


def spans(tags: Tags) -> list[Span]:
    """The spans of a sentence as conlleval and seqeval's default mode find them, whatever the scheme.

    A span begins at B and S, at I and E after O, E or S, and wherever the type changes; so I- without a B- before it begins one.
    A letter none of these (L, U) is read by its type alone. Raises DataError on an empty tag.
    """
    return list(_spans(tuple(tags)))


@lru_cache(maxsize=100_000)  # resampling scores the same sentences over and over
def _spans(tags: tuple[str, ...]) -> tuple[Span, ...]:
    found: list[Span] = []
    first, letter, type_ = 0, "O", ""
    for i, tag in enumerate((*tags, "O")):
        next_letter, next_type = _parts(tag)
        changes = type_ != next_type
        if letter in "ES" or (letter in "BI" and next_letter in "BSO") or (letter not in "O." and changes):
            found.append((first, i - 1, type_))
        begins = next_letter in "BS" or (letter in "ESO" and next_letter in "EI")
        if begins or (next_letter not in "O." and changes):
            first = i
        letter, type_ = next_letter, next_type
    return tuple(found)


def strict_spans(tags: Tags, scheme: str) -> list[Span]:
    """The spans that keep to a scheme; words of malformed ones count as outside.

    Raises DataError on a letter the scheme does not have.
    """
    begin, inside, end = (_matcher(rules) for rules in RULES[scheme])
    parts = [("O", "_")]
    for tag in tags:
        letter, _ = _parts(tag)
        if letter not in LETTERS[scheme]:
            raise DataError(f'tag "{tag}" is not of {scheme}, whose letters are {", ".join(sorted(LETTERS[scheme]))}')
        parts.append((letter, tag[1:].strip("-") or "_"))
    parts.append(("O", "_"))
    found: list[Span] = []
    i = 1
    while i < len(parts):
        if not begin(parts[i - 1], parts[i]):
            i += 1
            continue
        stop = i + 1
        while stop < len(parts) and inside(parts[stop - 1], parts[stop]):
            stop += 1
        if stop < len(parts) and end(parts[stop - 1], parts[stop]):
            found.append((i - 1, stop - 2, parts[i][1]))
        i = stop
    return found


def original_spans(tags: Tags) -> list[Span]:
    """As the original ELECTRA code reads them: a span goes on until B, S or O, and has the type of its last tag.

    Source: google-research/electra, finetune/tagging.
    """
    found: list[Span] = []
    for i, tag in enumerate(tags):
        letter, type_ = _parts(tag)
        if letter == "O":
            continue
        goes_on = letter not in "BS" and i > 0 and tags[i - 1] != "O"
        first = found.pop()[0] if goes_on else i
        found.append((first, i, type_))
    return found


def _parts(tag: str) -> tuple[str, str]:
    """Letter and type: ("B", "PER"). A tag without a type has the type _."""
    if not tag:
        raise DataError("a tag is empty, expected O or a letter and a type such as B-PER")
    return tag[0], tag[1:].split("-", 1)[-1] or "_"


Part = tuple[str, str]


@lru_cache
def _matcher(rules: str) -> Callable[[Part, Part], bool]:
    listed = [(rule[0], rule[1], rule[2]) for rule in rules.split()]

    def matches(before: Part, after: Part) -> bool:
        relation = "=" if before[1] == after[1] else "/"
        return any(
            first in (before[0], "*") and second in (after[0], "*") and wanted in (relation, "?")
            for first, second, wanted in listed
        )

    return matches


# -- spans to tags ------------------------------------------------------------------------------------------------------


def tags_of(found: Iterable[Span], length: int, scheme: str) -> list[str]:
    """The tags of a sentence of `length` words in a scheme. Raises ValueError where spans overlap or reach beyond it."""
    tags, ordered = ["O"] * length, sorted(found)
    for i, (first, last, type_) in enumerate(ordered):
        if not 0 <= first <= last < length or any(tag != "O" for tag in tags[first : last + 1]):
            raise ValueError(f"span {(first, last, type_)} overlaps another, or is not within {length} words")
        touches_previous = i > 0 and ordered[i - 1][1:] == (first - 1, type_)
        touches_next = i + 1 < len(ordered) and ordered[i + 1][0] == last + 1 and ordered[i + 1][2] == type_
        opening, closing, alone = _ends(scheme, touches_previous, touches_next)
        letters = [opening, *"I" * (last - first - 1), closing] if last > first else [alone]
        tags[first : last + 1] = [f"{letter}-{type_}" for letter in letters]
    return tags


def _ends(scheme: str, touches_previous: bool, touches_next: bool) -> tuple[str, str, str]:
    """The letters of a span's first word, its last, and its only one."""
    table = {
        "IOB1": ("B", "I", "B") if touches_previous else ("I", "I", "I"),
        "IOB2": ("B", "I", "B"),
        "IOE1": ("I", "E", "E") if touches_next else ("I", "I", "I"),
        "IOE2": ("I", "E", "E"),
        "IOBES": ("B", "E", "S"),
        "BILOU": ("B", "L", "U"),
    }
    return table[scheme]


def convert(tags: Tags, scheme: str) -> list[str]:
    """The same spans in another scheme, such as IOB1 to IOB2 to IOBES. Malformed tags become what they were read as."""
    return tags_of(spans(as_ending_letters(tags)), len(tags), scheme)


def as_ending_letters(tags: Tags) -> list[str]:
    """BILOU's L and U under their names of IOBES, E and S: the usual reading does not know them."""
    return [{"L": "E", "U": "S"}[tag[0]] + tag[1:] if tag[:2] in ("L-", "U-") else tag for tag in tags]


# -- which scheme -------------------------------------------------------------------------------------------------------


def is_span_tag(tag: str) -> bool:
    """Whether a tag is O or a letter of a scheme, a dash and a type."""
    return tag == "O" or (len(tag) > 2 and tag[0] in "BIESLU" and tag[1] == "-")


def is_plain(tags: Iterable[str]) -> bool:
    """Whether tags are types themselves. Raises DataError where some are and some have a letter before them."""
    known = sorted(set(tags) - {"O"})
    plain = [tag for tag in known if not is_span_tag(tag)]
    lettered = [tag for tag in known if is_span_tag(tag)]
    if plain and lettered:
        raise DataError(
            f'tags mix two ways of writing: "{lettered[0]}" has a letter before its type and "{plain[0]}" has none. Write all of '
            "them as B-TYPE, I-TYPE and O, or none; is the right column read?"
        )
    return bool(plain)


def detect_scheme(sentences: Iterable[Tags]) -> str:
    """The scheme that all sentences keep to: a name of SCHEMES, or "plain".

    Where the tags fit several (only B and O, say) it is IOB2 before IOB1, IOE2 before IOE1. Raises DataError where they fit none,
    with a sentence that breaks each scheme their letters allow.
    """
    read = [tuple(tags) for tags in sentences]
    if is_plain(tag for tags in read for tag in tags):
        return PLAIN
    letters = {tag[0] for tags in read for tag in tags} | {"O"}
    broken = {}
    for scheme in ("IOB2", "IOB1", "IOE2", "IOE1", "IOBES", "BILOU"):
        if not letters <= LETTERS[scheme]:
            continue
        faulty = next((i for i, tags in enumerate(read) if not _keeps_to(tags, scheme)), None)
        if faulty is None:
            return scheme
        broken[scheme] = f'{scheme} by "{" ".join(read[faulty])}" (sentence {faulty + 1})'
    if not broken:
        raise DataError(f"tags mix schemes: no scheme has the letters {', '.join(sorted(letters))} together")
    raise DataError(f"tags mix schemes: {' and '.join(broken.values())} is broken")


def _keeps_to(tags: tuple[str, ...], scheme: str) -> bool:
    return tags_of(strict_spans(tags, scheme), len(tags), scheme) == list(tags)


# -- scores -------------------------------------------------------------------------------------------------------------


def score(truth: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]]) -> tuple[Rates, dict[str, Rates]]:
    """Precision, recall and F1 of spans, exactly right or wrong: over all, and by type. One entry a sentence."""
    counts: dict[str, list[int]] = {}  # type -> right, answered, there
    for there, answered in zip(map(set, truth), map(set, predicted), strict=True):
        for column, group in enumerate((there & answered, answered, there)):
            for span in group:
                counts.setdefault(span[2], [0, 0, 0])[column] += 1
    of_all = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0, 0]
    return rates(*of_all), {type_: rates(*counts[type_]) for type_ in sorted(counts)}
