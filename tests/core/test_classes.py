"""Class tables: ids, names, colours and the matching of two tables."""

import itertools
import json

import cv2
import numpy as np
import pytest

from delineate.core.classes import ClassMap, colour
from delineate.errors import ClassMismatch, DataError

PETS = ClassMap(("cat", "dog", "bird"), (17, 18, 90))


def test_labels_names_and_ids():
    assert len(PETS) == 3
    assert [PETS.label_of(i) for i in (17, 18, 90)] == [0, 1, 2]
    assert [PETS.source_id(label) for label in range(3)] == [17, 18, 90]
    assert PETS.name(2) == "bird"
    assert ClassMap.from_names(["a", "b"]) == ClassMap(("a", "b"), (1, 2))


def test_an_unknown_id_names_the_known_ones():
    with pytest.raises(DataError, match="no class has the id 1, and the known ones are 17, 18, 90"):
        PETS.label_of(1)


def test_coco_categories_follow_their_ids():
    categories = [
        {"id": 90, "name": "bird", "supercategory": "animal"},
        {"id": 17, "name": "cat"},
        {"id": 18, "name": "dog"},
    ]
    assert ClassMap.from_coco(categories) == PETS
    assert len(ClassMap.from_coco([])) == 0


@pytest.mark.parametrize(
    ("categories", "words"),
    [
        ([{"id": 1}], "an 'id' and a 'name'"),
        ([{"name": "cat"}], "an 'id' and a 'name'"),
        (["cat"], "an 'id' and a 'name'"),
        (
            [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}],
            "its own id, and 1 comes",
        ),
        ([{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}], "its own name, and 'cat' comes"),
        ([{"id": "1", "name": "cat"}], "id must be a whole number"),
        ([{"id": True, "name": "cat"}], "id must be a whole number"),
        ([{"id": None, "name": "cat"}], "id must be a whole number"),
        ([{"id": [], "name": "cat"}], "id must be a whole number"),
        ([{"id": -1, "name": "cat"}], "id must be a whole number from 0 to 2"),
        ([{"id": 2**63, "name": "cat"}], "id must be a whole number from 0 to 2"),
        ([{"id": 1, "name": ""}], "needs a name that is text"),
        ([{"id": 1, "name": " "}], "needs a name that is text"),
        ([{"id": 1, "name": True}], "needs a name that is text"),
        ([{"id": 1, "name": float("nan")}], "needs a name that is text"),
        ([{"id": 1, "name": [5]}], "needs a name that is text"),
        ([{"id": 1, "name": None}], "needs a name that is text"),
    ],
)
def test_broken_categories(categories, words):
    with pytest.raises(DataError, match=words):
        ClassMap.from_coco(categories)


def test_the_smallest_and_the_largest_id():
    table = ClassMap.from_coco([{"id": 2**63 - 1, "name": "b"}, {"id": 0, "name": "a"}])
    assert table.source_ids == (0, 2**63 - 1)


def test_names_and_ids_must_agree_in_number():
    with pytest.raises(DataError, match="2 names came with 1 id"):
        ClassMap(("cat", "dog"), (1,))


def test_json_and_back():
    assert ClassMap.from_json(json.loads(json.dumps(PETS.to_json()))) == PETS


@pytest.mark.parametrize("value", [{}, {"names": ["a"]}, {"names": "ab", "source_ids": [1, 2]}])
def test_json_of_something_else(value):
    with pytest.raises(DataError, match="lists 'names' and 'source_ids'"):
        ClassMap.from_json(value)


def test_equal_tables_are_one_key():
    assert {PETS: 1}[ClassMap(PETS.names, PETS.source_ids)] == 1


# -- matching ------------------------------------------------------------------------------------


def test_matching_goes_by_name():
    theirs = ClassMap(("bird", "cat"), (1, 2))
    matched = PETS.match(theirs)
    assert matched.tolist() == [2, 0]
    assert matched.dtype == np.int64
    assert PETS.match(PETS).tolist() == [0, 1, 2]
    assert PETS.match(ClassMap((), ())).shape == (0,)


def test_a_mismatch_shows_both_lists():
    with pytest.raises(ClassMismatch) as error:
        PETS.match(ClassMap.from_names(["cat", "cow", "Dog"]))
    text = str(error.value)
    assert "cow, Dog came without a partner" in text
    assert "has the classes cat, cow, Dog, the other side cat, dog, bird" in text
    assert "rename" in text


def test_long_lists_are_shortened():
    many = ClassMap.from_names([f"class {i}" for i in range(1203)])
    with pytest.raises(ClassMismatch, match="class 8, class 9 and 1193 more, the") as error:
        PETS.match(many)
    assert "class 10" not in str(error.value)


# -- colours -------------------------------------------------------------------------------------


def test_colours_are_stable():
    assert [PETS.colour(label) for label in range(3)] == [colour(i) for i in range(3)]
    assert colour(0) == (244, 123, 116)
    assert all(0 <= c <= 255 for i in range(500) for c in colour(i))


def lab(rgb):
    return cv2.cvtColor(np.array([[rgb]], dtype=np.float32) / 255, cv2.COLOR_RGB2Lab)[0, 0]


# Machado, Oliveira and Fernandes 2009, full severity, on linear RGB.
PROTAN = [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
]
DEUTAN = [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
]


@pytest.mark.parametrize(
    ("eye", "distance"), [(np.eye(3), 20), (np.array(PROTAN), 10), (np.array(DEUTAN), 10)]
)
def test_the_first_colours_can_be_told_apart(eye, distance):
    linear = (np.array([colour(i) for i in range(10)]) / 255) ** 2.2
    seen = [lab(255 * rgb) for rgb in (linear @ eye.T).clip(0, 1) ** (1 / 2.2)]
    gaps = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    assert min(gaps) > distance


@pytest.mark.parametrize("name", ["line\nbreak", "bell\x07", "esc\x1b[31m", "two\u2028lines"])
def test_names_with_control_characters_are_refused(name):
    with pytest.raises(DataError, match="control characters"):
        ClassMap.from_names([name])


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u200c\u0634\u0648\u062f",  # Persian, with a joiner that has no width
        "\u5168\u89d2\u3000\u7a7a\u767d",  # Chinese, with a wide space
        "no\u00a0break",
        "\U0001f469\u200d\U0001f33e",
    ],
)
def test_names_of_all_scripts_are_taken(name):
    assert ClassMap.from_names([name]).names == (name,)


def test_a_long_name_is_cut_where_it_is_told():
    with pytest.raises(ClassMismatch) as error:
        PETS.match(ClassMap.from_names(["x" * 5000]))
    assert f"{'x' * 60}... came" in str(error.value)
    assert len(str(error.value)) < 600


def test_names_that_are_numbers_become_text():
    table = ClassMap.from_coco([{"id": 1, "name": 1.0}, {"id": 2, "name": 0}])
    assert table.names == ("1.0", "0")
