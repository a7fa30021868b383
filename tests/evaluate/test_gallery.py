"""Which pictures are kept, and what they show."""

import io

import numpy as np
import pytest
from PIL import Image
from scenes import instances, square

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.evaluate.gallery import Gallery

CLASSES = ClassMap(("nut", "date"), (1, 2))
SIZE = (100, 150)
A, B = square(SIZE, 10, 10, 30), square(SIZE, 60, 20, 40)
IMAGE = np.full((*SIZE, 3), 90, np.uint8)


def of(bitmaps, labels, scores=None, **options):
    return instances(bitmaps, labels, scores, size=SIZE, **options)


def one(truth, predicted, **options):
    gallery = Gallery(CLASSES, **options)
    gallery.add("a.png", IMAGE, truth, predicted)
    return gallery


def test_all_found():
    gallery = one(of([A, B], [0, 1]), of([A, B], [0, 1], [0.9, 0.8]))
    assert (gallery.bad, gallery.missed) == ((), ())
    (picture,) = gallery.good
    assert picture.caption == "2 of 2 found, mean overlap 1.00"
    assert picture.name == "a.png"
    assert picture.size == SIZE  # not enlarged
    assert Image.open(io.BytesIO(picture.jpeg)).size == SIZE[::-1]
    assert [o.title for o in picture.truth] == ["nut", "date"]
    assert [o.title for o in picture.predicted] == ["nut 0.90", "date 0.80"]
    np.testing.assert_array_equal(np.sort(picture.truth[0].rings[0][:, 0]), [10, 10, 40, 40])


@pytest.mark.parametrize(
    ("truth", "found", "caption"),
    [
        (of([B], [1]), of([A], [0], [0.9]), "nut 0.90: nothing is annotated here"),
        (
            of([A], [1]),
            of([square(SIZE, 25, 10, 30)], [0], [0.9]),
            "nut 0.90: overlaps the annotated date by 0.33 only",
        ),
        (of([A], [1]), of([A], [0], [0.9]), "nut 0.90: annotated as date (overlap 1.00)"),
        (of([A], [0]), of([A, A], [0, 0], [0.95, 0.9]), "nut 0.90: found twice (overlap 1.00)"),
        (of([], []), of([A], [0], [0.9]), "nut 0.90: nothing is annotated here"),
    ],
    ids=["nothing", "poor outline", "wrong class", "twice", "empty image"],
)
def test_false_alarms_are_explained(truth, found, caption):
    (picture,) = one(truth, found).bad
    assert picture.caption == caption
    assert [o.title for o in picture.predicted if o.focus] == ["nut 0.90"]
    assert not any(o.focus for o in picture.truth)


def test_missed_objects_are_shown_from_near():
    gallery = one(of([B, A], [1, 0]), of([B], [1], [0.9]), side=200)
    (picture,) = gallery.missed
    assert picture.caption == "nut of 900 pixels: 1 of 2 missed here"
    assert picture.size == (200, 200)  # 96 x 96 pixels around a 30 x 30 object, enlarged
    assert [(o.title, o.focus) for o in picture.truth] == [("date", False), ("nut", True)]


def test_the_focus_stays_where_crowds_are_left_out():
    truth = of([square(SIZE, 0, 0, 100), B, A], [0, 1, 0], crowd=[True, False, False])
    (picture,) = one(truth, of([B], [1], [0.9])).missed
    assert [(o.title, o.focus) for o in picture.truth] == [("date", False), ("nut", True)]
    assert picture.caption == "nut of 900 pixels: 1 of 2 missed here"


def test_the_threshold_hides_what_is_unsure():
    truth, found = of([A], [0]), of([A, B], [0, 1], [0.4, 0.3])
    gallery = one(truth, found)
    assert (gallery.good, gallery.bad) == ((), ())
    assert gallery.missed[0].predicted == ()
    eager = one(truth, found, score_threshold=0.25)
    assert eager.missed == ()
    assert eager.bad[0].caption.startswith("date 0.30")


def test_only_the_most_telling_are_kept_in_order():
    gallery = Gallery(CLASSES, count=3)
    sides = np.random.default_rng(0).permutation(np.arange(10, 50))
    for side in sides.tolist():
        bitmap = square(SIZE, 10, 10, side)
        truth, nothing = of([bitmap], [0]), Instances.empty(SIZE, scored=True)
        gallery.add(f"missed {side}", IMAGE, truth, nothing)
        gallery.add(f"bad {side}", IMAGE, Instances.empty(SIZE), of([bitmap], [0], [side / 50]))
        moved = np.roll(bitmap, 50 // side, 1)  # the larger, the better the overlap
        gallery.add(f"good {side}", IMAGE, truth, of([moved], [0], [0.9]))
    assert [p.name for p in gallery.missed] == ["missed 49", "missed 48", "missed 47"]
    assert [p.name for p in gallery.bad] == ["bad 49", "bad 48", "bad 47"]
    assert [p.name for p in gallery.good] == ["good 49", "good 48", "good 47"]


def test_no_pictures_wanted():
    gallery = one(of([A], [0]), of([A], [0], [0.9]), count=0)
    assert gallery.good == ()


def test_nothing_in_an_image():
    gallery = one(Instances.empty(SIZE), Instances.empty(SIZE, scored=True))
    assert gallery.good == gallery.bad == gallery.missed == ()


def test_boxes_without_masks_are_outlined():
    truth, found = of([A], [0]).replace(masks=None), of([A], [0], [0.9]).replace(masks=None)
    (picture,) = one(truth, found).good
    assert picture.truth[0].rings[0].tolist() == [[10, 10], [40, 10], [40, 40], [10, 40]]


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3)])
def test_images_of_odd_sizes(size):
    whole = np.ones(size, bool)
    truth = instances([whole], [0], size=size)
    gallery = Gallery(CLASSES, side=100)
    image = np.zeros((*size, 3), np.uint8)
    gallery.add("missed", image, truth, Instances.empty(size, scored=True))
    gallery.add("good", image, truth, truth.replace(scores=np.array([0.9])))
    assert max(gallery.missed[0].size) == 100
    assert max(gallery.good[0].size) <= 100
    assert min(gallery.good[0].size) >= 1
