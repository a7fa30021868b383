"""What people name, and the files they mean."""

import types

import pytest

from delineate.errors import DataError
from delineate.jobs.pictures import pictures_to_predict
from delineate.predict.sources import sources


@pytest.fixture
def folder(tmp_path):
    for name in ("10.jpg", "2.JPG", "1.png", "notes.txt", "b.webp", "A.tiff"):
        (tmp_path / name).touch()
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "deep" / "3.bmp").touch()
    (tmp_path / "deep" / "deeper" / "4.bmp").touch()
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def names(paths):
    return [path.name for path in sources(paths)]


def test_folder_in_natural_order_without_what_is_no_image(folder):
    assert names(folder) == ["1.png", "2.JPG", "10.jpg", "A.tiff", "b.webp"]


def test_patterns(folder):
    assert names(str(folder / "*.jpg")) == ["10.jpg"]
    assert names(folder / "**" / "*.bmp") == ["3.bmp", "4.bmp"]


def test_several_in_the_order_given_each_once(folder):
    given = [folder / "b.webp", str(folder / "deep"), folder / "*.webp", folder / "deep" / "3.bmp"]
    assert names(given) == ["b.webp", "3.bmp"]


def test_a_file_is_taken_whatever_its_name(folder):
    assert names(str(folder / "notes.txt")) == ["notes.txt"]


def test_a_file_whose_name_looks_like_a_pattern(tmp_path):
    (tmp_path / "shot[1].png").touch()
    assert names(tmp_path / "shot[1].png") == ["shot[1].png"]


def test_is_lazy_but_complains_before_the_first_file(folder):
    found = sources([folder, folder / "gone.jpg"])
    assert isinstance(found, types.GeneratorType)
    with pytest.raises(DataError, match=r"gone\.jpg: expected .* found nothing there"):
        next(found)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder.png", "expected a folder with images .* found none directly in it"),
        ("*.gif", "expected files that match, found none"),
        ("none", "found nothing there"),
    ],
)
def test_nothing_found(folder, name, message):
    with pytest.raises(DataError, match=message):
        list(sources(folder / name))


def test_nothing_named():
    with pytest.raises(DataError, match="at least one image"):
        list(sources([]))


def test_a_file_is_one_however_its_path_is_written(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a" / "x.png").touch()
    plain, around = tmp_path / "a" / "x.png", tmp_path / "b" / ".." / "a" / "x.png"
    assert list(sources([plain, around])) == [plain]
    assert list(sources([around, plain])) == [around]


def test_pictures_in_subfolders_are_told(folder, tmp_path):
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "5.bmp").touch()
    said = []

    def named(*names):
        said.clear()
        return len(pictures_to_predict([*map(str, names)], tmp_path / "out", "skip", said.append))

    assert named(folder) == 5
    (line,) = said
    assert line.startswith(f"{folder}: 2 pictures in its subfolders left out, such as {folder}")
    pattern = line.split("'")[1]
    assert pattern == str(folder / "**" / "*.bmp")
    assert named(folder, pattern) == 7
    assert not said
    (folder / "found" / "overlays").mkdir(parents=True)
    (folder / "found" / "overlays" / "5.png").touch()  # of an earlier prediction
    assert named(folder, folder / "deep") == 6
    assert [line.split(" picture")[0] for line in said] == [f"{folder}: 1", f"{folder}/deep: 1"]
