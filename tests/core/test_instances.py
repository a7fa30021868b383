"""Instances: every field checked when built, everything moved together."""

import numpy as np
import pytest

from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.errors import DataError

SIZE = (10, 12)
BOXES = [[1, 2, 5, 6], [6, 0, 10, 4], [0, 8, 12, 10]]


def bitmap_of(box):
    x0, y0, x1, y1 = box
    bitmap = np.zeros(SIZE, dtype=bool)
    bitmap[y0:y1, x0:x1] = True
    return bitmap


def three(**changes):
    fields = {
        "image_size": SIZE,
        "boxes": BOXES,
        "labels": [0, 2, 1],
        "masks": Masks.from_bitmaps(map(bitmap_of, BOXES), SIZE),
        "ids": [7, 8, 9],
        "crowd": [False, False, True],
    }
    return Instances(**fields | changes)


def test_fields_get_their_types():
    found = three(scores=[0.5, 1, 0], image_size=[10, 12])
    assert len(found) == 3
    assert found.image_size == SIZE
    kinds = (found.boxes, found.labels, found.scores, found.ids, found.crowd)
    assert [a.dtype for a in kinds] == [np.float32, np.int64, np.float32, np.int64, bool]
    assert found.boxes.shape == (3, 4)


def test_only_boxes_and_labels_are_needed():
    found = Instances(image_size=SIZE, boxes=BOXES, labels=np.array([0, 1, 2], dtype=np.uint8))
    assert (found.masks, found.scores, found.ids, found.crowd) == (None,) * 4


def test_arrays_are_copies_and_read_only():
    boxes = np.array(BOXES, dtype=np.float32)
    found = three(boxes=boxes)
    boxes[0, 0] = 3
    assert found.boxes[0, 0] == 1
    for array in (found.boxes, found.labels, found.ids, found.crowd):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("image_size", (0, 5), "an image's size must be two whole numbers"),
        ("image_size", (9, 12), r"masks must be one for each of 3 boxes, in an image of size \(9,"),
        ("boxes", BOXES[:2], "labels must be one value for each of 2 boxes, and shape .3,. came"),
        ("boxes", np.zeros((3, 5)), r"boxes must be an array of shape \(n, 4\), and one of shape"),
        ("boxes", [1, 2, 5, 6], r"shape \(n, 4\), and one of shape \(4,\) came"),
        ("boxes", [[1, 2, 5], [1]], "boxes must be numbers, and rows of different lengths came"),
        ("boxes", [["1", "2", "5", "6"]] * 3, "boxes must be numbers, and values of type <U1"),
        (
            "boxes",
            [*BOXES[:2], [5, 0, 4, 1]],
            r"x1 <= x2 and y1 <= y2, and \[5.0, 0.0, 4.0, 1.0\] in row 2",
        ),
        ("boxes", [[np.nan, 0, 1, 1], *BOXES[:2]], r"finite edges .*nan, 0.0, 1.0, 1.0\] in row 0"),
        ("boxes", [[0, 0, np.inf, 1], *BOXES[:2]], "finite edges"),
        ("boxes", [[0, 0, 1e39, 1], *BOXES[:2]], "finite edges"),
        ("labels", [0, -1, 2], "labels must be whole numbers from 0 on, and -1 came"),
        (
            "labels",
            [0.0, 1.0, 2.0],
            "labels must be whole numbers from 0 on, and values of type fl",
        ),
        ("labels", [[0, 1, 2]], "labels must be one value for each of 3 boxes"),
        ("labels", [True, False, True], "labels must be whole numbers from 0 on, and values of ty"),
        ("labels", None, "labels must be whole numbers from 0 on, and values of type object"),
        ("scores", [0.5, 1.5, 0], "scores must be numbers from 0 to 1, and 1.5 came"),
        ("scores", [0.5, -0.1, 0], "scores must be numbers from 0 to 1"),
        ("scores", [0.5, np.nan, 0], "scores must be numbers from 0 to 1, and nan came"),
        ("scores", [0.5], "scores must be one value for each of 3 boxes"),
        ("ids", ["a", "b", "c"], "ids must be whole numbers"),
        ("ids", [10**30, 1, 2], "ids must be whole numbers"),
        ("crowd", [0, 1, 2], "crowd must be booleans, and 2 came"),
        ("crowd", [True], "crowd must be one value for each of 3 boxes"),
        ("masks", Masks.empty(SIZE), "masks must be one for each of 3 boxes, .* and 0 in an image"),
    ],
)
def test_wrong_fields_are_named(field, value, words):
    with pytest.raises(DataError, match=words) as error:
        three(**{field: value})
    assert len(str(error.value)) < 250


