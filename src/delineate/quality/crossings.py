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
    found = [
        _crossing(points, i, j)
        for i, j in zip(first[cut].tolist(), second[cut].tolist(), strict=True)
    ]
    return sorted(found, key=lambda crossing: -crossing.loop)


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


def _crossing(points: Points, i: int, j: int) -> Crossing:
    """Measure the crossing of the sides that begin at corners i < j."""
    a, b = points[i], points[i + 1]
    c, d = points[j], points[(j + 1) % len(points)]
    along, other = b - a, d - c
    share = _cross(c - a, other) / _cross(along, other)
    point = a + share * along
    inner = np.vstack([point, points[i + 1 : j + 1]])
    outer = np.vstack([point, points[j + 1 :], points[: i + 1]])
    loop = min(abs(signed_area(inner)), abs(signed_area(outer)))
    return Crossing((float(point[0]), float(point[1])), loop)


def _cross(u: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> float:
    return float(u[0] * v[1] - u[1] * v[0])
