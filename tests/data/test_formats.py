"""Opening data folders and files, and saying what a data folder looks like."""

import errno
import re
import shutil
from pathlib import Path

import pytest

from builders import tiny_coco
from delineate.data.format_table import FORMATS
from delineate.data.formats import open_dataset, open_splits
from delineate.data.yolo_write import write_yolo
from delineate.errors import ConfigError, DataError
from panoptic_cases import tiny_coco_panoptic

UNKNOWN = "expected data of a known format, got"


def test_folder_with_splits(tmp_path):
    for name, count in (("val", 2), ("train", 3)):
        tiny_coco(tmp_path, count, name=name)
    (tmp_path / "licences.json").write_text("{}")
    splits = open_splits(tmp_path)
    assert {name: len(dataset) for name, dataset in splits.items()} == {"train": 3, "val": 2}
    assert list(splits) == ["train", "val"]
    assert splits["val"].name == f"{tmp_path.name}/val"


def test_only_some_splits_are_opened(tmp_path):
    tiny_coco(tmp_path, name="train")
    (tmp_path / "test.json").write_text("no JSON: whoever opens it fails")
    with pytest.raises(DataError, match=r"test\.json"):
        open_splits(tmp_path)
    assert list(open_splits(tmp_path, only=("val", "train"))) == ["train"]
    assert open_splits(tmp_path, only=()) == {}
    with pytest.raises(ConfigError, match="no split is called 'tain': did you mean 'train'"):
        open_splits(tmp_path, only=["tain"])


def test_folder_with_one_file_of_another_name(tmp_path):
    tiny_coco(tmp_path, 3, name="_annotations.coco")
    assert {name: len(dataset) for name, dataset in open_splits(tmp_path).items()} == {"train": 3}
    assert len(open_dataset(tmp_path)) == 3


def test_file_is_a_training_split(tmp_path):
    path = tiny_coco(tmp_path, 3, name="val")
    assert {name: len(dataset) for name, dataset in open_splits(str(path)).items()} == {"train": 3}
    assert len(open_dataset(str(path))) == 3


def test_pictures_elsewhere(tmp_path):
    path = tiny_coco(tmp_path / "a")
    shutil.move(tmp_path / "a" / "images", tmp_path / "pictures")
    assert len(open_dataset(path, images=tmp_path / "pictures")) == 4
    assert len(open_splits(path.parent, images=tmp_path / "pictures")["train"]) == 4


def test_format_by_name(tmp_path):
    path = tiny_coco(tmp_path).rename(tmp_path / "labels.txt")
    assert len(open_dataset(path, format="coco")) == 4
    assert len(open_dataset(path)) == 4  # the content tells, not the name
    with pytest.raises(DataError, match=r"expected COCO panoptic .* got a \.txt file"):
        open_dataset(path, format="coco_panoptic")
    with pytest.raises(ConfigError, match="no data format is called 'cocoa': did you mean 'coco'"):
        open_dataset(path, format="cocoa")


def test_every_format_stands_under_its_own_name():
    assert {key: value.name for key, value in FORMATS.items()} == {name: name for name in FORMATS}


def test_what_may_be_of_several_formats(tmp_path):
    tiny_coco(tmp_path)
    tiny_coco_panoptic(tmp_path)
    with pytest.raises(DataError, match="choose with --format coco or --format coco_panoptic,"):
        open_splits(tmp_path)


def test_several_splits_where_one_data_set_is_wanted(tmp_path):
    tiny_coco(tmp_path, name="train")
    tiny_coco(tmp_path, name="val")
    with pytest.raises(DataError, match=r"found the splits train, val: name one .*val\.json"):
        open_dataset(tmp_path)


def test_folder_of_pictures_alone(tmp_path):
    images = tiny_coco(tmp_path).parent / "images"
    with pytest.raises(DataError, match=rf"{UNKNOWN} a folder of files \(4 \.png\): "):
        open_splits(images)


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match=f"{UNKNOWN} an empty folder: .delineate data formats. "):
        open_splits(tmp_path)


def test_a_folder_of_unknown_things_is_told_by_what_is_in_it(tmp_path):
    for name in ("a.jpg", "b.JPG", "1.txt", "2.txt", "3.txt", "README", "c.bin", "d.csv"):
        (tmp_path / name).write_text("?")
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError) as refusal:
        open_splits(tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path}: expected data of a known format, got a folder of files (3 .txt, 2 .jpg, 1 "
        "without suffix and more) and folders (new, old): `delineate data formats` shows how each "
        "of them lies, and --format NAME says which one this is."
    )


def test_folder_of_several_unknown_files(tmp_path):
    for name in ("a", "b"):
        tiny_coco(tmp_path, name=name)
    with pytest.raises(DataError, match=r"named after their splits.* such as a\.json: name one"):
        open_splits(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'none'}: expected a data set")):
        open_splits(tmp_path / "none")


@pytest.mark.parametrize("open_", [open_dataset, open_splits])
def test_places_that_cannot_be_looked_at(tmp_path, monkeypatch, open_):
    with pytest.raises(DataError, match=r"it cannot be read \(File name too long\)"):
        open_(tmp_path / ("n" * 300))

    def refuse(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=r"it cannot be read \(Permission denied\): check the path"):
        open_(tmp_path)


def test_picture_instead_of_annotations(tmp_path):
    tiny_coco(tmp_path)
    with pytest.raises(DataError, match=r"got a \.png file"):
        open_dataset(tmp_path / "images" / "train_00.png")


def test_unknown_choice_for_broken_records(tmp_path):
    with pytest.raises(ConfigError, match="'stop', 'skip' or 'report', got 'ignore'"):
        open_dataset(tiny_coco(tmp_path), on_error="ignore")


def test_problems_are_handed_on(tmp_path):
    path = tiny_coco(tmp_path)
    (tmp_path / "images" / "train_01.png").unlink()
    with pytest.raises(DataError, match="1 broken record"):
        open_splits(path)
    assert len(open_splits(path, on_error="skip")["train"].problems) == 1


def test_an_export_of_two_formats_opens_with_each_that_is_named(tmp_path):
    """As Roboflow's, where one is unpacked beside the other."""
    for split in ("train", "valid"):
        data = tiny_coco(tmp_path / split, 2, name="_annotations.coco")
        (tmp_path / "other").mkdir()
        write_yolo(tmp_path / "other", {"train": open_dataset(data)})
        for folder in ("images", "labels"):
            written = tmp_path / "other" / folder / "train"
            shutil.copytree(written, tmp_path / split / folder, dirs_exist_ok=True)
        shutil.rmtree(tmp_path / "other")
    names = "train: ../train/images\nval: ../valid/images\nnames: [disc, box]\n"
    (tmp_path / "data.yaml").write_text(names)
    with pytest.raises(DataError) as told:
        open_splits(tmp_path)
    assert "may be COCO instances or YOLO segmentation" in str(told.value)
    options = re.findall(r"--format (\w+)", str(told.value))
    assert options == ["coco", "yolo"]
    for format in options:
        splits = open_splits(tmp_path, format=format)
        assert {name: len(dataset) for name, dataset in splits.items()} == {"train": 2, "val": 2}
