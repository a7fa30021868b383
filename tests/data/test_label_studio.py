"""Label Studio in and out: tasks as it exports them, all regions, where the pictures are."""

import base64
import json
import math
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from delineate.core import rle
from delineate.core.image import write_image
from delineate.data import label_studio_rle
from delineate.data.formats import open_dataset, open_splits
from delineate.data.label_studio_write import write_label_studio
from delineate.errors import DataError
from delineate.quality.repair import repair
from mutations import generators, mutated, survives
from rich_set import CLASSES, ONE, PLAIN, assert_kept, rich_set

POINTS = [[25, 25], [75, 25], [75, 75], [25, 75]]
POLYGON = {"points": POINTS, "closed": True, "polygonlabels": ["disc"]}
SQUARE = np.zeros((40, 80), bool)
SQUARE[10:30, 20:60] = True
BRUSH = label_studio_rle.encode(rle.from_bitmap(SQUARE), (40, 80))


def result(value=POLYGON, kind="polygonlabels", **more):
    return {
        "original_width": 80,
        "original_height": 40,
        "image_rotation": 0,
        "value": value,
        "id": "Dx_aB91ISN",
        "from_name": "label",
        "to_name": "image",
        "type": kind,
        "origin": "manual",
    } | more


def task(*results, image="/data/upload/3/1b2c3d4e-a.png", number=7, **more):
    results = [found | {"id": f"r{i}"} for i, found in enumerate(results)]
    annotation = {"id": 5, "completed_by": 1, "result": results, "was_cancelled": False}
    return {
        "id": number,
        "annotations": [annotation],
        "file_upload": "1b2c3d4e-a.png",
        "predictions": [],
        "data": {"image": image},
        "project": 3,
    } | more


def export(folder, *tasks, names=("a.png",)):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / name, np.full((40, 80, 3), 90, np.uint8))
    path = folder / "project-3-at-2024-01-01.json"
    path.write_text(json.dumps(list(tasks)))
    return path


def described(dataset):
    found = [dataset.instances(i).labels for i in range(len(dataset))]
    names = [[dataset.classes.names[label] for label in labels] for labels in found]
    return dict(zip([r.name for r in dataset.records], names, strict=True))


def mask(path):
    return open_dataset(path).instances(0).masks.bitmap(0)


def problem(path):
    (found,) = open_dataset(path, on_error="skip").problems
    with pytest.raises(DataError, match="1 broken record"):
        open_dataset(path)
    return found


# -- regions -----------------------------------------------------------------------------------


def png(bitmap):
    image = np.zeros((*bitmap.shape, 4), np.uint8)
    image[:, :, 3] = bitmap * 255
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", image)[1]).decode()


SQUARES = {
    "polygon": POLYGON,
    "rectangle": {"x": 25, "y": 25, "width": 50, "height": 50, "rotation": 0, "labels": ["disc"]},
    "turned": {"x": 75, "y": 25, "width": 25, "height": 100, "rotation": 90, "labels": ["disc"]},
    "brush": {"format": "rle", "rle": BRUSH, "brushlabels": ["disc"]},
    "bitmask": {"imageDataURL": png(SQUARE), "bitmasklabels": ["disc"]},
}


@pytest.mark.parametrize("shape", SQUARES)
def test_every_way_to_say_the_same(tmp_path, shape):
    path = export(tmp_path, task(result(SQUARES[shape], f"{shape}labels")))
    np.testing.assert_array_equal(mask(path), SQUARE)
    assert described(open_dataset(path)) == {"a.png": ["disc"]}


@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_ellipses(tmp_path, degrees):
    value = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 25, "rotation": degrees, "labels": ["a"]}
    found = mask(export(tmp_path, task(result(value, "ellipselabels"))))
    dy, dx = np.indices((40, 80)) + 0.5 - np.array([20, 40]).reshape(2, 1, 1)
    turn = math.radians(degrees)
    along = dx * math.cos(turn) + dy * math.sin(turn)
    across = dy * math.cos(turn) - dx * math.sin(turn)
    inside = (along / 16) ** 2 + (across / 10) ** 2 <= 1
    assert (found & inside).sum() / (found | inside).sum() > 0.96


