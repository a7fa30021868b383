"""Take the objects out of a picture, so that others can lie there.

The place of each object is filled with a piece of the same picture: of all places near by where
nothing is to be filled, that one whose rim differs least. What difference remains along the rim is
spread over the piece, so that no seam shows (the membrane of P. Perez, M. Gangnet, A. Blake,
"Poisson Image Editing", SIGGRAPH 2003; here by pull and push: S. J. Gortler and others, "The
Lumigraph", SIGGRAPH 1996). Where no piece is large enough, the place is divided.
"""

from itertools import pairwise

import cv2
import numpy as np

from delineate.core.image import ImageArray
from delineate.core.masks import Masks
from delineate.core.rle import Bitmap
from delineate.data.layers import Field, Window

_MARGIN = (2.0, 0.15)  # pixels, and share of its root area: what an object lights or darkens around
_RIM = (4, 0.12)  # at least in pixels, and in shares of its root area: what is compared around it
_SEARCH = 2.0  # how far a piece is looked for, in sides of the place,
_LEAST_SEARCH = 48  # and at least in pixels
_COARSE = 40  # pixels: larger places are compared in a smaller picture
_MOST = 14  # grey levels that a rim may differ by; beyond, something else begins there
_SMALLEST = 6  # pixels: smaller places are not divided any more


def cleared(image: ImageArray, masks: Masks) -> ImageArray:
    """Return a picture without its objects.

    Args:
        image: (h, w, 3) RGB.
        masks: Everything that is to go, crowds included.
    """
    canvas = image.astype(np.float32)
    todo = np.zeros(masks.size, bool)
    places = [_place(masks, i) for i in np.argsort(masks.areas, kind="stable").tolist()]
    for window, region in places:
        todo[window] |= region
    for window, region in places:
        _fill(canvas, todo, window, region)
    if todo.any():
        canvas = spread(canvas, 1 - todo.astype(np.float32))
    return np.asarray(np.clip(canvas + 0.5, 0, 255), np.uint8)


def spread(values: Field, known: Field) -> Field:
    """Continue values smoothly to where they are not known.

    Args:
        values: (h, w, 3) float32.
        known: (h, w) from 0, unknown, to 1.
    """
    height, width = known.shape
    if height == width == 1 or known.min() == 1:
        return values
    size = (width + 1) // 2, (height + 1) // 2
    weight = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA))
    sums = cv2.resize(values * known[..., None], size, interpolation=cv2.INTER_AREA)
    means = np.asarray(sums) / np.maximum(weight, 1e-6)[..., None]
    coarse = spread(means, np.minimum(4 * weight, 1))
    smooth = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
    return np.asarray(smooth + known[..., None] * (values - smooth), np.float32)


def _place(masks: Masks, i: int) -> tuple[Window, Bitmap]:
    """Return what an object covers and touches: the window around it, and the pixels therein."""
    crop, (x, y) = masks.crop(i)
    room = round(_MARGIN[0] + _MARGIN[1] * float(np.sqrt(np.count_nonzero(crop))))
    window = _window(
        y - room, y + crop.shape[0] + room, x - room, x + crop.shape[1] + room, masks.size
    )
    whole = np.pad(crop, room).astype(np.uint8)
    wide = cv2.dilate(whole, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * room + 1,) * 2)) > 0
    top, left = window[0].start - (y - room), window[1].start - (x - room)
    rows, columns = (part.stop - part.start for part in window)
    return window, wide[top : top + rows, left : left + columns]


def _fill(canvas: Field, todo: Bitmap, window: Window, region: Bitmap) -> None:
    """Fill a place from elsewhere, whole or in parts; what cannot be filled stays to be done."""
    region = region & todo[window]
    if not region.any():
        return
    x, y, width, height = cv2.boundingRect(region.view(np.uint8))
    region = region[y : y + height, x : x + width]
    top, left = window[0].start + y, window[1].start + x
    rim_width = round(max(_RIM[0], _RIM[1] * float(np.sqrt(np.count_nonzero(region)))))
    around = _window(
        top - rim_width,
        top + height + rim_width,
        left - rim_width,
        left + width + rim_width,
        todo.shape,
    )
    inside = np.zeros(todo[around].shape, bool)
    inside[top - around[0].start :, left - around[1].start :][:height, :width] = region
    away = np.asarray(cv2.distanceTransform((~inside).view(np.uint8), cv2.DIST_L2, 3))
    rim = (away < rim_width + 0.5) & ~inside & ~todo[around]
    step = _best_step(canvas, todo, around, inside, rim) if rim.any() else None
    if step is not None:
        _copy(canvas, todo, around, np.clip(1 - away / (rim_width + 1), 0, 1), rim, step)
    elif max(height, width) > _SMALLEST:
        for part in _quarters(top, left, height, width):
            rows, columns = part[0].start - top, part[1].start - left
            cut = region[rows:, columns:][: part[0].stop - part[0].start]
            _fill(canvas, todo, part, cut[:, : part[1].stop - part[1].start])


