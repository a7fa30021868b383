"""What cameras and files do to pictures: blur, noise, compression, few pixels.

Lengths are in pixels of the sample as it comes in, levels are those of 8 bits (0 to 255).
"""

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.image import ImageArray
from delineate.data.jpeg import compressed
from delineate.data.motion import line_kernel
from delineate.transforms.base import check_range
from delineate.transforms.pixels import PixelChange

_FINE = 1 << 16  # as many values does noise have, up to 4.3 standard deviations


@dataclass(frozen=True, slots=True)
class Blur(PixelChange):
    """Blurs with a Gaussian, with probability `p`, like a lens out of focus.

    Attributes:
        sigma: Smallest and largest standard deviation, in pixels.
    """

    sigma: tuple[float, float] = (0.4, 1.6)

    def check(self) -> None:
        """See `PixelChange`."""
        check_range("sigma", self.sigma, 0)

    def changed(self, image: ImageArray, rng: np.random.Generator) -> ImageArray:
        """See `PixelChange`."""
        sigma = rng.uniform(*self.sigma)
        return _bytes(cv2.GaussianBlur(image, (0, 0), sigma)) if sigma else image


@dataclass(frozen=True, slots=True)
class MotionBlur(PixelChange):
    """Blurs along a line of random direction, with probability `p`, like a camera that moves.

    Attributes:
        length: Shortest and longest way during the exposure, in pixels; ways of more than about 12
            take ten times as long.
    """

    length: tuple[float, float] = (2.0, 7.0)

    def check(self) -> None:
        """See `PixelChange`."""
        check_range("length", self.length, 0)

    def changed(self, image: ImageArray, rng: np.random.Generator) -> ImageArray:
        """See `PixelChange`."""
        kernel = line_kernel(rng.uniform(*self.length), rng.uniform(0, np.pi))
        return _bytes(cv2.filter2D(image, -1, kernel))


@dataclass(frozen=True, slots=True)
class Noise(PixelChange):
    """Adds a sensor's noise, with probability `p`, to every channel of every pixel by itself.

    A picture that is grey stays grey, as from a microscope: its channels get the same noise.
    Read noise is the same everywhere. Shot noise, the Poisson statistics of light, has a variance
    of `gain` times the level. Their sum is drawn as one Gaussian.

    Attributes:
        sigma: Smallest and largest standard deviation of the read noise, in levels.
        gain: Smallest and largest number of levels that one photon counts for; 0 is no shot noise.
    """

    sigma: tuple[float, float] = (1.0, 8.0)
    gain: tuple[float, float] = (0.0, 0.2)

    def check(self) -> None:
        """See `PixelChange`."""
        check_range("sigma", self.sigma, 0)
        check_range("gain", self.gain, 0)

    def changed(self, image: ImageArray, rng: np.random.Generator) -> ImageArray:
        """See `PixelChange`."""
        sigma, gain = rng.uniform(*self.sigma), rng.uniform(*self.gain)
        if grey := _is_grey(image):
            image = np.ascontiguousarray(image[..., :1])
        noise = _normals()[rng.integers(0, _FINE, image.shape, dtype=np.uint16)]
        if gain:
            noise *= np.sqrt(sigma**2 + gain * np.arange(256)).astype(np.float32)[image]
        else:
            noise *= np.float32(sigma)
        noisy = cv2.add(image, noise, dtype=cv2.CV_8U)  # rounds, and cuts at 0 and 255
        return _bytes(cv2.merge([noisy] * 3) if grey else noisy)


def _is_grey(image: ImageArray) -> bool:
    return all(np.array_equal(image[..., 0], image[..., other]) for other in (1, 2))


@cache
def _normals() -> npt.NDArray[np.float32]:
    """Values of a standard normal variable, all equally likely: four times faster than drawing."""
    shares = (np.arange(_FINE) + 0.5) / _FINE
    return np.array([NormalDist().inv_cdf(share) for share in shares.tolist()], np.float32)


@dataclass(frozen=True, slots=True)
class Jpeg(PixelChange):
    """Writes the picture as JPEG, in memory, and reads it again, with probability `p`.

    Attributes:
        quality: Lowest and highest quality, from 1 to 100.
    """

    quality: tuple[int, int] = (40, 90)

    def check(self) -> None:
        """See `PixelChange`."""
        check_range("quality", self.quality, 1, 100)

    def changed(self, image: ImageArray, rng: np.random.Generator) -> ImageArray:
        """See `PixelChange`."""
        quality = int(rng.integers(self.quality[0], self.quality[1] + 1))
        return compressed(image, quality)


@dataclass(frozen=True, slots=True)
class Downscale(PixelChange):
    """Makes the picture smaller and large again, with probability `p`: a camera of fewer pixels.

    Attributes:
        factor: Smallest and largest factor of its sides, from 0.01 to 1.
    """

    factor: tuple[float, float] = (0.4, 0.8)

    def check(self) -> None:
        """See `PixelChange`."""
        check_range("factor", self.factor, 0.01, 1)

    def changed(self, image: ImageArray, rng: np.random.Generator) -> ImageArray:
        """See `PixelChange`."""
        factor = rng.uniform(*self.factor)
        height, width = image.shape[:2]
        few = max(round(width * factor), 1), max(round(height * factor), 1)
        small = cv2.resize(image, few, interpolation=cv2.INTER_AREA)
        return _bytes(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _bytes(pixels: Any) -> ImageArray:  # noqa: ANN401
    """Tell the type checker what cv2 returns for uint8; nothing is copied."""
    return np.asarray(pixels, dtype=np.uint8)
