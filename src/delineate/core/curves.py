"""Curves as polygons, for the formats whose objects may be circles and ellipses."""

import math

import numpy as np
import numpy.typing as npt

from delineate.core.foreign import all_numbers, short
from delineate.core.polygons import MAX_COORDINATE
from delineate.errors import DataError

_TOLERANCE = 0.1  # largest distance between curve and polygon, in pixels
_FEWEST = 16  # corners


def ellipse_polygon(
    centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0
) -> npt.NDArray[np.float64]:
    """Return a polygon of an ellipse's area, nowhere more than 0.1 pixels away from it.

    Args:
        centre: ``(x, y)`` in pixels.
        radii: Half of its width and of its height before it is turned, in pixels.
        angle: By how many degrees it is turned, clockwise on the screen.

    Returns:
        ``(k, 2)`` corners ``(x, y)``, the first not repeated.

    Raises:
        DataError: A number is none, or beyond a million pixels, or a radius is not above 0.
    """
    values = (*centre, *radii, angle)
    if not all_numbers(values) or not all(abs(v) <= MAX_COORDINATE for v in values):
        raise DataError(
            "an ellipse's centre, radii and angle must be finite numbers up to "
            f"{MAX_COORDINATE:.0f}, and {short(values)} came: correct or remove it."
        )
    if min(radii) <= 0:
        raise DataError(
            f"an ellipse's radii must be above 0, and {short(radii)} came: draw it anew, or "
            "remove it."
        )
    # A chord of a circle leaves its arc by r (1 - cos(pi / k)).
    depth = min(1.0, _TOLERANCE / max(radii))
    corners = max(_FEWEST, math.ceil(math.pi / math.acos(1 - depth)))
    wider = math.sqrt(2 * math.pi / (corners * math.sin(2 * math.pi / corners)))
    turns = 2 * math.pi * np.arange(corners) / corners
    x, y = radii[0] * wider * np.cos(turns), radii[1] * wider * np.sin(turns)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.column_stack([centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos])
