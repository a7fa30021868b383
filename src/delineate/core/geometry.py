"""One affine map between two images, as a value: composed, inverted, applied to all that moves.

Coordinates are continuous (`delineate.core.boxes`): pixel centres lie at +0.5. A chain of resizing,
cropping, flipping and rotating is multiplied into one matrix first and applied to the pixels once.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Boxes, Size
from delineate.core.foreign import check_size
from delineate.core.rle import Bitmap
from delineate.errors import DataError

Matrix = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]
Fill = int | tuple[int, int, int]

GREY = (114, 114, 114)
"""What lies outside the source image, unless the caller says otherwise (YOLO's padding colour)."""

_TINY = 1e-6  # pixels: what rounding adds in a chain of a few maps


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """An affine map from the points of a source image to those of a target image.

    Attributes:
        matrix: ``(2, 3)`` float64; ``target = matrix[:, :2] @ (x, y) + matrix[:, 2]``.
        source: ``(h, w)`` of the image the map starts from.
        target: ``(h, w)`` of the image it leads to; what falls outside is cut off.

    Raises:
        DataError: The matrix is not ``(2, 3)``, not finite or not invertible, or a size is not one.
    """

    matrix: Matrix
    source: Size
    target: Size

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (2, 3) or not np.isfinite(matrix).all() or _determinant(matrix) == 0:
            raise DataError(
                "a geometry needs a finite, invertible matrix of 2 rows and 3 columns, and "
                f"{matrix.tolist()} came: check the scale and the angle it was made from."
            )
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "source", check_size(self.source))
        object.__setattr__(self, "target", check_size(self.target))

    # -- makers ------------------------------------------------------------------------------

    @classmethod
    def identity(cls, size: Size) -> Self:
        """Leave everything where it is."""
        return cls(_matrix(1, 1, 0, 0), size, size)

    @classmethod
    def resize(cls, size: Size, target: Size) -> Self:
        """Stretch the whole image to `target`."""
        return cls(_matrix(target[1] / size[1], target[0] / size[0], 0, 0), size, target)

    @classmethod
    def crop(cls, size: Size, window: tuple[int, int, int, int]) -> Self:
        """Cut out the window ``(x0, y0, x1, y1)``, its ends exclusive; it may leave the image."""
        x0, y0, x1, y1 = window
        return cls(_matrix(1, 1, -x0, -y0), size, (y1 - y0, x1 - x0))

    @classmethod
    def pad(cls, size: Size, target: Size) -> Self:
        """Add room at the right and at the bottom, up to `target`."""
        return cls(_matrix(1, 1, 0, 0), size, target)

    @classmethod
    def flip(cls, size: Size, horizontal: bool = True) -> Self:
        """Mirror left and right, or top and bottom."""
        if horizontal:
            return cls(_matrix(-1, 1, size[1], 0), size, size)
        return cls(_matrix(1, -1, 0, size[0]), size, size)

    @classmethod
    def affine(cls, size: Size, matrix: npt.ArrayLike, target: Size) -> Self:
        """Map by any invertible ``(2, 3)`` matrix."""
        return cls(np.asarray(matrix, dtype=np.float64), size, target)

    # -- algebra -----------------------------------------------------------------------------

    def then(self, other: "Geometry") -> "Geometry":
        """Return the one map that does this first and `other` next.

        Raises:
            DataError: `other` does not start from the size at which this one ends.
        """
        if other.source != self.target:
            raise DataError(
                f"a geometry that ends at {_text(self.target)} can only be followed by one that "
                f"starts there, and one from {_text(other.source)} came: compose them in the order "
                "in which they apply."
            )
        return Geometry(_compose(other.matrix, self.matrix), self.source, other.target)

    def inverse(self) -> "Geometry":
        """Return the map that leads back from the target to the source."""
        back = np.linalg.inv(self.matrix[:, :2])
        matrix = np.column_stack([back, -back @ self.matrix[:, 2]])
        return Geometry(matrix, self.target, self.source)

    @property
    def scale(self) -> float:
        """Length in the target of one source pixel: the square root of the change of areas."""
        return float(np.sqrt(abs(_determinant(self.matrix))))

    @property
    def shift(self) -> tuple[int, int] | None:
        """Pixels to the right and down, where it moves by whole pixels and does nothing else."""
        right, down = np.rint(self.matrix[:, 2]).astype(int).tolist()
        return (right, down) if _near(self.matrix, _matrix(1, 1, right, down)) else None

    # -- what it moves -----------------------------------------------------------------------

    def points(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Map ``(n, 2)`` points ``(x, y)``."""
        xy = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        mapped: npt.NDArray[np.float64] = xy @ self.matrix[:, :2].T + self.matrix[:, 2]
        return mapped

    def boxes(self, boxes: npt.ArrayLike) -> Boxes:
        """Return the upright boxes around the mapped corners of ``(n, 4)`` boxes, not cut off."""
        xyxy = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        corners = self.points(xyxy[:, [0, 1, 2, 1, 2, 3, 0, 3]]).reshape(-1, 4, 2)
        ends = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        return ends.astype(np.float32)

    def image(self, image: Image, fill: Fill = GREY) -> Image:
        """Move the pixels of an image, without interpolating twice.

        Whole steps, flips and quarter turns copy pixels unchanged. Stretching the full image is
        `cv2.resize`, averaging where it shrinks. The rest is bilinear, after averaging where it
        shrinks to less than half.

        Args:
            image: ``(h, w)`` or ``(h, w, 3)`` uint8 of the source size.
            fill: Value of what lies outside the source.

        Returns:
            An image of the target size; for the identity it shares the memory of `image`.

        Raises:
            DataError: The image has another size than `source`, or is not uint8.
        """
        self._check_source(image)
        return _moved(image, self.matrix, self.target, fill)

    def labels(self, labels: npt.NDArray[np.uint8], fill: int) -> npt.NDArray[np.uint8]:
        """Move a map of labels: each pixel takes that of the source pixel its centre comes from.

        Args:
            labels: ``(h, w)`` uint8 of the source size.
            fill: Value of what lies outside the source.

        Raises:
            DataError: The map has another size than `source`, or is not uint8.
        """
        self._check_source(labels)
        back = self.inverse().matrix
        (a, b, shift_x), (c, d, shift_y) = back.tolist()
        (h, w), (rows, columns) = self.source, np.ogrid[0.5 : self.target[0], 0.5 : self.target[1]]
        x, y = a * columns + shift_x, d * rows + shift_y
        if not _is_upright(back):  # else one number a column and one a row are enough
            x, y = x + b * rows, y + c * columns
        x, y = (np.floor(at + _TINY).astype(np.int64) for at in (x, y))
        inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
        moved: npt.NDArray[np.uint8] = labels[y.clip(0, h - 1), x.clip(0, w - 1)]
        moved[~inside] = fill
        return moved

    def bitmap_crop(self, crop: Bitmap, origin: tuple[int, int]) -> tuple[Bitmap, tuple[int, int]]:
        """Move one mask of which only a part is given; a pixel is foreground where half of it is.

        Args:
            crop: ``(ch, cw)``; all around it is background.
            origin: ``(x0, y0)`` of its upper left pixel in the source.

        Returns:
            The part of the target that the mask may reach, cut off at the target's edges, and the
            origin of that part; it has no pixels where the mask is wholly outside.
        """
        (crop_h, crop_w), (x0, y0) = crop.shape, origin
        left, top, right, bottom = self._reach(x0, y0, x0 + crop_w, y0 + crop_h)
        if not crop.size or right <= left or bottom <= top:
            return np.zeros((0, 0), dtype=bool), (0, 0)
        grey = _bytes(cv2.transpose(np.multiply(crop.T, np.uint8(255))))  # crops lie column-major
        cell_x, cell_y = _cells(self.matrix, self.source)
        if cell_x > 1 or cell_y > 1:  # averaged in the image's own cells, with background around
            before_x, before_y = cell_x + x0 % cell_x, cell_y + y0 % cell_y
            grey = np.pad(grey, ((before_y, 2 * cell_y), (before_x, 2 * cell_x)))
            x0, y0 = x0 - before_x, y0 - before_y
        matrix = self.matrix.copy()  # from the crop's corner to that of what it can reach
        matrix[:, 2] += matrix[:, :2] @ (x0, y0) - (left, top)
        return _moved(grey, matrix, (bottom - top, right - left), 0) >= 128, (left, top)

    def _check_source(self, pixels: npt.NDArray[Any]) -> None:
        if pixels.shape[:2] != self.source or pixels.dtype != np.uint8:
            raise DataError(
                f"this geometry starts from an image of {_text(self.source)} pixels in uint8, and "
                f"one of {_text(pixels.shape[:2])} in {pixels.dtype} came: make it from the size of"
                " the image it moves."
            )

    def _reach(self, x0: int, y0: int, x1: int, y1: int) -> tuple[int, int, int, int]:
        """Return the window of the target, ``(x0, y0, x1, y1)``, that a rectangle touches."""
        (a, b, shift_x), (c, d, shift_y) = self.matrix.tolist()
        corners = [(x, y) for x in (x0, x1) for y in (y0, y1)]
        xs = [min(max(a * x + b * y + shift_x, 0.0), self.target[1]) for x, y in corners]
        ys = [min(max(c * x + d * y + shift_y, 0.0), self.target[0]) for x, y in corners]
        low = math.floor(min(xs) + _TINY), math.floor(min(ys) + _TINY)
        return *low, math.ceil(max(xs) - _TINY), math.ceil(max(ys) - _TINY)


def _moved(pixels: Image, matrix: Matrix, target: Size, fill: Fill) -> Image:
    """Apply a matrix to pixels in the cheapest way that does it justice."""
    turned = matrix[:, [1, 0, 2]]
    if _is_upright(turned):
        pixels, matrix = _bytes(cv2.transpose(pixels)), turned
    if _is_upright(matrix):
        pixels, matrix = _unflipped(pixels, matrix)
        if _near(matrix, _matrix(1, 1, *np.rint(matrix[:, 2]))):
            return _shifted(pixels, matrix, target, fill)
        h, w = pixels.shape[:2]
        if _near(matrix, _matrix(target[1] / w, target[0] / h, 0, 0)):
            shrinks = target[0] <= h and target[1] <= w
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            return _bytes(cv2.resize(pixels, (target[1], target[0]), interpolation=how))
    return _interpolated(pixels, matrix, target, fill)


def _unflipped(pixels: Image, matrix: Matrix) -> tuple[Image, Matrix]:
    """Flip the pixels where an upright matrix does, and return the matrix that is left to apply."""
    h, w = pixels.shape[:2]
    (scale_x, _, shift_x), (_, scale_y, shift_y) = matrix.tolist()
    if scale_x < 0:
        pixels, shift_x = _bytes(cv2.flip(pixels, 1)), shift_x + scale_x * w
    if scale_y < 0:
        pixels, shift_y = _bytes(cv2.flip(pixels, 0)), shift_y + scale_y * h
    return pixels, _matrix(abs(scale_x), abs(scale_y), shift_x, shift_y)


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
    """Apply any matrix bilinearly, to pixels averaged first where it shrinks to less than half."""
    h, w = pixels.shape[:2]
    ends = np.array([[0, 0], [w, h]]) @ matrix[:, :2].T + matrix[:, 2]
    pixels, matrix = _averaged(pixels, matrix)
    colour = _colour(fill, pixels.ndim)
    upright = _is_upright(matrix)
    indices = matrix.copy()  # cv2 counts from pixel centres: half a pixel in, half a pixel out
    indices[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    border = cv2.BORDER_REPLICATE if upright else cv2.BORDER_CONSTANT
    flat = (target[1], target[0])
    out = _bytes(
        cv2.warpAffine(pixels, indices, flat, None, cv2.INTER_LINEAR, border, borderValue=colour)
    )
    if upright:  # the source's edges lie along rows and columns: no fading into the fill there
        (x0, y0), (x1, y1) = np.ceil(ends - 0.5).clip(0).astype(int).tolist()
        out[:y0], out[y1:], out[:, :x0], out[:, x1:] = (colour,) * 4
    return out


def _averaged(pixels: Image, matrix: Matrix) -> tuple[Image, Matrix]:
    """Replace cells of pixels by their mean where `matrix` shrinks to less than half.

    Bilinear interpolation looks at two pixels along an axis and would skip the others.
    """
    h, w = pixels.shape[:2]
    cell_x, cell_y = _cells(matrix, (h, w))
    if cell_x == cell_y == 1:
        return pixels, matrix
    if w % cell_x or h % cell_y:
        missing = (0, -h % cell_y, 0, -w % cell_x)
        pixels = _bytes(cv2.copyMakeBorder(pixels, *missing, cv2.BORDER_REPLICATE))
    small = (-(-w // cell_x), -(-h // cell_y))
    pixels = _bytes(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA))
    return pixels, _compose(matrix, _matrix(cell_x, cell_y, 0, 0))


def _cells(matrix: Matrix, size: Size) -> tuple[int, int]:
    """Return how many whole source pixels along x and along y fall into one of the target."""
    (a, b, _), (c, d, _) = matrix.tolist()
    cell_x = min(max(1 / math.hypot(a, c) + _TINY, 1), size[1])
    cell_y = min(max(1 / math.hypot(b, d) + _TINY, 1), size[0])
    return int(cell_x), int(cell_y)


def _is_upright(matrix: Matrix) -> bool:
    """Do rows stay rows, and columns columns?"""
    (a, b, _), (c, d, _) = matrix.tolist()
    return bool(abs(b) < _TINY * abs(a) and abs(c) < _TINY * abs(d))


def _near(a: Matrix, b: Matrix) -> bool:
    return bool(np.abs(a - b).max() < _TINY)


def _matrix(scale_x: float, scale_y: float, shift_x: float, shift_y: float) -> Matrix:
    return np.array([[scale_x, 0, shift_x], [0, scale_y, shift_y]], dtype=np.float64)


def _compose(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the matrix that applies `inner` first."""
    matrix: Matrix = outer[:, :2] @ inner
    matrix[:, 2] += outer[:, 2]
    return matrix


def _determinant(matrix: Matrix) -> float:
    return float(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])


def _colour(fill: Fill, ndim: int) -> Fill:
    """Return `fill` as the value of one pixel of a grey (2) or colour (3 dimensions) image."""
    if isinstance(fill, int):
        return fill if ndim == 2 else (fill, fill, fill)
    return fill[0] if ndim == 2 else fill


def _bytes(pixels: npt.NDArray[Any]) -> Image:
    """Tell the type checker what cv2 returns for uint8; nothing is copied."""
    return np.asarray(pixels, dtype=np.uint8)


def _text(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))
