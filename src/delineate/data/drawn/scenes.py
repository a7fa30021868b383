"""DrawnScenes: endless pictures of things in several worlds, drawn on demand."""

from collections.abc import Sequence

import numpy as np

from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.core.image import ImageArray
from delineate.data.drawn.camera import Camera
from delineate.data.drawn.layout import lay_out
from delineate.data.drawn.settings import CLASSES, FAMILIES, SETTINGS, Setting
from delineate.data.drawn.tools import TOOLS
from delineate.data.layers import blend
from delineate.data.painting import noise
from delineate.data.shapes import Shape, Thing
from delineate.data.synth import Laid, SynthDataset
from delineate.errors import DataError, nearest

LEAST_SIDE = 64
_MOST_GRAIN = 1024  # pixels: side of the noise that textures are cut from


class DrawnScenes(SynthDataset):
    """Drawn pictures with exact visible and whole masks.

    Each is set in one world (`delineate.data.drawn.settings`): a workbench, a yard, two
    microscopes, a page. Light, ground, colours, shapes, sizes, clutter and the camera's faults are
    drawn anew for each. At least a quarter and 20 pixels of each object show.

    Args:
        count: Number of scenes.
        classes: Names out of `settings.CLASSES`, in label order; None: all `FAMILIES`.
        size: (height, width) of each.
        objects: Fewest and most labelled things in a scene (a crowded one may hold fewer).
        clutter: Fewest and most things that are not labelled; microscopes show none.
        seed: Another seed, other scenes.
        first: Number of the first scene.
        camera: Ranges of what befalls the picture; None: those of each world.

    Raises:
        DataError: A class is unknown or named twice, or a number makes no sense.
    """

    def __init__(
        self,
        count: int,
        *,
        classes: Sequence[str] | None = None,
        size: Size = (512, 512),
        objects: tuple[int, int] = (5, 20),
        clutter: tuple[int, int] = (0, 6),
        seed: int = 0,
        first: int = 0,
        camera: Camera | None = None,
    ) -> None:
        names = _checked(FAMILIES if classes is None else classes)
        super().__init__("drawn", ClassMap.from_names(names), count, seed, first)
        for what, (fewest, most) in (("objects", objects), ("clutter", clutter)):
            if not 0 <= fewest <= most:
                raise DataError(
                    f"expected 0 <= fewest <= most {what}, got {fewest} and {most}: swap or raise "
                    "them."
                )
        if min(size) < LEAST_SIDE:
            raise DataError(
                f"expected pictures of at least {LEAST_SIDE} x {LEAST_SIDE} pixels to draw on, got "
                f"{size[1]} x {size[0]}: ask for larger ones."
            )
        self._of_size = size
        self._objects = objects
        self._clutter = clutter
        self._camera = camera
        self._worlds = tuple(
            name for name, world in SETTINGS.items() if not set(names).isdisjoint(world.shapes)
        )
        self._strangers = {name: _strangers(SETTINGS[name], names) for name in self._worlds}

    def _size(self, number: int) -> Size:
        return self._of_size

    def _lay_out(self, number: int) -> Laid:
        rng = self._chance(number)
        name = self._worlds[rng.integers(len(self._worlds))]
        counts = [int(rng.integers(low, high + 1)) for low, high in (self._objects, self._clutter)]
        origin = {"method": "drawn", "seed": self._seed, "image": number, "world": name}
        stack, things = lay_out(
            SETTINGS[name],
            self.classes.names,
            self._strangers[name],
            self._of_size,
            (counts[0], counts[1]),
            rng,
            origin,
        )

        def paint() -> ImageArray:
            return self._painted(SETTINGS[name], things, self._chance(number, 1))

        return stack, paint

    def _painted(
        self, world: Setting, things: Sequence[Thing], rng: np.random.Generator
    ) -> ImageArray:
        stage = world.stage(self._of_size, rng)
        side = max((len(thing.outline) for thing in things), default=1)
        side = min(2 * side, max(side + 1, _MOST_GRAIN))
        grain = np.clip(noise((side, side), 6, rng), -1, 1)
        canvas = stage.ground
        for thing in things:
            blend(canvas, stage.coat(thing, grain, rng), stage.light)
        return (self._camera or world.camera).expose(canvas, rng)


def _strangers(world: Setting, names: Sequence[str]) -> tuple[Shape, ...]:
    """Return what may lie in a world and is of none of the classes named."""
    every = SETTINGS.values()
    known = {shape for w in every for name in names for shape in w.shapes.get(name, ())}
    here = (*world.clutter, *(shape for shapes in world.shapes.values() for shape in shapes))
    return tuple(shape for shape in dict.fromkeys(here) if shape not in known)


def _checked(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes, all of which can be drawn."""
    if not names:
        raise DataError("expected at least one class to draw, got none: name one.")
    for name in names:
        if name not in CLASSES:
            raise DataError(
                f"no class that can be drawn is called {name!r}: {nearest(name, CLASSES)}"
            )
    if "tool" in names and (twice := sorted(set(names) & set(TOOLS))):
        raise DataError(
            "expected either 'tool', which stands for every tool, or tools by name, got 'tool' "
            f"and {twice[0]!r}: leave one of them out."
        )
    return tuple(names)
