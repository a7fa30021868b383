"""`delineate data check --model`: a model's view of the labels, from its results or itself."""

import json

import numpy as np
import pytest
import torch

from command_line import call, refused
from delineate.core.classes import ClassMap
from delineate.data.coco_write import write_coco
from delineate.data.formats import open_splits
from delineate.data.split import split as divided
from delineate.data.synthetic import SyntheticScenes
from delineate.jobs import label_check
from delineate.jobs.label_check import check_labels
from delineate.jobs.label_results import check_results
from delineate.quality.findings import Finding, place_of
from delineate.quality.report_html import write_doctor_report
from delineate.recipes.table import recipe_by_name
from delineate.train import checkpoint
from delineate.train.checkpoint import Checkpoint, Origin, Position

CLASSES = ("pebble", "leaf", "star")


@pytest.fixture
def data(tmp_path):
    for seed, (split, count) in enumerate({"train": 14, "val": 12}.items()):
        scenes = SyntheticScenes(count, size=(96, 128), seed=seed, classes=CLASSES)
        write_coco(tmp_path / "data" / f"{split}.json", scenes)
    content = json.loads((tmp_path / "data" / "val.json").read_text())
    for image in content["images"]:  # ids of their own
        image["id"] += 100
    for annotation in content["annotations"]:
        annotation["image_id"] += 100
    (tmp_path / "data" / "val.json").write_text(json.dumps(content))
    return tmp_path / "data"


def results_of(path, shape="segmentation"):
    """Write what a sure model says that sees the labels as they are; return its file."""
    rng = np.random.default_rng(0)
    results = [
        {
            "image_id": annotation["image_id"],
            "category_id": annotation["category_id"],
            shape: annotation[shape],
            "score": float(rng.uniform(0.8, 1)),
        }
        for annotation in json.loads(path.read_text())["annotations"]
    ]
    file = path.with_name("results.json")
    file.write_text(json.dumps(results))
    return file


def plant(path):
    """Take one label away, and give another class to one; return the ids of image and label."""
    content = json.loads(path.read_text())
    gone = content["annotations"].pop(3)
    swapped = content["annotations"][20]
    swapped["category_id"] = swapped["category_id"] % 3 + 1
    path.write_text(json.dumps(content))
    return gone["image_id"], swapped["id"]


@pytest.mark.parametrize("shape", ["segmentation", "bbox"])
def test_results_point_at_planted_errors(data, tmp_path, monkeypatch, capfd, shape):
    results = results_of(data / "val.json", shape)
    image_id, annotation_id = plant(data / "val.json")
    command = ["data", "check", data, "--model", results, "--out", tmp_path / "out"]
    assert call(command, monkeypatch) == 0
    findings = json.loads((tmp_path / "out" / "findings.json").read_text())
    told = [f for f in findings if f["severity"] == "warning"]
    assert {f["kind"] for f in told} == {"missing_label", "misclassified"}
    missing, wrong = sorted(told, key=lambda f: f["kind"] == "misclassified")
    assert (missing["place"]["split"], missing["place"]["image_id"]) == ("val", image_id)
    assert wrong["place"]["ids"] == [annotation_id]
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'id="show-predicted"' in page
    assert page.count("<figure") == len(findings)
    assert "misclassified" in capfd.readouterr()[0]
    only = [*command[:-2], "--only", "missing_label", "--strict"]
    assert call(only, monkeypatch) == 1
    assert "misclassified" not in capfd.readouterr()[0]


def test_a_model_that_agrees_with_no_label_is_told(data, tmp_path, monkeypatch, capfd):
    results = results_of(data / "val.json")
    content = json.loads(results.read_text())
    for result in content:
        result["category_id"] = result["category_id"] % 3 + 1
    results.write_text(json.dumps(content))
    command = ["data", "check", data, "--model", results, "--out", tmp_path / "out"]
    assert call(command, monkeypatch) == 0
    assert "does not know these objects" in capfd.readouterr()[0]
    findings = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert [f["kind"] for f in findings if "model" in f["why"]] == ["strange_to_model"]
    assert "strange_to_model" in (tmp_path / "out" / "report.html").read_text()
    only = ["data", "check", data, "--model", results, "--only", "missing_label"]
    assert call(only, monkeypatch) == 0
    out, err = capfd.readouterr()
    assert "does not know these objects" in err
    assert "does not know" not in out


def test_sound_labels_pass(data):
    findings, predicted = check_results(
        open_splits(data), results_of(data / "train.json"), say=print
    )
    assert findings == []
    assert len(predicted) == 14


def test_results_of_no_split_and_of_two_are_refused(data, monkeypatch, capfd):
    results = results_of(data / "val.json")
    content = json.loads(results.read_text())
    content[0]["image_id"] = 1
    results.write_text(json.dumps(content))
    told = refused(["data", "check", data, "--model", results], monkeypatch, capfd)
    assert "expected results for the images of one split" in told
    (data / "test.json").write_text((data / "val.json").read_text())
    results = results_of(data / "val.json")
    told = refused(["data", "check", data, "--model", results], monkeypatch, capfd)
    assert "fit val and test: name the file" in told
    told = refused(["data", "check", data, "--model", data / "val.json"], monkeypatch, capfd)
    assert "expected COCO results" in told


