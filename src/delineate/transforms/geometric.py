"""Flips, turns, scales and crops, each a step that proposes a map; Warp applies them as one.

A step never touches a pixel. `Warp` multiplies the maps of all its steps and interpolates the image
and each mask once, so that a long chain costs no more, and blurs no more, than a single change.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from delineate.core import boxes as box
from delineate.core.boxes import Boxes, Size
from delineate.core.geometry import Geometry
from delineate.core.panoptic import VOID_STUFF
from delineate.core.preprocess import Preprocess
from delineate.data.sample import Sample
from delineate.errors import ConfigError


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

    Attributes:
        steps: In order.
        min_visible: An object of which a smaller share is left in the picture is dropped.
    """

    steps: tuple[Step, ...]
    min_visible: float = 0.25

    def __post_init__(self) -> None:
        _check(0 <= self.min_visible <= 1, "min_visible", "a share from 0 to 1", self.min_visible)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the moved sample; the very same one where nothing moves."""
        instances = sample.instances
        still = geometry = Geometry.identity(instances.image_size)
        for step in self.steps:
            moved = step(geometry.target, geometry.boxes(instances.boxes), rng)
            geometry = geometry.then(moved)
        if geometry.target == still.target and np.array_equal(geometry.matrix, still.matrix):
            return sample
        reach = box.clip(geometry.boxes(instances.boxes), geometry.target)
        instances = instances[box.area(reach) > 0]  # masks that leave the picture aren't decoded
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
        _check(0 <= self.p <= 1, "p", "a probability", self.p)

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
        _check(0 <= self.degrees <= 180, "degrees", "an angle from 0 to 180", self.degrees)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees))
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = size[1] / 2, size[0] / 2
        matrix = [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]]
        return Geometry.affine(size, matrix, size)


@dataclass(frozen=True, slots=True)
class ScaleJitter:
    """Scales both sides by one factor, log-uniform from low to high: 0.5 is as likely as 2."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check(0 < self.low <= self.high, "low, high", "0 < low <= high", (self.low, self.high))

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        factor = self.low * (self.high / self.low) ** rng.random()
        target = max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)
        return Geometry.resize(size, target)


@dataclass(frozen=True, slots=True)
class Resize:
    """Resizes to what a model sees when it predicts, by the rule that travels with its weights."""

    rule: Preprocess

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        return self.rule.geometry(size)


@dataclass(frozen=True, slots=True)
class RandomCrop:
    """Cuts out a window of exactly `size`; where the picture is smaller, it lies somewhere within.

    A window drawn blindly from a large, sparse picture is often empty, and teaches little. So, with
    probability `near_object`, it is drawn from those that hold the centre of a random object.

    Attributes:
        size: (height, width).
        near_object: Probability of looking for an object first.
    """

    size: Size
    near_object: float = 0.5

    def __post_init__(self) -> None:
        _check(min(self.size) >= 1, "size", "two sides of at least one pixel", self.size)
        _check(0 <= self.near_object <= 1, "near_object", "a probability", self.near_object)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        height, width = self.size
        x, y = None, None
        if rng.random() < self.near_object and len(boxes):
            x1, y1, x2, y2 = boxes[rng.integers(len(boxes))].tolist()
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
        left = _start(size[1], width, x, rng)
        top = _start(size[0], height, y, rng)
        return Geometry.crop(size, (left, top, left + width, top + height))


@dataclass(frozen=True, slots=True)
class Pad:
    """Adds room at the right and at the bottom until the picture is at least `size`."""

    size: Size

    def __post_init__(self) -> None:
        _check(min(self.size) >= 1, "size", "two sides of at least one pixel", self.size)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        return Geometry.pad(size, (max(size[0], self.size[0]), max(size[1], self.size[1])))


def _start(side: int, window: int, inside: float | None, rng: np.random.Generator) -> int:
    """Draw where a window starts along one axis, so that it holds `inside` if that is possible."""
    low, high = sorted((0, side - window))
    if inside is not None:
        pixel = min(max(int(inside), 0), side - 1)
        low, high = max(low, pixel - window + 1), min(high, pixel)
    return int(rng.integers(low, high + 1))


def _check(good: bool, option: str, expected: str, got: object) -> None:
    if not good:
        raise ConfigError(f"{option} should be {expected}, but is {got}: change it.")
