"""`delineate data stats`: text, JSON, page."""

import json

import pytest

from builders import edited, tiny_coco
from command_line import call, files_in, refused


@pytest.fixture
def data(tmp_path):
    tiny_coco(tmp_path / "data", 5, crowd=True)
    tiny_coco(tmp_path / "data", 3, name="val", seed=1)
    return tmp_path / "data"


def test_json_is_one_object(data, monkeypatch, capfd):
    assert call(["data", "stats", data, "--json"], monkeypatch) == 0
    told = json.loads(capfd.readouterr().out)
    assert {name: s["images"] for name, s in told["splits"].items()} == {"train": 5, "val": 3}
    assert told["total"]["objects"] == 24
    assert told["total"]["crowds"] == 1
    assert told["name"] == "data"


def test_text_and_page(data, tmp_path, monkeypatch, capfd):
    out = tmp_path / "report"
    assert call(["data", "stats", data, "--out", out], monkeypatch) == 0
    told = capfd.readouterr()
    assert "disc" in told.out
    assert "page in" in told.err
    assert files_in(out) == ["stats.html", "stats.json"]
    assert json.loads((out / "stats.json").read_text())["total"]["objects"] == 24


def test_pictures_are_not_decoded(data, monkeypatch, capfd):
    monkeypatch.setattr("delineate.core.image._pixels", None)
    assert call(["data", "stats", data, "--only", "val", "--json"], monkeypatch) == 0
    assert list(json.loads(capfd.readouterr().out)["splits"]) == ["val"]


def test_classes_are_matched_by_name(data, monkeypatch, capfd):
    with edited(data / "val.json") as content:
        content["categories"] = [{"id": 3, "name": "ball"}, {"id": 7, "name": "disc"}]
    assert call(["data", "stats", data, "--json"], monkeypatch) == 0
    told = json.loads(capfd.readouterr().out)
    objects = {
        name: {c["name"]: c["objects"] for c in split["classes"]}
        for name, split in told["splits"].items()
    }
    assert objects["train"] == {"disc": 8, "box": 7, "ball": 0}
    assert objects["val"] == {"ball": 5, "disc": 4, "box": 0}


def test_a_slip_in_a_split_names_those_that_there_are(tmp_path, monkeypatch, capfd):
    said = refused(
        ["data", "stats", tiny_coco(tmp_path).parent, "--only", "vall"], monkeypatch, capfd
    )
    assert said == "delineate: no split is called 'vall': choose one of train."


def test_several_splits_with_a_comma(data, monkeypatch, capfd):
    assert call(["data", "stats", data, "--only", "train, val", "--json"], monkeypatch) == 0
    assert list(json.loads(capfd.readouterr().out)["splits"]) == ["train", "val"]


def test_a_split_that_is_not_there(data, monkeypatch, capfd):
    said = refused(["data", "stats", data, "--only", "test"], monkeypatch, capfd)
    assert "expected the split test, got train and val: name another with --only" in said
