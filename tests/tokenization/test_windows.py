"""What flows over: windows of the fast tokenizer, overflowing ids of the slow one."""

from itertools import pairwise

import numpy as np
import pytest

from electra.errors import UsageError
from electra.tokenization.truncation import windows

LETTERS = "a b c d e f g"


def rows(tokenizer, encoding):
    return [" ".join(tokenizer.convert_ids_to_tokens(row)[1:-1]) for row in encoding["input_ids"]]


def test_windows_cover_a_text_and_share_their_stride(fast):
    encoding = fast(LETTERS, max_length=5, truncation=True, stride=1, return_overflowing_tokens=True)
    assert rows(fast, encoding) == ["a b c", "c d e", "e f g"]
    assert encoding["overflow_to_sample_mapping"] == [0, 0, 0]


def test_windows_of_a_batch_say_which_text_they_are_of(fast):
    encoding = fast(["a b c", "a", "a b"], max_length=4, truncation=True, return_overflowing_tokens=True, padding=True)
    assert encoding["overflow_to_sample_mapping"] == [0, 0, 1, 2]
    assert {len(row) for row in encoding["input_ids"]} == {4}


def test_a_question_stands_before_every_window_of_its_text(fast):
    encoding = fast(
        "what", LETTERS, max_length=7, truncation="only_second", stride=1, return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )  # fmt: skip
    assert rows(fast, encoding) == ["what [SEP] a b c", "what [SEP] c d e", "what [SEP] e f g"]
    assert encoding["offset_mapping"][1][3:6] == [(4, 5), (6, 7), (8, 9)]
    assert encoding.sequence_ids(2) == [None, 0, None, 1, 1, 1, None]


def test_windows_begin_at_the_end_where_truncation_is_on_the_left():
    assert windows(7, 3, 1, "left") == [(4, 7), (2, 5), (0, 3)]


@pytest.mark.parametrize("length", range(8))
@pytest.mark.parametrize("size", range(1, 8))
def test_windows_hold_every_piece_and_are_full_but_for_the_last(length, size):
    for stride in range(size):
        spans = windows(length, size, stride, "right")
        assert {i for first, stop in spans for i in range(first, stop)} == set(range(length))
        assert all(stop - first == size for first, stop in spans[:-1])
        assert all(second[0] == first[1] - stride for first, second in pairwise(spans))


def test_a_stride_that_leaves_no_way_forward_is_refused(fast):
    with pytest.raises(UsageError, match="stride 9"):
        fast(LETTERS, max_length=6, truncation=True, stride=9, return_overflowing_tokens=True)
    with pytest.raises(UsageError, match="room for 4 pieces"):
        fast(LETTERS, max_length=6, truncation=True, stride=4, return_overflowing_tokens=True)


def test_windows_without_room_for_text_are_refused(fast):
    with pytest.raises(UsageError, match="room for 0 pieces"):
        fast(LETTERS, max_length=2, truncation=True, return_overflowing_tokens=True)


def test_the_slow_tokenizer_gives_the_ids_that_flow_over(slow):
    encoding = slow(LETTERS, max_length=5, truncation=True, stride=1, return_overflowing_tokens=True)
    assert slow.convert_ids_to_tokens(encoding["overflowing_tokens"]) == ["c", "d", "e", "f", "g"]
    assert encoding["num_truncated_tokens"] == 4
    batch = slow([LETTERS, "a"], max_length=5, truncation=True, return_overflowing_tokens=True)
    assert batch["num_truncated_tokens"] == [4, -2]  # negative where there is room left


def test_the_slow_tokenizer_cannot_tell_what_flows_over_from_both_texts(slow):
    with pytest.raises(UsageError, match="only_second"):
        slow(LETTERS, LETTERS, max_length=9, truncation="longest_first", return_overflowing_tokens=True)


def test_windows_make_arrays(fast):
    encoding = fast(
        [LETTERS, "a"], max_length=5, truncation=True, padding=True, return_overflowing_tokens=True, return_tensors="np"
    )
    assert encoding["input_ids"].shape == (4, 5)
    assert np.array_equal(encoding["overflow_to_sample_mapping"], [0, 0, 0, 1])
