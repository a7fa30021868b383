"""Fusion against what detectron2 and DETR recorded, and its rules one by one."""

import tracemalloc

import numpy as np
import pytest
from goldens import Golden

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.panoptic import Panoptic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.core.panoptic_fusion import fuse, fuse_queries, things_only
from delineate.errors import DataError
from panoptic_cases import CLASSES


def numbered(things: int, stuff: int) -> PanopticClasses:
    """Classes whose source ids are their joint labels."""
    first, second = range(things), range(things, things + stuff)
    return PanopticClasses(
        ClassMap(tuple(f"thing {i}" for i in first), tuple(first)),
        ClassMap(tuple(f"stuff {i}" for i in second), tuple(second)),
    )


def found(bitmaps, labels, scores, size=None):
    masks = Masks.from_bitmaps(bitmaps, size or bitmaps[0].shape)
    return Instances(
        image_size=masks.size,
        boxes=masks.boxes(),
        labels=np.array(labels, np.int64),
        masks=masks,
        scores=None if scores is None else np.array(scores, np.float32),
    )


def strip(columns, size=(4, 10)):
    bitmap = np.zeros(size, bool)
    bitmap[:, columns] = True
    return bitmap


def told(value: Panoptic):
    """Id, label, and score of a thing or area of stuff: what detectron2 tells of segments."""
    return [
        (s.id, s.label, s.score if value.classes.is_thing(s.label) else s.area)
        for s in value.segments
    ]


def recorded(records, things):
    return [
        (r["id"], r["category_id"], r["score"])
        if r["isthing"]
        else (r["id"], things + r["category_id"] - 1, r["area"])
        for r in records
    ]


# -- Panoptic FPN --------------------------------------------------------------------------------


def test_equals_detectron2_on_small_masks(goldens):
    golden = Golden(goldens / "units.npz")
    scores, labels = golden["d2.combine.scores"], golden["d2.combine.classes"]
    instances = found(golden.mask("d2.pasted"), labels, scores)
    value = fuse(instances, golden["d2.combine.sem"], numbered(80, 53))
    np.testing.assert_array_equal(value.ids, golden["d2.combine.id_map"])
    assert told(value) == recorded(golden.json("d2.combine.segments_info"), 80)


@pytest.mark.parametrize("image", [0, 1])
def test_equals_detectron2_on_its_own_output(goldens, image):
    golden = Golden(goldens / "d2_panoptic_fpn_R_50.npz")
    scores, labels = golden[f"final{image}.scores"], golden[f"final{image}.pred_classes"]
    instances = found(golden.mask(f"final{image}.pred_masks"), labels, scores)
    value = fuse(instances, golden[f"sem{image}.argmax"], numbered(80, 53))
    np.testing.assert_array_equal(value.ids, golden[f"panoptic{image}.id_map"])
    assert told(value) == recorded(golden.json(f"panoptic{image}.segments_info"), 80)


def test_the_surest_comes_first_and_keeps_all():
    instances = found([strip(slice(0, 6)), strip(slice(4, 10))], [0, 1], [0.6, 0.9])
    value = things_only(instances, CLASSES)
    assert [(s.label, s.area) for s in value.segments] == [(1, 24), (0, 16)]
    assert value.segments[0].score == pytest.approx(0.9)
    assert value.ids[0].tolist() == [2, 2, 2, 2, 1, 1, 1, 1, 1, 1]


def test_equal_scores_keep_their_order():
    instances = found([strip(slice(0, 6)), strip(slice(4, 10))], [0, 1], [0.7, 0.7])
    assert [s.label for s in things_only(instances, CLASSES).segments] == [0, 1]


@pytest.mark.parametrize(("overlap", "count"), [(0.49, 1), (0.5, 2)])
def test_a_share_just_at_the_limit_stays(overlap, count):
    instances = found([strip(slice(0, 4)), strip(slice(2, 6))], [0, 0], [0.9, 0.8])
    assert len(things_only(instances, CLASSES, overlap=overlap).segments) == count


