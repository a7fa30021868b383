"""True masks, kept around their objects only, on the grid on which a network predicts them."""

import math
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


def masks_on_grid(
    crops: Sequence[Tensor], origins: Tensor, size: tuple[int, int], grid: tuple[int, int]
) -> Tensor:
    """Return every mask resized bilinearly to a grid: ``(n, rows, columns)`` float32 in 0..1.

    Equals ``F.interpolate(masks, grid, mode="bilinear", align_corners=False)`` of the dense masks,
    but reads only the crops and writes only the cells around them.

    Args:
        crops: uint8 0/1 ``(h_i, w_i)`` of each object, with at least one pixel of zeros around the
            object except where it touches the border of the image.
        origins: ``(n, 2)`` int64 (x0, y0) of each crop in the image.
        size: (height, width) of the network's input, padding included.
        grid: (rows, columns) of the result.
    """
    masks = torch.zeros((len(crops), *grid), device=origins.device)
    rows = _Axis(size[0], grid[0], origins.device)
    columns = _Axis(size[1], grid[1], origins.device)
    for plane, crop, (x0, y0) in zip(masks, crops, origins.tolist(), strict=True):
        height, width = crop.shape
        top, bottom, above, below, down = rows.part(y0, height)
        left, right, before, after, across = columns.part(x0, width)
        pixels = crop.float()
        wide = torch.lerp(pixels[:, before], pixels[:, after], across)
        plane[top:bottom, left:right] = torch.lerp(wide[above], wide[below], down[:, None])
    return masks


class _Axis:
    """Where the cells of a grid lie between the pixels of one side of an image."""

    def __init__(self, side: int, cells: int, device: torch.device) -> None:
        self.scale, self.cells = side / cells, cells
        place = (torch.arange(cells, device=device) + 0.5) * self.scale - 0.5
        place = place.clamp(0, side - 1)
        self.low = place.floor().to(torch.int64)
        self.high = (self.low + 1).clamp(max=side - 1)
        self.fraction = place - self.low

    def part(self, start: int, length: int) -> tuple[int, int, Tensor, Tensor, Tensor]:
        """Return the cells that a crop reaches, and the two of its pixels that each lies between.

        Outside itself a crop continues as its border: with zeros, or where the image ends.
        """
        first = min(max(math.floor((start - 0.5) / self.scale - 0.5), 0), self.cells)
        last = min(max(math.ceil((start + length + 0.5) / self.scale + 0.5), first), self.cells)
        low = (self.low[first:last] - start).clamp(0, length - 1)
        high = (self.high[first:last] - start).clamp(0, length - 1)
        return first, last, low, high, self.fraction[first:last]
