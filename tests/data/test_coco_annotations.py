"""Annotations that are looked at together are judged as each alone."""

import copy
import math

import pytest

from delineate.core.classes import ClassMap
from delineate.data import coco_annotations
from delineate.data.annotated import Annotation
from delineate.data.coco_annotations import check_annotations, compact_outlines
from delineate.data.coco_checks import NoObject
from delineate.data.sample import ImageRecord, Problem

COUNT, MANY = 700, 10**400
IMAGES = {
    i: ImageRecord(image_id=i, name=f"{i}.png", path=None, size=(40, 60)) for i in range(1, 30)
}
CLASSES = ClassMap(("disc", "box"), (3, 7))
FAULTS = {
    "an id twice": {"id": 5},
    "the id of a neighbour": {"id": 590},
    "no id": {"id": None},
    "a large id": {"id": 2**63},
    "a true id": {"id": True},
    "an image that is not there": {"image_id": 99},
    "an image that was left out": {"image_id": 44},
    "a class that is not there": {"category_id": 4},
    "a class by its name": {"category_id": "disc"},
    "a class of a float": {"category_id": 3.0},
    "an image by truth": {"image_id": True},
    "a class without a place": {"category_id": [3]},
    "a crowd of two": {"iscrowd": 2},
    "a crowd of nobody": {"iscrowd": None},
    "a list as crowd": {"iscrowd": []},
    "no mask": {"segmentation": []},
    "a mask outside": {"segmentation": [[70, 5, 90, 5, 90, 20]]},
    "a short outline": {"segmentation": [[1, 2, 3]]},
    "run lengths that do not fill": {"segmentation": {"size": [40, 60], "counts": [3, 4]}},
}
ODD = {  # sound, though not everything that they state is
    "three sides": {"bbox": [1, 2, 3]},
    "sides that are none": {"bbox": [1, 2, "3", 4]},
    "a side without end": {"bbox": [1, 2, math.inf, 4]},
    "a side of no number": {"bbox": [1, 2, math.nan, 4]},
    "a side too long": {"bbox": [1, 2, MANY, 4]},
    "no box": {"bbox": None},
    "a negative area": {"area": -3},
    "no area": {"area": None},
    "an area in words": {"area": "12"},
    "run lengths": {"segmentation": {"size": [40, 60], "counts": [30, 20, 2350]}},
    "true as crowd": {"iscrowd": True},
}


def listed(**changes):
    """Return many sound annotations, one of them changed far behind the first part."""
    made = [
        {
            "id": i + 1,
            "image_id": 1 + i % 29,
            "category_id": (3, 7)[i % 2],
            "iscrowd": 0,
            "area": 50 + i,
            "bbox": [2, 3, 10.5, i % 9 + 1],
            "segmentation": [[2, 3, 12.5, 3, 12.5, 12]],
        }
        for i in range(COUNT)
    ]
    made[600].update(changes)
    return compact_outlines(copy.deepcopy(made))


def judged(annotations):
    return check_annotations(annotations, IMAGES, {44}, CLASSES)


def spelled(checked):
    """Return what can be compared: NaN is not equal to itself, nor are arrays."""
    return [repr(one) for one in checked]


@pytest.mark.parametrize("change", [{}, *FAULTS.values(), *ODD.values()])
def test_together_or_alone_is_the_same(monkeypatch, change):
    together = judged(listed(**change))
    monkeypatch.setattr(coco_annotations, "_surely_sound", alone)
    assert spelled(judged(listed(**change))) == spelled(together)


def alone(*arguments):
    raise ValueError


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_costs_one_annotation(name):
    checked = judged(listed(**FAULTS[name]))
    sound = [one for one in checked if isinstance(one, Annotation)]
    problems = [one for one in checked if isinstance(one, Problem)]
    assert [one.id for one in sound] == [i + 1 for i in range(COUNT) if i != 600]
    assert len(problems) == (name != "an image that was left out")
    if name == "no id":
        assert "annotation number 601 of the list" in problems[0].where


@pytest.mark.parametrize("name", ODD)
def test_what_is_only_odd_is_kept(name):
    checked = judged(listed(**ODD[name]))
    assert [one.id for one in checked] == list(range(1, COUNT + 1))
    odd = checked[600]
    assert odd.misstated == (
        "bbox" in ODD[name] and name != "no box",
        "in words" in name or "negative" in name,
    )
    assert math.isnan(odd.box[0]) == ("bbox" in ODD[name])
    assert math.isnan(odd.area) == ("area" in ODD[name])


def test_sound_annotations_are_as_stated():
    checked = judged(listed())
    assert [type(one) for one in checked] == [Annotation] * COUNT
    for i, one in enumerate(checked):
        assert (one.id, one.image_id, one.label) == (i + 1, 1 + i % 29, i % 2)
        assert (one.crowd, one.area, one.box) == (False, 50 + i, (2, 3, 10.5, i % 9 + 1))
        assert {type(one.crowd), type(one.area), *map(type, one.box)} == {bool, float}
        assert one.segmentation[0].tolist() == [2, 3, 12.5, 3, 12.5, 12]


def test_what_is_no_object_keeps_its_place():
    annotations = listed()
    annotations[650] = NoObject(7)
    [problem] = [one for one in judged(annotations) if isinstance(one, Problem)]
    assert "annotation number 651 of the list" in problem.where
    assert judged([]) == []
