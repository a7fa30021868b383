"""COCO segmentations as a data set holds them: proven readable, small, not yet rasterised.

`delineate.core.rle` reads a segmentation; a data set of a million must open without doing that a
million times. So what surely can be read is told by a few calls into C, and only the rest is read
to find out: whether something is an error, and in which words, is decided in `core` alone.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
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
    if isinstance(segmentation, dict):
        if not _fills(segmentation, size):
            rle.from_segmentation(segmentation, size)
        counts = segmentation["counts"]
        return counts if isinstance(counts, str) else np.asarray(counts, dtype=np.int64)
    match segmentation:
        case [list(), *_] | []:
            parts = segmentation
        case _:
            parts = [segmentation]
    [held] = outlines([parts])
    if held is not None:
        return held
    rle.from_segmentation(segmentation, size)
    return tuple(np.asarray(part, dtype=np.float64) for part in parts)


def outlines(segmentations: Sequence[Any]) -> list[tuple[npt.NDArray[np.float64], ...] | None]:
    """Return polygons in their compact form where they surely can be read, else None.

    Args:
        segmentations: Those of many objects, as JSON gives them: together it goes three times as
            fast.
    """
    places = [i for i, given in enumerate(segmentations) if _is_polygons(given)]
    found: list[tuple[npt.NDArray[np.float64], ...] | None] = [None] * len(segmentations)
    try:
        read = _read([segmentations[i] for i in places]) if places else []
    except (TypeError, OverflowError):  # somebody's numbers are none: whose?
        read = [outlines([segmentations[i]])[0] if len(places) > 1 else None for i in places]
    for i, held in zip(places, read, strict=True):
        found[i] = held
    return found


def _is_polygons(segmentation: Any) -> bool:  # noqa: ANN401 - a stranger's JSON
    """Tell whether these are lists of so many things as numbers of polygons may be."""
    if type(segmentation) is not list or not segmentation:
        return False
    for part in segmentation:  # `all` would take twice as long for one
        if type(part) is not list or len(part) < 6 or len(part) % 2:
            return False
    return True


def _read(
    objects: Sequence[Sequence[list[Any]]],
) -> list[tuple[npt.NDArray[np.float64], ...] | None]:
    """Return the polygons of each object as arrays, or None for those that may be refused.

    Raises:
        TypeError: Something among all the numbers is none.
        OverflowError: A number has no place in 64 bits.
    """
    parts = list(itertools.chain.from_iterable(objects))
    numbers = list(itertools.chain.from_iterable(parts))
    if not set(map(type, numbers)) <= {int, float}:
        raise TypeError
    values = np.fromiter(numbers, np.float64, len(numbers))
    lengths, counts = (np.array([*map(len, lists)]) for lists in (parts, objects))
    starts, firsts = lengths.cumsum() - lengths, counts.cumsum() - counts
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    with np.errstate(invalid="ignore", over="ignore"):
        around = np.add.reduceat((high - low) * lengths / 2, firsts)
    within = (low >= -polygons.MAX_COORDINATE) & (high <= polygons.MAX_COORDINATE)  # NaN is not
    sound = np.logical_and.reduceat(within, firsts) & (around <= _SURE_OUTLINE)
    sound &= np.add.reduceat(lengths, firsts) <= 2 * polygons.MAX_POINTS
    bounds = itertools.pairwise([*starts.tolist(), len(values)])
    arrays = iter([values[start:end].copy() for start, end in bounds])  # none keeps the others
    held = [tuple(itertools.islice(arrays, count)) for count in counts.tolist()]
    return [own if good else None for own, good in zip(held, sound.tolist(), strict=True)]


def reaches(held: Compact, size: Size) -> bool:
    """Tell whether a mask may have pixels: False for polygons outside the image and empty RLEs."""
    if isinstance(held, tuple):
        height, width = size
        first = held[0]
        if 0 < first.item(0) < width and 0 < first.item(1) < height:  # most do; the rest is slower
            return True
        return any(_touches(polygon, size) for polygon in held)
    if isinstance(held, str):
        return _ONE_COUNT.fullmatch(held) is None
    return bool(held[1::2].any())


def _touches(polygon: npt.NDArray[np.float64], size: Size) -> bool:
    height, width = size
    xs, ys = polygon[0::2], polygon[1::2]
    inside = xs.max() > 0 and xs.min() < width and ys.max() > 0 and ys.min() < height
    return bool(inside)


def expand(held: Compact, size: Size) -> Any:  # noqa: ANN401 - what from_segmentation takes
    """Return what `delineate.core.rle.from_segmentation` reads."""
    return held if isinstance(held, tuple) else {"size": size, "counts": held}


def _fills(segmentation: Mapping[str, Any], size: Size) -> bool:
    """Tell whether an RLE surely can be read; False means that it is to be tried."""
    match segmentation:
        case {"size": [int(height), int(width)], "counts": counts} if (height, width) == size:
            pixels = height * width
            if isinstance(counts, str):
                return _string_fills(counts, pixels)
            return isinstance(counts, list) and _counts_fill(counts, pixels)
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
