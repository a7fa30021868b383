"""Polygons: into a mask by COCO's rule, and back along the edges of its pixels.

A polygon is never the truth in Delineate: it comes from a file, or goes out to one, or to a page.
"""

from collections.abc import Sequence
from typing import Any

import hotcoco.mask as coco
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.foreign import all_numbers, is_list, short
from delineate.errors import DataError

MAX_POINTS = 100_000
"""Most points of one object, all its polygons together."""

MAX_COORDINATE = 1_000_000.0
"""Largest distance of a point from the image's corner along either axis, in pixels."""

MAX_OUTLINE = 2_000_000.0
"""Longest outline of one object, all its polygons together, in pixels."""

_MERGED_AT_ONCE = 16  # the time of one merge grows with the square of their number


def rasterise(polygons: Sequence[Any] | npt.NDArray[Any], size: Size) -> bytes:
    """Return the union of polygons as the compressed counts of COCO's RLE.

    Points outside the image are fine; what they enclose is cut off at its edges.

    Args:
        polygons: Each ``[x1, y1, x2, y2, ...]`` in pixels, 3 points or more.
        size: ``(h, w)`` of the image.

    Raises:
        DataError: A polygon is not a flat list of finite numbers, has fewer than 3 points, or the
            object is beyond the caps of this module, which bound time and memory.
    """
    if not len(polygons) or not all(map(is_list, polygons)):
        raise DataError(
            "polygons must be one list of numbers x1, y1, x2, y2, ... or several, and "
            f"{short(polygons)} came: export the annotation again, or leave it out."
        )
    count = sum(map(len, polygons)) // 2
    if count > MAX_POINTS:
        raise DataError(
            f"an object may have at most {MAX_POINTS} polygon points, and {count} came: simplify "
            "its outline, or store it as an RLE."
        )
    parts = [_points(polygon) for polygon in polygons]
    outline = sum(map(_length, parts))
    if outline > MAX_OUTLINE:
        raise DataError(
            f"an object's outline may be at most {MAX_OUTLINE:.0f} pixels long, and one of "
            f"{outline:.0f} came: correct its points, or store it as an RLE."
        )
    rles = [coco.fr_poly(p.ravel().tolist(), *size) for p in parts]
    while len(rles) > 1:
        groups = range(0, len(rles), _MERGED_AT_ONCE)
        rles = [coco.merge(rles[i : i + _MERGED_AT_ONCE]) for i in groups]
    counts: bytes = rles[0]["counts"]
    return counts


def trace(
    bitmap: npt.NDArray[np.bool_], origin: tuple[int, int] = (0, 0)
) -> list[npt.NDArray[np.float32]]:
    """Return the closed outlines of all parts and holes of a bitmap.

    Every corner ends one horizontal and one vertical side. Along each row of corners the sides
    therefore join the first to the second, the third to the fourth and so on, and likewise along
    each column (O'Rourke, "Uniqueness of orthogonal connect-the-dots", 1988): the outlines follow
    from two sorts. Pixels that touch only at a corner belong to different parts.

    Args:
        bitmap: ``(h, w)``.
        origin: ``(x0, y0)`` of its upper left pixel in the image.

    Returns:
        ``(k, 2)`` corners ``(x, y)`` each, in pixels of the image, whole numbers, the first not
        repeated. Parts run clockwise on the screen (their shoelace sum is positive), holes the
        other way. Rasterising the parts gives the bitmap back, with its holes filled.
    """
    padded = np.pad(np.asarray(bitmap, dtype=np.int8), 1)
    upper_left, upper_right = padded[:-1, :-1], padded[:-1, 1:]
    lower_left, lower_right = padded[1:, :-1], padded[1:, 1:]
    simple = (upper_left ^ upper_right ^ lower_left ^ lower_right) == 1
    touching = (upper_left != upper_right) & (upper_left != lower_left) & ~simple

    # Where two parts touch at a point it is a corner of both: of one it ends the side on its left,
    # of the other that on its right. The one on the left is the upper or the lower one.
    y, x = np.nonzero(simple | touching)
    copies = np.where(touching[y, x], 2, 1)
    y, x = np.repeat(y, copies), np.repeat(x, copies)
    right = np.append(False, (np.diff(y) == 0) & (np.diff(x) == 0))[: len(y)]
    lower = right ^ (touching[y, x] & (upper_right[y, x] == 1))
    by_row, by_column = np.lexsort((right, x, y)), np.lexsort((lower, y, x))

    # The foreground lies on the right hand of whoever follows an outline.
    follower = np.empty(len(x), dtype=np.intp)
    follower[by_column[::2]], follower[by_column[1::2]] = by_column[1::2], by_column[::2]
    start, end = by_row[::2], by_row[1::2]
    rightward = lower_right[y[start], x[start]] == 1
    follower[start[rightward]] = end[rightward]
    follower[end[~rightward]] = start[~rightward]

    corners = np.column_stack([x + origin[0], y + origin[1]]).astype(np.float32)
    return [corners[loop] for loop in _loops(follower.tolist())]


def is_hole(outline: npt.NDArray[np.floating[Any]]) -> bool:
    """Tell an outline of a hole, as `trace` gives it, from that of a part.

    Args:
        outline: ``(k, 2)`` corners.
    """
    x, y = outline.astype(np.float64).T
    return bool(x @ np.roll(y, -1) - y @ np.roll(x, -1) < 0)


def _points(polygon: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return one flat polygon as ``(k, 2)`` points, if it is one."""
    if not all_numbers(polygon):
        raise DataError(
            f"a polygon must be a flat list of numbers x1, y1, x2, y2, ..., and {short(polygon)} "
            "came: export the annotation again."
        )
    if len(polygon) < 6 or len(polygon) % 2:
        raise DataError(
            f"a polygon needs at least 3 points, each with x and y, and a list of {len(polygon)} "
            "numbers came: complete the outline or remove it."
        )
    try:
        points = np.asarray(polygon, dtype=np.float64)
    except OverflowError:  # an integer beyond the floats
        points = np.array([np.inf])
    if not (np.abs(points) <= MAX_COORDINATE).all():  # false for NaN as well
        raise DataError(
            f"a polygon's coordinates must be finite and within {MAX_COORDINATE:.0f} pixels, and "
            f"{short(polygon)} came: correct or remove the outline."
        )
    return points.reshape(-1, 2)


def _length(points: npt.NDArray[np.float64]) -> float:
    """Return the number of pixels along a closed outline."""
    steps = points - np.concatenate([points[-1:], points[:-1]])
    return float(np.abs(steps).max(axis=1).sum())


def _loops(follower: list[int]) -> list[list[int]]:
    """Return the cycles of a permutation."""
    loops, seen = [], [False] * len(follower)
    for first in range(len(follower)):
        loop, at = [], first
        while not seen[at]:
            seen[at] = True
            loop.append(at)
            at = follower[at]
        if loop:
            loops.append(loop)
    return loops
