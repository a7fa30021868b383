"""From maps of logits, each around its object, to compact masks in the original image."""

from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.geometry import Geometry
from delineate.core.masks import Masks

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]


def draw_logits(
    logits: Floats, starts: Ints, windows: Ints, geometry: Geometry, *, stride: int
) -> Masks:
    """Resize each map bilinearly to the original image, within its window only, and cut it at 0.

    A pixel is foreground where the map is above 0 at its centre; outside its window a mask ends.

    Args:
        logits: ``(cells,)`` the maps one after the other, row by row.
        starts: ``(n,)`` where in it each map begins.
        windows: ``(n, 4)`` x0, y0, x1, y1: the cells that each map covers, the last exclusive.
        geometry: How the original image became the network's input: upright, scaled, shifted.
        stride: Side of a cell in pixels of the network's input.
    """
    height, width = geometry.source
    columns = _positions(geometry, width, axis=0) / stride
    rows = _positions(geometry, height, axis=1) / stride
    runs = []
    for start, (x0, y0, x1, y1) in zip(starts, windows, strict=True):
        cells = logits[start : start + (y1 - y0) * (x1 - x0)].reshape(y1 - y0, x1 - x0)
        left, right = np.searchsorted(columns, (x0, x1))
        top, bottom = np.searchsorted(rows, (y0, y1))
        stretched = _stretch(cells, rows[top:bottom] - y0)
        stretched = _stretch(stretched.T, columns[left:right] - x0).T
        runs.append(rle.from_crop(stretched > 0, (int(left), int(top)), geometry.source))
    return Masks(geometry.source, tuple(runs))


def _positions(geometry: Geometry, count: int, *, axis: int) -> npt.NDArray[np.float64]:
    """Return where the centres of the image's columns (axis 0) or rows (1) lie in the network's."""
    points = np.zeros((count, 2))
    points[:, axis] = np.arange(count) + 0.5
    return geometry.points(points)[:, axis]


def _stretch(cells: Floats, position: npt.NDArray[np.float64]) -> Floats:
    """Interpolate the rows of ``cells (h, w)`` at positions in 0..h; edges continue."""
    place = np.clip(position - 0.5, 0, len(cells) - 1)
    low = place.astype(np.intp)
    part = (place - low).astype(np.float32)[:, None]
    lower = cells[low]
    return lower + (cells[np.minimum(low + 1, len(cells) - 1)] - lower) * part
