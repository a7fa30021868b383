"""What a transform is: a function of a sample and a random generator that returns a sample."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from delineate.data.sample import Sample


class Transform(Protocol):
    """Returns a changed sample, or the very same one; never changes what it was given.

    All chance comes from `rng`, so that the same generator state gives the same sample.
    """

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the changed sample."""
        ...


@dataclass(frozen=True, slots=True)
class Compose:
    """Applies transforms one after another; with none, returns samples as they are.

    Attributes:
        transforms: In order of application.
    """

    transforms: tuple[Transform, ...] = ()

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return what the last of the transforms returns."""
        for transform in self.transforms:
            sample = transform(sample, rng)
        return sample
