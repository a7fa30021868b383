"""Bad input at the command line: one sentence, exit code 2, nothing half-written."""

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from builders import edited, tiny_coco
from delineate import build, save_model, write_image
from delineate.cli import main

FAST = ["--set", "budget.steps=1", "--set", "augment.crop=64"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "two.safetensors"
    save_model(build("maskrcnn_nano", classes=2), path)
    return path


def call(arguments: list[object], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command line in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["delineate", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def refused(
    arguments: list[object],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> str:
    """Run what must be refused; return the one sentence."""
    code = call(arguments, monkeypatch)
    out, err = capfd.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("delineate: ")]
    assert code == 2, err
    assert len(lines) == 1, err
    assert "Traceback" not in err
    assert out == ""
    return lines[0]


def huge_png(path: Path) -> None:
    """Write a valid header of 30000 x 30000 pixels, and no pixels."""
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        crc = zlib.crc32(kind + body)
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)
    path.write_bytes(data)


def truncated(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    write_image(path, noise)
    path.write_bytes(path.read_bytes()[:3000])


def damaged_inside(path: Path) -> None:
    """Write a picture whose header and end are sound, and whose pixels are not."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    write_image(path, noise)
    data = bytearray(path.read_bytes())
    data[4000:4100] = bytes(100)
    path.write_bytes(data)


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (truncated, "truncated"),
    "zero bytes": (lambda p: p.write_bytes(b""), "empty"),
    "a text file": (lambda p: p.write_text("not a picture\n" * 9), "image"),
    "30000 x 30000 by its header": (huge_png, "30000"),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_predict_on_a_bad_picture(kind, model, tmp_path, monkeypatch, capfd):
    make, word = PICTURES[kind]
    picture, out = tmp_path / "bad.png", tmp_path / "out"
    make(picture)
    sentence = refused(
        ["predict", picture, "--model", model, "--out", out], monkeypatch, capfd
    )
    assert "bad.png" in sentence
    assert word in sentence
    assert not files_in(out)


def test_predict_skips_a_bad_picture_when_told_to(model, tmp_path, monkeypatch, capfd):
    truncated(tmp_path / "a_bad.png")
    write_image(tmp_path / "b_good.png", np.zeros((40, 50, 3), np.uint8))
    arguments = ["predict", tmp_path, "--model", model, "--out", tmp_path / "out"]
    assert call([*arguments, "--on-error", "skip"], monkeypatch) == 0
    out, err = capfd.readouterr()
    assert "1 picture(s) skipped" in out
    assert "a_bad.png" in err
    assert (tmp_path / "out" / "overlays" / "b_good.jpg").is_file()


def test_predict_that_skips_every_picture_leaves_nothing(model, tmp_path, monkeypatch, capfd):
    truncated(tmp_path / "bad.png")
    out = tmp_path / "out"
    arguments = ["predict", tmp_path / "bad.png", "--model", model, "--out", out]
    sentence = refused([*arguments, "--on-error", "skip"], monkeypatch, capfd)
    assert "none of the 1 pictures" in sentence
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
    sentence = refused(["train", path, "--out", out, *FAST], monkeypatch, capfd)
    assert word in sentence
    assert "--on-error skip" in sentence
    assert not out.exists()


def test_train_lists_what_it_leaves_out_before_the_first_step(tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path, images=6)
    with edited(path) as content:
        _two_points(content)
        _undefined_category(dict(annotations=content["annotations"][1:]))
    arguments = ["train", path, "--out", tmp_path / "run", "--on-error", "skip", *FAST]
    assert call(arguments, monkeypatch) == 0
    err = capfd.readouterr().err
    assert "2 broken record(s) left out" in err
    assert err.index("3 points") < err.index("training:")


def test_train_on_json_that_is_not_coco(tmp_path, monkeypatch, capfd):
    (tmp_path / "train.json").write_text('{"pictures": []}')
    sentence = refused(["train", tmp_path, "--out", tmp_path / "run"], monkeypatch, capfd)
    assert "train.json" in sentence
    assert not (tmp_path / "run").exists()


def test_train_on_a_folder_of_nothing(tmp_path, monkeypatch, capfd):
    (tmp_path / "data").mkdir()
    assert "train.json" in refused(["train", tmp_path / "data"], monkeypatch, capfd)


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


def test_an_unknown_model_names_the_nearest(tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path)
    assert "maskrcnn_nano" in refused(["evaluate", "maskrcnn_nanno", path], monkeypatch, capfd)
    assert "maskrcnn_nano" in refused(["models", "show", "maskrcn_nano"], monkeypatch, capfd)


def test_a_checkpoint_of_another_program(tmp_path, monkeypatch, capfd):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": np.zeros((2, 2), np.float32)}, foreign)
    path = tiny_coco(tmp_path)
    assert "foreign.safetensors" in refused(["evaluate", foreign, path], monkeypatch, capfd)


def test_a_model_of_other_classes_shows_both_lists(model, tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path, classes=("disc", "box"))
    sentence = refused(["evaluate", model, path], monkeypatch, capfd)
    assert "class 1" in sentence
    assert "disc" in sentence


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


OF_A_MODEL = {
    "--images": ["--images", "pictures"],
    "--device": ["--device", "cpu"],
    "--on-error skip": ["--on-error", "skip"],
}


@pytest.mark.parametrize("flag", OF_A_MODEL)
def test_results_take_no_options_of_a_model(flag, tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path)
    arguments = ["evaluate", results(path, {}), path, *OF_A_MODEL[flag]]
    sentence = refused(arguments, monkeypatch, capfd)
    assert f"with {flag}, got" in sentence
    assert "leave the option out" in sentence


def test_a_place_that_cannot_be_written(model, tmp_path, monkeypatch, capfd):
    write_image(tmp_path / "a.png", np.zeros((40, 50, 3), np.uint8))
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "out"
    sentence = refused(
        ["predict", tmp_path / "a.png", "--model", model, "--out", out], monkeypatch, capfd
    )
    assert "cannot be written" in sentence


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(model, tmp_path, monkeypatch, capfd):
    write_image(tmp_path / "a.png", np.zeros((40, 50, 3), np.uint8))
    (tmp_path / "locked").mkdir(mode=0o500)
    out = tmp_path / "locked" / "out"
    refused(["predict", tmp_path / "a.png", "--model", model, "--out", out], monkeypatch, capfd)


@pytest.mark.skipif(sys.platform != "linux", reason="needs resource limits")
def test_a_full_disk_leaves_nothing_behind(model, tmp_path):
    """A limit on file sizes stands in for the full disk: the write fails part of the way."""
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    write_image(tmp_path / "a.png", noise)
    out = tmp_path / "out"
    words = ["predict", str(tmp_path / "a.png"), "--model", str(model), "--out", str(out)]
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from delineate.cli import main\n"
        f"sys.argv = ['delineate', *{words!r}, '--score', '0']\n"
        "main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 2, run.stderr
    assert run.stderr.count("delineate: ") == 1
    assert "Traceback" not in run.stderr
    assert not files_in(out)
