"""Pictures of which no file of annotations tells: they are told, and other pictures are not."""

import json

import numpy as np
import pytest
from PIL import Image

from command_line import call
from delineate.data.formats import open_dataset, open_splits
from delineate.data.sample import UNANNOTATED
from delineate.errors import DataError
from delineate.jobs.check import check_before_training
from delineate.jobs.opening import tell_problems
from delineate.quality.checks import examine
from delineate.quality.repair import repair

SIZE = (20, 30)
SQUARE = [[2, 2], [12, 2], [12, 9], [2, 9]]


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(0, 255, (*SIZE, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def labelme(file, image_path, **more):
    shape = {"label": "cat", "points": SQUARE, "shape_type": "polygon", "group_id": None}
    content = {"shapes": [shape], "imagePath": image_path, "imageData": None, **more}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def labelled(folder, *names, suffix=".png"):
    for name in names:
        picture(folder / f"{name}{suffix}")
        labelme(folder / f"{name}.json", f"{name}{suffix}")
    return folder


def told(dataset):
    assert {p.kind for p in dataset.problems} <= {UNANNOTATED}
    return [problem.name for problem in dataset.problems]


@pytest.fixture
def half(tmp_path):
    """Two pictures of four are labelled."""
    for name in ("c", "d"):
        picture(tmp_path / "data" / f"{name}.png")
    return labelled(tmp_path / "data", "a", "b")


def test_pictures_without_their_file_are_told_and_do_not_stop(half):
    dataset = open_dataset(half)
    assert [record.name for record in dataset.records] == ["a.png", "b.png"]
    assert told(dataset) == ["c.png", "d.png"]
    lines = []
    tell_problems(dataset, lines.append)
    (line,) = lines
    assert "left out 2 pictures without a file of annotations, c.png, d.png: annotate them" in line


def test_of_many_the_first_few_are_named(tmp_path):
    for number in range(9):
        picture(tmp_path / f"p{number}.jpg")
    lines = []
    tell_problems(open_dataset(labelled(tmp_path, "a")), lines.append)
    assert len(lines) == 1
    assert "9 pictures" in lines[0]
    assert "p0.jpg, p1.jpg, p2.jpg, p3.jpg, p4.jpg and 4 more" in lines[0]


def test_broken_records_beside_them_stop_as_ever(half):
    (half / "b.json").write_text('{"shapes": 3, "imagePath": "b.png"}')
    with pytest.raises(DataError, match="1 broken record "):
        open_dataset(half)
    dataset = open_dataset(half, on_error="skip")
    assert [p.kind for p in dataset.problems] == ["broken_record", UNANNOTATED, UNANNOTATED]
    lines = []
    tell_problems(dataset, lines.append)
    assert "1 broken record left out" in lines[0]
    assert len(lines) == 3


def test_the_doctor_finds_each(half):
    found = [f for f in examine(open_splits(half, on_error="report")) if f.kind == UNANNOTATED]
    assert [(f.severity, f.place.name) for f in found] == [
        ("warning", "c.png"),
        ("warning", "d.png"),
    ]
    assert "image 'c.png': no file of annotations tells of it" in str(found[0])


def test_convert_tells_them(half, tmp_path, monkeypatch, capfd):
    arguments = ["data", "convert", half, tmp_path / "out", "--to", "coco", "--json"]
    assert call(arguments, monkeypatch) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["left_out"] == {"train": 2}
    assert "2 pictures without a file of annotations, c.png, d.png" in err


def test_a_repaired_copy_lists_them(half, tmp_path):
    changes = repair(half, tmp_path / "copy", version="0").changes
    listed = [(c.left_out, c.what.split(":")[1]) for c in changes if c.kind == UNANNOTATED]
    assert listed == [("image", " image 'c.png'"), ("image", " image 'd.png'")]


def test_subfolders_with_annotations_are_looked_at(tmp_path):
    labelled(tmp_path / "one", "a")
    labelled(tmp_path / "two", "b")
    picture(tmp_path / "two" / "a.png")
    assert told(open_dataset(tmp_path)) == ["two/a.png"]


def test_pictures_in_a_folder_of_their_own(tmp_path):
    labelme(tmp_path / "labels" / "a.json", "../images/a.png")
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "images" / "b.png")
    assert told(open_dataset(tmp_path)) == ["images/b.png"]


def test_a_link_on_the_way_to_the_pictures(tmp_path):
    """The system goes behind the link, and from there to the pictures; `abspath` does not."""
    labelme(tmp_path / "far" / "labels" / "a.json", "../images/a.png")
    picture(tmp_path / "far" / "images" / "a.png")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "labels").symlink_to(tmp_path / "far" / "labels")
    dataset = open_dataset(tmp_path / "near")
    assert len(dataset) == 1
    assert told(dataset) == []


