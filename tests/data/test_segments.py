"""The original's example builder: exact under given draws, alike in statistics, and true to its rules."""

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from electra.data.segments import KeyedDraws, build_segments, segment_examples, split_document
from electra.errors import CorpusError, UsageError

GOLDENS = Path(__file__).parent / "goldens"
CASES = json.loads((GOLDENS / "forced.json").read_text())
STATISTICS = json.loads((GOLDENS / "statistics.json").read_text())


class ListedDraws:
    """Draws that return the listed values in a cycle, as when the goldens were made."""

    def __init__(self, values, fractions):
        self.values, self.fractions = itertools.cycle(values), itertools.cycle(fractions)
        self.drawn, self.integers = 0, 0

    def random(self):
        self.drawn += 1
        return next(self.values)

    def integer(self, low, high):
        self.integers += 1
        return low + int(next(self.fractions) * (high - low))


def build_forced(corpus, max_length, draws):
    """Examples as the original makes them: one stream of draws and one target through all documents."""
    lengths = np.diff(corpus.line_offsets).tolist()
    starts, in_second, target = [], bytearray(), max_length
    for begin, end in itertools.pairwise(corpus.document_offsets.tolist()):
        found = []
        target = split_document(lengths[begin:end], max_length, draws, target, found, in_second)
        starts.append(np.array(found, dtype=np.int64) + begin)
    return segment_examples(corpus, max_length, 0, starts, in_second)


@pytest.mark.parametrize("name", CASES)
def test_given_the_original_s_draws_every_example_is_the_original_s(name, golden_corpus):
    case = CASES[name]
    draws = ListedDraws(case["random_values_cycled"], case["randint_fractions_cycled"])
    examples = build_forced(golden_corpus(case["corpus"]), case["max_length"], draws)
    rows = examples.rows(np.arange(len(examples)))
    found = [
        rows.input_ids.astype(np.uint16),
        rows.attention_mask.astype(np.uint8),
        rows.token_type_ids.astype(np.uint8),
    ]
    assert len(examples) == case["examples"]
    assert (draws.drawn, draws.integers) == (case["n_random_draws"], case["n_randint_draws"])
    if (GOLDENS / name).exists():
        with np.load(GOLDENS / name) as held:
            for array, key in zip(found, ("input_ids", "input_mask", "segment_ids"), strict=True):
                np.testing.assert_array_equal(array, held[key])
    assert [hashlib.sha256(array.tobytes()).hexdigest() for array in found] == case["sha256"]


@pytest.mark.parametrize("max_length", [128, 512])
@pytest.mark.parametrize("text", STATISTICS)
def test_with_draws_of_our_own_the_statistics_are_the_original_s(text, max_length, golden_corpus):
    corpus = golden_corpus(text)
    told = STATISTICS[text][str(max_length)]
    runs = []
    for seed in range(8):
        examples = build_segments(corpus, max_length, seed)
        rows = examples.rows(np.arange(len(examples)))
        real = rows.attention_mask.sum(axis=1)
        has_second = rows.token_type_ids.any(axis=1)
        runs.append([len(real), (real == max_length).mean(), 1 - rows.attention_mask.mean(), has_second.mean()])
    names = ("examples", "share_full_length", "padding_share", "share_two_segments")
    means = dict(zip(names, np.mean(runs, axis=0), strict=True))
    for key, mean in told["mean_over_seeds"].items():
        # Each side is the mean of eight seeds; the difference may be five of its standard errors.
        assert means[key] == pytest.approx(mean, abs=5 * 2**0.5 * told["std_over_seeds"][key] / 8**0.5), key


def test_an_example_is_laid_out_as_cls_a_sep_b_sep(golden_corpus):
    examples = build_segments(golden_corpus("corpus_long_docs.txt"), 128, seed=3)
    rows = examples.rows(np.arange(len(examples)))
    for ids, mask, types in zip(rows.input_ids, rows.attention_mask, rows.token_type_ids, strict=True):
        size = mask.sum()
        assert mask[:size].all()
        assert not ids[size:].any()
        assert ids[0] == 101
        assert ids[size - 1] == 102
        ends = np.flatnonzero(ids[:size] == 102)
        assert len(ends) == 1 + types.any()
        np.testing.assert_array_equal(np.flatnonzero(types), np.arange(ends[0] + 1, size))


def test_no_example_crosses_the_end_of_a_document(corpus_of):
    documents = [[[1000 + document] * 3] * 4 for document in range(50)]
    rows_examples = build_segments(corpus_of(documents), 32, seed=0)
    rows = rows_examples.rows(np.arange(len(rows_examples)))
    for ids in rows.input_ids:
        assert len(set(ids[ids >= 1000].tolist())) == 1


def test_the_draws_of_a_document_do_not_depend_on_the_documents_around_it(corpus_of):
    rng = np.random.default_rng(0)
    documents = [[rng.integers(1000, 9000, rng.integers(1, 30)).tolist() for _ in range(40)] for _ in range(6)]
    whole, other = (
        build_segments(corpus_of(documents), 64, 7),
        build_segments(corpus_of([[[5000]], *documents[1:]]), 64, 7),
    )
    later = np.flatnonzero(whole.starts == 40)[0], np.flatnonzero(other.starts == 1)[0]
    np.testing.assert_array_equal(whole.starts[later[0] :] - 40, other.starts[later[1] :] - 1)
    np.testing.assert_array_equal(whole.in_second[40:], other.in_second[1:])


def test_another_seed_makes_other_examples_and_another_fingerprint(golden_corpus):
    corpus = golden_corpus("corpus_long_docs.txt")
    one, same, other = (build_segments(corpus, 128, seed) for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert bytes(one.in_second) == bytes(same.in_second) != bytes(other.in_second)


def test_a_line_longer_than_a_row_makes_one_example_and_loses_its_tail(corpus_of):
    examples = build_segments(corpus_of([[list(range(1000, 1500))]]), 16, seed=0)
    assert len(examples) == 1
    assert examples.rows(np.array([0])).input_ids.tolist() == [[101, *range(1000, 1014), 102]]


def test_rows_come_in_the_order_asked_and_may_repeat(golden_corpus):
    examples = build_segments(golden_corpus("corpus.txt"), 128, seed=1)
    single = [examples.rows(np.array([number])).input_ids[0] for number in (900, 3, 900)]
    np.testing.assert_array_equal(examples.rows(np.array([900, 3, 900])).input_ids, single)
    assert examples.rows(np.array([], dtype=np.int64)).input_ids.shape == (0, 128)


def test_keyed_draws_are_uniform_and_differ_by_seed_and_document():
    values = np.array([KeyedDraws(seed, document).random() for seed in range(50) for document in range(200)])
    assert len(set(values.tolist())) == len(values)
    counts = np.histogram(values, bins=20, range=(0, 1))[0]
    assert ((counts - 500) ** 2 / 500).sum() < 50  # chi-square with 19 degrees of freedom exceeds 50 once in 7000
    draws = KeyedDraws(0, 0)
    assert {draws.integer(5, 8) for _ in range(200)} == {5, 6, 7, 8}


def test_a_length_without_room_and_a_corpus_without_tokens_are_refused(corpus_of):
    with pytest.raises(UsageError, match="max_length is 4, expected at least 5"):
        build_segments(corpus_of([[[1000]]]), 4, seed=0)
    with pytest.raises(CorpusError, match="no example"):
        build_segments(corpus_of([]), 16, seed=0)
