"""How synthetic scenes look: textured grounds, and things that catch light and cast shadows."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from delineate.data.layers import Field
from delineate.data.shapes import TAU, Thing

# Dark and light tone of each ground: slate, oak, paper, sand, moss, felt, zinc.
GROUNDS = (
    ((58, 62, 70), (92, 96, 104)),
    ((150, 112, 74), (192, 152, 108)),
    ((206, 198, 182), (232, 226, 214)),
    ((186, 166, 128), (216, 200, 164)),
    ((62, 78, 66), (96, 112, 92)),
    ((40, 52, 74), (70, 84, 110)),
    ((170, 178, 184), (204, 210, 214)),
)


def paint(
    things: Sequence[Thing],
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    ground: Field | None = None,
) -> npt.NDArray[np.uint8]:
    """Paint `things`, the last in front, on a ground of their own or on a given one.

    Args:
        things: What lies there.
        size: (height, width).
        rng: The only source of chance.
        ground: (height, width, 3) tones from 0 to 255; None: one is painted.

    Returns:
        (height, width, 3) RGB.
    """
    height, width = size
    light = light_from_above(rng)
    canvas = two_tones(size, rng) if ground is None else ground.copy()
    largest = max((len(thing.outline) for thing in things), default=1)
    grain = np.clip(noise((2 * largest, 2 * largest), 6, rng), -1, 1)
    for thing in things:
        _put(thing, canvas, light, grain, rng)
    x = np.linspace(-0.11, 0.11, width, dtype=np.float32)
    y = np.linspace(-0.11, 0.11, height, dtype=np.float32)[:, None]
    canvas *= (rng.uniform(0.9, 1.08) * (1 + light[0] * x + light[1] * y))[..., None]
    photo = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 0.8)))
    sensor = rng.standard_normal(size, dtype=np.float32) * np.float32(rng.uniform(1, 4))
    return np.clip(photo + sensor[..., None], 0, 255).astype(np.uint8)


def light_from_above(rng: np.random.Generator) -> Field:
    """Unit vector towards the light, which comes from above: left, behind or right."""
    around, height = rng.uniform(0.55, 0.95) * TAU, rng.uniform(0.6, 0.9)
    flat = np.sqrt(1 - height**2)
    return np.array([flat * np.cos(around), flat * np.sin(around), height], np.float32)


def noise(
    size: tuple[int, int], grain: float | tuple[float, float], rng: np.random.Generator
) -> Field:
    """Smooth noise of unit variance at its knots, which lie `grain` pixels apart (down, across)."""
    apart = grain if isinstance(grain, tuple) else (grain, grain)
    knots = [max(2, round(side / step)) for side, step in zip(size, apart, strict=True)]
    coarse = rng.standard_normal(knots, dtype=np.float32)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def two_tones(size: tuple[int, int], rng: np.random.Generator) -> Field:
    """Stone, wood, cloth or earth between two tones; (height, width, 3)."""
    dark, light = np.array(GROUNDS[rng.integers(len(GROUNDS))], np.float32)
    clouds = noise(size, 44, rng) + 0.6 * noise(size, 19, rng)
    y, x = (np.arange(side, dtype=np.float32) for side in size)
    match int(rng.integers(4)):
        case 0:
            texture = 0.5 * (noise(size, 3, rng) + noise(size, 8, rng))
        case 1:
            texture = np.sin(y[:, None] / 8 + 1.5 * clouds) + 0.7 * noise(size, (1, 64), rng)
        case 2:
            weave = np.outer(np.sin(y * (TAU / 5)), np.sin(x * (TAU / 5)))
            texture = weave + 0.4 * (noise(size, (1, 24), rng) + noise(size, (24, 1), rng))
        case _:
            texture = 0.6 * noise(size, 2, rng) - 0.9 * np.abs(clouds)
    share = np.clip(0.5 + 0.2 * clouds + 0.16 * texture, -0.3, 1.3)
    tones: Field = dark + share[..., None] * (light - dark)
    return tones


def _put(thing: Thing, canvas: Field, light: Field, grain: Field, rng: np.random.Generator) -> None:
    """Blend one thing, and the shadow it casts, into `canvas`."""
    colour, distance = shaded(thing, light, grain, rng)
    lift = 1.5 + 0.1 * thing.radius
    moved = np.roll(distance, (round(-light[1] * lift), round(-light[0] * lift)), axis=(0, 1))
    shadow = np.clip(0.5 - moved / (2 + 0.22 * thing.radius), 0, 1)
    cover = np.clip(0.5 - distance, 0, 1)
    in_picture, in_patch = thing.windows((canvas.shape[0], canvas.shape[1]))
    under = canvas[in_picture] * (1 - 0.5 * shadow[in_patch])[..., None]
    canvas[in_picture] = under + cover[in_patch][..., None] * (colour[in_patch] - under)


def shaded(
    thing: Thing, light: Field, grain: Field, rng: np.random.Generator
) -> tuple[Field, Field]:
    """Return the tones of a thing in the light, and the distance to its outline in pixels.

    Args:
        thing: What is painted.
        light: Unit vector (x, y, z) towards the light.
        grain: Noise in -1 .. 1, larger than the thing's patch.
        rng: The only source of chance.
    """
    distance, normal, steepness = _relief(thing)
    shade, highlight = _lighting(normal, light)
    shade *= 1 - 0.35 * np.square(np.square(steepness))  # rims are a little darker
    colour = _paintwork(thing, grain, rng) * shade[..., None]
    colour += (thing.shape.gloss * highlight)[..., None]
    return colour, distance


def _relief(thing: Thing) -> tuple[Field, tuple[Field, Field, Field], Field]:
    """Distance to the outline in pixels, the surface's normal, and its steepness (1 at the rim)."""
    right = np.asarray(cv2.Sobel(thing.outline, cv2.CV_32F, 1, 0, scale=1 / 8))
    down = np.asarray(cv2.Sobel(thing.outline, cv2.CV_32F, 0, 1, scale=1 / 8))
    slope = np.maximum(np.hypot(right, down), 0.25)
    distance = thing.outline / slope
    steepness = np.clip(1 + distance / (thing.shape.rim * thing.radius), 0, 1)
    outwards = steepness / slope
    up = np.sqrt(1 - np.square(steepness))
    return distance, (outwards * right, outwards * down, up), steepness


