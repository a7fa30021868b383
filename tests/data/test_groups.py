"""Keys that keep images together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.data.groups import joined, keys_by_folder, keys_by_pattern
from delineate.errors import ConfigError


def test_the_first_group_of_a_pattern_is_the_key():
    names = ["p1_a.png", "p1_b.png", "x/p22_a.png"]
    assert keys_by_pattern(names, r"(p\d+)_([ab])") == ["p1", "p1", "p22"]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "expected a regular expression to group by"),
        ("p1", "without parentheses"),
        (r"^(p\d+)_", r"finds none in 1 of 2, such as 'q\.png'"),
        (r"(p\d+)?", r"finds none in 1 of 2, such as 'q\.png'"),
    ],
)
def test_patterns_that_give_no_key(pattern, why):
    with pytest.raises(ConfigError, match=why):
        keys_by_pattern(["p1_a.png", "q.png"], pattern)


def test_folders():
    assert keys_by_folder(["a/b/1.png", "a/2.png", "3.png"]) == ["a/b", "a", "."]


def test_joined_by_any_key():
    assert joined([["a", "b", "c", "a", "d"], [1, 1, 2, 3, 4]]) == [0, 0, 2, 0, 4]
    assert joined([["a", "b", "a"]]) == [0, 1, 0]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20))
def test_joined_is_the_closure_of_sharing_a_key(rows):
    groups = joined([[a for a, _ in rows], [b for _, b in rows]])
    together = [[a == c or b == d for c, d in rows] for a, b in rows]
    for _ in rows:  # by brute force
        together = [
            [any(row[k] and together[k][j] for k in range(len(rows))) for j in range(len(rows))]
            for row in together
        ]
    assert [[g == h for h in groups] for g in groups] == together
