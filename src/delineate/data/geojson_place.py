"""Where a GeoTIFF lies on the ground: from coordinates of its reference system to pixels.

The tags are those of OGC's GeoTIFF standard 1.1 (https://docs.ogc.org/is/19-008r4/19-008r4.html):
ModelPixelScale with ModelTiepoint, or ModelTransformation. Pixels are counted along their edges, as
everywhere in Delineate, unless the file says that a point of its grid is the centre of a pixel.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.tiff import tiff_tags
from delineate.data.pictures import Broken

_SCALE, _TIEPOINT, _TRANSFORMATION, _KEYS = 33550, 33922, 34264, 34735  # numbers of tags
_RASTER_TYPE, _IS_POINT = 1025, 2  # a key, and its value
_GLOBE = (180, 90)  # degrees

Points = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
"""``(3, 3)``: takes column, row, 1 to x, y, 1 of the reference system."""


def ground(path: Path) -> Matrix | None:
    """Return where a picture lies; None where it does not say.

    Args:
        path: Its file, of any format.
    """
    tags = tiff_tags(path)
    scale, tie = _numbers(tags, _SCALE, 3), _numbers(tags, _TIEPOINT, 6)
    full = _numbers(tags, _TRANSFORMATION, 16)
    if full is not None:
        matrix = np.array([[full[0], full[1], full[3]], [full[4], full[5], full[7]], [0, 0, 1]])
    elif scale is not None and tie is not None:
        column, row, _, x, y, _ = tie
        matrix = np.array(
            [[scale[0], 0, x - column * scale[0]], [0, -scale[1], y + row * scale[1]], [0, 0, 1]]
        )
    else:
        return None
    if _is_point(tags.get(_KEYS)):
        matrix = matrix @ np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return matrix if np.isfinite(matrix).all() and np.linalg.det(matrix) != 0 else None


def to_pixels(points: Sequence[Points], size: Size, matrix: Matrix | None) -> list[Points]:
    """Return points of one picture in pixels.

    Args:
        points: ``(k, 2)`` x and y of a ring each, all of them in the picture's reference system,
            or all in pixels already.
        size: ``(h, w)`` of the picture.
        matrix: Where it lies, see `ground`.

    Raises:
        Broken: They are in neither: no point comes near the picture, or the picture lies on the
            ground, and they seem to be degrees of longitude and latitude.
    """
    if not points:
        return []
    height, width = size
    every = np.concatenate(points)
    if matrix is not None:
        inverse = np.linalg.inv(matrix).astype(np.float64)
        if _touch(_moved(every, inverse), size):
            return [_moved(p, inverse) for p in points]
    if _touch(every, size) and (matrix is None or not _may_be_degrees(points)):
        return list(points)
    x, y = every.mean(axis=0)
    there = "the picture says nothing of its place"
    if matrix is not None:
        left, top = _moved(np.zeros((1, 2)), matrix)[0]
        there = f"the picture begins at {left:.6g}, {top:.6g}"
    raise Broken(
        f"its shapes lie around {x:.6g}, {y:.6g}, neither among the {width} x {height} pixels of "
        f"its picture nor on its ground ({there})",
        "bring it into the picture's reference system (ogr2ogr -t_srs), or name the right picture",
    )


def _moved(points: Points, matrix: Matrix) -> Points:
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def _touch(points: Points, size: Size) -> bool:
    """Tell whether the box around points touches the picture."""
    low, high = points.min(axis=0), points.max(axis=0)
    return bool((high > 0).all() and low[0] < size[1] and low[1] < size[0])


def _may_be_degrees(points: Sequence[Points]) -> bool:
    """Tell whether rings could be in longitude and latitude: on the globe, and all tiny."""
    every = np.abs(np.concatenate(points)).max(axis=0)
    return bool((every <= _GLOBE).all()) and all(np.ptp(p, axis=0).max() < 1 for p in points)


def _numbers(tags: Mapping[int, Any], tag: int, count: int) -> list[float] | None:
    values = tags.get(tag)
    if not isinstance(values, tuple) or len(values) < count:
        return None
    return [float(v) for v in values[:count]] if all(isinstance(v, float) for v in values) else None


def _is_point(keys: object) -> bool:
    """Tell by the directory of keys, four numbers each, whether the grid is of pixel centres."""
    if not isinstance(keys, tuple):
        return False
    entries = zip(*[iter(keys)] * 4, strict=False)
    return any(
        (key, place, value) == (_RASTER_TYPE, 0, _IS_POINT) for key, place, _, value in entries
    )
