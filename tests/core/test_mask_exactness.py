"""A moved mask has the area of the continuous shape, and lies where a fine grid says it does."""

import numpy as np
import pytest

from delineate.core.geometry import Geometry
from delineate.core.masks import Masks

FINE = 16  # samples a pixel along each axis


def inside_disc(x, y):
    return x**2 + y**2 <= 1, np.pi


def inside_ellipse(x, y):
    return x**2 + (2 * y) ** 2 <= 1, np.pi / 2


def inside_rectangle(x, y):
    return (np.abs(x) <= 0.9) & (np.abs(y) <= 0.5), 1.8


def inside_triangle(x, y):
    return (y <= 0.6) & (y >= np.abs(x) * 1.6 - 0.9), 1.5**2 / 1.6


def inside_ring(x, y):
    return (x**2 + y**2 <= 1) & (x**2 + y**2 >= 0.25), np.pi * 0.75


def inside_two_parts(x, y):
    left, right = (x + 0.6) ** 2 + y**2 <= 0.16, (np.abs(x - 0.6) <= 0.3) & (np.abs(y) <= 0.7)
    return left | right, 0.16 * np.pi + 0.84


def inside_star(x, y):
    reach = 0.65 + 0.3 * np.cos(5 * np.arctan2(y, x))
    return np.hypot(x, y) <= reach, np.pi * (0.65**2 + 0.3**2 / 2)


SHAPES = [
    inside_disc,
    inside_ellipse,
    inside_rectangle,
    inside_triangle,
    inside_ring,
    inside_two_parts,
    inside_star,
]


def drawn(shape, centre, radius, size, degrees=0.0):
    """A shape as a bitmap of the pixels whose centres it holds, and its continuous area."""
    rows, columns = np.indices(size)
    x, y = (columns + 0.5 - centre[0]) / radius, (rows + 0.5 - centre[1]) / radius
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    bitmap, area = shape(c * x + s * y, c * y - s * x)
    return bitmap, area * radius**2


def rotation(size, degrees, centre):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    x, y = centre
    return Geometry.affine(size, [[c, -s, x - c * x + s * y], [s, c, y - s * x - c * y]], size)


def shear(size, degrees_x, degrees_y, centre):
    a, b = np.tan(np.deg2rad([degrees_x, degrees_y]))
    linear = np.array([[1, a], [b, 1 + a * b]])
    return Geometry.affine(size, np.column_stack([linear, centre - linear @ centre]), size)


def covered(bitmap, geometry):
    """Count in each target pixel the fine samples that come from foreground."""
    h, w = geometry.target
    rows, columns = (np.arange(n * FINE) / FINE + 0.5 / FINE for n in (h, w))
    matrix = geometry.matrix if not geometry.is_affine else np.vstack([geometry.matrix, [0, 0, 1]])
    a, b, c = np.linalg.inv(matrix)
    depth = c[0] * columns + c[1] * rows[:, None] + c[2]
    x = np.floor((a[0] * columns + a[1] * rows[:, None] + a[2]) / depth).astype(int)
    y = np.floor((b[0] * columns + b[1] * rows[:, None] + b[2]) / depth).astype(int)
    held = (x >= 0) & (x < bitmap.shape[1]) & (y >= 0) & (y < bitmap.shape[0])
    fine = np.zeros(x.shape, bool)
    fine[held] = bitmap[y[held], x[held]]
    return fine.reshape(h, FINE, w, FINE).sum(axis=(1, 3))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_rotated_mask_has_its_continuous_area_within_one_percent(shape):
    size, centre = (260, 270), np.array([135.3, 129.98])
    bitmap, area = drawn(shape, centre, 90, size)
    assert bitmap.sum() == pytest.approx(area, rel=0.005)  # the shape itself is drawn well
    masks = Masks.from_bitmaps([bitmap], size)
    for degrees in (*range(-180, 181, 15), 1, 3.7, 7, 44.9, 63.4, 89.99):
        [moved] = masks.warp(rotation(size, degrees, centre)).areas
        assert moved == pytest.approx(area, rel=0.01), degrees
        assert moved == pytest.approx(bitmap.sum(), rel=0.01), degrees


@pytest.mark.parametrize("shape", SHAPES)
def test_a_rotated_mask_is_the_rotated_shape(shape):
    size, centre = (160, 170), np.array([85.3, 79.98])
    bitmap, _ = drawn(shape, centre, 60, size)
    masks = Masks.from_bitmaps([bitmap], size)
    for degrees in range(-170, 180, 35):
        expected, _ = drawn(shape, centre, 60, size, degrees)
        moved = masks.warp(rotation(size, degrees, centre))
        wanted = Masks.from_bitmaps([expected], size)
        assert moved.iou(wanted)[0, 0] > 0.97
        np.testing.assert_allclose(moved.boxes(), wanted.boxes(), atol=1.01)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sheared_mask_has_its_continuous_area_within_one_percent(shape):
    size, centre = (260, 270), np.array([135.3, 129.98])
    bitmap, area = drawn(shape, centre, 60, size)
    masks = Masks.from_bitmaps([bitmap], size)
    for degrees in ((10, 0), (0, -20), (15, 15), (-8, 12), (30, -5)):
        [moved] = masks.warp(shear(size, *degrees, centre)).areas
        assert moved == pytest.approx(area, rel=0.01), degrees


