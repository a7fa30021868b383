"""How a scene becomes a picture: light that falls off, lens, movement, sensor, compression.

Every range is drawn from anew for each picture (domain randomisation: J. Tobin and others, "Domain
Randomization for Transferring Deep Neural Networks from Simulation to the Real World", IROS 2017).
None of it moves anything: masks stay true, to the half pixel that a blur leaves undecided.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from delineate.data.jpeg import compressed
from delineate.data.layers import Field
from delineate.data.motion import line_kernel
from delineate.data.shapes import TAU

Range = tuple[float, float]
"""Smallest and largest value, both possible, all between them equally likely."""

_BLURS_AT = 256  # pixels of a picture's short side for which blurs are stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What may befall a picture between the scene and the file."""

    exposure: Range = (0.75, 1.15)
    """Factor of all tones."""
    tint: Range = (-0.06, 0.06)
    """Relative change of red, green and blue, each for itself: the white balance."""
    gradient: Range = (0.0, 0.25)
    """Relative change of the light from the middle to an edge, in a random direction."""
    vignette: Range = (0.0, 0.3)
    """Share of the light that is missing in the corners."""
    defocus: Range = (0.3, 1.0)
    """Blur of the lens: standard deviation in pixels, in a picture of 256 pixels."""
    motion_share: float = 0.15
    """Probability that the camera moved."""
    motion: Range = (2.0, 7.0)
    """How far, in pixels, in a picture of 256 pixels; to both sides, so that nothing shifts."""
    shot: Range = (0.0, 0.5)
    """Shot noise: variance for each grey level of light."""
    read: Range = (0.5, 4.0)
    """Read noise: standard deviation in grey levels."""
    jpeg_share: float = 0.4
    """Probability that the picture was compressed."""
    jpeg: Range = (40, 95)
    """Quality of the compression, 1 to 100."""

    def expose(self, scene: Field, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Take a picture.

        Args:
            scene: (height, width, 3) tones from 0 to 255.
            rng: The only source of chance.

        Returns:
            (height, width, 3) RGB.
        """
        picture = scene * self._light((scene.shape[0], scene.shape[1]), rng)[..., None]
        tint = np.array([1 + rng.uniform(*self.tint) for _ in range(3)], np.float32)
        picture *= rng.uniform(*self.exposure) * tint
        scale = min(picture.shape[:2]) / _BLURS_AT
        picture = np.asarray(
            cv2.GaussianBlur(picture, (0, 0), max(scale * rng.uniform(*self.defocus), 0.2))
        )
        if rng.random() < self.motion_share:
            kernel = line_kernel(scale * rng.uniform(*self.motion), rng.random() * TAU / 2)
            picture = np.asarray(cv2.filter2D(picture, -1, kernel))
        noise = rng.standard_normal(picture.shape, dtype=np.float32)
        variance = rng.uniform(*self.shot) * np.maximum(picture, 0) + rng.uniform(*self.read) ** 2
        picture += noise * np.sqrt(variance)
        pixels = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
        if rng.random() < self.jpeg_share:
            pixels = compressed(pixels, round(rng.uniform(*self.jpeg)))
        return pixels

    def _light(self, size: tuple[int, int], rng: np.random.Generator) -> Field:
        y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in size)
        way, slope = rng.random() * TAU, rng.uniform(*self.gradient)
        falling = slope * (float(np.cos(way)) * x + float(np.sin(way)) * y[:, None])
        corner = rng.uniform(*self.vignette) * (np.square(x) + np.square(y)[:, None]) / 2
        return np.asarray(np.maximum(1 + falling - corner, 0.05), np.float32)
