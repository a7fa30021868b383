"""A region of a VIA file: its class, its outline, and which of its attributes is the class."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from delineate.core.curves import ellipse_polygon
from delineate.core.foreign import all_numbers
from delineate.core.json_file import kind
from delineate.core.polygons import MAX_COORDINATE
from delineate.data.pictures import Broken
from delineate.errors import DataError

CROWD = "iscrowd"
"""The attribute by which Delineate's own files mark crowds."""

ONLY_CLASS = "object"
"""What the objects of a file are whose regions have no attributes at all."""

_USUAL = ("label", "class", "name", "type", "category")

JsonObject = Mapping[str, Any]


def class_attribute(regions: Iterable[JsonObject]) -> str | None:
    """Return the attribute that says what a region is: the one that all share, or a usual one.

    Returns:
        Its name; None where no region has any.

    Raises:
        DataError: Several may be it.
    """
    count, used = 0, Counter[str]()
    for region in regions:
        attributes = region.get("region_attributes")
        if isinstance(attributes, dict):
            count += 1
            used.update(
                name for name, value in attributes.items() if name != CROWD and _chosen(value)
            )
    if not used:
        return None
    shared = [name for name, times in used.items() if times == count] or list(used)
    usual = [name for name in shared if name.strip().lower() in _USUAL]
    for candidates in (shared, usual):
        if len(candidates) == 1:
            return candidates[0]
    shown = ", ".join(repr(name[:40]) for name in sorted(used)[:10])
    raise DataError(
        f"expected one attribute of regions that says their class, such as 'class', got {shown}: "
        "rename the right one to 'class', or remove the others."
    )


def class_of(region: JsonObject, attribute: str | None) -> str:
    """Return the class of a region.

    Raises:
        Broken: It has none, or several.
    """
    if attribute is None:
        return ONLY_CLASS
    attributes = region.get("region_attributes")
    chosen = _chosen(attributes.get(attribute)) if isinstance(attributes, dict) else []
    if len(chosen) > 1:
        raise Broken(
            f"expected one class as {attribute!r}, got {' and '.join(chosen[:3])}", "choose one"
        )
    if not chosen:
        raise Broken(f"it has no class as {attribute!r}", "name its class")
    return chosen[0]


def is_crowd(region: JsonObject) -> bool:
    """Tell whether a region is marked as a crowd."""
    attributes = region.get("region_attributes")
    value = attributes.get(CROWD) if isinstance(attributes, dict) else None
    return bool(_chosen(value)) and _chosen(value)[0].lower() not in ("0", "no", "false")


def outline(region: JsonObject) -> list[Any]:
    """Return the outline of a region, ``[x1, y1, x2, y2, ...]`` in pixels.

    VIA draws on a canvas: a coordinate is that of an edge of pixels, as everywhere in Delineate.

    Raises:
        Broken: It is none, or encloses nothing.
        DataError: Its numbers are none.
    """
    shape = region.get("shape_attributes")
    if not isinstance(shape, dict):
        raise Broken(f"expected its shape as 'shape_attributes', got {kind(shape)}", "draw it anew")
    match shape.get("name"):
        case "polygon":
            xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
            if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
                raise Broken(
                    "expected as many coordinates in 'all_points_x' as in 'all_points_y', got "
                    f"{kind(xs)} and {kind(ys)}",
                    "draw it anew",
                )
            return [value for point in zip(xs, ys, strict=True) for value in point]
        case "rect":
            x, y, width, height = _numbers(shape, "x", "y", "width", "height")
            if min(width, height) <= 0:
                raise Broken(f"it is a rectangle of {width} x {height}", "draw it anew")
            right, bottom = x + width, y + height
            return [x, y, right, y, right, bottom, x, bottom]
        case "circle":
            x, y, radius = _numbers(shape, "cx", "cy", "r")
            return _ellipse(x, y, radius, radius, 0.0)
        case "ellipse":
            x, y, rx, ry, theta = _numbers({"theta": 0, **shape}, "cx", "cy", "rx", "ry", "theta")
            return _ellipse(x, y, rx, ry, math.degrees(theta))
        case "polyline" | "point" as name:
            raise Broken(f"it is a {name}, which has no area", "draw its outline, or remove it")
        case name:
            raise Broken(
                f"expected a polygon, rect, circle or ellipse, got {kind(name)}", "draw it anew"
            )


def _ellipse(x: float, y: float, rx: float, ry: float, degrees: float) -> list[float]:
    corners: list[float] = ellipse_polygon((x, y), (rx, ry), degrees).ravel().tolist()
    return corners


def _numbers(shape: JsonObject, *names: str) -> list[float]:
    values: list[Any] = [shape.get(name) for name in names]
    for name, value in zip(names, values, strict=True):
        if not all_numbers([value]) or not abs(value) <= MAX_COORDINATE:  # true for NaN
            raise Broken(
                f"expected a number up to {MAX_COORDINATE:.0f} as {name!r}, got {kind(value)}",
                "draw it anew",
            )
    return values


def _chosen(value: object) -> list[str]:
    """Return what is chosen in an attribute: a text, or some of several check boxes."""
    match value:
        case bool():
            return []
        case str() | int():
            return [str(value)] if str(value).strip() else []
        case dict():
            return [name for name, is_set in value.items() if is_set is True and name.strip()]
    return []
