"""A region of a Label Studio task: its class and its mask.

Coordinates are percentages of the picture's width and height, of edges of pixels.
"""

import base64
import binascii
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.curves import ellipse_polygon
from delineate.core.foreign import all_numbers
from delineate.core.json_file import kind
from delineate.core.polygons import MAX_COORDINATE
from delineate.core.rle import Runs
from delineate.data import label_studio_rle
from delineate.data.pictures import Broken

CROWD = "iscrowd"
"""The note by which Delineate's own files mark crowds."""

JsonObject = Mapping[str, Any]

_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_SHAPES = {  # the keys of a value by which its shape is known, in this order
    "rle": "brush",
    "imageDataURL": "bitmask",
    "points": "polygon",
    "radiusX": "ellipse",
    "height": "rectangle",
    "vertices": "vector",
    "sequence": "track of a video",
    "start": "span of text or sound",
    "x": "key point",
}


@dataclass(frozen=True, slots=True)
class Region:
    """An object as an annotation holds it.

    Attributes:
        number: Its place in the annotation, from 1 on.
        value: What its results say, together.
        result: The first of them.
    """

    number: int
    value: JsonObject
    result: JsonObject


def regions_of(results: Iterable[object]) -> list[Region]:
    """Join the results of each region, which have the same id.

    Relations and answers about the whole picture are no regions. What should be one and has no
    shape is returned: `segmentation` says so.
    """
    joined: dict[object, list[JsonObject]] = {}
    for place, result in enumerate(results):
        found: JsonObject = result if isinstance(result, dict) else {}
        if found.get("type") == "relation":
            continue
        own = found.get("id")
        joined.setdefault(own if isinstance(own, str) else place, []).append(found)
    regions = []
    for number, parts in enumerate(joined.values(), start=1):
        values = [part["value"] for part in parts if isinstance(part.get("value"), dict)]
        value = {key: held for found in values for key, held in found.items()}
        if shape_of(value) or _labels(value) or not values:
            regions.append(Region(number, value, parts[0]))
    return regions


def shape_of(value: JsonObject) -> str | None:
    """Return what a region is; None where it has no place in the picture."""
    return next((shape for key, shape in _SHAPES.items() if key in value), None)


def stated_size(result: JsonObject) -> Size | None:
    """Return the (height, width) of the picture that a region was drawn on, if it says so."""
    match result.get("original_height"), result.get("original_width"):
        case int(height), int(width):
            return height, width
    return None


def class_of(value: JsonObject) -> str:
    """Return the class of a region.

    Raises:
        Broken: It has none, or several.
    """
    names = _labels(value)
    if len(names) > 1:
        raise Broken(f"expected one label, got {' and '.join(names[:3])}", "choose one")
    return names[0] if names else ""


def _labels(value: JsonObject) -> list[str]:
    lists = [v for k, v in value.items() if k.endswith("labels") and isinstance(v, list)]
    return list(dict.fromkeys(n for names in lists for n in names if isinstance(n, str)))


def is_crowd(result: JsonObject) -> bool:
    """Tell whether a region is marked as a crowd, by a note of Delineate's."""
    meta = result.get("meta")
    notes = meta.get("text") if isinstance(meta, dict) else None
    return isinstance(notes, list) and CROWD in notes


def segmentation(region: Region, size: Size) -> list[Any] | Runs:
    """Return the mask of a region, or its outline in pixels.

    Args:
        region: The region.
        size: ``(h, w)`` of its picture.

    Raises:
        Broken: It has none.
        DataError: It cannot be read.
    """
    value, shape = region.value, shape_of(region.value)
    stated, turned = stated_size(region.result), region.result.get("image_rotation", 0)
    if stated not in (None, size):
        raise Broken(
            f"it was drawn on a picture of {stated[1]} x {stated[0]} pixels, and its file has "
            f"{size[1]} x {size[0]}",
            "put back the picture that it was drawn on",
        )
    if turned not in (0, None):
        raise Broken(
            f"it was drawn on a picture turned by {kind(turned).removeprefix('the value ')} "
            "degrees, which versions of Label Studio write in different ways",
            "turn the picture back in Label Studio and export again",
        )
    match shape:
        case "brush":
            return label_studio_rle.decode(value["rle"], size)
        case "bitmask":
            return _bitmask(value["imageDataURL"], size)
        case "polygon":
            return [_polygon(value, size)]
        case "ellipse" | "rectangle":
            return [_ellipse(value, size) if shape == "ellipse" else _rectangle(value, size)]
        case None:
            raise Broken("expected a region of the picture, got none", "export it again")
    raise Broken(f"it is a {shape}, which has no area", "draw its outline, or remove it")


