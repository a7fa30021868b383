"""How a cut-out object is laid into a picture: its colours matched, its edge blended.

Of the ways to blend, one is drawn for each object, so that a network cannot learn the seam (D.
Dwibedi, I. Misra, M. Hebert, "Cut, Paste and Learn", ICCV 2017):

- hard: as it was cut.
- feather: its edge fades.
- soft: it takes some of what is around it along, shifted to the colour of the place.
- poisson: as soft, and what differs along the rim is spread over the object (P. Perez, M. Gangnet,
  A. Blake, "Poisson Image Editing", SIGGRAPH 2003; see `delineate.data.pasted.clearing`).
"""

from typing import Literal, NamedTuple

import cv2
import numpy as np

from delineate.core.geometry import Geometry
from delineate.core.image import ImageArray
from delineate.core.rle import Bitmap
from delineate.data.layers import Field, Layer, overlap
from delineate.data.pasted.clearing import spread
from delineate.data.pasted.learnt import surroundings
from delineate.data.pasted.looks import to_lab, to_rgb

Blend = Literal["hard", "feather", "soft", "poisson"]

BLENDS: dict[Blend, float] = {"hard": 0.15, "feather": 0.35, "soft": 0.35, "poisson": 0.15}
"""How often each is drawn where all are possible."""

TAKES_ALONG: frozenset[Blend] = frozenset({"soft", "poisson"})
"""What is around an object comes along: only where the ground is alike, and nothing else near."""

_CONTRAST = (0.4, 2.2)  # least and greatest change
_STANDS_OUT = 4.0  # difference in lightness from which on an object stands out from its ground
_SOFTEST = 1.3  # standard deviation of a faded edge, in pixels


class Wear(NamedTuple):
    """The colours an object takes on."""

    mean: Field
    """(3,) L*a*b*."""
    contrast: float
    """Standard deviation of the lightness."""
    share: float
    """How far it goes there from its own, 0 to 1."""
    grounds: tuple[float, float] | None
    """Lightness of the ground it lay on, and of that it comes to lie on, where what counts is how
    an object stands out from its ground; else None."""


class Paste(NamedTuple):
    """An object on its way from one picture to another."""

    object_: int
    """Row in `Learnt`."""
    window: tuple[int, int, int, int]
    """x0, y0, x1, y1 of what is cut out; it may leave the source."""
    geometry: Geometry
    """From the window to a patch of the picture."""
    mask: Bitmap
    """(h, w) of the patch."""
    side: float
    """Root of its area there, in pixels."""
    blend: Blend
    origin: tuple[int, int] = (0, 0)
    """(x, y) of the patch in the picture."""


def cut(image: ImageArray, window: tuple[int, int, int, int]) -> ImageArray:
    """Return a part of a picture, continued at its edges where the window leaves it."""
    x0, y0, x1, y1 = window
    (rows, columns), in_part = overlap((x0, y0), (y1 - y0, x1 - x0), image.shape)
    before = in_part[0].start, in_part[1].start
    after = y1 - y0 - in_part[0].stop, x1 - x0 - in_part[1].stop
    ends = ((before[0], after[0]), (before[1], after[1]), (0, 0))
    return np.pad(image[rows, columns], ends, mode="edge")


def lay(paste: Paste, part: ImageArray, canvas: Field, wear: Wear | None) -> Layer:
    """Return an object as it looks in its new place.

    Args:
        paste: Where it goes.
        part: What `cut` returned.
        canvas: (height, width, 3) tones of all that lies below.
        wear: Colours to take on, if any.
    """
    patch = paste.geometry.image(part)
    tones = patch.astype(np.float32) if wear is None else _worn(patch, paste.mask, wear)
    away = cv2.distanceTransform((~paste.mask).astype(np.uint8), cv2.DIST_L2, 3)
    cover = paste.mask.astype(np.float32)
    if paste.blend in TAKES_ALONG:
        cover = np.clip(1 - np.asarray(away) / (surroundings(paste.side) + 1), 0, 1)
        tones = _settled(paste, patch, tones, np.asarray(away), canvas)
    elif paste.blend == "feather":
        blurred = cv2.GaussianBlur(cover, (0, 0), min(max(0.03 * paste.side, 0.7), _SOFTEST))
        cover = np.clip(1.15 * np.asarray(blurred) - 0.1, 0, 1)
    else:
        cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.4))
    return Layer(tones=tones, cover=cover, origin=paste.origin)


def shadow(paste: Paste, shade: float) -> Layer:
    """Return the darkness close around an object that lies on something.

    Args:
        paste: Where the object goes.
        shade: See `Looks`.
    """
    soft = 0.5 * surroundings(paste.side)
    room = int(3 * soft) + 1
    wide = np.pad(paste.mask, room).astype(np.float32)
    cover = np.asarray(cv2.GaussianBlur(wide, (0, 0), soft)) * min(2 * shade, 0.9)
    origin = paste.origin[0] - room, paste.origin[1] - room
    return Layer(tones=np.zeros((*cover.shape, 3), np.float32), cover=cover, origin=origin)


def _worn(patch: ImageArray, mask: Bitmap, wear: Wear) -> Field:
    """Move the mean and the contrast of an object's colours towards others."""
    lab = to_lab(patch)
    inside = lab[mask]
    own = inside.mean(axis=0)
    wanted = own + wear.share * (wear.mean - own)
    before, after = float(own[0]), float(wanted[0])
    stretch = (wear.contrast / max(float(inside[:, 0].std()), 1e-3)) ** wear.share
    if wear.grounds is not None and abs(own[0] - wear.grounds[0]) > _STANDS_OUT:
        stretch = (after - wear.grounds[1]) / (before - wear.grounds[0])
        before, after = wear.grounds
    lab[..., 0] = after + min(max(stretch, _CONTRAST[0]), _CONTRAST[1]) * (lab[..., 0] - before)
    lab[..., 1:] += (wanted - own)[1:]
    return to_rgb(np.asarray(lab, np.float32))


def _settled(paste: Paste, patch: ImageArray, tones: Field, away: Field, canvas: Field) -> Field:
    """Shift what came along to the colour of the place; with poisson, the object with it."""
    in_picture, in_patch = overlap(paste.origin, away.shape, canvas.shape)
    rim = np.zeros(away.shape, np.float32)
    reach = surroundings(paste.side)  # the outer half of which is free of the object's own glow
    rim[in_patch] = (away[in_patch] > reach / 2) & (away[in_patch] <= reach)
    differs = np.zeros(patch.shape, np.float32)
    differs[in_patch] = canvas[in_picture] - patch[in_patch]
    if not rim.any():
        return tones
    if paste.blend == "poisson":
        return np.asarray(patch + spread(differs, rim), np.float32)
    even = differs[rim > 0].mean(axis=0)
    inside = np.clip(1 - away, 0, 1)[..., None]
    return np.asarray(inside * tones + (1 - inside) * (patch + even), np.float32)
