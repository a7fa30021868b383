"""Classes of splits that are opened together, where no list says which there are."""

import json

import numpy as np
import pytest

from delineate.core.image import write_image
from delineate.data.formats import open_dataset, open_splits
from delineate.data.labelme import LABELS_FILE
from delineate.data.one_table import in_one_table
from delineate.errors import DataError
from delineate.jobs.check import check_before_training
from delineate.quality.checks import examine

TRIANGLE = [[2, 2], [18, 3], [9, 16]]


def labelme(folder, *objects):
    """Write a picture for each of `objects`, lists of classes."""
    folder.mkdir(parents=True)
    for number, classes in enumerate(objects):
        noise = np.random.default_rng([number, *map(ord, folder.name)])
        write_image(folder / f"{number}.png", noise.integers(0, 255, (20, 24, 3), dtype=np.uint8))
        shapes = [
            {"label": name, "points": TRIANGLE, "shape_type": "polygon", "group_id": None}
            for name in classes
        ]
        told = {"imagePath": f"{number}.png", "imageData": None, "shapes": shapes}
        (folder / f"{number}.json").write_text(json.dumps(told))


def png_instances(folder, **classes):
    """Write one picture a class, in which an object of it is; "" stands for no object."""
    for name, kind in classes.items():
        (folder / name / "images").mkdir(parents=True)
        write_image(folder / name / "images" / f"{name}.png", np.zeros((20, 24, 3), np.uint8))
        (folder / name / "masks" / kind).mkdir(parents=True)
        if kind:
            mask = np.zeros((20, 24), np.uint8)
            mask[4:9, 5:15] = 255
            write_image(folder / name / "masks" / kind / "0.png", mask)


def found(dataset):
    return [
        [dataset.classes.names[label] for label in dataset.instances(i).labels.tolist()]
        for i in range(len(dataset))
    ]


@pytest.mark.parametrize("other", [["cat"], ["cat", "dog"], ["ant", "dog"]])
def test_splits_have_the_classes_of_all_objects(tmp_path, other):
    labelme(tmp_path / "train", ["dog", "cat"], ["cat"])
    labelme(tmp_path / "val", other)
    splits = open_splits(tmp_path)
    names = tuple(sorted({"cat", "dog", *other}))
    assert {dataset.classes.names for dataset in splits.values()} == {names}
    assert found(splits["train"]) == [["dog", "cat"], ["cat"]]
    assert found(splits["val"]) == [other]
    stated = splits["val"].stated(0)
    assert [names[label] for label in stated.labels.tolist()] == other
    assert [outline[0].tolist() for outline in stated.outlines] == [TRIANGLE] * len(other)
    sample = splits["val"][0]
    assert [names[label] for label in sample.instances.labels.tolist()] == other


def test_a_split_without_objects_has_the_classes_of_the_others(tmp_path):
    labelme(tmp_path / "train", ["dog", "cat"])
    labelme(tmp_path / "val", [])
    splits = open_splits(tmp_path)
    assert {dataset.classes.names for dataset in splits.values()} == {("cat", "dog")}
    assert found(splits["val"]) == [[]]


def test_no_split_with_objects_is_refused(tmp_path):
    labelme(tmp_path / "train", [])
    labelme(tmp_path / "val", [])
    with pytest.raises(DataError, match="expected objects of at least one class, got none"):
        open_splits(tmp_path)


def test_a_training_is_not_stopped_by_a_class_that_one_split_lacks(tmp_path):
    labelme(tmp_path / "train", *[["dog", "cat"]] * 30)
    labelme(tmp_path / "val", ["dog", "dog", "cat", "ant"])
    splits = open_splits(tmp_path)
    told: list[str] = []
    check_before_training(tmp_path, splits, told.append)
    kinds = {finding.kind for finding in examine(splits, quick=True)}
    assert "class_names_differ" not in kinds
    assert "class_missing_in_train" in kinds


def test_only_what_is_opened_is_joined(tmp_path):
    labelme(tmp_path / "train", ["cat"])
    labelme(tmp_path / "val", ["dog"])
    assert open_splits(tmp_path, only=["val"])["val"].classes.names == ("dog",)
    assert open_dataset(tmp_path / "val").classes.names == ("dog",)


def test_lists_that_disagree_are_left_and_told(tmp_path):
    for split, names in (("train", ["cat"]), ("val", ["dog"])):
        labelme(tmp_path / split, names)
        (tmp_path / split / LABELS_FILE).write_text("\n".join(names))
    splits = open_splits(tmp_path)
    assert [dataset.classes.names for dataset in splits.values()] == [("cat",), ("dog",)]
    assert "class_names_differ" in {finding.kind for finding in examine(splits, quick=True)}
    joined = in_one_table(splits)
    assert {dataset.classes.names for dataset in joined.values()} == {("cat", "dog")}


def test_a_split_without_objects_brings_no_class(tmp_path):
    png_instances(tmp_path / "train", a="wolf", b="bear")
    png_instances(tmp_path / "val", c="")
    splits = open_splits(tmp_path)
    assert {dataset.classes.names for dataset in splits.values()} == {("bear", "wolf")}
    assert found(splits["train"]) == [["wolf"], ["bear"]]
    assert found(splits["val"]) == [[]]
    assert len(splits["val"][0].instances) == 0


def test_splits_without_objects_have_the_one_class_of_their_format(tmp_path):
    png_instances(tmp_path / "train", a="")
    png_instances(tmp_path / "val", b="")
    splits = open_splits(tmp_path)
    assert {dataset.classes.names for dataset in splits.values()} == {("object",)}


def test_a_class_that_is_called_object_is_kept(tmp_path):
    png_instances(tmp_path / "train", a="wolf")
    png_instances(tmp_path / "val", b="object")
    splits = open_splits(tmp_path)
    assert {dataset.classes.names for dataset in splits.values()} == {("object", "wolf")}
