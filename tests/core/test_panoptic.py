"""Panoptic: what it refuses, and that nothing is lost on the way to masks, labels and instances."""

import numpy as np
import pytest

from delineate.core.classes import ClassMap
from delineate.core.panoptic import (
    Panoptic,
    Segment,
    areas_by_id,
    relabelled,
    runs_by_id,
    to_instances,
    to_semantic,
    to_stuff_map,
)
from delineate.core.panoptic_classes import PanopticClasses
from delineate.core.rle import to_bitmap
from delineate.errors import ClassMismatch, DataError
from panoptic_cases import CLASSES, panoptic, random_panoptic

IDS = np.array([[0, 7, 7, 2], [2, 2, 7, 2], [5, 5, 5, 9]], np.int32)
LABELS = {7: 1, 2: 0, 5: 4, 9: 2}


def seg(segment_id=1, label=0, area=4, **rest):
    return Segment(id=segment_id, label=label, area=area, **rest)


def make(ids, *segments):
    return Panoptic(ids=ids, segments=segments, classes=CLASSES)


def test_what_it_holds():
    value = panoptic(IDS, LABELS, crowd=(7,), scores={2: 0.5})
    assert value.image_size == (3, 4)
    assert [s.id for s in value.things] == [7, 2]
    assert [s.id for s in value.stuff] == [5, 9]
    assert value.segment(5) == seg(5, 4, 3)
    assert value.segment(7).crowd
    assert value.segment(2).score == 0.5
    with pytest.raises(KeyError):
        value.segment(0)


def test_the_map_is_a_read_only_copy():
    ids = IDS.copy()
    value = panoptic(ids, LABELS)
    ids[:] = 0
    np.testing.assert_array_equal(value.ids, IDS)
    assert value.ids.dtype == np.int32
    with pytest.raises(ValueError):
        value.ids[0, 0] = 1


def test_void_alone():
    value = Panoptic.empty((2, 3), CLASSES)
    assert value.segments == ()
    assert len(to_instances(value)) == 0
    assert (to_semantic(value) == -1).all()
    assert (to_stuff_map(value) == -1).all()
    assert len(value.masks()) == 0


@pytest.mark.parametrize("seed", range(6))
def test_areas_and_runs_are_those_of_the_pixels(seed):
    ids = random_panoptic(seed).ids
    values, counts = np.unique(ids, return_counts=True)
    expected = dict(zip(values.tolist(), counts.tolist(), strict=True))
    expected.pop(0, None)
    assert areas_by_id(ids) == expected
    runs = runs_by_id(ids)
    assert runs.keys() == expected.keys()
    for i, run in runs.items():
        np.testing.assert_array_equal(to_bitmap(run, ids.shape), ids == i)
        assert run[1:].all()  # canonical


def test_instances_are_the_things():
    value = panoptic(IDS, LABELS, crowd=(7,))
    found = to_instances(value)
    assert found.ids.tolist() == [7, 2]
    assert found.labels.tolist() == [1, 0]
    assert found.crowd.tolist() == [True, False]
    assert found.scores is None
    np.testing.assert_array_equal(found.masks.to_dense(), [IDS == 7, IDS == 2])
    assert found.boxes.tolist() == [[1, 0, 3, 2], [0, 0, 4, 2]]


def test_scores_are_known_where_every_thing_has_one():
    assert to_instances(panoptic(IDS, LABELS, scores={7: 0.5})).scores is None
    found = to_instances(panoptic(IDS, LABELS, scores={7: 0.5, 2: 0.25}))
    assert found.scores.tolist() == [0.5, 0.25]
    assert found.crowd is None


def test_labels_of_another_table_are_found_by_name():
    value = panoptic(IDS, LABELS, crowd=(7,), scores={2: 0.5})
    assert relabelled(value, CLASSES) is value
    table = PanopticClasses(
        ClassMap(("owl", "dog", "cat"), (1, 2, 3)), ClassMap(("wall", "road", "sky"), (4, 5, 6))
    )
    moved = relabelled(value, table)
    assert moved.classes == table
    assert [(s.id, s.label) for s in moved.segments] == [(7, 1), (2, 2), (5, 3), (9, 5)]
    assert moved.segment(7).crowd
    assert moved.segment(2).score == 0.5
    with pytest.raises(ClassMismatch, match="owl"):
        relabelled(moved, CLASSES)


def test_labels_of_pixels():
    value = panoptic(IDS, LABELS)
    expected = [[-1, 1, 1, 0], [0, 0, 1, 0], [4, 4, 4, 2]]
    assert to_semantic(value).tolist() == expected
    assert to_semantic(value).dtype == np.int32


def test_what_a_stuff_head_learns():
    expected = [[-1, 0, 0, 0], [0, 0, 0, 0], [3, 3, 3, 1]]
    assert to_stuff_map(panoptic(IDS, LABELS)).tolist() == expected


ONES = np.ones((2, 2), np.int32)


@pytest.mark.parametrize(
    ("ids", "segments", "message"),
    [
        (ONES, (), "ids must be numbers of the segments, or 0, and 1 without one"),
        (ONES, (seg(), seg(2, area=1)), "that of id 2 must be as large as in the map, 0 pixels"),
        (ONES, (seg(area=3),), "that of id 1 must be as large as in the map, 4 pixels"),
        (ONES, (seg(), seg()), "of different ids"),
        (ONES, (seg(label=5),), "of a label from 0 to 4, and 5 came"),
        (ONES, (seg(label=-1),), "of a label from 0 to 4"),
        (ONES, (seg(label=1.0),), "of a label from 0 to 4"),
        (ONES, (seg(score=1.5),), "scored from 0 to 1"),
        (ONES, (seg(score=float("nan")),), "scored from 0 to 1"),
        (ONES, (seg(), seg(0, area=1)), "whole number from 1 to 16777215"),
        (ONES, (seg(True),), "whole number from 1"),
        (ONES << 24, (seg(1 << 24),), "from 0 to 16777215"),
        (-ONES, (seg(-1),), "from 0 to"),
        (ONES.astype(float), (seg(),), "whole numbers in an"),
        (ONES[None], (seg(),), "whole numbers in an"),
        (ONES[:0], (), "whole numbers in an"),
    ],
)
def test_what_does_not_fit_is_refused(ids, segments, message):
    with pytest.raises(DataError, match=message):
        make(ids, *segments)