@pytest.mark.parametrize("shape", SHAPES)
def test_a_foreshortened_mask_has_its_continuous_area_within_one_percent(shape):
    size, centre, rng = (200, 220), np.array([110.3, 99.98]), np.random.default_rng(0)
    bitmap, _ = drawn(shape, centre, 60, size)
    masks = Masks.from_bitmaps([bitmap], size)
    frame = np.array([[0, 0], [220, 0], [220, 200], [0, 200]], float)
    rows, columns = np.indices((200 * 4, 220 * 4))
    fine, _ = drawn(shape, centre * 4, 240, rows.shape)
    points = (np.stack([columns, rows], axis=-1)[fine] + 0.5) / 4
    for _ in range(10):
        corners = frame + rng.uniform(-0.12, 0.12, (4, 2)) * (220, 200)
        geometry = Geometry.perspective(size, corners, size)
        area = geometry.area_change(points).sum() / 16  # the integral over the continuous shape
        wide = geometry.then(Geometry.crop(size, (-60, -60, 280, 260)))
        assert masks.warp(wide).areas[0] == pytest.approx(area, rel=0.01)
        assert masks.moved_areas(geometry)[0] == pytest.approx(area, rel=0.005)


def test_small_masks_keep_their_area_on_average():
    """At 20 pixels across, one object may be off by a pixel or two; a thousand are not.

    Rounding at the corners of a bitmap takes 0.386 pixels from each part, whatever its size: half
    of what four quarter pixels hold beyond the hyperbola on which bilinear values are one half.
    """
    rng = np.random.default_rng(1)
    size, before, after, worst = (40, 40), 0, 0, 0.0
    for shape in SHAPES:
        own, moved = 0, 0
        for _ in range(120):
            bitmap, _ = drawn(shape, 20 + rng.uniform(-1, 1, 2), 10, size, rng.uniform(0, 360))
            turned = Masks.from_bitmaps([bitmap], size).warp(
                rotation(size, rng.uniform(-180, 180), 20 + rng.uniform(-1, 1, 2))
            )
            own, moved = own + bitmap.sum(), moved + turned.areas[0]
            worst = max(worst, abs(turned.areas[0] / bitmap.sum() - 1))
        assert moved == pytest.approx(own, rel=0.01), shape
        before, after = before + own, after + moved
    assert after == pytest.approx(before, rel=0.005)
    assert worst < 0.08


@pytest.mark.parametrize("kind", ["rotated", "sheared", "foreshortened"])
def test_masks_are_what_a_grid_sixteen_times_finer_counts(kind):
    rng = np.random.default_rng(2)
    size, ours, theirs = (48, 52), 0, 0
    for shape in SHAPES:
        for radius in (10, 18):
            middle = np.array([26, 24]) + rng.uniform(-2, 2, 2)
            bitmap, _ = drawn(shape, middle, radius, size, rng.uniform(0, 360))
            if kind == "rotated":
                geometry = rotation(size, rng.uniform(-180, 180), middle)
            elif kind == "sheared":
                geometry = shear(size, *rng.uniform(-20, 20, 2), middle)
            else:
                frame = np.array([[0, 0], [52, 0], [52, 48], [0, 48]], float)
                corners = frame + rng.uniform(-0.12, 0.12, (4, 2)) * (52, 48)
                geometry = Geometry.perspective(size, corners, size)
            count = covered(bitmap, geometry)
            moved = Masks.from_bitmaps([bitmap], size).warp(geometry).bitmap(0)
            # A pixel that is mostly one or the other is never told wrong.
            assert moved[count > 0.8 * FINE**2].all()
            assert not moved[count < 0.2 * FINE**2].any()
            expected = count >= FINE**2 / 2
            assert (moved & expected).sum() / (moved | expected).sum() > 0.93
            ours, theirs = ours + moved.sum(), theirs + count.sum() / FINE**2
    assert ours == pytest.approx(theirs, rel=0.01)


def test_neighbours_stay_neighbours():
    """Two objects that share an edge share it afterwards; no pixel is of both.

    One at either end of it may be of neither: a third of the one, the other and the background.
    """
    size = (60, 60)
    left = np.zeros(size, bool)
    left[10:50, 10:30] = True
    right = np.zeros(size, bool)
    right[10:50, 30:50] = True
    for degrees in range(0, 360, 7):
        geometry = rotation(size, degrees, (29.7, 31.2))
        moved = Masks.from_bitmaps([left, right, left | right], size).warp(geometry).to_dense()
        assert not (moved[0] & moved[1]).any()
        assert ((moved[0] | moved[1]) != moved[2]).sum() <= 2
