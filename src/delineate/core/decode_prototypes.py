"""From prototypes and coefficients (YOLACT) to compact masks in the original image.

A mask is the sum of the prototypes, each times its coefficient, squashed to probabilities, cut off
around its box, enlarged bilinearly to the image and compared with one half. Nothing but the cells
in the box is ever summed, and the enlarged mask never exists: `delineate.core.decode.solve` finds
where it passes one half. Cutting comes first, so a mask fades over its box by up to a cell, as in
the original.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.decode import Axis, solve
from delineate.core.masks import Masks
from delineate.errors import DataError

_MARGIN = 1  # cells that a box is grown by before the mask is cut off
_BORDER = 2  # cells around the cut: the neighbours that fade into it, and zeros


def assemble(
    prototypes: npt.NDArray[np.floating[Any]],
    coefficients: npt.NDArray[np.floating[Any]],
    boxes: npt.ArrayLike,
    size: Size,
    *,
    cell: tuple[float, float],
) -> Masks:
    """Make masks of prototypes.

    Args:
        prototypes: ``(k, h, w)``; the upper left corner is that of the image.
        coefficients: ``(n, k)``.
        boxes: ``(n, 4)`` xyxy in cells of the prototypes. A box turned inside out is turned back.
        size: ``(height, width)`` of the image; prototypes may reach further.
        cell: Height and width of a cell, in pixels of the image.

    Raises:
        DataError: Shapes do not fit together, or a number is not finite.
    """
    planes = np.asarray(prototypes, dtype=np.float32)
    factors, edges = np.asarray(coefficients, np.float32), np.asarray(boxes, np.float32)
    n, k = len(edges), len(planes)
    if planes.ndim != 3 or not planes.size or factors.shape != (n, k) or edges.shape != (n, 4):
        raise DataError(
            "assembling takes (k, h, w) prototypes, (n, k) coefficients and (n, 4) boxes, and "
            f"{planes.shape}, {factors.shape} and {edges.shape} came: pass what one network gave."
        )
    if not all(np.isfinite(part).all() for part in (planes, factors, edges)):
        raise DataError(
            "masks are made of finite numbers, and others came: the network has diverged, or its "
            "input was not preprocessed as it expects."
        )
    low = np.minimum(edges[:, :2], edges[:, 2:]) - _MARGIN
    high = np.maximum(edges[:, :2], edges[:, 2:]) + _MARGIN
    limit = np.array([planes.shape[2], planes.shape[1]])
    first = np.ceil(low).clip(0, limit).astype(np.int64)  # cells c with low <= c < high
    last = np.ceil(high).clip(first, limit).astype(np.int64)
    planes = planes.transpose(0, 2, 1)  # masks are stored column by column
    return Masks(
        size,
        tuple(
            _mask(planes, factor, (x0, x1), (y0, y1), size, cell)
            for factor, (x0, y0), (x1, y1) in zip(
                factors, first.tolist(), last.tolist(), strict=True
            )
        ),
    )


def _mask(
    planes: npt.NDArray[np.float32],
    factors: npt.NDArray[np.float32],
    columns: tuple[int, int],
    rows: tuple[int, int],
    size: Size,
    cell: tuple[float, float],
) -> rle.Runs:
    """Return one mask: the cells of some columns and rows (first, last + 1), the rest zeros.

    Args:
        planes: ``(k, w, h)``, transposed prototypes.
        factors: ``(k,)``.
        columns: Where the mask is cut off along the width of the prototypes.
        rows: Where along their height.
        size: Of the image.
        cell: Height and width of a cell in pixels of the image.
    """
    part = planes[:, slice(*columns), slice(*rows)]
    if not part.size:
        return rle.from_turns(np.zeros(0, dtype=np.int64), size)
    sums = np.tensordot(factors, part, axes=1)
    grid = np.pad(0.5 + 0.5 * np.tanh(0.5 * sums), _BORDER)
    # Where the prototypes end, what is enlarged goes on as it is; elsewhere it fades into zeros.
    inner = slice(_BORDER, -_BORDER)
    if columns[0] == 0:
        grid[_BORDER - 1, inner] = grid[_BORDER, inner]
    if columns[1] == planes.shape[1]:
        grid[-_BORDER, inner] = grid[-_BORDER - 1, inner]
    if rows[0] == 0:
        grid[:, _BORDER - 1] = grid[:, _BORDER]
    if rows[1] == planes.shape[2]:
        grid[:, -_BORDER] = grid[:, -_BORDER - 1]
    x, y = _axis(columns, cell[1], size[1]), _axis(rows, cell[0], size[0])
    (turns,) = solve(grid[None], x, y, size, 0.5, strict=True)
    return rle.from_turns(turns, size)


def _axis(cells: tuple[int, int], side: float, end: int) -> Axis:
    """Place cells, and the border around them, along a side of the image that ends at `end`."""
    start, stop = (cells[0] - _BORDER) * side, (cells[1] + _BORDER) * side
    first = min(max(int(np.floor(start)), 0), end)
    last = min(max(int(np.ceil(stop)), first), end)
    numbers = (np.array([value]) for value in (start, side, first, last))
    return Axis(*numbers)
