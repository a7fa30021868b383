"""Where the doctor must doubt: few objects, sound data that look odd, formats without ids."""

import json
from itertools import combinations

import numpy as np
import pytest
from faults import FAULTS, NAMES, edited, linked_copy
from PIL import Image

from command_line import call, refused
from delineate.core.classes import ClassMap
from delineate.data.coco import read_coco
from delineate.data.coco_panoptic_write import write_coco_panoptic
from delineate.data.conversion import convert
from delineate.data.formats import open_dataset, open_splits
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import ConfigError, DataError, OutputError
from delineate.jobs import check as job
from delineate.jobs.label_results import check_results
from delineate.quality.checks import examine
from delineate.quality.findings import Finding, Place
from delineate.quality.repair import repair


def drawn(folder, outlines, *, boxes=True, size=(48, 64), split="train", **fields):
    """Write polygons, four to a picture."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    height, width = size
    images, annotations = [], []
    for number, outline in enumerate(outlines):
        if number % 4 == 0:
            name = f"{split}_{number}.png"
            pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name)
            record = {"id": number, "file_name": name, "width": width, "height": height}
            images.append(record)
        x, y = np.array(outline, float).reshape(-1, 2).T
        box = [x.min(), y.min(), np.ptp(x), np.ptp(y)]
        annotation = {"id": number + 1, "image_id": images[-1]["id"], "category_id": 1}
        annotation |= {"segmentation": [list(outline)], **({"bbox": box} if boxes else {})}
        annotations.append(annotation | fields)
    categories = [{"id": 1, "name": "pane"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / f"{split}.json").write_text(json.dumps(content))
    return folder


def pane(x0, y0, x1, y1):
    return [float(v) for v in (x0, y0, x1, y0, x1, y1, x0, y1)]


def quick(folder):
    return examine(open_splits(folder, on_error="skip"), quick=True)


# -- y before x --------------------------------------------------------------------------------

REACHING = [pane(2, 2, 20, 10), pane(22, 5, 40, 30), pane(5, 20, 18, 51), pane(25, 35, 44, 44)]


def test_outlines_that_boxes_agree_with_are_not_transposed(tmp_path):
    drawn(tmp_path / "data", REACHING)
    assert "transposed_masks" not in {finding.kind for finding in quick(tmp_path / "data")}
    assert repair(tmp_path / "data", tmp_path / "out", version="0").changes == ()


@pytest.mark.parametrize("times", [1, 20])
def test_without_boxes_nothing_is_certain(tmp_path, times):
    drawn(tmp_path / "data", REACHING * times, boxes=False)
    found = [f for f in quick(tmp_path / "data") if f.kind == "transposed_masks"]
    assert [(f.severity, f.score) for f in found] == [("warning", 0.5)] * (times > 1)
    job.check_before_training(tmp_path / "data", open_splits(tmp_path / "data"), lambda _: None)
    kinds = {c.kind for c in repair(tmp_path / "data", tmp_path / "out", version="0").changes}
    assert "transposed_masks" not in kinds


@pytest.mark.parametrize("fault", ["outlines y before x", "outlines as shares"])
def test_the_few_sound_outlines_stay(clean, data, tmp_path, fault):
    """One of many is written in pixels, x first: it is neither rewritten nor left out."""
    FAULTS[fault].plant(data)
    right = json.loads((clean / "train.json").read_text())["annotations"]
    at = next(
        i
        for i, a in enumerate(right)
        if isinstance(a["segmentation"], list) and a["bbox"][2] > 1.5 * a["bbox"][3]
    )
    with data.train() as content:
        content["annotations"][at] = right[at]
    repair(data.folder, tmp_path / "out", version="0")
    found = json.loads((tmp_path / "out" / "train.json").read_text())["annotations"]
    assert len(found) == len(right)
    assert found[at] == right[at]


# -- crowds ------------------------------------------------------------------------------------


def test_a_single_crowd_is_one(tmp_path):
    drawn(tmp_path / "data", [pane(2, 2, 40, 30)], iscrowd=1)
    assert "all_crowd" not in {finding.kind for finding in quick(tmp_path / "data")}
    assert repair(tmp_path / "data", tmp_path / "out", version="0").changes == ()


def test_crowds_are_what_another_split_shows_them_to_be(data, tmp_path):
    FAULTS["everything a crowd"].plant(data)
    assert "all_crowd" in {finding.kind for finding in quick(data.folder)}
    with data.val() as content:
        content["annotations"][0]["iscrowd"] = 1
    assert "all_crowd" not in {finding.kind for finding in quick(data.folder)}
    assert repair(data.folder, tmp_path / "out", version="0").changes == ()


# -- classes -----------------------------------------------------------------------------------


def shift_half(data):
    """Categories 0 and 1 where 1 to 3 are listed."""
    with data.train() as content:
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] < 3]
        for annotation in content["annotations"]:
            annotation["category_id"] -= 1


def test_an_uncertain_shift_neither_stops_nor_hides(data):
    shift_half(data)
    findings = quick(data.folder)
    (shift,) = [f for f in findings if f.kind == "ids_off_by_one"]
    assert (shift.severity, shift.score) == ("warning", 0.5)
    assert "unknown_category" in {f.kind for f in findings}
    splits = {"train": open_splits(data.folder, on_error="skip")["train"]}
    job.check_before_training(data.folder, splits, lambda _: None)


def lose_the_first_class(data, record):
    """Of 1 to 3 the first is broken in the list, and the last has no objects."""
    with data.train() as content:
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] < 3]
        content["categories"][0] = record


@pytest.mark.parametrize("record", [None, {"name": "pebble"}, "pebble"])
def test_a_broken_category_is_no_shift(data, tmp_path, record):
    lose_the_first_class(data, record)
    findings = quick(data.folder)
    (shift,) = [f for f in findings if f.kind == "ids_off_by_one"]
    assert (shift.severity, shift.score) == ("warning", 0.5)
    assert "mend the list of categories first" in shift.fix
    assert {"broken_category", "unknown_category"} <= {f.kind for f in findings}
    changes = repair(data.folder, tmp_path / "out", version="0").changes
    assert "ids_off_by_one" not in {change.kind for change in changes}


def test_a_category_without_a_name_that_states_its_id_is_none_either(data):
    lose_the_first_class(data, {"id": 1, "name": None})
    assert "ids_off_by_one" not in {finding.kind for finding in quick(data.folder)}


def test_a_stray_category_in_a_missing_picture_hides_no_shift(clean, data, tmp_path):
    FAULTS["categories counted from 0"].plant(data)
    with data.train() as content:
        gone = content["images"][2]
        next(a for a in content["annotations"] if a["image_id"] == gone["id"])["category_id"] = 77
    data.picture(gone).unlink()
    first = repair(data.folder, tmp_path / "out", version="0")
    assert {change.kind for change in first.changes} == {"missing_picture", "ids_off_by_one"}
    right = json.loads((clean / "train.json").read_text())["annotations"]
    found = json.loads((tmp_path / "out" / "train.json").read_text())["annotations"]
    assert found == [a for a in right if a["image_id"] != gone["id"]]


def test_numbers_of_formats_without_ids_do_not_contradict(clean, tmp_path):
    """The validation has no object of the second class, so its third is counted second."""
    with edited(linked_copy(clean, tmp_path / "data") / "val.json") as content:
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] != 2]
    convert(open_splits(tmp_path / "data"), "labelme", tmp_path / "labelme")
    for listed in (tmp_path / "labelme").rglob("*.txt"):
        listed.unlink()
    splits = {name: open_dataset(tmp_path / "labelme" / name) for name in NAMES}
    assert splits["train"].classes.names != splits["val"].classes.names
    assert "class_ids_differ" not in {finding.kind for finding in examine(splits, quick=True)}
    repair(tmp_path / "labelme", tmp_path / "out", version="0")
    train, val = (json.loads((tmp_path / "out" / name).read_text()) for name in NAMES.values())
    assert train["categories"] == val["categories"]


def test_a_table_knows_whether_its_ids_are_its_own():
    assert not ClassMap.from_names(["a"]).own_ids
    assert ClassMap.from_coco([{"id": 1, "name": "a"}]).own_ids
    assert ClassMap.from_coco([{"id": 1, "name": "a"}]) == ClassMap.from_names(["a"])


# -- repairs -----------------------------------------------------------------------------------


def test_a_renamed_picture_gets_a_free_name(tmp_path):
    """The training has `val/1.png` and `1.png`, the validation another `1.png`."""
    for split, names in (("train", ("val/1.png", "1.png")), ("valid", ("1.png",))):
        folder = drawn(tmp_path / "data" / split, [pane(2, 2, 30, 30)] * 4 * len(names))
        (folder / "train.json").rename(folder / "labels.json")
        with edited(folder / "labels.json") as content:
            for image, name in zip(content["images"], names, strict=True):
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / "images" / image["file_name"]).rename(folder / name)
                value = len(split) * len(name)
                Image.new("RGB", (64, 48), (value, value, value)).save(folder / name)
                image["file_name"] = name
    repair(tmp_path / "data", tmp_path / "out", version="0")
    before, after = open_splits(tmp_path / "data"), open_splits(tmp_path / "out")
    for split, dataset in before.items():
        for i in range(len(dataset)):
            np.testing.assert_array_equal(dataset[i].image, after[split][i].image)


def test_an_annotation_without_an_id_gets_one(clean, data, tmp_path):
    with data.train() as content:
        del content["annotations"][0]["id"]
        content["annotations"][1]["id"] = "b"
    first = repair(data.folder, tmp_path / "out", version="0")
    right = json.loads((clean / "train.json").read_text())["annotations"]
    found = json.loads((tmp_path / "out" / "train.json").read_text())["annotations"]
    assert len(found) == len(right)
    assert [a["id"] for a in found[:2]] == [len(right) + 1, len(right) + 2]
    assert found[0] | {"id": 1} == right[0] | {"id": 1}
    assert [change.kind for change in first.changes] == ["broken_record"] * 2


@pytest.mark.parametrize("key", ["image_id", "category_id", "id", "iscrowd", "bbox"])
def test_a_list_where_a_number_belongs_is_no_accident(data, tmp_path, key):
    FAULTS["outlines as shares"].plant(data)
    with data.train() as content:
        content["annotations"][0][key] = [1, 2]
    repair(data.folder, tmp_path / "out", version="0")
    assert read_coco(tmp_path / "out" / "train.json").problems == ()


@pytest.mark.parametrize("key", ["image_id", "category_id"])
def test_results_with_a_list_for_a_number_are_refused(clean, tmp_path, key):
    result = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.9, key: [1]}
    (tmp_path / "results.json").write_text(json.dumps([result]))
    with pytest.raises(DataError):
        check_results(open_splits(clean), tmp_path / "results.json", say=print)


def thin_cracks(data, count=4):
    """Cracks of one class, one pixel wide."""
    with data.train() as content:
        own = [a for a in content["annotations"] if a["area"] > 150][:count]
        for number, annotation in enumerate(own):
            x = 20.0 + 9 * number
            annotation["segmentation"] = [pane(x, 20, x + 1, 60)]
            annotation["bbox"], annotation["area"] = [x, 20, 1, 40], 40
            annotation["category_id"] = 1
        copy = {**own[0], "id": 5000}
        content["annotations"].append(copy)


def test_what_may_be_a_wire_is_told_and_stays(data, tmp_path):
    thin_cracks(data)
    first = repair(data.folder, tmp_path / "out", version="0")
    assert [change.kind for change in first.changes] == ["duplicate_object"]
    assert repair(tmp_path / "out", tmp_path / "again", version="0").changes == ()


MIXED = np.random.default_rng(0).permutation(
    list(combinations([name for name, f in FAULTS.items() if f.mended or not f.quick], 3))
)[:12]


@pytest.mark.parametrize("names", MIXED.tolist(), ids=", ".join)
def test_a_repair_of_several_faults_leaves_nothing_to_repair(data, tmp_path, names):
    planted = 0
    for name in names:
        try:
            FAULTS[name].plant(data)
            planted += 1
        except (OSError, ValueError, LookupError, DataError, OutputError, TypeError):
            continue  # the faults before leave nothing to plant it in
    assert planted
    repair(data.folder, tmp_path / "first", version="0")
    second = repair(tmp_path / "first", tmp_path / "second", version="0")
    assert second.changes == ()


# -- the job -----------------------------------------------------------------------------------


def test_what_cannot_be_repaired_is_refused_before_anything_is_looked_at(
    data, tmp_path, monkeypatch
):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(job, "examine", never)
    with pytest.raises(OutputError, match="is not to be touched"):
        job.check(data.folder, fix=data.folder / "mended", say=print)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="new or empty"):
        job.check(data.folder, fix=tmp_path / "full", say=print)
    write_coco_panoptic(tmp_path / "stuff" / "train.json", PanopticScenes(2, size=(64, 64)))
    with pytest.raises(DataError, match="whose stuff a copy"):
        job.check(tmp_path / "stuff", fix=tmp_path / "out", say=print)
    scenes = {"train": SyntheticScenes(2, size=(64, 64))}
    convert(scenes, "lvis", tmp_path / "lvis")
    with pytest.raises(DataError, match="looked for in each image a copy"):
        job.check(tmp_path / "lvis", fix=tmp_path / "out", say=print)


def test_a_question_that_nothing_answers_is_refused(clean, monkeypatch, capfd):
    command = ["data", "check", clean, "--quick", "--only", "tiny_mask"]
    assert "leave out --quick" in refused(command, monkeypatch, capfd)
    command = ["data", "check", clean, "--only", "missing_label"]
    assert "name a --model" in refused(command, monkeypatch, capfd)
    assert call(["data", "check", clean, "--quick", "--only", "all_crowd"], monkeypatch) == 0
    with pytest.raises(ConfigError, match="did you mean"):
        job.check(clean, only=("all_crowds",), say=print)


def test_what_a_model_says_stands_in_the_copy(clean, tmp_path):
    told = Finding(
        kind="missing_label",
        severity="warning",
        place=Place(split="train", image_id=1),
        why="something is there",
        fix="annotate it",
    )
    checked = job.check(clean, fix=tmp_path / "out", judge=lambda _: ([told], {}), say=print)
    assert list(checked.left) == [told]
    assert checked.passes(strict=False)
    assert not checked.passes(strict=True)
