"""Outlines that no hand means to draw: crossing themselves, with spikes, or of repeated points.

Only what a source holds as polygons has them. The mask is the truth in either case: it is what the
polygon covers by COCO's rule, by which what is enclosed twice lies outside.
"""

from collections.abc import Iterator

import numpy as np

from delineate.quality.crossings import Points, self_crossings, signed_area, without_repeats
from delineate.quality.findings import Finding
from delineate.quality.view import View

LOOP, LOOP_PIXELS = 0.02, 4.0
"""A crossing matters if its loop holds this share of the outline and as many pixels; a hand that
closes an outline a little beyond its start leaves less."""

KINK = 1.0
"""Square pixels of a loop below which a crossing is not worth a word: rounding leaves these."""

SPIKE, SPIKE_SHARE = 20.0, 0.05
"""Pixels, and share of the object's size, from which an outline that runs out and back on one line
has a spike; shorter ones are how a hand draws the slit between two things."""

REPEATS, REPEATED = 4, 0.5
"""Points of an outline, and their share, that repeat the one before. Tools often repeat the first
point at the end, and some every corner."""

TURN = np.cos(np.deg2rad(177.0))
"""How straight back: a spike 20 pixels long is at most 1 wide at its root."""


def self_crossing(view: View) -> Iterator[Finding]:
    """Polygons that cross themselves: one finding an object, for its largest loop."""
    for i, parts in enumerate(view.stated.outlines):
        crossings = [(c, abs(signed_area(p))) for p in parts or () for c in self_crossings(p)[:1]]
        if not crossings:
            continue
        crossing, area = max(crossings, key=lambda pair: pair[0].loop)
        if crossing.loop < KINK:
            continue
        share = crossing.loop / max(area, crossing.loop)
        matters = share >= LOOP and crossing.loop >= LOOP_PIXELS
        x, y = crossing.point
        yield Finding(
            kind="self_crossing",
            severity="warning" if matters else "note",
            place=view.place(i),
            why=f"its outline crosses itself at x {x:.0f}, y {y:.0f}, and the loop holds "
            f"{crossing.loop:.0f} square pixels; what is enclosed twice lies outside of the mask",
            fix="put the points of the outline in order",
            score=share,
        )


def spikes(view: View) -> Iterator[Finding]:
    """Polygons with a spike: one finding an object, for the longest."""
    for i, parts in enumerate(view.stated.outlines):
        longest = max((_longest_spike(part) for part in parts or ()), default=(0.0, 0.0, 0.0))
        length, x, y = longest
        size = float(np.hypot(*(view.boxes[i, 2:] - view.boxes[i, :2])))
        if length >= max(SPIKE, SPIKE_SHARE * size):
            yield Finding(
                kind="outline_spike",
                severity="note",
                place=view.place(i),
                why=f"its outline runs {length:.0f} pixels out to x {x:.0f}, y {y:.0f} and "
                "straight back, as after a click that went astray",
                fix="remove the point",
                score=min(length / 100, 1.0),
            )


def repeated_points(view: View) -> Iterator[Finding]:
    """Polygons most of whose points repeat the one before."""
    for i, parts in enumerate(view.stated.outlines):
        points = sum(map(len, parts or ()))
        repeats = points - sum(len(without_repeats(part)) for part in parts or ())
        if repeats > REPEATS and repeats > REPEATED * points:
            yield Finding(
                kind="repeated_points",
                severity="note",
                place=view.place(i),
                why=f"{repeats} of the {points} points of its outline repeat the one before, as "
                "after a broken export: the outline may be coarser than it was drawn",
                fix="export it again",
                score=repeats / points,
            )


def _longest_spike(part: Points) -> tuple[float, float, float]:
    """Return length and tip of the longest spike of a closed outline; length 0: there is none."""
    points = without_repeats(part)
    if len(points) < 4:
        return 0.0, 0.0, 0.0
    to, onward = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    lengths = np.hypot(*to.T), np.hypot(*onward.T)
    back = (to * onward).sum(axis=1) <= TURN * lengths[0] * lengths[1]
    length = np.where(back, np.minimum(*lengths), 0.0)
    tip = int(np.argmax(length))
    return float(length[tip]), float(points[tip, 0]), float(points[tip, 1])
