"""Masks: compact, lossless, and in the right place after every move."""

import numpy as np
import pytest

from delineate.core.geometry import Geometry
from delineate.core.masks import Masks, positions
from delineate.errors import DataError

SIZE = (7, 9)


def random_bitmaps(count=4, size=SIZE, seed=0):
    return np.random.default_rng(seed).random((count, *size)) < 0.4


def disc(size, centre, radius):
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2


def polygon_area(bitmap_polygon):
    x, y = bitmap_polygon.T
    return abs(float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2))


# -- in and out ----------------------------------------------------------------------------------


def test_bitmaps_in_and_out():
    bitmaps = random_bitmaps()
    bitmaps[1] = False
    masks = Masks.from_bitmaps(bitmaps, SIZE)
    assert len(masks) == 4
    assert masks.size == SIZE
    np.testing.assert_array_equal(masks.to_dense(), bitmaps)
    np.testing.assert_array_equal(masks.areas, bitmaps.sum(axis=(1, 2)))
    assert masks.areas.dtype == np.int64
    for i, bitmap in enumerate(bitmaps):
        np.testing.assert_array_equal(masks.bitmap(i), bitmap)
    back = Masks.from_coco(masks.to_coco(), SIZE)
    np.testing.assert_array_equal(back.to_dense(), bitmaps)


def test_coco_form_is_ready_for_json():
    (rle,) = Masks.from_bitmaps([np.ones((2, 3))], (2, 3)).to_coco()
    assert rle == {"size": [2, 3], "counts": "06"}


def test_polygons_come_back_along_pixel_edges():
    masks = Masks.from_coco([[[1, 2, 4, 2, 4, 5, 1, 5]]], SIZE)
    (polygon,) = masks.polygons(0)
    assert polygon.tolist() == [[1, 2], [4, 2], [4, 5], [1, 5]]


def test_boxes_are_tight_edges():
    bitmap = np.zeros(SIZE)
    bitmap[2:5, 3:4] = 1
    masks = Masks.from_bitmaps([bitmap, np.zeros(SIZE)], SIZE)
    assert masks.boxes().tolist() == [[3, 2, 4, 5], [0, 0, 0, 0]]
    assert masks.boxes().dtype == np.float32
    crop, origin = masks.crop(0)
    assert (crop.tolist(), origin) == ([[True]] * 3, (3, 2))


def test_none_at_all():
    masks = Masks.empty(SIZE)
    assert len(masks) == 0
    assert masks.boxes().shape == (0, 4)
    assert masks.areas.shape == (0,)
    assert masks.to_dense().shape == (0, *SIZE)
    assert masks.iou(masks).shape == (0, 0)
    assert masks.to_coco() == []
    assert len(masks.warp(Geometry.flip(SIZE))) == 0
    assert not masks.label_map().any()


@pytest.mark.parametrize("shape", [(9, 7), (7,), (7, 9, 1), (1, 1)])
def test_a_bitmap_of_another_size_is_refused(shape):
    with pytest.raises(DataError, match=r"mask 1 must have its image's size \(7, 9\)"):
        Masks.from_bitmaps([np.zeros(SIZE), np.zeros(shape)], SIZE)


def test_runs_must_fill_the_image():
    with pytest.raises(DataError, match=r"mask 0 must fill the 63 pixels .* add up to 60"):
        Masks(SIZE, (np.array([50, 10], dtype=np.uint32),))
    with pytest.raises(DataError, match="an image's size"):
        Masks((0, 5), ())


# -- selecting and joining -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "chosen"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        (slice(9, 12), []),
        ([2, 0, 2], [2, 0, 2]),
        (np.array([-1]), [3]),
        ([], []),
        (np.array([], dtype=np.int64), []),
        ([True, False, True, False], [0, 2]),
        (np.zeros(4, dtype=bool), []),
    ],
)
def test_selecting(index, chosen):
    bitmaps = random_bitmaps()
    picked = Masks.from_bitmaps(bitmaps, SIZE)[index]
    np.testing.assert_array_equal(picked.to_dense(), bitmaps[np.array(chosen, dtype=int)])
    assert positions(index, 4).tolist() == chosen


@pytest.mark.parametrize("index", [4, [4], [-5], [True], [0.5], None, "a"])
def test_selecting_what_is_not_there(index):
    with pytest.raises((IndexError, TypeError)):
        Masks.from_bitmaps(random_bitmaps(), SIZE)[index]


