"""Objects that a file holds in pieces: gathered, made one mask, and added to a data set.

Tools that draw one outline a shape (labelme, CVAT, LabelMe, Datumaro) join the shapes of an object
by a number that they share.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.rle import Runs
from delineate.data.collect import Collector
from delineate.data.sample import ImageRecord

Part = list[Any] | Runs
"""The outline of a part, ``[x1, y1, x2, y2, ...]``, or its mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A shape that is an object or a part of one.

    Attributes:
        where: What it is called in its image: ``shape 3``.
        label: Its class; that it is one is found out when it is added.
        part: Gives its part of an image of the size ``(h, w)``; it raises `Broken` or `DataError`
            where there is none.
        group: What it has in common with the other pieces of its object; None: it is one alone.
        crowd: Whether it is a region to be ignored.
        box: Whether it is a box without a mask, which counts for nothing beside pieces with masks.
    """

    where: str
    label: Any
    part: Callable[[Size], Part]
    group: Hashable | None = None
    crowd: bool = False
    box: bool = False


def add_pieces(collector: Collector, record: ImageRecord, pieces: Iterable[Piece]) -> None:
    """Add the objects of an image, of which a broken piece leaves out the whole.

    Args:
        collector: Takes the objects, and the problems.
        record: The image, one that `collector` knows.
        pieces: In the order of drawing. Those of one label and group are an object.
    """
    for object_ in _gathered(pieces):
        used = [piece for piece in object_ if not piece.box] or object_
        parts: list[Part] = []
        for piece in used:
            with collector.judging(f"image {record.name!r}, {piece.where}"):
                parts.append(piece.part(record.size))
        if len(parts) < len(used):
            continue
        with collector.judging(f"image {record.name!r}, {used[0].where}"):
            crowd = any(piece.crowd for piece in used)
            collector.add(record, used[0].label, joined(parts, record.size), crowd=crowd)


def _gathered(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Gather the pieces of each object, in the order of the objects' first pieces."""
    objects: dict[Hashable, list[Piece]] = {}
    for place, piece in enumerate(pieces):
        alone = piece.group is None or not isinstance(piece.label, str)
        name = (place,) if alone else (piece.label, piece.group)
        objects.setdefault(name, []).append(piece)
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
    order = np.argsort(places)
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
