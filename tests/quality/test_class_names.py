"""Which names seem to be one class, on lists that people have made."""

import numpy as np
import pytest

from delineate.core.classes import ClassMap
from delineate.data.annotated import AnnotatedDataset, Annotation
from delineate.data.sample import ImageRecord
from delineate.quality.census import census
from delineate.quality.class_names import distance, odd_names, similar_names, unused_classes

WORDS = """
person bicycle car motorcycle airplane bus train truck boat bench bird cat dog horse sheep cow
elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee skis snowboard kite
skateboard surfboard bottle cup fork knife spoon bowl banana apple sandwich orange broccoli
carrot pizza donut cake chair couch bed toilet tv laptop mouse remote keyboard microwave oven
toaster sink refrigerator book clock vase scissors toothbrush
"""
COCO = WORDS.split()
PAIRS = ["hot dog", "traffic light", "traffic sign", "sports ball", "baseball bat", "wine glass"]


def counted(counts, ids=None):
    """The census of a split with so many objects of each class, each in the one picture."""
    names = list(counts)
    labels = [label for label, count in enumerate(counts.values()) for _ in range(count)]
    nan = (float("nan"),) * 4
    outline = (np.array([0.0, 0.0, 4.0, 0.0, 4.0, 4.0]),)
    annotations = [
        Annotation(i, 1, label, False, 8.0, nan, outline) for i, label in enumerate(labels)
    ]
    dataset = AnnotatedDataset(
        name="set",
        classes=ClassMap(tuple(names), tuple(ids or range(1, len(names) + 1))),
        records=[ImageRecord(image_id=1, name="a.png", path=None, size=(8, 8))],
        annotations=annotations,
        problems=(),
    )
    return {"train": census(dataset)}


@pytest.mark.parametrize("seed", range(3))
def test_lists_that_people_made_are_left_alone(seed):
    rng = np.random.default_rng(seed)
    names = [*COCO, *PAIRS, "horse", "house", "type 1", "type 2", "A", "B", "left_eye", "right_eye"]
    counts = {name: int(n) for name, n in zip(names, rng.geometric(0.02, len(names)), strict=True)}
    assert list(similar_names(counted(counts))) == []
    assert list(odd_names(counted(counts))) == []


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("car", "Car"), "in capital letters only"),
        (("traffic light", "traffic_light"), "in spaces and signs only"),
        (("car", "c\u0430r"), "in accents or look-alike letters only"),
        (("cafe", "caf\u00e9"), "in accents or look-alike letters only"),
        (("berry", "berries"), "as singular and plural"),
        (("box", "boxes"), "as singular and plural"),
        (("mushroom", "mushrom"), "by 1 letter"),
        (("traffic light", "trafifc light"), "by 1 letter"),
        (("hippopotamus", "hipopotammus"), "by 2 letters"),
    ],
)
def test_two_spellings_of_one_name(names, words):
    (finding,) = similar_names(counted({names[0]: 40, names[1]: 3}))
    assert words in finding.why
    assert f"rename {names[1]!r}" in finding.fix  # the rarer one is the wrong one
    assert [place.objects for place in finding.others] == [(40,), (41,), (42,)]


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (("mushroom", "mushrom"), (40, 30)),  # both common
        (("horse", "house"), (400, 3)),
        (("garter snake", "water snake"), (400, 3)),
        (("plate 12", "plate 13"), (400, 3)),
    ],
)
def test_two_names_of_two_classes(names, counts):
    assert list(similar_names(counted(dict(zip(names, counts, strict=True))))) == []


@pytest.mark.parametrize(
    ("first", "second", "wrong"),
    [
        *[("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "ab", 1)],
        *[("abcd", "acbd", 1), ("kitten", "sitting", 3), ("", "abc", 3)],
    ],
)
def test_distance(first, second, wrong):
    assert distance(first, second) == distance(second, first) == wrong


def test_names_that_hide_something():
    names = ["cat ", "dog\u200bhouse", "tree  frog", "c\u0430r", "fine name", "\u043a\u043e\u0442"]
    told = [finding.why for finding in odd_names(counted(dict.fromkeys(names, 1)))]
    for words in ("spaces around it", "cannot be seen", "two spaces", "Cyrillic and Latin"):
        assert sum(words in why for why in told) == 1
    assert len(told) == 4


@pytest.mark.parametrize("name", ["background", "_background_", "__ignore__", "Background", "void"])
def test_background_is_no_class(name):
    (finding,) = odd_names(counted({name: 0, "cat": 3}))
    assert finding.kind == "background_class"
    assert list(unused_classes(counted({name: 0, "cat": 3}))) == []


def test_a_heading_of_an_exporter_is_named():
    (finding,) = unused_classes(counted({"fruits": 0, "fig": 3, "date": 2}, ids=(0, 1, 2)))
    assert "'fruits' with id 0 is a heading" in finding.why
    (finding,) = unused_classes(counted({"fruits": 0, "fig": 3, "date": 2}))
    assert "heading" not in finding.why


@pytest.mark.parametrize(
    "names",
    [
        *[("ガラス", "カラス"), ("A", "a"), ("-", "."), ("1.5", "15"), ("A-", "A")],
        *[("1.5 metre", "15 metre"), ("e", "\u00e9"), ("a 1 2", "a 12")],
    ],
)
def test_what_differs_by_a_sign_may_be_two_classes(names):
    assert list(similar_names(counted({names[0]: 400, names[1]: 3}))) == []


@pytest.mark.parametrize("names", [("type-1", "type 1"), ("a.b", "a_b"), ("Kita\u0306b", "Kitab")])
def test_signs_between_letters_do_not_count(names):
    (finding,) = similar_names(counted({names[0]: 400, names[1]: 3}))
    assert "only" in finding.why


def test_other_ways_to_write_are_not_odd():
    persian, emoji = "\u0645\u06cc\u200c\u0631\u0648\u062f", "\U0001f469\u200d\U0001f692"
    assert list(odd_names(counted(dict.fromkeys(["β cell", "β-cell", persian, emoji], 1)))) == []
    joined_latin = ["dog\u200chouse", "\u200dcat", "fire \u200dtruck"]
    assert len(list(odd_names(counted(dict.fromkeys(joined_latin, 1))))) == 3
