"""Masks that cannot be what was meant: empty, a line, a speck, the whole picture, parts far apart.

Every check takes one picture and looks at its objects one by one.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from delineate.quality.findings import Finding
from delineate.quality.view import View

SPECK = 10
"""Pixels below which a mask is a speck: at a stride of 4, the finest of any model here, it is less
than one cell, and a stray click in a labelling tool leaves about as many."""

WHOLE, FRAME = 0.95, 0.995
"""Share of the picture from which a mask covers all of it, and from which nobody can have drawn it
along an object: a table or a wall that fills a picture leaves a few pixels."""

APART = 1.5
"""Gap between two parts of a mask, in diagonals of the larger, from which they are far apart. What
a pole or an arm cuts through lies closer."""

NOTABLE_PART = 0.15
"""Share of a mask from which a part of it counts; smaller ones are crumbs of the outline."""

OUTSIDE, OUTSIDE_PIXELS = 0.05, 3.0
"""An outline lies partly outside from this share of its box on, if it is more than some pixels:
tools let outlines end a pixel or two beyond the border."""


def empty(view: View) -> Iterator[Finding]:
    """Masks without a pixel."""
    for i in np.flatnonzero(view.areas == 0).tolist():
        yield Finding(
            kind="empty_mask",
            severity="error",
            place=view.place(i),
            why="its outline covers no pixel, so that there is nothing to learn or to find",
            fix="draw it anew, or remove the annotation",
        )


def thin(view: View) -> Iterator[Finding]:
    """Masks one pixel wide; at the border, where they are what is left of an object, a note."""
    sides = view.boxes[:, 2:] - view.boxes[:, :2]
    height, width = view.masks.size
    for i in view.solid().tolist():
        if sides[i].min() > 1:
            continue
        x0, y0, x1, y1 = view.boxes[i].tolist()
        cut = x0 == 0 or y0 == 0 or x1 == width or y1 == height
        yield Finding(
            kind="thin_mask",
            severity="note" if cut else "warning",
            place=view.place(i),
            why=f"its mask is {x1 - x0:g} x {y1 - y0:g} pixels{' at the border' if cut else ''}, "
            "a line and no area, which no network finds",
            fix="draw it anew, or remove the annotation",
        )


def specks(view: View) -> Iterator[Finding]:
    """Masks of a few pixels."""
    sides = view.boxes[:, 2:] - view.boxes[:, :2]
    for i in view.solid().tolist():
        if view.areas[i] < SPECK and sides[i].min() > 1:
            yield Finding(
                kind="tiny_mask",
                severity="warning",
                place=view.place(i),
                why=f"its mask has {view.areas[i]} pixels, often the trace of a stray click",
                fix="look whether it is an object, and remove it if not",
                score=1 - float(view.areas[i]) / SPECK,
            )


def whole_picture(view: View) -> Iterator[Finding]:
    """Masks that cover the whole picture."""
    pixels = view.masks.size[0] * view.masks.size[1]
    for i in view.solid().tolist():
        share = float(view.areas[i]) / pixels
        if share >= WHOLE:
            yield Finding(
                kind="whole_picture",
                severity="warning" if share >= FRAME else "note",
                place=view.place(i),
                why=f"its mask covers {share:.1%} of the picture, as an outline does that was "
                "drawn around the picture by mistake",
                fix="look whether the object fills the picture, and draw it anew if not",
                score=share,
            )


def outside(view: View) -> Iterator[Finding]:
    """Outlines that leave the picture."""
    height, width = view.masks.size
    for i, parts in enumerate(view.stated.outlines):
        if not parts:
            continue
        points = np.concatenate(parts)
        low, high = points.min(axis=0), points.max(axis=0)
        inside = np.clip(np.stack([low, high]), 0, (width, height))
        kept = (inside[1] - inside[0]) / np.maximum(high - low, 1e-9)
        beyond = float(max(-low.min(), (high - (width, height)).max()))
        share = 1 - float(kept[0] * kept[1])
        if share > OUTSIDE and beyond > OUTSIDE_PIXELS and view.areas[i] > 0:
            yield Finding(
                kind="partly_outside",
                severity="warning",
                place=view.place(i),
                why=f"its outline reaches {beyond:.0f} pixels beyond the picture and {share:.0%} "
                "of it is cut off, as if it were drawn on a larger picture, or moved",
                fix="compare it with the picture, and move or redraw it",
                score=share,
            )


def far_parts(view: View) -> Iterator[Finding]:
    """Masks of parts that lie far apart."""
    sides = np.maximum(view.boxes[:, 2:] - view.boxes[:, :2], 1).astype(np.float64)
    loose = view.areas < 0.5 * sides[:, 0] * sides[:, 1]  # what is far apart fills little
    for i in view.solid().tolist():
        if not loose[i]:
            continue
        gap = _gap(view.masks.crop(i)[0])
        if gap > APART:
            yield Finding(
                kind="far_parts",
                severity="note",
                place=view.place(i),
                why=f"its parts lie {gap:.1f} times their own size apart, as where two objects "
                "were given one annotation",
                fix="divide it if it is two objects",
                score=min(gap / (4 * APART), 1.0),
            )


def _gap(crop: npt.NDArray[np.bool_]) -> float:
    """Return the gap between the two largest parts, in diagonals of the larger; 0: only one."""
    pixels = np.ascontiguousarray(crop).view(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
    if count < 3:
        return 0.0
    parts = np.asarray(stats[1:], np.float64)
    first, second = parts[np.argsort(-parts[:, cv2.CC_STAT_AREA], kind="stable")[:2]]
    if second[cv2.CC_STAT_AREA] < NOTABLE_PART * np.count_nonzero(crop):
        return 0.0
    ends = first[:2] + first[2:4], second[:2] + second[2:4]
    between = np.maximum(np.maximum(first[:2] - ends[1], second[:2] - ends[0]), 0)
    return float(np.hypot(*between) / max(np.hypot(*first[2:4]), np.hypot(*second[2:4])))
