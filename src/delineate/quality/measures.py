"""What is measured of every image and every object: one table, from which statistics are drawn.

Nothing but annotations is read, and of an image's masks one crop at a time is decoded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core import boxes as box
from delineate.core.boxes import Size
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.rle import Bitmap
from delineate.core.sizes import size_of
from delineate.data.sample import Dataset

GRID = 32
"""Cells along each side of the map of positions."""

_ROWS = 256  # objects compared with all others of their image at a time
_CROPS = 256  # decoded masks that are held

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Columns about m images and, without their crowd regions, their n objects.

    Attributes:
        heights: (m,) pixels.
        widths: (m,) pixels.
        crowds: (m,) crowd regions of each image.
        image: (n,) position of each object's image.
        label: (n,) class.
        size: (n,) position in `delineate.core.sizes.SIZES`, by the stated area.
        area: (n,) pixels of the mask; without masks, of the box.
        aspect: (n,) width over height of the box.
        border: (n,) whether the box reaches the edge of the image.
        parts: (n,) parts that hang together, by sides or corners.
        holes: (n,) holes.
        iou: (n,) largest IoU of the box with that of another object of the image.
        distance: (n,) from the centre of the box to the nearest other one, over the mean size
            (square root of the area) of the two; infinite where there is none.
        overlapped: (n,) share of the pixels that belong to other objects, too.
        touching: (n,) share of the pixels along the outline that lie on or beside another object.
        positions: (GRID, GRID) sum over the images of how many objects cover a point of each cell.
    """

    heights: Ints
    widths: Ints
    crowds: Ints
    image: Ints
    label: Ints
    size: Ints
    area: Ints
    aspect: Floats
    border: Bools
    parts: Ints
    holes: Ints
    iou: Floats
    distance: Floats
    overlapped: Floats
    touching: Floats
    positions: npt.NDArray[np.float64]

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.heights)

    @classmethod
    def cat(cls, parts: Sequence["Measures"]) -> Self:
        """Join those of several sets of images."""
        first = np.cumsum([0, *(part.images for part in parts)])[:-1].tolist()
        joined = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
            if field.name not in ("image", "positions")
        }
        return cls(
            image=np.concatenate([p.image + n for p, n in zip(parts, first, strict=True)]),
            positions=np.sum([part.positions for part in parts], axis=0),
            **joined,
        )


def measure(dataset: Dataset, indices: Iterable[int] | None = None) -> Measures:
    """Measure a data set.

    Args:
        dataset: Its instances are read, its pixels are not.
        indices: The positions of all its images, for example with a progress bar around them.
    """
    positions = np.zeros((GRID, GRID))
    crowds: list[int] = []
    rows: list[dict[str, npt.NDArray[Any]]] = []
    for index in range(len(dataset)) if indices is None else indices:
        instances, areas = dataset.instances(index), dataset.areas(index)
        crowd = np.zeros(len(instances), bool) if instances.crowd is None else instances.crowd
        crowds.append(int(crowd.sum()))
        rows.append(_of_objects(instances[~crowd], areas[~crowd], positions))
    sizes = np.array([record.size for record in dataset.records], np.int64).reshape(-1, 2)
    return Measures(
        heights=sizes[:, 0],
        widths=sizes[:, 1],
        crowds=np.array(crowds, np.int64),
        image=np.repeat(np.arange(len(rows)), [len(row["label"]) for row in rows]),
        positions=positions,
        **{
            name: np.concatenate([np.zeros(0, kind), *(row[name] for row in rows)], dtype=kind)
            for name, kind in _COLUMNS.items()
        },
    )


_COLUMNS: dict[str, type[np.generic]] = {
    **dict.fromkeys(("label", "size", "area", "parts", "holes"), np.int64),
    **dict.fromkeys(("aspect", "iou", "distance", "overlapped", "touching"), np.float32),
    "border": np.bool_,
}


