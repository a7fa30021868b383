"""One map between two images, as a value: composed, inverted, applied to all that moves.

Coordinates are continuous (`delineate.core.boxes`): pixel centres lie at +0.5. A chain of resizing,
cropping, flipping, rotating and foreshortening is multiplied into one matrix first and applied to
the pixels once.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core import matrix as maps
from delineate.core import resample
from delineate.core.boxes import Boxes, Size
from delineate.core.foreign import check_size
from delineate.core.matrix import TINY, Matrix, scaling
from delineate.core.resample import Fill, Image
from delineate.core.rle import Bitmap
from delineate.errors import DataError

GREY = (114, 114, 114)
"""What lies outside the source image, unless the caller says otherwise (YOLO's padding colour)."""


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """A map from the points of a source image to those of a target image: lines stay straight.

    Attributes:
        matrix: float64, `delineate.core.matrix`: ``(2, 3)`` of an affine map, which keeps parallels
            parallel, ``target = matrix[:, :2] @ (x, y) + matrix[:, 2]``; else ``(3, 3)``.
        source: ``(h, w)`` of the image the map starts from.
        target: ``(h, w)`` of the image it leads to; what falls outside is cut off.
        cells: Columns and rows of source pixels that are averaged before the rest is interpolated:
            how many fall into one of the target. Of a perspective, into its middle.

    Raises:
        DataError: The matrix has another shape, is not finite or not invertible, or a size is not
            one.
    """

    matrix: Matrix
    source: Size
    target: Size
    cells: tuple[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        matrix, source = np.array(self.matrix, dtype=np.float64), check_size(self.source)
        if (
            matrix.shape not in ((2, 3), (3, 3))
            or not np.isfinite(matrix).all()
            or maps.determinant(matrix) == 0
        ):
            raise _wrong_matrix(matrix)
        matrix = maps.simplest(matrix, source)
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "target", check_size(self.target))
        tangent = self._tangent()
        cells = (1, 1) if tangent is None else resample.cells_of(tangent, source)
        object.__setattr__(self, "cells", cells)

    # -- makers ------------------------------------------------------------------------------

    @classmethod
    def identity(cls, size: Size) -> Self:
        """Leave everything where it is."""
        return cls(scaling(1, 1, 0, 0), size, size)

    @classmethod
    def resize(cls, size: Size, target: Size) -> Self:
        """Stretch the whole image to `target`."""
        return cls(scaling(target[1] / size[1], target[0] / size[0], 0, 0), size, target)

    @classmethod
    def crop(cls, size: Size, window: tuple[int, int, int, int]) -> Self:
        """Cut out the window ``(x0, y0, x1, y1)``, its ends exclusive; it may leave the image."""
        x0, y0, x1, y1 = window
        return cls(scaling(1, 1, -x0, -y0), size, (y1 - y0, x1 - x0))

    @classmethod
    def pad(cls, size: Size, target: Size) -> Self:
        """Add room at the right and at the bottom, up to `target`."""
        return cls(scaling(1, 1, 0, 0), size, target)

    @classmethod
    def flip(cls, size: Size, horizontal: bool = True) -> Self:
        """Mirror left and right, or top and bottom."""
        if horizontal:
            return cls(scaling(-1, 1, size[1], 0), size, size)
        return cls(scaling(1, -1, 0, size[0]), size, size)

    @classmethod
    def affine(cls, size: Size, matrix: npt.ArrayLike, target: Size) -> Self:
        """Map by any invertible ``(2, 3)`` matrix."""
        given = np.asarray(matrix, dtype=np.float64)
        if given.shape != (2, 3):
            raise _wrong_matrix(given)
        return cls(given, size, target)

    @classmethod
    def perspective(cls, size: Size, corners: npt.ArrayLike, target: Size) -> Self:
        """Map the four corners of the image to any four points that span a convex shape.

        Args:
            size: ``(h, w)`` of the image.
            corners: ``(4, 2)``: where its upper left, upper right, lower right and lower left
                corners come to lie.
            target: ``(h, w)`` of the image it leads to.

        Raises:
            DataError: The points span no convex shape in this order.
        """
        given = np.asarray(corners, dtype=np.float64).reshape(4, 2)
        matrix = maps.onto_corners(check_size(size), given)
        if matrix is None:
            raise DataError(
                "a perspective needs four points that go round a convex shape, and "
                f"{given.tolist()} came: name upper left, upper right, lower right, lower left."
            )
        return cls(matrix, size, target)

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
        return Geometry(maps.compose(other.matrix, self.matrix), self.source, other.target)

    def inverse(self) -> "Geometry":
        """Return the map that leads back from the target to the source."""
        return Geometry(maps.inverse(self.matrix), self.target, self.source)

    @property
    def is_affine(self) -> bool:
        """Whether parallels stay parallel, so that sizes change alike everywhere."""
        return maps.is_affine(self.matrix)

    @property
    def scale(self) -> float:
        """Length in the target of one source pixel: the square root of the change of areas.

        Of a perspective, that in the middle of the target; nan if that is sky.
        """
        tangent = self._tangent()
        return math.nan if tangent is None else float(np.sqrt(abs(maps.determinant(tangent))))

    def area_change(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return how many times larger areas become at each of ``(n, 2)`` points.

        On the horizon of a perspective, and behind the viewer, that is infinite.
        """
        return maps.area_change(self.matrix, *_pairs(points).T)

    def moved_area(self, crop: Bitmap, origin: tuple[int, int]) -> float:
        """Return the area that a mask would have in the target if nothing were cut off.

        Args:
            crop: See `bitmap_crop`.
            origin: See `bitmap_crop`.
        """
        (crop_h, crop_w), (x0, y0) = crop.shape, origin
        x, y = np.arange(crop_w) + (x0 + 0.5), np.arange(crop_h) + (y0 + 0.5)
        return float(maps.area_change(self.matrix, x, y[:, None])[crop].sum())

    @property
    def shift(self) -> tuple[int, int] | None:
        """Pixels to the right and down, where it moves by whole pixels and does nothing else."""
        if not self.is_affine:
            return None
        right, down = np.rint(self.matrix[:, 2]).astype(int).tolist()
        return (right, down) if maps.near(self.matrix, scaling(1, 1, right, down)) else None

    # -- what it moves -----------------------------------------------------------------------

    def points(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Map ``(n, 2)`` points ``(x, y)``."""
        return maps.points(self.matrix, _pairs(points))

    def boxes(self, boxes: npt.ArrayLike) -> Boxes:
        """Return the upright boxes around the mapped corners of ``(n, 4)`` boxes, not cut off.

        Of a box that a perspective puts partly behind the viewer, that around the rest; zeros for
        one that lies there wholly.
        """
        xyxy = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        return maps.bounds(self.matrix, xyxy).astype(np.float32)

    def image(self, image: Image, fill: Fill = GREY) -> Image:
        """Move the pixels of an image, without interpolating twice.

        How is said in `delineate.core.resample`.

        Args:
            image: ``(h, w)`` or ``(h, w, 3)`` uint8 of the source size.
            fill: Value of what lies outside the source.

        Returns:
            An image of the target size; for the identity it shares the memory of `image`.

        Raises:
            DataError: The image has another size than `source`, or is not uint8.
        """
        self._check_source(image)
        return self._moved(image, self.matrix, self.target, fill)

    def labels(self, labels: npt.NDArray[np.uint8], fill: int) -> npt.NDArray[np.uint8]:
        """Move a map of labels: each pixel takes that of the source pixel its centre comes from.

        Args:
            labels: ``(h, w)`` uint8 of the source size.
            fill: Value of what lies outside the source.

        Raises:
            DataError: The map has another size than `source`, or is not uint8.
        """
        self._check_source(labels)
        return resample.picked(labels, self.matrix, self.target, fill)

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
        grey = resample.as_bytes(cv2.transpose(np.multiply(crop.T, np.uint8(255))))  # column-major
        cell_x, cell_y = self.cells
        if cell_x > 1 or cell_y > 1:  # averaged in the image's own cells, with background around
            before_x, before_y = cell_x + x0 % cell_x, cell_y + y0 % cell_y
            grey = np.pad(grey, ((before_y, 2 * cell_y), (before_x, 2 * cell_x)))
            x0, y0 = x0 - before_x, y0 - before_y
        matrix = maps.shifted(self.matrix, (x0, y0), (-left, -top))  # from the crop to its reach
        return self._moved(grey, matrix, (bottom - top, right - left), 0) >= 128, (left, top)

    def _moved(self, pixels: Image, matrix: Matrix, target: Size, fill: Fill) -> Image:
        """Apply this map, or `matrix`, which is this map between parts of its two images."""
        if self.is_affine:
            return resample.moved(pixels, matrix, target, fill)
        return resample.foreshortened(pixels, matrix, target, fill, self.cells)

    def _tangent(self) -> Matrix | None:
        """Return the affine matrix that this map is like in the middle of the target."""
        if self.is_affine:
            return self.matrix
        middle = self.target[1] / 2, self.target[0] / 2
        [(x, y)] = maps.points(maps.inverse(self.matrix), np.array([middle]))
        return maps.tangent(self.matrix, x, y)

    def _check_source(self, pixels: npt.NDArray[Any]) -> None:
        if pixels.shape[:2] != self.source or pixels.dtype != np.uint8:
            raise DataError(
                f"this geometry starts from an image of {_text(self.source)} pixels in uint8, and "
                f"one of {_text(pixels.shape[:2])} in {pixels.dtype} came: make it from the size of"
                " the image it moves."
            )

    def _reach(self, x0: int, y0: int, x1: int, y1: int) -> tuple[int, int, int, int]:
        """Return the window of the target, ``(x0, y0, x1, y1)``, that a rectangle touches."""
        (a, b, shift_x), (c, d, shift_y), *depth = self.matrix.tolist()
        corners = [(x, y) for x in (x0, x1) for y in (y0, y1)]
        ws = [g * x + h * y + level for g, h, level in depth for x, y in corners] or [1.0] * 4
        if min(ws) > 0:
            xs = [(a * x + b * y + shift_x) / w for (x, y), w in zip(corners, ws, strict=True)]
            ys = [(c * x + d * y + shift_y) / w for (x, y), w in zip(corners, ws, strict=True)]
        else:
            [ends] = maps.bounds(self.matrix, np.array([[x0, y0, x1, y1]], dtype=np.float64))
            xs, ys = ends[[0, 2]].tolist(), ends[[1, 3]].tolist()
        low = math.floor(max(min(xs), 0.0) + TINY), math.floor(max(min(ys), 0.0) + TINY)
        right, bottom = min(max(xs), self.target[1]), min(max(ys), self.target[0])
        return *low, math.ceil(right - TINY), math.ceil(bottom - TINY)


def _pairs(points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(points, dtype=np.float64).reshape(-1, 2)


def _wrong_matrix(matrix: Matrix) -> DataError:
    return DataError(
        "a geometry needs a finite, invertible matrix of 2 rows and 3 columns (3 rows for a "
        f"perspective), and {matrix.tolist()} came: check the scale and the angle it was made from."
    )


def _text(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))
