"""Maps of the plane as matrices: composed, inverted, applied to points and boxes.

A ``(2, 3)`` matrix is affine: ``target = m[:, :2] @ (x, y) + m[:, 2]``. A ``(3, 3)`` matrix is a
perspective (a homography: Hartley and Zisserman, Multiple View Geometry, 2004, chapter 2): with
``(u, v, w) = m @ (x, y, 1)`` a point comes to lie at ``(u / w, v / w)`` if w is positive. Where w
is not, it lies on the horizon or behind the viewer and is not seen. Its sign matters, its scale
does not.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size

Matrix = npt.NDArray[np.float64]

TINY = 1e-6  # pixels: what rounding adds in a chain of a few maps
_LEVEL = 1e-9  # relative change of size across an image below which a perspective is none
_NEAR = 1e-6  # of the largest w of a box: what lies beyond is as good as on the horizon


def scaling(scale_x: float, scale_y: float, shift_x: float, shift_y: float) -> Matrix:
    """Return the affine matrix that scales, then shifts."""
    return np.array([[scale_x, 0, shift_x], [0, scale_y, shift_y]], dtype=np.float64)


def onto_corners(size: Size, corners: npt.NDArray[np.float64]) -> Matrix | None:
    """Return the perspective that takes the corners of an image of `size` to four points.

    Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, section 2.2.3.

    Args:
        size: ``(h, w)``.
        corners: ``(4, 2)``: where the upper left, upper right, lower right and lower left come.

    Returns:
        ``(3, 3)``; None where the points are not the corners of a convex shape, in this order.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
    cross = (x1 - x2) * (y3 - y2) - (x3 - x2) * (y1 - y2)
    if cross == 0:
        return None
    skew_x, skew_y = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    g = (skew_x * (y3 - y2) - (x3 - x2) * skew_y) / cross
    h = ((x1 - x2) * skew_y - skew_x * (y1 - y2)) / cross
    if not min(1 + g, 1 + h, 1 + g + h) > 0:  # w at three of the corners
        return None
    unit = np.array(
        [
            [x1 - x0 + g * x1, x3 - x0 + h * x3, x0],
            [y1 - y0 + g * y1, y3 - y0 + h * y3, y0],
            [g, h, 1],
        ]
    )
    return compose(unit, scaling(1 / size[1], 1 / size[0], 0, 0))


def is_affine(matrix: Matrix) -> bool:
    """Do parallels stay parallel?"""
    return matrix.shape == (2, 3)


def is_upright(matrix: Matrix) -> bool:
    """Do rows stay rows, and columns columns, under an affine matrix?"""
    (a, b, _), (c, d, _) = matrix.tolist()
    return bool(abs(b) < TINY * abs(a) and abs(c) < TINY * abs(d))


def near(a: Matrix, b: Matrix) -> bool:
    """Do two affine matrices differ by rounding only?"""
    return bool(np.abs(a - b).max() < TINY)


def determinant(matrix: Matrix) -> float:
    """Return the determinant, of an affine matrix that of its square part: its change of areas."""
    if is_affine(matrix):
        return float(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])
    return float(np.linalg.det(matrix))


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the matrix that applies `inner` first."""
    if is_affine(outer) and is_affine(inner):
        matrix: Matrix = outer[:, :2] @ inner
        matrix[:, 2] += outer[:, 2]
        return matrix
    return np.asarray(_square(outer) @ _square(inner))


def shifted(matrix: Matrix, before: tuple[float, float], after: tuple[float, float]) -> Matrix:
    """Return the matrix that shifts points, applies `matrix`, and shifts them again."""
    moved = matrix.copy()
    if is_affine(matrix):
        moved[:, 2] += matrix[:, :2] @ before + after
    else:
        moved[:, 2] += matrix[:, :2] @ before
        moved[:2] += np.outer(after, moved[2])
    return moved


def inverse(matrix: Matrix) -> Matrix:
    """Return the matrix that leads back."""
    if not is_affine(matrix):
        return np.asarray(np.linalg.inv(matrix))
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])


def simplest(matrix: Matrix, size: Size) -> Matrix:
    """Return a matrix as an affine one where it changes sizes alike all over an image of `size`."""
    if is_affine(matrix):
        return matrix
    (height, width), (along_x, along_y, level) = size, matrix[2].tolist()
    if level > 0 and abs(along_x) * width + abs(along_y) * height < _LEVEL * level:
        return np.asarray(matrix[:2] / level)
    return matrix


def points(matrix: Matrix, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Map ``(n, 2)`` points; of a perspective, those that are not seen become nan."""
    if is_affine(matrix):
        mapped: npt.NDArray[np.float64] = xy @ matrix[:, :2].T + matrix[:, 2]
        return mapped
    uvw = _uvw(matrix, xy)
    w = np.where(uvw[:, 2:] > 0, uvw[:, 2:], np.nan)
    return np.asarray(uvw[:, :2] / w)


