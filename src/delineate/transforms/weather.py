"""Weather painted on pictures: fog, rain, snow, shadows, a low sun.

Nothing here knows how far away things are or where the sky is. These are the changes that weather
makes to what a camera sees - contrast, thin occlusions, uneven light - and no renderings of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.image import ImageArray
from delineate.data.painting import noise
from delineate.errors import nearest
from delineate.transforms.base import check_option
from delineate.transforms.pixels import PixelChange

Opacity = npt.NDArray[np.float32]
"""``(height, width)`` from 0, nothing, to 1: nothing but the paint."""


def fog(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Veil the picture unevenly in light grey, and soften what lies behind."""
    coarse = _coarse(image)
    density = rng.uniform(0.25, 0.95)
    side = 0.6 * max(coarse)
    banks = noise(coarse, side, rng) + 0.5 * noise(coarse, side / 2.5, rng)
    depth = np.maximum(1 + rng.uniform(0.15, 0.35) * banks, 0)
    veil = 1 - np.exp(-density * depth)
    light = rng.uniform(185, 235) + rng.uniform(-4, 8) * np.array([-1, 0, 1])
    behind = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.2 + 0.6 * density), np.uint8)
    return _painted(behind, light, _enlarged(veil, image))


def rain(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Draw slanting streaks, far ones faint and near ones long, under a duller sky."""
    size = image.shape[0], image.shape[1]
    unit = min(size) / 512
    slant = np.pi / 2 + rng.uniform(-0.35, 0.35)
    amount, strength = rng.uniform(0.5, 1.5) * min(unit, 1), rng.uniform(0.25, 0.5)
    drawn = np.zeros(size, np.uint8)
    near = ((0.4, 420, 0.03, 1), (0.7, 160, 0.07, 1), (1, 36, 0.14, 2))
    for share, count, length, thickness in near:
        thick = max(round(thickness * unit), 1)
        streaks = _strokes(size, slant, round(amount * count), length, thick, rng)
        _layer(drawn, streaks, 0.45 * thick, share)
    dull = rng.uniform(0.06, 0.2)
    grey = np.asarray(cv2.addWeighted(image, 1 - dull, image, 0, 140 * dull), np.uint8)
    return _painted(grey, np.array([214.0, 219.0, 226.0]), drawn * np.float32(strength / 255))


def snow(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Strew flakes, far ones small and near ones large and out of focus, in a light haze."""
    size = image.shape[0], image.shape[1]
    unit = min(size) / 256
    slant = np.pi / 2 + rng.uniform(-0.6, 0.6)
    amount = rng.uniform(0.5, 1.5) * min(unit, 1) ** 2
    drawn = np.full(size, round(255 * rng.uniform(0.05, 0.2)), np.uint8)
    for share, count, blur in ((0.9, 300, 0.35), (0.85, 110, 0.6), (0.7, 24, 1.5)):
        thickness = max(round(2.8 * blur * unit), 1)
        flakes = _strokes(size, slant, round(amount * count), 0.005, thickness, rng)
        _layer(drawn, flakes, max(blur * unit, 0.4), share)
    return _painted(image, np.array([244.0, 246.0, 250.0]), drawn * np.float32(1 / 255))


def shadow(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Cast the shadow of something outside of the picture, bluish like the sky that lights it."""
    height, width = image.shape[:2]
    side = max(height, width)
    middle = rng.uniform(0.1, 0.9, 2) * (width, height)
    corners = middle + rng.normal(0, 0.4 * side, (6, 2))
    outline = cv2.convexHull(corners.astype(np.float32)).astype(np.int32)
    shape = cv2.fillPoly(np.zeros((height, width), np.float32), [outline], 1.0)
    edge = cv2.GaussianBlur(shape, (0, 0), max(side * rng.uniform(0.002, 0.012), 0.5))
    dark = rng.uniform(0.4, 0.7) * np.array([0.96, 1.0, 1.06])
    shaded = cv2.transform(image, np.diag(dark).astype(np.float32))
    return np.asarray(cv2.blendLinear(image, shaded, 1 - edge, edge), np.uint8)


def glare(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Let the sun shine into the lens: it burns out, and a warm veil lies around it."""
    height, width = _coarse(image)
    x, y = rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.1, 1.1) * height
    far = np.hypot(np.arange(width) + 0.5 - x, (np.arange(height) + 0.5 - y)[:, None])
    far = (far / max(height, width)).astype(np.float32)
    core, glow, strength = rng.uniform(0.03, 0.08), rng.uniform(0.2, 0.45), rng.uniform(0.4, 0.7)
    burnt = np.exp(-np.square(far / core))
    veil = strength / (1 + np.square(far / glow)) + 0.5 * np.exp(-far / (2 * core))
    light = 1 - (1 - np.minimum(veil, 1)) * (1 - burnt)
    return _painted(image, np.array([255.0, 247.0, 230.0]), _enlarged(light, image))


WEATHER: dict[str, Callable[[ImageArray, np.random.Generator], ImageArray]] = {
    "fog": fog,
    "rain": rain,
    "snow": snow,
    "shadow": shadow,
    "glare": glare,
}


@dataclass(frozen=True, slots=True)
class Weather(PixelChange):
    """Paints one kind of weather on the picture, with probability `p`.

    Attributes:
        kinds: Names out of `WEATHER`, all equally likely.
    """

    kinds: tuple[str, ...] = tuple(WEATHER)

    def check(self) -> None:
        """See `PixelChange`."""
        check_option(len(self.kinds) > 0, "kinds", "at least one kind of weather", self.kinds)
        for kind in self.kinds:
            hint = f"a kind of weather ({nearest(kind, WEATHER)})"
            check_option(kind in WEATHER, "kinds", hint, repr(kind))

    def changed(self, image: ImageArray, rng: np.random.Generator) -> ImageArray:
        """See `PixelChange`."""
        return WEATHER[self.kinds[int(rng.integers(len(self.kinds)))]](image, rng)


def _painted(image: ImageArray, colour: npt.NDArray[np.float64], opacity: Opacity) -> ImageArray:
    """Blend one colour into every pixel."""
    paint = np.empty_like(image)
    paint[:] = np.rint(colour).astype(np.uint8)
    weight = opacity.astype(np.float32, copy=False)
    return np.asarray(cv2.blendLinear(image, paint, 1 - weight, weight), np.uint8)


def _coarse(image: ImageArray) -> Size:
    """The size at which smooth light is computed: a quarter of the picture's."""
    return -(-image.shape[0] // 4), -(-image.shape[1] // 4)


def _enlarged(smooth: Opacity, image: ImageArray) -> Opacity:
    return np.asarray(cv2.resize(smooth, image.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def _strokes(
    size: Size, slant: float, count: int, length: float, thickness: int, rng: np.random.Generator
) -> ImageArray:
    """Draw strokes anywhere, `length` of the longer side long on average: ``(h, w)``, 0 or 255."""
    height, width = size
    middle = rng.uniform(-0.05, 1.05, (count, 1, 2)) * (width, height)
    turn = slant + rng.normal(0, 0.03, (count, 1, 1))
    half = length * max(size) / 2 * rng.uniform(0.5, 1.5, (count, 1, 1))
    along = np.concatenate([np.cos(turn), np.sin(turn)], axis=2) * half
    ends = np.rint(np.concatenate([middle - along, middle + along], axis=1) * 8).astype(np.int32)
    drawn = np.zeros(size, np.uint8)
    cv2.polylines(drawn, ends, False, 255, thickness, cv2.LINE_AA, shift=3)
    return drawn


def _layer(drawn: ImageArray, strokes: ImageArray, blur: float, share: float) -> None:
    """Add soft strokes of a share of the full opacity to what is drawn already, in place."""
    soft = cv2.convertScaleAbs(cv2.GaussianBlur(strokes, (0, 0), blur), alpha=share)
    cv2.max(drawn, soft, dst=drawn)
