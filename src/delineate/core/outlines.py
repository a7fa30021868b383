"""A part of an image as a small picture, and the outlines of the objects in it.

Outlines are kept as polygons, not painted: a page can show, hide and style them.
"""

import io
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.core.geometry import Geometry
from delineate.core.image import ImageArray
from delineate.core.instances import Instances

Window = tuple[int, int, int, int]
"""``(x0, y0, x1, y1)`` in pixels of the image, ends exclusive."""

_JPEG_QUALITY = 82
_SMALLEST_WINDOW = 96  # pixels; a smaller object is shown with more of its surroundings
_CONTEXT = 2.5  # side of a window over the longer side of its object
_TOLERANCE = 0.8  # pixels of the picture by which an outline may be simplified


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One object in a picture.

    Attributes:
        rings: Closed outlines, (k, 2) points each, in pixels of the picture.
        title: The name of its class, and its score if it is a prediction.
        focus: Whether the picture is shown because of it.
    """

    rings: tuple[npt.NDArray[np.float32], ...]
    title: str
    focus: bool


def window_around(box: npt.ArrayLike, size: Size) -> Window:
    """Return a square part of an image that shows an object and its surroundings.

    Args:
        box: (4,) xyxy of the object.
        size: (height, width) of the image; the window stays inside and shrinks to fit.
    """
    x1, y1, x2, y2 = np.asarray(box, dtype=np.float64).tolist()
    side = max(_CONTEXT * max(x2 - x1, y2 - y1), _SMALLEST_WINDOW)
    (top, bottom), (left, right) = (
        _interval((low + high) / 2, side, limit)
        for low, high, limit in ((y1, y2, size[0]), (x1, x2, size[1]))
    )
    return left, top, right, bottom


def _interval(centre: float, length: float, limit: int) -> tuple[int, int]:
    """Return a whole-numbered interval of `length` around `centre`, moved to lie in 0 .. limit."""
    whole = min(round(length), limit)
    start = min(max(round(centre - whole / 2), 0), limit - whole)
    return start, start + whole


def into_picture(size: Size, side: int, window: Window | None = None) -> Geometry:
    """Return the map from an image to a small picture of it.

    Args:
        size: (height, width) of the image.
        side: Longer side of the picture in pixels; details are enlarged, whole images are not.
        window: The part of the image to show; by default all of it.
    """
    cut = Geometry.identity(size) if window is None else Geometry.crop(size, window)
    height, width = cut.target
    scale = side / max(height, width)
    if window is None:
        scale = min(scale, 1.0)
    target = max(round(height * scale), 1), max(round(width * scale), 1)
    return cut.then(Geometry.resize(cut.target, target))


def jpeg(image: ImageArray) -> bytes:
    """Return a small picture as a JPEG file for a page."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def outlines(
    instances: Instances, geometry: Geometry, classes: ClassMap, focus: int = -1
) -> tuple[Outline, ...]:
    """Return the outlines of all instances that reach into a picture; without masks, boxes.

    Args:
        instances: Objects of the image.
        geometry: From the image to the picture.
        classes: What the labels mean.
        focus: Position of the object that the picture is about, -1 for none in particular.
    """
    moved = instances.replace(ids=np.arange(len(instances))).warp(geometry)
    assert moved.ids is not None, "given above"
    drawn = []
    for i, number in enumerate(moved.ids.tolist()):
        title = classes.name(int(moved.labels[i]))
        if moved.scores is not None:
            title += f" {moved.scores[i]:.2f}"
        rings = [_rectangle(moved.boxes[i])] if moved.masks is None else moved.masks.polygons(i)
        smooth = tuple(
            cv2.approxPolyDP(ring, _TOLERANCE, True)[:, 0].astype(np.float32) for ring in rings
        )
        drawn.append(Outline(rings=smooth, title=title, focus=number == focus))
    return tuple(drawn)


def _rectangle(box: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return box[[[0, 1], [2, 1], [2, 3], [0, 3]]]