def _best_step(
    canvas: Field, todo: Bitmap, around: Window, inside: Bitmap, rim: Bitmap
) -> tuple[int, int] | None:
    """Return how many rows and columns away the best piece lies, None if there is no whole one."""
    side = max(rim.shape)
    cell = -(-side // _COARSE)
    home = around[0].start, around[1].start
    wanted = canvas[around], inside, rim
    far = max(int(_SEARCH * side), _LEAST_SEARCH)
    place = _best_place(canvas, todo, wanted, home, far, cell)
    if place is not None and cell > 1:
        place = _best_place(canvas, todo, wanted, place, cell, 1) or place
    return None if place is None else (place[0] - home[0], place[1] - home[1])


def _best_place(
    canvas: Field,
    todo: Bitmap,
    wanted: tuple[Field, Bitmap, Bitmap],
    near: tuple[int, int],
    far: int,
    cell: int,
) -> tuple[int, int] | None:
    """Return the row and the column of the best piece at most `far` pixels from a place.

    Args:
        canvas: The picture.
        todo: Where it is not known.
        wanted: The pixels around the place to be filled; which of them are to be filled; and which
            are compared.
        near: Row and column where the search is centred.
        far: In pixels.
        cell: Side of the square cells that are compared instead of pixels.
    """
    height, width = wanted[1].shape
    (top, left), size = near, todo.shape
    area = _window(top - far, top + height + far, left - far, left + width + far, size)
    here, place, edge = (_coarse(part, cell) for part in wanted)
    there, full = _coarse(canvas[area], cell), _coarse(todo[area], cell)
    if any(a < b for a, b in zip(full.shape, place.shape, strict=True)) or not (edge > 0.5).any():
        return None
    clash = cv2.matchTemplate((full > 0).astype(np.float32), place, cv2.TM_CCORR)
    weight = np.repeat((edge > 0.5).astype(np.float32)[..., None], 3, axis=2)
    cost = np.asarray(cv2.matchTemplate(there, here, cv2.TM_SQDIFF, mask=weight))
    cost = np.where(np.asarray(clash) < 0.5, cost, np.inf)
    row, column = np.unravel_index(int(cost.argmin()), cost.shape)
    if not np.isfinite(cost[row, column]):
        return None
    return (
        min(area[0].start + int(row) * cell, size[0] - height),
        min(area[1].start + int(column) * cell, size[1] - width),
    )


def _copy(
    canvas: Field,
    todo: Bitmap,
    around: Window,
    cover: Field,
    rim: Bitmap,
    step: tuple[int, int],
) -> None:
    """Copy the piece that lies `step` away, evened out and fading along the rim."""
    rows, columns = (slice(s.start + d, s.stop + d) for s, d in zip(around, step, strict=True))
    there = rows, columns
    piece = canvas[there]
    known = ~todo[there]
    apart = np.clip(canvas[around] - piece, -_MOST, _MOST)
    differs = spread(apart, (rim & known).astype(np.float32))
    cover = cover * (known & ((cover == 1) | ~todo[around]))
    canvas[around] += cover[..., None] * (piece + differs - canvas[around])
    todo[around][cover == 1] = False


def _coarse(pixels: Field, cell: int) -> Field:
    """Average square cells; those at the far ends may be smaller."""
    height, width = pixels.shape[:2]
    padded = np.pad(
        pixels.astype(np.float32),
        ((0, -height % cell), (0, -width % cell), *((0, 0),) * (pixels.ndim - 2)),
        mode="edge",
    )
    small = -(-width // cell), -(-height // cell)
    return np.asarray(cv2.resize(padded, small, interpolation=cv2.INTER_AREA))


def _quarters(top: int, left: int, height: int, width: int) -> list[Window]:
    rows = sorted({top, top + height // 2, top + height})
    columns = sorted({left, left + width // 2, left + width})
    return [(slice(*r), slice(*c)) for r in pairwise(rows) for c in pairwise(columns)]


def _window(top: int, bottom: int, left: int, right: int, size: tuple[int, ...]) -> Window:
    return slice(max(top, 0), min(bottom, size[0])), slice(max(left, 0), min(right, size[1]))
