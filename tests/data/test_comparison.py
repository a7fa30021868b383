"""What two readings of the same pictures disagree about."""

import numpy as np
import pytest

from builders import edited, segmentation, tiny_coco
from delineate.data.coco import read_coco
from delineate.data.comparison import differences
from delineate.data.conversion import convert
from delineate.data.derived import Subset
from delineate.data.naming import Renamed, flat, uniquely_named
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import ConfigError, DataError, OutputError
from delineate.jobs.convert_data import summary


@pytest.fixture
def before(tmp_path):
    return read_coco(tiny_coco(tmp_path / "a", 2, objects=3, crowd=True))


def changed(tmp_path, change):
    path = tiny_coco(tmp_path / "b", 2, objects=3, crowd=True)
    with edited(path) as content:
        change(content["annotations"], content)
    return read_coco(path)


def found(before, after):
    names = [record.name for record in before.records]
    return [(d.kind, d.image, d.number) for d in differences(before, after, names)]


def test_equal_sets(before, tmp_path):
    assert found(before, changed(tmp_path, lambda _, __: None)) == []


def test_the_order_of_objects_and_of_classes_is_no_difference(before, tmp_path):
    def turn(annotations, content):
        annotations.reverse()
        content["categories"][0]["id"] = 9
        for annotation in annotations:
            annotation["category_id"] = 9 if annotation["category_id"] == 3 else 7

    assert found(before, changed(tmp_path, turn)) == []


def test_what_is_lost_or_added(before, tmp_path):
    after = changed(tmp_path, lambda annotations, _: annotations.pop(1))
    assert found(before, after) == [("missing", "train_00.png", 2)]
    assert found(after, before) == [("extra", "train_00.png", 2)]


def test_another_class_and_another_crowd(before, tmp_path):
    def change(annotations, _):
        annotations[0]["category_id"] = 7
        annotations[1]["iscrowd"] = 1

    assert found(before, changed(tmp_path, change)) == [
        ("class", "train_00.png", 1),
        ("crowd", "train_00.png", 2),
    ]


def test_another_outline_with_its_iou(before, tmp_path):
    was = before.instances(0).masks.bitmap(0)
    ys, xs = np.nonzero(was)
    smaller = was.copy()
    smaller[ys[0], xs[0]] = False

    def change(annotations, _):
        annotations[0]["segmentation"] = segmentation(smaller, "string")

    after = changed(tmp_path, change)
    (difference,) = differences(before, after, [r.name for r in before.records])
    assert (difference.kind, difference.area) == ("mask", was.sum())
    assert difference.iou == pytest.approx(smaller.sum() / was.sum())
    assert f"IoU {difference.iou:.4f}" in str(difference)


def test_a_lost_picture_takes_its_objects(before):
    assert found(before, Subset(before, [0])) == [
        ("image", "train_01.png", 0),
        ("missing", "train_01.png", 1),
        ("missing", "train_01.png", 2),
        ("missing", "train_01.png", 3),
    ]


def test_names_without_folder_and_suffix():
    assert flat("a/b c.tar.jpg") == "a_b c.tar"


def test_pictures_of_several_splits_get_names_of_their_own(before):
    same = uniquely_named({"train": before, "val": before})
    assert same["train"] is before
    names = [record.name for record in same["val"].records]
    assert names == ["val_train_00.png", "val_train_01.png"]
    assert same["val"][1].name == "val_train_01.png"
    clash = Renamed(before, ["x.png", "X.jpg"])
    names = [r.name for r in uniquely_named({"val": clash, "test": clash})["test"].records]
    assert names == ["test_x.png", "test_X_2.jpg"]


def test_conversion_appears_whole_and_says_what_came_out(before, tmp_path):
    out = tmp_path / "new" / "out"
    result = convert({"train": before, "val": before}, "coco", out)
    assert result.exact
    assert result.images == {"train": 2, "val": 2}
    assert result.objects == {"train": 7, "val": 7}
    assert sorted(p.name for p in out.iterdir()) == ["images", "train.json", "val.json"]
    assert [p.name for p in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("place", ["file", "full"])
def test_nothing_is_overwritten(before, tmp_path, place):
    out = tmp_path / "out"
    if place == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine").touch()
    with pytest.raises(OutputError, match="new or empty"):
        convert({"train": before}, "coco", out)
    assert out.read_text() == "mine" if place == "file" else (out / "mine").exists()


def test_formats_that_cannot_be_written(before, tmp_path):
    with pytest.raises(ConfigError, match="called 'coc': did you mean 'coco'"):
        convert({"train": before}, "coc", tmp_path / "out")


def test_a_failure_leaves_nothing(before, tmp_path):
    before.records[1].path.unlink()
    with pytest.raises(DataError, match=r"train_01\.png: expected a picture, but it cannot"):
        convert({"train": before}, "coco", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_box_is_no_mask(before, tmp_path):
    class Boxes(Renamed):
        def instances(self, index):
            return super().instances(index).replace(masks=None)

    boxes = Boxes(before, [r.name for r in before.records])
    with pytest.raises(DataError, match="has boxes only"):
        convert({"train": boxes}, "coco", tmp_path / "out")


def test_stuff_that_a_format_has_not_is_lost(tmp_path):
    scenes = PanopticScenes(3, size=(40, 40), seed=1)
    expected = [
        (record.name, scenes.panoptic_classes.joint.names[segment.label], segment.area)
        for i, record in enumerate(scenes.records)
        for segment in scenes.panoptic(i).stuff
    ]
    assert expected
    result = convert({"train": scenes}, "coco", tmp_path / "coco")
    assert not result.exact
    stuff = [d for d in result.losses["train"] if d.kind == "stuff"]
    assert [(d.image, d.class_name, d.area) for d in stuff] == expected
    assert set(scenes.panoptic_classes.stuff.names) <= set(result.lost_classes)
    text = summary(result, tmp_path / "coco")
    assert f"{len(expected)} regions of stuff lost" in text
    assert "come back exactly" not in text
    with pytest.raises(DataError, match=r"without loss, .* stuff \(.*: lost\): choose"):
        convert({"train": scenes}, "coco", tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()
    result = convert({"train": scenes}, "coco_panoptic", tmp_path / "panoptic", strict=True)
    assert result.exact
    assert not result.lost_classes


def test_stuff_of_another_class_or_outline(tmp_path):
    before, other = (PanopticScenes(1, size=(40, 40), seed=seed) for seed in (1, 2))
    again = list(differences(before, before, [before.records[0].name]))
    changed = list(differences(before, other, [other.records[0].name]))
    assert again == []
    assert any(d.kind == "stuff" and d.iou < 1 for d in changed)


@pytest.mark.parametrize("name", ["coco", "yolo", "lvis", "cityscapes", "png_instances"])
def test_pictures_that_have_another_name_are_told(before, tmp_path, name):
    """A folder, or an ending that is the format's, is no other name."""
    assert not any(convert({"train": before}, name, tmp_path / "plain").renamed.values())
    result = convert({"train": before, "val": before}, name, tmp_path / "twice")
    first = before.records[0].name
    assert result.renamed["train"] == {}
    assert set(result.renamed["val"]) == {record.name for record in before.records}
    assert f"val_{first}".removesuffix(".png") in result.renamed["val"][first]
    told = summary(result, tmp_path / "twice")
    assert f"pictures that have another name now: {first!r} is " in told
    assert result.to_json()["renamed"].keys() == {"val"}
