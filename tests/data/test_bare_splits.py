"""A split that has lost its annotations, in whatever format, is told by its pictures."""

import json

import numpy as np
import pytest
from PIL import Image

from builders import tiny_coco
from command_line import call
from delineate import open_dataset
from delineate.data.bare_splits import bare_splits
from delineate.data.conversion import convert
from delineate.data.formats import open_splits

SQUARE = [[2, 2], [20, 2], [20, 20], [2, 20]]


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(path)


def labelled(folder, name):
    picture(folder / f"{name}.png")
    shape = {"label": "cat", "points": SQUARE, "shape_type": "polygon", "group_id": None}
    content = {"shapes": [shape], "imagePath": f"{name}.png", "imageData": None}
    (folder / f"{name}.json").write_text(json.dumps(content))


def checked(words, monkeypatch, capfd):
    """Return the findings of `data check` that are about pictures without annotations."""
    call(words, monkeypatch)
    findings = json.loads(capfd.readouterr().out)["findings"]
    return [finding for finding in findings if finding["kind"] == "no_annotation_file"]


def folders(path):
    return [
        (bare.split, bare.folder.relative_to(path).as_posix(), bare.picture.name)
        for bare in bare_splits(path, open_splits(path))
    ]


def test_only_what_is_named_after_a_missing_split_and_holds_pictures(tmp_path):
    labelled(tmp_path / "train", "a")
    for place in (
        *("val/v.png", "val/masks/v.png", "stage1_test/images/t.png"),
        *("train_masks/a.png", "test_masks/t.png", "testing_results/loss.png"),
        *("validation_curves/loss.png", "train_2/b.png", "other/c.png", ".val/d.png"),
    ):
        picture(tmp_path / place)
    (tmp_path / "dev").mkdir()
    assert folders(tmp_path) == [("test", "stage1_test", "t.png"), ("val", "val", "v.png")]
    assert bare_splits(tmp_path / "train", open_splits(tmp_path / "train")) == []


def test_pictures_that_are_made_from_others_are_no_split(tmp_path):
    labelled(tmp_path / "train", "a")
    picture(tmp_path / "val" / "masks" / "v.png")
    assert folders(tmp_path) == []


@pytest.mark.parametrize("format", ["coco", "cvat", "labelme", "via", "yolo", "voc", "png_ids"])
@pytest.mark.parametrize("left", ["annotations.xml", "val.json", "via_region_data.json", ""])
def test_whatever_the_format_and_what_is_left_of_its_file(tmp_path, format, left):
    source = open_splits(tiny_coco(tmp_path / "source", 3).parent)
    out = tmp_path / "out"
    convert(source, format, out)
    picture(out / "val" / "v.png")
    if left:
        (out / "val" / left).write_bytes(b"")
    assert folders(out) == [("val", "val", "v.png")]


def test_data_of_which_some_pictures_are_of_another_split(tmp_path):
    """COCO's train.json may list pictures in images/val."""
    tiny_coco(tmp_path, 2)
    content = json.loads((tmp_path / "train.json").read_text())
    (tmp_path / "images" / "val").mkdir()
    name = content["images"][0]["file_name"]
    (tmp_path / "images" / name).rename(tmp_path / "images" / "val" / name)
    content["images"][0]["file_name"] = f"val/{name}"
    (tmp_path / "train.json").write_text(json.dumps(content))
    assert folders(tmp_path) == []
    assert len(open_dataset(tmp_path / "train.json")) == 2


def test_every_verb_tells_it(tmp_path, monkeypatch, capfd):
    data = tmp_path / "data"
    labelled(data / "train", "a")
    picture(data / "val" / "v.png")
    for words in (["convert", data, tmp_path / "out", "--to", "coco"], ["stats", data]):
        call(["data", *words], monkeypatch)
        assert "val: left out, for no annotations tell of the pictures" in capfd.readouterr().err
    (finding,) = checked(["data", "check", data, "--json", "--quick"], monkeypatch, capfd)
    assert (finding["kind"], finding["severity"]) == ("no_annotation_file", "warning")
    assert (finding["place"]["split"], "v.png" in finding["why"]) == ("val", True)
    out = tmp_path / "report"
    assert checked(["data", "check", data, "--json", "--out", out], monkeypatch, capfd)
    assert "val" in (out / "report.html").read_text()
    ignored = ["data", "check", data, "--json", "--quick", "--ignore", "no_annotation_file"]
    assert not checked(ignored, monkeypatch, capfd)