def _polygon(value: JsonObject, size: Size) -> list[float]:
    points = value["points"]
    if value.get("closed") is False:
        raise Broken("its outline is not closed", "close it, or remove it")
    if not isinstance(points, list) or not all(isinstance(p, list) and len(p) == 2 for p in points):
        raise Broken(f"expected pairs of numbers as 'points', got {kind(points)}", "draw it anew")
    flat = [v for point in points for v in point]
    if not all_numbers(flat) or not all(abs(v) <= MAX_COORDINATE for v in flat):
        raise Broken("expected finite numbers as its 'points'", "draw it anew")
    scaled: list[float] = (
        (np.reshape(np.asarray(flat, float), (-1, 2)) * _scale(size)).ravel().tolist()
    )
    return scaled


def _rectangle(value: JsonObject, size: Size) -> list[float]:
    """Return the corners of a rectangle, which is turned about its upper left one."""
    x, y, width, height, degrees = _numbers(value, "x", "y", "width", "height", "rotation")
    if min(width, height) <= 0:
        raise Broken(f"it is a rectangle of {width} x {height} percent", "draw it anew")
    (sx, sy), turn = _scale(size), math.radians(degrees)
    along = np.array([math.cos(turn), math.sin(turn)]) * width * sx
    down = np.array([-math.sin(turn), math.cos(turn)]) * height * sy
    corner = np.array([x * sx, y * sy])
    corners = [corner, corner + along, corner + along + down, corner + down]
    flat: list[float] = np.concatenate(corners).tolist()
    return flat


def _ellipse(value: JsonObject, size: Size) -> list[float]:
    x, y, rx, ry, degrees = _numbers(value, "x", "y", "radiusX", "radiusY", "rotation")
    sx, sy = _scale(size)
    corners: list[float] = (
        ellipse_polygon((x * sx, y * sy), (rx * sx, ry * sy), degrees).ravel().tolist()
    )
    return corners


def _numbers(value: JsonObject, *names: str) -> list[float]:
    numbers: list[Any] = [value.get(name, 0 if name == "rotation" else None) for name in names]
    for name, number in zip(names, numbers, strict=True):
        if not all_numbers([number]) or not abs(number) <= MAX_COORDINATE:  # true for NaN
            raise Broken(f"expected a number as {name!r}, got {kind(number)}", "draw it anew")
    return numbers


def _scale(size: Size) -> tuple[float, float]:
    """Return how many pixels a percent is, in x and in y."""
    return size[1] / 100, size[0] / 100


def _bitmask(url: object, size: Size) -> Runs:
    """Read a mask that is a PNG with transparency, of the picture's size."""
    head, _, text = url.partition(",") if isinstance(url, str) else ("", "", "")
    try:
        data = base64.b64decode(text, validate=True) if head.endswith(";base64") else b""
    except binascii.Error:
        data = b""
    if data[:8] != _PNG or not data.endswith(_PNG_END):
        raise Broken(f"expected a PNG as 'imageDataURL', got {kind(url)}", "export it again")
    width, height = struct.unpack(">II", data[16:24])
    if (height, width) != size:
        raise Broken(
            f"its mask has {width} x {height} pixels, and its picture {size[1]} x {size[0]}",
            "put back the picture that it was drawn on",
        )
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[2:] != (4,) or pixels.shape[:2] != size:
        raise Broken("expected a PNG with transparency as its mask", "export it again")
    return rle.from_bitmap(pixels[:, :, 3])
