"""Boxes, and the one page that states how pixels are counted.

A box is ``(x1, y1, x2, y2)``, float32, in pixels of an image. Its numbers are *edges* in continuous
coordinates: the picture covers ``[0, width] x [0, height]``, the pixel in column 3 covers
``[3, 4]`` and has its centre at 3.5, and a box around that one column is 1 wide (``x2 - x1``).
Sizes of images are always ``(height, width)``; points are always ``(x, y)``.

Everything else in Delineate obeys this page. Formats that count otherwise (COCO's ``xywh``,
inclusive corners, fractions of the image) are converted where they are read and written, and
nowhere else.
"""

import numpy as np
import numpy.typing as npt

Size = tuple[int, int]
"""``(height, width)`` in pixels."""

Boxes = npt.NDArray[np.float32]
"""``(n, 4)`` xyxy edges in pixels."""


def xywh_to_xyxy(boxes: npt.ArrayLike) -> Boxes:
    """Convert ``(n, 4)`` boxes given by corner, width and height (COCO) to edges."""
    xywh = _rows(boxes)
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1).astype(np.float32)


def xyxy_to_xywh(boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert ``(n, 4)`` boxes given by their edges to corner, width and height (COCO).

    The result is float64, in which the width of a float32 box is exact: it comes back unchanged.
    """
    xyxy = _rows(boxes)
    return np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)


def area(boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the ``(n,)`` areas in square pixels; a box turned inside out has area 0."""
    xyxy = _rows(boxes)
    sides = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def iou(
    a: npt.ArrayLike, b: npt.ArrayLike, crowd: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """Return intersection over union of every box of `a` with every box of `b`.

    Args:
        a: ``(n, 4)`` boxes, in evaluation the predictions.
        b: ``(m, 4)`` boxes, in evaluation the truth.
        crowd: ``(m,)`` booleans. In the column of a crowd region the union is replaced by the area
            of the box of `a`, as COCO does: a prediction inside a crowd is wholly covered by it.

    Returns:
        ``(n, m)`` numbers from 0 to 1; two boxes without any area have 0.
    """
    first, second = _rows(a)[:, None], _rows(b)[None]
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    sides = np.maximum(high - low, 0)
    common = sides[..., 0] * sides[..., 1]
    own = area(a)[:, None]
    union = own + area(b)[None] - common
    if crowd is not None:
        union = np.where(np.asarray(crowd, dtype=bool)[None], own, union)
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def clip(boxes: npt.ArrayLike, size: Size) -> Boxes:
    """Cut ``(n, 4)`` boxes at the edges of an image of `size`; those outside become empty."""
    height, width = size
    limit = np.array([width, height, width, height], dtype=np.float32)
    return np.clip(np.asarray(boxes, dtype=np.float32).reshape(-1, 4), 0, limit)


def valid(boxes: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return ``(n,)``: are all four edges finite, and left <= right, top <= bottom?"""
    xyxy = _rows(boxes)
    ordered = (xyxy[:, 2:] >= xyxy[:, :2]).all(axis=1)
    return np.asarray(np.isfinite(xyxy).all(axis=1) & ordered)


def _rows(boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return `boxes` as ``(n, 4)`` float64, so that no formula above loses digits on the way."""
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
