"""`delineate evaluate ... DATA --panoptic`, from the command line, with files and with models."""

import json
import subprocess
import sys

import pytest
from goldens import Golden

from builders import edited
from command_line import SMALL, call, refused
from delineate.core.panoptic import to_semantic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.coco_panoptic import read_coco_panoptic
from delineate.data.coco_panoptic_write import write_coco_panoptic, write_panoptic_results
from delineate.data.coco_write import write_coco
from delineate.data.sample import ImageRecord
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.evaluate.panoptic import PanopticMetric
from delineate.evaluate.semantic import SemanticMetric
from delineate.predict.predictor import Predictor
from delineate.weights.load import load
from panoptic_cases import (
    CLASSES,
    golden_pairs,
    random_panoptic,
    tiny_coco_panoptic,
)


@pytest.fixture
def files(tmp_path):
    """A folder of truth, and predictions for it."""
    tiny_coco_panoptic(tmp_path / "data")
    return tmp_path / "data", tiny_coco_panoptic(tmp_path, name="found", first_seed=1)


def test_json_is_what_the_metrics_say(files, monkeypatch, capfd):
    data, found = files
    assert call(["evaluate", found, data, "--panoptic", "--json"], monkeypatch) == 0
    shown = json.loads(capfd.readouterr().out)
    segments, pixels = PanopticMetric(CLASSES), SemanticMetric(CLASSES.names)
    for k in (0, 2):
        pair = random_panoptic(k), random_panoptic(k + 1)
        segments.update(*pair)
        pixels.update(*map(to_semantic, pair))
    assert shown == {**segments.compute().to_json(), "semantic": pixels.compute().to_json()}
    assert 0.2 < shown["All"]["pq"] < 0.9


def test_truth_against_itself_is_1(files, monkeypatch, capfd):
    data, _ = files
    with edited(data / "val.json") as content:  # the quirk with several crowds stays out of this
        for annotation in content["annotations"]:
            for segment in annotation["segments_info"]:
                segment["iscrowd"] = 0
    assert call(["evaluate", data / "val.json", data, "--panoptic"], monkeypatch) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[1:4] for line in lines[1:4]] == [["1.000"] * 3] * 3


def test_equals_panopticapi_from_files(goldens, tmp_path, monkeypatch, capfd):
    golden = Golden(goldens / "pq_synthetic.npz")
    classes = PanopticClasses.from_coco(golden.json("categories.json"))
    pairs = list(golden_pairs(golden, classes))
    for name, sides in zip(("val", "found"), zip(*pairs, strict=True), strict=True):
        records = [
            ImageRecord(image_id=i, name=f"{i}.jpg", path=None, size=side.image_size)
            for i, side in enumerate(sides)
        ]
        pictured = zip(records, sides, strict=True)
        write_panoptic_results(tmp_path / f"{name}.json", classes, pictured)
    arguments = ["evaluate", tmp_path / "found.json", tmp_path / "val.json"]
    assert call([*arguments, "--panoptic", "--json"], monkeypatch) == 0
    shown = json.loads(capfd.readouterr().out)
    expected = golden.json("expected.json")
    for group in ("All", "Things", "Stuff"):
        assert shown[group] == pytest.approx(expected[group], abs=1e-12)


def test_stated_areas_of_the_truth_count(files, monkeypatch, capfd):
    data, found = files
    results = []
    for factor in (1, 3):
        with edited(data / "val.json") as content:
            for annotation in content["annotations"]:
                for segment in annotation["segments_info"]:
                    segment["area"] *= factor
        call(["evaluate", found, data, "--panoptic", "--json"], monkeypatch)
        results.append(json.loads(capfd.readouterr().out)["All"]["pq"])
    assert results[1] < results[0]


def test_out_and_foreign_images(files, tmp_path, monkeypatch, capfd):
    data, found = files
    with edited(found) as content:
        content["annotations"].append({"image_id": 7, "file_name": "x.png", "segments_info": []})
    out = tmp_path / "out"
    call(["evaluate", found, data, "--panoptic", "--json", "--out", out], monkeypatch)
    shown, told = capfd.readouterr()
    assert json.loads((out / "metrics.json").read_text()) == json.loads(shown)
    assert "left out predictions for 1 image(s)" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cpu"], "with --device"),
        (["--max-dets", "300"], "--max-dets 300 came with it"),
    ],
)
def test_options_that_mean_nothing_are_refused(files, monkeypatch, capfd, arguments, message):
    data, found = files
    said = refused(["evaluate", found, data, "--panoptic", *arguments], monkeypatch, capfd)
    assert message in said


