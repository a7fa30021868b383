"""Stuff for synthetic scenes: which regions lie behind the things, and how each class looks."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from delineate.data.layers import Field
from delineate.data.painting import noise
from delineate.data.shapes import TAU

Texture = Callable[[tuple[int, int], np.random.Generator], Field]
"""Paints (height, width, 3) tones from 0 to 255 all over."""

TWO_GROUNDS = 0.6  # share of scenes with a second class of ground,
SKY_ABOVE_WALL = 0.35  # and of those with a wall before the sky


def stuff_map(size: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Divide a picture into regions: ground below a wavy horizon, sky or a wall above it.

    Args:
        size: (height, width).
        rng: The only source of chance.

    Returns:
        (height, width) positions in `STUFF`; two to four of them occur, whole or hidden by none.
    """
    names = list(STUFF)
    first, second = rng.permutation([names.index(name) for name in GROUNDS])[:2].tolist()
    y, x = (np.arange(side, dtype=np.float32) for side in size)
    labels = np.full(size, first, np.int32)
    if rng.random() < TWO_GROUNDS:
        turn = rng.random() * TAU
        across, along = np.cos(turn), np.sin(turn)
        centre = rng.uniform(0.35, 0.65) * size[1], rng.uniform(0.6, 0.8) * size[0]
        place = (x - centre[0]) * across + (y[:, None] - centre[1]) * along
        length = (y[:, None] - centre[1]) * across - (x - centre[0]) * along
        labels[place < _wave(length, max(size), rng)] = second
    horizon = rng.uniform(0.25, 0.5) * size[0]
    upper = names.index("sky" if rng.random() < 0.5 else "wall")
    labels[y[:, None] < horizon + _wave(x, size[1], rng)] = upper
    if names[upper] == "wall" and rng.random() < SKY_ABOVE_WALL:
        roof = horizon * rng.uniform(0.3, 0.55)
        labels[y[:, None] < roof + 0.3 * _wave(x, size[1], rng)] = names.index("sky")
    return labels


def paint_stuff(labels: npt.NDArray[np.int32], rng: np.random.Generator) -> Field:
    """Paint each region in the texture of its class; (height, width, 3) tones from 0 to 255."""
    size = labels.shape[0], labels.shape[1]
    canvas = np.zeros((*size, 3), np.float32)
    for label, texture in enumerate(STUFF.values()):
        region = labels == label
        if region.any():
            canvas[region] = texture(size, rng)[region]
    return canvas


def _wave(along: Field, side: int, rng: np.random.Generator) -> Field:
    """Two sines of random phase, a few hundredths of the side high."""
    low, high = rng.uniform(0, TAU, 2)
    slow, fast = rng.uniform(0.8, 1.6), rng.uniform(2.5, 5)
    wave = np.sin(low + TAU * slow * along / side) + 0.4 * np.sin(high + TAU * fast * along / side)
    return np.asarray(rng.uniform(0.01, 0.035) * side * wave, np.float32)


def _mixed(dark: Field, light: Field, share: Field, rng: np.random.Generator) -> Field:
    """Blend two tones, both a little brighter or darker from scene to scene."""
    tint = rng.uniform(0.88, 1.12) * rng.uniform(0.96, 1.04, 3)
    tones = dark + np.clip(share, -0.2, 1.2)[..., None] * (light - dark)
    return np.asarray(tones * tint, np.float32)


def _tone(red: int, green: int, blue: int) -> Field:
    return np.array([red, green, blue], np.float32)


def _sky(size: tuple[int, int], rng: np.random.Generator) -> Field:
    height = np.linspace(0, 1, size[0], dtype=np.float32)[:, None]
    clouds = noise(size, (24, 60), rng) + 0.5 * noise(size, (10, 24), rng)
    share = 0.9 * height + 0.55 * np.clip(clouds, 0, 1.5)
    return _mixed(_tone(92, 140, 204), _tone(214, 228, 240), share, rng)


def _wall(size: tuple[int, int], rng: np.random.Generator) -> Field:
    """Bricks, every other course shifted by half of one."""
    tall, wide = rng.uniform(7, 11), rng.uniform(17, 25)
    course, up = np.divmod(np.arange(size[0], dtype=np.float32) / tall, 1)
    along = np.arange(size[1], dtype=np.float32) / wide + 0.5 * (course % 2)[:, None]
    joint = (up < 1.3 / tall)[:, None] | (along % 1 < 1.3 / wide)
    each = rng.uniform(0.15, 0.75, (int(course[-1]) + 1, int(along.max()) + 1))
    brick = each[course.astype(int)[:, None], along.astype(int)].astype(np.float32)
    bricks = _mixed(
        _tone(138, 66, 50), _tone(190, 108, 84), brick + 0.12 * noise(size, 2, rng), rng
    )
    return np.where(joint[..., None], _tone(196, 188, 176), bricks)


def _grass(size: tuple[int, int], rng: np.random.Generator) -> Field:
    blades = noise(size, (7, 1.5), rng) + 0.6 * noise(size, 2, rng)
    share = 0.45 + 0.22 * blades + 0.15 * noise(size, 40, rng)
    return _mixed(_tone(38, 82, 34), _tone(124, 164, 74), share, rng)


def _sand(size: tuple[int, int], rng: np.random.Generator) -> Field:
    dunes = noise(size, 44, rng)
    ripples = np.sin(np.arange(size[0], dtype=np.float32)[:, None] / 2.6 + 3 * dunes)
    share = 0.5 + 0.2 * dunes + 0.13 * ripples + 0.1 * noise(size, 1.5, rng)
    return _mixed(_tone(184, 150, 100), _tone(232, 208, 160), share, rng)


def _water(size: tuple[int, int], rng: np.random.Generator) -> Field:
    swell = noise(size, (12, 48), rng)
    waves = np.sin(np.arange(size[0], dtype=np.float32)[:, None] / 1.7 + 2.4 * swell)
    share = 0.35 + 0.22 * swell + 0.16 * waves + 0.2 * noise(size, (2, 14), rng)
    return _mixed(_tone(20, 72, 92), _tone(96, 168, 172), share, rng)


def _road(size: tuple[int, int], rng: np.random.Generator) -> Field:
    share = 0.4 + 0.3 * noise(size, 1.5, rng) + 0.2 * noise(size, 30, rng)
    return _mixed(_tone(66, 66, 70), _tone(128, 126, 124), share, rng)


GROUNDS = ("grass", "sand", "water", "road")
"""Classes below the horizon."""

STUFF: Mapping[str, Texture] = MappingProxyType(
    {
        "sky": _sky,
        "wall": _wall,
        "grass": _grass,
        "sand": _sand,
        "water": _water,
        "road": _road,
    }
)
"""Every class of stuff by name, in the order of its labels."""
