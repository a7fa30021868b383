"""True masks on coarser grids, against pooling the whole mask."""

import pytest
import torch
import torch.nn.functional as F

from delineate.ops.masks import masks_at_stride, masks_on_grid


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(32, 48), (33, 45)])
def test_equals_pooling_the_whole_mask(size, stride):
    random = torch.Generator().manual_seed(0)
    places = [(0, 0, 5, 7), (20, 11, 13, 9), (size[1] - 6, size[0] - 3, 3, 6), (7, 2, 1, 1)]
    whole = torch.zeros(len(places), *size)
    crops = []
    for mask, (x, y, height, width) in zip(whole, places, strict=True):
        crop = torch.randint(0, 2, (height, width), generator=random, dtype=torch.uint8)
        mask[y : y + height, x : x + width] = crop
        crops.append(crop)
    origins = torch.tensor([place[:2] for place in places])
    padded = F.pad(whole, (0, -size[1] % stride, 0, -size[0] % stride))
    expected = F.avg_pool2d(padded, stride)
    assert torch.equal(masks_at_stride(crops, origins, size, stride=stride), expected)


def test_no_masks():
    found = masks_at_stride([], torch.zeros((0, 2), dtype=torch.int64), (33, 45), stride=4)
    assert found.shape == (0, 9, 12)


@pytest.mark.parametrize("grid", [(33, 45), (9, 12), (16, 5), (70, 100)])
def test_equals_resizing_the_whole_mask(grid):
    random = torch.Generator().manual_seed(0)
    size = (33, 45)
    places = [(0, 0, 5, 7), (20, 11, 13, 9), (42, 30, 3, 3), (7, 2, 1, 1), (0, 0, 33, 45)]
    whole = torch.zeros(len(places), *size)
    crops, origins = [], []
    for mask, (x, y, height, width) in zip(whole, places, strict=True):
        mask[y : y + height, x : x + width] = torch.randint(0, 2, (height, width), generator=random)
        left, top, right, bottom = max(x - 1, 0), max(y - 1, 0), x + width + 1, y + height + 1
        crops.append(mask[top:bottom, left:right].to(torch.uint8))
        origins.append((left, top))
    expected = F.interpolate(whole[None], grid, mode="bilinear", align_corners=False)[0]
    found = masks_on_grid(crops, torch.tensor(origins), size, grid)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
