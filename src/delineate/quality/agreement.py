"""Boxes and areas that a source states, against its masks: object by object.

That all of them are wrong in one way is told in one finding by `delineate.quality.conventions`.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from delineate.quality.findings import Finding
from delineate.quality.view import View, edges

DISAGREE, DIFFER = 0.5, 0.8
"""IoU of the stated box and that of the mask below which they mean different things, and below
which one of the two is drawn badly. A box drawn by hand has 0.85 and more."""

ROUNDING = 2.0
"""Pixels by which a side may be off whatever the IoU: boxes of polygons are not rounded to pixels,
and some tools count the last pixel, others not."""

AREA_FACTOR, AREA_PIXELS = 1.5, 30.0
"""Factor, and pixels, from which a stated area is not that of the mask."""


def boxes(view: View) -> Iterator[Finding]:
    """Stated boxes that are none, or do not fit their masks."""
    for i in np.flatnonzero(view.stated.misstated[:, 0]).tolist():
        yield Finding(
            kind="box_disagrees",
            severity="error",
            place=view.place(i),
            why="its 'bbox' is no box (expected four finite numbers: x, y, width and height), and "
            "programs that need it fail, or measure nonsense",
            fix="state the box of its mask",
        )
    stated = edges(view.stated.boxes)
    iou = paired_iou(stated, view.boxes)
    off = np.abs(stated - view.boxes).max(axis=1, initial=0)
    wrong = (iou < DIFFER) & (off > ROUNDING)
    for i in view.solid()[wrong[view.solid()]].tolist():
        x, y, w, h = view.stated.boxes[i].tolist()
        x0, y0, x1, y1 = view.boxes[i].tolist()
        yield Finding(
            kind="box_disagrees",
            severity="error" if iou[i] < DISAGREE else "warning",
            place=view.place(i),
            why=f"its box is stated as x {x:g}, y {y:g}, {w:g} x {h:g} pixels, that of its mask is "
            f"x {x0:g}, y {y0:g}, {x1 - x0:g} x {y1 - y0:g} (IoU {iou[i]:.2f}), so that boxes and "
            "masks are measured against different objects",
            fix="correct the one that is wrong",
            score=1 - float(iou[i]),
        )


def areas(view: View) -> Iterator[Finding]:
    """Stated areas that are none, or far from those of the masks."""
    for i in np.flatnonzero(view.stated.misstated[:, 1]).tolist():
        yield Finding(
            kind="area_differs",
            severity="warning",
            place=view.place(i),
            why="its 'area' is no area (expected a finite number from 0 on); objects count as "
            "small, medium or large by it",
            fix="state the area of the mask",
        )
    stated, drawn = view.stated.areas, view.areas
    far = np.maximum(stated, drawn) > AREA_FACTOR * np.minimum(stated, drawn)
    far &= np.abs(stated - drawn) > AREA_PIXELS
    for i in view.solid()[far[view.solid()]].tolist():
        yield Finding(
            kind="area_differs",
            severity="warning",
            place=view.place(i),
            why=f"its area is stated as {stated[i]:g} pixels, and its mask has {drawn[i]}; objects "
            "are counted as small, medium or large by it",
            fix="state the area of the mask",
            score=float(1 - min(stated[i], drawn[i]) / max(stated[i], drawn[i])),
        )


def paired_iou(
    first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Return the IoU of each of (n, 4) boxes with its partner; NaN where an edge is NaN."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    shared = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0)
    both = shared.prod(axis=1)
    own = [np.maximum(box[:, 2:] - box[:, :2], 0).prod(axis=1) for box in (a, b)]
    return np.asarray(both / np.maximum(own[0] + own[1] - both, 1e-9))