def test_one_alone_says_how():
    with pytest.raises(TypeError, match=r"for one, \[i : i \+ 1\]"):
        Masks.from_bitmaps(random_bitmaps(), SIZE)[0]


def test_joining():
    bitmaps = random_bitmaps()
    masks = Masks.from_bitmaps(bitmaps, SIZE)
    joined = Masks.cat([masks[:1], masks[1:1], masks[1:]])
    np.testing.assert_array_equal(joined.to_dense(), bitmaps)


def test_joining_what_does_not_belong_together():
    with pytest.raises(DataError, match=r"one size, and \[\(7, 9\), \(9, 7\)\] came"):
        Masks.cat([Masks.empty(SIZE), Masks.empty((9, 7))])
    with pytest.raises(DataError, match="and none came"):
        Masks.cat([])


# -- comparing and painting ----------------------------------------------------------------------


def test_iou():
    a, b = np.zeros((2, *SIZE), dtype=bool)
    a[:, :2], b[:, 1:4] = True, True
    masks, other = Masks.from_bitmaps([a], SIZE), Masks.from_bitmaps([b, a], SIZE)
    assert masks.iou(other).tolist() == [[0.25, 1]]
    assert masks.iou(other, crowd=[True, False]).tolist() == [[0.5, 1]]
    with pytest.raises(DataError, match="images of one size"):
        masks.iou(Masks.empty((9, 7)))


@pytest.mark.parametrize("seed", range(5))
def test_union_and_minus_are_those_of_the_bitmaps(seed):
    bitmaps = random_bitmaps(5, seed=seed)
    bitmaps[1] = False
    bitmaps[2, :, :4] = False
    bitmaps[3, 2:] = False
    masks = Masks.from_bitmaps(bitmaps, SIZE)
    np.testing.assert_array_equal(masks.union(), bitmaps.any(axis=0))
    region = random_bitmaps(1, seed=seed + 100)[0]
    np.testing.assert_array_equal(masks.minus(region).to_dense(), bitmaps & ~region)
    np.testing.assert_array_equal(masks.minus(~region).to_dense(), bitmaps & region)


def test_what_a_region_does_not_touch_stays_as_it_is():
    left, right = np.zeros((2, *SIZE), bool)
    left[2:5, :3] = True
    right[2:5, 6:] = True
    masks = Masks.from_bitmaps([left, right], SIZE)
    rest = masks.minus(left)
    assert rest.runs[1] is masks.runs[1]
    assert rest.areas.tolist() == [0, 9]
    np.testing.assert_array_equal(masks.to_dense(), [left, right])


def test_union_and_minus_of_nothing():
    none = Masks.empty(SIZE)
    assert not none.union().any()
    assert none.union().shape == SIZE
    assert len(none.minus(np.ones(SIZE, bool))) == 0


@pytest.mark.parametrize("shape", [(9, 7), (7,), (7, 9, 1)])
def test_a_region_of_another_size_is_refused(shape):
    masks = Masks.from_bitmaps(random_bitmaps(), SIZE)
    with pytest.raises(DataError, match=r"size \(7, 9\).*crop or pad"):
        masks.minus(np.ones(shape, bool))


def test_label_map_paints_in_order():
    a, b = np.zeros((2, 2, 3), dtype=bool)
    a[:, :2], b[:, 1:] = True, True
    masks = Masks.from_bitmaps([a, b], (2, 3))
    assert masks.label_map().tolist() == [[1, 2, 2], [1, 2, 2]]
    assert masks.label_map([1, 0]).tolist() == [[1, 1, 2], [1, 1, 2]]
    assert masks.label_map([1]).tolist() == [[0, 2, 2], [0, 2, 2]]
    assert masks.label_map().dtype == np.int32


# -- moving --------------------------------------------------------------------------------------


def test_whole_steps_and_flips_are_exact():
    bitmaps = random_bitmaps()
    masks = Masks.from_bitmaps(bitmaps, SIZE)
    np.testing.assert_array_equal(masks.warp(Geometry.flip(SIZE)).to_dense(), bitmaps[:, :, ::-1])
    np.testing.assert_array_equal(
        masks.warp(Geometry.flip(SIZE, horizontal=False)).to_dense(), bitmaps[:, ::-1]
    )
    cropped = masks.warp(Geometry.crop(SIZE, (2, -1, 12, 5)))
    padded = np.pad(bitmaps, ((0, 0), (1, 0), (0, 3)))
    np.testing.assert_array_equal(cropped.to_dense(), padded[:, :6, 2:])
    twice = Geometry.flip(SIZE).then(Geometry.flip(SIZE))
    np.testing.assert_array_equal(masks.warp(twice).to_dense(), bitmaps)