def test_empty():
    for with_masks in (True, False):
        for scored in (True, False):
            none = Instances.empty(SIZE, with_masks, scored)
            assert len(none) == 0
            assert none.boxes.shape == (0, 4)
            assert (none.masks is not None, none.scores is not None) == (with_masks, scored)
            assert len(none.warp(Geometry.flip(SIZE))) == 0
    assert len(Instances(image_size=SIZE, boxes=[], labels=[], crowd=[], scores=[], ids=[])) == 0


@pytest.mark.parametrize("index", [slice(1, None), [1, 2], np.array([False, True, True])])
def test_selecting_takes_every_field(index):
    part = three(scores=[0.1, 0.2, 0.3])[index]
    assert part.boxes.tolist() == BOXES[1:]
    assert part.labels.tolist() == [2, 1]
    assert part.ids.tolist() == [8, 9]
    assert part.crowd.tolist() == [False, True]
    assert part.masks.areas.tolist() == [16, 24]
    np.testing.assert_allclose(part.scores, [0.2, 0.3])
    with pytest.raises(TypeError, match="for one"):
        part[0]


def test_joining():
    found = three()
    joined = Instances.cat([found[:1], found[:0], found[1:]])
    assert joined.boxes.tolist() == BOXES
    assert joined.ids.tolist() == [7, 8, 9]
    assert joined.masks.areas.tolist() == [16, 16, 24]
    assert joined.scores is None


def test_joining_with_and_without_a_crowd():
    joined = Instances.cat([three(crowd=None), three()])
    assert joined.crowd.tolist() == [False] * 5 + [True]
    assert Instances.cat([three(crowd=None)] * 2).crowd is None


def test_joining_what_does_not_belong_together():
    with pytest.raises(DataError, match=r"scores must be a value in every part .* 1 of 2 came"):
        Instances.cat([three(), three(scores=[0.1, 0.2, 0.3])])
    with pytest.raises(DataError, match=r"one size, and \[\(9, 12\), \(10, 12\)\] came"):
        Instances.cat([Instances.empty(SIZE), Instances.empty((9, 12))])
    with pytest.raises(DataError, match="none came"):
        Instances.cat([])


def test_replacing_validates():
    assert three().replace(labels=[3, 3, 3]).labels.tolist() == [3, 3, 3]
    with pytest.raises(DataError, match="labels must be"):
        three().replace(labels=[3])


# -- moving --------------------------------------------------------------------------------------


def test_boxes_follow_their_masks():
    wide = three(boxes=[[0, 0, 12, 10]] * 3)  # looser than the masks
    moved = wide.warp(Geometry.flip(SIZE))
    assert moved.boxes.tolist() == [[7, 2, 11, 6], [2, 0, 6, 4], [0, 8, 12, 10]]
    assert moved.labels.tolist() == [0, 2, 1]
    assert moved.ids.tolist() == [7, 8, 9]


def test_boxes_alone_follow_their_corners_and_are_cut():
    moved = three(masks=None).warp(Geometry.crop(SIZE, (2, 1, 9, 10)))
    assert moved.image_size == (9, 7)
    assert moved.boxes.tolist() == [[0, 1, 3, 5], [4, 0, 7, 3], [0, 7, 7, 9]]
    assert moved.masks is None


@pytest.mark.parametrize("with_masks", [True, False])
@pytest.mark.parametrize(
    ("min_visible", "kept"), [(0.0, [7, 8, 9]), (0.25, [7, 8, 9]), (0.3, [8, 9]), (1.0, [8, 9])]
)
def test_what_is_hardly_visible_is_left_out_but_for_crowds(with_masks, min_visible, kept):
    found = three() if with_masks else three(masks=None)
    crop = Geometry.crop(SIZE, (4, 0, 12, 9))  # leaves 4 of 16, 16 of 16 and 8 of 24 pixels
    for geometry in (crop, crop.then(Geometry.resize((9, 8), (27, 24)))):
        assert found.warp(geometry, min_visible).ids.tolist() == kept


