"""Packed rows: nothing lost, nothing mixed, hardly anything padded."""

import numpy as np
import pytest

from electra.data.packed import SHORTEST, build_packed, fragment_length


@pytest.fixture
def documents():
    """Documents of 1 to 400 tokens; the ids of each are its number above 1000."""
    rng = np.random.default_rng(0)
    sizes = np.concatenate([np.arange(1, 120), rng.integers(1, 400, 80)])
    rng.shuffle(sizes)
    return [[[1000 + number] * int(size)] for number, size in enumerate(sizes)]


def all_rows(corpus, max_length):
    examples = build_packed(corpus, max_length, seed=0)
    return examples.rows(np.arange(len(examples)))


@pytest.mark.parametrize("max_length", [5, 16, 64, 128])
def test_every_token_appears_once_and_in_order(documents, corpus_of, max_length):
    corpus = corpus_of(documents)
    ids = all_rows(corpus, max_length).input_ids.reshape(-1)
    np.testing.assert_array_equal(ids[ids >= 1000], corpus.ids)


def test_a_fragment_is_cls_tokens_sep_of_one_document_with_positions_from_0(documents, corpus_of):
    rows = all_rows(corpus_of(documents), 64)
    for ids, mask, positions, numbers in zip(
        rows.input_ids, rows.attention_mask, rows.position_ids, rows.document_ids, strict=True
    ):
        np.testing.assert_array_equal(numbers > 0, mask == 1)
        assert sorted(set(numbers[numbers > 0].tolist())) == list(range(1, numbers.max() + 1))
        for number in range(1, numbers.max() + 1):
            own = ids[numbers == number]
            assert (own[0], own[-1]) == (101, 102)
            assert len(set(own[1:-1].tolist())) == 1
            np.testing.assert_array_equal(positions[numbers == number], np.arange(len(own)))
        assert not ids[numbers == 0].any()
        assert not positions[numbers == 0].any()
    assert not rows.token_type_ids.any()
    assert {array.dtype for array in vars(rows).values()} == {np.dtype(np.int32)}


def test_no_fragment_is_shorter_than_the_least_unless_its_document_is(documents, corpus_of):
    examples = build_packed(corpus_of(documents), 64, seed=0)
    sizes = np.array([len(lines[0]) for lines in documents])
    document = np.searchsorted(np.cumsum(sizes), examples.begins, side="right")
    assert (examples.lengths >= np.minimum(SHORTEST, sizes[document])).all()


def test_padding_is_a_tail_of_a_few_positions(documents, corpus_of):
    mask = all_rows(corpus_of(documents), 128).attention_mask[:-1]
    assert (np.sort(mask, axis=1)[:, ::-1] == mask).all()
    assert (128 - mask.sum(axis=1)).max() < 2 * SHORTEST + 2
    assert mask.mean() > 0.97


@pytest.mark.parametrize(
    ("tokens", "room", "expected"),
    [
        (5, 7, 5),
        (100, 50, 48),
        (50, 50, 42),
        (49, 50, 41),
        (48, 50, 48),
        (12, 11, 0),
        (16, 12, 8),
        (9, 4, 0),
        (3, 2, 0),
    ],
)
def test_how_much_of_a_document_goes_into_the_room_that_is_left(tokens, room, expected):
    assert fragment_length(tokens, room, SHORTEST) == expected