def test_scores_below_the_threshold_and_empty_masks_stay_out():
    nothing = strip(slice(0, 0))
    columns = [strip(slice(0, 2)), nothing, strip(slice(4, 6)), strip(slice(6, 8))]
    instances = found(columns, [0, 0, 1, 1], [0.5, 0.9, 0.49, 0.6])
    value = things_only(instances, CLASSES, score_threshold=0.5)
    assert [(s.id, s.label) for s in value.segments] == [(1, 1), (2, 0)]
    whole = found([strip(slice(0, 4)), strip(slice(0, 4))], [0, 0], [0.9, 0.8])
    assert len(things_only(whole, CLASSES, overlap=1.0).segments) == 1


def test_a_threshold_between_two_float32_is_not_rounded():
    instances = found([strip([0])], [0], [0.7])  # 0.699999988 as float32
    assert things_only(instances, CLASSES, score_threshold=0.7).segments == ()


def test_stuff_fills_what_is_free_if_it_is_enough():
    semantic = np.zeros((4, 10), np.uint8)
    semantic[:, :4], semantic[:, 4:7], semantic[:, 7:9] = 3, 1, 2
    instances = found([strip(slice(2, 5))], [1], [0.9])
    value = fuse(instances, semantic, CLASSES, stuff_area=8)
    assert [(s.label, s.area, s.score is None) for s in value.segments[1:]] == [
        (2, 8, True),
        (3, 8, True),
        (4, 8, True),
    ]
    assert value.ids[0].tolist() == [4, 4, 1, 1, 1, 2, 2, 3, 3, 0]
    assert len(fuse(instances, semantic, CLASSES, stuff_area=9).segments) == 1
    assert len(fuse(instances, semantic.astype(np.int8) - 1, CLASSES, stuff_area=1).segments) == 3


def test_nothing_found_leaves_stuff_alone_or_void():
    none = Instances.empty((4, 10), scored=True)
    assert things_only(none, CLASSES).segments == ()
    value = fuse(none, np.full((4, 10), 2), CLASSES, stuff_area=1)
    assert [(s.label, s.area) for s in value.segments] == [(3, 40)]


@pytest.mark.parametrize(
    ("instances", "semantic", "message"),
    [
        (found([strip([0])], [0], None), np.zeros((4, 10), int), "have no scores"),
        (found([strip([0])], [2], [0.9]), np.zeros((4, 10), int), "labels of the 2 things"),
        (found([strip([0])], [0], [0.9]), np.zeros((4, 9), int), "a map of whole numbers"),
        (found([strip([0])], [0], [0.9]), np.zeros((4, 10)), "a map of whole numbers"),
        (found([strip([0])], [0], [0.9]), np.full((4, 10), 4), "0 for things or 1 to 3"),
        (
            Instances.empty((4, 10), with_masks=False, scored=True),
            np.zeros((4, 10), int),
            "have no masks",
        ),
    ],
)
def test_what_cannot_be_fused_is_refused(instances, semantic, message):
    with pytest.raises(DataError, match=message):
        fuse(instances, semantic, CLASSES)


# -- DETR ----------------------------------------------------------------------------------------


def best(logits):
    """Score and label of each query by softmax; the last class is no object."""
    levels = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = levels / levels.sum(axis=1, keepdims=True)
    labels = chances.argmax(axis=1)
    return chances.max(axis=1), np.where(labels == logits.shape[1] - 1, -1, labels)


@pytest.mark.parametrize("image", [0, 1])
@pytest.mark.parametrize("threshold", ["0.85", "0.3"])
@pytest.mark.parametrize("which", ["proc", "orig"])
def test_equals_detr(goldens, image, threshold, which):
    golden = Golden(goldens / "units.npz")
    scores, labels = best(golden["detr.pred_logits"][image])
    value = fuse_queries(
        scores,
        labels,
        golden["detr.pred_masks"][image],
        numbered(10, 10),
        size=tuple(golden["detr.processed_hw"][image].tolist()),
        target=tuple(golden["detr.target_hw"][image].tolist()) if which == "orig" else None,
        score_threshold=float(threshold),
    )
    key = f"detr.pan{image}.thr{threshold}.{which}"
    records = golden.json(f"{key}.segments_info")
    # Theirs are numbered from 0 on and know no void.
    expected = [(r["id"] + 1, r["category_id"], r["area"], r["isthing"]) for r in records]
    thing = value.classes.is_thing
    assert [(s.id, s.label, s.area, thing(s.label)) for s in value.segments] == expected
    np.testing.assert_array_equal(value.ids, golden[f"{key}.id_map"] + bool(records))


