"""True masks, kept around their objects only, on the grid on which a network predicts them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def masks_at_stride(
    crops: Sequence[Tensor], origins: Tensor, size: tuple[int, int], *, stride: int
) -> Tensor:
    """Return which share of each cell every mask covers: ``(n, h / stride, w / stride)`` float32.

    Args:
        crops: uint8 0/1 ``(h_i, w_i)`` of each object; outside there is background.
        origins: ``(n, 2)`` int64 (x0, y0) of each crop in the image.
        size: (height, width) of the network's input; divided by the stride it is rounded up.
        stride: Side of a cell in pixels; 1 gives the masks themselves.
    """
    rows, columns = (-(-side // stride) for side in size)
    covered = torch.zeros((len(crops), rows, columns), device=origins.device)
    for plane, crop, (x0, y0) in zip(covered, crops, origins.tolist(), strict=True):
        left, top = x0 % stride, y0 % stride
        height, width = crop.shape
        padding = (left, -(left + width) % stride, top, -(top + height) % stride)
        cells = F.avg_pool2d(F.pad(crop.float(), padding)[None], stride)[0]
        y, x = y0 // stride, x0 // stride
        plane[y : y + cells.shape[0], x : x + cells.shape[1]] = cells
    return covered
