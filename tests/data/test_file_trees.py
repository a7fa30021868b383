"""Folders of files that tell of one picture each: which of them are a data set."""

import os

import pytest

from delineate.data.file_trees import find_tree, tree_files
from delineate.data.layouts import Source
from delineate.errors import DataError


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("yes")
    return folder


def found(folder):
    return find_tree(folder, ".json", lambda file: file.read_text() == "yes")


def test_folders_of_splits(tmp_path):
    put(tmp_path, "train/b/1.json", "val/1.json", "val/.hidden/2.json", "other/2.json")
    assert found(tmp_path) == {
        "train": Source(tmp_path / "train", "train"),
        "val": Source(tmp_path / "val", "val"),
    }
    assert tree_files(tmp_path / "val", ".json") == [tmp_path / "val" / "1.json"]


def test_a_folder_without_splits(tmp_path):
    put(tmp_path, "a/1.json", "b/1.json")
    assert found(tmp_path) == {"train": Source(tmp_path)}
    assert found(put(tmp_path, "1.json")) == {"train": Source(tmp_path)}


def test_files_beside_splits_do_not_join_them(tmp_path):
    put(tmp_path, "a.json", "train/a.json", "val/a.json")
    with pytest.raises(DataError, match="some beside train/ and val/: move them into one of these"):
        found(tmp_path)


def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path, monkeypatch):
    put(tmp_path, "a/1.json", "b/2.json")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"b: expected .* cannot be read \(Permission denied\)"):
        tree_files(tmp_path, ".json")


def test_links_to_folders_are_followed_once(tmp_path):
    put(tmp_path / "elsewhere", "1.json")
    put(tmp_path / "data", "0.json")
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "elsewhere")
    files = tree_files(tmp_path / "data", ".json")
    assert [f.relative_to(tmp_path / "data").as_posix() for f in files] == [
        "0.json",
        "linked/1.json",
    ]
