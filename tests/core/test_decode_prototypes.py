"""Masks of prototypes, against the plain way: whole maps, enlarged, compared with one half."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from delineate.core.decode_prototypes import assemble
from delineate.errors import DataError

K, ROWS, COLUMNS = 4, 9, 12


def plain(prototypes, coefficients, boxes, size, reach):
    """Sum, squash, cut and enlarge whole maps to `reach`, then keep `size` of it."""
    masks = torch.einsum(
        "nk,khw->nhw", torch.from_numpy(coefficients), torch.from_numpy(prototypes)
    )
    masks = masks.sigmoid()
    x, y = np.arange(COLUMNS), np.arange(ROWS)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[:, (x < min(x0, x1) - 1) | (x >= max(x0, x1) + 1)] = 0
        mask[(y < min(y0, y1) - 1) | (y >= max(y0, y1) + 1)] = 0
    large = F.interpolate(masks[None], reach, mode="bilinear", align_corners=False)[0]
    return (large > 0.5).numpy()[:, : size[0], : size[1]]


def some(count, seed=0):
    rng = np.random.default_rng(seed)
    prototypes = rng.standard_normal((K, ROWS, COLUMNS)).clip(0).astype(np.float32)
    coefficients = np.tanh(3 * rng.standard_normal((count, K))).astype(np.float32)
    corner = rng.uniform(-3, 10, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 6, (count, 2))], axis=1)
    return prototypes, coefficients, boxes.astype(np.float32)


@pytest.mark.parametrize("size", [(90, 120), (41, 77), (9, 12), (5, 7), (300, 13)])
def test_equals_the_plain_way(size):
    prototypes, coefficients, boxes = some(60)
    cell = (size[0] / ROWS, size[1] / COLUMNS)
    found = assemble(prototypes, coefficients, boxes, size, cell=cell).to_dense()
    expected = plain(prototypes, coefficients, boxes, size, size)
    assert 0 < expected.sum() < expected.size
    assert (found != expected).sum() <= 2  # sums that are one half but for rounding


def test_prototypes_reach_further_than_a_padded_image():
    prototypes, coefficients, boxes = some(40, seed=1)
    found = assemble(prototypes, coefficients, boxes, (50, 81), cell=(8, 8)).to_dense()
    expected = plain(prototypes, coefficients, boxes, (50, 81), (8 * ROWS, 8 * COLUMNS))
    assert (found != expected).sum() <= 2


def test_a_mask_bleeds_over_its_box_by_a_cell():
    prototypes = np.full((1, ROWS, COLUMNS), 20, dtype=np.float32)
    masks = assemble(prototypes, np.ones((1, 1)), [[4, 3, 6, 5]], (90, 120), cell=(10, 10))
    # Cells 3 to 6 and 2 to 5 are kept; half a cell further the line falls below one half.
    assert masks.boxes().tolist() == [[30, 20, 70, 60]]


def test_a_box_turned_inside_out_is_turned_back():
    prototypes, coefficients, _ = some(1)
    both = [
        assemble(prototypes, coefficients, [box], (90, 120), cell=(10, 10)).runs[0].tolist()
        for box in ([2, 1, 9, 7], [9, 7, 2, 1])
    ]
    assert both[0] == both[1]


def test_boxes_outside_and_no_boxes():
    prototypes = np.full((1, ROWS, COLUMNS), 9, dtype=np.float32)
    outside = [[-9, 1, -5, 5], [20, 1, 30, 5], [3, 30, 5, 40]]
    masks = assemble(prototypes, np.ones((3, 1)), outside, (90, 120), cell=(10, 10))
    assert masks.areas.tolist() == [0, 0, 0]
    none = assemble(prototypes, np.zeros((0, 1)), np.zeros((0, 4)), (90, 120), cell=(10, 10))
    assert len(none) == 0


@pytest.mark.parametrize(
    ("prototypes", "coefficients", "boxes", "message"),
    [
        (np.ones((2, 3)), np.ones((1, 2)), np.ones((1, 4)), "assembling takes"),
        (np.ones((2, 3, 3)), np.ones((1, 3)), np.ones((1, 4)), "assembling takes"),
        (np.ones((2, 3, 3)), np.ones((2, 2)), np.ones((1, 4)), "assembling takes"),
        (np.full((1, 3, 3), np.nan), np.ones((1, 1)), np.ones((1, 4)), "finite"),
        (np.ones((1, 3, 3)), np.full((1, 1), np.inf), np.ones((1, 4)), "finite"),
    ],
)
def test_what_does_not_fit(prototypes, coefficients, boxes, message):
    with pytest.raises(DataError, match=message):
        assemble(prototypes, coefficients, boxes, (30, 30), cell=(10, 10))
