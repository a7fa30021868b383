"""Pixels under a matrix: moved in the cheapest way that does them justice, and only once."""

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.matrix import (
    TINY,
    Matrix,
    compose,
    depth_of_sources,
    inverse,
    is_affine,
    is_upright,
    near,
    scaling,
    shifted,
)

Image = npt.NDArray[np.uint8]
Fill = int | tuple[int, int, int]


def moved(pixels: Image, matrix: Matrix, target: Size, fill: Fill) -> Image:
    """Apply an affine matrix to pixels in the cheapest way that does it justice.

    Whole steps, flips and quarter turns copy pixels unchanged. Stretching the full image is
    `cv2.resize`, averaging where it shrinks. The rest is bilinear, after averaging where it shrinks
    to less than half.

    Args:
        pixels: ``(h, w)`` or ``(h, w, 3)``.
        matrix: ``(2, 3)``.
        target: ``(h, w)`` of the result.
        fill: Value of what lies outside `pixels`.
    """
    turned = matrix[:, [1, 0, 2]]
    if is_upright(turned):
        pixels, matrix = as_bytes(cv2.transpose(pixels)), turned
    if is_upright(matrix):
        pixels, matrix = _unflipped(pixels, matrix)
        if near(matrix, scaling(1, 1, *np.rint(matrix[:, 2]))):
            return _shifted(pixels, matrix, target, fill)
        h, w = pixels.shape[:2]
        if near(matrix, scaling(target[1] / w, target[0] / h, 0, 0)):
            shrinks = target[0] <= h and target[1] <= w
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            return as_bytes(cv2.resize(pixels, (target[1], target[0]), interpolation=how))
    return _interpolated(pixels, matrix, target, fill)


def _unflipped(pixels: Image, matrix: Matrix) -> tuple[Image, Matrix]:
    """Flip the pixels where an upright matrix does, and return the matrix that is left to apply."""
    h, w = pixels.shape[:2]
    (scale_x, _, shift_x), (_, scale_y, shift_y) = matrix.tolist()
    if scale_x < 0:
        pixels, shift_x = as_bytes(cv2.flip(pixels, 1)), shift_x + scale_x * w
    if scale_y < 0:
        pixels, shift_y = as_bytes(cv2.flip(pixels, 0)), shift_y + scale_y * h
    return pixels, scaling(abs(scale_x), abs(scale_y), shift_x, shift_y)


def _shifted(pixels: Image, matrix: Matrix, target: Size, fill: Fill) -> Image:
    """Apply a matrix of whole steps by slicing."""
    h, w = pixels.shape[:2]
    left, top = np.rint(matrix[:, 2]).astype(int).tolist()
    x0, x1 = max(left, 0), min(left + w, target[1])
    y0, y1 = max(top, 0), min(top + h, target[0])
    if (x0, y0, x1, y1) == (0, 0, target[1], target[0]):
        return np.ascontiguousarray(pixels[-top : y1 - top, -left : x1 - left])
    out = np.empty((*target, *pixels.shape[2:]), dtype=np.uint8)
    out[:] = _colour(fill, pixels.ndim)
    if x0 < x1 and y0 < y1:
        out[y0:y1, x0:x1] = pixels[y0 - top : y1 - top, x0 - left : x1 - left]
    return out


def _interpolated(pixels: Image, matrix: Matrix, target: Size, fill: Fill) -> Image:
    """Apply any affine matrix bilinearly, to pixels averaged where it shrinks to less than half."""
    (h, w), own = pixels.shape[:2], matrix
    pixels, matrix = _averaged(pixels, matrix, cells_of(matrix, (h, w)))
    colour = _colour(fill, pixels.ndim)
    upright = is_upright(matrix)
    indices = shifted(matrix, (0.5, 0.5), (-0.5, -0.5))  # cv2 counts from pixel centres
    border = cv2.BORDER_REPLICATE if upright else cv2.BORDER_CONSTANT
    flat = (target[1], target[0])
    out = as_bytes(
        cv2.warpAffine(pixels, indices, flat, None, cv2.INTER_LINEAR, border, borderValue=colour)
    )
    if upright:  # the source's edges lie along rows and columns: no fading into the fill there
        ends = np.array([[0, 0], [w, h]]) @ own[:, :2].T + own[:, 2]
        (x0, y0), (x1, y1) = np.ceil(ends - 0.5).clip(0).astype(int).tolist()
        out[:y0], out[y1:], out[:, :x0], out[:, x1:] = (colour,) * 4
    return out