def test_doubling_doubles_every_pixel_of_a_rectangle():
    bitmap = np.zeros(SIZE)
    bitmap[0:3, 4:9] = 1
    moved = Masks.from_bitmaps([bitmap], SIZE).warp(Geometry.resize(SIZE, (14, 18)))
    np.testing.assert_array_equal(moved.bitmap(0), np.kron(bitmap, np.ones((2, 2))))


def test_halving_keeps_what_is_at_least_half_covered():
    bitmap = np.array([[1, 1, 1, 0, 1, 0], [1, 1, 0, 0, 1, 0]])
    moved = Masks.from_bitmaps([bitmap], (2, 6)).warp(Geometry.resize((2, 6), (1, 3)))
    assert moved.bitmap(0).tolist() == [[True, False, True]]


@pytest.mark.parametrize("degrees", [1, 17, 45, 90, 133, 180])
@pytest.mark.parametrize("scale", [0.23, 0.4, 0.5, 0.77, 1, 1.6, 3])
def test_the_area_of_a_large_mask_is_that_of_the_continuous_one(degrees, scale):
    size, radius, centre = (300, 320), 100, (150.3, 148.8)
    ring = disc(size, centre, radius) & ~disc(size, centre, 40)
    c, s = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    middle = 200 * max(scale, 1)
    matrix = np.array([[c, -s, 0], [s, c, 0]])
    matrix[:, 2] = middle - matrix[:, :2] @ centre
    target = (int(2 * middle), int(2 * middle))
    geometry = Geometry.affine(size, matrix, target)
    masks = Masks.from_bitmaps([ring, disc(size, centre, radius)], size)
    moved = masks.warp(geometry)
    np.testing.assert_allclose(moved.areas, masks.areas * scale**2, rtol=0.01)
    low, high = middle - radius * scale, middle + radius * scale
    np.testing.assert_allclose(moved.boxes(), [[low, low, high, high]] * 2, atol=1.5)


def test_a_thin_line_does_not_come_and_go_with_its_place():
    for width, stays in ((1, False), (4, True)):
        lines = np.zeros((16, 96, 96), dtype=bool)
        for i, line in enumerate(lines):
            line[10:90, 20 + i : 20 + i + width] = True
        masks = Masks.from_bitmaps(lines, (96, 96))
        moved = masks.warp(Geometry.resize((96, 96), (24, 24)))
        assert ((moved.areas > 0) == stays).all()


def test_what_leaves_the_image_is_cut_and_what_is_outside_is_empty():
    bitmap = np.zeros(SIZE)
    bitmap[2:5, 1:4] = 1
    masks = Masks.from_bitmaps([bitmap], SIZE)
    assert masks.warp(Geometry.crop(SIZE, (2, 0, 9, 7))).areas.tolist() == [6]
    assert masks.warp(Geometry.crop(SIZE, (5, 0, 9, 7))).areas.tolist() == [0]
    half = Geometry.affine(SIZE, [[1.5, 0, 900.2], [0, 1.5, 0]], SIZE)
    assert masks.warp(half).areas.tolist() == [0]


def test_empty_masks_stay():
    moved = Masks.from_bitmaps([np.zeros(SIZE)], SIZE).warp(Geometry.resize(SIZE, (20, 30)))
    assert moved.size == (20, 30)
    assert moved.areas.tolist() == [0]


def test_one_pixel_enlarged():
    bitmap = np.zeros(SIZE)
    bitmap[6, 8] = 1
    moved = Masks.from_bitmaps([bitmap], SIZE).warp(Geometry.resize(SIZE, (70, 90)))
    assert moved.boxes().tolist() == [[80, 60, 90, 70]]
    assert moved.areas.tolist() == [100]


def test_a_geometry_for_another_size_is_refused():
    with pytest.raises(DataError, match=r"size \(7, 9\) came with a geometry .* \(9, 7\)"):
        Masks.empty(SIZE).warp(Geometry.flip((9, 7)))
