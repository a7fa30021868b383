"""Self-crossings against brute force in exact arithmetic, and by hand."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from delineate.quality import crossings
from delineate.quality.crossings import self_crossings, signed_area, without_repeats


def side(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def brute_force(points):
    """The pairs of sides that cut through one another, in fractions."""
    exact = [tuple(map(Fraction, point)) for point in points]
    count = len(exact)
    found = set()
    for i, j in combinations(range(count), 2):
        if j - i in (1, count - 1):
            continue
        a, b = exact[i], exact[(i + 1) % count]
        c, d = exact[j], exact[(j + 1) % count]
        if side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0:
            found.add((i, j))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_as_many_as_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(4, 40))
    points = rng.integers(0, 12, (count, 2)).astype(float)  # small numbers: many touch and overlap
    if seed % 2:
        points = points + rng.random((count, 2))
    points = without_repeats(points)
    assert len(self_crossings(points)) == len(brute_force(points.tolist()))


def test_a_bow_tie():
    (crossing,) = self_crossings(np.array([[10, 10], [50, 60], [50, 10], [10, 60]], float))
    assert crossing.point == (30.0, 35.0)
    assert crossing.loop == pytest.approx(500.0)  # a triangle of 50 x 20 / 2


def test_the_loop_is_the_smaller_part():
    """A square whose end runs a little beyond its start."""
    points = np.array([[0, 0], [100, 0], [100, 100], [-10, 100], [-10, 5], [5, 5], [5, -10]], float)
    (crossing,) = self_crossings(points)
    assert crossing.loop == pytest.approx(12.5 + 37.5, abs=30)
    assert crossing.loop < 200


@pytest.mark.parametrize(
    "points",
    [
        [[0, 0], [10, 0], [10, 10], [0, 10]],
        [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]],  # its first point repeated
        [[0, 0], [5, 0], [5, 5], [5, 0], [10, 0], [10, 10]],  # out and back on one line
        [[0, 0], [10, 10], [20, 0], [20, 20], [10, 10], [0, 20]],  # two parts that share a corner
        [[0, 0], [10, 0], [5, 5]],
    ],
)
def test_what_touches_does_not_cross(points):
    assert self_crossings(np.array(points, float)) == []


def test_far_from_the_origin_nothing_is_made_up():
    rng = np.random.default_rng(1)
    turn = np.sort(rng.random(300)) * 2 * np.pi
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 40
    assert self_crossings(ring + 999_000.25) == []


def test_long_outlines_are_quick_and_hopeless_ones_passed_over(monkeypatch):
    turn = np.linspace(0, 2 * np.pi, 50_000, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 5000
    assert self_crossings(ring) == []
    monkeypatch.setattr(crossings, "MOST_PAIRS", 3)
    assert self_crossings(np.array([[10, 10], [50, 60], [50, 10], [10, 60]], float)) == []


def test_signed_area_of_a_triangle():
    assert signed_area(np.array([[1e6, 1e6], [1e6 + 3, 1e6], [1e6, 1e6 + 4]])) == 6.0
    assert signed_area(np.zeros((0, 2))) == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_loops_are_those_that_are_walked(seed):
    rng = np.random.default_rng(seed)
    points = rng.random((14, 2)) * 100 + 5000
    ends = np.roll(points, -1, axis=0)
    expected = []
    for i, j in brute_force(points):
        matrix = np.column_stack([ends[i] - points[i], points[j] - ends[j]])
        cut = points[i] + np.linalg.solve(matrix, points[j] - points[i])[0] * (ends[i] - points[i])
        loop = np.vstack([cut, points[i + 1 : j + 1]])
        rest = np.vstack([cut, points[j + 1 :], points[: i + 1]])
        expected.append((min(abs(signed_area(loop)), abs(signed_area(rest))), *cut))
    found = [(crossing.loop, *crossing.point) for crossing in self_crossings(points)]
    assert len(found) > 3
    np.testing.assert_allclose(found, sorted(expected, reverse=True), rtol=1e-6)
