"""Geometry: one matrix that moves points, boxes, pixels and masks to the same place."""

import cv2
import numpy as np
import pytest

from delineate.core.boxes import clip
from delineate.core.geometry import GREY, Geometry
from delineate.core.masks import Masks
from delineate.errors import DataError

SIZE = (6, 8)


def picture(size=SIZE, channels=(3,), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, *channels), dtype=np.uint8)


def rotation(degrees, centre, scale=1.0):
    """Turn clockwise on the screen around a point in continuous coordinates."""
    c, s = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    x, y = centre
    return [[c, -s, x - c * x + s * y], [s, c, y - s * x - c * y]]


def random_geometry(rng, size):
    """Compose a few random steps, as training does."""
    h, w = size
    geometry = Geometry.identity(size)
    for step in rng.permutation(5)[: rng.integers(1, 6)]:
        h, w = geometry.target
        if step == 0:
            step = Geometry.flip((h, w), horizontal=bool(rng.random() < 0.5))
        elif step == 1:
            x0, y0 = rng.integers(-5, 10, 2)
            step = Geometry.crop((h, w), (x0, y0, x0 + w - 3, y0 + h - 5))
        elif step == 2:
            step = Geometry.pad((h, w), (h + 9, w + 4))
        elif step == 3:
            step = Geometry.resize(
                (h, w), (int(h * rng.uniform(0.3, 2)), int(w * rng.uniform(0.3, 2)))
            )
        else:
            matrix = rotation(rng.uniform(-180, 180), (w / 2, h / 2))
            step = Geometry.affine((h, w), matrix, (h, w))
        geometry = geometry.then(step)
    return geometry


# -- algebra -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("geometry", "target", "centre_of_first_pixel"),
    [
        (Geometry.identity(SIZE), SIZE, (0.5, 0.5)),
        (Geometry.resize(SIZE, (12, 4)), (12, 4), (0.25, 1.0)),
        (Geometry.crop(SIZE, (2, 1, 5, 6)), (5, 3), (-1.5, -0.5)),
        (Geometry.crop(SIZE, (-2, -1, 9, 9)), (10, 11), (2.5, 1.5)),
        (Geometry.pad(SIZE, (10, 11)), (10, 11), (0.5, 0.5)),
        (Geometry.flip(SIZE), SIZE, (7.5, 0.5)),
        (Geometry.flip(SIZE, horizontal=False), SIZE, (0.5, 5.5)),
        (Geometry.affine(SIZE, [[0, -1, 6], [1, 0, 0]], (8, 6)), (8, 6), (5.5, 0.5)),
    ],
)
def test_makers_by_hand(geometry, target, centre_of_first_pixel):
    assert (geometry.source, geometry.target) == (SIZE, target)
    np.testing.assert_allclose(geometry.points([[0.5, 0.5]]), [centre_of_first_pixel])


def test_then_applies_in_reading_order():
    crop, double = Geometry.crop(SIZE, (2, 1, 6, 5)), Geometry.resize((4, 4), (8, 8))
    assert crop.then(double).points([[3, 3]]).tolist() == [[2, 4]]
    assert crop.then(double).source == SIZE
    assert crop.then(double).target == (8, 8)


def test_steps_must_fit():
    with pytest.raises(DataError, match=r"ends at 6 x 8 .* one from 8 x 6 came: compose them in"):
        Geometry.identity(SIZE).then(Geometry.identity((8, 6)))


def test_inverse_leads_back():
    rng = np.random.default_rng(0)
    for _ in range(50):
        geometry = random_geometry(rng, (60, 80))
        points = rng.uniform(-10, 90, (7, 2))
        back = geometry.then(geometry.inverse())
        assert (back.source, back.target) == ((60, 80), (60, 80))
        np.testing.assert_allclose(back.points(points), points, atol=1e-8)
        np.testing.assert_allclose(
            geometry.inverse().points(geometry.points(points)), points, atol=1e-8
        )


def test_scale_is_the_root_of_the_change_of_areas():
    assert Geometry.resize((10, 10), (20, 80)).scale == 4
    assert Geometry.flip(SIZE).scale == 1
    assert Geometry.affine(SIZE, rotation(33, (2, 2), 0.5), SIZE).scale == pytest.approx(0.5)


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((2, 3)),
        [[1, 2, 0], [2, 4, 0]],
        [[np.nan, 0, 0], [0, 1, 0]],
        [[1, 0, np.inf], [0, 1, 0]],
        np.eye(3),
        np.eye(2),
    ],
)
def test_matrices_that_cannot_be(matrix):
    with pytest.raises(DataError, match="finite, invertible matrix of 2 rows and 3 columns"):
        Geometry.affine(SIZE, matrix, SIZE)


