"""Worlds in which things are found together: what lies in them, on what, in which light.

Nuclei do not lie on workbenches: each scene is set in one world, and shows those of the classes
asked for that belong there. What else may lie there is drawn, too, and not labelled: clutter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from delineate.core.boxes import Size
from delineate.data.drawn.camera import Camera, Range
from delineate.data.drawn.cells import NUCLEUS, Fluorescence, Section
from delineate.data.drawn.solids import BLOB, BOX, PALLET, POLYGON
from delineate.data.drawn.text import TEXT, Page
from delineate.data.drawn.tools import TOOLS
from delineate.data.grounds import STUFF
from delineate.data.layers import Field, Layer
from delineate.data.painting import light_from_above, shaded, two_tones
from delineate.data.shapes import SHAPES, Shape, Thing

Coat = Callable[[Thing, Field, np.random.Generator], Layer]
"""Paints one thing: (thing, grain, rng) to its layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One picture's world: a ground, a light (None: nothing casts a shadow), a painter."""

    ground: Field
    light: Field | None
    coat: Coat


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A kind of world.

    Attributes:
        shapes: The variants of each class that belongs there.
        clutter: What else may lie there.
        radii: Smallest and largest radius of a thing, as shares of the picture's short side.
        spread: Factor between the sizes of things in one picture, either way.
        together: Share of things that are put against another one.
        tilt: Largest turn in radians, either way.
        columns: Things stand in columns, as on a page, instead of lying anywhere.
        stage: Makes one such world.
        camera: How it is taken.
    """

    shapes: Mapping[str, tuple[Shape, ...]]
    clutter: tuple[Shape, ...]
    radii: Range
    spread: float
    together: float
    tilt: float = np.pi
    columns: bool = False
    stage: Callable[[Size, np.random.Generator], Stage]
    camera: Camera


def _solid(light: Field, size: Size) -> Coat:
    """Return the painter of solid things in a light, in a picture of `size`."""

    def coat(thing: Thing, grain: Field, rng: np.random.Generator) -> Layer:
        thing = thing.trimmed(size)
        tones, distance = shaded(thing, light, grain, rng)
        return Layer(
            tones=tones,
            cover=np.clip(0.5 - distance, 0, 1),
            origin=thing.origin,
            lift=1 + 0.12 * thing.radius * min(4 * thing.shape.rim, 1.2),
        )

    return coat


def _bench(size: Size, rng: np.random.Generator) -> Stage:
    light = light_from_above(rng)
    grounds = (two_tones, two_tones, STUFF["sand"], STUFF["road"], STUFF["grass"])
    ground = grounds[rng.integers(len(grounds))](size, rng)
    return Stage(ground=ground, light=light, coat=_solid(light, size))


def _yard(size: Size, rng: np.random.Generator) -> Stage:
    light = light_from_above(rng)
    ground = (STUFF["road"] if rng.random() < 0.6 else two_tones)(size, rng)
    return Stage(ground=ground, light=light, coat=_solid(light, size))


def _dark_field(size: Size, rng: np.random.Generator) -> Stage:
    slide = Fluorescence.any(rng)
    return Stage(ground=slide.ground(size, rng), light=None, coat=slide.coat)


def _section(size: Size, rng: np.random.Generator) -> Stage:
    slide = Section.any(rng)
    return Stage(ground=slide.ground(size, rng), light=None, coat=slide.coat)


def _page(size: Size, rng: np.random.Generator) -> Stage:
    page, light = Page.any(rng), light_from_above(rng)
    solid = _solid(light, size)

    def coat(thing: Thing, grain: Field, rng: np.random.Generator) -> Layer:
        return (page.coat if thing.shape is TEXT else solid)(thing, grain, rng)

    return Stage(ground=page.ground(size, rng), light=light, coat=coat)


_ANY_TOOL = tuple(shape for variants in TOOLS.values() for shape in variants)
_MICROSCOPE = Camera(
    motion_share=0.0, tint=(-0.02, 0.02), gradient=(0.0, 0.12), vignette=(0.0, 0.2)
)

SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "bench": Setting(
            shapes=MappingProxyType(
                {"blob": (BLOB,), "polygon": (POLYGON,), "tool": _ANY_TOOL, **TOOLS}
            ),
            clutter=(*SHAPES.values(),),
            radii=(0.06, 0.26),
            spread=2.2,
            together=0.3,
            stage=_bench,
            camera=Camera(),
        ),
        "yard": Setting(
            shapes=MappingProxyType({"pallet": (PALLET,), "box": (BOX,)}),
            clutter=(POLYGON, BLOB, SHAPES["brick"], SHAPES["ring"]),
            radii=(0.08, 0.28),
            spread=1.7,
            together=0.5,
            stage=_yard,
            camera=Camera(),
        ),
        "fluorescence": Setting(
            shapes=MappingProxyType({"cell": (NUCLEUS,)}),
            clutter=(),
            radii=(0.025, 0.085),
            spread=1.35,
            together=0.45,
            stage=_dark_field,
            camera=_MICROSCOPE,
        ),
        "section": Setting(
            shapes=MappingProxyType({"cell": (NUCLEUS,)}),
            clutter=(),
            radii=(0.025, 0.08),
            spread=1.35,
            together=0.4,
            stage=_section,
            camera=_MICROSCOPE,
        ),
        "page": Setting(
            shapes=MappingProxyType({"text": (TEXT,)}),
            clutter=(POLYGON, *TOOLS["screw"], *TOOLS["nut"], SHAPES["leaf"]),
            radii=(0.05, 0.12),
            spread=1.0,
            together=0.0,
            tilt=0.06,
            columns=True,
            stage=_page,
            camera=Camera(exposure=(0.85, 1.1), defocus=(0.2, 0.7), motion=(1.5, 3.0)),
        ),
    }
)
"""Every world by name."""

FAMILIES = ("blob", "polygon", "tool", "cell", "text", "pallet", "box")
"""The classes drawn unless others are asked for; "tool" stands for all of `TOOLS`."""

CLASSES = tuple(dict.fromkeys((*FAMILIES, *TOOLS)))
"""Every class that can be drawn."""
