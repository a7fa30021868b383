"""What lies in synthetic scenes: the outline, colours and surface of each class; a thing in place.

A shape lives in unit coordinates, `u` right and `v` down, inside the unit circle. Its outline is an
implicit function, negative inside, so a mask is exact at every pixel centre; its surface says where
the base colour gives way to a second one. `traits` in [0, 1) tell things of one class apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np

from delineate.core.boxes import Size
from delineate.data.layers import Field, Piece, Provenance, Window, overlap

Traits = tuple[float, ...]
Outline = Callable[[Field, Field, Traits], Field]
Surface = Callable[[Field, Field, Field, Traits], Field]
Colour = tuple[int, int, int]

TAU = 2 * np.pi


@dataclass(frozen=True, slots=True)
class Shape:
    """One class of things.

    Attributes:
        outline: (u, v, traits) to an implicit function, negative inside, of slope near 1.
        surface: (u, v, grain, traits) to the share of the second colour; grain is noise in -1 .. 1.
        palette: Base colours, RGB.
        second: What the base colour is multiplied with to give the second one, by channel.
        rim: Width of the rounded edge, in radii.
        gloss: Strength of the highlight, 0 to 1.
        name: What it is called where several shapes are one class.
    """

    outline: Outline
    surface: Surface
    palette: tuple[Colour, ...]
    second: tuple[float, float, float]
    rim: float
    gloss: float
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing in its place, sampled at the pixel centres of a square patch around it.

    Attributes:
        shape: Its class.
        label: The class's label in the data set.
        base: Index of its colour in the palette.
        traits: What makes it differ from others of its class.
        centre: (x, y) in pixels of the picture.
        radius: In pixels.
        origin: (x, y) of the patch's first pixel; the patch may reach out of the picture.
        u: Patch of unit coordinates.
        v: Patch of unit coordinates.
        outline: Patch of the implicit function, in pixels.
    """

    shape: Shape
    label: int
    base: int
    traits: Traits
    centre: tuple[float, float]
    radius: float
    origin: tuple[int, int]
    u: Field
    v: Field
    outline: Field

    @classmethod
    def place(
        cls,
        shape: Shape,
        *,
        label: int,
        base: int,
        traits: Traits,
        centre: tuple[float, float],
        radius: float,
        turn: float,
    ) -> "Thing":
        """Sample `shape`, `radius` pixels large and turned by `turn` radians, around `centre`."""
        reach = int(1.35 * radius) + 5  # room for its shadow
        x0, y0 = int(centre[0]) - reach, int(centre[1]) - reach
        steps = np.arange(2 * reach + 1, dtype=np.float32) + 0.5
        x = (steps + (x0 - centre[0])) / radius
        y = ((steps + (y0 - centre[1])) / radius)[:, None]
        cos, sin = float(np.cos(turn)), float(np.sin(turn))
        u, v = cos * x + sin * y, cos * y - sin * x
        return cls(
            shape=shape,
            label=label,
            base=base,
            traits=traits,
            centre=centre,
            radius=radius,
            origin=(x0, y0),
            u=u,
            v=v,
            outline=radius * shape.outline(u, v, traits),
        )

    def windows(self, size: tuple[int, int]) -> tuple[Window, Window]:
        """Where picture and patch overlap: as slices of a picture of `size`, and of the patch."""
        return overlap(self.origin, self.outline.shape, size)

    def trimmed(self, size: Size, room: int = 2) -> "Thing":
        """Return the thing on no more of its patch than it needs in a picture of `size`."""
        _, in_patch = self.windows(size)
        x, y, width, height = cv2.boundingRect((self.outline[in_patch] < 0).view(np.uint8))
        top, left = max(in_patch[0].start + y - room, 0), max(in_patch[1].start + x - room, 0)
        window = (
            slice(top, in_patch[0].start + y + height + room),
            slice(left, in_patch[1].start + x + width + room),
        )
        return replace(
            self,
            origin=(self.origin[0] + left, self.origin[1] + top),
            u=self.u[window],
            v=self.v[window],
            outline=self.outline[window],
        )

    def piece(self, label: int | None, provenance: Provenance) -> Piece:
        """Return the pixels at whose centres the thing is."""
        mask = self.outline < 0
        return Piece(label=label, mask=mask, origin=self.origin, provenance=provenance)


def _stripe(x: Field, width: float) -> Field:
    return np.exp(-np.square(x / width))


