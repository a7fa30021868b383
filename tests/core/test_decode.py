"""Pasting masks: by hand, against torchvision live and detectron2's records, hostile boxes."""

import numpy as np
import pytest

from delineate.core.decode import paste
from delineate.errors import DataError

RULES = ["integer", "half_pixel"]


def pasted(masks, boxes, size, **options):
    options = {"rule": "half_pixel", **options}
    result = paste(np.asarray(masks, np.float32), np.asarray(boxes, np.float32), size, **options)
    assert result.size == size
    return result.to_dense()


def smooth_masks(rng, n, m=28):
    """Blobs with wobbling outlines, several parts and holes, in 0..1."""
    y, x = np.mgrid[:m, :m] / m - 0.5
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    phase, lobes = rng.uniform(0, 6, (n, 1, 1)), rng.integers(1, 6, (n, 1, 1))
    edge = 0.35 + 0.15 * np.sin(phase + lobes * angle)
    ring = np.abs(radius - edge) - rng.uniform(0.05, 0.5, (n, 1, 1))
    noise = rng.normal(0, 0.3, (n, m, m))
    return (1 / (1 + np.exp(20 * ring + noise))).astype(np.float32)


def boxes_in(rng, n, size, outside=0.0):
    """Boxes of all sizes; `outside` is the share of the image by which they may leave it."""
    height, width = size
    sides = np.exp(rng.uniform(np.log(0.6), 0, (n, 2)) * rng.choice([1, 4, 8], (n, 1)))
    sides *= [width, height]
    corner = rng.uniform(-outside, 1, (n, 2)) * [width, height] - outside * sides
    corner = np.maximum(np.minimum(corner, [width, height] - sides * (1 - outside)), -sides)
    return np.concatenate([corner, corner + sides], axis=1).astype(np.float32)


def compare(ours, theirs, allowed):
    """Every IoU is at least 0.999 (or one pixel of a tiny mask), few pixels differ in all."""
    different = (ours != theirs).sum(axis=(1, 2))
    union = (ours | theirs).sum(axis=(1, 2))
    assert (different <= np.maximum(union * 1e-3, 1)).all()
    assert different.sum() <= allowed * max(union.sum(), 1)


# -- by hand -----------------------------------------------------------------------------------


@pytest.mark.parametrize("zoom", [1, 2])
def test_half_pixel_covers_the_box_exactly(zoom):
    # 1: each cell is one pixel. 2: the outermost centres reach 0.75, in the corners 0.75 squared.
    checks = np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 1], [1, 0, 0, 1]]) > 0
    mask = checks if zoom == 1 else np.ones((4, 4), bool)
    box = [[3, 2, 3 + 4 * zoom, 2 + 4 * zoom]]
    result = pasted(mask[None], box, (12, 14), rule="half_pixel")[0]
    expected = np.zeros((12, 14), bool)
    expected[2 : 2 + 4 * zoom, 3 : 3 + 4 * zoom] = mask.repeat(zoom, 0).repeat(zoom, 1)
    np.testing.assert_array_equal(result, expected)


def test_half_pixel_includes_a_centre_just_at_the_threshold():
    # The box ends at pixel centres: there the stretched mask is exactly 0.5.
    result = pasted(np.ones((1, 4, 4)), [[2.5, 1.5, 6.5, 3.5]], (5, 8), rule="half_pixel")
    assert np.flatnonzero(result[0].any(axis=0)).tolist() == [2, 3, 4, 5, 6]
    assert np.flatnonzero(result[0].any(axis=1)).tolist() == [1, 2, 3]


def test_integer_cuts_the_grown_box_to_whole_pixels_and_includes_the_last():
    # m = 2: the box 4..8 grows to 2..10, and 9 pixels from 2 to 10 hold 4 cells 0 1 1 0. Pixel d
    # lies at (d + 0.5) * 4 / 9 - 0.5 cells: over one half from d = 2 (0.61) to d = 6 (2.39); in
    # the corners of that square both directions are at 0.61, and 0.61 squared is below.
    result = pasted(np.ones((1, 2, 2)), [[4, 4, 8, 8]], (12, 12), rule="integer")
    expected = np.zeros((12, 12), bool)
    expected[4:9, 4:9] = True
    expected[[4, 4, 8, 8], [4, 8, 4, 8]] = False
    np.testing.assert_array_equal(result[0], expected)


