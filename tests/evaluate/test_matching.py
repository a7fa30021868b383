"""Greedy matching by hand."""

import numpy as np
from scenes import instances, square

from delineate.core.instances import Instances
from delineate.evaluate.matching import match

SIZE = (20, 30)
LEFT, RIGHT = square(SIZE, 2, 2, 10), square(SIZE, 16, 2, 10)
NEAR_LEFT = square(SIZE, 3, 2, 10)  # IoU with LEFT: 90 / 110
FAR_LEFT = square(SIZE, 7, 2, 10)  # IoU with LEFT: 50 / 150


def test_each_finds_its_own():
    matches = match(instances([LEFT, RIGHT], [0, 1]), instances([RIGHT, LEFT], [1, 0], [0.5, 0.9]))
    assert matches.truth_of.tolist() == [1, 0]
    assert matches.overlap.tolist() == [1, 1]
    assert matches.found.all()
    assert not matches.wrong.any()
    assert matches.missed.tolist() == []


def test_the_surest_takes_the_object_even_if_it_fits_worse():
    matches = match(instances([LEFT], [0]), instances([LEFT, NEAR_LEFT], [0, 0], [0.5, 0.9]))
    assert matches.truth_of.tolist() == [-1, 0]
    assert matches.nearest.tolist() == [0, 0]
    np.testing.assert_allclose(matches.overlap, [1, 90 / 110])
    assert matches.wrong.tolist() == [True, False]


def test_of_two_objects_the_better_overlap_is_taken():
    matches = match(instances([NEAR_LEFT, LEFT], [0, 0]), instances([LEFT], [0], [0.5]))
    assert matches.truth_of.tolist() == [1]
    assert matches.missed.tolist() == [0]


def test_equal_scores_go_by_position():
    matches = match(instances([LEFT], [0]), instances([LEFT, LEFT], [0, 0], [0.5, 0.5]))
    assert matches.truth_of.tolist() == [0, -1]


def test_class_and_overlap_must_fit():
    matches = match(
        instances([LEFT, RIGHT], [0, 0]), instances([FAR_LEFT, RIGHT], [0, 1], [0.9, 0.8])
    )
    assert matches.truth_of.tolist() == [-1, -1]
    assert matches.nearest.tolist() == [0, 1]
    np.testing.assert_allclose(matches.overlap, [50 / 150, 1])
    assert matches.missed.tolist() == [0, 1]
    lenient = match(instances([LEFT], [0]), instances([FAR_LEFT], [0], [0.9]), iou=0.3)
    assert lenient.truth_of.tolist() == [0]


def test_crowd_excuses_any_number_of_its_class_and_is_never_missed():
    crowd = instances([square(SIZE, 0, 0, 20)], [0], crowd=[True])
    matches = match(crowd, instances([LEFT, NEAR_LEFT, LEFT], [0, 0, 1], [0.9, 0.8, 0.7]))
    assert matches.excused.tolist() == [True, True, False]
    assert matches.wrong.tolist() == [False, False, True]
    assert matches.missed.tolist() == []
    assert matches.overlap.tolist() == [0, 0, 0]


def test_an_object_inside_a_crowd_counts():
    truth = instances([square(SIZE, 0, 0, 20), LEFT], [0, 0], crowd=[True, False])
    matches = match(truth, instances([LEFT], [0], [0.9]))
    assert matches.truth_of.tolist() == [1]
    assert not matches.excused.any()


def test_nothing_on_one_side_or_both():
    some, none = instances([LEFT], [0]), Instances.empty(SIZE)
    found = some.replace(scores=np.array([0.9]))
    nothing = Instances.empty(SIZE, scored=True)
    assert match(some, nothing).missed.tolist() == [0]
    alarm = match(none, found)
    assert alarm.wrong.tolist() == [True]
    assert alarm.nearest.tolist() == [-1]
    assert alarm.overlap.tolist() == [0]
    assert match(none, nothing).truth_of.shape == (0,)


def test_boxes_alone():
    """Without masks the overlap is that of the boxes: here 1, where the masks' is 0.36 only."""
    small = square(SIZE, 2, 2, 6)
    small[11, 11] = True  # the box is that of LEFT now
    truth, found = instances([LEFT], [0]), instances([small], [0], [0.9])
    assert match(truth, found).truth_of.tolist() == [-1]
    assert match(truth, found.replace(masks=None)).truth_of.tolist() == [0]
