"""Objects that a file holds in parts: gathered, and made one mask.

Tools that draw one outline a shape (labelme, CVAT, LabelMe) join the shapes of an object by a
number that they share.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.rle import Runs

Part = list[Any] | Runs
"""The outline of a part, ``[x1, y1, x2, y2, ...]``, or its mask."""

Shape = TypeVar("Shape")


def gathered(shapes: Iterable[Shape], key: Callable[[Shape], Hashable | None]) -> list[list[Shape]]:
    """Gather the shapes of each object, in the order of the objects' first shapes.

    Args:
        shapes: Of one picture.
        key: What the shapes of an object have in common; None: this one is an object of its own.
    """
    objects: dict[Hashable, list[Shape]] = {}
    for place, shape in enumerate(shapes):
        common = key(shape)
        name = (False, place) if common is None else (True, common)
        objects.setdefault(name, []).append(shape)
    return list(objects.values())


def joined(parts: Sequence[Part], size: Size) -> list[Any] | Runs:
    """Return what several parts are together, as `delineate.data.collect.Collector.add` takes it.

    Args:
        parts: At least one.
        size: ``(h, w)`` of the image.

    Raises:
        DataError: There are masks and outlines, and an outline cannot be read.
    """
    masks = [part for part in parts if isinstance(part, np.ndarray)]
    outlines = [part for part in parts if not isinstance(part, np.ndarray)]
    if not masks:
        return outlines
    if outlines:
        masks.append(rle.from_polygons(outlines, size))
    return masks[0] if len(masks) == 1 else union(masks, size)


def union(masks: Sequence[Runs], size: Size) -> Runs:
    """Return the mask of all pixels that any of several masks of an image has."""
    turns = [np.cumsum(runs[: runs.size // 2 * 2], dtype=np.int64) for runs in masks]
    starts = np.concatenate([turn[0::2] for turn in turns])
    ends = np.concatenate([turn[1::2] for turn in turns])
    places = np.concatenate([starts, ends])
    order = np.argsort(places, kind="stable")  # where one ends, another may start: no turn
    step = np.repeat([1, -1], [starts.size, ends.size])[order]
    depth = np.cumsum(step)
    changes = (depth == 0) | ((depth == 1) & (step == 1))
    return rle.from_turns(places[order][changes], size)


def pasted(crop: npt.NDArray[np.bool_], origin: tuple[int, int], size: Size) -> Runs:
    """Encode a mask of which a part is given; what lies outside the image is cut off.

    Args:
        crop: ``(ch, cw)``.
        origin: ``(x0, y0)`` of its upper left pixel.
        size: ``(h, w)`` of the image.
    """
    (x0, y0), (height, width) = origin, size
    left, top = max(-x0, 0), max(-y0, 0)
    inside = crop[top : max(height - y0, 0), left : max(width - x0, 0)]
    return rle.from_crop(inside, (x0 + left, y0 + top), size)
