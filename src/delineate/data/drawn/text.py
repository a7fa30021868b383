"""Blocks of text on paper: one object is one paragraph, its mask the region of its lines."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from delineate.data.drawn.solids import bar
from delineate.data.layers import Field, Layer
from delineate.data.painting import noise
from delineate.data.shapes import Shape, Thing, Traits

MOST_LINES = 9
_SYLLABLES = (
    *("a", "an", "be", "con", "de", "en", "est", "for", "gra", "in", "is", "ka", "li", "lo", "mi"),
    *(
        "nis",
        "o",
        "per",
        "qu",
        "re",
        "sa",
        "sti",
        "ter",
        "the",
        "tra",
        "u",
        "ver",
        "wo",
        "y",
        "zen",
    ),
)
_PAPERS = ((250, 249, 245), (240, 230, 206), (226, 208, 170), (232, 236, 240))
_INKS = ((24, 24, 28), (60, 44, 34), (30, 42, 96), (120, 32, 30))
_HAND = (cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX, cv2.FONT_HERSHEY_SIMPLEX)
_LINE = (8, 40)  # fewest and most pixels of a line in the raster that is laid on the paper


def lines_of(traits: Traits) -> int:
    """Return the number of lines of a block."""
    return 1 + int(traits[0] * MOST_LINES)


def half_sides(traits: Traits) -> tuple[float, float]:
    """Return half the width and half the height of a block, in unit coordinates."""
    tall = lines_of(traits) / (10 + 22 * traits[1])  # over wide: so many letters' heights in a line
    half = 0.97 / math.hypot(1, tall)
    return half, half * tall


def _block(u: Field, v: Field, traits: Traits) -> Field:
    """A rectangle whose last line may end early."""
    wide, tall = half_sides(traits)
    whole = bar(u, v, (-wide, wide), tall)
    lines = lines_of(traits)
    if lines == 1:
        return whole
    end = wide * (2 * max(traits[2], 0.15) - 1)
    missing = np.maximum(end - u, tall * (1 - 2 / lines) - v)
    return np.maximum(whole, -missing)


def _no_surface(u: Field, v: Field, grain: Field, traits: Traits) -> Field:
    return grain


TEXT = Shape(
    _block, _no_surface, ((0, 0, 0),), second=(1, 1, 1), rim=0.1, gloss=0, name="paragraph"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One sheet: its paper and its ink."""

    paper: Field
    ink: Field
    font: int
    """Index into `_HAND`; beyond: a printer's font."""
    wear: float

    @classmethod
    def any(cls, rng: np.random.Generator) -> Self:
        """Take a sheet."""
        paper = np.array(_PAPERS[rng.integers(len(_PAPERS))]) * rng.uniform(0.88, 1.0)
        return cls(
            paper=paper.astype(np.float32),
            ink=np.array(_INKS[rng.integers(len(_INKS))], np.float32),
            font=int(rng.integers(2 * len(_HAND))),
            wear=rng.uniform(0.0, 1.0),
        )

    def ground(self, size: tuple[int, int], rng: np.random.Generator) -> Field:
        """Paper with fibres, stains and folds."""
        wide = min(size)
        fibres = 0.012 * noise(size, 1.5, rng) + 0.02 * noise(size, (3, 12), rng)
        stains = 0.1 * self.wear * np.clip(noise(size, 0.25 * wide, rng) - 0.4, 0, 1)
        tones = self.paper * (1 + fibres - stains)[..., None]
        if rng.random() < 0.4 * self.wear:
            across = np.arange(size[1], dtype=np.float32) - rng.uniform(0.2, 0.8) * size[1]
            tones *= (1 - 0.12 * np.exp(-np.square(across / 2)))[None, :, None]
        return np.asarray(tones, np.float32)

    def coat(self, thing: Thing, grain: Field, rng: np.random.Generator) -> Layer:
        """Write one block."""
        wide, tall = half_sides(thing.traits)
        lines = lines_of(thing.traits)
        height = int(np.clip(1.6 * 2 * tall * thing.radius / lines, *_LINE))
        raster = self._raster(lines, height, round(height * lines * wide / tall), thing.traits, rng)
        x = (thing.u + wide) * (raster.shape[1] / (2 * wide)) - 0.5
        y = (thing.v + tall) * (raster.shape[0] / (2 * tall)) - 0.5
        written = np.asarray(cv2.remap(raster, x, y, cv2.INTER_LINEAR), np.float32) / 255
        cut = grain[: len(written), : len(written)]
        faded = 1 - self.wear * 0.35 * np.clip(cut + 0.3, 0, 1)
        tones = np.broadcast_to(self.ink, (*written.shape, 3))
        return Layer(tones=tones, cover=written * faded, origin=thing.origin)

    def _raster(
        self, lines: int, height: int, width: int, traits: Traits, rng: np.random.Generator
    ) -> npt.NDArray[np.uint8]:
        """Write the lines upright; (lines * height, width) opacity from 0 to 255."""
        rows = []
        for line in range(lines):
            row = self._line(_words(width // height * 3 + 4, rng), height, width)
            if line == lines - 1 and lines > 1:
                row[:, int(width * max(traits[2], 0.15)) :] = 0
            rows.append(row)
        return np.concatenate(rows)

    def _line(self, text: str, height: int, width: int) -> npt.NDArray[np.uint8]:
        if self.font >= len(_HAND):
            paper = Image.new("L", (width, height))
            pen = ImageDraw.Draw(paper)
            pen.text((1, 0.78 * height), text, fill=255, font=_printed(height), anchor="ls")
            return np.array(paper)
        row = np.zeros((height, width), np.uint8)
        place, scale = (1, round(0.72 * height)), height / 38
        thick = max(round(height / 16), 1)
        cv2.putText(row, text, place, _HAND[self.font], scale, 255, thick, cv2.LINE_AA)
        return row


def _words(letters: int, rng: np.random.Generator) -> str:
    """Return nonsense of about so many letters."""
    words, length = [], 0
    while length < letters:
        parts = rng.integers(len(_SYLLABLES), size=rng.integers(1, 4))
        word = "".join(_SYLLABLES[part] for part in parts)
        words.append(word.capitalize() if rng.random() < 0.15 else word)
        length += len(word) + 1
    return " ".join(words)


@lru_cache(maxsize=64)
def _printed(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(0.72 * height)