def hills(*columns, size=(6, 12)):
    """Mask logits of queries, each the highest in its columns."""
    maps = np.full((len(columns), *size), -5, np.float32)
    for level, chosen in zip(maps, columns, strict=True):
        level[:, chosen] = 5
    return maps


def queries(maps, labels, **options):
    scores = np.full(len(labels), 0.99)
    options = {"size": maps.shape[1:], **options}
    return fuse_queries(scores, np.array(labels), maps, CLASSES, **options)


def test_things_stay_apart_and_labels_below_0_are_no_objects():
    maps = hills(slice(0, 4), slice(4, 8), slice(8, 12), slice(0, 12))
    value = queries(maps, [0, 0, 3, -1])
    assert [(s.label, s.area) for s in value.segments] == [(0, 24), (0, 24), (3, 24)]


def test_stuff_of_one_class_is_merged_and_then_lost_to_the_next_best():
    """The original's way: once anything is dropped, duplicates are not merged again."""
    maps = hills(slice(0, 4), slice(4, 8), slice(8, 12))
    maps[2, :, 4:8] = 1  # second best where the duplicate was
    value = queries(maps, [2, 2, 0])
    assert [(s.label, s.area) for s in value.segments] == [(2, 24), (0, 48)]


@pytest.mark.parametrize(("least", "count"), [(5, 2), (6, 1)])
def test_small_segments_are_given_to_the_next_best(least, count):
    value = queries(hills(slice(0, 11), slice(11, 12)), [0, 1], least_area=least)
    assert len(value.segments) == count
    assert sum(s.area for s in value.segments) == 72


def test_the_first_of_equal_queries_wins():
    value = queries(hills(slice(0, 12), slice(0, 12)), [1, 0])
    assert [(s.label, s.area) for s in value.segments] == [(1, 72)]


def test_the_answer_has_the_target_size_by_nearest_neighbours():
    maps = hills(slice(0, 5), slice(10, 12), slice(5, 10))
    value = queries(maps, [0, 1, 2], target=(3, 6), least_area=1)
    assert value.ids.tolist() == [[1, 1, 3, 3, 3, 2]] * 3  # column 2 is column 5 of 12
    assert [s.area for s in value.segments] == [6, 3, 9]
    assert queries(hills(slice(0, 5), slice(5, 12)), [0, 1], target=(12, 24)).ids.shape == (12, 24)


def test_the_threshold_must_be_exceeded():
    maps = hills(slice(0, 6), slice(6, 12))
    value = fuse_queries([0.5, 0.25], [0, 1], maps, CLASSES, size=(6, 12), score_threshold=0.25)
    assert [s.label for s in value.segments] == [0]


def test_nothing_kept_is_void():
    maps = hills(slice(0, 12))
    assert queries(maps, [-1], target=(3, 4)).ids.tolist() == [[0] * 4] * 3
    assert queries(maps[:0], []).segments == ()
    assert queries(maps, [0], least_area=72).segments == ()


def test_memory_does_not_grow_with_queries():
    maps = np.random.default_rng(0).standard_normal((60, 8, 8)).astype(np.float32)
    tracemalloc.start()
    queries(maps, [0] * 60, size=(400, 500))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * 400 * 500 * 4 / 5


@pytest.mark.parametrize(
    ("maps", "labels", "message"),
    [
        (hills(slice(0, 1)), [0, 1], "one of each a query"),
        (hills(slice(0, 1))[0], [0], "one of each a query"),
        (hills(slice(0, 1)), [5], "below the 5 of the class table"),
        (hills(slice(0, 1)) * np.nan, [0], "must be finite"),
    ],
)
def test_queries_that_do_not_fit_are_refused(maps, labels, message):
    with pytest.raises(DataError, match=message):
        queries(maps, labels, size=(6, 12))
