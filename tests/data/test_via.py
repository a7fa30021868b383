"""VIA in and out: its three files and two versions, all shapes, the attribute that is the class."""

import json
import math

import numpy as np
import pytest

from delineate.core.image import write_image
from delineate.data.formats import open_dataset, open_splits
from delineate.data.via_write import write_via
from delineate.errors import DataError
from mutations import generators, mutated, survives
from rich_set import CLASSES, ONE, PLAIN, assert_kept, rich_set

SQUARE = {"name": "polygon", "all_points_x": [20, 60, 60, 20], "all_points_y": [10, 10, 30, 30]}


def region(shape=SQUARE, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes or {"class": "disc"}}


def record(name, regions):
    return {"filename": name, "size": 9, "regions": regions, "file_attributes": {}}


def annotations(folder, *pictures, names=("a.png", "b.png")):
    """A file of annotations as VIA exports it, of pictures of 40 x 80 pixels."""
    for name in names:
        write_image(folder / name, np.full((40, 80, 3), 90, np.uint8))
    content = {f"{n}9": record(n, r) for n, r in zip(names, pictures, strict=False)}
    (folder / "labels.json").write_text(json.dumps(content))
    return folder / "labels.json"


def described(dataset):
    found = [dataset.instances(i).labels for i in range(len(dataset))]
    names = [[dataset.classes.names[label] for label in labels] for labels in found]
    return dict(zip([r.name for r in dataset.records], names, strict=True))


def mask(dataset):
    return dataset.instances(0).masks.bitmap(0)


def problem(path):
    (found,) = open_dataset(path, on_error="skip").problems
    with pytest.raises(DataError, match="1 broken record"):
        open_dataset(path)
    return found


# -- files -------------------------------------------------------------------------------------


def test_annotations(tmp_path):
    path = annotations(tmp_path, [region(), region(**{"class": "box"})], [])
    dataset = open_dataset(path)
    assert described(dataset) == {"a.png": ["disc", "box"], "b.png": []}
    expected = np.zeros((40, 80), bool)
    expected[10:30, 20:60] = True
    np.testing.assert_array_equal(mask(dataset), expected)


def test_regions_of_version_1_are_an_object(tmp_path):
    closed = {"name": "polygon", "all_points_x": [20, 60, 60, 20], "all_points_y": [10, 10, 30, 30]}
    for values in closed.values():
        if isinstance(values, list):
            values.append(values[0])
    path = annotations(tmp_path, {"0": region(), "1": region(closed)})
    dataset = open_dataset(path)
    assert described(dataset) == {"a.png": ["disc", "disc"]}
    masks = dataset.instances(0).masks
    assert masks[0:1].to_coco() == masks[1:2].to_coco()


def test_a_list_of_records(tmp_path):
    path = annotations(tmp_path, [region()], [])
    path.write_text(json.dumps(list(json.loads(path.read_text()).values())))
    assert described(open_dataset(path)) == {"a.png": ["disc"], "b.png": []}


def test_a_project_knows_classes_and_folder(tmp_path):
    path = annotations(tmp_path, [region()])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "elsewhere" / "a.png")
    options = {"none": "", "disc": "a round thing", " ": ""}
    project = {
        "_via_settings": {"core": {"default_filepath": "elsewhere/"}},
        "_via_img_metadata": json.loads(path.read_text()),
        "_via_attributes": {"region": {"class": {"type": "radio", "options": options}}},
    }
    path.write_text(json.dumps(project))
    dataset = open_dataset(path)
    assert dataset.classes.names == ("none", "disc")
    assert described(dataset) == {"a.png": ["disc"]}


@pytest.mark.parametrize(
    "name", ["C:\\my pictures\\a.png", "http://x.org/y/a.png", "/home/me/a.png"]
)
def test_pictures_of_other_machines(tmp_path, name):
    path = annotations(tmp_path, [region()])
    path.write_text(path.read_text().replace('"a.png"', json.dumps(name)))
    assert described(open_dataset(path)) == {"a.png": ["disc"]}


def test_folders_of_splits(tmp_path):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        annotations(tmp_path / split, [region()])
    assert list(open_splits(tmp_path)) == ["train", "val"]
    images = tmp_path / "train"
    assert len(open_dataset(tmp_path / "val" / "labels.json", images=images)) == 1


