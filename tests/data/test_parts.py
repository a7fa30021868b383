"""Objects in parts, against bitmaps."""

import numpy as np
import pytest

from delineate.core import rle
from delineate.data.parts import gathered, joined, pasted, union

SIZE = (13, 17)
SQUARE = [2, 3, 8, 3, 8, 9, 2, 9]
TRIANGLE = [5, 5, 16, 5, 16, 12]


def _random(rng, share):
    return rng.random(SIZE) < share


def test_shapes_of_an_object_come_together_in_order():
    shapes = [("a", 1), ("b", None), ("a", 2), ("a", 1), ("c", None), ("a", 2)]
    objects = gathered(shapes, lambda s: s if s[1] is not None else None)
    assert objects == [
        [("a", 1), ("a", 1)],
        [("b", None)],
        [("a", 2), ("a", 2)],
        [("c", None)],
    ]
    assert gathered([1, 1.0, None], lambda s: s) == [[1, 1.0], [None]]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 0.95, 1.0])
def test_union(count, share):
    rng = np.random.default_rng(count)
    for _ in range(20):
        bitmaps = [_random(rng, share) for _ in range(count)]
        together = union([rle.from_bitmap(b) for b in bitmaps], SIZE)
        np.testing.assert_array_equal(
            together, rle.from_bitmap(np.logical_or.reduce(bitmaps)), strict=True
        )


def test_outlines_stay_outlines():
    assert joined([SQUARE, TRIANGLE], SIZE) == [SQUARE, TRIANGLE]


def test_outlines_and_masks_become_a_mask():
    rng = np.random.default_rng(0)
    first, second = _random(rng, 0.1), _random(rng, 0.2)
    outlines = [rle.to_bitmap(rle.from_polygons([p], SIZE), SIZE) for p in (SQUARE, TRIANGLE)]
    parts = [rle.from_bitmap(first), SQUARE, rle.from_bitmap(second), TRIANGLE]
    together = rle.to_bitmap(joined(parts, SIZE), SIZE)
    np.testing.assert_array_equal(together, first | second | outlines[0] | outlines[1])
    alone = rle.from_bitmap(first)
    np.testing.assert_array_equal(joined([alone], SIZE), alone)


@pytest.mark.parametrize("x", [-9, -4, -3, 0, 5, 15, 17, 30])
@pytest.mark.parametrize("y", [-9, -6, -5, 0, 5, 12, 13, 30])
def test_pasted_where_it_may_lie_outside(x, y):
    crop = np.random.default_rng(abs(x * y)).random((6, 4)) < 0.6
    wide = np.zeros((SIZE[0] + 80, SIZE[1] + 80), bool)
    wide[40 + y : 46 + y, 40 + x : 44 + x] = crop
    expected = wide[40:-40, 40:-40]
    np.testing.assert_array_equal(rle.to_bitmap(pasted(crop, (x, y), SIZE), SIZE), expected)
