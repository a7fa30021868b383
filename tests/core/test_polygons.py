"""Polygons: COCO's fill rule in, pixel edges out."""

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from delineate.core import rle
from delineate.core.polygons import MAX_OUTLINE, MAX_POINTS, is_hole, rasterise, trace
from delineate.errors import DataError

bitmaps = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda s: arrays(bool, s))


def bitmap_of(polygons, size):
    return rle.to_bitmap(rle.from_polygons(polygons, size), size)


def shoelace(polygon):
    x, y = polygon.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def filled(loops, size):
    """Fill by the even-odd rule, exactly: one pixel centre against every outline's sides."""
    inside = np.zeros(size, dtype=bool)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    for loop in loops:
        for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            if x0 == x1:
                inside ^= (min(y0, y1) < y) & (y < max(y0, y1)) & (x > x0)
    return inside


def test_a_square_on_pixel_edges_is_exactly_its_pixels():
    expected = np.zeros((8, 9), dtype=bool)
    expected[2:5, 1:7] = True
    np.testing.assert_array_equal(bitmap_of([[1, 2, 7, 2, 7, 5, 1, 5]], (8, 9)), expected)


def test_parts_are_united():
    square, shifted = [0, 0, 4, 0, 4, 4, 0, 4], [2, 2, 6, 2, 6, 6, 2, 6]
    assert bitmap_of([square, shifted], (8, 8)).sum() == 16 + 16 - 4
    assert bitmap_of([square] * 100, (8, 8)).sum() == 16


def test_what_is_outside_is_cut_off():
    assert bitmap_of([[-50, -50, 50, -50, 50, 50, -50, 50]], (3, 4)).all()
    assert not bitmap_of([[90, 90, 99, 90, 99, 99]], (3, 4)).any()


@settings(max_examples=300)
@given(
    st.lists(
        st.lists(st.floats(-20, 40, width=32), min_size=6, max_size=20).filter(
            lambda p: len(p) % 2 == 0
        ),
        min_size=1,
        max_size=3,
    ),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
)
def test_the_fill_rule_is_that_of_pycocotools(polygons, size):
    # No polygon of 4 numbers here: pycocotools would take the list for boxes.
    expected = pycocotools.mask.merge(pycocotools.mask.frPyObjects(polygons, *size))
    assert rasterise(polygons, size) == expected["counts"]


def test_many_small_parts_take_linear_time():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 990, (MAX_POINTS // 3, 1, 2)) + rng.uniform(0, 9, (1, 3, 2))
    parts = corners.reshape(-1, 6).tolist()
    expected = np.zeros((1000, 1000), dtype=bool)
    for i in range(0, len(parts), 5000):
        expected |= bitmap_of(parts[i : i + 5000], (1000, 1000))
    np.testing.assert_array_equal(bitmap_of(parts, (1000, 1000)), expected)


def test_the_longest_outline_that_is_allowed():
    lines = int(MAX_OUTLINE / 1000) - 2
    comb = [[1000 * (i // 2 % 2 == 0), 1000 * ((i + 1) // 2 % 2)] for i in range(lines)]
    assert len(rasterise([np.ravel(comb).tolist()], (1000, 1000))) < 10_000
    with pytest.raises(DataError, match="outline may be at most 2000000 pixels long, and one of 2"):
        rasterise([np.ravel(comb + comb[:8]).tolist()], (1000, 1000))


# -- tracing -----------------------------------------------------------------------------------


def test_one_pixel_has_four_corners_clockwise():
    (loop,) = trace(np.ones((1, 1), dtype=bool), (5, 7))
    assert loop.tolist() == [[5, 7], [6, 7], [6, 8], [5, 8]]
    assert loop.dtype == np.float32


def test_nothing_has_no_outline():
    assert trace(np.zeros((3, 3), dtype=bool)) == []
    assert trace(np.zeros((0, 0), dtype=bool)) == []


def test_a_hole_runs_the_other_way():
    ring = np.ones((5, 6), dtype=bool)
    ring[2:4, 2:3] = False
    assert sorted(map(shoelace, trace(ring))) == [-2, 30]


@pytest.mark.parametrize("bitmap", [[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
def test_pixels_that_touch_at_a_corner_are_two_parts(bitmap):
    loops = trace(np.array(bitmap, dtype=bool))
    assert [len(loop) for loop in loops] == [4, 4]
    assert [shoelace(loop) for loop in loops] == [1, 1]


def test_an_l_has_six_corners():
    (loop,) = trace(np.array([[1, 0], [1, 1]], dtype=bool))
    assert loop.tolist() == [[0, 0], [1, 0], [1, 1], [2, 1], [2, 2], [0, 2]]


@settings(max_examples=300)
@given(bitmaps)
def test_outlines_hold_every_pixel(bitmap):
    loops = trace(bitmap)
    np.testing.assert_array_equal(filled(loops, bitmap.shape), bitmap)
    assert sum(map(shoelace, loops)) == bitmap.sum()
    for loop in loops:  # sides are upright in turn, none has length 0
        sides = np.roll(loop, -1, axis=0) - loop
        assert ((sides == 0).sum(axis=1) == 1).all()
        assert (sides[::2, 0] == 0).all() != (sides[1::2, 0] == 0).all()


@settings(max_examples=300)
@given(bitmaps)
def test_coco_gives_the_bitmap_back_with_its_holes_filled(bitmap):
    parts = [loop for loop in trace(bitmap) if shoelace(loop) > 0]
    if parts:
        back = bitmap_of([part.ravel().tolist() for part in parts], bitmap.shape)
        expected = np.any([filled([part], bitmap.shape) for part in parts], axis=0)
        np.testing.assert_array_equal(back, expected)


def test_holes_are_told_from_parts():
    bitmap = np.ones((7, 9), bool)
    bitmap[2:5, 3:6] = False
    bitmap[3, 4] = True  # an island
    widths = {float(np.ptp(o[:, 0])): is_hole(o) for o in trace(bitmap)}
    assert widths == {9.0: False, 3.0: True, 1.0: False}