def test_a_turned_rectangle_turns_about_its_upper_left_corner(tmp_path):
    value = {"x": 50, "y": 25, "width": 20, "height": 20, "rotation": 45, "labels": ["a"]}
    found = mask(export(tmp_path, task(result(value))))
    dy, dx = np.indices((40, 80)) + 0.5 - np.array([10, 40]).reshape(2, 1, 1)
    along, across = (dx + dy) / math.sqrt(2), (dy - dx) / math.sqrt(2)
    inside = (along >= 0) & (along <= 16) & (across >= 0) & (across <= 8)
    assert (found & inside).sum() / (found | inside).sum() > 0.93


def test_a_shape_and_its_label_in_two_results(tmp_path):
    shape = {"points": POINTS, "closed": True}
    results = [
        result(shape, "polygon"),
        result({**shape, "labels": ["disc"]}, "labels"),
        result({**shape, "text": ["a remark"]}, "textarea"),
    ]
    path = export(tmp_path, task(number=1))
    content = json.loads(path.read_text())
    content[0]["annotations"][0]["result"] = results  # of the same id
    path.write_text(json.dumps(content))
    assert described(open_dataset(path)) == {"a.png": ["disc"]}
    np.testing.assert_array_equal(mask(path), SQUARE)


def test_what_is_no_region_is_passed_over(tmp_path):
    answers = [
        result({"choices": ["sharp"]}, "choices"),
        result({"text": ["a remark"]}, "textarea"),
        {"type": "relation", "from_id": "r0", "to_id": "r1", "direction": "right"},
    ]
    path = export(tmp_path, task(result(), *answers))
    assert described(open_dataset(path)) == {"a.png": ["disc"]}


REGIONS = {
    "key point": ({"x": 1, "y": 2, "width": 1, "keypointlabels": ["a"]}, "a key point, which has"),
    "vector": ({"vertices": [], "closed": True, "vectorlabels": ["a"]}, "it is a vector, which"),
    "track": ({"sequence": [], "labels": ["a"]}, "it is a track of a video"),
    "text": ({"start": 1, "end": 2, "labels": ["a"]}, "it is a span of text or sound"),
    "label alone": ({"labels": ["a"]}, "expected a region of the picture, got none"),
    "nothing": (None, "expected a region of the picture, got none"),
    "open": ({**POLYGON, "closed": False}, "its outline is not closed"),
    "two labels": ({**POLYGON, "polygonlabels": ["a", "b"]}, "expected one label, got a and b"),
    "no label": ({"points": POINTS}, "it has no class"),
    "two points": ({**POLYGON, "points": POINTS[:2]}, "at least 3 points"),
    "flat points": ({**POLYGON, "points": [1, 2, 3]}, "expected pairs of numbers as 'points'"),
    "text points": ({**POLYGON, "points": [["1", "2"]] * 3}, "finite numbers as its 'points'"),
    "huge points": ({**POLYGON, "points": [[10**400, 2]] * 3}, "finite numbers as its 'points'"),
    "no width": ({"x": 1, "y": 2, "width": 0, "height": 3, "labels": ["a"]}, "rectangle of 0 x 3"),
    "no number": ({"x": 1, "y": None, "width": 1, "height": 3, "labels": ["a"]}, "as 'y', got"),
    "no radius": ({"x": 9, "y": 9, "radiusX": 0, "radiusY": 3, "labels": ["a"]}, "above 0"),
    "no rle": ({"rle": "x", "labels": ["a"]}, "a list of numbers from 0 to 255"),
    "empty brush": (
        {"rle": label_studio_rle.encode(np.array([3200]), (40, 80)), "labels": ["a"]},
        "its mask has no pixel in the picture",
    ),
    "no png": ({"imageDataURL": "data:image/png;base64,xx", "labels": ["a"]}, "expected a PNG"),
    "other png": ({"imageDataURL": png(SQUARE[1:]), "labels": ["a"]}, "its mask has 80 x 39"),
}


@pytest.mark.parametrize("case", REGIONS)
def test_a_broken_region_is_left_out_alone(tmp_path, case):
    value, why = REGIONS[case]
    path = export(tmp_path, task(result(), result(value), result()))
    found = problem(path)
    assert why in found.why
    assert found.where == "image 'a.png', region 2"
    assert described(open_dataset(path, on_error="skip")) == {"a.png": ["disc", "disc"]}


def test_a_picture_that_was_turned_while_it_was_labelled(tmp_path):
    path = export(tmp_path, task(result(), result(image_rotation=90)))
    assert "turned by 90 degrees" in problem(path).why


