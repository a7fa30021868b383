"""Bad input at the command line: one sentence, exit code 2, nothing half-written."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from bad_pictures import PICTURES, damaged_inside, truncated
from builders import edited, tiny_coco
from command_line import SMALL, call, files_in, refused
from delineate import build, save_model, write_image


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "two.safetensors"
    save_model(build("maskrcnn_nano", classes=2), path)
    return path


@pytest.mark.parametrize("kind", PICTURES)
def test_predict_on_a_bad_picture(kind, model, tmp_path, monkeypatch, capfd):
    make, word = PICTURES[kind]
    picture, out = tmp_path / "bad.png", tmp_path / "out"
    make(picture)
    sentence = refused(["predict", picture, "--model", model, "--out", out], monkeypatch, capfd)
    assert "bad.png" in sentence
    assert word in sentence
    assert not files_in(out)


def test_predict_names_all_bad_pictures_at_once(model, tmp_path, monkeypatch, capfd):
    for number in range(7):
        truncated(tmp_path / f"bad_{number}.png")
    write_image(tmp_path / "good.png", np.zeros((40, 50, 3), np.uint8))
    arguments = ["predict", tmp_path, "--model", model, "--out", tmp_path / "out"]
    sentence = refused(arguments, monkeypatch, capfd)
    assert "7 of 8 pictures cannot be used" in sentence
    assert "bad_4.png" in sentence
    assert "bad_5.png" not in sentence
    assert "and 2 more; mend them, or pass --on-error skip" in sentence
    assert not files_in(tmp_path / "out")


def test_predict_skips_a_bad_picture_when_told_to(model, tmp_path, monkeypatch, capfd):
    truncated(tmp_path / "a_bad.png")
    write_image(tmp_path / "b_good.png", np.zeros((40, 50, 3), np.uint8))
    arguments = ["predict", tmp_path, "--model", model, "--out", tmp_path / "out"]
    assert call([*arguments, "--on-error", "skip"], monkeypatch) == 0
    out, err = capfd.readouterr()
    assert "in 1 picture, 1 picture skipped" in out
    assert "a_bad.png" in err
    assert (tmp_path / "out" / "overlays" / "b_good.jpg").is_file()


def test_predict_that_skips_every_picture_leaves_nothing(model, tmp_path, monkeypatch, capfd):
    truncated(tmp_path / "bad.png")
    out = tmp_path / "out"
    arguments = ["predict", tmp_path / "bad.png", "--model", model, "--out", out]
    sentence = refused([*arguments, "--on-error", "skip"], monkeypatch, capfd)
    assert "none of 1 picture could be read" in sentence
    assert not files_in(out)


def test_predict_that_finds_damage_on_the_way_keeps_what_it_has(
    model, tmp_path, monkeypatch, capfd
):
    """Damage in the middle of a file shows when its pixels are read, not before the work."""
    write_image(tmp_path / "a.png", np.zeros((40, 50, 3), np.uint8))
    damaged_inside(tmp_path / "b.png")
    out = tmp_path / "out"
    arguments = ["predict", tmp_path, "--model", model, "--out", out]
    assert call(arguments, monkeypatch) == 2
    err = capfd.readouterr().err
    assert "Traceback" not in err
    assert "stopped after 1 of 2 pictures" in err
    assert "b.png is truncated or damaged" in err
    assert files_in(out) == ["overlays/a.jpg", "predictions.json"]


EARLIER = {
    "results": ("predictions.json", "predictions.json"),
    "overlays": ("overlays/old.jpg", "1 file(s) in overlays/"),
    "label masks": ("label_masks/old.png", "1 file(s) in label_masks/"),
}


@pytest.mark.parametrize("kind", EARLIER)
def test_predict_beside_earlier_results(kind, model, tmp_path, monkeypatch, capfd):
    name, told = EARLIER[kind]
    write_image(tmp_path / "a.png", np.zeros((40, 50, 3), np.uint8))
    old = tmp_path / "out" / name
    old.parent.mkdir(parents=True)
    old.write_text("old")
    arguments = ["predict", tmp_path / "a.png", "--model", model, "--out", tmp_path / "out"]
    sentence = refused(arguments, monkeypatch, capfd)
    assert f"which holds {told}: choose another folder" in sentence
    assert files_in(tmp_path / "out") == [name]
    assert old.read_text() == "old"


def test_predict_into_a_folder_with_other_things(model, tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", np.zeros((40, 50, 3), np.uint8))
    (tmp_path / "out" / "overlays").mkdir(parents=True)
    (tmp_path / "out" / "report.html").write_text("of an evaluation")
    arguments = ["predict", tmp_path / "a.png", "--model", model, "--out", tmp_path / "out"]
    assert call(arguments, monkeypatch) == 0
    assert files_in(tmp_path / "out") == ["overlays/a.jpg", "predictions.json", "report.html"]


def test_predict_on_a_folder_without_images(model, tmp_path, monkeypatch, capfd):
    (tmp_path / "empty").mkdir()
    sentence = refused(["predict", tmp_path / "empty", "--model", model], monkeypatch, capfd)
    assert "expected a folder with images" in sentence


def _undefined_category(content):
    content["annotations"][0]["category_id"] = 999


def _two_points(content):
    content["annotations"][0]["segmentation"] = [[1, 1, 9, 9]]


def _missing_image(content):
    content["annotations"][0]["image_id"] = 999


def _listed_twice(content):
    content["images"].append(dict(content["images"][0]))


RECORDS = {
    "a category the file does not define": (_undefined_category, "999"),
    "a polygon with two points": (_two_points, "3 points"),
    "an annotation for an image that is not there": (_missing_image, "999"),
    "an image listed twice": (_listed_twice, "image 10"),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_train_on_a_broken_record(kind, tmp_path, monkeypatch, capfd):
    plant, word = RECORDS[kind]
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        plant(content)
    out = tmp_path / "run"
    sentence = refused(["train", path, "--out", out, *SMALL], monkeypatch, capfd)
    assert word in sentence
    assert "--on-error skip" in sentence
    assert not out.exists()


def test_train_lists_what_it_leaves_out_before_the_first_step(tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path, images=6)
    with edited(path) as content:
        _two_points(content)
        _undefined_category(dict(annotations=content["annotations"][1:]))
    arguments = ["train", path, "--out", tmp_path / "run", "--on-error", "skip", *SMALL]
    assert call(arguments, monkeypatch) == 0
    err = capfd.readouterr().err
    assert "2 broken records left out" in err
    assert err.index("3 points") < err.index("training:")


def test_train_on_json_that_is_not_coco(tmp_path, monkeypatch, capfd):
    (tmp_path / "train.json").write_text('{"pictures": []}')
    sentence = refused(["train", tmp_path, "--out", tmp_path / "run"], monkeypatch, capfd)
    assert "train.json" in sentence
    assert not (tmp_path / "run").exists()


def test_train_on_a_folder_of_nothing(tmp_path, monkeypatch, capfd):
    (tmp_path / "data").mkdir()
    sentence = refused(["train", tmp_path / "data"], monkeypatch, capfd)
    assert "got an empty folder: `delineate data formats` shows" in sentence


UNKNOWN = {
    "recipe": (["--recipe", "mask_rcnn_nanno"], "mask_rcnn_nano"),
    "setting": (["--set", "optim.lrr=1"], "optim.lr"),
    "value": (["--set", "optim.lr=fast"], "optim.lr"),
    "no value": (["--set", "optim.lr"], "optim.lr"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_train_with_an_unknown_option(kind, tmp_path, monkeypatch, capfd):
    words, near = UNKNOWN[kind]
    path, out = tiny_coco(tmp_path), tmp_path / "run"
    assert near in refused(["train", path, "--out", out, *words], monkeypatch, capfd)
    assert not out.exists()


def results(annotations: Path, names: dict[str, str]) -> Path:
    """Write one result for each picture, under another name where `names` has one."""
    content = json.loads(annotations.read_text())
    entries = [
        {
            "image_id": number,
            "file_name": names.get(image["file_name"], image["file_name"]),
            "category_id": content["categories"][0]["id"],
            "score": 0.5,
            "bbox": [1, 1, 9, 9],
        }
        for number, image in enumerate(content["images"], start=1)
    ]
    path = annotations.with_name("results.json")
    path.write_text(json.dumps(entries))
    return path


def test_results_of_other_pictures_alone(tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path)
    foreign = results(path, {f"train_{i:02d}.png": f"other_{i}.png" for i in range(4)})
    out = tmp_path / "out"
    sentence = refused(["evaluate", foreign, path, "--out", out], monkeypatch, capfd)
    assert "got those of 4 others" in sentence
    assert not out.exists()


@pytest.mark.parametrize("number", ["0", "-3", "1.5", "1" + 20 * "0"])
def test_a_limit_of_detections_that_is_none(number, tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path)
    arguments = ["evaluate", results(path, {}), path, "--max-dets", number]
    sentence = refused(arguments, monkeypatch, capfd)
    assert f"expected another value for --max-dets, got '{number}'" in sentence


def test_a_picture_with_the_longest_name_is_written(model, tmp_path, monkeypatch):
    name = "n" * (os.pathconf(tmp_path, "PC_NAME_MAX") - 4)
    write_image(tmp_path / f"{name}.png", np.zeros((40, 50, 3), np.uint8))
    out = tmp_path / "out"
    arguments = ["predict", tmp_path / f"{name}.png", "--model", model, "--out", out]
    assert call(arguments, monkeypatch) == 0
    assert (out / "overlays" / f"{name}.jpg").is_file()


@pytest.mark.parametrize(
    "arguments",
    [["predict", "", "--model", "run"], ["train", "data", "--out", ""], ["demo", "--out="]],
)
def test_an_empty_value_is_refused(arguments, monkeypatch, capfd):
    assert "shell variable" in refused(arguments, monkeypatch, capfd)


def test_a_validation_split_without_objects(tmp_path, monkeypatch, capfd):
    data = tiny_coco(tmp_path)
    with edited(tmp_path / "train.json") as content:
        bare = {**content, "images": content["images"][:1], "annotations": []}
    (tmp_path / "val.json").write_text(json.dumps(bare))
    out = tmp_path / "out"
    sentence = refused(["train", data.parent, "--out", out, *SMALL], monkeypatch, capfd)
    assert "should have objects to measure by" in sentence
    assert not files_in(out)


def test_a_single_image_cannot_be_divided(tmp_path, monkeypatch, capfd):
    data, out = tiny_coco(tmp_path, images=1), tmp_path / "out"
    sentence = refused(["train", data, "--out", out, *SMALL], monkeypatch, capfd)
    assert "at least 2 images" in sentence
    assert "data.val_fraction=0" in sentence
    assert (
        call(["train", data, "--out", out, *SMALL, "--set", "data.val_fraction=0"], monkeypatch)
        == 0
    )


def test_resume_of_nothing(tmp_path, monkeypatch, capfd):
    data, out = tiny_coco(tmp_path), tmp_path / "typo"
    sentence = refused(["train", data, "--out", out, "--resume"], monkeypatch, capfd)
    assert "expected a run to go on with" in sentence
    assert not out.exists()


def test_a_run_in_the_folder_of_its_data(tmp_path, monkeypatch, capfd):
    data = tiny_coco(tmp_path).parent
    assert "folder of its own" in refused(["train", data, "--out", data], monkeypatch, capfd)


def test_two_budgets(tmp_path, monkeypatch, capfd):
    budgets = ["--set", "budget.steps=1", "--set", "budget.minutes=1"]
    sentence = refused(["train", tiny_coco(tmp_path), *budgets], monkeypatch, capfd)
    assert "budget.minutes and budget.steps: keep one" in sentence


def test_class_names_that_would_upset_a_terminal(tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        content["categories"][0]["name"] = "cat\x1b[31m"
    assert "control characters" in refused(["train", path], monkeypatch, capfd)
