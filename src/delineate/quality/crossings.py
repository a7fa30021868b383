"""Where the closed outline of an object crosses itself, and how much lies in the loop.

Only proper crossings count: two sides that cut through one another. Sides that touch, run back over
one another or share a corner enclose nothing twice.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""``(k, 2)`` corners ``(x, y)`` of a closed outline, in pixels."""

MOST_PAIRS = 4_000_000
"""Pairs of sides compared for one outline; one of more, which no hand draws, is not looked at."""

_ROUNDING = 1e-12  # of the product of lengths: below, three points lie on one line


class Crossing(NamedTuple):
    """One crossing: where it is, and the area of the smaller of the loops that it divides into."""

    point: tuple[float, float]
    loop: float


def self_crossings(points: Points) -> list[Crossing]:
    """Return the crossings of a closed outline with itself, the largest loop first.

    Sides are sorted by their left end, and each is compared with those that begin before it ends:
    for outlines of short sides that is little more than sorting.

    Args:
        points: ``(k, 2)``; the first may be repeated at the end.
    """
    points = without_repeats(points)
    if len(points) < 4:
        return []
    pairs = _meeting(points)
    if pairs is None:
        return []
    first, second = pairs
    ends = np.roll(points, -1, axis=0)
    a, b, c, d = points[first], ends[first], points[second], ends[second]
    cut = (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
    return _crossings(points, first[cut], second[cut])


def without_repeats(points: Points) -> Points:
    """Leave out corners that repeat the one before, the first being the follower of the last."""
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    kept = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    return np.asarray(kept)


def signed_area(points: Points) -> float:
    """Return the area by the shoelace formula: positive if clockwise on the screen."""
    x, y = (points - points[0]).T if len(points) else np.zeros((2, 0))
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _meeting(points: Points) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None:
    """Return the pairs of sides, not neighbours, whose bounding boxes meet; None: too many."""
    ends = np.roll(points, -1, axis=0)
    low, high = np.minimum(points, ends), np.maximum(points, ends)
    order = np.argsort(low[:, 0], kind="stable")
    reached = np.searchsorted(low[order, 0], high[order, 0], side="right")
    counts = np.maximum(reached - np.arange(len(order)) - 1, 0)
    if (total := int(counts.sum())) > MOST_PAIRS:
        return None
    earlier = np.repeat(np.arange(len(order)), counts)
    later = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts) + earlier + 1
    i, j = order[earlier], order[later]
    i, j = np.minimum(i, j), np.maximum(i, j)
    apart = (j - i > 1) & (j - i < len(points) - 1)
    meet = (low[i, 1] <= high[j, 1]) & (low[j, 1] <= high[i, 1])
    return i[apart & meet], j[apart & meet]


def _side(a: Points, b: Points, c: Points) -> npt.NDArray[np.float64]:
    """Tell on which side of the lines from a to b the points c lie; 0: on it, within rounding."""
    along, to = b - a, c - a
    cross = along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0]
    scale = np.abs(along).sum(axis=1) * np.abs(to).sum(axis=1)
    return np.where(np.abs(cross) <= _ROUNDING * scale, 0.0, np.sign(cross))


def _crossings(
    points: Points, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]
) -> list[Crossing]:
    """Measure the crossings of the sides that begin at corners first < second.

    The area of a loop is a sum over its sides, and the sums up to each corner are made once.
    """
    origin = points[0]
    corners = points - origin
    ends = np.roll(corners, -1, axis=0)
    before = np.append(0, np.cumsum(_cross(corners, ends)))  # twice the area, up to each corner
    a, c = corners[first], corners[second]
    along, other = ends[first] - a, ends[second] - c
    cut = a + (_cross(c - a, other) / _cross(along, other))[:, None] * along
    inner = before[second] - before[first + 1] + _cross(cut, ends[first]) + _cross(c, cut)
    loops = np.minimum(np.abs(inner), np.abs(before[-1] - inner)) / 2
    order = np.argsort(-loops, kind="stable")
    places = (cut + origin)[order].tolist()
    return [
        Crossing((x, y), loop) for (x, y), loop in zip(places, loops[order].tolist(), strict=True)
    ]


def _cross(u: Points, v: Points) -> npt.NDArray[np.float64]:
    return np.asarray(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
