"""Zooms and crops: at which size a picture is shown, and which part of it.

All are steps of one `delineate.transforms.geometric.Warp`.
"""

import math
from dataclasses import dataclass

import numpy as np

from delineate.core.boxes import Boxes, Size
from delineate.core.geometry import Geometry
from delineate.core.preprocess import Preprocess
from delineate.transforms.base import check_option


@dataclass(frozen=True, slots=True)
class ScaleJitter:
    """Scales both sides by one factor, log-uniform from low to high: 0.5 is as likely as 2."""

    low: float
    high: float

    def __post_init__(self) -> None:
        ends = self.low, self.high
        check_option(0 < self.low <= self.high, "low, high", "0 < low <= high", ends)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        return _zoom(size, self.low * (self.high / self.low) ** rng.random())


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
        check_option(min(self.size) >= 1, "size", "two sides of at least one pixel", self.size)
        check_option(0 <= self.near_object <= 1, "near_object", "a probability", self.near_object)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        held = None
        if rng.random() < self.near_object and len(boxes):
            x1, y1, x2, y2 = boxes[rng.integers(len(boxes))].tolist()
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            held = x, y, x, y
        return _window(size, self.size, held, rng)


@dataclass(frozen=True, slots=True)
class LargeScaleJitter:
    """Zooms by a factor drawn evenly from low to high, then crops or pads to a fixed size.

    Ghiasi et al., Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation,
    2021, whose range is the default; theirs, too, is drawn evenly, so that half of the pictures are
    shown larger than they are. There a factor of 1 fits the picture into the fixed size; here it
    leaves it as large as the step before has made it. Where the zoomed picture is smaller than the
    fixed size it lies somewhere within, else the window is a `RandomCrop`.

    Attributes:
        low: Smallest factor.
        high: Largest.
        size: (height, width) of the result; None keeps those of the picture before the zoom.
        near_object: See `RandomCrop`.
    """

    low: float = 0.1
    high: float = 2.0
    size: Size | None = None
    near_object: float = 0.5

    def __post_init__(self) -> None:
        ends = self.low, self.high
        check_option(0 < self.low <= self.high, "low, high", "0 < low <= high", ends)
        RandomCrop(self.size or (1, 1), self.near_object)

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        zoom = _zoom(size, rng.uniform(self.low, self.high))
        crop = RandomCrop(self.size or size, self.near_object)
        return zoom.then(crop(zoom.target, zoom.boxes(boxes), rng))


@dataclass(frozen=True, slots=True)
class ZoomToObject:
    """Shows, with probability `p`, one object large, in a window that holds it wholly.

    Of large pictures with few or small objects most windows show little of them. Here a random
    object is drawn, and the picture is enlarged, never shrunk, until the object takes the drawn
    share of the window's height or width, whichever it fills first. The window lies anywhere around
    it; an object too large for it keeps its middle in it.

    Attributes:
        p: Probability; otherwise, and where there is no object, nothing changes.
        fill: Smallest and largest share, drawn log-uniformly.
        most: Largest factor of the enlargement.
        size: (height, width) of the window; None keeps those of the picture.
    """

    p: float = 0.5
    fill: tuple[float, float] = (0.2, 0.8)
    most: float = 4.0
    size: Size | None = None

    def __post_init__(self) -> None:
        low, high = self.fill
        check_option(0 <= self.p <= 1, "p", "a probability", self.p)
        check_option(0 < low <= high <= 1, "fill", "two shares, 0 < low <= high <= 1", self.fill)
        check_option(self.most >= 1, "most", "at least 1", self.most)
        RandomCrop(self.size or (1, 1))

    def __call__(self, size: Size, boxes: Boxes, rng: np.random.Generator) -> Geometry:
        """See `Step`."""
        if rng.random() >= self.p or not len(boxes):
            return Geometry.identity(size)
        window, (low, high) = self.size or size, self.fill
        x1, y1, x2, y2 = boxes[rng.integers(len(boxes))].tolist()
        share = low * (high / low) ** rng.random()
        fits = min(window[1] / max(x2 - x1, 1), window[0] / max(y2 - y1, 1))
        zoom = _zoom(size, min(max(share * fits, 1), self.most))
        [held] = zoom.boxes([[x1, y1, x2, y2]]).tolist()
        return zoom.then(_window(zoom.target, window, tuple(held), rng))


def _zoom(size: Size, factor: float) -> Geometry:
    """Scale both sides by one factor, to whole pixels."""
    return Geometry.resize(size, (max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)))


def _window(
    size: Size,
    window: Size,
    held: tuple[float, float, float, float] | None,
    rng: np.random.Generator,
) -> Geometry:
    """Draw where in a picture a window lies; if that is possible, it holds the box `held`."""
    x0, y0, x1, y1 = held or (None,) * 4
    left = _start(size[1], window[1], x0, x1, rng)
    top = _start(size[0], window[0], y0, y1, rng)
    return Geometry.crop(size, (left, top, left + window[1], top + window[0]))


def _start(
    side: int, window: int, begin: float | None, end: float | None, rng: np.random.Generator
) -> int:
    """Draw where a window starts along one axis, so that it holds what lies from begin to end.

    Where it is too small for that it holds the middle.
    """
    low, high = sorted((0, side - window))
    if begin is not None and end is not None:
        first, last = int(begin), max(math.ceil(end) - 1, int(begin))
        if last - first >= window:
            first = last = int((begin + end) / 2)
        first, last = min(max(first, 0), side - 1), min(max(last, 0), side - 1)
        low, high = max(low, last - window + 1), min(high, first)
    return int(rng.integers(low, high + 1))