def _pebble_outline(u: Field, v: Field, traits: Traits) -> Field:
    egg = v * (1.05 + 0.3 * traits[0] + (0.5 * traits[1] - 0.25) * u)
    return np.hypot(u - (0.5 * traits[2] - 0.25) * v * v, egg) - 0.9


def _pebble_surface(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    vein = _stripe(v + (traits[3] - 0.5) * u + 0.2 * grain - 0.6 * traits[0] + 0.3, 0.08)
    return 0.3 + 0.45 * grain + 0.8 * vein * (traits[2] > 0.4)


def _from_midrib(u: Field, v: Field, traits: Traits) -> Field:
    return np.abs(v + (0.5 * traits[0] - 0.25) * (u * u - 0.5))


def _leaf_outline(u: Field, v: Field, traits: Traits) -> Field:
    half_width = (0.36 + 0.14 * traits[1]) * (1 - u * u) * (1 - 0.35 * u)
    return _from_midrib(u, v, traits) - half_width


def _leaf_surface(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    across = _from_midrib(u, v, traits)
    side = (3.4 + traits[2]) * (u - 0.9 * across)
    veins = 0.6 * _stripe(side - np.floor(side) - 0.5, 0.1)
    return np.maximum(_stripe(across, 0.04), veins) + 0.3 * grain


def _arms(u: Field, v: Field) -> Field:
    """1 along the axes of five arms, 0 halfway between them."""
    return np.square(np.cos(2.5 * np.arctan2(v, u)))


def _star_outline(u: Field, v: Field, traits: Traits) -> Field:
    reach = (0.36 + 0.08 * traits[0]) + 0.54 * _arms(u, v) ** (1.3 + 0.5 * traits[1])
    return np.hypot(u, v) - reach


def _star_surface(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    beads = np.square(np.cos((11 + 3 * traits[2]) * np.hypot(u, v)))
    ridge = np.maximum(4 * _arms(u, v) - 3, 0)
    spots: Field = np.minimum(ridge, beads) + 0.35 * grain
    return spots


def _ring_outline(u: Field, v: Field, traits: Traits) -> Field:
    half_width = 0.2 + 0.1 * traits[0]
    return np.abs(np.hypot(u, v) - (0.97 - half_width)) - half_width


def _ring_surface(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    return 0.35 + 0.5 * np.cos(2 * np.arctan2(v, u) + TAU * traits[1]) + 0.15 * grain


def _brick_outline(u: Field, v: Field, traits: Traits) -> Field:
    corner = 0.1 + 0.1 * traits[1]
    x = np.abs(u) - (0.86 - corner)
    y = np.abs(v) - (0.4 + 0.1 * traits[0] - corner)
    return np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0) - corner


def _brick_surface(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    if traits[2] < 0.5:
        return 0.25 + 0.5 * grain
    grooves = np.maximum(_stripe(np.abs(u) - 0.43, 0.05), _stripe(v, 0.05))
    return 0.25 + 0.5 * grain + grooves


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "pebble": Shape(
            _pebble_outline,
            _pebble_surface,
            ((139, 146, 154), (92, 104, 120), (178, 164, 148), (122, 96, 88), (206, 202, 194)),
            second=(1.3, 1.28, 1.24),
            rim=0.7,
            gloss=0.25,
        ),
        "leaf": Shape(
            _leaf_outline,
            _leaf_surface,
            ((84, 140, 58), (46, 110, 72), (150, 160, 50), (206, 140, 40), (172, 66, 42)),
            second=(1.35, 1.3, 1.15),
            rim=0.3,
            gloss=0.12,
        ),
        "star": Shape(
            _star_outline,
            _star_surface,
            ((226, 110, 62), (214, 72, 84), (236, 152, 70), (132, 82, 152), (228, 130, 140)),
            second=(1.3, 1.35, 1.35),
            rim=0.36,
            gloss=0.15,
        ),
        "ring": Shape(
            _ring_outline,
            _ring_surface,
            ((196, 156, 70), (150, 158, 168), (184, 112, 78), (70, 130, 140), (216, 196, 140)),
            second=(1.35, 1.35, 1.35),
            rim=0.22,
            gloss=0.7,
        ),
        "brick": Shape(
            _brick_outline,
            _brick_surface,
            ((178, 84, 62), (70, 108, 168), (222, 206, 172), (104, 84, 74), (80, 148, 130)),
            second=(0.72, 0.72, 0.74),
            rim=0.14,
            gloss=0.2,
        ),
    }
)