def test_sizes_that_cannot_be():
    with pytest.raises(DataError, match=r"size must be two whole numbers .* \[0, 3\] came"):
        Geometry.crop(SIZE, (2, 2, 5, 2))


def test_the_matrix_is_the_geometrys_own():
    matrix = np.array([[1.0, 0, 0], [0, 1, 0]])
    geometry = Geometry.affine(SIZE, matrix, SIZE)
    matrix[0, 0] = 5
    assert geometry.matrix[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        geometry.matrix[0, 0] = 5


def test_boxes_are_upright_around_the_corners():
    quarter = Geometry.affine(SIZE, rotation(45, (4, 3)), SIZE)
    root = np.sqrt(2)
    expected = [[4 - root, 3 - root, 4 + root, 3 + root]]
    np.testing.assert_allclose(quarter.boxes([[3, 2, 5, 4]]), expected, rtol=1e-6)
    assert Geometry.flip(SIZE).boxes([[1, 2, 3, 4]]).tolist() == [[5, 2, 7, 4]]
    assert quarter.boxes(np.zeros((0, 4))).shape == (0, 4)
    assert quarter.boxes(np.zeros((0, 4))).dtype == np.float32
    assert quarter.points([]).shape == (0, 2)


# -- images: exact paths -------------------------------------------------------------------------


@pytest.mark.parametrize("horizontal", [True, False])
@pytest.mark.parametrize("channels", [(3,), ()])
def test_a_flip_twice_is_identity_bit_for_bit(horizontal, channels):
    image, flip = picture(channels=channels), Geometry.flip(SIZE, horizontal)
    np.testing.assert_array_equal(flip.image(flip.image(image)), image)
    np.testing.assert_array_equal(flip.image(image), np.flip(image, 1 if horizontal else 0))
    np.testing.assert_array_equal(flip.then(flip).image(image), image)


def test_identity_copies_nothing():
    image = picture()
    assert np.shares_memory(Geometry.identity(SIZE).image(image), image)


@pytest.mark.parametrize("window", [(1, 2, 5, 6), (-2, -1, 5, 4), (3, 2, 20, 10), (-9, -9, 30, 30)])
def test_a_crop_slices_and_fills(window):
    image = picture()
    x0, y0, x1, y1 = window
    huge = np.full((60, 80, 3), GREY, dtype=np.uint8)
    huge[20:26, 20:28] = image
    expected = huge[20 + y0 : 20 + y1, 20 + x0 : 20 + x1]
    np.testing.assert_array_equal(Geometry.crop(SIZE, window).image(image), expected)
    flipped = Geometry.crop(SIZE, window).then(Geometry.flip((y1 - y0, x1 - x0)))
    np.testing.assert_array_equal(flipped.image(image), expected[:, ::-1])


@pytest.mark.parametrize("window", [(8, 0, 10, 6), (-5, 0, 0, 6), (0, 50, 8, 60), (0, -9, 8, -3)])
def test_a_crop_wholly_outside_is_fill(window):
    assert (Geometry.crop(SIZE, window).image(picture(), fill=7) == 7).all()


@pytest.mark.parametrize(
    ("fill", "channels", "value"),
    [(9, (3,), [9, 9, 9]), ((1, 2, 3), (3,), [1, 2, 3]), (9, (), 9), ((1, 2, 3), (), 1)],
)
def test_fill(fill, channels, value):
    padded = Geometry.pad(SIZE, (10, 12)).image(picture(channels=channels), fill)
    assert padded[8, 3].tolist() == value
    turned = Geometry.affine(SIZE, rotation(45, (4, 3), 0.7), SIZE)
    assert turned.image(picture(channels=channels), fill)[0, 0].tolist() == value


@pytest.mark.parametrize(
    ("geometry", "shift"),
    [
        (Geometry.identity((5, 7)), (0, 0)),
        (Geometry.crop((5, 7), (2, -3, 6, 4)), (-2, 3)),
        (Geometry.flip((5, 7)).then(Geometry.flip((5, 7))), (0, 0)),
        (Geometry.flip((5, 7)), None),
        (Geometry.resize((5, 7), (5, 8)), None),
        (Geometry.affine((5, 7), [[1, 0, 0.5], [0, 1, 0]], (5, 7)), None),
        (Geometry.affine((5, 7), [[0, 1, 0], [1, 0, 0]], (7, 5)), None),
        (Geometry.perspective((5, 7), [[0, 0], [7, 0], [7, 5], [1, 5]], (5, 7)), None),
    ],
)
def test_whole_steps_alone_are_a_shift(geometry, shift):
    assert geometry.shift == shift


def test_steps_that_cancel_in_floating_point_still_copy():
    image = picture((31, 47))
    there = Geometry.resize((31, 47), (70, 90)).then(Geometry.crop((70, 90), (3, 5, 60, 50)))
    assert not np.array_equal(there.then(there.inverse()).matrix, np.eye(3)[:2])
    np.testing.assert_array_equal(there.then(there.inverse()).image(image), image)


@pytest.mark.parametrize(
    ("target", "how"),
    [
        ((12, 16), cv2.INTER_LINEAR),
        ((3, 4), cv2.INTER_AREA),
        ((5, 7), cv2.INTER_AREA),
        ((3, 16), cv2.INTER_LINEAR),
    ],
)
def test_stretching_is_resize_flipped_or_not(target, how):
    image, stretch = picture(), Geometry.resize(SIZE, target)
    expected = cv2.resize(image, target[::-1], interpolation=how)
    np.testing.assert_array_equal(stretch.image(image), expected)
    flipped = cv2.resize(np.ascontiguousarray(image[:, ::-1]), target[::-1], interpolation=how)
    np.testing.assert_array_equal(Geometry.flip(SIZE).then(stretch).image(image), flipped)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (picture((8, 6)), "of 6 x 8 pixels in uint8, and one of 8 x 6 in uint8 came"),
        (
            picture().astype(np.float32),
            "of 6 x 8 pixels in uint8, and one of 6 x 8 in float32 came",
        ),
    ],
)
def test_an_image_of_another_size_or_type_is_refused(image, words):
    with pytest.raises(DataError, match=words):
        Geometry.flip(SIZE).image(image)