def _averaged(pixels: Image, matrix: Matrix, cells: tuple[int, int]) -> tuple[Image, Matrix]:
    """Replace cells of pixels by their mean, and return the matrix that is left to apply.

    Bilinear interpolation looks at two pixels along an axis and would skip the others.
    """
    (h, w), (cell_x, cell_y) = pixels.shape[:2], cells
    if cell_x == cell_y == 1:
        return pixels, matrix
    if w % cell_x or h % cell_y:
        missing = (0, -h % cell_y, 0, -w % cell_x)
        pixels = as_bytes(cv2.copyMakeBorder(pixels, *missing, cv2.BORDER_REPLICATE))
    small = (-(-w // cell_x), -(-h // cell_y))
    pixels = as_bytes(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA))
    return pixels, compose(matrix, scaling(cell_x, cell_y, 0, 0))


def foreshortened(
    pixels: Image, matrix: Matrix, target: Size, fill: Fill, cells: tuple[int, int]
) -> Image:
    """Apply a ``(3, 3)`` matrix bilinearly, to pixels averaged in `cells` of columns and rows.

    Else as `moved`. What lies beyond the horizon is filled.
    """
    pixels, matrix = _averaged(pixels, matrix, cells)
    colour = _colour(fill, pixels.ndim)
    indices = shifted(matrix, (0.5, 0.5), (-0.5, -0.5))  # cv2 counts from pixel centres
    flat = (target[1], target[0])
    how, border = cv2.INTER_LINEAR, cv2.BORDER_CONSTANT
    out = as_bytes(
        cv2.warpPerspective(pixels, indices, flat, None, how, border, borderValue=colour)
    )
    along_x, along_y, level = depth_of_sources(matrix)
    least = min(along_x * x + along_y * y for x in (0, target[1]) for y in (0, target[0]))
    if least + level <= 0:
        out[_depth(matrix, target) <= 0] = colour
    return out


def picked(labels: Image, matrix: Matrix, target: Size, fill: int) -> Image:
    """Give each pixel of the target the label of the source pixel that its centre comes from."""
    back = inverse(matrix)
    (a, b, shift_x), (c, d, shift_y) = back[:2].tolist()
    (h, w), (rows, columns) = labels.shape, np.ogrid[0.5 : target[0], 0.5 : target[1]]
    x, y = a * columns + shift_x, d * rows + shift_y
    if not (is_affine(back) and is_upright(back)):  # else one number a column and a row are enough
        x, y = x + b * rows, y + c * columns
    if not is_affine(back):
        depth = _depth(matrix, target)
        depth = np.where(depth > 0, depth, np.inf)
        x, y = np.where(depth < np.inf, x / depth, -1), y / depth
    x, y = (np.floor(at + TINY).astype(np.int64) for at in (x, y))
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    found: Image = labels[y.clip(0, h - 1), x.clip(0, w - 1)]
    found[~inside] = fill
    return found


def cells_of(matrix: Matrix, size: Size) -> tuple[int, int]:
    """Return how many whole source pixels along x and along y fall into one of the target."""
    (a, b, _), (c, d, _) = matrix.tolist()
    cell_x = min(max(1 / math.hypot(a, c) + TINY, 1), size[1])
    cell_y = min(max(1 / math.hypot(b, d) + TINY, 1), size[0])
    return int(cell_x), int(cell_y)


def _depth(matrix: Matrix, target: Size) -> npt.NDArray[np.float64]:
    """Return the ``(h, w)`` depth of what each pixel centre of the target shows; sky has none."""
    rows, columns = np.ogrid[0.5 : target[0], 0.5 : target[1]]
    along_x, along_y, level = depth_of_sources(matrix)
    return np.asarray(along_x * columns + (along_y * rows + level))


def _colour(fill: Fill, ndim: int) -> Fill:
    """Return `fill` as the value of one pixel of a grey (2) or colour (3 dimensions) image."""
    if isinstance(fill, int):
        return fill if ndim == 2 else (fill, fill, fill)
    return fill[0] if ndim == 2 else fill


def as_bytes(pixels: npt.NDArray[Any]) -> Image:
    """Tell the type checker what cv2 returns for uint8; nothing is copied."""
    return np.asarray(pixels, dtype=np.uint8)
