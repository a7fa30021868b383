"""Maps of logits in windows: the same masks as torch's bilinear resize of the whole map."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from delineate.core.decode_logits import draw_logits
from delineate.core.geometry import Geometry


def flat(maps):
    areas = np.array([m.size for m in maps])
    return np.concatenate([m.ravel() for m in maps]), areas.cumsum() - areas


@pytest.mark.parametrize("size", [(64, 96), (48, 60), (31, 47), (100, 200)])
def test_equals_the_resized_map(size):
    """A window that holds the whole map: the resize is torch's, half-pixel centres."""
    maps = torch.randn(3, 16, 24, generator=torch.Generator().manual_seed(0))
    geometry = Geometry.resize(size, (64, 96))
    logits, starts = flat(list(maps.numpy()))
    windows = np.array([[0, 0, 24, 16]] * 3)
    masks = draw_logits(logits, starts, windows, geometry, stride=4)
    expected = F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0] > 0
    assert (masks.to_dense() == expected.numpy()).mean() > 0.9999  # rounding at 0


def test_window_lies_where_it_says_and_ends_there():
    geometry = Geometry.identity((32, 40))
    logits, starts = flat([np.ones((2, 3), np.float32), -np.ones((1, 1), np.float32)])
    windows = np.array([[5, 1, 8, 3], [0, 0, 1, 1]])
    dense = draw_logits(logits, starts, windows, geometry, stride=4).to_dense()
    expected = np.zeros((32, 40), bool)
    expected[4:12, 20:32] = True
    assert (dense[0] == expected).all()
    assert not dense[1].any()


def test_the_edge_is_interpolated_between_cells():
    """-1 and 3 in neighbouring cells of 4 pixels: 0 is passed a quarter of the way, at pixel 3."""
    logits = np.array([-1.0, 3.0], np.float32)
    masks = draw_logits(
        logits, np.array([0]), np.array([[0, 0, 2, 1]]), Geometry.identity((4, 8)), stride=4
    )
    assert masks.to_dense()[0][0].tolist() == [False] * 3 + [True] * 5


def test_no_maps():
    none = np.zeros(0)
    masks = draw_logits(
        none, none.astype(int), np.zeros((0, 4), int), Geometry.identity((4, 4)), stride=4
    )
    assert len(masks) == 0
