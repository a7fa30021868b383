"""The verbs, end to end on small data, as a user and as a machine calls them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from builders import tiny_coco
from delineate import open_dataset
from delineate.cli import main
from delineate.data.coco_write import write_coco
from delineate.data.synthetic import SyntheticScenes
from delineate.models.zoo import build
from delineate.predict.predictor import Prediction
from delineate.predict.writers import CocoResultsWriter
from delineate.weights.file import save_model

# fmt: off
MEASURES = [
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
]
# fmt: on
SMALL = [
    *("--set", "augment.crop=64"),
    *("--set", "batch_size=2"),
    *("--set", "model.slim_widths=[16,16,16,16,16]"),
    *("--set", "model.fpn_channels=16"),
    *("--set", "model.rpn_post_nms_train=32"),
    *("--set", "model.score_threshold=0"),  # four steps of learning find little
]


def call(arguments: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["delineate", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data folder and a run of a few steps on it."""
    data = tmp_path_factory.mktemp("data")
    tiny_coco(data, images=6)
    tiny_coco(data, images=3, name="val", seed=5)
    run = data.parent / "run"
    with pytest.MonkeyPatch.context() as patch:
        call(["train", data, "--out", run, "--set", "budget.steps=4", *SMALL], patch)
    return data, run


def test_a_run_folder_holds_what_is_promised(trained):
    _, run = trained
    names = {"config.yaml", "metrics.jsonl", "best.safetensors", "last", "metrics.json"}
    assert names | {"report.html"} <= {p.name for p in run.iterdir()}
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics) >= {"segm", "bbox"}


def test_evaluate_prints_one_json_object(trained, tmp_path, monkeypatch, capfd):
    data, run = trained
    capfd.readouterr()
    out = tmp_path / "out"
    call(["evaluate", run, data / "val.json", "--out", out, "--json"], monkeypatch)
    result = json.loads(capfd.readouterr().out)
    assert list(result["segm"]) == MEASURES
    assert list(result["bbox"]) == MEASURES
    assert json.loads((out / "metrics.json").read_text()) == result
    assert (out / "report.html").is_file()


def results_of(annotations: Path, out: Path, renamed: dict[str, str] | None = None) -> Path:
    """Write the truth as results, last picture first, some under the names of other pictures."""
    dataset = open_dataset(annotations)
    with CocoResultsWriter(out, dataset.classes) as writer:
        for index in reversed(range(len(dataset))):
            sample = dataset[index]
            found = sample.instances.replace(scores=np.full(len(sample.instances), 0.9), ids=None)
            name = (renamed or {}).get(sample.name, sample.name)
            writer.write(Prediction(name=name, image=sample.image, instances=found))
    return out


def test_the_truth_as_predictions_is_perfect_whatever_the_numbering(tmp_path, monkeypatch, capfd):
    """What `predict` writes is joined to the annotations by file name, not by its own numbers."""
    annotations = tiny_coco(tmp_path, images=5, name="val")
    results = results_of(annotations, tmp_path / "predictions.json")
    call(["evaluate", results, annotations, "--json"], monkeypatch)
    out, err = capfd.readouterr()
    result = json.loads(out)
    assert result["segm"]["AP"] == pytest.approx(1.0)
    assert result["bbox"]["AP"] == pytest.approx(1.0)
    assert err == ""


def test_results_of_other_pictures_are_counted_on_stderr(tmp_path, monkeypatch, capfd):
    annotations = tiny_coco(tmp_path, images=5, name="val")
    results = results_of(annotations, tmp_path / "p.json", {"val_01.png": "other.png"})
    out = tmp_path / "out"
    call(["evaluate", results, annotations, "--out", out, "--json"], monkeypatch)
    printed, told = capfd.readouterr()
    assert set(json.loads(printed)) == {"segm", "bbox"}
    assert f"left out 3 of 15 results, which belong to pictures that {annotations}" in told
    assert "3 of 15 results" in (out / "report.html").read_text()


def test_predict_then_evaluate_agrees_with_the_model(trained, tmp_path, monkeypatch, capfd):
    data, run = trained
    call(["predict", data / "images", "--model", run, "--out", tmp_path, "--score", 0], monkeypatch)
    assert json.loads((tmp_path / "predictions.json").read_text()), "nothing found: shows nothing"
    for limit, last in (([], "AR100"), (["--max-dets", 2], "AR2"), (["--max-dets", 999], "AR999")):
        scores = []
        for what in (run, tmp_path / "predictions.json"):
            capfd.readouterr()
            call(["evaluate", what, data / "val.json", "--json", *limit], monkeypatch)
            printed, told = capfd.readouterr()
            scores.append(json.loads(printed)["segm"])
            assert last in scores[-1]
            assert ("at most 300 objects" in told) == (last == "AR999" and what == run)
        assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_a_model_that_gives_fewer_objects_than_there_are_is_told(tmp_path, monkeypatch, capfd):
    write_coco(tmp_path / "val.json", SyntheticScenes(1, size=(64, 64), objects=(6, 6)))
    for most, is_told in ((2, True), (50, False)):
        model = build(
            "maskrcnn_nano", classes=SyntheticScenes(1).classes, detections_per_image=most
        )
        save_model(model, tmp_path / "model.safetensors")
        arguments = ["evaluate", tmp_path / "model.safetensors", tmp_path, "--max-dets", 1]
        call(arguments, monkeypatch)
        assert (f"itself gives at most {most} objects" in capfd.readouterr().err) == is_told


def test_label_masks_are_written_when_asked_for(trained, tmp_path, monkeypatch):
    data, run = trained
    picture = sorted((data / "images").iterdir())[0]
    words = ["--out", tmp_path, "--label-masks", "--no-overlays"]
    call(["predict", picture, "--model", run, *words], monkeypatch)
    assert [p.suffix for p in (tmp_path / "label_masks").iterdir()] == [".png"]
    assert not (tmp_path / "overlays").exists()


def test_models_list_and_show(trained, monkeypatch, capfd):
    _, run = trained
    capfd.readouterr()
    call(["models", "list", "--json"], monkeypatch)
    rows = json.loads(capfd.readouterr().out)["models"]
    assert "maskrcnn_resnet50_fpn" in [row["name"] for row in rows]
    call(["models", "show", "maskrcnn_nano", "--json"], monkeypatch)
    assert json.loads(capfd.readouterr().out)["parameters"] > 1e6
    call(["models", "show", run], monkeypatch)
    assert "disc" in capfd.readouterr().out


def test_a_second_run_in_the_same_folder_is_refused(trained, monkeypatch, capfd):
    data, run = trained
    monkeypatch.setattr(sys, "argv", ["delineate", "train", str(data), "--out", str(run)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "--resume" in capfd.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_exits_130_and_loses_nothing(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    tiny_coco(data, images=6)
    run = tmp_path / "run"
    words = ["train", str(data), "--out", str(run), "--set", "budget.steps=100000", *SMALL]
    command = [sys.executable, "-m", "delineate.cli", *words]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log = run / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    assert "--resume" in err
    assert list((run / "last").iterdir())


@pytest.mark.slow
def test_the_demo_learns(tmp_path):
    """`delineate demo` within five minutes on two cores: mask AP50 of at least 0.80."""
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "delineate.cli", "demo", "--out", str(out), "--json"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["segm"]["AP50"] >= 0.80
    assert len(list((out / "test" / "overlays").iterdir())) == 40
