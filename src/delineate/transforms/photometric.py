"""Changes of colour, which leave everything where it is."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.image import ImageArray
from delineate.core.preprocess import Preprocess
from delineate.data.sample import Sample
from delineate.errors import ConfigError
from delineate.transforms.base import check_range
from delineate.transforms.pixels import PixelChange

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
# Luma and two colour differences at right angles to it, in which hue is an angle (NTSC's YIQ).
YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


@dataclass(frozen=True, slots=True)
class Expose:
    """Sets the contrast that a model sees when it predicts, by the rule that travels with it.

    It comes first, because the rule looks at whole pictures.
    """

    rule: Preprocess

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with its contrast set."""
        return replace(sample, image=self.rule.expose(sample.image))


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """Changes brightness, contrast, saturation and hue at random, as one 3 x 4 matrix.

    Each is drawn anew for every image: a factor from 1 - x to 1 + x for the first three, an angle
    for the hue. All four are linear in RGB, so their product is applied to the pixels once, and
    values are cut off at 0 and 255 once, at the end.

    Attributes:
        brightness: Factor of all values.
        contrast: Factor of the distance from the image's mean luma.
        saturation: Factor of the distance from each pixel's own luma; 1 reaches grey.
        hue: Largest turn of the hue, in turns of the colour circle (0.5 is the opposite colour).
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 0.5)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ConfigError(f"{name} should be from 0 to {most}, but is {value}: change it.")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample in other colours."""
        draws = rng.uniform(-1, 1, 4) * (self.brightness, self.contrast, self.saturation, self.hue)
        if not draws.any():
            return sample
        mean = float(LUMA @ cv2.mean(sample.image)[:3])
        matrix = colour_matrix(*draws.tolist(), mean=mean)
        return replace(sample, image=np.asarray(cv2.transform(sample.image, matrix), np.uint8))


@dataclass(frozen=True, slots=True)
class Gamma(PixelChange):
    """Raises all values, as shares of 255, to one power, with probability `p`.

    Black and white stay as they are; in between it is a longer or a shorter exposure on film.

    Attributes:
        gamma: Smallest and largest power, log-uniform in between: below 1 is brighter.
    """

    gamma: tuple[float, float] = (0.7, 1.4)

    def check(self) -> None:
        """See `PixelChange`."""
        check_range("gamma", self.gamma, 0.01, 100)

    def changed(self, image: ImageArray, rng: np.random.Generator) -> ImageArray:
        """See `PixelChange`."""
        low, high = self.gamma
        power = low * (high / low) ** rng.random()
        table = np.rint(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
        return np.asarray(cv2.LUT(image, table), np.uint8)


def colour_matrix(
    brightness: float, contrast: float, saturation: float, hue: float, *, mean: float
) -> npt.NDArray[np.float32]:
    """Return the (3, 4) matrix that takes (r, g, b, 1), 0 to 255, to the changed colour.

    Args:
        brightness: Relative change; 0 keeps it, here and below.
        contrast: Relative change.
        saturation: Relative change.
        hue: Change in turns of the colour circle.
        mean: Luma that a change of contrast leaves as it is.
    """
    turn = 2 * np.pi * hue
    cos, sin = (1 + saturation) * np.cos(turn), (1 + saturation) * np.sin(turn)
    in_yiq = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    linear = (1 + brightness) * (1 + contrast) * np.linalg.inv(YIQ) @ in_yiq @ YIQ
    shift = np.full((3, 1), -(1 + brightness) * contrast * mean)
    return np.hstack([linear, shift]).astype(np.float32)
