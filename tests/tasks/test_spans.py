"""Tags and spans against seqeval, on well-formed and malformed sequences."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightly import examples
from seqeval import scheme as theirs
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

from electra.errors import DataError
from electra.tasks import spans as ours
from electra.tasks.metrics import macro

few = settings(max_examples=examples(60, 1000), deadline=None)
TYPES = ("PER", "LOC", "MISC-1", "x")
ODD = ("O", "B", "I", "E", "S", "B-", "Bx", "I-a-b", "O-PER", "L-PER", "U-LOC", "L", ".", "B--x", "PER", "E-x-", "Ix-y")


def tags(letters, odd=()):
    usual = [f"{letter}-{type_}" for letter in letters for type_ in TYPES]
    return st.lists(st.sampled_from([*usual, "O", "O", "O", *odd]), max_size=12)


def quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval warns of tags it does not know, and of undefined measures
        return function(*args, **options)


@few
@given(tags("BIES", ODD))
def test_any_sequence_is_read_as_seqeval_reads_it(sentence):
    expected = [(first, last, type_) for type_, first, last in quietly(get_entities, sentence)]
    assert ours.spans(sentence) == expected


@pytest.mark.parametrize("scheme", ours.SCHEMES)
def test_strictly_any_sequence_is_read_as_seqeval_reads_it(scheme):
    @few
    @given(tags(sorted(ours.LETTERS[scheme] - {"O"})))
    def check(sentence):
        tokens = theirs.Tokens(sentence, getattr(theirs, scheme), sent_id=0)
        expected = [(entity.start, entity.end - 1, entity.tag) for entity in tokens.entities]
        assert ours.strict_spans(sentence, scheme) == expected

    check()


def test_a_letter_of_another_scheme_is_refused_when_reading_strictly():
    with pytest.raises(DataError, match='tag "S-PER" is not of IOB2, whose letters are B, I, O'):
        ours.strict_spans(["S-PER"], "IOB2")


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("I-A I-A O", [(0, 1, "A")]),  # begins with I
        ("B-A I-B", [(0, 0, "A"), (1, 1, "B")]),  # the type changes inside
        ("B-A I-B I-A", [(0, 0, "A"), (1, 1, "B"), (2, 2, "A")]),
        ("B-A O I-A", [(0, 0, "A"), (2, 2, "A")]),  # O inside
        ("B-X-Y I-X-Y I-X-Z", [(0, 1, "X-Y"), (2, 2, "X-Z")]),  # dashes in the type
        ("E-A E-A", [(0, 0, "A"), (1, 1, "A")]),
        ("", []),
    ],
)
def test_malformed_sequences(sentence, expected):
    assert ours.spans(sentence.split()) == expected


# The original's answers to these tags.
ORIGINAL = {
    "B-NP I-NP O B-VP": "B-NP E-NP O S-VP",
    "I-NP I-NP I-VP": "B-VP I-VP E-VP",
    "O O": "O O",
    "B-A B-A I-A O I-B I-A": "S-A B-A E-A O B-A E-A",
    "S-A B-A E-A O": "S-A B-A E-A O",
    "O E-A I-A": "O B-A E-A",
    "I-A B-A": "S-A S-A",
}


@pytest.mark.parametrize(("sentence", "expected"), ORIGINAL.items())
def test_the_originals_reading(sentence, expected):
    read = ours.original_spans(sentence.split())
    assert ours.tags_of(read, len(sentence.split()), "IOBES") == expected.split()


@st.composite
def some_spans(draw):
    found, position = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=5)):
        first = position + gap
        position = first + length
        found.append((first, position - 1, draw(st.sampled_from(TYPES[:2]))))
    return found, position + draw(st.integers(0, 2))


@few
@given(some_spans())
def test_spans_written_in_a_scheme_are_read_again_and_converted_to_every_other(case):
    found, length = case
    written = {scheme: ours.tags_of(found, length, scheme) for scheme in ours.SCHEMES}
    for scheme, tags in written.items():
        assert ours.spans(ours.as_ending_letters(tags)) == found
        # Strict IOB1 and IOE1 of seqeval lose spans beside another type; the others lose none.
        assert scheme in ("IOB1", "IOE1") or ours.strict_spans(tags, scheme) == found
        assert {other: ours.convert(tags, other) for other in ours.SCHEMES} == written


def test_overlapping_spans_are_refused():
    with pytest.raises(ValueError, match="overlaps"):
        ours.tags_of([(0, 2, "A"), (2, 3, "B")], 4, "IOB2")


@few
@given(st.lists(st.tuples(tags("BIES"), tags("BIES")), min_size=1, max_size=4))
def test_scores_equal_seqevals(pairs):
    truth, predicted = zip(*[(a[:size], b[:size]) for a, b in pairs for size in [min(len(a), len(b))]], strict=True)
    total, by_type = ours.score([ours.spans(s) for s in truth], [ours.spans(s) for s in predicted])
    lists = (list(truth), list(predicted))
    if not by_type:
        assert total.f1 == macro(by_type).f1 == 0.0
        return
    names = sorted(by_type)
    each = quietly(precision_recall_fscore_support, *lists, average=None)
    assert [list(column) for column in each] == [pytest.approx([by_type[n][i] for n in names]) for i in range(4)]
    for average, found in (("micro", total), ("macro", macro(by_type))):
        assert found == pytest.approx(quietly(precision_recall_fscore_support, *lists, average=average), abs=1e-12)


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        (["B-A I-A O", "B-B"], "IOB2"),
        (["I-A I-A O I-B", "I-A B-A"], "IOB1"),
        (["I-A O"], "IOB1"),
        (["I-A E-A O E-B"], "IOE2"),
        (["I-A E-A I-A O I-B"], "IOE1"),
        (["S-A O B-B E-B"], "IOBES"),
        (["U-A O B-B L-B"], "BILOU"),
        (["DT NN , -LRB- PRP$", "VB"], "plain"),
        (["PER O"], "plain"),
    ],
)
def test_the_scheme_is_found(sentences, scheme):
    assert ours.detect_scheme([s.split() for s in sentences]) == scheme


@pytest.mark.parametrize(
    ("sentences", "words"),
    [
        (["B-A O", "O I-A", "O B-A I-B"], 'mix schemes: IOB2 by "O I-A" (sentence 2) and IOB1 by "B-A O" (sentence 1)'),
        (["B-A S-A L-A"], "no scheme has the letters B, L, O, S together"),
        (["B-PER O", "LOC"], '"B-PER" has a letter before its type and "LOC" has none'),
    ],
)
def test_a_mixture_is_refused_in_words(sentences, words):
    with pytest.raises(DataError) as error:
        ours.detect_scheme([s.split() for s in sentences])
    assert words in str(error.value)


def test_an_empty_tag_is_refused():
    with pytest.raises(DataError, match="a tag is empty"):
        ours.spans(["O", ""])
