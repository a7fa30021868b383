"""Geometry where parallels meet: points, boxes, pixels, labels and masks still move together."""

import cv2
import numpy as np
import pytest

from delineate.core.geometry import GREY, Geometry
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.errors import DataError

SIZE = (60, 80)
CORNERS = np.array([[0, 0], [80, 0], [80, 60], [0, 60]], float)
ROAD = [[35, 20], [45, 20], [100, 60], [-20, 60]]  # its far end is narrow


def tilted(rng, strength=0.15, size=SIZE):
    h, w = size
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], float)
    return Geometry.perspective(
        size, corners + rng.uniform(-strength, strength, (4, 2)) * (w, h), size
    )


def centres(size):
    rows, columns = np.indices(size)
    return np.stack([columns + 0.5, rows + 0.5], axis=-1).reshape(-1, 2)


def seen_from(geometry):
    """Where the centre of each target pixel comes from, by solving for it; nan for sky."""
    a = np.vstack([geometry.matrix, [0, 0, 1]]) if geometry.is_affine else geometry.matrix
    u = np.column_stack([centres(geometry.target), np.ones(np.prod(geometry.target))])
    back = np.linalg.solve(a, u.T).T
    back[back[:, 2] <= 0] = np.nan
    return back[:, :2] / back[:, 2:]


def polygon_area(points):
    x, y = points.T
    return abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def bilinear(image, xy, fill):
    """Sample an image at continuous points, with `fill` all around it."""
    padded = np.pad(image.astype(float), 2, constant_values=fill)
    x, y = (
        np.clip(xy[:, 0] + 1.5, 0, image.shape[1] + 2),
        np.clip(xy[:, 1] + 1.5, 0, len(image) + 2),
    )
    i, j = np.floor(y).astype(int), np.floor(x).astype(int)
    s, t = y - i, x - j
    return (
        padded[i, j] * (1 - s) * (1 - t)
        + padded[i, j + 1] * (1 - s) * t
        + padded[i + 1, j] * s * (1 - t)
        + padded[i + 1, j + 1] * s * t
    )


# -- the map ---------------------------------------------------------------------------------


def test_corners_come_to_the_corners_named_and_points_as_opencv_says():
    rng = np.random.default_rng(0)
    for _ in range(50):
        corners = CORNERS + rng.uniform(-9, 9, (4, 2))
        geometry = Geometry.perspective(SIZE, corners, (70, 90))
        assert not geometry.is_affine
        assert (geometry.source, geometry.target) == (SIZE, (70, 90))
        np.testing.assert_allclose(geometry.points(CORNERS), corners, atol=1e-9)
        theirs = cv2.getPerspectiveTransform(CORNERS.astype(np.float32), corners.astype(np.float32))
        points = rng.uniform((0, 0), (80, 60), (9, 2))
        expected = cv2.perspectiveTransform(points[None], theirs)[0]
        np.testing.assert_allclose(geometry.points(points), expected, atol=1e-3)


def test_chains_with_affine_maps_and_back():
    rng = np.random.default_rng(1)
    for _ in range(30):
        first, last = tilted(rng), Geometry.affine(SIZE, [[0.8, 0.3, 2], [-0.2, 1.1, 4]], (50, 40))
        points = rng.uniform((0, 0), (80, 60), (5, 2))
        both = first.then(last)
        np.testing.assert_allclose(both.points(points), last.points(first.points(points)))
        np.testing.assert_allclose(both.inverse().points(both.points(points)), points, atol=1e-8)
        np.testing.assert_allclose(
            Geometry.flip(SIZE).then(first).points(points),
            first.points(np.array([80, 0]) + points * (-1, 1)),
        )


