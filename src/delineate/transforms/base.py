"""What a transform is: a function of a sample and a random generator that returns a sample."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np

from delineate.data.sample import Dataset, Sample
from delineate.errors import ConfigError

Others = Callable[[np.random.Generator], Sample]
"""Draws another sample of the data set."""


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


class Scene(Protocol):
    """Makes one sample of several, for example a mosaic; else as `Transform`."""

    def __call__(self, sample: Sample, rng: np.random.Generator, others: Others) -> Sample:
        """Return the changed sample; further ones come from `others`."""
        ...


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Draws samples of a data set, all equally likely, and prepares each.

    Attributes:
        dataset: Not empty.
        prepare: Applied to each sample before a scene sees it.
    """

    dataset: Dataset
    prepare: Transform = Compose()

    def __call__(self, rng: np.random.Generator) -> Sample:
        """Return a sample."""
        return self.prepare(self.dataset[int(rng.integers(len(self.dataset)))], rng)


@dataclass(frozen=True, slots=True)
class Among:
    """A scene as a transform, given where further samples come from."""

    scene: Scene
    others: Others

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return what the scene makes of the sample and others."""
        return self.scene(sample, rng, self.others)


def check_option(good: bool, option: str, expected: str, got: object) -> None:
    """Make sure of an option's value.

    Raises:
        ConfigError: It is not good; the sentence says what was expected.
    """
    if not good:
        raise ConfigError(f"{option} should be {expected}, but is {got}: change it.")


def check_share(option: str, got: float) -> None:
    """Check a probability, or a part of a whole.

    Raises:
        ConfigError: It is not from 0 to 1.
    """
    check_option(0 <= got <= 1, option, "a number from 0 to 1", got)


def check_range(option: str, got: tuple[float, float], least: float, most: float = inf) -> None:
    """Check what a transform draws a number from: `least` <= smallest <= largest <= `most`.

    Raises:
        ConfigError: It is no such pair.
    """
    low, high = got
    expected = f"(smallest, largest), from {least:g}"
    expected += "" if most == inf else f" to {most:g}"
    check_option(least <= low <= high <= most, option, expected, got)
