"""`delineate data convert`: what becomes of splits."""

import pytest

from builders import edited, tiny_coco
from delineate.data.formats import open_splits
from delineate.jobs.convert_data import convert_data, summary


@pytest.mark.parametrize(("name", "split"), [("instances_val2017", "val"), ("labels", "train")])
def test_a_single_file_is_the_split_that_its_name_tells(tmp_path, name, split):
    path = tiny_coco(tmp_path / "data", 2, name=name)
    result = convert_data(path, tmp_path / "out", to="yolo", say=print)
    assert result.images == {split: 2}
    assert list(open_splits(tmp_path / "out")) == [split]


def test_a_folder_that_becomes_train_is_told(tmp_path):
    convert_data(tiny_coco(tmp_path / "a", 2).parent, tmp_path / "val", to="png_ids", say=print)
    said = []
    place = tmp_path / "val" / "train"
    place.rename(tmp_path / "valid")
    result = convert_data(tmp_path / "valid", tmp_path / "out", to="coco", say=said.append)
    assert result.images == {"train": 2}
    assert [f"{tmp_path / 'valid'}: written as the split train" in line for line in said] == [True]


def test_class_ids_that_are_others_now_are_told(tmp_path):
    """COCO's 3 and 7 are YOLO's 0 and 1; a format that has no ids has none that are others."""
    source = tiny_coco(tmp_path / "data", 2, name="train").parent
    told = {}
    for to in ("yolo", "coco", "voc"):
        result = convert_data(source, tmp_path / to, to=to, say=print)
        told[to] = result.to_json()["renumbered"], summary(result, tmp_path / to)
    assert told["yolo"][0] == {"train": {"disc": [3, 0], "box": [7, 1]}}
    line = "class ids 3, 7 are 0, 1 now ('disc' 3 is 0); names are as they were"
    assert line in told["yolo"][1].splitlines()
    for to in ("coco", "voc"):
        assert told[to][0] == {}
        assert "class ids" not in told[to][1]


def test_many_class_ids_are_told_as_a_range(tmp_path):
    source = tiny_coco(tmp_path / "data", 4, [f"class {k}" for k in range(12)]).parent
    with edited(source / "train.json") as content:
        for record in content["categories"]:
            record["id"] = int(record["name"].split()[1]) + 1
        for annotation in content["annotations"]:
            annotation["category_id"] = 1
    result = convert_data(source, tmp_path / "out", to="yolo", say=print)
    line = "class ids 1 to 12 are 0 to 11 now ('class 0' 1 is 0); names are as they were"
    assert line in summary(result, tmp_path / "out").splitlines()


def test_a_folder_with_a_split_in_it_is_not(tmp_path):
    said = []
    folder = tiny_coco(tmp_path / "test", 2).parent
    convert_data(folder, tmp_path / "out", to="coco", say=said.append)
    assert said == []
