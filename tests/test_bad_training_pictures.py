"""Bad pictures in a training set: told before the first epoch, with their number and a choice."""

import json
import re
from pathlib import Path

import pytest

from bad_pictures import PICTURES, damaged_inside
from builders import edited, tiny_coco
from command_line import SMALL, call, files_in, refused


def image_of(path: Path, index: int) -> Path:
    return path.parent / "images" / f"{path.stem}_{index:02d}.png"


def missing(path: Path, index: int) -> None:
    image_of(path, index).unlink()


def listed_twice(path: Path, index: int) -> None:
    with edited(path) as content:
        content["images"].append({**content["images"][index], "id": 900 + index})


def of_kind(kind):
    def plant(path: Path, index: int) -> None:
        PICTURES[kind][0](image_of(path, index))

    return plant


FAULTS = {kind: (of_kind(kind), word) for kind, (_, word) in PICTURES.items()} | {
    "missing": (missing, "its file is missing"),
    "listed twice": (listed_twice, "its file is listed already"),
}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("split", ["train", "val"])
def test_one_bad_picture_stops_before_there_is_a_run(kind, split, tmp_path, monkeypatch, capfd):
    plant, word = FAULTS[kind]
    files = {name: tiny_coco(tmp_path, name=name) for name in ("train", "val")}
    plant(files[split], 1)
    out = tmp_path / "run"
    sentence = refused(["train", tmp_path, "--out", out, *SMALL], monkeypatch, capfd)
    assert f"{split}.json: 1 broken record" in sentence
    assert f"'{split}_01.png': " in sentence
    assert word in sentence
    assert sentence.endswith("mend them, or pass --on-error skip to leave them out.")
    assert not out.exists()


@pytest.fixture
def all_faults(tmp_path) -> Path:
    """Nine pictures, of which six have faults: one of each kind."""
    path = tiny_coco(tmp_path, images=9)
    for index, (plant, _) in enumerate(FAULTS.values()):
        plant(path, index)
    return path


def test_many_bad_pictures_are_counted(all_faults, tmp_path, monkeypatch, capfd):
    out = tmp_path / "run"
    sentence = refused(["train", all_faults, "--out", out, *SMALL], monkeypatch, capfd)
    assert "6 broken records" in sentence
    assert "and 1 more" in sentence
    assert not out.exists()


def test_bad_pictures_are_left_out_when_told_to(all_faults, tmp_path, monkeypatch, capfd):
    out = tmp_path / "run"
    arguments = ["train", all_faults, "--out", out, "--on-error", "skip", "--json", *SMALL]
    assert call(arguments, monkeypatch) == 0
    printed, err = capfd.readouterr()
    assert json.loads(printed)["step"] == 1
    before = err[: err.index("training: ")]
    assert "6 broken records left out:" in before
    for _, word in FAULTS.values():
        assert word in before
    assert re.search(r"training: 3 images in \d+ crops an epoch, 1 for validation", err)
    assert "Traceback" not in err


def test_no_picture_is_left(tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path, images=2)
    for index in range(2):
        image_of(path, index).write_bytes(b"")
    out = tmp_path / "run"
    arguments = ["train", path, "--out", out, "--on-error", "skip", *SMALL]
    assert "none of its 2 can be used" in refused(arguments, monkeypatch, capfd)
    assert not out.exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_damage_that_shows_when_pixels_are_read(workers, tmp_path, monkeypatch, capfd):
    """Header and end of the file are sound: the run stops between two steps and can go on."""
    path = tiny_coco(tmp_path, images=2, size=(64, 64))
    tiny_coco(tmp_path, images=1, name="val", size=(64, 64))
    whole = image_of(path, 1).read_bytes()
    damaged_inside(image_of(path, 1))
    out = tmp_path / "run"
    settings = [*SMALL, "--set", f"data.workers={workers}", "--set", "batch_size=2"]
    sentence = refused(["train", tmp_path, "--out", out, *settings], monkeypatch, capfd)
    assert "train_01.png is truncated or damaged" in sentence
    assert "the run stopped after step 0" in sentence
    assert "--resume goes on" in sentence
    assert files_in(out) == ["config.yaml", "last/checkpoint.safetensors", "metrics.jsonl"]
    image_of(path, 1).write_bytes(whole)
    assert call(["train", tmp_path, "--out", out, *settings, "--resume"], monkeypatch) == 0
    assert "best.safetensors" in files_in(out)
