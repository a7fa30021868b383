"""`delineate evaluate ... DATA --panoptic`, from the command line, with files and with models."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from goldens import Golden

from builders import edited
from command_line import SMALL, call, refused
from delineate.core.panoptic import Panoptic, areas_by_id, to_semantic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.coco_panoptic import read_coco_panoptic
from delineate.data.coco_panoptic_write import write_coco_panoptic, write_panoptic_results
from delineate.data.coco_write import write_coco
from delineate.data.sample import ImageRecord
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.evaluate.panoptic import PanopticMetric
from delineate.evaluate.semantic import SemanticMetric
from delineate.models.zoo import MODELS, build
from delineate.predict.predictor import Predictor
from delineate.weights.file import save_model
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
        (["--device", "cpu"], "no --device with"),
        (["--max-dets", "300"], "expected no --max-dets with --panoptic"),
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
    assert shown["per_class"].keys() == {
        str(c) for c in PanopticScenes(1).panoptic_classes.source_ids
    }


def test_a_model_and_the_file_of_its_answers_measure_the_same(drawn, tmp_path, monkeypatch, capfd):
    truth = read_coco_panoptic(drawn / "val.json")
    classes = truth.panoptic_classes
    mirrored = {}
    for i, record in enumerate(truth.records):
        here = truth.panoptic(i)
        ids = here.ids.copy()
        ids[:, 40:] = ids[:, 39:15:-1]  # about half of it is right
        areas = areas_by_id(ids)
        segments = tuple(replace(s, area=areas[s.id]) for s in here.segments if s.id in areas)
        mirrored[record.path] = Panoptic(ids=ids, segments=segments, classes=classes)
    monkeypatch.setattr(Predictor, "panoptic", lambda _, picture: mirrored[picture])
    config = MODELS["panoptic_fpn_resnet50"].config.replace(
        backbone="slim", backbone_norm="batch", stride_in_1x1=False, fpn_channels=16
    )
    model = build(config.with_stuff(classes.stuff), classes=classes.things)
    save_model(model, tmp_path / "model.safetensors")
    write_panoptic_results(
        tmp_path / "found.json", classes, zip(truth.records, mirrored.values(), strict=True)
    )
    shown = []
    for source in ("model.safetensors", "found.json"):
        arguments = ["evaluate", tmp_path / source, drawn, "--panoptic", "--json"]
        assert call(arguments, monkeypatch) == 0
        shown.append(json.loads(capfd.readouterr().out))
    assert shown[0] == shown[1]
    assert 0.1 < shown[0]["All"]["pq"] < 0.9


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
    assert shown["per_class"].keys() == {
        str(c) for c in PanopticScenes(1).panoptic_classes.source_ids
    }


def test_a_thing_that_is_stuff_in_the_data_is_refused(drawn, tmp_path, monkeypatch, capfd):
    model = build("maskrcnn_nano", classes=[*PanopticScenes(1).classes.names, "sky"])
    save_model(model, tmp_path / "model.safetensors")
    arguments = ["evaluate", tmp_path / "model.safetensors", drawn, "--panoptic"]
    assert "got sky: a thing for" in refused(arguments, monkeypatch, capfd)


def test_other_classes_than_the_models_are_refused(drawn, files, tmp_path, monkeypatch, capfd):
    run = tmp_path / "run"
    assert call(["train", drawn, "--out", run, *SMALL], monkeypatch) == 0
    capfd.readouterr()
    said = refused(["evaluate", run, files[0], "--panoptic"], monkeypatch, capfd)
    assert "'cat'" in said or "cat," in said


def test_a_model_is_not_measured_panoptically_on_objects_alone(drawn, tmp_path, monkeypatch, capfd):
    run = tmp_path / "run"
    assert call(["train", drawn, "--out", run, *SMALL], monkeypatch) == 0
    write_coco(tmp_path / "objects" / "val.json", SyntheticScenes(1, size=(64, 64)))
    capfd.readouterr()
    said = refused(["evaluate", run, tmp_path / "objects", "--panoptic"], monkeypatch, capfd)
    assert "segments_info" in said