def test_sizes_that_disagree(tmp_path):
    path = export(tmp_path, task(result(), result(original_width=90)))
    assert "drawn on a picture of 90 x 40 pixels, and its file has 80 x 40" in problem(path).why
    path = export(tmp_path, task(result(original_height=41)))
    with pytest.raises(DataError, match="say 80 x 41 pixels, its file has 80 x 40"):
        open_dataset(path)


# -- tasks -------------------------------------------------------------------------------------


def test_completions_of_long_ago(tmp_path):
    old = task(result())
    old["completions"] = old.pop("annotations")
    path = export(tmp_path, old)
    assert described(open_dataset(path)) == {"a.png": ["disc"]}
    path.write_text(json.dumps(old))
    assert described(open_dataset(path)) == {"a.png": ["disc"]}


def test_the_first_annotation_that_was_not_cancelled(tmp_path):
    one = task()
    cancelled = {"id": 4, "was_cancelled": True, "result": [result()] * 9}
    taken = {"id": 5, "was_cancelled": False, "result": [result()]}
    other = {"id": 6, "result": [result(id="x"), result(id="y")]}
    one["annotations"] = [cancelled, taken, other]
    path = export(tmp_path, one)
    found = problem(path)
    assert found.where == "task 7, annotation 6"
    assert found.why == "another annotation of its task is taken"
    assert described(open_dataset(path, on_error="skip")) == {"a.png": ["disc"]}
    changes = repair(path, tmp_path / "copy", version="0").changes
    assert [change.left_out for change in changes] == ["annotation"]


def test_nothing_and_nobody_are_different(tmp_path):
    names = ("a.png", "b.png", "c.png", "d.png")
    tasks = [
        task(result()),
        task(image="/data/upload/1/b.png"),
        task(image="/data/upload/1/c.png", number=9, annotations=[]),
        task(image="/data/upload/1/d.png", number=10, annotations=[], predictions=[{}]),
    ]
    dataset = open_dataset(export(tmp_path, *tasks, names=names), on_error="skip")
    assert described(dataset) == {"a.png": ["disc"], "b.png": []}
    assert [p.where for p in dataset.problems] == ["task 9", "task 10"]
    assert dataset.problems[0].why == "nobody has annotated it"
    assert "there are predictions, which nobody has confirmed" in dataset.problems[1].why


def test_json_min(tmp_path):
    brush = {"format": "rle", "rle": BRUSH, "brushlabels": ["box"]}
    size = {"original_width": 80, "original_height": 40}
    least = {
        "image": "/data/upload/3/1b2c3d4e-a.png",
        "id": 7,
        "label": [POLYGON | size, brush | size],
        "quality": "sharp",
        "annotator": 1,
        "annotation_id": 5,
        "created_at": "2024-01-01T00:00:00Z",
    }
    path = export(tmp_path, least)
    assert described(open_dataset(path)) == {"a.png": ["disc", "box"]}
    first, second = open_dataset(path).instances(0).masks.to_coco()
    assert first == second


TASKS = {
    "no task": (7, "task 2", "expected a task, got the value 7"),
    "no data": ({"id": 3, "data": 7, "annotations": []}, "task 3", "an object as its 'data'"),
    "no address": (task() | {"data": {"text": "x"}}, "task 7", "expected the address of a picture"),
    "addresses": (task() | {"data": {"l": "a.png", "r": "b.png"}}, "task 7", "got l and r"),
    "no annotations": (task(annotations=5), "task 7", "expected a list of 'annotations', got the"),
    "no annotation": (task(annotations=[5]), "task 7", "expected an annotation, got the value 5"),
    "no result": (task(annotations=[{"id": 5}]), "task 7", "a list as its 'result', got nothing"),
    "missing": (task(image="/x/b.png"), "image 'b.png'", "its file is missing in"),
    "twice": (task(), "image 'a.png'", "it is listed already"),
}


@pytest.mark.parametrize("case", TASKS)
def test_a_broken_task_is_left_out_alone(tmp_path, case):
    value, where, why = TASKS[case]
    path = export(tmp_path, task(result()), value)
    found = problem(path)
    assert found.where == where
    assert why in found.why
    assert described(open_dataset(path, on_error="skip")) == {"a.png": ["disc"]}


