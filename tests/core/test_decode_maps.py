"""Maps of logits to masks, against the original's steps taken one after the other by torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from delineate.core.decode_maps import decode_maps
from delineate.errors import DataError


def smooth(n: int, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    random = torch.Generator().manual_seed(seed)
    coarse = torch.randn(n, 1, 5, 6, generator=random)
    return F.interpolate(coarse, size=size, mode="bicubic")[:, 0].numpy()


def original(maps, padded, valid, size):
    """What DETR's PostProcessSegm does."""
    whole = F.interpolate(torch.from_numpy(maps)[:, None], size=padded, mode="bilinear")
    masks = (whole.sigmoid() > 0.5)[:, :, : valid[0], : valid[1]]
    return F.interpolate(masks.float(), size=size, mode="nearest")[:, 0].bool().numpy()


@pytest.mark.parametrize(
    ("padded", "valid", "size"),
    [
        ((96, 128), (96, 128), (96, 128)),
        ((97, 131), (90, 120), (200, 270)),  # enlarged, padded, odd
        ((97, 131), (61, 131), (33, 47)),  # shrunk
        ((800, 1066), (800, 1066), (480, 640)),
        ((64, 64), (1, 64), (1, 500)),
    ],
)
def test_equals_torch(padded, valid, size):
    grid = tuple(-(-side // 4) for side in padded)
    maps = smooth(12, grid)
    expected = original(maps, padded, valid, size)
    found = decode_maps(maps, padded=padded, valid=valid, size=size).to_dense()
    assert 0.2 < expected.mean() < 0.8
    assert (found != expected).sum() <= 2  # logits within rounding of 0


def test_objects_of_every_size_and_place():
    grid, padded, size = (24, 32), (96, 128), (150, 200)
    maps = np.full((60, *grid), -1.0, np.float32)
    random = np.random.default_rng(0)
    for level in maps:
        y, x = (int(random.integers(0, side)) for side in grid)
        height, width = random.integers(1, 9, 2)
        level[y : y + height, x : x + width] = random.uniform(0.01, 5)
    valid = (80, 100)
    found = decode_maps(maps, padded=padded, valid=valid, size=size)
    assert np.array_equal(found.to_dense(), original(maps, padded, valid, size))
    assert 0 < sum(area == 0 for area in found.areas) < 30  # some lie in the padding


def test_nothing_and_everything():
    maps = np.stack([np.full((6, 8), value, np.float32) for value in (-1, 0, 1)])
    found = decode_maps(maps, padded=(24, 32), valid=(20, 30), size=(40, 60))
    assert found.areas.tolist() == [0, 0, 2400]
    assert len(decode_maps(maps[:0], padded=(24, 32), valid=(20, 30), size=(40, 60))) == 0


@pytest.mark.parametrize(
    ("maps", "valid", "words"),
    [
        (np.zeros((1, 6)), (20, 30), "must be"),
        (np.zeros((1, 6, 8)), (25, 30), "at least as large"),
        (np.full((1, 6, 8), np.nan), (20, 30), "finite"),
    ],
)
def test_what_cannot_be_decoded_is_one_sentence(maps, valid, words):
    with pytest.raises(DataError, match=words):
        decode_maps(maps, padded=(24, 32), valid=valid, size=(40, 60))