# -- shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "radii", "theta"),
    [
        ({"name": "circle", "cx": 40, "cy": 20, "r": 12.5}, (12.5, 12.5), 0),
        ({"name": "ellipse", "cx": 40, "cy": 20, "rx": 30, "ry": 8}, (30, 8), 0),
        ({"name": "ellipse", "cx": 40, "cy": 20, "rx": 20, "ry": 8, "theta": 0.7}, (20, 8), 0.7),
    ],
)
def test_round_shapes(tmp_path, shape, radii, theta):
    found = mask(open_dataset(annotations(tmp_path, [region(shape)])))
    dy, dx = np.indices((40, 80)) + 0.5 - np.array([20, 40]).reshape(2, 1, 1)
    along = dx * math.cos(theta) + dy * math.sin(theta)
    across = dy * math.cos(theta) - dx * math.sin(theta)
    inside = (along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1
    assert (found & inside).sum() / (found | inside).sum() > 0.97


def test_a_rectangle_is_its_pixels(tmp_path):
    shape = {"name": "rect", "x": 20, "y": 10, "width": 40, "height": 20}
    path = annotations(tmp_path, [region(shape), region()])
    a, b = open_dataset(path).instances(0).masks.to_coco()
    assert a == b


SHAPES = {
    "a line": ({"name": "polyline", **SQUARE} | {"name": "polyline"}, "it is a polyline, which"),
    "a point": ({"name": "point", "cx": 3, "cy": 4}, "it is a point, which has no area"),
    "unknown": ({"name": "star"}, "a polygon, rect, circle or ellipse, got the text 'star'"),
    "no name": ({}, "got nothing"),
    "no shape": (None, "expected its shape as 'shape_attributes', got nothing"),
    "uneven": ({**SQUARE, "all_points_x": [1, 2]}, "got a list of 2 and a list of 4"),
    "two corners": (
        {"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]},
        "at least 3 points",
    ),
    "text": ({**SQUARE, "all_points_x": ["1", "2", "3", "4"]}, "a flat list of numbers"),
    "flat": ({"name": "rect", "x": 2, "y": 3, "width": 0, "height": 5}, "a rectangle of 0 x 5"),
    "no number": ({"name": "circle", "cx": 2, "cy": "3", "r": 5}, "as 'cy', got the text '3'"),
    "not a number": ({"name": "circle", "cx": math.nan, "cy": 3, "r": 5}, "as 'cx', got the"),
    "no radius": ({"name": "circle", "cx": 2, "cy": 3, "r": 0}, "radii must be above 0"),
    "outside": ({"name": "circle", "cx": 200, "cy": 3, "r": 5}, "no pixel in the picture"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_broken_shape_is_left_out_alone(tmp_path, case):
    shape, why = SHAPES[case]
    path = annotations(tmp_path, [region(), region(shape), region()])
    found = problem(path)
    assert why in found.why
    assert found.where == "image 'a.png', region 2"
    assert described(open_dataset(path, on_error="skip")) == {"a.png": ["disc", "disc"]}


# -- classes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regions", "names"),
    [
        ([region(species="a"), region(species="b")], ["a", "b"]),
        ([region(species="a", age="9"), region(species="b")], ["a", "b"]),
        ([region(Label="a", age="9"), region(Label="b", age="8")], ["a", "b"]),
        ([region(type="a", age="9"), region(type="b", note="")], ["a", "b"]),
        ([region(label=3), region(label=12)], ["3", "12"]),
        ([region(label={"a": True}), region(label={"a": False, "b": True})], ["a", "b"]),
        ([region() | {"region_attributes": {}}] * 2, ["object", "object"]),
    ],
)
def test_the_attribute_that_is_the_class(tmp_path, regions, names):
    assert described(open_dataset(annotations(tmp_path, regions))) == {"a.png": names}


@pytest.mark.parametrize(
    "regions",
    [
        [region(species="a", age="9"), region(species="b", age="8")],
        [region(label="a", type="b")],
        [region(species="a"), region(age="8")],
    ],
)
def test_several_attributes_may_be_the_class(tmp_path, regions):
    with pytest.raises(DataError, match=r"one attribute of regions .* got '.*', '.*': rename"):
        open_dataset(annotations(tmp_path, regions))


@pytest.mark.parametrize(
    ("value", "why"),
    [("", "it has no class as 'label'"), ({"a": True, "b": True}, "as 'label', got a and b")],
)
def test_no_class_or_several(tmp_path, value, why):
    path = annotations(tmp_path, [region(label="a"), region(label="b"), region(label=value)])
    assert why in problem(path).why


def test_crowds_are_marked(tmp_path):
    path = annotations(tmp_path, [region(kind="a", iscrowd="1"), region(kind="a", iscrowd="0")])
    assert open_dataset(path).instances(0).crowd.tolist() == [True, False]


# -- real data ---------------------------------------------------------------------------------


def test_pictures_with_transparency_and_odd_names(shared_data):
    splits = open_splits(shared_data / "raw" / "sentinel2_via")
    assert {split: described(d) for split, d in splits.items()} == {
        split: {dataset.records[0].name: ["river"] * 3} for split, dataset in splits.items()
    }
    dataset = splits["train"]
    assert dataset[0].image.shape == (929, 1354, 3)
    content = json.loads((shared_data / "raw/sentinel2_via/train/via_region_data.json").read_text())
    (picture,) = content.values()
    for i, found in enumerate(picture["regions"]):
        shape = found["shape_attributes"]
        x, y = np.array(shape["all_points_x"]), np.array(shape["all_points_y"])
        area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
        assert dataset.areas(0)[i] == pytest.approx(area, rel=0.01)


# -- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [CLASSES, PLAIN, ONE])
def test_everything_comes_back(tmp_path, classes):
    splits = rich_set(tmp_path / "original", classes)
    (tmp_path / "written").mkdir()
    names = write_via(tmp_path / "written", splits)
    assert_kept(splits, names, open_splits(tmp_path / "written"))
    project = json.loads((tmp_path / "written" / "train.json").read_text())
    assert project["_via_image_id_list"] == list(project["_via_img_metadata"])
    for key, picture in project["_via_img_metadata"].items():
        file = tmp_path / "written" / "images" / picture["filename"]
        assert key == f"{picture['filename']}{file.stat().st_size}"


# -- faults ------------------------------------------------------------------------------------

RECORDS = {
    "no object": (7, "record 2", "expected a record of a picture, got the value 7"),
    "no name": ({"regions": []}, "record 2", "expected a name as 'filename', got nothing"),
    "no regions": (record("b.png", 5), "record 2", "a list of 'regions', got the value 5"),
    "twice": (record("a.png", []), "image 'a.png'", "it is listed already"),
    "missing": (record("c.png", []), "image 'c.png'", "its file is missing in"),
    "outside": (record("../c.png", []), "image '../c.png'", "leads out of the folder"),
    "size": (record("b.png", []) | {"width": 80, "height": 41}, "image 'b.png'", "say 80 x 41"),
    "region": (record("b.png", [7]), "image 'b.png', region 1", "an object, got the value 7"),
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_broken_record_is_left_out_alone(tmp_path, case):
    value, where, why = RECORDS[case]
    path = annotations(tmp_path, [region()])
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "2": value}))
    found = problem(path)
    assert found.where == where
    assert why in found.why
    assert described(open_dataset(path, on_error="skip"))["a.png"] == ["disc"]


@pytest.mark.parametrize("content", ["{}", "[]", "[7]", '{"_via_img_metadata": 7}', "7"])
def test_what_is_no_via_file(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=r"expected VGG Image Annotator|expected a VIA project"):
        open_dataset(tmp_path / "x.json", format="via")


def test_no_objects_at_all(tmp_path):
    (tmp_path / "images").mkdir()
    path = annotations(tmp_path, [region(), region()])
    content = path.read_text().replace('"name": "polygon"', '"name": "point"')
    path.write_text(content)
    with pytest.raises(DataError, match="expected objects of at least one class, got none"):
        open_dataset(path, on_error="skip")


def test_spoilt_files(tmp_path):
    path = annotations(
        tmp_path,
        [region(), region({"name": "circle", "cx": 40, "cy": 20, "r": 12.5})],
        {"0": region({"name": "rect", "x": 2, "y": 3, "width": 4, "height": 5})},
    )
    content = {
        "_via_settings": {"core": {"default_filepath": ""}},
        "_via_img_metadata": json.loads(path.read_text()),
        "_via_attributes": {"region": {"class": {"options": {"disc": "", "box": ""}}}},
    }
    for rng in generators(400):
        path.write_text(json.dumps(mutated(content, rng)))
        survives(lambda: open_dataset(path, format="via", on_error="skip"))
