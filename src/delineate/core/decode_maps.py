"""From one map of logits an object, over the whole image, to compact masks in the original image.

DETR's rule (its ``PostProcessSegm``): the map is stretched bilinearly to the padded input of the
network, cut at one half, freed of the padding, and brought to the original size by nearest
neighbours. Nearest neighbours only choose rows and columns, so these are chosen first and nothing
else is interpolated; and of each map only what its positive cells can reach.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.masks import Masks
from delineate.errors import DataError

Floats = npt.NDArray[np.float32]


def decode_maps(maps: Floats, *, padded: Size, valid: Size, size: Size) -> Masks:
    """Turn maps of logits into masks; a pixel is foreground where its logit is above 0.

    Args:
        maps: ``(n, mh, mw)`` logits over the padded input of the network.
        padded: ``(h, w)`` of that input.
        valid: ``(h, w)`` of the part of it that is the image and not padding.
        size: ``(h, w)`` of the original image.

    Raises:
        DataError: Shapes do not fit together, or a logit is not finite.
    """
    maps = np.asarray(maps, dtype=np.float32)
    if maps.ndim != 3 or 0 in maps.shape[1:] or valid[0] > padded[0] or valid[1] > padded[1]:
        raise DataError(
            "maps to decode must be (n, h, w) over an input at least as large as its image, and "
            f"{maps.shape} over {padded} for {valid} came: pass the sizes of the same batch."
        )
    if not np.isfinite(maps).all():
        raise DataError(
            "maps to decode must be finite, and other numbers came: the network has diverged, or "
            "its input was not preprocessed as it expects."
        )
    y = _chosen(maps.shape[1], padded[0], valid[0], size[0])
    x = _chosen(maps.shape[2], padded[1], valid[1], size[1])
    return Masks(size, tuple(_decoded(level, y, x, size) for level in maps))


class _Axis(NamedTuple):
    """Where the pixels of the original image lie in a map, along one axis. Each is ``(side,)``."""

    first: npt.NDArray[np.intp]  # the cell before
    second: npt.NDArray[np.intp]  # the cell behind
    share: Floats  # of the cell behind

    def of(self, reached: slice, start: int) -> "_Axis":
        return _Axis(self.first[reached] - start, self.second[reached] - start, self.share[reached])


def _chosen(cells: int, padded: int, valid: int, side: int) -> _Axis:
    """Choose the pixels of the padded input that nearest neighbours take, as torch rounds them."""
    ratio = np.float32(valid) / np.float32(side)
    nearest = np.floor(np.arange(side, dtype=np.float32) * ratio)
    scale = np.float32(cells) / np.float32(padded)
    place = (np.minimum(nearest, valid - 1).astype(np.float32) + np.float32(0.5)) * scale
    place = np.maximum(place - np.float32(0.5), 0)
    first = np.minimum(place.astype(np.intp), cells - 1)
    return _Axis(first, np.minimum(first + 1, cells - 1), place - first.astype(np.float32))


def _decoded(level: Floats, y: _Axis, x: _Axis, size: Size) -> rle.Runs:
    positive = level > 0
    rows, columns = np.flatnonzero(positive.any(axis=1)), np.flatnonzero(positive.any(axis=0))
    if not rows.size:
        return np.array([size[0] * size[1]], dtype=np.uint32)
    down, top = _reached(y, rows[0], rows[-1])
    across, left = _reached(x, columns[0], columns[-1])
    part = level[top:, left:]
    inside_y, inside_x = y.of(down, top), x.of(across, left)
    if not inside_y.first.size or not inside_x.first.size:  # positive in the padding only
        return np.array([size[0] * size[1]], dtype=np.uint32)
    part = part[: inside_y.second[-1] + 1]
    wide = part.take(inside_x.first, axis=1)
    wide += inside_x.share * (part.take(inside_x.second, axis=1) - wide)
    values = wide.take(inside_y.first, axis=0)
    step = wide.take(inside_y.second, axis=0)
    step -= values
    step *= inside_y.share[:, None]
    values += step
    return rle.from_crop(values > 0, (across.start, down.start), size)


def _reached(axis: _Axis, low: int, high: int) -> tuple[slice, int]:
    """Return which pixels touch the cells from `low` to `high`, and the first cell they read."""
    start = int(np.searchsorted(axis.second, low))
    stop = int(np.searchsorted(axis.first, high, side="right"))
    return slice(start, stop), int(axis.first[start]) if start < stop else 0
