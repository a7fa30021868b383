"""How a transform of one sample gets at others of the data set, and stays a transform of one.

A scene makes one sample out of several. `WithOthers` holds the data set, draws the others from the
generator of the sample, and so turns a scene into a plain transform: what becomes of a sample still
depends on its generator alone, whichever process works on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from delineate.core.boxes import Size
from delineate.core.instances import Instances
from delineate.data.sample import Dataset, Sample
from delineate.transforms.base import Compose, Transform
from delineate.transforms.geometric import RandomCrop, Warp

Others = Callable[[np.random.Generator], Sample]
"""Draws another sample."""


class Scene(Protocol):
    """Returns a sample made of several, or the very same one; never changes what it was given."""

    def __call__(self, sample: Sample, rng: np.random.Generator, others: Others) -> Sample:
        """Return the new sample: of the size, the id and the name of `sample`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class WithOthers:
    """A scene as a transform; any image of the data set is as likely, the sample's own included.

    Attributes:
        dataset: Where the others come from; of the same classes as the sample. It is sent to the
            loader's workers once, together with the loader's own if it is the same object.
        scene: What makes one of several.
        jitter: What the others go through before they are handed to the scene. To look like the
            sample it should be the geometry that the sample has gone through.
    """

    dataset: Dataset
    scene: Scene
    jitter: Transform = field(default_factory=Compose)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return what the scene makes of the sample."""
        return self.scene(sample, rng, self._draw)

    def _draw(self, rng: np.random.Generator) -> Sample:
        return self.jitter(self.dataset[int(rng.integers(len(self.dataset)))], rng)


def window(sample: Sample, size: Size, min_visible: float, rng: np.random.Generator) -> Sample:
    """Return a random window of `size`, (height, width), of a sample: its pixels, none computed.

    Where the sample is smaller, it lies somewhere within. Objects of which less than `min_visible`
    is left are dropped. A sample of that size is returned as it is.
    """
    return Warp((RandomCrop(size),), min_visible)(sample, rng)


def joined(parts: list[Instances]) -> Instances:
    """Join the objects of several images of one size, without ids, which may coincide."""
    return Instances.cat(part.replace(ids=None) for part in parts)
