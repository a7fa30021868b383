"""Outlines joined to one, against the masks that they enclose."""

import itertools

import numpy as np

from delineate.core.bridges import bridged
from delineate.core.masks import Masks


def test_any_mask_is_one_outline():
    rng = np.random.default_rng(0)
    for _ in range(100):
        size = tuple(rng.integers(1, 40, 2).tolist())
        masks = Masks.from_bitmaps([rng.random(size) < rng.uniform(0.05, 1)], size)
        if masks.areas[0]:
            outline = bridged(masks.polygons(0))
            again = Masks.from_coco([[outline.ravel().tolist()]], size)
            assert again.to_coco() == masks.to_coco()


def test_bridges_are_short():
    bitmap = np.zeros((40, 60), bool)
    bitmap[2:12, 2:12] = bitmap[15:25, 16:26] = bitmap[29:39, 29:39] = True
    outline = bridged(Masks.from_bitmaps([bitmap], (40, 60)).polygons(0)).tolist()
    steps = {(tuple(a), tuple(b)) for a, b in itertools.pairwise(outline)}
    bridges = {(a, b) for a, b in steps if (b, a) in steps and a < b}
    assert bridges == {((12, 12), (16, 15)), ((26, 25), (29, 29))}


def test_one_outline_stays_as_it_is():
    square = np.array([[1, 1], [5, 1], [5, 4], [1, 4]], np.float32)
    np.testing.assert_array_equal(bridged([square]), square)