def _of_objects(
    instances: Instances, areas: npt.NDArray[np.float64], positions: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of an image's objects, and add where they lie to `positions`."""
    height, width = instances.image_size
    boxes, count, masks = instances.boxes, len(instances), instances.masks
    sides = boxes[:, 2:] - boxes[:, :2]
    outside = np.concatenate([boxes[:, :2] <= 0, boxes[:, 2:] >= [width, height]], axis=1)
    pixels = np.rint(box.area(boxes)).astype(np.int64) if masks is None else masks.areas
    iou, distance, neighbours = _neighbours(boxes, np.sqrt(pixels))
    columns: dict[str, npt.NDArray[Any]] = {
        "label": instances.labels,
        "size": size_of(areas),
        "area": pixels,
        "aspect": np.maximum(sides[:, 0], 1) / np.maximum(sides[:, 1], 1),
        "border": np.asarray(outside.any(axis=1)),
        "iou": iou,
        "distance": distance,
        "parts": np.ones(count, np.int64),
        "holes": np.zeros(count, np.int64),
        "overlapped": np.zeros(count),
        "touching": np.zeros(count),
    }
    if masks is not None:
        _measure_masks(masks, neighbours, columns, positions)
    return columns


def _neighbours(
    boxes: box.Boxes, sizes: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[list[int]]]:
    """Return for each object the largest IoU, the nearest distance, and what its box touches."""
    count = len(boxes)
    overlap, distance = np.zeros(count), np.full(count, np.inf)
    neighbours: list[list[int]] = []
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        others = np.ones((len(rows), count), bool)
        others[np.arange(len(rows)), rows] = False
        overlap[rows] = np.where(others, box.iou(boxes[rows], boxes), 0).max(axis=1)
        away = np.hypot(*(centres[rows, None] - centres[None]).transpose(2, 0, 1))
        mean = (sizes[rows, None] + sizes[None]) / 2
        distance[rows] = np.where(others, away / np.maximum(mean, 1), np.inf).min(axis=1)
        low = np.maximum(boxes[rows, None, :2], boxes[None, :, :2])
        high = np.minimum(boxes[rows, None, 2:], boxes[None, :, 2:])
        beside = (high >= low).all(axis=2) & others
        neighbours += [np.flatnonzero(row).tolist() for row in beside]
    return overlap, distance, neighbours


def _measure_masks(
    masks: Masks,
    neighbours: list[list[int]],
    columns: dict[str, npt.NDArray[Any]],
    positions: npt.NDArray[np.float64],
) -> None:
    """Fill in what only the masks tell."""
    crop_of = lru_cache(maxsize=_CROPS)(masks.crop)
    for i, beside in enumerate(neighbours):
        crop, (x0, y0) = crop_of(i)
        if not crop.size:
            columns["parts"][i] = 0
            continue
        own = np.pad(crop, 1)
        columns["parts"][i] = cv2.connectedComponents(own.view(np.uint8), connectivity=8)[0] - 1
        columns["holes"][i] = cv2.connectedComponents((~own).view(np.uint8), connectivity=4)[0] - 2
        positions += _coverage(crop, (x0, y0), masks.size)
        if beside:
            others = np.zeros(own.shape, bool)
            for j in beside:
                _paste(*crop_of(j), others, (x0 - 1, y0 - 1))
            columns["overlapped"][i], columns["touching"][i] = _contact(own, others)


def _paste(crop: Bitmap, at: tuple[int, int], onto: Bitmap, origin: tuple[int, int]) -> None:
    """Add the part of a crop that lies in another one."""
    x, y = at[0] - origin[0], at[1] - origin[1]
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + crop.shape[1], onto.shape[1]), min(y + crop.shape[0], onto.shape[0])
    if left < right and top < bottom:
        onto[top:bottom, left:right] |= crop[top - y : bottom - y, left - x : right - x]


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def _contact(own: Bitmap, others: Bitmap) -> tuple[float, float]:
    """Return which share of a mask others cover, and which share of its outline they touch."""
    own_bytes, other_bytes = own.view(np.uint8), others.view(np.uint8)
    outline = own & (cv2.erode(own_bytes, _CROSS) == 0)
    touched = outline & (cv2.dilate(other_bytes, _CROSS) > 0)
    shared = np.count_nonzero(own & others)
    return shared / np.count_nonzero(own), np.count_nonzero(touched) / np.count_nonzero(outline)


def _coverage(crop: Bitmap, origin: tuple[int, int], size: Size) -> npt.NDArray[np.float64]:
    """Return the share of each cell of the grid over the image that a mask covers."""
    (height, width), (x0, y0) = size, origin
    rows, columns = _shares(y0, crop.shape[0], height), _shares(x0, crop.shape[1], width)
    return rows @ crop @ columns.T


def _shares(start: int, count: int, length: int) -> npt.NDArray[np.float64]:
    """Return (GRID, count) the share of each cell along a side that each pixel fills."""
    edges, pixels = np.arange(GRID + 1)[:, None] * (length / GRID), start + np.arange(count)
    filled = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    return np.asarray(filled.clip(0) * (GRID / length))
