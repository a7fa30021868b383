"""From what a network gives out to compact masks in the original image.

A network that predicts masks in boxes leaves n small grids of probabilities. A pasted mask is such
a grid, stretched bilinearly over its box and cut at a threshold. Here it never exists as pixels:
along a column of the image the stretched grid is a chain of straight lines, so the rows where it
passes the threshold are solved for, and these are already the run lengths of the mask. Time and
memory grow with the width of the boxes, not with their area, and not with the image.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.masks import Masks
from delineate.errors import DataError

PasteRule = Literal["integer", "half_pixel"]
"""Where a network's masks lie in their boxes: a convention that belongs to its weights."""

_FAR = 1e9  # pixels from the corner of the image at which a box is an accident
_COLUMNS = 8192  # image columns solved at a time: bounds the memory, and fits a cache


def paste(
    masks: npt.NDArray[np.floating[Any]],
    boxes: npt.ArrayLike,
    size: Size,
    *,
    threshold: float = 0.5,
    rule: PasteRule,
) -> Masks:
    """Paste masks predicted in boxes into their image.

    Args:
        masks: ``(n, m, m)`` probabilities; row 0 is the top of the box.
        boxes: ``(n, 4)`` xyxy in pixels of the image; they may leave it. A box turned inside out
            gives an empty mask.
        size: ``(h, w)`` of the image.
        threshold: From where on a pixel is foreground; above 0.
        rule: ``"half_pixel"``: the grid covers the box exactly, and a pixel whose centre reaches
            the threshold is foreground (detectron2's ``paste_masks_in_image``). ``"integer"``: the
            box, grown by one cell on each side, is first cut to whole pixels, its last one
            included, and a pixel must exceed the threshold (torchvision's function of the same
            name, then ``> 0.5``). In both the grid is surrounded by zeros.

    Raises:
        DataError: Shapes do not fit together, or a box is not finite.
    """
    grids, edges = np.asarray(masks, dtype=np.float32), np.asarray(boxes, dtype=np.float32)
    n = len(grids)
    square = grids.ndim == 3 and grids.shape[1] == grids.shape[2] > 0
    if not (square and edges.shape == (n, 4) and threshold > 0):
        raise DataError(
            "pasting takes (n, m, m) masks, (n, 4) boxes and a threshold above 0, and "
            f"{grids.shape}, {edges.shape} and {threshold} came: pass one box for each mask."
        )
    if not (np.isfinite(grids).all() and (np.abs(edges) <= _FAR).all()):  # false for NaN
        raise DataError(
            f"masks to paste must be finite, and boxes within {_FAR:g} pixels, and other numbers "
            "came: the network has diverged, or its input was not preprocessed as it expects."
        )
    if not n:
        return Masks.empty(size)
    # Transposed, because masks are stored column by column.
    bordered = np.pad(grids.transpose(0, 2, 1), ((0, 0), (1, 1), (1, 1)))
    x = _lie(edges[:, 0], edges[:, 2], grids.shape[1], size[1], rule)
    y = _lie(edges[:, 1], edges[:, 3], grids.shape[1], size[0], rule)
    parts = -(-int((x.last - x.first).sum()) // _COLUMNS) or 1
    runs: list[rle.Runs] = []
    for part in np.array_split(np.arange(n), parts):
        strict = rule == "integer"
        turns = solve(bordered[part], x.of(part), y.of(part), size, threshold, strict=strict)
        runs.extend(rle.from_turns(t, size) for t in turns)
    return Masks(size, tuple(runs))


class Axis(NamedTuple):
    """How n grids lie along one axis of the image. Each array is ``(n,)``."""

    start: npt.NDArray[np.float64]  # where the border's cell begins, in pixels
    cell: npt.NDArray[np.float64]  # width of a cell, in pixels
    first: npt.NDArray[np.int64]  # pixels reached: from first to last - 1
    last: npt.NDArray[np.int64]

    def of(self, part: npt.NDArray[np.int64]) -> "Axis":
        """Return some of them."""
        return Axis(self.start[part], self.cell[part], self.first[part], self.last[part])


def _lie(
    low: npt.NDArray[Any], high: npt.NDArray[Any], cells: int, end: int, rule: PasteRule
) -> Axis:
    """Place grids of `cells` cells, and their border, between `low` and `high` by `rule`."""
    precision = np.float32 if rule == "integer" else np.float64  # torchvision's, before it cuts
    low, high = low.astype(precision), high.astype(precision)
    centre, half = (high + low) * 0.5, (high - low) * 0.5 * ((cells + 2) / cells)
    start, stop = (centre - half).astype(np.float64), (centre + half).astype(np.float64)
    if rule == "integer":
        start, stop = np.trunc(start), np.trunc(stop) + 1
    cell = np.where(stop > start, stop - start, 1) / (cells + 2)
    first = np.clip(np.floor(start), 0, end).astype(np.int64)
    last = np.clip(np.ceil(stop), first, end).astype(np.int64)
    return Axis(start, cell, first, last)


def solve(
    grids: npt.NDArray[np.float32], x: Axis, y: Axis, size: Size, threshold: float, *, strict: bool
) -> list[npt.NDArray[np.int64]]:
    """Return, for each mask, where in column-major order foreground starts and ends in turn.

    Args:
        grids: ``(n, columns, rows)``, transposed, all zeros in the outermost rows and columns.
        x: Where the grids lie along the image's width.
        y: Where they lie along its height.
        size: ``(h, w)`` of the image.
        threshold: From where on a pixel is foreground.
        strict: Whether a pixel just at the threshold is background.
    """
    n, columns, c = grids.shape
    # One row for each image column of each mask: the grid's columns beside it, blended.
    counts = x.last - x.first
    mask = np.repeat(np.arange(n), counts)
    column = np.arange(len(mask)) + np.repeat(x.last - np.cumsum(counts), counts)
    place = np.clip((column + 0.5 - x.start[mask]) / x.cell[mask] - 0.5, 0, columns - 1)
    left = np.minimum(place.astype(np.int64), columns - 2)
    rows, index = grids.reshape(n * columns, c), mask * columns + left
    levels = rows.take(index, axis=0)
    slopes = rows.take(index + 1, axis=0) - levels
    levels += slopes * (place - left).astype(np.float32)[:, None]
    # The threshold is passed between two cells of a row (never between two rows: borders are 0);
    # solve the straight line between them.
    levels = levels.ravel()
    above = levels > threshold if strict else levels >= threshold
    passed = np.flatnonzero(above[1:] != above[:-1])
    row, cell = np.divmod(passed, c)
    before, after = levels[passed].astype(np.float64), levels[passed + 1]
    owner = mask[row]
    height = (cell + (threshold - before) / (after - before) + 0.5) * y.cell[owner] + y.start[owner]
    # The first pixel whose centre lies behind (or, if that decides, on) the point.
    rises = after > before
    pixel = np.where(rises == strict, np.floor(height - 0.5) + 1, np.ceil(height - 0.5))
    pixel = np.clip(pixel, y.first[owner], y.last[owner]).astype(np.int64)
    turns = column[row] * size[0] + pixel
    return np.split(turns, np.searchsorted(owner, np.arange(1, n)))