def test_what_nothing_cuts_stays_whatever_resampling_makes_of_its_area():
    bitmaps = [np.indices((40, 40)).sum(0) % 40 == 0, np.zeros((40, 40), bool)]
    bitmaps[1][33:40, 33:40] = True  # as far as the corner
    masks = Masks.from_bitmaps(bitmaps, (40, 40))
    thin = Instances(
        image_size=(40, 40), boxes=[[0, 0, 40, 40], [33, 33, 40, 40]], labels=[0, 1], masks=masks
    )
    smaller = Geometry.resize((40, 40), (31, 31))
    areas = masks.warp(smaller).areas / (masks.areas * smaller.scale**2)
    assert np.all((areas > 0) & (areas < 0.99))
    assert thin.warp(smaller, 1.0).labels.tolist() == [0, 1]
    assert thin.warp(smaller.then(Geometry.crop((31, 31), (0, 0, 30, 31))), 1.0).labels.size == 0


@pytest.mark.parametrize("with_masks", [True, False])
def test_what_is_outside_is_left_out_even_crowds(with_masks):
    found = three() if with_masks else three(masks=None)
    assert found.warp(Geometry.crop(SIZE, (5, 0, 12, 8))).ids.tolist() == [8]
    assert found.warp(Geometry.crop(SIZE, (6, 5, 12, 7))).ids.tolist() == []


def test_without_a_crowd_nothing_is_spared():
    found = three(crowd=None)
    assert found.warp(Geometry.crop(SIZE, (4, 0, 12, 9)), 0.4).ids.tolist() == [8]


def test_objects_without_area_are_left_out():
    point = Instances(image_size=SIZE, boxes=[[3, 3, 3, 3]], labels=[0])
    assert len(point.warp(Geometry.identity(SIZE))) == 0


def test_a_geometry_for_another_size_is_refused():
    with pytest.raises(DataError, match=r"size \(10, 12\) came with a geometry .* \(12, 10\)"):
        three().warp(Geometry.flip((12, 10)))


# -- behind ----------------------------------------------------------------------------------------


def test_what_is_covered_leaves_masks_and_boxes():
    found = three(scores=[0.5, 0.25, 1]).behind(bitmap_of([3, 0, 8, 9]))
    assert found.boxes.tolist() == [[1, 2, 3, 6], [8, 0, 10, 4], [0, 8, 12, 10]]
    assert found.masks.areas.tolist() == [8, 8, 19]
    assert found.labels.tolist() == [0, 2, 1]
    assert found.ids.tolist() == [7, 8, 9]
    assert found.scores.tolist() == [0.5, 0.25, 1]


@pytest.mark.parametrize(
    ("min_visible", "kept"), [(0, [7, 8, 9]), (0.5, [7, 8, 9]), (0.51, [8, 9])]
)
def test_what_is_hardly_seen_behind_something_is_left_out_but_for_crowds(min_visible, kept):
    region = bitmap_of([3, 2, 5, 6]) | bitmap_of([0, 8, 11, 10])  # 1/2 and 11/12 of them
    assert three().behind(region, min_visible).ids.tolist() == kept


@pytest.mark.parametrize("min_visible", [0, 0.5])
def test_what_is_wholly_hidden_is_left_out_even_crowds(min_visible):
    region = bitmap_of(BOXES[0]) | bitmap_of(BOXES[2])
    assert three().behind(region, min_visible).ids.tolist() == [8]


def test_behind_nothing_all_stay_but_the_invisible():
    bitmaps = [bitmap_of(BOXES[0]), np.zeros(SIZE, bool), bitmap_of(BOXES[2])]
    found = three(masks=Masks.from_bitmaps(bitmaps, SIZE)).behind(np.zeros(SIZE, bool))
    assert found.ids.tolist() == [7, 9]


def test_boxes_alone_cannot_be_behind_anything():
    with pytest.raises(DataError, match=r"Instances\.masks must be known"):
        three(masks=None).behind(np.zeros(SIZE, bool))
