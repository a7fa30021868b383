"""The shapes of CVAT's XML as outlines and masks.

Coordinates are in pixels, pixel centres at +0.5; masks are run lengths row by row within a box.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from xml.etree.ElementTree import Element

import numpy as np

from delineate.core.boxes import Size
from delineate.core.curves import ellipse_polygon
from delineate.core.foreign import short
from delineate.core.rle import MAX_RUNS, Runs
from delineate.core.xml_file import attribute, number, whole_number
from delineate.data.parts import Part, Piece, pasted
from delineate.data.pictures import Broken

CROWD = "iscrowd"
"""The attribute of a region to be ignored: Delineate's convention, CVAT has none."""

_NO_OBJECTS = ("tag", "attribute")
_NO_AREA = ("polyline", "points", "cuboid", "skeleton")
_REDRAW = "draw its outline or its mask, or remove it"


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape of a picture.

    Attributes:
        where: What it is called in messages.
        element: Its element.
        owner: The element that has its label and group: itself, or its track.
    """

    where: str
    element: Element
    owner: Element


def drawn(shapes: Iterable[Shape]) -> Iterator[Piece]:
    """Yield the shapes of a picture that are objects, or should be, the lowest first."""
    for shape in sorted(shapes, key=lambda shape: _layer(shape.element)):
        if shape.element.tag not in _NO_OBJECTS:
            group = shape.owner.get("group_id", "0").strip()
            yield Piece(
                where=shape.where,
                label=shape.owner.get("label"),
                part=partial(_part, shape.element),
                group=None if group in ("0", "") else group,
                crowd=_is_crowd(shape.element),
                box=shape.element.tag == "box",
            )


def _layer(element: Element) -> int:
    try:
        return int(element.get("z_order", "0"))
    except ValueError:
        return 0


def _is_crowd(element: Element) -> bool:
    return any(
        one.get("name") in (CROWD, "is_crowd") and (one.text or "").strip().lower() in ("true", "1")
        for one in element.iter("attribute")
    )


def _part(element: Element, size: Size) -> Part:
    match element.tag:
        case "polygon":
            return _points(attribute(element, "points"))
        case "mask":
            return _mask(element, size)
        case "ellipse":
            centre, radii = [
                (number(element, x), number(element, y)) for x, y in (("cx", "cy"), ("rx", "ry"))
            ]
            outline = ellipse_polygon(centre, radii, number(element, "rotation", 0))
            points: list[float] = outline.ravel().tolist()
            return points
        case "box":
            raise Broken("<box> has no mask", _REDRAW)
        case tag if tag in _NO_AREA:
            raise Broken(f"<{tag}> has no area", _REDRAW)
        case tag:
            raise Broken(f"<{tag[:40]}> is no shape that is known", _REDRAW)


def _points(text: str) -> list[float]:
    """Read ``x,y;x,y;x,y``."""
    try:
        return [float(value) for value in text.replace(";", ",").split(",")]
    except ValueError:
        raise Broken(
            f"its points should be x,y;x,y;..., and are {short(text)}", "correct them"
        ) from None


def _mask(element: Element, size: Size) -> Runs:
    left, top = whole_number(element, "left"), whole_number(element, "top")
    width, height = whole_number(element, "width"), whole_number(element, "height")
    if min(width, height) < 1 or width * height > size[0] * size[1]:
        raise Broken(
            f"its mask should lie in the picture, and has {width} x {height} pixels", _REDRAW
        )
    text = attribute(element, "rle")
    try:
        counts = np.array([int(count) for count in text.split(",", MAX_RUNS)], dtype=np.int64)
    except (ValueError, OverflowError):
        raise Broken(
            f"its run lengths should be whole numbers with commas, and are {short(text)}", _REDRAW
        ) from None
    if counts.min() < 0 or counts.max() > width * height or counts.sum() != width * height:
        raise Broken(
            f"its run lengths should fill {width} x {height} pixels, and add up to {counts.sum()}",
            _REDRAW,
        )
    foreground = np.zeros(counts.size, dtype=bool)
    foreground[1::2] = True
    return pasted(np.repeat(foreground, counts).reshape(height, width), (left, top), size)
