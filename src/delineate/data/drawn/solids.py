"""Solid things: blobs, polygons, cartons and pallets, as `Shape`s with many traits.

Distances are built as in I. Quilez, "2D distance functions"
(https://iquilezles.org/articles/distfunctions2d): exact near the outline, which is all that a mask
and a rounded rim need.
"""

import colorsys
import math
from collections.abc import Sequence

import numpy as np

from delineate.data.layers import Field
from delineate.data.shapes import TAU, Colour, Shape, Traits

TRAITS = 16
"""Traits of a drawn thing, each from 0 to 1."""

_LEAST_GAP = 0.35  # between two corners of a polygon, as a share of an even spacing


def disc(u: Field, v: Field, x: float, y: float, radius: float) -> Field:
    """Distance to a disc around (x, y)."""
    outside: Field = np.hypot(u - x, v - y) - radius
    return outside


def bar(
    u: Field, v: Field, x: tuple[float, float], half: float | Field, corner: float = 0.0
) -> Field:
    """Distance to an upright rectangle from x[0] to x[1], `half` high to either side of v = 0."""
    middle, length = (x[0] + x[1]) / 2, (x[1] - x[0]) / 2
    across = np.abs(u - middle) - (length - corner)
    along = np.abs(v) - (half - corner)
    beyond = np.hypot(np.maximum(across, 0), np.maximum(along, 0))
    distance: Field = beyond + np.minimum(np.maximum(across, along), 0) - corner
    return distance


def corners(u: Field, v: Field, angles: Sequence[float], reach: float) -> Field:
    """Distance to the convex polygon whose corners lie at `angles` on a circle."""
    inside = np.full(np.broadcast_shapes(u.shape, v.shape), -np.inf, np.float32)
    for here, there in zip(angles, [*angles[1:], angles[0] + TAU], strict=True):
        middle, half = (here + there) / 2, (there - here) / 2
        away = math.cos(middle) * u + math.sin(middle) * v - reach * math.cos(half)
        np.maximum(inside, away, out=inside)
    return inside


def _blob(u: Field, v: Field, traits: Traits) -> Field:
    """A closed curve of four waves, squeezed."""
    v = v * (1 + 0.6 * traits[0])
    angle = np.arctan2(v, u)
    reach = 0.72 + sum(
        (0.3 / (k + 1)) * (traits[k] - 0.4) * np.cos(k * angle + TAU * traits[k + 5])
        for k in range(2, 6)
    )
    outside: Field = np.hypot(u, v) - reach
    return outside


def _polygon(u: Field, v: Field, traits: Traits) -> Field:
    count = 3 + int(traits[0] * 6)
    steps = np.array([_LEAST_GAP + trait for trait in traits[2 : 2 + count]])
    steps = np.minimum(steps / steps.sum(), 0.45)  # else the middle may lie outside
    angles = TAU * np.cumsum(steps / steps.sum())
    return corners(u, v * (1 + 0.5 * traits[1]), angles.tolist(), 0.95)


def _print(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    """Plain, speckled, striped, dotted, or shaded from one end to the other."""
    many = 2 + 5 * traits[12]
    wave = np.sin(TAU * many * (u * traits[13] + v * (1 - traits[13])))
    match int(traits[11] * 5):
        case 0:
            return 0.15 * grain + 0.15
        case 1:
            return np.clip(4 * (grain - 0.3 + 0.5 * traits[14]), 0, 1)
        case 2:
            return np.clip(0.5 + 6 * (wave - 0.8 * traits[14]), 0, 1) + 0.1 * grain
        case 3:
            dots = np.sin(TAU * many * u) * np.sin(TAU * many * v)
            return np.clip(6 * (dots - 0.2 - 0.4 * traits[14]), 0, 1) + 0.1 * grain
        case _:
            return 0.5 + 0.5 * u + 0.2 * grain


def _carton(u: Field, v: Field, traits: Traits) -> Field:
    half = 0.45 + 0.25 * traits[0]
    length = 0.98 * math.sqrt(1 - half**2)
    return bar(u, v, (-length, length), half, 0.03)


def _taped(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    """A strip of tape along the middle, perhaps a label, and the fibres of the board."""
    tape = 0.6 * np.clip(20 * (0.07 - np.abs(v)), 0, 1)
    at = 0.15 + 0.2 * traits[2], 0.2 + 0.1 * traits[3]
    away = np.maximum(np.abs(u - at[0]) - 0.2, np.abs(v - at[1]) - 0.11)
    label = np.clip(-20 * away, 0, 1) * (traits[4] < 0.5)
    share: Field = np.maximum(tape, label) + 0.12 * grain
    return share


def _pallet(u: Field, v: Field, traits: Traits) -> Field:
    return bar(u, v, (-0.8, 0.8), 0.48 + 0.1 * traits[0], 0.01)


def _slats(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    """Boards across, dark gaps between them, and in the gaps the three beams below."""
    boards = 5 + int(4 * traits[1])
    along = (u / 1.6 + 0.5) * boards
    number, at = np.floor(along), along % 1
    beam = np.abs(np.abs(v) - 0.46) < 0.08
    gap = np.clip(14 * (np.abs(at - 0.5) - 0.36), 0, 1) * np.where(
        beam | (np.abs(v) < 0.08), 0.6, 1
    )
    worn = 0.2 * np.sin(12.9 * number * (1 + traits[2])) + 0.18 * np.sin(40 * v + 2.5 * grain)
    return gap + (1 - gap) * np.clip(0.14 + worn + 0.12 * grain, 0, 0.5)


def _hues(saturation: float, value: float) -> tuple[Colour, ...]:
    colours = [colorsys.hsv_to_rgb(k / 12, saturation, value) for k in range(12)]
    return tuple((round(255 * r), round(255 * g), round(255 * b)) for r, g, b in colours)


ANY_COLOUR: tuple[Colour, ...] = (
    *_hues(0.75, 0.8),
    *_hues(0.45, 0.6),
    *_hues(0.6, 0.4),
    *((60, 60, 62), (120, 122, 124), (190, 190, 188), (228, 226, 220)),
)
"""Paints for things that may have any colour."""

BLOB = Shape(_blob, _print, ANY_COLOUR, second=(0.6, 0.62, 0.66), rim=0.45, gloss=0.35, name="blob")
POLYGON = Shape(
    _polygon, _print, ANY_COLOUR, second=(1.4, 1.36, 1.3), rim=0.12, gloss=0.25, name="polygon"
)
BOX = Shape(
    _carton,
    _taped,
    ((186, 142, 92), (170, 126, 80), (200, 160, 112), (214, 206, 190), (150, 112, 76)),
    second=(1.22, 1.24, 1.3),
    rim=0.05,
    gloss=0.1,
    name="box",
)
PALLET = Shape(
    _pallet,
    _slats,
    ((196, 160, 112), (176, 146, 110), (156, 140, 120), (140, 108, 74), (92, 118, 160)),
    second=(0.2, 0.2, 0.22),
    rim=0.02,
    gloss=0.05,
    name="pallet",
)
