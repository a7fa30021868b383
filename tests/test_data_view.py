"""`delineate data view`: a page, or a sheet of augmented pictures."""

import json
import re

import pytest

from builders import tiny_coco
from command_line import call, files_in, refused
from delineate.core.image import image_size
from delineate.quality.findings import Finding, Place


@pytest.fixture
def data(tmp_path):
    tiny_coco(tmp_path / "data", 5, empty=True)
    tiny_coco(tmp_path / "data", 3, ("box",), name="val", seed=1)
    return tmp_path / "data"


def viewed(arguments, monkeypatch, capfd):
    assert call(["data", "view", *arguments, "--json"], monkeypatch) == 0
    return json.loads(capfd.readouterr().out)


def images_in(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])["images"]


def test_all_images_of_all_splits(data, tmp_path, monkeypatch, capfd):
    result = viewed([data, "--out", tmp_path / "g.html"], monkeypatch, capfd)
    assert (result["images"], result["of"], result["folder"]) == (8, 8, None)
    images = images_in(tmp_path / "g.html")
    assert [image["split"] for image in images] == [0] * 5 + [1] * 3
    assert {code >> 3 for code in images[-1]["objects"]} == {1}  # a box, in the joint table
    assert files_in(tmp_path) == sorted(["g.html", *(f"data/{name}" for name in files_in(data))])


def test_one_class_and_a_limit(data, tmp_path, monkeypatch, capfd):
    out = tmp_path / "g.html"
    result = viewed([data, "--out", out, "--class", "disc", "--limit", "2"], monkeypatch, capfd)
    assert (result["images"], result["of"]) == (2, 8)
    assert [image["name"] for image in images_in(out)] == ["train_00.png", "train_03.png"]
    assert "val" not in out.read_text(encoding="utf-8").split("<main>")[1].split("<form")[0]
    assert call(["data", "view", data, "--out", out, "--limit", "2"], monkeypatch) == 0
    assert "gallery of 2 images of 8 in" in capfd.readouterr().out


def test_opens_the_page(data, tmp_path, monkeypatch, capfd):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    viewed([data, "--out", tmp_path / "g.html", "--open"], monkeypatch, capfd)
    assert opened == [(tmp_path / "g.html").as_uri()]


def test_a_sheet_of_augmented_pictures(data, tmp_path, monkeypatch, capfd):
    out = tmp_path / "sheet.png"
    arguments = [data, "--augment", "light", "--out", out, "--limit", "2"]
    result = viewed(arguments, monkeypatch, capfd)
    assert (result["split"], result["preset"], result["seed"]) == ("train", "light", 0)
    first = out.read_bytes()
    assert image_size(out)[1] > 1000
    viewed(arguments, monkeypatch, capfd)
    assert out.read_bytes() == first
    viewed([*arguments, "--seed", "1"], monkeypatch, capfd)
    assert out.read_bytes() != first


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--class", "disk"], "no class is called 'disk': did you mean 'disc'"),
        (["--out", "g.png"], "expected a page to write with --out, got g.png"),
        (["--only", "test"], "expected the split test"),
        (["--augment", "wild", "--out", "g.png"], "wild"),
        (["--augment", "light", "--findings", "f.json", "--out", "g.png"], "no --findings with"),
        (["--only", "val", "--augment", "light", "--class", "box", "--out", "g.xyz"], "g.xyz"),
    ],
)
def test_wrong_options(data, tmp_path, monkeypatch, capfd, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(["data", "view", data, *arguments], monkeypatch, capfd)


def test_a_place_that_cannot_be_written(data, tmp_path, monkeypatch, capfd):
    said = refused(["data", "view", data, "--out", tmp_path / "no" / "g.html"], monkeypatch, capfd)
    assert "cannot be written" in said


def test_what_a_check_found_stands_beside_the_images(data, tmp_path, monkeypatch, capfd):
    content = json.loads((data / "val.json").read_text())
    copy = content["annotations"][0] | {"id": 999}
    content["annotations"].append(copy)
    (data / "val.json").write_text(json.dumps(content))
    assert call(["data", "check", data, "--out", tmp_path / "checked"], monkeypatch) == 1
    capfd.readouterr()
    found = tmp_path / "checked" / "findings.json"
    viewed([data, "--out", tmp_path / "g.html", "--findings", found], monkeypatch, capfd)
    (image,) = [
        image
        for image in images_in(tmp_path / "g.html")
        if image["split"] == 1 and any(len(f["objects"]) == 2 for f in image["findings"])
    ]
    first = next(i for i in content["images"] if i["id"] == copy["image_id"])
    assert image["name"] == first["file_name"]
    assert '["duplicate_object","error"]' in (tmp_path / "g.html").read_text(encoding="utf-8")
    told = json.loads(found.read_text())
    assert [Finding.from_json(finding).to_json() for finding in told] == told


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "expected the findings.json that `delineate data check --out` writes"),
        ('[{"kind": "odd"}]', "expected a finding as"),
        ("[1]", "expected a finding as"),
        ("[", "breaks off"),
    ],
)
def test_a_file_of_something_else(data, tmp_path, monkeypatch, capfd, content, sentence):
    file = tmp_path / "findings.json"
    file.write_text(content)
    told = refused(
        ["data", "view", data, "--out", tmp_path / "g.html", "--findings", file], monkeypatch, capfd
    )
    assert sentence in told
    assert not (tmp_path / "g.html").exists()


def test_findings_of_other_data(data, tmp_path, monkeypatch, capfd):
    (first, *_) = json.loads((data / "train.json").read_text())["images"]

    def finding(name, image_id=first["id"], split="train"):
        place = Place(split=split, image_id=image_id, name=name)
        told = Finding(kind="odd", severity="note", place=place, why="w", fix="f")
        return told.to_json()

    def arguments(*findings):
        (tmp_path / "f.json").write_text(json.dumps(findings))
        return [data, "--out", tmp_path / "g.html", "--findings", tmp_path / "f.json"]

    own, other, nameless = finding(first["file_name"]), finding("cat.png"), finding("")
    said = refused(["data", "view", *arguments(other, other)], monkeypatch, capfd)
    assert "expected findings about images of these data" in said
    assert not (tmp_path / "g.html").exists()
    strangers = [other, finding("", 9999), finding("", split="test")]
    code = call(["data", "view", *arguments(own, nameless, *strangers)], monkeypatch)
    assert code == 0
    assert "3 of 5 findings are about images that are not" in capfd.readouterr().err
    assert [len(image["findings"]) for image in images_in(tmp_path / "g.html")] == [2] + [0] * 7
    (tmp_path / "g.html").unlink()
    words = [*arguments(finding("other.png")), "--only", "val"]
    assert call(["data", "view", *words], monkeypatch) == 0
    assert "not in these data" not in capfd.readouterr().err
    assert not any(image["findings"] for image in images_in(tmp_path / "g.html"))
