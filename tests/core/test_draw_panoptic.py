"""Drawn segments: flat stuff, things apart from one another, void untouched, names inside."""

import numpy as np
import pytest

from delineate.core.draw import panoptic_overlay
from delineate.core.panoptic import Panoptic
from delineate.errors import DataError
from panoptic_cases import CLASSES, panoptic

SIZE = (160, 200)
GREY = np.full((*SIZE, 3), 100, np.uint8)


def boxes(*windows, labels, **rest):
    """Segments 1, 2 .. that fill windows ``(x0, y0, x1, y1)``, the later over the earlier."""
    ids = np.zeros(SIZE, np.int32)
    for i, (x0, y0, x1, y1) in enumerate(windows, 1):
        ids[y0:y1, x0:x1] = i
    return panoptic(ids, dict(enumerate(labels, 1)), **rest)


def saturation(colour):
    return int(colour.max()) - int(colour.min())


def changed(drawn):
    return (drawn != GREY).any(axis=2)


def test_the_image_given_stays_and_void_is_not_drawn():
    image = GREY.copy()
    drawn = panoptic_overlay(image, boxes((20, 20, 180, 80), labels=[3]))
    np.testing.assert_array_equal(image, GREY)
    assert changed(drawn)[20:80, 20:180].all()
    assert changed(drawn).sum() == 60 * 160  # stuff has no outline, and its name lies inside
    void = Panoptic.empty(SIZE, CLASSES)
    np.testing.assert_array_equal(panoptic_overlay(GREY, void), GREY)


def test_things_of_one_class_differ_and_stuff_is_paler():
    scene = boxes((0, 0, 20, 20), (30, 0, 50, 20), (60, 0, 80, 20), labels=[0, 0, 0])
    drawn = panoptic_overlay(GREY, scene, alpha=1)
    assert len({tuple(drawn[10, x]) for x in (10, 40, 70)}) == 3
    thing = panoptic_overlay(GREY, boxes((0, 0, 20, 20), labels=[0]), alpha=1)
    crowd = panoptic_overlay(GREY, boxes((0, 0, 20, 20), labels=[0], crowd=(1,)), alpha=1)
    assert saturation(crowd[10, 10]) < 0.8 * saturation(thing[10, 10])


def test_stuff_has_the_colour_of_its_class_wherever_it_is():
    first = panoptic_overlay(GREY, boxes((0, 0, 20, 20), labels=[3]))
    second = panoptic_overlay(GREY, boxes((50, 0, 70, 20), (0, 0, 20, 20), labels=[2, 3]))
    np.testing.assert_array_equal(first[10, 10], second[10, 10])
    assert (second[10, 60] != second[10, 10]).any()


def test_alpha_0_draws_outlines_and_names_only():
    drawn = panoptic_overlay(GREY, boxes((10, 10, 30, 30), labels=[0]), alpha=0)
    assert not changed(drawn)[14:26, 14:26].any()
    assert changed(drawn)[10, 10:30].any()


def test_a_large_segment_is_named_where_it_is_widest():
    """A frame with one broad side: its middle lies outside, its name does not."""
    scene = boxes((0, 0, 200, 160), (10, 10, 190, 100), labels=[3, 4])
    drawn = panoptic_overlay(GREY, scene)
    plain = panoptic_overlay(GREY, boxes((0, 0, 1, 1), labels=[3]))[0, 0]
    named = (drawn != plain).any(axis=2)
    assert named[105:155].any()
    assert not named[:9].any()


def test_small_segments_have_no_name():
    drawn = panoptic_overlay(GREY, boxes((10, 10, 40, 30), labels=[3]))
    inside = drawn[10:30, 10:40].reshape(-1, 3)
    assert (inside == inside[0]).all()


def test_names_do_not_leave_the_picture_or_overlap():
    scene = boxes(
        (0, 0, 200, 160), (5, 5, 195, 40), (5, 45, 195, 80), labels=[4, 0, 1], scores={2: 0.5}
    )
    drawn = panoptic_overlay(GREY, scene)
    assert drawn.shape == GREY.shape
    tiny = panoptic(np.ones((3, 3), np.int32), {1: 0})
    assert panoptic_overlay(np.zeros((3, 3, 3), np.uint8), tiny).shape == (3, 3, 3)


def test_scores_are_told():
    scene = boxes((0, 0, 200, 160), labels=[0])
    plain = panoptic_overlay(GREY, scene)
    scored = panoptic_overlay(GREY, boxes((0, 0, 200, 160), labels=[0], scores={1: 0.5}))
    assert (plain != scored).any()


def test_an_image_of_another_size_is_refused():
    with pytest.raises(DataError, match="pass the image they belong to"):
        panoptic_overlay(GREY[:-1], boxes((0, 0, 20, 20), labels=[0]))
