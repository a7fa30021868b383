"""What is measured of objects: by hand, and against brute force on whole canvases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from delineate.data.formats import open_splits
from delineate.quality.measures import GRID, Measures, measure
from drawn_sets import Drawn, rectangle

SIZE = (40, 60)
CROSS = ndimage.generate_binary_structure(2, 1)


def of(bitmaps, size=SIZE, **options):
    return measure(Drawn([(size, bitmaps, [0] * len(bitmaps))], **options))


def test_two_squares_side_by_side():
    found = of([rectangle(SIZE, 0, 10, 10, 10), rectangle(SIZE, 10, 10, 10, 20)])
    assert found.area.tolist() == [100, 200]
    assert found.aspect.tolist() == [1, 0.5]
    assert found.border.tolist() == [True, False]
    assert found.iou.tolist() == [0, 0]
    assert found.overlapped.tolist() == [0, 0]
    # 10 of the 36 pixels around the first; 10 of 56 of the second
    np.testing.assert_allclose(found.touching, [10 / 36, 10 / 56])
    away, size = np.hypot(10, 5), (10 + np.sqrt(200)) / 2
    np.testing.assert_allclose(found.distance, [away / size] * 2)


def test_an_object_on_another():
    found = of([rectangle(SIZE, 10, 10, 20, 20), rectangle(SIZE, 15, 15, 10, 10)])
    np.testing.assert_allclose(found.overlapped, [0.25, 1])
    np.testing.assert_allclose(found.iou, [0.25, 0.25])
    assert found.touching.tolist() == [0, 1]
    assert found.distance.tolist() == [0, 0]


def test_parts_and_holes():
    ring = rectangle(SIZE, 5, 5, 9, 9)
    ring[8:11, 8:11] = False
    two = rectangle(SIZE, 20, 5, 4, 4) | rectangle(SIZE, 30, 5, 4, 4)
    diagonal = rectangle(SIZE, 40, 5, 2, 2) | rectangle(SIZE, 42, 7, 2, 2)
    full = np.ones(SIZE, bool)
    full[3, 3] = full[0, 5] = False  # the second lies at the edge: no hole, but a bay
    corners = rectangle(SIZE, 50, 20, 6, 6)
    corners[21, 51] = corners[22, 52] = False  # two holes that meet at a corner
    found = of([ring, two, diagonal, full, np.zeros(SIZE, bool), corners])
    assert found.parts.tolist() == [1, 2, 1, 1, 0, 1]
    assert found.holes.tolist() == [1, 0, 0, 1, 0, 2]
    assert found.area[4] == 0


def test_alone_and_empty_images():
    found = measure(Drawn([(SIZE, [rectangle(SIZE, 5, 5, 5, 5)], [1]), (SIZE, [], [])]))
    assert found.images == 2
    assert found.image.tolist() == [0]
    assert found.label.tolist() == [1]
    assert np.isinf(found.distance).all()
    assert (found.iou[0], found.touching[0], found.overlapped[0]) == (0, 0, 0)
    nothing = measure(Drawn([]))
    assert (nothing.images, len(nothing.label)) == (0, 0)


def test_crowd_regions_are_counted_and_left_out():
    bitmaps = [rectangle(SIZE, 0, 0, 60, 40), rectangle(SIZE, 5, 5, 5, 5)]
    found = of(bitmaps, crowd={0: [True, False]})
    assert found.crowds.tolist() == [1]
    assert found.area.tolist() == [25]
    assert found.overlapped.tolist() == [0]


def test_without_masks_boxes_are_measured():
    dataset = Drawn([(SIZE, [rectangle(SIZE, 5, 5, 5, 8)] * 2, [0, 0])])
    boxes = dataset.instances(0).replace(masks=None)
    dataset.instances = lambda _: boxes
    dataset.areas = lambda _: np.array([40.0, 40.0])
    found = measure(dataset)
    assert found.area.tolist() == [40, 40]
    assert found.iou.tolist() == [1, 1]
    assert found.parts.tolist() == [1, 1]


def test_positions_of_the_lower_right_quarter():
    for size in ((64, 96), (33, 50), (7, 9)):
        corner = np.zeros(size, bool)
        corner[size[0] // 2 :, size[1] // 2 :] = True
        grid = of([corner, corner], size=size).positions
        assert grid.shape == (GRID, GRID)
        np.testing.assert_allclose(grid.mean(), 2 * corner.mean())
        assert grid[: GRID // 2 - 4].sum() == 0
        assert grid[:, : GRID // 2 - 4].sum() == 0
    size = (41, 50)
    finer = np.kron(rectangle(size, 7, 5, 30, 25), np.ones((GRID, GRID)))  # 41 x 50 a cell
    grid = finer.reshape(GRID, 41, GRID, 50).mean(axis=(1, 3))
    np.testing.assert_allclose(of([rectangle(size, 7, 5, 30, 25)], size=size).positions, grid)
    exact = of([rectangle((64, 96), 48, 32, 48, 32)], size=(64, 96)).positions
    np.testing.assert_allclose(exact[16:, 16:], 1)


blobs = st.lists(
    st.tuples(
        st.integers(-3, 18),
        st.integers(-3, 14),
        st.integers(1, 9),
        st.integers(1, 9),
        st.booleans(),
    ),
    max_size=6,
)


def drawn(blob, size):
    x, y, w, h, round_ = blob
    ys, xs = np.mgrid[: size[0], : size[1]]
    if round_:
        return ((xs - x) / w) ** 2 + ((ys - y) / h) ** 2 <= 1
    return (abs(xs - x) < w) & (abs(ys - y) < h)


@settings(deadline=None)
@given(blobs)
def test_equals_brute_force(blobs):
    size = (14, 18)
    bitmaps = [bitmap for blob in blobs if (bitmap := drawn(blob, size)).any()]
    found = of(bitmaps, size=size)
    for i, own in enumerate(bitmaps):
        others = [b for k, b in enumerate(bitmaps) if k != i]
        covered = np.any(others, axis=0) if others else np.zeros(size, bool)
        assert found.overlapped[i] == pytest.approx(own[covered].sum() / own.sum())
        outline = own & ~ndimage.binary_erosion(own, CROSS, border_value=0)
        near = ndimage.binary_dilation(covered, CROSS)
        assert found.touching[i] == pytest.approx((outline & near).sum() / outline.sum())
        assert found.parts[i] == ndimage.label(own, np.ones((3, 3)))[1]
        assert found.holes[i] == ndimage.label(~np.pad(own, 1), CROSS)[1] - 1


@settings(deadline=None, max_examples=30)
@given(blobs)
def test_neighbours_equal_brute_force(blobs):
    size = (14, 18)
    bitmaps = [bitmap for blob in blobs if (bitmap := drawn(blob, size)).any()]
    found = of(bitmaps, size=size)
    boxes = [
        (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        for ys, xs in (np.nonzero(b) for b in bitmaps)
    ]
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        ious, distances = [0.0], [np.inf]
        for k, (u0, v0, u1, v1) in enumerate(boxes):
            if k == i:
                continue
            common = max(min(x1, u1) - max(x0, u0), 0) * max(min(y1, v1) - max(y0, v0), 0)
            union = (x1 - x0) * (y1 - y0) + (u1 - u0) * (v1 - v0) - common
            ious.append(common / union)
            away = np.hypot((x0 + x1 - u0 - u1) / 2, (y0 + y1 - v0 - v1) / 2)
            distances.append(away * 2 / (bitmaps[i].sum() ** 0.5 + bitmaps[k].sum() ** 0.5))
        assert found.iou[i] == pytest.approx(max(ious))
        assert found.distance[i] == pytest.approx(min(distances))


def test_many_objects_are_compared_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    bitmaps = [rectangle(SIZE, *rng.integers(0, 30, 2).tolist(), 6, 5) for _ in range(20)]
    whole = of(bitmaps)
    monkeypatch.setattr("delineate.quality.measures._ROWS", 7)
    monkeypatch.setattr("delineate.quality.measures._CROPS", 2)
    for name in ("iou", "distance", "overlapped", "touching"):
        np.testing.assert_array_equal(getattr(of(bitmaps), name), getattr(whole, name))


def test_joined_measures_are_those_of_the_joined_set():
    rng = np.random.default_rng(1)
    scenes = [
        (SIZE, [rectangle(SIZE, *rng.integers(0, 30, 2).tolist(), 6, 5) for _ in range(n)], [0] * n)
        for n in (2, 0, 3, 1)
    ]
    joined = Measures.cat([measure(Drawn(scenes[:1])), measure(Drawn(scenes[1:]))])
    whole = measure(Drawn(scenes))
    for name in Measures.__slots__:
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert joined.image.tolist() == [0, 0, 2, 2, 2, 3]


def test_real_nuclei_touch_and_do_not_overlap(shared_data):
    found = measure(open_splits(shared_data / "nuclei_dsb2018" / "mini_val.json")["train"])
    assert found.overlapped.max() < 0.01
    assert 0.1 < (found.touching > 0).mean() < 0.6


@pytest.mark.parametrize("size", [(8, 8), (5, 90), (33, 64)])
def test_a_full_mask_covers_every_cell_once(size):
    np.testing.assert_allclose(of([np.ones(size, bool)], size=size).positions, 1)
