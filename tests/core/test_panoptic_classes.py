"""The joint table: things keep their labels, stuff follows."""

import json

import numpy as np
import pytest

from delineate.core.classes import ClassMap
from delineate.core.panoptic_classes import PanopticClasses
from delineate.errors import ClassMismatch, DataError
from panoptic_cases import CLASSES

COCO = [
    {"id": 92, "name": "sky", "isthing": 0},
    {"id": 8, "name": "dog", "isthing": 1},
    {"id": 5, "name": "road", "isthing": 0},
    {"id": 3, "name": "cat", "isthing": 1},
]


def test_things_keep_their_labels_and_stuff_follows():
    table = PanopticClasses.from_coco(COCO)
    assert table.names == ("cat", "dog", "road", "sky")
    assert table.source_ids == (3, 8, 5, 92)
    assert [table.is_thing(label) for label in range(len(table))] == [True, True, False, False]
    assert table.label_of(92) == 3
    assert table.name(2) == "road"
    assert table.source_id(2) == 5
    assert table.things == ClassMap(("cat", "dog"), (3, 8))


def test_round_trips():
    text = json.dumps(CLASSES.to_json())
    assert PanopticClasses.from_json(json.loads(text)) == CLASSES
    table = PanopticClasses.from_coco(COCO)
    assert PanopticClasses.from_coco(json.loads(json.dumps(table.to_coco()))) == table
    assert [c["isthing"] for c in table.to_coco()] == [1, 1, 0, 0]


def test_either_half_may_be_empty():
    none = ClassMap((), ())
    assert len(PanopticClasses(CLASSES.things, none)) == 2
    assert PanopticClasses(none, CLASSES.stuff).is_thing(0) is False


def test_tables_are_matched_by_name_within_their_half():
    fewer = PanopticClasses(ClassMap(("dog",), (1,)), ClassMap(("wall", "sky"), (2, 3)))
    np.testing.assert_array_equal(CLASSES.match(fewer), [1, 4, 2])
    swapped = PanopticClasses(ClassMap(("sky",), (1,)), ClassMap(("dog",), (2,)))
    with pytest.raises(ClassMismatch, match="sky"):
        CLASSES.match(swapped)


@pytest.mark.parametrize(
    ("things", "stuff", "message"),
    [
        (ClassMap(("a",), (1,)), ClassMap(("a",), (2,)), "'a' comes twice"),
        (ClassMap(("a",), (1,)), ClassMap(("b",), (1,)), "1 comes twice"),
    ],
)
def test_a_name_or_id_stands_for_one_class(things, stuff, message):
    with pytest.raises(DataError, match=message):
        PanopticClasses(things, stuff)


@pytest.mark.parametrize(
    "category", [{"id": 1, "name": "a"}, {"id": 1, "name": "a", "isthing": 2}, 7, None]
)
def test_categories_say_what_they_are(category):
    with pytest.raises(DataError, match="thing"):
        PanopticClasses.from_coco([category])


@pytest.mark.parametrize("value", [{}, {"things": {"names": [], "source_ids": []}}, {"things": 1}])
def test_json_of_something_else(value):
    with pytest.raises(DataError, match=r"PanopticClasses\.to_json"):
        PanopticClasses.from_json(value)
