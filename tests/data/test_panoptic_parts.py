"""Parts of panoptic data sets keep their stuff, and the stuff of another table its names."""

import numpy as np
import pytest

from delineate.core.classes import ClassMap
from delineate.core.panoptic import VOID_STUFF, to_stuff_truth
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.coco_panoptic import read_coco_panoptic
from delineate.data.derived import Subset
from delineate.data.panoptic_parts import PanopticRelabelled, _byte_table, as_panoptic, subset
from delineate.data.sample import PanopticDataset
from delineate.data.split import split
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import ClassMismatch, DataError
from panoptic_cases import CLASSES, panoptic, tiny_coco_panoptic


@pytest.fixture(scope="module")
def scenes() -> PanopticScenes:
    return PanopticScenes(8, size=(48, 64), seed=5)


def reversed_table(classes: ClassMap) -> ClassMap:
    return ClassMap(classes.names[::-1], classes.source_ids[::-1])


def test_samples_of_both_kinds_of_data_have_their_stuff(scenes, tmp_path):
    read = read_coco_panoptic(tiny_coco_panoptic(tmp_path))
    for dataset in (scenes, read):
        for i in range(len(dataset)):
            np.testing.assert_array_equal(dataset[i].stuff, to_stuff_truth(dataset.panoptic(i)))
    assert any((read[i].stuff == VOID_STUFF).any() for i in range(len(read)))


def test_a_part_is_panoptic_where_the_whole_is(scenes):
    part = subset(scenes, [6, 2, 2])
    assert isinstance(part, PanopticDataset)
    assert part.panoptic_classes == scenes.panoptic_classes
    np.testing.assert_array_equal(part.panoptic(0).ids, scenes.panoptic(6).ids)
    np.testing.assert_array_equal(part.segment_areas(2), scenes.segment_areas(2))
    assert type(subset(SyntheticScenes(2), [1])) is Subset
    parts = split(scenes, {"train": 0.5, "val": 0.5}, seed=0)
    assert all(isinstance(half, PanopticDataset) for half in parts.values())


def test_labels_follow_the_names(scenes):
    old = scenes.panoptic_classes
    more = ClassMap(("lava", *old.stuff.names[::-1]), (900, *old.stuff.source_ids[::-1]))
    classes = PanopticClasses(reversed_table(old.things), more)
    dataset = PanopticRelabelled(scenes, classes)
    for i in range(len(scenes)):
        sample, before = dataset[i], scenes[i]
        np.testing.assert_array_equal(sample.stuff, to_stuff_truth(dataset.panoptic(i)))
        for k, name in enumerate(old.stuff.names):
            now = sample.stuff == 1 + classes.stuff.names.index(name)
            np.testing.assert_array_equal(now, before.stuff == 1 + k)
        names = [classes.things.names[label] for label in sample.instances.labels]
        assert names == [old.things.names[label] for label in before.instances.labels]
        assert dataset.segment_areas(i).tolist() == scenes.segment_areas(i).tolist()


def test_a_class_of_stuff_that_is_not_known_is_refused(scenes):
    old = scenes.panoptic_classes
    fewer = ClassMap(old.stuff.names[1:], old.stuff.source_ids[1:])
    with pytest.raises(ClassMismatch, match=old.stuff.names[0]):
        PanopticRelabelled(scenes, PanopticClasses(old.things, fewer))


def test_objects_alone_are_no_panoptic_data(scenes):
    assert as_panoptic(scenes) is scenes
    with pytest.raises(DataError, match="segments_info"):
        as_panoptic(SyntheticScenes(2))


@pytest.mark.parametrize(("count", "bytes_are_enough"), [(254, True), (255, False), (300, False)])
def test_more_stuff_than_bytes_is_read_and_evaluated_but_not_learnt(count, bytes_are_enough):
    stuff = ClassMap(tuple(f"s{k}" for k in range(count)), tuple(range(10, 10 + count)))
    classes = PanopticClasses(CLASSES.things, stuff)
    value = panoptic([[0, 1, 2]], {1: 0, 2: count + 1}, classes=classes)
    stuff_bytes = to_stuff_truth(value)
    assert (stuff_bytes is not None) is bytes_are_enough
    if bytes_are_enough:
        assert stuff_bytes.tolist() == [[VOID_STUFF, 0, 254]]
    table = _byte_table(classes, classes)
    assert (table is not None) is bytes_are_enough
    if table is not None:
        np.testing.assert_array_equal(table, np.arange(256))
