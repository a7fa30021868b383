"""Ellipses as polygons, against the ellipse's equation and OpenCV."""

import cv2
import numpy as np
import pytest

from delineate.core import rle
from delineate.core.curves import ellipse_polygon
from delineate.errors import DataError

ELLIPSES = [
    ((50.0, 40.0), (30.0, 30.0), 0.0),
    ((50.3, 40.8), (30.2, 11.7), 0.0),
    ((50.0, 45.0), (35.0, 9.0), 30.0),
    ((50.0, 45.0), (0.4, 0.2), 0.0),
    ((-2e5, 3e4), (9e5, 8e5), 75.0),
]


@pytest.mark.parametrize(("centre", "radii", "angle"), ELLIPSES)
def test_nowhere_more_than_a_tenth_of_a_pixel_away(centre, radii, angle):
    polygon = ellipse_polygon(centre, radii, angle)
    ends = np.roll(polygon, -1, axis=0)
    along = np.concatenate([polygon + t * (ends - polygon) for t in np.linspace(0, 1, 21)])
    turn = np.deg2rad(angle)
    back = (along - centre) @ np.array(
        [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    )
    scale = 1 / np.hypot(*(back / radii).T)  # to the ellipse, along the ray from its centre
    distance = np.hypot(*back.T) * np.abs(1 - scale)
    assert distance.max() <= 0.1
    shoelace = np.sum(polygon[:, 0] * ends[:, 1] - ends[:, 0] * polygon[:, 1]) / 2
    assert shoelace == pytest.approx(np.pi * radii[0] * radii[1], rel=1e-6)


@pytest.mark.parametrize("angle", [0, 20, 90, 135, -45])
def test_turns_as_opencv_does(angle):
    size = (120, 140)
    drawn = np.zeros(size, np.uint8)
    cv2.ellipse(drawn, (70, 60), (50, 20), angle, 0, 360, 1, -1)
    # OpenCV counts from pixel centres.
    polygon = ellipse_polygon((70.5, 60.5), (50, 20), angle)
    ours = rle.to_bitmap(rle.from_polygons([polygon.ravel().tolist()], size), size)
    assert (ours & (drawn > 0)).sum() / (ours | (drawn > 0)).sum() > 0.95


@pytest.mark.parametrize(
    ("centre", "radii", "angle", "match"),
    [
        ((float("nan"), 0), (1, 1), 0, "finite numbers up to 1000000, and"),
        ((0, 0), (1, float("inf")), 0, "finite numbers"),
        ((0, 0), (10**400, 1), 0, "finite numbers"),
        ((0, 0), (1, 1), 1e7, "finite numbers"),
        ((0, "1"), (1, 1), 0, "finite numbers"),
        ((0, 0), (0, 1), 0, "radii must be above 0"),
        ((0, 0), (1, -1), 0, "radii must be above 0"),
    ],
)
def test_what_is_no_ellipse(centre, radii, angle, match):
    with pytest.raises(DataError, match=match):
        ellipse_polygon(centre, radii, angle)
