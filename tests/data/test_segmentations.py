"""What is held compactly can surely be read later, and nothing else is held."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.core import polygons, rle
from delineate.data import segmentations
from delineate.data.segmentations import compact, expand, outlines
from delineate.errors import DataError

SIZE = (4, 3)
TRIANGLE = [0, 0, 3, 0, 3, 4]

SOUND = {
    "string": {"size": [4, 3], "counts": "237"},  # 2 + 3 + 7 = 12
    "string with differences": {"size": [4, 3], "counts": "234NN"},  # 2, 3, 4, 3 - 2, 4 - 2
    "counts": {"size": [4, 3], "counts": [2, 3, 7]},
    "all background": {"size": [4, 3], "counts": [12]},
    "all foreground": {"size": [4, 3], "counts": [0, 12]},
    "polygon": [TRIANGLE],
    "polygons": [TRIANGLE, [0.5, 1.5, 1e5, 2, -3, 7.25]],
    "flat polygon": TRIANGLE,
}

BROKEN = {
    "string too short": {"size": [4, 3], "counts": "236"},
    "string too long": {"size": [4, 3], "counts": "238"},
    "string cut off between numbers": {"size": [4, 3], "counts": "23"},
    "string cut off in a number": {"size": [4, 3], "counts": "237P"},
    "string that goes below zero": {"size": [4, 3], "counts": "2N<"},
    "string with an alien character": {"size": [4, 3], "counts": "23 7"},
    "string with a late character": {"size": [4, 3], "counts": "237~"},
    "string beyond ASCII": {"size": [4, 3], "counts": "23\u00b7"},
    "string of one endless number": {"size": [4, 3], "counts": "o" * 100},
    "string padded beyond 35 bits": {"size": [4, 3], "counts": "23WPPPPPP0"},
    "empty string": {"size": [4, 3], "counts": ""},
    "counts too short": {"size": [4, 3], "counts": [2, 3, 6]},
    "counts too long": {"size": [4, 3], "counts": [2, 3, 8]},
    "negative counts": {"size": [4, 3], "counts": [2, -3, 13]},
    "counts of another kind": {"size": [4, 3], "counts": [2, 3.0, 7]},
    "counts of text": {"size": [4, 3], "counts": ["12"]},
    "no counts": {"size": [4, 3]},
    "empty counts": {"size": [4, 3], "counts": []},
    "too many counts": {"size": [4, 3], "counts": [0] * (rle.MAX_RUNS + 1) + [12]},
    "size of another image": {"size": [3, 4], "counts": "237"},
    "no size": {"counts": "237"},
    "two points": [[0, 0, 3, 0]],
    "half a point": [[0, 0, 3, 0, 3, 4, 1]],
    "one good part, one of two points": [TRIANGLE, [0, 0, 3, 0]],
    "text in a polygon": [[0, 0, 3, 0, 3, "4"]],
    "truth in a polygon": [[0, 0, 3, 0, 3, True]],
    "nothing in a polygon": [[0, 0, 3, 0, 3, None]],
    "nested too deep": [[TRIANGLE]],
    "NaN first": [[math.nan, 0, 3, 0, 3, 4]],
    "NaN later": [[0, 0, math.nan, 0, 3, 4]],
    "infinity": [[0, 0, 3, 0, 3, math.inf]],
    "far away": [[0, 0, 3, 0, 3, 1e9]],
    "integer beyond the floats": [[0, 0.5, 3, 0, 3, 10**400]],
    "outline without end": [[0, 0, 9e5, 9e5] * 2],
    "too many points": [[0, 0] * (polygons.MAX_POINTS + 1)],
    "text": "237",
    "number": 7,
}


@pytest.mark.parametrize("segmentation", SOUND.values(), ids=SOUND)
def test_what_is_sound_is_held_without_being_read(segmentation, monkeypatch):
    expected = rle.from_segmentation(segmentation, SIZE)

    def read(*_: object) -> None:
        raise AssertionError("read at opening")

    with monkeypatch.context() as patch:
        patch.setattr(segmentations.rle, "from_segmentation", read)
        held = compact(segmentation, SIZE)
    np.testing.assert_array_equal(rle.from_segmentation(expand(held, SIZE), SIZE), expected)


@pytest.mark.parametrize("segmentation", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_refused_in_the_words_of_core(segmentation):
    with pytest.raises(DataError) as at_opening:
        compact(segmentation, SIZE)
    with pytest.raises(DataError) as at_reading:
        rle.from_segmentation(segmentation, SIZE)
    assert str(at_opening.value) == str(at_reading.value)


def test_unusual_but_right_is_read_to_find_out():
    """So many points so far apart could be too long an outline, but most are the same point."""
    square = [-10, -10, 1000, -10, 1000, 1000, -10, 1000]
    held = compact([square + [-10, -10] * 1200], SIZE)
    assert rle.area(rle.from_segmentation(expand(held, SIZE), SIZE)) == 12


def test_polygons_are_held_as_arrays():
    (held,) = compact([TRIANGLE], SIZE)
    assert held.dtype == np.float64
    assert held.nbytes == 6 * 8


def same(one, other) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(map(np.array_equal, one, other))


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_one_broken_outline_among_many_is_the_only_one_refused(broken):
    many = [[TRIANGLE], broken, None, [TRIANGLE, [1.5, 2, 3, 4, 5, 6, 7, 8]], SOUND["counts"]]
    found = outlines(many)
    assert all(map(same, found, [outlines([given])[0] for given in many]))
    assert [held is None for held in found] == [False, True, True, False, True]
    np.testing.assert_array_equal(found[3][1], [1.5, 2, 3, 4, 5, 6, 7, 8])
    assert found[3][1].base is None  # what is kept does not keep the others in memory


@given(st.permutations(list((SOUND | BROKEN).values())))
def test_outlines_are_the_same_together_and_alone(many):
    assert all(map(same, outlines(many), [outlines([given])[0] for given in many]))


def holds(segmentation) -> None:
    """Either refused now, or read without an error later."""
    try:
        held = compact(segmentation, SIZE)
    except DataError:
        return
    assert rle.from_segmentation(expand(held, SIZE), SIZE).sum() == 12


@given(st.text(st.characters(min_codepoint=46, max_codepoint=113), max_size=12))
def test_any_string_is_refused_or_can_be_read(counts):
    holds({"size": list(SIZE), "counts": counts})


@given(st.lists(st.integers(-1, 12), max_size=6).map(lambda c: [*c, 12 - sum(c)]))
def test_any_counts_are_refused_or_can_be_read(counts):
    holds({"size": list(SIZE), "counts": counts})


@given(st.lists(st.lists(st.floats() | st.integers(), max_size=9), max_size=3))
def test_any_polygons_are_refused_or_can_be_read(parts):
    holds(parts)