def test_integer_excludes_a_plateau_just_at_the_threshold():
    half = np.full((1, 4, 4), 0.5)
    assert not pasted(half, [[2, 2, 9, 9]], (12, 12), rule="integer").any()
    assert pasted(half, [[2, 2, 10, 10]], (12, 12), rule="half_pixel").any()


def test_rows_are_rows_and_columns_are_columns():
    mask = np.zeros((1, 4, 4))
    mask[0, 0, :] = 1  # the top
    result = pasted(mask, [[10, 20, 18, 28]], (40, 60), rule="half_pixel")[0]
    y, x = np.nonzero(result)
    assert (x.min(), x.max(), y.min(), y.max()) == (10, 17, 20, 21)


def test_holes_and_parts_survive():
    mask = np.ones((1, 8, 8))
    mask[0, 3:5, 3:5] = 0
    mask[0, :, 6] = 0
    result = pasted(mask, [[0, 0, 64, 64]], (64, 64), rule="half_pixel")[0]
    assert not result[32, 32]
    assert not result[:, 52].any()
    assert result[32, 10]
    assert result[32, 60]


@pytest.mark.parametrize("rule", RULES)
def test_a_mask_over_the_whole_image_is_one_run(rule):
    masks = paste(np.ones((1, 4, 4), np.float32), [[-8, -8, 28, 18]], (10, 20), rule=rule)
    assert masks.runs[0].tolist() == [0, 200]


@pytest.mark.parametrize("rule", RULES)
def test_no_masks(rule):
    result = paste(np.zeros((0, 28, 28), np.float32), np.zeros((0, 4)), (10, 20), rule=rule)
    assert (len(result), result.size) == (0, (10, 20))


@pytest.mark.parametrize("rule", RULES)
def test_an_image_of_one_pixel(rule):
    result = pasted(np.ones((2, 28, 28)), [[0, 0, 1, 1], [5, 5, 6, 6]], (1, 1), rule=rule)
    assert result[:, 0, 0].tolist() == [True, False]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "box",
    [[-50, 2, -40, 8], [100, 2, 120, 8], [2, -30, 8, -20], [2, 99, 8, 120], [8, 8, 2, 2]],
    ids=["left", "right", "above", "below", "inside out"],
)
def test_boxes_that_hold_nothing_of_the_image_give_empty_masks(rule, box):
    assert not pasted(np.ones((1, 28, 28)), [box], (20, 30), rule=rule).any()


def test_a_box_without_width_is_empty_under_half_pixel_and_a_pixel_under_integer():
    ones, box = np.ones((1, 28, 28)), [[5, 6, 5, 6]]
    assert pasted(ones, box, (20, 30), rule="half_pixel").sum() == 0
    assert np.argwhere(pasted(ones, box, (20, 30), rule="integer")[0]).tolist() == [[6, 5]]


@pytest.mark.parametrize("rule", RULES)
def test_enormous_boxes_cost_no_more_than_the_image(rule):
    big = 1e8
    result = pasted(np.ones((1, 28, 28)), [[-big, -big, big, big]], (30, 40), rule=rule)
    assert result.all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("number", [np.nan, np.inf, 3e38])
def test_numbers_of_a_diverged_network_are_refused(rule, number):
    ones, box = np.ones((1, 28, 28), np.float32), np.array([[0, 0, 9, 9]], np.float32)
    with pytest.raises(DataError, match="must be finite"):
        paste(ones, np.where(box > 0, number, 0), (20, 30), rule=rule)
    if not np.isfinite(number):
        with pytest.raises(DataError, match="must be finite"):
            paste(ones * number, box, (20, 30), rule=rule)


@pytest.mark.parametrize(
    ("masks", "boxes", "threshold"),
    [
        ((1, 28, 28), (2, 4), 0.5),
        ((1, 28, 14), (1, 4), 0.5),
        ((28, 28), (28, 4), 0.5),
        ((1, 0, 0), (1, 4), 0.5),
        ((1, 28, 28), (1, 4), 0),
    ],
    ids=["count", "not square", "not 3 axes", "no cells", "threshold"],
)
def test_what_does_not_fit_is_refused(masks, boxes, threshold):
    with pytest.raises(DataError, match="pass one box for each mask"):
        paste(np.zeros(masks), np.zeros(boxes), (20, 30), threshold=threshold, rule="integer")


