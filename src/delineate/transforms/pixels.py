"""The frame of every change of pixels that happens now and then and moves nothing."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from delineate.core.image import ImageArray
from delineate.data.sample import Sample
from delineate.transforms.base import check_share


@dataclass(frozen=True, slots=True)
class PixelChange(ABC):
    """A transform of the image alone, with a probability.

    Attributes:
        p: Probability, from 0 (never) to 1 (always).

    Raises:
        ConfigError: A number is out of its range.
    """

    p: float

    def __post_init__(self) -> None:
        check_share("p", self.p)
        self.check()

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the changed sample, or the very same one."""
        if rng.random() >= self.p:
            return sample
        return replace(sample, image=self.changed(sample.image, rng))

    @abstractmethod
    def check(self) -> None:
        """Raise ConfigError where a number other than `p` is out of its range."""

    @abstractmethod
    def changed(self, image: ImageArray, rng: np.random.Generator) -> ImageArray:
        """Return the changed image, (height, width, 3) RGB like the one given, which stays."""