def test_what_is_no_panoptic_file_is_refused(files, monkeypatch, capfd):
    data, found = files
    said = refused(["evaluate", "run", data, "--panoptic"], monkeypatch, capfd)
    assert "expected a checkpoint" in said
    found.write_text("[]")
    said = refused(["evaluate", found, data, "--panoptic"], monkeypatch, capfd)
    assert "expected panoptic results" in said
    said = refused(["evaluate", found, data / "none.json", "--panoptic"], monkeypatch, capfd)
    assert "none.json" in said


def test_it_does_not_wake_torch(files):
    data, found = files
    code = (
        "import sys\nfrom delineate.cli import main\n"
        f"sys.argv = ['delineate', 'evaluate', {str(found)!r}, {str(data)!r}, '--panoptic']\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "assert 'torch' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "PQ" in run.stdout


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder of drawn scenes with stuff."""
    folder = tmp_path_factory.mktemp("drawn")
    for split, count, seed in (("train", 4, 0), ("val", 2, 1)):
        write_coco_panoptic(
            folder / f"{split}.json", PanopticScenes(count, size=(64, 64), seed=seed)
        )
    return folder


def test_a_model_is_trained_and_measured_by_the_command_line(drawn, tmp_path, monkeypatch, capfd):
    run = tmp_path / "run"
    train = ["train", drawn, "--recipe", "panoptic_fpn_nano", "--out", run, *SMALL]
    assert call([*train, "--set", "model.stuff_channels=32"], monkeypatch) == 0
    out, err = capfd.readouterr()
    assert "validation panoptic PQ" in err
    assert "PQ_stuff" in out
    assert call(["evaluate", run, drawn, "--panoptic", "--json"], monkeypatch) == 0
    shown = json.loads(capfd.readouterr().out)
    assert json.loads((run / "panoptic-val" / "metrics.json").read_text()) == shown
    kept = json.loads((run / "metrics.json").read_text())["panoptic"]
    assert shown["All"]["pq"] == pytest.approx(kept["PQ"], abs=1e-6)

    truth, predictor = read_coco_panoptic(drawn / "val.json"), Predictor(load(run))
    found = [(r, predictor.panoptic(r.path)) for r in truth.records]
    write_panoptic_results(tmp_path / "found.json", truth.panoptic_classes, found)
    assert call(["evaluate", tmp_path / "found.json", drawn, "--panoptic"], monkeypatch) == 0


def test_a_model_without_stuff_misses_it(drawn, tmp_path, monkeypatch, capfd):
    run = tmp_path / "run"
    assert call(["train", drawn, "--out", run, *SMALL], monkeypatch) == 0
    capfd.readouterr()
    assert call(["evaluate", run, drawn / "val.json", "--panoptic", "--json"], monkeypatch) == 0
    out, err = capfd.readouterr()
    assert "knows no stuff" in err
    shown = json.loads(out)
    assert shown["Stuff"]["pq"] == 0
    assert shown["Stuff"]["n"] > 0


def test_other_classes_than_the_models_are_refused(drawn, files, tmp_path, monkeypatch, capfd):
    run = tmp_path / "run"
    assert call(["train", drawn, "--out", run, *SMALL], monkeypatch) == 0
    capfd.readouterr()
    assert "cat" in refused(["evaluate", run, files[0], "--panoptic"], monkeypatch, capfd)


def test_a_model_is_not_measured_panoptically_on_objects_alone(drawn, tmp_path, monkeypatch, capfd):
    run = tmp_path / "run"
    assert call(["train", drawn, "--out", run, *SMALL], monkeypatch) == 0
    write_coco(tmp_path / "objects" / "val.json", SyntheticScenes(1, size=(64, 64)))
    capfd.readouterr()
    said = refused(["evaluate", run, tmp_path / "objects", "--panoptic"], monkeypatch, capfd)
    assert "segments_info" in said