def test_many_masks_are_solved_in_parts_with_the_same_result():
    rng = np.random.default_rng(3)
    masks, boxes = smooth_masks(rng, 60), boxes_in(rng, 60, (300, 2000))
    together = paste(masks, boxes, (300, 2000), rule="half_pixel")
    for i in (0, 17, 59):
        alone = paste(masks[i : i + 1], boxes[i : i + 1], (300, 2000), rule="half_pixel")
        np.testing.assert_array_equal(together.runs[i], alone.runs[0])


# -- against the originals -----------------------------------------------------------------------


def test_half_pixel_equals_detectron2(goldens):
    record = np.load(goldens / "units.npz")
    shape = tuple(record["d2.pasted.shape"])
    theirs = np.unpackbits(record["d2.pasted.packed"])[: np.prod(shape)].reshape(shape) > 0
    size = tuple(record["d2.image_hw"].tolist())
    ours = pasted(record["d2.masks28"], record["d2.boxes"], size, rule="half_pixel")
    assert theirs.sum() > 9_000
    compare(ours, theirs, allowed=0)


def torchvision_paste(masks, boxes, size, threshold):
    torch = pytest.importorskip("torch")
    roi_heads = pytest.importorskip("torchvision.models.detection.roi_heads")
    soft = roi_heads.paste_masks_in_image(torch.tensor(masks)[:, None], torch.tensor(boxes), size)
    return soft[:, 0].numpy() > threshold


@pytest.mark.parametrize("m", [7, 28])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_integer_equals_torchvision(m, threshold):
    rng = np.random.default_rng(m)
    size = (120, 167)
    masks, boxes = smooth_masks(rng, 80, m), boxes_in(rng, 80, size)
    theirs = torchvision_paste(masks, boxes, size, threshold)
    assert theirs.any(axis=(1, 2)).mean() > 0.5
    compare(pasted(masks, boxes, size, rule="integer", threshold=threshold), theirs, 1e-5)


def test_integer_equals_torchvision_on_tiny_and_border_boxes():
    rng = np.random.default_rng(1)
    size = (40, 50)
    corner = rng.uniform(0, [49, 39], (200, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 4, (200, 2))], axis=1)
    boxes = np.minimum(boxes, [50, 40, 50, 40]).astype(np.float32)
    masks = rng.random((200, 28, 28), dtype=np.float32)  # noise: many parts within a pixel
    theirs = torchvision_paste(masks, boxes, size, 0.5)
    compare(pasted(masks, boxes, size, rule="integer"), theirs, 1e-3)


def test_integer_equals_torchvision_where_boxes_leave_the_image():
    rng = np.random.default_rng(2)
    size = (90, 130)
    masks, boxes = smooth_masks(rng, 60), boxes_in(rng, 60, size, outside=0.3)
    reaches = (boxes[:, 2:] > 1).all(axis=1) & (boxes[:, :2] < [129, 89]).all(axis=1)
    assert (boxes < 0).any()
    masks, boxes = masks[reaches], boxes[reaches]
    theirs = torchvision_paste(masks, boxes, size, 0.5)
    compare(pasted(masks, boxes, size, rule="integer"), theirs, 1e-5)


def detectron2_paste(masks, boxes, size, threshold):
    """detectron2's rule written out with torch, for more cases than were recorded."""
    torch = pytest.importorskip("torch")
    height, width = size
    x0, y0, x1, y1 = torch.tensor(boxes)[:, :, None].unbind(1)
    x = (torch.arange(width) + 0.5 - x0) / (x1 - x0) * 2 - 1
    y = (torch.arange(height) + 0.5 - y0) / (y1 - y0) * 2 - 1
    n = len(boxes)
    grid = torch.stack(
        [x[:, None].expand(n, height, width), y[:, :, None].expand(n, height, width)], dim=3
    )
    sample = torch.nn.functional.grid_sample
    soft = sample(torch.tensor(masks)[:, None], grid, align_corners=False)
    return soft[:, 0].numpy() >= threshold


@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_half_pixel_equals_grid_sample(threshold):
    rng = np.random.default_rng(4)
    size = (120, 167)
    masks, boxes = smooth_masks(rng, 80), boxes_in(rng, 80, size, outside=0.2)
    theirs = detectron2_paste(masks, boxes, size, threshold)
    assert theirs.any(axis=(1, 2)).mean() > 0.5
    compare(pasted(masks, boxes, size, rule="half_pixel", threshold=threshold), theirs, 1e-5)