def test_what_cancels_is_affine_again_and_copies_pixels():
    image = np.random.default_rng(2).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    geometry = tilted(np.random.default_rng(2))
    there_and_back = geometry.then(geometry.inverse())
    assert there_and_back.is_affine
    np.testing.assert_array_equal(there_and_back.image(image), image)
    assert Geometry.perspective(SIZE, CORNERS, SIZE).is_affine
    shifted = Geometry.perspective(SIZE, CORNERS + np.array([3, -2]), SIZE)
    np.testing.assert_allclose(shifted.matrix, [[1, 0, 3], [0, 1, -2]], atol=1e-12)


def test_a_mirrored_perspective_is_one():
    geometry = Geometry.perspective(SIZE, [[70, 5], [4, 0], [0, 60], [80, 50]], SIZE)
    np.testing.assert_allclose(geometry.points([[0, 0], [80, 60]]), [[70, 5], [0, 60]], atol=1e-9)


@pytest.mark.parametrize(
    "corners",
    [
        [[0, 0], [80, 0], [0, 60], [80, 60]],  # crossed
        [[0, 0], [80, 0], [20, 15], [0, 60]],  # dented
        [[0, 0], [80, 0], [40, 0], [0, 60]],  # three in a line
        [[5, 5]] * 4,
        [[0, 0], [80, 0], [np.nan, 60], [0, 60]],
    ],
)
def test_corners_that_span_nothing_are_refused(corners):
    with pytest.raises(DataError, match="four points that go round a convex shape"):
        Geometry.perspective(SIZE, corners, SIZE)


def test_a_matrix_that_cannot_be_is_refused():
    with pytest.raises(DataError, match="finite, invertible matrix"):
        Geometry([[1, 0, 0], [0, 1, 0], [1, 0, 0]], SIZE, SIZE)


def test_scale_is_that_in_the_middle_of_the_target():
    geometry = tilted(np.random.default_rng(3))
    [middle] = geometry.inverse().points([[40, 30]])
    around = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.05
    grown = polygon_area(geometry.points(middle + around)) / polygon_area(around)
    assert geometry.scale == pytest.approx(np.sqrt(grown), rel=1e-5)


def test_areas_change_as_small_squares_do():
    rng = np.random.default_rng(4)
    for geometry in (tilted(rng), Geometry.affine(SIZE, [[2, 0.5, 0], [0, 3, 0]], SIZE)):
        points = rng.uniform((0, 0), (80, 60), (20, 2))
        squares = points[:, None] + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.01
        grown = [polygon_area(geometry.points(square)) / 4e-4 for square in squares]
        np.testing.assert_allclose(geometry.area_change(points), grown, rtol=1e-4)


# -- what it moves ---------------------------------------------------------------------------


def test_boxes_are_upright_around_the_corners():
    geometry = tilted(np.random.default_rng(5))
    corners = geometry.points([[10, 20], [30, 20], [30, 50], [10, 50]])
    expected = [*corners.min(axis=0), *corners.max(axis=0)]
    np.testing.assert_allclose(geometry.boxes([[10, 20, 30, 50]]), [expected], rtol=1e-6)
    assert geometry.boxes(np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_pixels_are_bilinear_between_their_sources(channels):
    rng = np.random.default_rng(6)
    image = rng.integers(0, 256, (*SIZE, *channels), dtype=np.uint8)
    for _ in range(5):
        geometry = tilted(rng)
        layers = image[..., None] if not channels else image
        expected = np.stack(
            [
                bilinear(layers[..., k], seen_from(geometry), GREY[0]).reshape(SIZE)
                for k in range(layers.shape[-1])
            ],
            axis=-1,
        )
        found = geometry.image(image).reshape(expected.shape)
        assert np.abs(found - expected).max() <= 8  # OpenCV 4 knows 32 places between two pixels
        assert np.abs(found - expected).mean() < 1


def test_labels_are_those_of_the_pixel_the_centre_comes_from():
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 9, SIZE).astype(np.uint8)
    for _ in range(10):
        geometry = tilted(rng).then(Geometry.crop(SIZE, (-10, -10, 85, 70)))
        x, y = np.floor(seen_from(geometry)).astype(int).T
        inside = (x >= 0) & (x < 80) & (y >= 0) & (y < 60)
        expected = np.full(len(x), 255)
        expected[inside] = labels[y[inside], x[inside]]
        np.testing.assert_array_equal(geometry.labels(labels, 255).ravel(), expected)


