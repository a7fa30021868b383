"""`delineate predict PICTURES --panoptic`, from the command line."""

import json
import os
import shutil
import signal
from itertools import count

import numpy as np
import pytest
from PIL import Image

from command_line import SMALL, call, files_in, refused
from delineate.data.coco_panoptic_write import write_coco_panoptic
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import DataError
from delineate.models.zoo import build
from delineate.predict.predictor import Predictor
from delineate.weights.file import save_model
from delineate.weights.load import load


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder of three drawn scenes with stuff, and a run on them."""
    folder = tmp_path_factory.mktemp("drawn")
    for split, seed in (("train", 0), ("val", 1)):
        write_coco_panoptic(folder / f"{split}.json", PanopticScenes(3, size=(64, 64), seed=seed))
    with pytest.MonkeyPatch.context() as patch:
        train = ["train", folder, "--recipe", "panoptic_fpn_nano", "--out", folder / "run", *SMALL]
        small = ["--set", "model.stuff_channels=32", "--set", "model.stuff_area=16"]
        assert call([*train, *small], patch) == 0
    return folder


def predict(drawn, out, *more):
    pictures = sorted((drawn / "images").iterdir())[-3:]
    return ["predict", *pictures, "--model", drawn / "run", "--out", out, "--panoptic", *more]


def test_what_is_written_is_what_the_model_says(drawn, tmp_path, monkeypatch, capfd):
    out = tmp_path / "out"
    assert call(predict(drawn, out, "--json"), monkeypatch) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["images"] == 3
    assert told["panoptic"] == str(out / "panoptic.json")
    content = json.loads((out / "panoptic.json").read_text())
    assert told["segments"] == sum(len(a["segments_info"]) for a in content["annotations"]) > 0
    kinds = {"panoptic": ".png", "overlays": ".jpg"}
    for folder, suffix in kinds.items():
        assert len([f for f in files_in(out / folder) if f.endswith(suffix)]) == 3
    find = Predictor(load(drawn / "run"))
    for image, entry in zip(content["images"], content["annotations"], strict=True):
        whole = find.panoptic(drawn / "images" / image["file_name"])
        colours = np.asarray(Image.open(out / "panoptic" / entry["file_name"])).astype(np.int64)
        assert (colours @ [1, 256, 65536] == whole.ids).all()


def test_it_is_measured_as_the_model_is_whatever_the_order(drawn, tmp_path, monkeypatch, capfd):
    pictures = sorted((drawn / "images").iterdir())[::-1]
    out = tmp_path / "out"
    arguments = ["predict", *pictures, "--model", drawn / "run", "--out", out, "--panoptic"]
    assert call([*arguments, "--no-overlays"], monkeypatch) == 0
    assert not (out / "overlays").exists()
    shown = []
    for found in (drawn / "run", out / "panoptic.json"):
        capfd.readouterr()
        assert call(["evaluate", found, drawn, "--panoptic", "--json"], monkeypatch) == 0
        shown.append(json.loads(capfd.readouterr().out))
    assert shown[0] == shown[1]


def test_pictures_of_one_name_stay_apart(drawn, tmp_path, monkeypatch):
    [picture, *_] = sorted((drawn / "images").iterdir())
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(picture, tmp_path / folder / "same.png")
    arguments = ["predict", tmp_path / "a", tmp_path / "b", "--model", drawn / "run", "--panoptic"]
    assert call([*arguments, "--out", tmp_path / "out"], monkeypatch) == 0
    content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    names = [image["file_name"] for image in content["images"]]
    assert len(set(names)) == 2
    assert all(name.endswith("same.png") for name in names)
    for entry in content["annotations"]:
        assert (tmp_path / "out" / "panoptic" / entry["file_name"]).is_file()
    assert files_in(tmp_path / "out" / "overlays") == ["same.jpg", "same_2.jpg"]


def test_broken_pictures_stop_it_or_are_skipped(drawn, tmp_path, monkeypatch, capfd):
    (tmp_path / "bad.jpg").write_text("no picture")
    arguments = predict(drawn, tmp_path / "out")
    arguments.insert(1, tmp_path / "bad.jpg")
    assert "bad.jpg" in refused(arguments, monkeypatch, capfd)
    assert not (tmp_path / "out").exists()
    assert call([*arguments, "--on-error", "skip", "--json"], monkeypatch) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["skipped"] == 1
    assert "skipped" in err
    only_bad = ["predict", tmp_path / "bad.jpg", "--model", drawn / "run", "--panoptic"]
    said = refused([*only_bad, "--on-error", "skip", "--out", tmp_path / "o"], monkeypatch, capfd)
    assert "none of 1 picture could be read" in said
    assert files_in(tmp_path / "o") == []


def test_a_file_where_a_folder_should_be_is_told_before_the_work(
    drawn, tmp_path, monkeypatch, capfd
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "panoptic").write_text("mine")
    said = refused(predict(drawn, tmp_path / "out"), monkeypatch, capfd)
    assert "holds a file panoptic" in said
    assert files_in(tmp_path / "out") == ["panoptic"]


def test_names_that_differ_in_case_have_maps_of_their_own(drawn, tmp_path, monkeypatch):
    [picture, *_] = sorted((drawn / "images").iterdir())
    for name in ("x.png", "X.png"):
        shutil.copy(picture, tmp_path / name)
    pictures = [tmp_path / "x.png", tmp_path / "X.png"]
    arguments = ["predict", *pictures, "--model", drawn / "run", "--panoptic"]
    assert call([*arguments, "--out", tmp_path / "out"], monkeypatch) == 0
    maps = files_in(tmp_path / "out" / "panoptic")
    assert len({name.casefold() for name in maps}) == 2


def test_results_of_other_classes_are_refused(drawn, tmp_path, monkeypatch, capfd):
    assert call(predict(drawn, tmp_path / "out"), monkeypatch) == 0
    found = tmp_path / "out" / "panoptic.json"
    content = json.loads(found.read_text())
    for category in content["categories"]:
        category["name"] += " of others"
    found.write_text(json.dumps(content))
    capfd.readouterr()
    said = refused(["evaluate", found, drawn, "--panoptic"], monkeypatch, capfd)
    assert "expected segments of the truth's classes, such as" in said


def test_what_the_model_says_is_not_taken_for_a_broken_picture(drawn, tmp_path, monkeypatch, capfd):
    def diverged(self, image):
        raise DataError("the network has diverged: train it again.")

    monkeypatch.setattr(Predictor, "panoptic", diverged)
    assert "has diverged" in refused(predict(drawn, tmp_path / "out"), monkeypatch, capfd)


def test_classes_are_joined_by_name(drawn, tmp_path, monkeypatch, capfd):
    assert call(predict(drawn, tmp_path / "out"), monkeypatch) == 0
    found, shown = tmp_path / "out" / "panoptic.json", []
    for shift in (0, 100):
        content = json.loads(found.read_text())
        for record in [*content["categories"]]:
            record["id"] += shift
        for annotation in content["annotations"]:
            for segment in annotation["segments_info"]:
                segment["category_id"] += shift
        found.write_text(json.dumps(content))
        capfd.readouterr()
        assert call(["evaluate", found, drawn, "--panoptic", "--json"], monkeypatch) == 0
        shown.append(json.loads(capfd.readouterr().out))
    assert shown[0] == shown[1]
    content["categories"][0]["name"] = content["categories"][-1]["name"] + "s"
    for annotation in content["annotations"]:
        for segment in annotation["segments_info"]:
            segment["category_id"] = content["categories"][0]["id"]
    found.write_text(json.dumps(content))
    said = refused(["evaluate", found, drawn, "--panoptic"], monkeypatch, capfd)
    assert "did you mean" in said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_there_is(number, code, drawn, tmp_path, monkeypatch, capfd):
    answer, calls = Predictor.panoptic, count(1)

    def interrupted(self, image):
        if next(calls) == 2:
            os.kill(os.getpid(), number)
        return answer(self, image)

    monkeypatch.setattr(Predictor, "panoptic", interrupted)
    assert call(predict(drawn, tmp_path / "out"), monkeypatch) == code
    assert "stopped after 2 of 3 pictures" in capfd.readouterr().err
    content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    assert len(content["annotations"]) == len(content["images"]) == 2


def test_results_of_before_are_not_mixed_with_new_ones(drawn, tmp_path, monkeypatch, capfd):
    assert call(predict(drawn, tmp_path / "out"), monkeypatch) == 0
    capfd.readouterr()
    said = refused(predict(drawn, tmp_path / "out"), monkeypatch, capfd)
    assert "panoptic.json" in said
    objects = [word for word in predict(drawn, tmp_path / "out") if word != "--panoptic"]
    assert "3 file(s) in panoptic/" in refused(objects, monkeypatch, capfd)


@pytest.mark.parametrize("option", [["--score", "0.3"], ["--label-masks"], ["--batch-size", "2"]])
def test_options_about_objects_are_refused(drawn, tmp_path, monkeypatch, capfd, option):
    said = refused(predict(drawn, tmp_path / "out", *option), monkeypatch, capfd)
    assert option[0] in said


def test_boxes_alone_have_no_segments(drawn, tmp_path, monkeypatch, capfd):
    small = {"backbone": "slim", "channels": 128, "encoder_layers": 0, "decoder_layers": 1}
    model = build("detr_resnet50", classes=["cat"], masks=False, feedforward=32, **small)
    save_model(model, tmp_path / "boxes.safetensors")
    arguments = predict(drawn, tmp_path / "out")
    arguments[arguments.index("--model") + 1] = tmp_path / "boxes.safetensors"
    assert "boxes" in refused(arguments, monkeypatch, capfd)
    assert not (tmp_path / "out" / "panoptic.json").exists()


def test_results_of_other_pictures_are_not_taken_for_the_truths(
    drawn, tmp_path, monkeypatch, capfd
):
    assert call(predict(drawn, tmp_path / "out"), monkeypatch) == 0
    found = tmp_path / "out" / "panoptic.json"
    content = json.loads(found.read_text())
    for number, image in enumerate(content["images"]):
        image["file_name"] = f"other{number}.png"
    found.write_text(json.dumps(content))
    capfd.readouterr()
    said = refused(["evaluate", found, drawn, "--panoptic"], monkeypatch, capfd)
    assert "expected predictions of the truth's 3 pictures" in said
