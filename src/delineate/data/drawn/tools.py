"""Tools on a workbench: wrench, hammer, screwdriver, screw and nut, put together from primitives.

Each lies along u. Steel parts and handles are two tones of one shape: the surface says which pixel
is of which.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from delineate.data.drawn.solids import bar, corners, disc
from delineate.data.layers import Field
from delineate.data.shapes import TAU, Colour, Outline, Shape, Surface, Traits

Tone = tuple[float, float, float]

_STEEL: tuple[Colour, ...] = ((150, 154, 160), (112, 116, 122), (184, 186, 188), (88, 88, 92))
_BRASS: Colour = (190, 158, 86)
_WOOD: tuple[Colour, ...] = ((188, 142, 88), (150, 100, 58))
_GRIPS: tuple[Colour, ...] = (
    (196, 44, 40),
    (34, 76, 160),
    (228, 178, 36),
    (36, 120, 70),
    (44, 44, 48),
)
_SLANT = 0.26  # radians between the jaw of a wrench and its shaft
_SIX = tuple(k * TAU / 6 for k in range(6))


def _wrench(u: Field, v: Field, traits: Traits) -> Field:
    """An open jaw, slanted, at one end, a ring at the other."""
    half = 0.085 + 0.03 * traits[0]
    big, small = 0.25 + 0.04 * traits[1], 0.19 + 0.03 * traits[2]
    shaft = bar(u, v, (-0.8, 0.75), half * (1 - 0.25 * np.cos(3 * u)), 0.02)
    head = disc(u, v, 0.98 - big, 0, big)
    ring = disc(u, v, small - 0.98, 0, small)
    cos, sin = math.cos(_SLANT), math.sin(_SLANT)
    x = u - (0.98 - big)
    along, across = cos * x + sin * v, cos * v - sin * x
    jaw = bar(along, across, (-0.05, 0.6), 0.42 * big, 0.04)
    hole = corners(u - (small - 0.98), v, _SIX, 0.6 * small)
    whole = np.minimum(np.minimum(shaft, head), ring)
    return np.maximum(whole, -np.minimum(jaw, hole))


def _hammer(u: Field, v: Field, traits: Traits) -> Field:
    handle = bar(u, v, (-0.97, 0.6), (0.06 + 0.03 * traits[0]) * (1 - 0.25 * u), 0.03)
    return np.minimum(handle, _hammer_head(u, v, traits))


def _hammer_head(u: Field, v: Field, traits: Traits) -> Field:
    """A block with a face on one side and a claw or a peen, bent a little, on the other."""
    bent = u - 0.58 - 0.1 * traits[1] + (0.5 + 0.4 * traits[2]) * np.square(np.minimum(v, 0))
    thick = 0.15 + 0.13 * np.minimum(v, 0)
    body = np.maximum(np.abs(bent) - thick, np.abs(v) - 0.5 - 0.08 * traits[3])
    face = np.maximum(np.abs(bent) - 0.18, np.abs(v - 0.43) - 0.1)
    return np.minimum(body, face)


def _screwdriver(u: Field, v: Field, traits: Traits) -> Field:
    shaft = bar(u, v, (-0.3, 0.97), 0.035 + 0.02 * traits[0] + 0.03 * np.clip(8 * u - 7, 0, 1))
    return np.minimum(_grip(u, v, traits), shaft)


def _grip(u: Field, v: Field, traits: Traits) -> Field:
    half = 0.14 + 0.05 * traits[1] - 0.035 * np.exp(-np.square((u + 0.3) / 0.1))
    return bar(u, v, (-0.97, -0.2 - 0.15 * traits[2]), half, 0.09)


def _screw(u: Field, v: Field, traits: Traits) -> Field:
    half = 0.13 + 0.04 * traits[0]
    thread = 0.025 * np.sin((40 + 20 * traits[1]) * u) * (u > -0.45 + 0.3 * traits[2])
    point = np.maximum(0.45 * (u - 0.97) + half, 0)
    shank = np.maximum(bar(u, v, (-0.8, 0.97), half, 0.01) - thread, np.abs(v) - half + point)
    tall = 0.3 + 0.1 * traits[3]
    head = bar(u, v, (-0.87, -0.62), tall * np.clip(0.6 - 1.6 * (u + 0.65), 0.4, 1), 0.03)
    return np.minimum(shank, head)


def _nut(u: Field, v: Field, traits: Traits) -> Field:
    return np.maximum(corners(u, v, _SIX, 0.96), -disc(u, v, 0, 0, 0.4 + 0.12 * traits[0]))


def _brushed(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    """Fine scratches along, and some rust."""
    scratches: Field = np.sin(90 * v + 5 * grain + 3 * u)
    return 0.3 + 0.15 * scratches + np.clip(2 * (grain - 1.2 + 0.7 * traits[5]), 0, 0.6)


def _threaded(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    thread: Field = np.sin((40 + 20 * traits[1]) * u + 6 * v) * (u > -0.45 + 0.3 * traits[2])
    return 0.3 + 0.4 * thread + 0.1 * grain


def _steel_head(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    head = _hammer_head(u, v, traits) < 0.01
    return np.where(head, 0.9 + 0.1 * grain, 0.06 * np.sin(50 * v + 9 * grain))


def _steel_shaft(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    grip = _grip(u, v, traits) < 0.01
    ribs = 0.12 * np.sin((60 + 30 * traits[4]) * v) * (u < -0.4)
    return np.where(grip, np.abs(ribs), 0.95 + 0.05 * grain)


def _against(base: Colour, other: Colour) -> Tone:
    """Return the factor, by channel, that makes `other` of `base`."""
    red, green, blue = (b / a for a, b in zip(base, other, strict=True))
    return red, green, blue


_RUSTY = (0.72, 0.62, 0.56)
_DULL = (0.6, 0.6, 0.62)


def _of_steel(name: str, outline: Outline, surface: Surface, other: Tone, rim: float) -> Shape:
    return Shape(outline, surface, (*_STEEL, _BRASS), second=other, rim=rim, gloss=0.8, name=name)


def _with_handle(
    name: str, outline: Outline, surface: Surface, handle: Colour, steel: Colour
) -> Shape:
    other = _against(handle, steel)
    return Shape(outline, surface, (handle,), second=other, rim=0.09, gloss=0.5, name=name)


TOOLS: Mapping[str, tuple[Shape, ...]] = MappingProxyType(
    {
        "wrench": (_of_steel("wrench", _wrench, _brushed, _RUSTY, 0.08),),
        "hammer": tuple(
            _with_handle("hammer", _hammer, _steel_head, handle, steel)
            for handle, steel in zip((*_WOOD, *_GRIPS), 2 * _STEEL, strict=False)
        ),
        "screwdriver": tuple(
            _with_handle("screwdriver", _screwdriver, _steel_shaft, handle, steel)
            for handle, steel in zip(_GRIPS, 2 * _STEEL, strict=False)
        ),
        "screw": (_of_steel("screw", _screw, _threaded, _DULL, 0.12),),
        "nut": (_of_steel("nut", _nut, _brushed, _RUSTY, 0.14),),
    }
)
"""The variants of each tool; they differ in colour."""