# -- images: interpolation -----------------------------------------------------------------------


def test_half_a_pixel_blends_two():
    image = np.zeros((3, 4), dtype=np.uint8)
    image[1, 1] = 200
    moved = Geometry.affine((3, 4), [[1, 0, 0.5], [0, 1, 0]], (3, 5)).image(image, fill=0)
    assert moved[1].tolist() == [0, 100, 100, 0, 0]
    assert moved[0].sum() == moved[2].sum() == 0


@pytest.mark.parametrize(
    ("matrix", "target", "quarters"),
    [
        ([[0, -1, 6], [1, 0, 0]], (8, 6), -1),
        ([[0, 1, 0], [-1, 0, 8]], (8, 6), 1),
        ([[-1, 0, 8], [0, -1, 6]], SIZE, 2),
        (rotation(180, (4, 3)), SIZE, 2),
    ],
)
def test_a_quarter_turn_moves_every_pixel_whole(matrix, target, quarters):
    turn = Geometry.affine(SIZE, matrix, target)
    for channels in ((), (3,)):
        image = picture(channels=channels)
        np.testing.assert_array_equal(turn.image(image), np.rot90(image, quarters))
    bitmaps = picture((4, *SIZE), ()) > 128
    turned = Masks.from_bitmaps(bitmaps, SIZE).warp(turn).to_dense()
    np.testing.assert_array_equal(turned, np.rot90(bitmaps, quarters, axes=(1, 2)))
    larger = turn.then(Geometry.resize(target, (16, 24)))
    expected = cv2.resize(np.rot90(image, quarters).copy(), (24, 16))
    np.testing.assert_array_equal(larger.image(image), expected)


def test_enlarging_does_not_fade_into_the_fill():
    image = np.full((4, 4, 3), 200, dtype=np.uint8)
    geometry = Geometry.resize((4, 4), (8, 8)).then(Geometry.pad((8, 8), (9, 10)))
    expected = np.zeros((9, 10, 3), dtype=np.uint8)
    expected[:8, :8] = 200
    np.testing.assert_array_equal(geometry.image(image, fill=0), expected)


def test_enlarging_a_part_equals_the_part_of_the_enlarged():
    image = picture((40, 60))
    enlarge = Geometry.resize((40, 60), (80, 120))
    part = enlarge.then(Geometry.crop((80, 120), (10, 20, 90, 70)))
    whole = enlarge.image(image)[20:70, 10:90].astype(int)
    assert abs(part.image(image).astype(int) - whole).max() <= 1


def test_shrinking_averages_what_bilinear_would_skip():
    image = np.zeros((64, 64), dtype=np.uint8)
    image[:, ::8] = 240  # one column in eight: an eighth of the light
    turned = Geometry.affine((64, 64), [[0.125, 0, 1], [0, 0.125, 1]], (10, 10)).image(image, 0)
    assert turned[1:9, 1:9].mean() == pytest.approx(30, abs=1)


