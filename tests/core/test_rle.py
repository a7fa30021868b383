"""Run lengths: lossless, canonical, equal to COCO's, and safe from what strangers write."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.hostile import CASES
from delineate.core import rle
from delineate.errors import DataError

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
bitmaps = sizes.flatmap(lambda size: arrays(bool, size)) | sizes.flatmap(
    lambda size: arrays(bool, size[1]).map(lambda row: np.tile(row, (size[0], 1)))
)


def coco(bitmap):
    return pycocotools.mask.encode(np.asfortranarray(bitmap, dtype=np.uint8))


def disc(radius):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bitmap", "runs", "bounds"),
    [
        ([[0]], [1], (0, 0, 0, 0)),
        ([[1]], [0, 1], (0, 0, 1, 1)),
        ([[0, 0], [0, 1]], [3, 1], (1, 1, 2, 2)),
        ([[1, 0], [0, 0]], [0, 1, 3], (0, 0, 1, 1)),
        ([[0, 1, 0], [1, 0, 0]], [1, 2, 3], (0, 0, 2, 2)),  # one run, from the foot to the next top
        ([[0, 1, 1, 0]], [1, 2, 1], (1, 0, 3, 1)),
        ([[0], [1], [1], [0]], [1, 2, 1], (0, 1, 1, 3)),
        ([[1, 1], [1, 1]], [0, 4], (0, 0, 2, 2)),
        ([[0, 0, 0], [1, 0, 1], [0, 0, 0]], [1, 1, 5, 1, 1], (0, 1, 3, 2)),
        (np.zeros((5, 7)), [35], (0, 0, 0, 0)),
    ],
)
def test_runs_go_down_the_columns(bitmap, runs, bounds):
    bitmap = np.array(bitmap)
    encoded = rle.from_bitmap(bitmap)
    assert encoded.tolist() == runs
    assert encoded.dtype == np.uint32
    assert rle.bounds(encoded, bitmap.shape) == bounds
    assert rle.area(encoded) == bitmap.sum()
    np.testing.assert_array_equal(rle.to_bitmap(encoded, bitmap.shape), bitmap == 1)


def test_a_crop_lands_at_its_origin():
    crop = np.array([[255, 0], [1, 7]], dtype=np.uint8)
    runs = rle.from_crop(crop, (2, 1), (4, 5))
    expected = np.zeros((4, 5), dtype=bool)
    expected[1:3, 2:4] = crop > 0
    np.testing.assert_array_equal(rle.to_bitmap(runs, (4, 5)), expected)
    back, origin = rle.to_crop(runs, (4, 5))
    assert origin == (2, 1)
    np.testing.assert_array_equal(back, crop > 0)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (3, 3)])
def test_an_empty_crop_is_an_empty_mask(shape):
    runs = rle.from_crop(np.zeros(shape, dtype=bool), (0, 0), (4, 5))
    assert runs.tolist() == [20]
    crop, origin = rle.to_crop(runs, (4, 5))
    assert (crop.shape, crop.dtype, origin) == ((0, 0), bool, (0, 0))


def test_a_crop_must_lie_in_the_image():
    with pytest.raises(AssertionError, match=r"leaves an image of \(4, 5\)"):
        rle.from_crop(np.ones((2, 2), dtype=bool), (4, 0), (4, 5))


@pytest.mark.parametrize(
    ("turns", "runs"),
    [
        ([], [6]),
        ([0, 6], [0, 6]),
        ([1, 3, 3, 5], [1, 4, 1]),  # touching
        ([1, 2, 4, 4], [1, 1, 4]),  # an empty run
        ([2, 6, 6, 6], [2, 4]),  # an empty run at the end
        ([0, 0, 0, 2], [0, 2, 4]),
        ([3], [3, 3]),
    ],
)
def test_turns_at_one_place_cancel(turns, runs):
    assert rle.from_turns(np.array(turns, dtype=np.int64), (2, 3)).tolist() == runs


def test_memory_follows_the_crop_not_the_image():
    size = (1 << 15, 1 << 15)  # a gigapixel
    runs = rle.from_crop(disc(20), (30_000, 31_000), size)
    crop, origin = rle.to_crop(runs, size)
    assert origin == (30_000, 31_000)
    np.testing.assert_array_equal(crop, disc(20))
    assert rle.bounds(runs, size) == (30_000, 31_000, 30_041, 31_041)
    np.testing.assert_array_equal(rle.from_string(rle.to_string(runs, size), size), runs)


# -- against pycocotools -------------------------------------------------------------------------


@settings(max_examples=500)
@given(bitmaps)
def test_everything_agrees_with_pycocotools(bitmap):
    size, theirs = bitmap.shape, coco(bitmap)
    runs = rle.from_bitmap(bitmap)
    assert runs[1:].all()
    assert runs.sum() == bitmap.size
    np.testing.assert_array_equal(rle.to_bitmap(runs, size), bitmap)
    assert rle.to_string(runs, size).encode() == theirs["counts"]
    np.testing.assert_array_equal(rle.from_string(theirs["counts"], size), runs)
    np.testing.assert_array_equal(rle.from_string(theirs["counts"].decode(), size), runs)
    assert rle.area(runs) == pycocotools.mask.area(theirs)
    x, y, w, h = pycocotools.mask.toBbox(theirs)
    assert rle.bounds(runs, size) == ((x, y, x + w, y + h) if bitmap.any() else (0, 0, 0, 0))
    crop, (x0, y0) = rle.to_crop(runs, size)
    np.testing.assert_array_equal(crop, bitmap[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]])
    np.testing.assert_array_equal(rle.from_crop(crop, (x0, y0), size), runs)


def test_a_shift_cuts_and_pads():
    rng = np.random.default_rng(0)
    for trial in range(2000):
        h, w, right, down = *rng.integers(1, 6, 2), *rng.integers(-6, 7, 2)
        target = tuple(rng.integers(1, 9, 2).tolist())
        bitmap = rng.random((h, w)) < (0.2, 0.6, 1)[trial % 3]
        canvas = np.zeros((24, 24), bool)  # room for any of them
        canvas[8 + down : 8 + down + h, 8 + right : 8 + right + w] = bitmap
        expected = canvas[8 : 8 + target[0], 8 : 8 + target[1]]
        shifted = rle.shifted(rle.from_bitmap(bitmap), (h, w), (right, down), target)
        np.testing.assert_array_equal(shifted, rle.from_bitmap(expected))


@settings(max_examples=100)
@given(st.lists(st.integers(0, 2**22), min_size=1, max_size=40))
def test_large_counts_survive_the_string(lengths):
    size = (1, sum(lengths) + 1)
    runs = rle.from_turns(np.cumsum(lengths), size)
    uncompressed = {"size": list(size), "counts": runs.tolist()}
    theirs = pycocotools.mask.frPyObjects(uncompressed, *size)["counts"]
    assert rle.to_string(runs, size).encode() == theirs
    np.testing.assert_array_equal(rle.from_string(theirs, size), runs)


def test_iou_is_that_of_pycocotools():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 6, 9, 8)) < 0.4
    a[0], b[1] = False, True
    crowd = [0, 1, 0, 1, 1, 0]
    ours = rle.iou([*map(rle.from_bitmap, a)], [*map(rle.from_bitmap, b)], (9, 8), crowd)
    expected = pycocotools.mask.iou([*map(coco, a)], [*map(coco, b)], crowd)
    np.testing.assert_array_equal(ours, expected)


def test_iou_by_hand():
    a, b = np.zeros((2, 4, 4), dtype=bool)
    a[:2, :2], b[1:3, :2] = True, True
    runs = [rle.from_bitmap(a), rle.from_bitmap(b), rle.from_bitmap(np.zeros((4, 4)))]
    expected = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]]
    assert rle.iou(runs, runs, (4, 4)).tolist() == expected
    assert rle.iou(runs[:1], runs[1:2], (4, 4), np.array([True])).tolist() == [[0.5]]


def test_iou_with_nothing():
    runs = [rle.from_bitmap(np.ones((4, 4)))]
    assert rle.iou([], runs, (4, 4)).shape == (0, 1)
    assert rle.iou(runs, [], (4, 4), []).shape == (1, 0)
    assert rle.iou([], [], (4, 4)).shape == (0, 0)


# -- COCO's spellings ----------------------------------------------------------------------------

SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]
SQUARE_RUNS = [6, 2, 3, 2, 12]  # in an image 5 high and 5 wide


@pytest.mark.parametrize(
    "segmentation",
    [
        [SQUARE],
        [tuple(SQUARE)],
        (SQUARE,),
        SQUARE,
        np.array([SQUARE]),
        np.array(SQUARE, dtype=np.float32),
        [np.array(SQUARE)],
        [SQUARE, SQUARE],
        {"size": [5, 5], "counts": SQUARE_RUNS},
        {"size": (5, 5), "counts": tuple(SQUARE_RUNS)},
        {"size": [5, 5], "counts": np.array(SQUARE_RUNS, dtype=np.uint32)},
        {"size": [5, 5], "counts": rle.to_string(np.array(SQUARE_RUNS), (5, 5))},
        {"size": [5, 5], "counts": rle.to_string(np.array(SQUARE_RUNS), (5, 5)).encode()},
        {"size": [5, 5], "counts": [6, 2, 0, 0, 3, 1, 0, 1, 12, 0, 0], "more": "is ignored"},
    ],
)
def test_spellings_of_one_square(segmentation):
    assert rle.from_segmentation(segmentation, (5, 5)).tolist() == SQUARE_RUNS


@settings(max_examples=300)
@given(bitmaps, st.lists(st.integers(0, 10**6), max_size=6), st.booleans())
def test_empty_runs_of_foreign_files_are_closed(bitmap, cuts, as_text):
    runs = rle.from_bitmap(bitmap)
    spelled = runs.tolist()
    for cut in cuts:  # split a run in two of its colour, with an empty run between
        place = cut % len(spelled)
        left = cut % (spelled[place] + 1)
        spelled[place : place + 1] = [left, 0, spelled[place] - left]
    counts = spelled
    if as_text:
        uncompressed = {"size": list(bitmap.shape), "counts": spelled}
        counts = pycocotools.mask.frPyObjects(uncompressed, *bitmap.shape)["counts"]
    segmentation = {"size": list(bitmap.shape), "counts": counts}
    np.testing.assert_array_equal(rle.from_segmentation(segmentation, bitmap.shape), runs)


def test_the_string_of_the_reference_by_hand():
    # 6, 2, 3 as they are; then the differences to two before, 2 - 2 and 12 - 3.
    assert rle.to_string(np.array(SQUARE_RUNS), (5, 5)) == "62309"
    # 33 is 00001 00001, in two characters, and so are -32, 11111 00000, and -30, 11111 00010.
    assert rle.from_string("0Q1Q1PORO", (10, 7)).tolist() == [0, 33, 33, 1, 3]


# -- hostile input -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers():
    """What every hostile case led to, asked in a process that may crash."""
    tests = Path(__file__).resolve().parents[1]
    run = subprocess.run(
        [sys.executable, str(tests / "core" / "hostile.py")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = map(json.loads, run.stdout.splitlines())
    found = {name: (came, seconds) for name, came, seconds in lines}
    return found, f"exit code {run.returncode}: {run.stderr[-500:]}"


@pytest.mark.parametrize("name", CASES)
def test_hostile_input_is_one_quick_sentence(answers, name):
    found, end = answers
    assert name in found, f"the process ended before or in this case, {end}"
    came, seconds = found[name]
    assert came.startswith("DataError: "), came
    sentence = came.removeprefix("DataError: ")
    assert 40 < len(sentence) < 300
    assert sentence.endswith(".")
    assert " came" in sentence or "this one has" in sentence or ": " in sentence
    assert seconds < 2


def test_messages_name_what_was_expected_and_what_came():
    with pytest.raises(DataError, match=r"add up to the 100 pixels .* they add up to 15"):
        rle.from_segmentation({"size": [10, 10], "counts": [5, 10]}, (10, 10))
    with pytest.raises(DataError, match=r"10 high and 20 wide, and it says 20 and 10: .*swapped"):
        rle.from_segmentation({"size": [20, 10], "counts": [200]}, (10, 20))
    with pytest.raises(DataError, match=r"between 0 and the 100 pixels of its image, and -10 to"):
        rle.from_segmentation({"size": [10, 10], "counts": [50, -10, 60]}, (10, 10))
    with pytest.raises(DataError, match=r"'size' and 'counts', and this one has \['counts'\]"):
        rle.from_segmentation({"counts": [100]}, (10, 10))
    with pytest.raises(DataError, match="at most 1000000 runs"):
        rle.from_string("0" * (rle.MAX_RUNS + 1), (2000, 2000))


def test_the_largest_mask_that_is_read():
    size = (1000, rle.MAX_RUNS // 1000)
    runs = rle.from_turns(np.arange(1, rle.MAX_RUNS), size)
    assert len(runs) == rle.MAX_RUNS
    np.testing.assert_array_equal(rle.from_string(rle.to_string(runs, size), size), runs)
