"""Cell nuclei under two microscopes: bright in fluorescence, dark in a stained section."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from delineate.data.layers import Field, Layer
from delineate.data.painting import noise
from delineate.data.shapes import TAU, Shape, Thing, Traits

_INK = ((96, 62, 134), (72, 52, 120), (118, 84, 150), (84, 78, 100))  # haematoxylin, thin to thick
_FLESH = ((226, 176, 204), (206, 148, 190), (236, 206, 222), (208, 204, 206))  # eosin; unstained
_DYES = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.25, 0.45, 1.0), (0.3, 1.0, 0.4))  # grey, DAPI, GFP


def _nucleus(u: Field, v: Field, traits: Traits) -> Field:
    """An ellipse with two slow waves; one in eight is bent like a kidney."""
    v = v * (1 + 0.8 * traits[0] ** 2)
    angle = np.arctan2(v, u)
    waves = sum(
        0.09 * traits[k] * np.cos(k * angle + TAU * traits[k + 3]) / (k - 1) for k in (2, 3)
    )
    bent = 0.3 * (traits[8] > 0.87) * np.exp(-np.square((angle - 1.6) / 0.6))
    outside: Field = np.hypot(u, v) - (0.86 + waves - bent)
    return outside


def _no_surface(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    return grain


NUCLEUS = Shape(
    _nucleus, _no_surface, ((128, 128, 128),), second=(1, 1, 1), rim=0.5, gloss=0, name="nucleus"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fluorescence:
    """Nuclei that glow in the dark: one slide, whose cells take up more or less of the dye."""

    dye: Field
    level: float
    spread: float
    texture: float
    edge: float
    halo: float

    @classmethod
    def any(cls, rng: np.random.Generator) -> Self:
        """Prepare a slide."""
        return cls(
            dye=np.array(_DYES[rng.integers(len(_DYES))], np.float32),
            level=float(np.exp(rng.uniform(np.log(25), np.log(200)))),
            spread=rng.uniform(0.1, 0.45),
            texture=rng.uniform(0.05, 0.3),
            edge=rng.uniform(0.5, 1.6),
            halo=rng.uniform(0.0, 0.22),
        )

    def ground(self, size: tuple[int, int], rng: np.random.Generator) -> Field:
        """Darkness with a little haze."""
        haze = noise(size, 0.4 * min(size), rng) + 0.5 * noise(size, 0.12 * min(size), rng)
        dark = rng.uniform(2, 14) + 0.04 * self.level * np.clip(0.5 + haze, 0, 2)
        return np.asarray(dark[..., None] * (0.4 + 0.6 * self.dye), np.float32)

    def coat(self, thing: Thing, grain: Field, rng: np.random.Generator) -> Layer:
        """Let one nucleus glow."""
        inside = np.clip(-thing.outline / (0.6 * thing.radius), 0, 1)
        glow = 0.65 + 0.35 * inside * (2 - inside)
        spots = _patch(grain, thing, rng)
        glow = glow * (
            1 + self.texture * spots + 0.5 * self.texture * np.clip(3 * spots - 1.6, 0, 1)
        )
        tones = (
            np.minimum(self.level * float(np.exp(self.spread * rng.standard_normal())), 250) * glow
        )
        away = np.maximum(thing.outline, 0)
        cover = 1 / (1 + np.exp(np.clip(2.2 * thing.outline / self.edge, -30, 30)))
        cover = np.maximum(cover, self.halo * np.exp(-away / (0.3 * thing.radius)))
        fade = np.clip((1.3 * thing.radius - away - thing.radius) / (0.25 * thing.radius), 0, 1)
        return Layer(tones=tones[..., None] * self.dye + 6, cover=cover * fade, origin=thing.origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Nuclei stained dark in a thin section of tissue, or a smear, in white light."""

    ink: Field
    flesh: Field
    texture: float
    opacity: float
    rim: float
    fibres: float

    @classmethod
    def any(cls, rng: np.random.Generator) -> Self:
        """Prepare a slide."""
        ink = np.array(_INK[rng.integers(len(_INK))]) * rng.uniform(0.85, 1.2)
        flesh = np.array(_FLESH[rng.integers(len(_FLESH))]) * rng.uniform(0.94, 1.06)
        return cls(
            ink=ink.astype(np.float32),
            flesh=flesh.astype(np.float32),
            texture=rng.uniform(0.1, 0.3),
            opacity=rng.uniform(0.7, 0.97),
            rim=rng.uniform(0.0, 0.3),
            fibres=rng.uniform(0.2, 1.0),
        )

    def ground(self, size: tuple[int, int], rng: np.random.Generator) -> Field:
        """Pink fibres that wind along, and pale gaps between them."""
        wide = min(size)
        y, x = (np.arange(side, dtype=np.float32) for side in size)
        winding = [0.07 * wide * noise(size, 0.3 * wide, rng) for _ in range(2)]
        straight = noise(size, (0.02 * wide + 1, 0.1 * wide), rng)
        straight = straight + 0.7 * noise(size, (0.008 * wide + 1, 0.04 * wide), rng)
        if rng.random() < 0.5:  # the stream runs down the picture
            straight = np.ascontiguousarray(straight[: min(size), : min(size)].T)
        fibres = np.asarray(
            cv2.remap(
                straight,
                x + winding[0],
                y[:, None] + winding[1],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )
        )
        gaps = np.clip(1.6 * noise(size, 0.16 * wide, rng) - 1.2, 0, 1)
        clouds = 0.05 * noise(size, 0.08 * wide, rng)
        tones = self.flesh * (1 + 0.06 * self.fibres * fibres + clouds)[..., None]
        return np.asarray(tones + gaps[..., None] * (np.float32(238) - tones), np.float32)

    def coat(self, thing: Thing, grain: Field, rng: np.random.Generator) -> Layer:
        """Stain one nucleus: clumps of chromatin, a darker membrane."""
        clumps = _patch(grain, thing, rng)
        membrane = np.exp(-np.square((thing.outline + 0.08 * thing.radius) / (0.1 * thing.radius)))
        shade = rng.uniform(0.82, 1.2) * (1 - self.texture * clumps - self.rim * membrane)
        pale = (
            float(rng.random() < 0.3) * rng.uniform(0, 0.45) * (thing.outline < -0.2 * thing.radius)
        )
        tones = self.ink * shade[..., None] + pale[..., None] * 0.4 * self.flesh
        cover = self.opacity * np.clip(0.5 - thing.outline / 1.4, 0, 1)
        return Layer(tones=tones.astype(np.float32), cover=cover, origin=thing.origin)


def _patch(grain: Field, thing: Thing, rng: np.random.Generator) -> Field:
    """Cut noise for one nucleus whose grain grows with the nucleus."""
    side = len(thing.outline)
    fine = max(int(side * min(14 / max(thing.radius, 4), 1)), 4)
    x, y = rng.integers(max(len(grain) - fine, 1), size=2)
    cut = grain[y : y + fine, x : x + fine]
    return np.asarray(cv2.resize(cut, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)
