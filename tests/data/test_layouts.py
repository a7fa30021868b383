"""Splits, told by the names of files and folders."""

import pytest

from delineate.data.layouts import Source, files, folders, split_named
from delineate.errors import DataError


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("instances_train2017", "train"),
        ("Valid", "val"),
        ("validation-set", "val"),
        ("mini_val", "val"),
        ("_test.coco", "test"),
        ("trainval", None),
        ("train_val", None),
        ("strain", None),
        ("contest", None),
        ("labels", None),
    ],
)
def test_the_split_that_a_name_tells(name, split):
    assert split_named(name) == split


def _is_one(path):
    return path.is_file() and path.read_text() == "yes"


def _put(folder, **contents):
    for name, content in contents.items():
        file = folder / f"{name.replace('__', '/')}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


def _found(path):
    sources = files(path, ".json", _is_one)
    return None if sources is None else {s: str(v.path.name) for s, v in sources.items()}


def test_files_named_as_splits_come_first(tmp_path):
    _put(tmp_path, val="yes", train="yes", mini_train="yes", other="no")
    assert list(_found(tmp_path).items()) == [("train", "train.json"), ("val", "val.json")]


def test_a_split_that_is_broken_is_not_passed_over(tmp_path):
    _put(tmp_path, train="yes", test="broken")
    assert list(_found(tmp_path)) == ["train", "test"]


def test_files_in_annotations(tmp_path):
    _put(
        tmp_path,
        annotations__instances_train2017="yes",
        annotations__instances_val2017="yes",
        annotations__keypoints_val2017="yes",
    )
    assert _found(tmp_path) == {
        "train": "instances_train2017.json",
        "val": "instances_val2017.json",
    }


def test_a_file_in_each_splits_folder(tmp_path):
    _put(tmp_path, train__labels="yes", valid__labels="yes")
    sources = files(tmp_path, ".json", _is_one)
    assert sources == {
        "train": Source(tmp_path / "train" / "labels.json", "train"),
        "val": Source(tmp_path / "valid" / "labels.json", "val"),
    }


def test_a_single_file_of_any_name(tmp_path):
    _put(tmp_path, labels="yes", other="no")
    assert _found(tmp_path) == {"train": "labels.json"}
    assert _found(tmp_path / "labels.json") == {"train": "labels.json"}
    assert _found(tmp_path / "other.json") is None


def test_files_whose_names_do_not_tell(tmp_path):
    _put(tmp_path, a_train="yes", b_train="yes")
    with pytest.raises(DataError, match=r"'train', a_train\.json and b_train\.json: name one"):
        files(tmp_path, ".json", _is_one)
    _put(tmp_path, b_train="no", c="yes")
    with pytest.raises(DataError, match=r"named after their splits, .* such as c\.json"):
        files(tmp_path, ".json", _is_one)


def test_splits_are_completed_by_files_beside_train(tmp_path):
    _put(tmp_path, train="yes", valid="yes", instances_test="yes", keypoints_test="yes", x="yes")
    assert list(_found(tmp_path).items()) == [
        ("train", "train.json"),
        ("val", "valid.json"),
        ("test", "instances_test.json"),
    ]
    _put(tmp_path, dev="yes", instances_test="no", keypoints_test="no")
    with pytest.raises(DataError, match=r"'val', dev\.json and valid\.json: name one"):
        files(tmp_path, ".json", _is_one)


def test_files_of_one_picture_each_are_not_looked_at(tmp_path):
    _put(tmp_path, train="yes", **{f"test__{i}": "yes" for i in range(101)})
    _put(tmp_path, **{f"sub__{i}": "yes" for i in range(101)})
    looked_at = []

    def is_one(file):
        looked_at.append(file.name)
        return True

    assert list(files(tmp_path, ".json", is_one)) == ["train"]
    assert files(tmp_path / "sub", ".json", is_one) is None
    assert files(tmp_path / "test", ".json", is_one) is None
    assert looked_at == ["train.json"]


def test_two_folders_of_one_split(tmp_path):
    for name in ("train1", "train2"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="'train', train1 and train2: name one of them"):
        folders(tmp_path, lambda folder: folder != tmp_path)
    assert list(folders(tmp_path, lambda folder: folder.name == "train2")) == ["train"]


def test_folders_of_splits(tmp_path):
    for name in ("b_val", "train", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    found = folders(tmp_path, lambda folder: (folder / "x").exists())
    assert found == {
        "train": Source(tmp_path / "train", "train"),
        "val": Source(tmp_path / "b_val", "val"),
    }
    assert folders(tmp_path / "other", lambda f: (f / "x").exists()) == {
        "train": Source(tmp_path / "other")
    }
    assert folders(tmp_path, lambda _: False) is None
    assert folders(tmp_path / "train" / "x", lambda _: True) is None