def bounds(matrix: Matrix, boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the ``(n, 4)`` upright boxes around what becomes of ``(n, 4)`` boxes.

    Of a box that reaches behind the viewer only the part in front counts; one that lies there
    wholly becomes zeros.
    """
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    if is_affine(matrix):
        return _ends(points(matrix, corners).reshape(-1, 4, 2))
    uvw = _uvw(matrix, corners).reshape(-1, 4, 3)
    least = _NEAR * uvw[..., 2].max(axis=1, initial=0)
    whole = (uvw[..., 2] > least[:, None]).all(axis=1)
    found = np.zeros((len(boxes), 4))
    found[whole] = _ends(uvw[whole, :, :2] / uvw[whole, :, 2:])
    for i in np.flatnonzero(~whole & (least > 0)).tolist():
        part = _in_front(uvw[i], float(least[i]))
        [found[i]] = _ends((part[:, :2] / part[:, 2:])[None])
    return found


def area_change(
    matrix: Matrix, x: npt.NDArray[np.floating[Any]], y: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float64]:
    """Return how many times larger the neighbourhood of points becomes; x and y are broadcast.

    Of a perspective that is ``det / w ** 3``; on the horizon and behind it, infinite.
    """
    change = abs(determinant(matrix))
    if is_affine(matrix):
        return np.full(np.broadcast_shapes(x.shape, y.shape), change)
    along_x, along_y, level = matrix[2].tolist()
    w = along_x * x + (along_y * y + level)
    np.maximum(w, 0, out=w)
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(change / (w * w * w))


def tangent(matrix: Matrix, x: float, y: float) -> Matrix | None:
    """Return the affine matrix closest to `matrix` around a point; None if that is not seen."""
    if is_affine(matrix):
        return matrix
    u, v, w = (matrix @ (x, y, 1.0)).tolist()
    if not w > 0:
        return None
    linear = (matrix[:2, :2] - np.outer((u / w, v / w), matrix[2, :2])) / w
    return np.column_stack([linear, (u / w, v / w) - linear @ (x, y)])


def depth_of_sources(matrix: Matrix) -> tuple[float, float, float]:
    """Return the third row of the inverse of a ``(3, 3)`` matrix.

    Its product with (u, v, 1) is positive where a point of the target shows one of the source, and
    else that is sky.
    """
    (a, b, _), (c, d, _), (g, h, _) = matrix.tolist()
    change = determinant(matrix)
    return (c * h - d * g) / change, (b * g - a * h) / change, (a * d - b * c) / change


def _square(matrix: Matrix) -> Matrix:
    if not is_affine(matrix):
        return matrix
    square = np.zeros((3, 3))
    square[:2], square[2, 2] = matrix, 1
    return square


def _uvw(matrix: Matrix, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    mapped: npt.NDArray[np.float64] = xy @ matrix[:, :2].T + matrix[:, 2]
    return mapped


def _ends(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the ``(n, 4)`` boxes around n rows of k points."""
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _in_front(polygon: npt.NDArray[np.float64], least: float) -> npt.NDArray[np.float64]:
    """Cut off what has a smaller w than `least` of a polygon of (u, v, w), by Sutherland, Hodgman.

    Edges stay straight in (u, v, w), so a cut lies where w reaches `least` along an edge.
    """
    part = []
    for here, there in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if here[2] >= least:
            part.append(here)
        if (here[2] >= least) != (there[2] >= least):
            part.append(here + (there - here) * (least - here[2]) / (there[2] - here[2]))
    return np.array(part)
