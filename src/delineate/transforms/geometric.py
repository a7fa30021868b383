"""Flips, turns, shears and tilts, each a step that proposes a map; Warp applies them as one.

A step never touches a pixel. `Warp` multiplies the maps of all its steps and interpolates the image
and each mask once, so that a long chain costs no more, and blurs no more, than a single change, and
what one step has pushed out another can bring back. Steps that change the size of the picture are
in `delineate.transforms.framing`.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from delineate.core import boxes as box
from delineate.core.boxes import Boxes, Size
from delineate.core.geometry import Geometry
from delineate.core.panoptic import VOID_STUFF
from delineate.data.sample import Sample
from delineate.transforms.base import check_option


class Step(Protocol):
    """Proposes how an image of `size` is to be moved."""

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """Return a map that starts from `size`.

        Args:
            size: (height, width) that the steps before have led to.
            boxes: (n, 4) objects' boxes where the steps before have put them.
            rng: The only source of chance.
        """
        ...


@dataclass(frozen=True, slots=True)
class Warp:
    """Applies steps as one map: one interpolation of the image, one of each mask.

    Boxes become those of the moved masks. Of an object the share counts that remains in the picture
    of the area that it would have if the picture had no end: an object that shrinks with everything
    else keeps its whole share, one that the picture's edge cuts in two has half of it. A crowd
    region stays as long as a pixel of it does (`Instances.warp`). Stuff moves along, and what comes
    in from outside is void.

    Attributes:
        steps: In order.
        min_visible: An object of which a smaller share is left is dropped.
    """

    steps: tuple[Step, ...]
    min_visible: float = 0.25

    def __post_init__(self) -> None:
        check_option(
            0 <= self.min_visible <= 1, "min_visible", "a share from 0 to 1", self.min_visible
        )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the moved sample; the very same one where nothing moves."""
        instances = sample.instances
        still = geometry = Geometry.identity(instances.image_size)
        for step in self.steps:
            moved = step(geometry.target, geometry.boxes(instances.boxes), rng)
            geometry = geometry.then(moved)
        if geometry.target == still.target and np.array_equal(geometry.matrix, still.matrix):
            return sample
        reach = box.area(box.clip(geometry.boxes(instances.boxes), geometry.target))
        if not reach.all():
            instances = instances[reach > 0]  # masks that leave the picture aren't decoded
        return replace(
            sample,
            image=geometry.image(sample.image),
            instances=instances.warp(geometry, min_visible=self.min_visible),
            stuff=None if sample.stuff is None else geometry.labels(sample.stuff, VOID_STUFF),
        )


@dataclass(frozen=True, slots=True)
class Flip:
    """Mirrors left and right, or top and bottom, with probability `p`."""

    p: float = 0.5
    vertical: bool = False

    def __post_init__(self) -> None:
        check_option(0 <= self.p <= 1, "p", "a probability", self.p)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        if rng.random() < self.p:
            return Geometry.flip(size, horizontal=not self.vertical)
        return Geometry.identity(size)


@dataclass(frozen=True, slots=True)
class QuarterTurn:
    """Turns by 0, 90, 180 or 270 degrees, all equally likely: for pictures that have no up.

    Height and width change places after 90 and 270. Together with `Flip` it gives all eight
    positions of a square.
    """

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        height, width = size
        match int(rng.integers(4)):
            case 1:
                return Geometry.affine(size, [[0, -1, height], [1, 0, 0]], (width, height))
            case 2:
                return Geometry.affine(size, [[-1, 0, width], [0, -1, height]], size)
            case 3:
                return Geometry.affine(size, [[0, 1, 0], [-1, 0, width]], (width, height))
            case _:
                return Geometry.identity(size)


@dataclass(frozen=True, slots=True)
class Rotate:
    """Rotates about the centre by an angle drawn from -degrees to degrees; the size stays.

    Corners of the picture leave it, and the fill of `Geometry.image` comes in.
    """

    degrees: float

    def __post_init__(self) -> None:
        check_option(0 <= self.degrees <= 180, "degrees", "an angle from 0 to 180", self.degrees)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees))
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = size[1] / 2, size[0] / 2
        matrix = [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]]
        return Geometry.affine(size, matrix, size)


@dataclass(frozen=True, slots=True)
class Shear:
    """Slants the picture about its centre: along x, then along y; sizes and areas stay.

    Each of the two angles is drawn from -degrees to degrees.
    """

    degrees: float

    def __post_init__(self) -> None:
        check_option(0 <= self.degrees <= 45, "degrees", "an angle from 0 to 45", self.degrees)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        a, b = np.tan(np.deg2rad(rng.uniform(-self.degrees, self.degrees, 2)))
        linear = np.array([[1, a], [b, 1 + a * b]])
        centre = np.array([size[1] / 2, size[0] / 2])
        return Geometry.affine(size, np.column_stack([linear, centre - linear @ centre]), size)


@dataclass(frozen=True, slots=True)
class Perspective:
    """Tilts the picture: each corner moves, along x and along y, by a share of that side.

    The eight shares are drawn from -strength to strength. As corners move in as often as out, the
    picture keeps its size on average. At its corners lengths change by less than three times the
    strength in nine of ten pictures.
    """

    strength: float

    def __post_init__(self) -> None:
        # From a quarter on, three corners may come to lie in a line.
        check_option(0 <= self.strength <= 0.2, "strength", "a share from 0 to 0.2", self.strength)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        shares = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + rng.uniform(
            -self.strength, self.strength, (4, 2)
        )
        return Geometry.perspective(size, shares * (size[1], size[0]), size)


@dataclass(frozen=True, slots=True)
class Translate:
    """Shifts the picture by whole pixels: along x and y by a share of that side.

    The two shares are drawn from -share to share.
    """

    share: float

    def __post_init__(self) -> None:
        check_option(0 <= self.share <= 1, "share", "a share from 0 to 1", self.share)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        (height, width), shares = size, rng.uniform(-self.share, self.share, 2)
        x, y = np.rint(shares * (width, height)).astype(int).tolist()
        return Geometry.crop(size, (-x, -y, width - x, height - y))