def test_shrinking_averages_what_bilinear_would_skip():
    stripes = np.zeros((240, 320), np.uint8)
    stripes[:, ::8] = 240  # an eighth of the light
    away = Geometry.perspective((240, 320), [[2, 3], [40, 2], [42, 30], [0, 32]], (32, 42))
    assert away.cells == (8, 8)
    inside = away.image(np.full_like(stripes, 255), 0) == 255
    assert away.image(stripes, 0)[inside].mean() == pytest.approx(30, rel=0.05)
    dots = np.zeros((240, 320), bool)
    dots[::2, ::2] = True  # a quarter of the pixels: nowhere half
    assert Masks.from_bitmaps([dots], dots.shape).warp(away).areas.tolist() == [0]


def test_image_and_masks_move_to_the_same_pixels():
    rng = np.random.default_rng(8)
    for _ in range(20):
        bitmaps = np.zeros((3, *SIZE), bool)
        for bitmap in bitmaps:
            (x0, y0), (w, h) = rng.integers(0, 40, 2), rng.integers(8, 40, 2)
            bitmap[y0 : y0 + h, x0 : x0 + w] = True
        geometry = tilted(rng).then(Geometry.crop(SIZE, (7, -5, 77, 50)))
        moved = Masks.from_bitmaps(bitmaps, SIZE).warp(geometry)
        for i, bitmap in enumerate(bitmaps):
            painted = geometry.image(bitmap.astype(np.uint8) * np.uint8(255), 0) >= 128
            # Between four pixels rounding may fall to either side of one half.
            assert (painted != moved.bitmap(i)).sum() <= 2


# -- the horizon -----------------------------------------------------------------------------


def road(behind=0, ahead=300):
    """The plane that `ROAD` shows, from `ahead` rows farther away to `behind` rows back."""
    matrix = Geometry.perspective(SIZE, ROAD, SIZE).matrix
    height = ahead + 60 + behind
    return Geometry(matrix @ [[1, 0, 0], [0, 1, -ahead], [0, 0, 1]], (height, 80), SIZE)


def test_what_is_behind_the_viewer_is_not_seen():
    geometry = road(behind=100, ahead=0)
    near, at_his_feet, behind = geometry.points([[40, 60], [40, 65], [40, 90]])
    np.testing.assert_allclose(near, [40, 60])
    assert at_his_feet[1] > 500
    assert np.isnan(behind).all()
    assert np.isinf(geometry.area_change([[40, 90]])).all()
    assert geometry.boxes([[30, 80, 50, 120]]).tolist() == [[0, 0, 0, 0]]
    assert geometry.points([]).shape == (0, 2)


def test_of_a_box_partly_behind_the_rest_counts():
    geometry = road(behind=100, ahead=0)
    [[x0, y0, x1, y1]] = geometry.boxes([[30, 0, 50, 120]]).tolist()
    assert y0 == pytest.approx(20)
    assert x0 < -1e4
    assert x1 > 1e4
    assert y1 > 1e4


def test_of_a_mask_partly_behind_the_rest_is_drawn():
    geometry = road(behind=100, ahead=0)
    moved = Masks.from_bitmaps([np.ones((160, 80))], (160, 80)).warp(geometry)
    in_front = Masks.from_bitmaps([np.arange(160)[:, None].repeat(80, 1) < 65], (160, 80))
    np.testing.assert_array_equal(moved.bitmap(0), in_front.warp(geometry).bitmap(0))
    x, y = centres(SIZE).T
    expected = (y > 20) & (np.abs(x - 40) < 5 + 1.375 * (y - 20))
    assert (moved.bitmap(0).ravel() != expected).mean() < 0.01


