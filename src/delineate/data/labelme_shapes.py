"""The shapes of a labelme file as outlines and masks.

Points are in pixels of the image, pixel centres at +0.5. A polygon is rasterised by COCO's rule, as
labelme's own converter to COCO leaves it to COCO; its converter to VOC draws outlines a pixel wide,
so that its masks are larger by half a pixel all around.
"""

import base64
import binascii
import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from delineate.core.boxes import Size
from delineate.core.curves import ellipse_polygon
from delineate.core.foreign import all_numbers, is_list
from delineate.core.image import read_image
from delineate.core.json_file import kind
from delineate.core.polygons import MAX_COORDINATE
from delineate.core.rle import Runs
from delineate.data.parts import Part, Piece, pasted
from delineate.data.pictures import Broken

IGNORED = "__ignore__"
"""The label of what is no object; labelme's converters leave it out."""

BACKGROUND = "_background_"
"""The name of what is not labelled; labelme's lists of labels hold it, no object has it."""

CROWD = "crowd"
"""The flag of a shape that is a region to be ignored: Delineate's convention, labelme has none."""

_OUTLINES = ("polygon", "oriented_rectangle", "rotation")
_NO_AREA = ("point", "points", "line", "linestrip")
_REDRAW = "draw its outline as a polygon, or remove it"


def pieces(shapes: Sequence[Any]) -> Iterator[Piece]:
    """Yield the shapes of a picture that are objects, or should be.

    Args:
        shapes: The file's list ``shapes``.
    """
    for number, shape in enumerate(shapes, start=1):
        known = shape if isinstance(shape, dict) else {}
        label, group, flags = known.get("label"), known.get("group_id"), known.get("flags")
        if label != IGNORED:
            yield Piece(
                where=f"shape {number}",
                label=label,
                part=partial(_part, shape),
                group=group if isinstance(group, int | str) else None,
                crowd=isinstance(flags, dict) and flags.get(CROWD) is True,
            )


def _part(shape: Any, size: Size) -> Part:  # noqa: ANN401 - a stranger's JSON
    if not isinstance(shape, dict):
        raise Broken(f"it should be an object, and is {kind(shape)}", "remove it")
    if shape.get("label") == BACKGROUND:
        raise Broken(f"{BACKGROUND!r} is no object", "draw the objects without it, or remove it")
    group = shape.get("group_id")
    if group is not None and not isinstance(group, int | str):
        raise Broken(f"its group should be a whole number, and is {kind(group)}", "correct it")
    type_ = shape.get("shape_type")
    points = _points(shape.get("points"))
    if type_ is None or type_ in _OUTLINES or (type_ == "rectangle" and len(points) == 4):
        return [coordinate for point in points for coordinate in point]
    if type_ in _NO_AREA:
        raise Broken(f"a {type_} has no area", _REDRAW)
    if type_ not in ("rectangle", "circle", "mask"):
        raise Broken(f"{_name(type_)} is no type of shape that is known", _REDRAW)
    if len(points) != 2:
        raise Broken(f"a {type_} should have 2 points, and has {len(points)}", _REDRAW)
    (x1, y1), (x2, y2) = points
    if type_ == "rectangle":
        return [x1, y1, x2, y1, x2, y2, x1, y2]
    if type_ == "circle":
        radius = math.hypot(x2 - x1, y2 - y1)
        circle: list[float] = ellipse_polygon((x1, y1), (radius, radius)).ravel().tolist()
        return circle
    return _mask(shape.get("mask"), points, size)


def _points(points: Any) -> list[Sequence[Any]]:  # noqa: ANN401 - a stranger's JSON
    pairs = points if is_list(points) else []
    for point in pairs:
        numbers = is_list(point) and len(point) == 2 and all_numbers(point)
        if not numbers or not all(abs(value) <= MAX_COORDINATE for value in point):
            break
    else:
        if len(pairs):
            return list(pairs)
    raise Broken(
        "its points should be pairs x, y of finite numbers within "
        f"{MAX_COORDINATE:.0f} pixels, and are {kind(points)}",
        _REDRAW,
    )


def _mask(encoded: Any, points: Sequence[Sequence[float]], size: Size) -> Runs:  # noqa: ANN401
    """Read a PNG that fills the box of two pixels, both inclusive."""
    if not isinstance(encoded, str):
        raise Broken(f"its mask should be a PNG in base64, and is {kind(encoded)}", _REDRAW)
    try:
        png = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        raise Broken("its mask is no base64", _REDRAW) from None
    bitmap = np.asarray(read_image(png, max_pixels=size[0] * size[1]).any(axis=2))
    (x1, y1), (x2, y2) = points
    height, width = bitmap.shape
    # Points that were moved may be fractions: then labelme keeps the extent of the mask.
    if abs(x2 - x1 + 1 - width) > 1 or abs(y2 - y1 + 1 - height) > 1:
        raise Broken(
            f"its mask has {width} x {height} pixels, and its box {x2 - x1 + 1:g} x "
            f"{y2 - y1 + 1:g}",
            _REDRAW,
        )
    origin = np.rint([x1, y1]).astype(int).tolist()
    return pasted(bitmap, (origin[0], origin[1]), size)


def _name(type_: Any) -> str:  # noqa: ANN401 - a stranger's JSON
    return repr(type_[:40]) if isinstance(type_, str) else kind(type_)
