"""SyntheticScenes: drawn pictures of things on a table, with exact visible masks."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.data.layers import Stack
from delineate.data.painting import paint
from delineate.data.sample import ImageRecord, Problem, Sample
from delineate.data.shapes import SHAPES, TAU, Shape, Thing
from delineate.errors import DataError, nearest

RADII = (0.055, 0.24)  # smallest and largest, of the picture's shorter side
LEAST_SIDE = 32
TRIES = 6  # places tried for each thing before a crowded scene makes do with fewer


class SyntheticScenes:
    """Scenes of textured, shaded things that lie beside, against and upon one another.

    Scene `i` depends on `seed` and `i` alone. A mask holds exactly the pixels at whose centre its
    thing is the one in front; a thing of which less than a quarter or fewer than 20 pixels would
    show is not left in a scene. Nothing is stored: a scene is drawn, in milliseconds, on demand.

    Args:
        count: Number of scenes.
        size: (height, width) of each.
        seed: Another seed, other scenes.
        classes: Names out of `SHAPES`, in label order; all of them by default.
        objects: Fewest and most things in a scene (a crowded scene may hold fewer).
        radii: Smallest and largest radius of a thing, as shares of the scene's short side.

    Raises:
        DataError: A class is unknown or named twice, or a number makes no sense.
    """

    def __init__(
        self,
        count: int,
        *,
        size: tuple[int, int] = (192, 192),
        seed: int = 0,
        classes: Sequence[str] | None = None,
        objects: tuple[int, int] = (4, 11),
        radii: tuple[float, float] = RADII,
    ) -> None:
        names = tuple(SHAPES) if classes is None else tuple(classes)
        if not names:
            raise DataError("expected at least one class of synthetic shapes, got none: name one.")
        for name in names:
            if name not in SHAPES:
                raise DataError(f"no synthetic shape is called {name!r}: {nearest(name, SHAPES)}")
        if count < 0 or seed < 0 or min(size) < LEAST_SIDE or not 0 <= objects[0] <= objects[1]:
            raise DataError(
                "expected count >= 0, seed >= 0, sides of at least "
                f"{LEAST_SIDE} pixels and 0 <= fewest <= most objects, got count={count}, "
                f"seed={seed}, size={size}, objects={objects}: change what differs."
            )
        self.name = "synthetic"
        self.classes = ClassMap.from_names(names)
        self.problems: tuple[Problem, ...] = ()
        self.records = tuple(
            ImageRecord(image_id=i + 1, name=f"scene_{seed}_{i:05d}.png", path=None, size=size)
            for i in range(count)
        )
        self._size = size
        self._seed = seed
        self._shapes = tuple(SHAPES[name] for name in names)
        if not 0 < radii[0] <= radii[1] < 1:
            raise DataError(
                f"expected 0 < smallest <= largest radius < 1, got {radii}: they are shares of the "
                "scene's short side."
            )
        self._objects = objects
        self._radii = radii

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        record = self.records[index]
        rng, things, stack = self._lay_out(index)
        return Sample(
            image=paint(things, self._size, rng),
            instances=stack.instances(),
            image_id=record.image_id,
            name=record.name,
        )

    def instances(self, index: int) -> Instances:
        """The instances of scene `index`, which is laid out but not painted."""
        _, _, stack = self._lay_out(index)
        return stack.instances()

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """(n,) visible pixels of each thing of scene `index`."""
        masks = self.instances(index).masks
        assert masks is not None
        return masks.areas.astype(np.float64)

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """(n, 4) x, y, width, height of what is visible of each thing of scene `index`."""
        return xyxy_to_xywh(self.instances(index).boxes)

    def _lay_out(self, index: int) -> tuple[np.random.Generator, list[Thing], Stack]:
        index = range(len(self))[index]
        rng = np.random.default_rng([self._seed, index])
        return rng, *lay_out(self._shapes, self._size, self._objects, rng, radii=self._radii)


def lay_out(
    shapes: Sequence[Shape],
    size: tuple[int, int],
    objects: tuple[int, int],
    rng: np.random.Generator,
    *,
    radii: tuple[float, float] = RADII,
) -> tuple[list[Thing], Stack]:
    """Put things one upon another, each new one in front of those before it.

    Args:
        shapes: By label.
        size: (height, width).
        objects: Fewest and most things.
        rng: The only source of chance.
        radii: See `SyntheticScenes`.

    Returns:
        The things from back to front, and what is seen of each.
    """
    wanted = int(rng.integers(objects[0], objects[1] + 1))
    stack = Stack(size)
    things: list[Thing] = []
    for _ in range(TRIES * wanted):
        if len(things) == wanted:
            break
        thing = _propose(shapes, size, things, rng, radii)
        if stack.offer(thing.piece(thing.label, {})):
            things.append(thing)
    return things, stack


def _propose(
    shapes: Sequence[Shape],
    size: tuple[int, int],
    things: Sequence[Thing],
    rng: np.random.Generator,
    radii: tuple[float, float],
) -> Thing:
    """A thing of any class anywhere or, one time in three, another of a class against the first."""
    smallest, largest = (share * min(size) for share in radii)
    label, base = int(rng.integers(len(shapes))), int(rng.integers(100))
    radius = smallest * (largest / smallest) ** rng.random()
    x, y = rng.random() * size[1], rng.random() * size[0]
    if things and rng.random() < 1 / 3:
        mate = things[int(rng.integers(len(things)))]
        label = mate.label
        base = mate.base if rng.random() < 0.5 else base
        radius = mate.radius * rng.uniform(0.75, 1.25)
        apart, towards = (radius + mate.radius) * rng.uniform(0.7, 0.95), rng.random() * TAU
        x = mate.centre[0] + apart * float(np.cos(towards))
        y = mate.centre[1] + apart * float(np.sin(towards))
    shape = shapes[label]
    return Thing.place(
        shape,
        label=label,
        base=base % len(shape.palette),
        traits=(rng.random(), rng.random(), rng.random(), rng.random()),
        centre=(x, y),
        radius=radius,
        turn=rng.random() * TAU,
    )
