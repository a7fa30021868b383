"""Layers: a picture put together from things that lie one upon another, every mask known exactly.

Where things lie and how they look are kept apart. A `Stack` holds `Piece`s from back to front; it
knows, pixel by pixel, which one is seen, and so the exact visible and whole ("amodal") mask of each
and the share of it that is hidden. Pixels follow, as one `Layer` for each piece, blended over the
ground with soft edges and soft shadows: they never change a mask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.rle import Bitmap, Runs

Field = npt.NDArray[Any]  # float32
Window = tuple[slice, slice]
Provenance = Mapping[str, Any]
"""Where an object comes from, in values that JSON can hold."""

LEAST_SHARE = 0.25  # of a thing that must show,
LEAST_AREA = 20  # and so many pixels of it

_SHADOW = 0.45  # share of the light that a shadow takes away,
_CONTACT = 0.3  # and the seam around a thing that lies on something


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """One thing in its place.

    Attributes:
        label: Its class; None: it hides others, but is not labelled itself.
        mask: (h, w) where it is, hidden or not; it may reach out of the picture.
        origin: (x, y) of the mask's first pixel in the picture.
        provenance: Where it comes from.
    """

    label: int | None
    mask: Bitmap
    origin: tuple[int, int]
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """How one thing looks.

    Attributes:
        tones: (h, w, 3) colours from 0 to 255.
        cover: (h, w) opacity from 0 to 1, soft along its edges.
        origin: (x, y) of the first pixel in the picture.
        lift: How far it stands out from what is below, in pixels; 0: it casts no shadow.
    """

    tones: Field
    cover: Field
    origin: tuple[int, int]
    lift: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extras:
    """What is known of the objects of one picture beside their visible masks.

    Attributes:
        amodal: (n,) whole masks, hidden parts included, as far as they lie in the picture.
        occlusion: (n,) share of each that others hide: 1 - visible / whole within the picture.
        depth: (n,) place in the order of depth: 0 lies nearest, n - 1 at the back.
        provenance: (n,) where each comes from.
    """

    amodal: Masks
    occlusion: npt.NDArray[np.float64]
    depth: npt.NDArray[np.int64]
    provenance: tuple[Provenance, ...]


class Stack:
    """Things that lie one upon another in a picture.

    Args:
        size: (height, width) of the picture.
        least_share: Share of each labelled thing that must stay in sight,
        least_area: and number of pixels.
    """

    def __init__(
        self, size: Size, *, least_share: float = LEAST_SHARE, least_area: int = LEAST_AREA
    ) -> None:
        self.size = size
        self.owner = np.full(size, -1, np.int32)
        """(height, width): the index in `pieces` of what is seen, -1 where it is the ground."""
        self.pieces: list[Piece] = []
        self._least_share = least_share
        self._least_area = least_area
        self._enough: list[float] = []  # pixels of each that must stay in sight
        self._shown: list[int] = []

    def __len__(self) -> int:
        return len(self.pieces)

    def offer(self, piece: Piece) -> bool:
        """Put a thing in front of all others, unless too little of it or of another would show."""
        in_picture, in_mask = overlap(piece.origin, piece.mask.shape, self.size)
        seen = piece.mask[in_mask]
        below = self.owner[in_picture][seen]
        least = max(self._least_area, self._least_share * np.count_nonzero(piece.mask))
        if below.size < least:
            return False
        left = np.array(self._shown) - np.bincount(below + 1, minlength=len(self) + 1)[1:]
        if (left < np.array(self._enough)).any():
            return False
        self.owner[in_picture][seen] = len(self)
        self._shown = [*left.tolist(), int(below.size)]
        self._enough.append(0.0 if piece.label is None else least)
        self.pieces.append(piece)
        return True

    def touches(self, piece: Piece, gap: int = 1) -> bool:
        """Tell whether a thing would lie on another or within `gap` pixels of it."""
        wide = np.pad(piece.mask, gap).astype(np.uint8)
        wide = np.asarray(cv2.dilate(wide, np.ones((2 * gap + 1, 2 * gap + 1), np.uint8)))
        origin = piece.origin[0] - gap, piece.origin[1] - gap
        in_picture, in_mask = overlap(origin, wide.shape, self.size)
        return bool((self.owner[in_picture][wide[in_mask] > 0] >= 0).any())

    def instances(self) -> Instances:
        """Return what is visible of each labelled thing, from back to front."""
        masks = Masks(self.size, tuple(self._visible(i) for i in self._labelled()))
        labels = [self.pieces[i].label for i in self._labelled()]
        return Instances(
            image_size=self.size,
            boxes=masks.boxes(),
            labels=np.array(labels, np.int64),
            masks=masks,
        )

    def extras(self) -> Extras:
        """Return what else is known of each labelled thing, in the order of `instances`."""
        labelled = self._labelled()
        whole = Masks(self.size, tuple(self._whole(i) for i in labelled))
        visible = np.array([self._shown[i] for i in labelled], np.float64)
        return Extras(
            amodal=whole,
            occlusion=1 - visible / np.maximum(whole.areas, 1),
            depth=np.arange(len(labelled))[::-1].copy(),
            provenance=tuple(self.pieces[i].provenance for i in labelled),
        )

    def _labelled(self) -> list[int]:
        return [i for i, piece in enumerate(self.pieces) if piece.label is not None]

    def _visible(self, number: int) -> Runs:
        piece = self.pieces[number]
        (rows, columns), _ = overlap(piece.origin, piece.mask.shape, self.size)
        crop = self.owner[rows, columns] == number
        return rle.from_crop(crop, (columns.start, rows.start), self.size)

    def _whole(self, number: int) -> Runs:
        piece = self.pieces[number]
        (rows, columns), in_mask = overlap(piece.origin, piece.mask.shape, self.size)
        return rle.from_crop(piece.mask[in_mask], (columns.start, rows.start), self.size)


def overlap(
    origin: tuple[int, int], shape: tuple[int, ...], size: tuple[int, ...]
) -> tuple[Window, Window]:
    """Where a patch overlaps a picture: as slices of the picture, and of the patch.

    Args:
        origin: (x, y) of the patch's first pixel in the picture.
        shape: (height, width, ...) of the patch.
        size: (height, width, ...) of the picture.
    """
    (x0, y0) = origin
    top, bottom = _shared(y0, shape[0], size[0])
    left, right = _shared(x0, shape[1], size[1])
    in_picture = slice(top, bottom), slice(left, right)
    in_patch = slice(top - y0, bottom - y0), slice(left - x0, right - x0)
    return in_picture, in_patch


def _shared(first: int, length: int, limit: int) -> tuple[int, int]:
    """Start and stop of what `length` pixels from `first` on share with 0 .. limit."""
    start = min(max(first, 0), limit)
    return start, max(min(first + length, limit), start)


def blend(canvas: Field, layer: Layer, light: Field | None = None) -> None:
    """Lay a layer, and the shadow it casts, over a picture.

    Args:
        canvas: (height, width, 3) tones of all that lies below; it is changed.
        layer: What comes next.
        light: (x, y, z) unit vector towards the light, z out of the picture; None: no shadows.
    """
    if light is not None and layer.lift > 0:
        _cast(canvas, layer, light)
    in_picture, in_layer = overlap(layer.origin, layer.cover.shape, canvas.shape)
    below = canvas[in_picture]
    below += layer.cover[in_layer][..., None] * (layer.tones[in_layer] - below)


def _cast(canvas: Field, layer: Layer, light: Field) -> None:
    """Darken what the layer keeps the light from: sharply where it lies, softly further away."""
    away = -layer.lift * light[:2] / light[2]
    x, y = round(float(away[0])), round(float(away[1]))
    soft = 0.6 + 0.3 * layer.lift
    room = int(max(abs(x), abs(y)) + 2 * soft) + 3
    cover = np.pad(layer.cover, room)
    moved = np.roll(cover, (y, x), axis=(0, 1))
    shadow = _SHADOW * np.asarray(cv2.GaussianBlur(moved, (0, 0), soft))
    contact = _CONTACT * np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.8 + 0.1 * layer.lift))
    origin = layer.origin[0] - room, layer.origin[1] - room
    in_picture, in_patch = overlap(origin, cover.shape, canvas.shape)
    canvas[in_picture] *= (1 - np.maximum(shadow, contact)[in_patch])[..., None]