def test_the_sky_is_filled():
    geometry = road()
    sky = np.isnan(seen_from(geometry)).all(axis=1).reshape(SIZE)
    assert 14 <= sky[:, 40].sum() <= 18
    white = np.full((360, 80), 255, np.uint8)
    ground = geometry.image(white, 0)
    assert (ground[sky] == 0).all()
    assert (ground > 0).sum() > 1000
    assert (geometry.labels(white, 1)[sky] == 1).all()
    whole = Masks.from_bitmaps([white], (360, 80)).warp(geometry)
    np.testing.assert_array_equal(whole.bitmap(0), ground >= 128)


def test_sky_in_the_middle_has_no_scale_and_harms_nothing():
    up = road(ahead=0).then(Geometry.crop(SIZE, (0, -60, 80, 60)))
    assert np.isnan(up.scale)
    assert up.cells == (1, 1)
    image = up.image(np.full(SIZE, 255, np.uint8), 0)
    assert (image[:76] == 0).all()
    assert (image[90:110, 30:50] == 255).all()


# -- which objects stay ----------------------------------------------------------------------


def test_areas_that_would_be_there_if_nothing_were_cut_off():
    rng = np.random.default_rng(9)
    for _ in range(20):
        geometry = tilted(rng)
        (x0, y0), (w, h) = rng.integers(0, 40, 2), rng.integers(5, 40, 2)
        bitmap = np.zeros(SIZE, bool)
        bitmap[y0 : y0 + h, x0 : x0 + w] = True
        [[x0, y0, x1, y1]] = Masks.from_bitmaps([bitmap], SIZE).boxes()
        expected = polygon_area(geometry.points([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
        [found] = Masks.from_bitmaps([bitmap], SIZE).moved_areas(geometry)
        assert found == pytest.approx(expected, rel=1e-3)


def test_an_object_stays_by_the_share_of_its_moved_area_that_remains():
    rng = np.random.default_rng(10)
    sides = []
    for _ in range(40):
        geometry = tilted(rng).then(Geometry.crop(SIZE, (0, 0, 40, 60)))
        x0, y0 = rng.integers(20, 40), rng.integers(0, 20)
        bitmap = np.zeros(SIZE, bool)
        bitmap[y0 : y0 + 30, x0 : x0 + 30] = True
        masks = Masks.from_bitmaps([bitmap], SIZE)
        found = Instances(image_size=SIZE, boxes=masks.boxes(), labels=[0], masks=masks)
        all_around = geometry.then(Geometry.crop((60, 40), (-90, -90, 140, 150)))
        moved = masks.warp(all_around).bitmap(0)
        share = moved[90:150, 90:130].sum() / moved.sum()
        for factor in (0.97, 1.03):  # a pixel is about a thousandth of the object
            kept = len(found.warp(geometry, min(share * factor, 1)))
            assert kept == (factor < 1)
            sides.append(kept)
        crowd = found.replace(crowd=[True])
        assert len(crowd.warp(geometry, 1.0)) == 1
    assert {0, 1} == set(sides)


def test_boxes_alone_stay_by_their_share_too():
    geometry = Geometry.perspective(SIZE, [[0, 0], [80, 0], [80, 60], [0, 54]], SIZE)
    found = Instances(image_size=SIZE, boxes=[[10, 10, 30, 30]], labels=[0])
    assert len(found.warp(geometry, 0.95)) == 1
    half = geometry.then(Geometry.crop(SIZE, (20, 0, 80, 60)))
    assert len(found.warp(half, 0.4)) == 1
    assert len(found.warp(half, 0.7)) == 0


def test_an_object_that_reaches_the_viewer_is_endless():
    geometry = road(behind=100, ahead=0)
    long = Masks.from_bitmaps([np.ones((160, 80))], (160, 80))
    assert np.isinf(long.moved_areas(geometry)).all()
    found = Instances(image_size=(160, 80), boxes=long.boxes(), labels=[0], masks=long)
    assert len(found.warp(geometry, 0.0)) == 1
    assert len(found.warp(geometry, 0.01)) == 0
