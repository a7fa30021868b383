"""YOLACT's anchors: boxes of a few sizes and shapes around the centre of every cell."""

from collections.abc import Sequence

import torch
from torch import Tensor

from delineate.models.yolact.config import YolactConfig


def cell_priors(config: YolactConfig) -> Tensor:
    """Return the anchors of each level around (0, 0): ``(levels, anchors, 4)``, size by size.

    With `square_anchors` the height follows the width, whatever the ratio.
    """
    stretch = torch.tensor(config.anchor_ratios, dtype=torch.float32).sqrt()
    sizes = torch.tensor(config.anchor_sizes, dtype=torch.float32)[:, :, None]
    width = (sizes * stretch).flatten(1)
    height = width if config.square_anchors else (sizes / stretch).flatten(1)
    return torch.stack([-width, -height, width, height], dim=-1) / 2


def place_priors(
    cells: Tensor, grids: Sequence[tuple[int, int]], steps: Sequence[tuple[float, float]]
) -> Tensor:
    """Repeat the anchors in every cell of every level: ``(n, 4)`` xyxy, row by row.

    Args:
        cells: Result of `cell_priors`.
        grids: (h, w) of the map of each level.
        steps: Pixels between the rows and between the columns of each.
    """
    placed = []
    for around, (rows, columns), (step_y, step_x) in zip(cells, grids, steps, strict=True):
        y = (torch.arange(rows, device=cells.device) + 0.5) * step_y
        x = (torch.arange(columns, device=cells.device) + 0.5) * step_x
        y, x = torch.meshgrid(y, x, indexing="ij")
        centres = torch.stack([x, y, x, y], dim=-1)
        placed.append((centres[:, :, None] + around).flatten(0, 2))
    return torch.cat(placed)