def test_pictures_that_other_splits_share_are_theirs(tmp_path):
    for split, name in (("train", "a"), ("val", "b")):
        labelme(tmp_path / split / f"{name}.json", f"../images/{name}.png")
        picture(tmp_path / "images" / f"{name}.png")
    assert [told(dataset) for dataset in open_splits(tmp_path).values()] == [[], []]
    for split in ("train", "val"):
        (tmp_path / split / f"{'a' if split == 'train' else 'b'}.json").unlink()
    labelme(tmp_path / "train" / "a.json", "a.png")
    labelme(tmp_path / "val" / "b.json", "b.png")
    splits = open_splits(tmp_path, images=tmp_path / "images")
    assert [told(dataset) for dataset in splits.values()] == [[], []]


@pytest.mark.parametrize(
    "other",
    [
        *("a.jpg", "a_mask.png", "mask_a.png", "a_labelIds.png", "a.thumb.jpg", "b_color.png"),
        *("aachen_1_gtFine_instanceIds.png", "THUMB-7.png", ".c.png", "._a.png", "c.txt"),
        *("masks/c.png", "thumbnails/c.png", "a_json/img.png", "a_json/label_viz.png"),
        *("a.bin.png", "a.nrm.png", "a_binarized.png"),
    ],
)
def test_other_pictures_are_passed_over(tmp_path, other):
    folder = labelled(tmp_path, "a", "b")
    picture(folder / "x.png")
    (folder / "x.png").rename((folder / other).parent.mkdir(exist_ok=True) or folder / other)
    assert told(open_dataset(folder)) == []


def test_what_annotated_pictures_are_called_is_no_sign_of_others(tmp_path):
    picture(tmp_path / "depth_2.png")
    picture(tmp_path / "depth_2_mask.png")
    assert told(open_dataset(labelled(tmp_path, "depth_1"))) == ["depth_2.png"]


def test_a_picture_within_a_file_or_named_by_a_broken_one_is_not_told(tmp_path):
    folder = labelled(tmp_path, "a", "b")
    (folder / "b.json").write_text("{")
    kinds = [p.kind for p in open_dataset(folder, on_error="skip").problems]
    assert kinds == ["broken_record"]


def test_a_single_file_tells_of_its_own_picture_alone(half):
    assert told(open_dataset(half / "a.json")) == []


def test_the_same_of_xml_files(tmp_path):
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in SQUARE)
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text(
        "<annotation><filename>a.jpg</filename><object><name>cat</name><deleted>0</deleted>"
        f"<id>0</id><polygon>{points}</polygon></object></annotation>"
    )
    picture(tmp_path / "Images" / "a.jpg")
    picture(tmp_path / "Images" / "b.jpg")
    assert told(open_dataset(tmp_path)) == ["Images/b.jpg"]
    (tmp_path / "Annotations" / "b.xml").write_text("<annotation><filename>b.jpg")
    kinds = [p.kind for p in open_dataset(tmp_path, on_error="skip").problems]
    assert kinds == ["broken_record"]


@pytest.mark.parametrize("format", ["cityscapes", "png_instances"])
def test_the_same_of_formats_with_maps(half, tmp_path, monkeypatch, format):
    out = tmp_path / "out"
    assert call(["data", "convert", half, out, "--to", format], monkeypatch) == 0
    assert told(open_dataset(out)) == []
    if format == "cityscapes":
        (next(out.rglob("a_gtFine_instanceIds.png"))).unlink()
        assert told(open_dataset(out)) == ["all/a_leftImg8bit.png"]
    else:
        masks = out / "train" / "a" / "masks"
        for file in masks.iterdir():
            file.unlink() if file.is_file() else (next(file.iterdir()).unlink(), file.rmdir())
        masks.rmdir()
        picture(out / "train" / "previews" / "images" / "b.png")
        assert told(open_dataset(out)) == ["a/a.png"]


def test_before_a_training_they_are_not_told_again(half):
    lines = []
    check_before_training(half, open_splits(half), lines.append)
    assert not [line for line in lines if "no file of annotations" in line]