def _lighting(normal: tuple[Field, Field, Field], light: Field) -> tuple[Field, Field]:
    """Diffuse light, 1 where the surface lies flat, and highlight, in grey levels."""
    right, down, up = normal
    diffuse = np.maximum(right * light[0] + down * light[1] + up * light[2], 0) / light[2]
    middle = light + np.array([0, 0, 1], np.float32)  # between the light and the eye
    middle /= np.linalg.norm(middle)
    mirror = np.maximum(right * middle[0] + down * middle[1] + up * middle[2], 0)
    for _ in range(5):  # to the power of 32, many times faster than `**`
        mirror *= mirror
    return 0.35 + 0.65 * diffuse, 150 * mirror


def _paintwork(thing: Thing, grain: Field, rng: np.random.Generator) -> Field:
    """The thing's own colours, as they were in even light; (side, side, 3)."""
    tint = rng.uniform(0.85, 1.15) * rng.uniform(0.93, 1.07, 3)
    base = np.array(thing.shape.palette[thing.base] * tint, np.float32)
    change = np.array(thing.shape.second, np.float32) - 1
    height, width = thing.outline.shape
    x, y = rng.integers(len(grain) - max(height, width), size=2)
    cut = grain[y : y + height, x : x + width]
    share = thing.shape.surface(thing.u, thing.v, cut, thing.traits)
    return base * (1 + np.clip(share, 0, 1)[..., None] * change)
