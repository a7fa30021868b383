"""Boxes: areas, overlaps and conversions, against hand-computed numbers."""

import numpy as np
import pycocotools.mask
import pytest

from delineate.core import boxes as box

UNIT = [0, 0, 1, 1]


def test_conversions_are_each_others_inverse():
    xywh = np.array([[3, 4, 5, 6], [0, 0, 0, 0], [-1, 2.5, 2, 0.5]], dtype=np.float32)
    xyxy = box.xywh_to_xyxy(xywh)
    assert xyxy.tolist() == [[3, 4, 8, 10], [0, 0, 0, 0], [-1, 2.5, 1, 3]]
    assert xyxy.dtype == np.float32
    np.testing.assert_array_equal(box.xyxy_to_xywh(xyxy), xywh)


def test_width_and_height_lose_nothing_of_float32_edges():
    edges = np.array([[1000.1, 0.1, 1000.3, 3e6]], dtype=np.float32)
    xywh = box.xyxy_to_xywh(edges)
    assert xywh.dtype == np.float64
    np.testing.assert_array_equal(box.xywh_to_xyxy(xywh), edges)


@pytest.mark.parametrize("function", [box.xywh_to_xyxy, box.xyxy_to_xywh])
def test_no_boxes_stay_no_boxes(function):
    assert function([]).shape == (0, 4)
    assert box.clip([], (4, 5)).shape == (0, 4)
    assert box.area([]).shape == (0,)
    assert box.valid([]).shape == (0,)
    assert box.iou([], [UNIT, UNIT]).shape == (0, 2)
    assert box.iou([UNIT], np.zeros((0, 4))).shape == (1, 0)


def test_area_counts_edges_not_pixels():
    boxes = [[3, 2, 4, 5], [0, 0, 0, 9], [5, 5, 1, 1], [5, 5, 1, 9]]
    assert box.area(boxes).tolist() == [3, 0, 0, 0]


def test_iou_by_hand():
    a = [[0, 0, 2, 2], [10, 10, 11, 11]]
    b = [[1, 1, 3, 3], [0, 0, 2, 2], [2, 0, 4, 2], [5, 5, 5, 5]]
    assert box.iou(a, b).tolist() == [[1 / 7, 1, 0, 0], [0, 0, 0, 0]]


def test_a_crowd_covers_what_lies_in_it():
    a, b = [[0, 0, 2, 2]], [[0, 0, 10, 1], [0, 0, 10, 1]]
    assert box.iou(a, b, crowd=[True, False]).tolist() == [[0.5, 2 / 12]]


def test_boxes_without_area_overlap_nothing():
    point = [[1, 1, 1, 1]]
    assert box.iou(point, point).tolist() == [[0]]
    assert box.iou(point, point, crowd=[1]).tolist() == [[0]]


def test_iou_is_that_of_pycocotools():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 50, (2, 40, 2))
    a, b = np.concatenate([low, low + rng.uniform(0, 30, (2, 40, 2))], axis=2)
    crowd = rng.random(40) < 0.3
    expected = pycocotools.mask.iou(
        np.column_stack([a[:, :2], a[:, 2:] - a[:, :2]]),
        np.column_stack([b[:, :2], b[:, 2:] - b[:, :2]]),
        crowd.astype(np.uint8),
    )
    np.testing.assert_allclose(box.iou(a, b, crowd), expected, rtol=1e-12)


def test_large_float32_boxes_lose_no_area():
    side = np.float32(4097)  # its square is no float32
    assert box.area(np.array([[0, 0, side, side]], dtype=np.float32)).tolist() == [4097.0**2]


def test_clip_cuts_at_height_and_width_and_empties_what_is_outside():
    boxes = np.array([[-5, -5, 50, 50], [30, 30, 40, 40], [1, 2, 3, 4]], dtype=np.float32)
    kept = boxes.copy()
    assert box.clip(boxes, (10, 20)).tolist() == [[0, 0, 20, 10], [20, 10, 20, 10], [1, 2, 3, 4]]
    np.testing.assert_array_equal(boxes, kept)


@pytest.mark.parametrize(
    ("edges", "good"),
    [
        ([0, 0, 1, 1], True),
        ([1, 1, 1, 1], True),
        ([2, 0, 1, 1], False),
        ([0, 2, 1, 1], False),
        ([0, 0, np.nan, 1], False),
        ([0, 0, np.inf, 1], False),
        ([-np.inf, 0, 1, 1], False),
    ],
)
def test_valid(edges, good):
    assert box.valid([edges, UNIT]).tolist() == [good, True]
