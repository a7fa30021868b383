"""Samples, and data sets made of others."""

import numpy as np
import pytest

from builders import tiny_coco, tiny_scenes
from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.data.coco import read_coco
from delineate.data.derived import Concat, Relabelled, Subset
from delineate.data.sample import Problem, Sample
from delineate.errors import ClassMismatch, DataError


@pytest.fixture
def dataset(tmp_path):
    return read_coco(tiny_coco(tmp_path / "one", images=4, crowd=True))


@pytest.fixture
def other(tmp_path):
    """Another source: its first class is our second, and its image ids are ours."""
    return read_coco(tiny_coco(tmp_path / "two", images=2, classes=("box",), name="more", seed=1))


def test_sample_refuses_pixels_of_another_picture():
    with pytest.raises(DataError, match=r"image 7 'a\.png': its instances .* 4 x 3 .*\(3, 5, 3\)"):
        Sample(
            image=np.zeros((3, 5, 3), np.uint8),
            instances=Instances.empty((3, 4)),
            image_id=7,
            name="a.png",
        )


def test_problem_is_a_sentence():
    problem = Problem(where="image 1 'a.png'", why="no id", fix="number it", action="left out")
    assert str(problem) == "image 1 'a.png': no id: number it (left out)"


def test_subset_takes_what_it_is_told_in_that_order(dataset):
    subset = Subset(dataset, [2, 0, 2])
    assert len(subset) == 3
    assert [record.image_id for record in subset.records] == [30, 10, 30]
    assert [sample.image_id for sample in subset] == [30, 10, 30]
    assert subset.instances(1).ids.tolist() == dataset.instances(0).ids.tolist()
    assert subset.areas(1).tolist() == dataset.areas(0).tolist()
    assert subset.stated_boxes(1).tolist() == dataset.stated_boxes(0).tolist()
    assert subset.name == dataset.name


def test_subset_of_nothing(dataset):
    assert len(Subset(dataset, [])) == 0


@pytest.mark.parametrize("outside", [-1, 4])
def test_subset_refuses_an_index_outside(dataset, outside):
    with pytest.raises(IndexError, match=f"index {outside} .* 4 images"):
        Subset(dataset, [0, outside])


def test_relabelled_goes_by_name(dataset):
    mine = ClassMap.from_names(["box", "cross", "disc"])
    relabelled = Relabelled(dataset, mine)
    assert dataset.instances(0).labels.tolist() == [0, 1, 0, 0]
    assert relabelled.instances(0).labels.tolist() == [2, 0, 2, 2]
    assert relabelled[0].instances.labels.tolist() == [2, 0, 2, 2]
    assert relabelled[0].instances.ids.tolist() == dataset.instances(0).ids.tolist()
    assert relabelled.classes is mine
    assert relabelled.areas(0).tolist() == dataset.areas(0).tolist()
    assert relabelled.stated_boxes(0).tolist() == dataset.stated_boxes(0).tolist()


def test_relabelled_refuses_a_class_that_is_missing(dataset):
    with pytest.raises(ClassMismatch, match="disc"):
        Relabelled(dataset, ClassMap.from_names(["box"]))


def test_concat_numbers_images_anew_and_drops_annotation_ids(dataset, other):
    both = Concat([dataset, other])
    assert len(both) == 6
    assert [record.image_id for record in both.records] == [1, 2, 3, 4, 5, 6]
    assert [sample.image_id for sample in both] == [1, 2, 3, 4, 5, 6]
    assert [sample.name for sample in both][3:5] == ["train_03.png", "more_00.png"]
    assert both[4].instances.ids is None
    assert both.instances(0).ids is None
    assert both.instances(0).crowd.tolist() == [False, False, False, True]
    assert both.name == f"{dataset.name}+{other.name}"


def test_concat_matches_classes_by_name(dataset, other):
    both = Concat([dataset, other])
    assert other.instances(0).labels.tolist() == [0, 0, 0]
    assert both.instances(4).labels.tolist() == [1, 1, 1]
    assert both.classes == dataset.classes
    np.testing.assert_array_equal(both[5].image, tiny_scenes(2, ("box",), seed=1)[1].image)
    assert both.areas(4).tolist() == other.areas(0).tolist()
    assert both.stated_boxes(4).tolist() == other.stated_boxes(0).tolist()


def test_concat_refuses_a_class_the_first_lacks(dataset, other):
    with pytest.raises(ClassMismatch, match="disc"):
        Concat([other, dataset])


def test_concat_of_nothing():
    with pytest.raises(DataError, match="at least one data set"):
        Concat([])


def test_concat_keeps_problems(tmp_path):
    path = tiny_coco(tmp_path)
    (tmp_path / "images" / "train_01.png").unlink()
    broken = read_coco(path, on_error="skip")
    assert Concat([broken, broken]).problems == (*broken.problems, *broken.problems)
    assert Subset(broken, [0]).problems == broken.problems