@pytest.mark.parametrize("scale", [1e-9, 1e-100])
def test_shrinking_to_nothing_and_blowing_up_are_harmless(scale):
    image = picture((20, 30))
    tiny = Geometry.affine((20, 30), [[scale, 0, 2.3], [0, scale, 2.3]], (5, 5))
    assert (tiny.image(image, 0) == 0).sum() >= 24 * 3
    huge = Geometry.affine((20, 30), [[1e9, 0, 0], [0, 1e9, 0]], (5, 5)).image(image)
    assert (huge == image[0, 0]).all()


@pytest.mark.parametrize("size", [(40_000, 3), (3, 40_000)])
def test_sides_beyond_sixteen_bits(size):
    image = picture(size)
    half = Geometry.affine(size, [[1, 0, 0.5], [0, 1, 0.5]], size).image(image, 0)
    left, right = (
        image[-1, -2].astype(int) + image[-2, -2],
        image[-1, -1].astype(int) + image[-2, -1],
    )
    assert abs(half[-1, -1].astype(int) - (left + right) / 4).max() <= 1


# -- everything moves together -------------------------------------------------------------------


def test_image_box_and_mask_move_together():
    rng = np.random.default_rng(1)
    compared, checked = 0, 0
    for _ in range(200):
        size = (int(rng.integers(60, 120)), int(rng.integers(60, 120)))
        x0, y0 = rng.integers(5, 25, 2)
        x1, y1 = x0 + rng.integers(15, 30), y0 + rng.integers(15, 30)
        bitmap = np.zeros(size, dtype=bool)
        bitmap[y0:y1, x0:x1] = True
        geometry = random_geometry(rng, size)
        mask = Masks.from_bitmaps([bitmap], size).warp(geometry)
        box = clip(geometry.boxes([[x0, y0, x1, y1]]), geometry.target)
        if geometry.scale < 0.5 or (box[0, 2:] - box[0, :2]).min() < 8:
            continue
        compared += 1
        whole = (box == geometry.boxes([[x0, y0, x1, y1]])).all()
        upright = geometry.matrix[0, 1] == 0
        if whole or upright:  # else a corner that is cut off was the outermost
            # The grid takes up to half a pixel off an edge, and more off a sharp corner.
            np.testing.assert_allclose(mask.boxes(), box, atol=0.51 if upright else 3)
            checked += 1
        moved = geometry.image(bitmap.astype(np.uint8) * np.uint8(255), 0) >= 128
        assert Masks.from_bitmaps([moved], geometry.target).iou(mask)[0, 0] > 0.96
    assert compared > 80
    assert checked > 50


def labels(h, w):
    return np.random.default_rng(0).integers(0, 6, (h, w)).astype(np.uint8)


def test_labels_are_moved_whole():
    here = labels(6, 8)
    size = here.shape
    np.testing.assert_array_equal(Geometry.identity(size).labels(here, 255), here)
    np.testing.assert_array_equal(Geometry.flip(size).labels(here, 255), here[:, ::-1])
    turn = Geometry.affine(size, [[0, -1, 6], [1, 0, 0]], (8, 6))
    np.testing.assert_array_equal(turn.labels(here, 255), np.rot90(here, -1))
    double = Geometry.resize(size, (12, 16)).labels(here, 255)
    np.testing.assert_array_equal(double, here.repeat(2, 0).repeat(2, 1))


def test_labels_outside_the_source_are_filled():
    here = labels(6, 8)
    window = Geometry.crop(here.shape, (-2, 1, 4, 9)).labels(here, 255)
    assert (window[:, :2] == 255).all()
    assert (window[5:] == 255).all()
    np.testing.assert_array_equal(window[:5, 2:], here[1:6, :4])


def test_labels_move_with_the_picture():
    here = np.zeros((64, 64), np.uint8)
    here[20:44, 8:40] = 200
    geometry = Geometry.affine(here.shape, [[0.8, -0.5, 20], [0.5, 0.8, -4]], (60, 70))
    moved, picture = geometry.labels(here, 0), geometry.image(here, 0)
    assert set(np.unique(moved)) == {0, 200}
    assert ((moved == 200) != (picture >= 100)).mean() < 0.005


def test_labels_of_another_size_are_refused():
    with pytest.raises(DataError, match="starts from an image of"):
        Geometry.identity((6, 8)).labels(labels(8, 6), 0)
