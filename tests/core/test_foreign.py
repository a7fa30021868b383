"""What a stranger wrote: checked for its kind, named in half a line."""

import numpy as np
import pytest

from delineate.core.foreign import MAX_PIXELS, all_numbers, all_whole, check_size, is_list, short
from delineate.errors import DataError


@pytest.mark.parametrize("size", [(1, 1), [480, 640], (np.int64(3), 4), (1, MAX_PIXELS)])
def test_sizes(size):
    assert check_size(size) == tuple(size)
    assert all(type(side) is int for side in check_size(size))


@pytest.mark.parametrize(
    "size",
    [
        *[(0, 5), (5, -1), (1, MAX_PIXELS + 1), (10**5, 10**5), (10**400, 10**400)],
        *[(2.0, 3), (True, 3), ("2", "3"), ([2], [3]), (float("nan"), 3), (float("inf"), 3)],
        *[(2,), (2, 3, 4), None, 5, "23", {2: 3}, np.array([2, 3])],
    ],
)
def test_what_is_no_size(size):
    with pytest.raises(DataError, match=r"two whole numbers \(height, width\) from 1 on") as error:
        check_size(size)
    assert len(str(error.value)) < 250


def test_lists():
    assert all(map(is_list, ([], (), np.zeros(3), np.zeros((2, 2)))))
    assert not any(map(is_list, (None, "ab", b"ab", {}, 5, np.array(5), {1})))


@pytest.mark.parametrize(
    ("values", "whole", "numbers"),
    [
        ([], True, True),
        ([1, np.int64(2), np.uint8(3)], True, True),
        (np.arange(3), True, True),
        ([1, 2.0], False, True),
        ([np.float32(1)], False, True),
        ([1, True], False, False),
        ([np.bool_(True)], False, False),
        (np.zeros((2, 2)), False, False),
        (["1"], False, False),
        ([1j], False, False),
        ([None], False, False),
        ([[1]], False, False),
    ],
)
def test_kinds(values, whole, numbers):
    assert all_whole(values) is whole
    assert all_numbers(values) is numbers


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (np.float32(2), "2.0"),
        (10**400, "a huge number"),
        ([1, 2], "[1, 2]"),
        ([1, 2, 3, 4], "[1, 2, 3, ...]"),
        ([[[1]]], "[[something of type list]]"),
        ("a" * 1000, repr("a" * 40)),
        ({"a": 1}, "something of type dict"),
    ],
)
def test_short(value, words):
    assert short(value) == words
