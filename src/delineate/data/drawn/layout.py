"""Where the things of a drawn scene lie: scattered, against one another, or in columns."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from delineate.core.boxes import Size
from delineate.data.drawn.settings import Setting
from delineate.data.drawn.solids import TRAITS
from delineate.data.drawn.text import half_sides
from delineate.data.layers import Stack
from delineate.data.shapes import TAU, Shape, Thing, Traits

_TRIES = 6  # places tried for each thing before a crowded scene makes do with fewer
_APART = (0.55, 0.98)  # of the sum of their radii, between two things that lie together


class Place(NamedTuple):
    """Where one thing may lie."""

    centre: tuple[float, float]
    radius: float
    turn: float
    traits: Traits


class Scene(NamedTuple):
    """The things of a scene from back to front, the class of each ("" for clutter)."""

    stack: Stack
    things: list[Thing]


def lay_out(
    world: Setting,
    names: Sequence[str],
    strangers: Sequence[Shape],
    size: Size,
    counts: tuple[int, int],
    rng: np.random.Generator,
    origin: dict[str, object],
) -> Scene:
    """Fill a scene.

    Args:
        world: What belongs there.
        names: Every class that is labelled, in label order; some may not belong there.
        strangers: What else may lie there and is not labelled.
        size: (height, width).
        counts: Labelled things, and others; a crowded scene makes do with fewer.
        rng: The only source of chance.
        origin: What the provenance of every object says.
    """
    scene = Scene(Stack(size), [])
    labels = [label for label, name in enumerate(names) if name in world.shapes]
    wanted: list[int | None] = [labels[i] for i in rng.integers(len(labels), size=counts[0])]
    wanted += [None] * (counts[1] if strangers else 0)
    slots = columns(size, world.tilt, rng) if world.columns else None
    if slots is None:  # on a page, what is not written lies in front
        wanted = [wanted[i] for i in rng.permutation(len(wanted))]
    base = _between(world.radii, rng.random()) * min(size)
    for label in wanted:
        shapes = strangers if label is None else world.shapes[names[label]]
        for _ in range(_TRIES):
            shape = shapes[int(rng.integers(len(shapes)))]
            if slots is not None and label is not None:
                place = next(slots, None)
            else:
                place = _scattered(world, size, base, label, scene.things, rng)
            if place is None:
                break
            thing = _thing(shape, label, place, rng)
            known = {} if label is None else origin | _parameters(names[label], thing)
            if scene.stack.offer(thing.piece(label, known)):
                scene.things.append(thing)
                break
    return scene


def _thing(shape: Shape, label: int | None, place: Place, rng: np.random.Generator) -> Thing:
    return Thing.place(
        shape,
        label=-1 if label is None else label,
        base=int(rng.integers(len(shape.palette))),
        traits=place.traits,
        centre=place.centre,
        radius=place.radius,
        turn=place.turn,
    )


def _parameters(name: str, thing: Thing) -> dict[str, object]:
    x, y = thing.centre
    return {
        "family": name,
        "parameters": {
            "kind": thing.shape.name,
            "centre": [round(x, 2), round(y, 2)],
            "radius": round(thing.radius, 2),
        },
    }


def _scattered(
    world: Setting,
    size: Size,
    base: float,
    label: int | None,
    things: Sequence[Thing],
    rng: np.random.Generator,
) -> Place:
    """Return a place anywhere or, as often as the world has it, against another thing."""
    smallest, largest = (share * min(size) for share in world.radii)
    radius = float(np.clip(base * world.spread ** rng.uniform(-1, 1), smallest, largest))
    x, y = rng.random() * size[1], rng.random() * size[0]
    if things and rng.random() < world.together:
        mate = things[int(rng.integers(len(things)))]
        towards, apart = rng.random() * TAU, rng.uniform(*_APART) * (radius + mate.radius)
        x = mate.centre[0] + apart * float(np.cos(towards))
        y = mate.centre[1] + apart * float(np.sin(towards))
    traits = tuple(rng.random(TRAITS).tolist())
    return Place((x, y), radius, rng.uniform(-world.tilt, world.tilt), traits)


def columns(size: Size, tilt: float, rng: np.random.Generator) -> Iterator[Place]:
    """Yield the places of blocks of text, column by column, on a page that lies askew."""
    height, width = size
    count = int(rng.integers(1, 4)) if width >= 160 else 1
    turn = rng.uniform(-tilt, tilt)
    margin, gutter = rng.uniform(0.03, 0.1) * width, rng.uniform(0.03, 0.06) * width
    wide = (width - 2 * margin - (count - 1) * gutter) / count
    line = max(rng.uniform(0.022, 0.05) * height, 5.0)  # pixels
    for column in range(count):
        left, top = margin + column * (wide + gutter), rng.uniform(0.02, 0.12) * height
        while top < height:
            traits = _block(wide, line * rng.choice([1, 1, 1, 1.5]), rng)
            half_width, half_height = half_sides(traits)
            radius = wide / 2 / half_width
            x, y = left + wide / 2 - width / 2, top + half_height * radius - height / 2
            top += 2 * half_height * radius + rng.uniform(0.5, 2.0) * line
            cos, sin = float(np.cos(turn)), float(np.sin(turn))
            centre = width / 2 + cos * x - sin * y, height / 2 + sin * x + cos * y
            if top < height + line:
                yield Place(centre, radius, turn, traits)


def _block(wide: float, line: float, rng: np.random.Generator) -> Traits:
    """Return traits of a block as wide as its column whose lines have about the height wanted."""
    traits = rng.random(TRAITS)
    traits[1] = np.clip((wide / line - 10) / 22, 0, 0.999)
    return tuple(traits.tolist())


def _between(ends: tuple[float, float], share: float) -> float:
    """Interpolate a size, so that halving is as likely as doubling."""
    return float(ends[0] * (ends[1] / ends[0]) ** share)
