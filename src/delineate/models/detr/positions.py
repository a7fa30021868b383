"""Where a cell of a feature map lies, as sines and cosines, and which cells are padding."""

import math

import torch
from torch import Tensor

TEMPERATURE = 10_000
_EPS = 1e-6


def valid_cells(sizes: Tensor, padded: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Return which cells of a feature map belong to their image: ``(b, h, w)`` bool.

    A cell is judged by its upper left pixel, as nearest neighbours choose it.

    Args:
        sizes: ``(b, 2)`` valid height and width.
        padded: (height, width) of the network's input.
        grid: (h, w) of the feature map.
    """
    rows, columns = (
        (torch.arange(cells, device=sizes.device) * (side / cells)).floor() < sizes[:, axis, None]
        for axis, (cells, side) in enumerate(zip(grid, padded, strict=True))
    )
    return rows[:, :, None] & columns[:, None, :]


def sine_positions(valid: Tensor, channels: int) -> Tensor:
    """Encode rows in the first half of the channels and columns in the second.

    Cells are counted from 1 within the valid part and scaled to 2 pi at its end, so that images of
    any size share one code (the normalised variant of the paper).

    Args:
        valid: ``(b, h, w)`` bool.
        channels: A multiple of 4.

    Returns:
        ``(b, channels, h, w)`` float32.
    """
    halves = []
    steps = torch.arange(channels // 4, dtype=torch.float32, device=valid.device)
    wavelengths = TEMPERATURE ** (4 * steps / channels)
    for axis in (1, 2):
        place = valid.cumsum(dim=axis, dtype=torch.float32)
        last = place.narrow(axis, place.shape[axis] - 1, 1)
        place = place / (last + _EPS) * (2 * math.pi)
        angle = place[..., None] / wavelengths
        halves.append(torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2))
    return torch.cat(halves, dim=-1).permute(0, 3, 1, 2)
