"""`delineate data convert`: what becomes of splits."""

import pytest

from builders import tiny_coco
from delineate.data.formats import open_splits
from delineate.jobs.convert_data import convert_data


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


def test_a_folder_with_a_split_in_it_is_not(tmp_path):
    said = []
    folder = tiny_coco(tmp_path / "test", 2).parent
    convert_data(folder, tmp_path / "out", to="coco", say=said.append)
    assert said == []