def test_a_model_is_asked_about_every_split(data, tmp_path, monkeypatch):
    """A model with another order of classes, that sees all but what is at the left."""

    class Model:
        classes = ClassMap.from_names(tuple(reversed(CLASSES)))

    class Seer:
        def __init__(self, model, *, device, score_threshold):
            assert (device, score_threshold) == ("cpu", 0.05)
            self.left = iter(
                (dataset.instances(i), dataset[i].image)
                for dataset in open_splits(data).values()
                for i in range(len(dataset))
            )

        def __call__(self, image):
            truth, expected = next(self.left)
            assert np.array_equal(image, expected)
            return truth.replace(
                labels=2 - truth.labels, scores=np.full(len(truth), 0.9), ids=None, crowd=None
            )

    monkeypatch.setattr(label_check, "load", lambda name: Model())
    monkeypatch.setattr(label_check, "Predictor", Seer)
    findings, predicted = check_labels(open_splits(data), "m", device="cpu", say=print)
    assert findings == []
    assert len(predicted) == 26
    plant(data / "train.json")
    run = run_on(tmp_path / "run", open_splits(data)["train"])
    told, _ = seen_by(Seer, monkeypatch, data, before=predicted, run=run)
    assert {(f.kind, f.place.split) for f in told} == {
        ("missing_label", "train"),
        ("misclassified", "train"),
    }
    assert {f.severity for f in told} == {"note"}  # a run has learnt its errors
    assert all("trained on train" in f.why for f in told)


def run_on(folder, dataset):
    """Make a run folder that says that it was trained on a data set."""
    config = recipe_by_name("mask_rcnn_nano")
    origin = Origin.of(config, {"train": dataset})
    kept = Checkpoint(position=Position(), origin=origin, scaler={}, tensors={"a": torch.zeros(1)})
    checkpoint.save(checkpoint.file_in(folder), kept)
    return folder


def seen_by(seer, monkeypatch, data, *, before, run):
    """Ask a run folder whose model, with its own order of classes, still sees what it saw."""
    seen = iter(before.values())

    class Remembering(seer):
        def __init__(self, model, **options):
            pass

        def __call__(self, image):
            instances = next(seen)
            return instances.replace(labels=2 - instances.labels)

    monkeypatch.setattr(label_check, "Predictor", Remembering)
    return check_labels(open_splits(data), str(run), device="cpu", say=print)


def test_a_run_is_only_said_to_know_what_it_was_trained_on(data, tmp_path):
    """A file by itself is a split train, whatever a run was trained on."""
    half_a, half_b = (open_splits(data / f"{split}.json") for split in ("train", "val"))
    assert list(half_a) == list(half_b) == ["train"]
    run = run_on(tmp_path / "run", half_a["train"])
    assert label_check._trained_on(run, half_a) == ["train"]
    assert label_check._trained_on(run, half_b) == []
    assert label_check._trained_on(run / "best.safetensors", half_a) == ["train"]
    assert list(label_check._trained_on(tmp_path / "elsewhere", half_a)) == []
    held_out = divided(half_a["train"], {"train": 0.9, "val": 0.1})["train"]
    other = run_on(tmp_path / "other", held_out)
    assert label_check._trained_on(other, half_a) == ["train"]


def test_a_model_of_more_classes_is_drawn_with_the_names_of_the_data(data, tmp_path, monkeypatch):
    """Data of leaves, a model of stars, pebbles and leaves."""
    content = json.loads((data / "train.json").read_text())
    leaf = next(c["id"] for c in content["categories"] if c["name"] == "leaf")
    content["categories"] = [c for c in content["categories"] if c["id"] == leaf]
    content["annotations"] = [a for a in content["annotations"] if a["category_id"] == leaf]
    (data / "train.json").write_text(json.dumps(content))
    splits = {"train": open_splits(data)["train"]}

    class Model:
        classes = ClassMap.from_names(("star", "pebble", "leaf"))

    class Seer:
        def __init__(self, model, **options):
            self.left = iter(range(len(splits["train"])))

        def __call__(self, image):
            truth = splits["train"].instances(next(self.left))
            both = np.repeat(np.arange(len(truth)), 2)
            names = np.tile(np.array([2, 0]), len(truth))  # a leaf, and a star on it
            seen = truth[both].replace(ids=None, crowd=None)
            return seen.replace(labels=names, scores=np.full(len(both), 0.9))

    monkeypatch.setattr(label_check, "load", lambda name: Model())
    monkeypatch.setattr(label_check, "Predictor", Seer)
    findings, predicted = check_labels(splits, "m", say=print)
    assert findings == []
    place = place_of("train", splits["train"].records[0])
    finding = Finding(kind="k", severity="note", place=place, why="w", fix="f")
    write_doctor_report(tmp_path / "r.html", [finding], splits, {}, predicted=predicted)
    drawn = (tmp_path / "r.html").read_text().split('class="outline predicted"')[1]
    objects = len(splits["train"].instances(0))
    assert objects > 0
    assert drawn.split("</g>")[0].count("leaf 0.90</title>") == objects
    assert "star" not in drawn


def test_results_of_a_few_images_judge_these_alone(data):
    file = results_of(data / "train.json")
    few = [result for result in json.loads(file.read_text()) if result["image_id"] <= 4]
    file.write_text(json.dumps(few))
    lines = []
    findings, predicted = check_results(open_splits(data), file, say=lines.append)
    assert "is of 4 images of 14" in lines[0]
    assert {image_id for _, image_id in predicted} == {1, 2, 3, 4}
    assert findings == []
