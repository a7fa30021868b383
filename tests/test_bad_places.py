"""Places that cannot be written, full disks: one sentence, exit code 2, nothing half-written.

They hold for root too, whom no permission stops: nobody makes folders under a file or in /sys.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from builders import tiny_coco
from command_line import SMALL, call, files_in, full_disk, refused
from delineate import build, save_model, write_image


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what every verb reads: a model, data, a picture, results."""
    folder = tmp_path_factory.mktemp("work")
    annotations = tiny_coco(folder, classes=("class 1", "class 2"))
    save_model(build("maskrcnn_nano", classes=2), folder / "model.safetensors")
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    write_image(folder / "a.png", noise)
    content = json.loads(annotations.read_text())
    keys = ("image_id", "category_id", "bbox")
    entries = [{key: a[key] for key in keys} | {"score": 0.5} for a in content["annotations"]]
    (folder / "results.json").write_text(json.dumps(entries))
    return folder


VERBS = {
    "train": lambda work: ["train", work / "train.json", *SMALL],
    "predict": lambda work: [
        *("predict", work / "a.png", "--model", work / "model.safetensors", "--score", "0")
    ],
    "evaluate": lambda work: ["evaluate", work / "model.safetensors", work / "train.json"],
    "evaluate results": lambda work: ["evaluate", work / "results.json", work / "train.json"],
}
every_verb = pytest.mark.parametrize("verb", VERBS)


@every_verb
@pytest.mark.parametrize("name", ["file/out", "file"])
def test_a_place_that_is_no_folder(name, verb, work, tmp_path, monkeypatch, capfd):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / name
    sentence = refused([*VERBS[verb](work), "--out", out], monkeypatch, capfd)
    assert f"{out} cannot be written" in sentence
    assert files_in(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "in the way"


@every_verb
@pytest.mark.skipif(sys.platform != "linux", reason="needs folders where nobody may make others")
@pytest.mark.parametrize("place", ["/sys", "/proc"])
def test_a_place_without_permission(place, verb, work, monkeypatch, capfd):
    arguments = [*VERBS[verb](work), "--out", f"{place}/delineate"]
    sentence = refused(arguments, monkeypatch, capfd)
    assert f"{place}/delineate cannot be written" in sentence
    assert sentence.endswith("choose a folder that you may write to.")


@every_verb
@pytest.mark.parametrize("target", ["gone", "link"])
@pytest.mark.parametrize("name", ["link", "link/out"])
def test_a_link_that_leads_nowhere(name, target, verb, work, tmp_path, monkeypatch, capfd):
    """Or to itself."""
    link, out = tmp_path / "link", tmp_path / name
    link.symlink_to(tmp_path / target)
    sentence = refused([*VERBS[verb](work), "--out", out], monkeypatch, capfd)
    assert sentence == (
        f"delineate: {out} cannot be written ({link} is a link that leads nowhere): remove it, or "
        "choose another place."
    )
    assert os.listdir(tmp_path) == ["link"]


@every_verb
@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(verb, work, tmp_path, monkeypatch, capfd):
    (tmp_path / "locked").mkdir(mode=0o500)
    refused([*VERBS[verb](work), "--out", tmp_path / "locked" / "out"], monkeypatch, capfd)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("verb", ["predict", "evaluate", "evaluate results"])
def test_a_full_disk_leaves_nothing_behind(verb, work, tmp_path, monkeypatch, capfd):
    out = tmp_path / "out"
    with full_disk():
        sentence = refused([*VERBS[verb](work), "--out", out], monkeypatch, capfd)
    assert "cannot be written (File too large)" in sentence
    assert files_in(out) == []


@pytest.mark.parametrize("verb", ["evaluate", "evaluate results"])
def test_a_full_disk_leaves_an_earlier_evaluation(verb, work, tmp_path, monkeypatch, capfd):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("metrics.json", "report.html"):
        (out / name).write_text("old")
    with full_disk():
        refused([*VERBS[verb](work), "--out", out], monkeypatch, capfd)
    assert files_in(out) == ["metrics.json", "report.html"]
    assert {(out / name).read_text() for name in files_in(out)} == {"old"}


def test_a_training_goes_on_when_there_is_room_again(work, tmp_path, monkeypatch, capfd):
    out = tmp_path / "run"
    arguments = [*VERBS["train"](work), "--out", out]
    with full_disk():
        sentence = refused(arguments, monkeypatch, capfd)
    assert "checkpoint.safetensors cannot be written" in sentence
    assert files_in(out) == ["config.yaml"]
    assert "--resume" in refused(arguments, monkeypatch, capfd)
    assert call([*arguments, "--resume"], monkeypatch) == 0
    assert {"best.safetensors", "metrics.json", "report.html"} <= set(files_in(out))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_below_the_standard_output(buffered, work):
    words = [str(word) for word in VERBS["evaluate results"](work)]
    environment = {**os.environ, "PYTHONUNBUFFERED": buffered}
    with open("/dev/full", "wb") as full:
        run = subprocess.run(
            [sys.executable, "-m", "delineate.cli", *words, "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "delineate: the standard output cannot be written (No space left on device): make room on "
        "the disk."
    ]
