"""COCO segmentations as a data set holds them: proven readable, small, not yet rasterised.

`delineate.core.rle` reads a segmentation; a data set of a million must open without doing that a
million times. So what surely can be read is told by a few calls into C, and only the rest is read
to find out: whether something is an error, and in which words, is decided in `core` alone.
"""

import math
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import hotcoco.mask
import numpy as np
import numpy.typing as npt

from delineate.core import polygons, rle
from delineate.core.boxes import Size

Compact = str | npt.NDArray[np.int64] | tuple[npt.NDArray[np.float64], ...]
"""The counts of an RLE, as a string or as numbers; or the polygons of an object."""

# Every count ends (a character up to "O") after at most 6 that announce another ("P" to "o").
_WHOLE_STRING = re.compile("(?:[P-o]{0,6}[0-O])+")
_ONE_COUNT = re.compile("[P-o]{0,6}[0-O]")
# Half of what core accepts: an outline this long cannot have more runs than core accepts either.
_SURE_OUTLINE = min(polygons.MAX_OUTLINE, rle.MAX_RUNS) / 2


def compact(segmentation: Any, size: Size) -> Compact:  # noqa: ANN401 - a stranger's JSON
    """Return a segmentation in its compact form; `expand` followed by `core` will read it.

    Args:
        segmentation: Any of COCO's spellings, as JSON gives it.
        size: (h, w) of the image it belongs to.

    Raises:
        DataError: `delineate.core.rle.from_segmentation` cannot read it.
    """
    if not _is_sound(segmentation, size):
        rle.from_segmentation(segmentation, size)
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        return counts if isinstance(counts, str) else np.asarray(counts, dtype=np.int64)
    parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
    return tuple(np.asarray(part, dtype=np.float64) for part in parts)


def outlines(segmentation: Any) -> tuple[npt.NDArray[np.float64], ...] | None:  # noqa: ANN401
    """Return polygons in their compact form if they surely can be read, else None."""
    match segmentation:
        case [list(), *_] if _polygons_are_sound(segmentation):
            return tuple(np.array(part, dtype=np.float64) for part in segmentation)
    return None


def reaches(held: Compact, size: Size) -> bool:
    """Tell whether a mask may have pixels: False for polygons outside the image and empty RLEs."""
    if isinstance(held, str):
        return _ONE_COUNT.fullmatch(held) is None
    if isinstance(held, np.ndarray):
        return bool(held[1::2].any())
    return any(map(partial(_touches, size=size), held))


def _touches(polygon: npt.NDArray[np.float64], size: Size) -> bool:
    height, width = size
    if 0 < polygon.item(0) < width and 0 < polygon.item(1) < height:  # most do; the rest is slower
        return True
    xs, ys = polygon[0::2], polygon[1::2]
    inside = xs.max() > 0 and xs.min() < width and ys.max() > 0 and ys.min() < height
    return bool(inside)


def expand(held: Compact, size: Size) -> Any:  # noqa: ANN401 - what from_segmentation takes
    """Return what `delineate.core.rle.from_segmentation` reads."""
    return held if isinstance(held, tuple) else {"size": size, "counts": held}


def _is_sound(segmentation: Any, size: Size) -> bool:  # noqa: ANN401 - a stranger's JSON
    """Tell whether a segmentation surely can be read; False means that it is to be tried."""
    match segmentation:
        case {"size": [int(height), int(width)], "counts": counts} if (height, width) == size:
            pixels = height * width
            if isinstance(counts, str):
                return _string_fills(counts, pixels)
            return isinstance(counts, list) and _counts_fill(counts, pixels)
        case [list(), *_]:
            return _polygons_are_sound(segmentation)
        case [_, *_]:
            return _polygons_are_sound([segmentation])
    return False


def _string_fills(counts: str, pixels: int) -> bool:
    if len(counts) > rle.MAX_RUNS or not _WHOLE_STRING.fullmatch(counts):
        return False
    # hotcoco refuses counts that add up to more than the image has. If they are too many for one
    # pixel less, and not for the image, they fill it.
    return _fits(counts, pixels) and not _fits(counts, pixels - 1)


def _fits(counts: str, pixels: int) -> bool:
    try:
        hotcoco.mask.rle_from_string(counts, 1, pixels)
    except (ValueError, OverflowError):
        return False
    return True


def _counts_fill(counts: Sequence[Any], pixels: int) -> bool:
    return (
        0 < len(counts) <= rle.MAX_RUNS
        and set(map(type, counts)) == {int}
        and min(counts) >= 0
        and sum(counts) == pixels
    )


def _polygons_are_sound(outlines: Sequence[Any]) -> bool:
    points, outline = 0, 0.0
    for polygon in outlines:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            return False
        if not set(map(type, polygon)) <= {int, float}:
            return False
        low, high = min(polygon), max(polygon)
        if not -polygons.MAX_COORDINATE <= low <= high <= polygons.MAX_COORDINATE:
            return False
        if math.isnan(sum(polygon)):  # which min and max overlook
            return False
        points += len(polygon) // 2
        outline += (high - low) * len(polygon) / 2
    return points <= polygons.MAX_POINTS and outline <= _SURE_OUTLINE