# -- where pictures are ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/upload/3/1b2c3d4e-a.png", "1b2c3d4e-a.png"),
        ("/data/upload/3/1b2c3d4e-a.png", "a.png"),
        ("/data/upload/1b2c3d4e-my%20(1).png", "my (1).png"),
        ("/data/local-files/?d=set/train/a.png", "set/train/a.png"),
        ("/data/local-files/?d=set/train/a.png", "train/a.png"),
        ("/data/local-files/?d=set/train/a.png", "a.png"),
        ("/data/local-files/?d=" + quote("a/größe + 100%.png"), "a/größe + 100%.png"),
        ("/data/local-files/?d=a + b #1.png", "a + b #1.png"),
        ("/data/local-files/?d=../set/./a.png", "set/a.png"),
        ("\\data\\local-files\\?d=set\\a.png", "set/a.png"),
        ("s3://bucket/set/a.png", "set/a.png"),
        ("gs://bucket/a.png", "a.png"),
        ("https://host.org:8080/set/a.png?X-Amz-Signature=4%2F5", "a.png"),
        ("https://host.org/a%20b.png", "a b.png"),
    ],
)
@pytest.mark.parametrize("folder", [".", "images"])
def test_a_picture_is_found_by_the_end_of_its_address(tmp_path, address, name, folder):
    path = export(tmp_path, task(result(), image=address), names=[f"{folder}/{name}"])
    assert described(open_dataset(path)) == {name: ["disc"]}


def test_an_address_never_leads_out(tmp_path):
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "a.png", np.full((40, 80, 3), 90, np.uint8))
    path = export(tmp_path / "in", task(result(), image="/data/local-files/?d=../a.png"), names=())
    with pytest.raises(DataError, match="but its only one cannot be used"):
        open_dataset(path)


def test_the_picture_among_several_data(tmp_path):
    data = {"image": "/data/upload/a.png", "thumbnail": "/data/upload/b.png", "text": "x"}
    path = export(tmp_path, task(result()) | {"data": data})
    assert described(open_dataset(path)) == {"a.png": ["disc"]}
    path = export(tmp_path, task(result()) | {"data": {"scan": "x/a.png", "text": "x"}})
    assert described(open_dataset(path)) == {"a.png": ["disc"]}


# -- classes -----------------------------------------------------------------------------------


def test_the_labeling_interface_lists_the_classes(tmp_path):
    path = export(tmp_path, task(result()))
    config = tmp_path / "label_config.xml"
    config.write_text(
        '<View><Image name="i" value="$image"/><PolygonLabels name="l" toName="i">'
        '<Label value="the round one" alias="disc"/><Label value="box"/></PolygonLabels>'
        '<Choices name="c" toName="i"><Choice value="sharp"/></Choices></View>'
    )
    assert open_dataset(path).classes.names == ("disc", "box")
    config.write_text(config.read_text().replace("disc", "round"))
    assert "its class 'disc' is none of those" in problem(path).why
    config.write_text("<View>")
    with pytest.raises(DataError, match=r"label_config\.xml: expected whole XML"):
        open_dataset(path)


# -- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [CLASSES, PLAIN, ONE])
def test_everything_comes_back(tmp_path, classes):
    splits = rich_set(tmp_path / "original", classes)
    (tmp_path / "written").mkdir()
    names = write_label_studio(tmp_path / "written", splits)
    assert_kept(splits, names, open_splits(tmp_path / "written"))


def test_regions_have_ids_of_their_own(tmp_path):
    splits = rich_set(tmp_path / "original")
    (tmp_path / "written").mkdir()
    write_label_studio(tmp_path / "written", splits)
    tasks = json.loads((tmp_path / "written" / "train.json").read_text())
    ids = [r["id"] for t in tasks for a in t["annotations"] for r in a["result"]]
    assert len(ids) == len(set(ids)) == 12


# -- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["{}", "[]", "[7]", "7"])
def test_what_is_no_export(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=r"expected Label Studio|expected an export of Label Stu"):
        open_dataset(tmp_path / "x.json", format="label_studio")


def test_spoilt_files(tmp_path):
    regions = [result(value, f"{shape}labels") for shape, value in SQUARES.items()]
    least = {"image": "a.png", "label": [POLYGON], "annotation_id": 1, "original_width": 1}
    path = export(tmp_path, task(*regions), task(image="/b.png"), least, names=("a.png", "b.png"))
    content = json.loads(path.read_text())
    for rng in generators(500):
        path.write_text(json.dumps(mutated(content, rng)))
        survives(lambda: open_dataset(path, format="label_studio", on_error="skip"))
