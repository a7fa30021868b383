"""Scenes out of several samples: mosaic and mix-up, and the one function that sets all of them up.

They come after the geometry of the chain: their parts have the size of training samples already, so
nothing here interpolates. Pixels are copied, or blended one to one, and masks are cut exactly.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.panoptic import VOID_STUFF
from delineate.data.sample import Dataset, Sample
from delineate.transforms.base import (
    Among,
    AnyOf,
    Compose,
    Others,
    Scene,
    Transform,
    check_option,
    check_range,
    check_share,
)
from delineate.transforms.copy_paste import CopyPaste
from delineate.transforms.parts import joined, window


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Puts windows of four samples around a random point of the picture, with probability `p`.

    The idea is YOLO's (Bochkovskiy et al., 2020). The upper left is of the sample itself. A window
    is cut out of its sample as it is, neither shrunk nor stretched, and where the sample is
    smaller, `GREY` fills it up. The seams cut objects, and those of which less than `min_visible`
    is left of what came in are dropped; a crowd region only if nothing is left. Stuff is joined if
    all four samples have it. The result carries no annotation ids.

    Attributes:
        p: Probability.
        centre: Where the four may meet, in shares of height and width.
        min_visible: See above.

    Raises:
        ConfigError: A number is out of its range.
    """

    p: float
    centre: tuple[float, float] = (0.25, 0.75)
    min_visible: float = 0.25

    def __post_init__(self) -> None:
        check_share("p", self.p)
        check_range("centre", self.centre, 0, 1)
        check_share("min_visible", self.min_visible)

    def __call__(self, sample: Sample, rng: np.random.Generator, others: Others) -> Sample:
        """See `delineate.transforms.base.Scene`."""
        height, width = sample.instances.image_size
        if min(height, width) < 2 or rng.random() >= self.p:
            return sample
        y, x = (
            min(max(round(side * rng.uniform(*self.centre)), 1), side - 1)
            for side in (height, width)
        )
        image, stuff = np.empty_like(sample.image), np.empty((height, width), np.uint8)
        instances: list[Instances] = []
        with_stuff = True
        for top, bottom, left, right in (
            (0, y, 0, x),
            (0, y, x, width),
            (y, height, 0, x),
            (y, height, x, width),
        ):
            whole = others(rng) if len(instances) else sample
            size = bottom - top, right - left
            part = window(whole, size, self.min_visible, rng)
            image[top:bottom, left:right] = part.image
            if part.stuff is None:
                with_stuff = False
            else:
                stuff[top:bottom, left:right] = part.stuff
            place = Geometry.crop(size, (-left, -top, width - left, height - top))
            instances.append(part.instances.warp(place))
        return replace(
            sample, image=image, instances=joined(instances), stuff=stuff if with_stuff else None
        )


@dataclass(frozen=True, slots=True)
class MixUp:
    """Blends another sample into a sample, with probability `p`, and keeps the objects of both.

    Zhang et al., "mixup" (ICLR 2018), as detectors have it: the share of the sample is drawn from
    Beta(alpha, alpha), and no object counts less because it is faint. A large `alpha` keeps the
    shares near one half. Stuff counts only where both samples have the same, and is void elsewhere.
    The result carries no annotation ids.

    Attributes:
        p: Probability.
        alpha: Above 0.
        min_visible: Share that must be left of an object of the other sample where that is larger
            and only a window of it is used.

    Raises:
        ConfigError: A number is out of its range.
    """

    p: float
    alpha: float = 32.0
    min_visible: float = 0.25

    def __post_init__(self) -> None:
        check_share("p", self.p)
        check_option(0 < self.alpha < np.inf, "alpha", "above 0", self.alpha)
        check_share("min_visible", self.min_visible)

    def __call__(self, sample: Sample, rng: np.random.Generator, others: Others) -> Sample:
        """See `delineate.transforms.base.Scene`."""
        if rng.random() >= self.p:
            return sample
        other = window(others(rng), sample.instances.image_size, self.min_visible, rng)
        share = float(rng.beta(self.alpha, self.alpha))
        stuff = None
        if sample.stuff is not None and other.stuff is not None:
            void = np.uint8(VOID_STUFF)
            stuff = np.where(sample.stuff == other.stuff, sample.stuff, void)
        blended = cv2.addWeighted(sample.image, share, other.image, 1 - share, 0)
        return replace(
            sample,
            image=np.asarray(blended, np.uint8),
            instances=joined([sample.instances, other.instances]),
            stuff=stuff,
        )


def scenes(
    dataset: Dataset,
    *,
    jitter: Transform = Compose(),  # noqa: B008 - frozen
    mosaic: float = 0.0,
    copy_paste: float = 0.0,
    mix_up: float = 0.0,
    min_visible: float = 0.25,
) -> Compose:
    """Return the chain of the scenes that are asked for, to come after the geometry.

    Args:
        dataset: Where the other samples come from.
        jitter: What they go through first: the contrast and geometry that samples have gone
            through; ``Compose()`` leaves them as they are.
        mosaic: Probability, as for the next two; they apply in this order.
        copy_paste: See `CopyPaste`.
        mix_up: See `MixUp`.
        min_visible: Share of an object that must be left for it to stay: at each step, of what
            the step before has left.

    Raises:
        ConfigError: A number is out of its range.
    """
    chosen: list[Scene] = []
    if mosaic:
        chosen.append(Mosaic(mosaic, min_visible=min_visible))
    if copy_paste:
        chosen.append(CopyPaste(copy_paste, min_visible=min_visible))
    if mix_up:
        chosen.append(MixUp(mix_up, min_visible=min_visible))
    others = AnyOf(dataset, jitter)
    return Compose(tuple(Among(scene, others) for scene in chosen))
