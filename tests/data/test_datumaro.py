"""Datumaro's own JSON: its samples, every type of annotation, subsets, faults."""

import json
import re

import hotcoco.mask
import numpy as np
import pytest
from PIL import Image

from delineate.data.datumaro import find_datumaro, is_datumaro, read_datumaro
from delineate.data.formats import open_splits
from delineate.data.layouts import Source
from delineate.errors import DataError
from mutations import generators, mutated, survives

SIZE = (20, 30)
BITMAP = np.zeros(SIZE, bool)
BITMAP[3:9, 4:20] = True
BITMAP[5:7, 8:12] = False


def annotation(type_, label=0, **more):
    return {
        "id": 7,
        "type": type_,
        "attributes": {"occluded": False},
        "group": 0,
        "label_id": label,
        "z_order": 0,
        **more,
    }


def encoded(bitmap):
    rle = hotcoco.mask.encode(np.asfortranarray(bitmap, np.uint8))
    return {"counts": rle["counts"].decode(), "size": list(bitmap.shape)}


SQUARE = [2.0, 3.0, 8.0, 3.0, 8.0, 9.0, 2.0, 9.0]
ANNOTATIONS = (
    annotation("polygon", points=SQUARE, z_order=2),
    annotation("mask", 1, rle=encoded(BITMAP), z_order=1),
    annotation("ellipse", points=[5.0, 4.0, 25.0, 14.0]),
    {"id": 0, "type": "caption", "attributes": {}, "group": 0, "caption": "two"},
    {"id": 0, "type": "label", "attributes": {}, "group": 0, "label_id": 1},
)


def item(*annotations, id_="a", **more):
    return {
        "id": id_,
        "annotations": list(annotations),
        "attr": {"frame": 0},
        "image": {"path": f"{id_}.jpg", "size": list(SIZE)},
        **more,
    }


def content(*items, labels=("dog", "cat")):
    names = [{"name": name, "parent": "", "attributes": []} for name in labels]
    return {
        "info": {},
        "categories": {"label": {"labels": names, "attributes": ["occluded"]}, "points": {}},
        "items": list(items) or [item(*ANNOTATIONS)],
    }


def put(folder, subset="train", data=None, pictures=("a.jpg",), below=True):
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    path = folder / "annotations" / f"{subset}.json"
    path.write_text(json.dumps(content() if data is None else data))
    for name in pictures:
        target = folder / "images" / (subset if below else ".") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(target)
    return path


def read(path, **options):
    return read_datumaro(Source(path), **options)


def test_samples_hold_no_mask_and_say_so(shared_data):
    folder = shared_data / "raw" / "datumaro_formats" / "tests" / "assets" / "datumaro_dataset"
    with pytest.raises(DataError, match=r"named after their splits, .* such as default\.json"):
        find_datumaro(folder / "diverse")
    annotations = folder / "diverse" / "annotations"
    assert is_datumaro(annotations / "default.json")
    ours = read(annotations / "train.json", on_error="skip")
    assert ours.name == "diverse/train"
    assert ours.classes.names == ("cat0", "cat1", "cat2", "cat3", "cat4")
    assert [(r.name, r.size) for r in ours.records] == [("100.jpg", (10, 6))]
    assert sorted(f"{p.where}: {p.why}"[:60] for p in ours.problems) == [
        "image '100.jpg', annotation 4: a bbox has no mask",
        "image '100.jpg', annotation 5: a bbox has no mask",
        "image '100.jpg', annotation 6: the type 'points' has no area",
        "image '100.jpg', annotation 7: an RLE must have its image's ",
        "item '21': it has no picture",
    ]
    with pytest.raises(DataError, match=r"but its only one cannot be used \(item '2': it has"):
        read(annotations / "val.json", on_error="skip")
    skeletons = read(folder / "with_skeleton" / "annotations" / "default.json", on_error="skip")
    assert [p.why for p in skeletons.problems] == ["the type 'skeleton' has no area"]


def test_every_type(tmp_path):
    ours = read(put(tmp_path))
    assert ours.classes.names == ("dog", "cat")
    found = ours.instances(0)
    assert found.labels.tolist() == [0, 1, 0]  # by their layers
    ellipse, mask, polygon = found.masks.to_dense()
    np.testing.assert_array_equal(mask, BITMAP)
    assert polygon.sum() == 36
    assert polygon[3:9, 2:8].all()
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    inside = ((xs - 15) / 10) ** 2 + ((ys - 9) / 5) ** 2 <= 1
    assert (ellipse & inside).sum() / (ellipse | inside).sum() > 0.95


def test_groups_boxes_and_crowd(tmp_path):
    far = [10, 10, 13, 10, 13, 12, 10, 12]
    annotations = (
        annotation("polygon", points=SQUARE, group=4),
        annotation("polygon", 1, points=SQUARE, group=4),
        annotation("bbox", bbox=[2, 3, 11, 9], group=4),
        annotation("polygon", points=far, group=4, attributes={"is_crowd": True}),
        annotation("polygon", points=far, attributes={"is_crowd": False}),
    )
    ours = read(put(tmp_path, data=content(item(*annotations))))
    assert ours.instances(0).labels.tolist() == [0, 1, 0]
    assert ours.areas(0).tolist() == [42, 36, 6]
    assert ours.instances(0).crowd.tolist() == [True, False, False]


def test_subsets_are_splits(tmp_path):
    for subset in ("validation", "train"):
        put(tmp_path, subset)
    splits = open_splits(tmp_path)
    assert list(splits) == ["train", "val"]
    assert splits["val"].records[0].path == tmp_path / "images" / "validation" / "a.jpg"
    put(tmp_path, "val")
    with pytest.raises(DataError, match=r"'val', \S+/val\.json and \S+/validation\.json: name one"):
        open_splits(tmp_path)


def test_default_is_no_split(tmp_path):
    path = put(tmp_path, "default", below=False)
    assert find_datumaro(tmp_path) == {"train": Source(path)}
    assert find_datumaro(path) == {"train": Source(path)}
    assert find_datumaro(path.parent) == {"train": Source(path)}
    assert read(path).records[0].path == tmp_path / "images" / "a.jpg"


def test_pictures_elsewhere(tmp_path):
    path = put(tmp_path)
    (tmp_path / "images" / "train").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="its file is missing"):
        read(path)
    assert len(read(path, images=tmp_path / "elsewhere")) == 1


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"images": [], "categories": [], "annotations": []}', '{"items": [], "label": 1}'],
)
def test_what_is_not_datumaros(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert not is_datumaro(tmp_path / "a.json")
    assert find_datumaro(tmp_path) is None
    assert find_datumaro(tmp_path / "none") is None


FAULTS = {
    "a bbox has no mask": annotation("bbox", bbox=[1, 2, 3, 4]),
    "the type 'polyline' has no area": annotation("polyline", points=SQUARE),
    "the type 'rotated_bbox' has no area": annotation("rotated_bbox"),
    "its type should be text, and is nothing": annotation(None),
    "it should be an object, and is the text 'x'": "x",
    "it has no class": annotation("polygon", None, points=SQUARE),
    "should be a number from 0 to 1, and is 2": annotation("polygon", 2, points=SQUARE),
    "should be a number from 0 to 1, and is True": annotation("polygon", True, points=SQUARE),
    "its points should be a list of numbers, and are nothing": annotation("polygon"),
    "should be a list of numbers, and are a list of 3": annotation("polygon", points=[1, 2, "3"]),
    "at least 3 points": annotation("polygon", points=[1, 2, 3, 4]),
    "coordinates must be finite": annotation("polygon", points=[1, 2, 3, 4, float("nan"), 6]),
    "the 4 numbers x1, y1, x2, y2": annotation("ellipse", points=[1, 2, 3]),
    "y2, and here are [1": annotation("ellipse", points=[1, 2, 3, 10**400]),
    "radii must be above 0": annotation("ellipse", points=[3, 2, 1, 4]),
    "its rle should be an object": annotation("mask"),
    "an RLE must have 'size' and 'counts'": annotation("mask", rle={}),
    "it says 2 and 3": annotation("mask", rle={"counts": "06", "size": [2, 3]}),
    "no pixel in the picture": annotation("mask", rle=encoded(np.zeros(SIZE, bool))),
}


@pytest.mark.parametrize("match", FAULTS)
def test_a_broken_annotation(tmp_path, match):
    path = put(tmp_path, data=content(item(*ANNOTATIONS, FAULTS[match])))
    with pytest.raises(DataError, match=rf"image 'a\.jpg', annotation 6: .*{re.escape(match)}"):
        read(path)
    ours = read(path, on_error="skip")
    assert len(ours.instances(0)) == 3


ITEMS = {
    "item 2: it should be an object": None,
    "item 'b': it has no picture": item(id_="b", image=None),
    "item 'b': its annotations should be a list": item(id_="b", annotations=7),
    "item 'b': its picture's path should be text": item(id_="b", image={"path": 7}),
    "item 'b': an image's size must be": item(id_="b", image={"path": "b.jpg", "size": [1]}),
    "image 'b.jpg': the annotations say 6 x 5": item(id_="b", image={"path": "", "size": [5, 6]}),
    "image '../b.jpg': its file's name leads": item(id_="b", image={"path": "../b.jpg"}),
    "image 'a.jpg': it is listed already": item(*ANNOTATIONS),
}


@pytest.mark.parametrize("match", ITEMS)
def test_a_broken_item(tmp_path, match):
    data = content(item(*ANNOTATIONS), ITEMS[match])
    path = put(tmp_path, data=data, pictures=("a.jpg", "b.jpg"))
    with pytest.raises(DataError, match=rf"1 broken record \({match}"):
        read(path)
    ours = read(path, on_error="skip")
    assert [len(ours.instances(i)) for i in range(len(ours))] == [3]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ([], "expected a file of Datumaro .* got a list of 0"),
        ({"items": []}, "got an object with the keys items"),
        ({**content(), "categories": {"label": {"labels": 1}}}, "expected a list of labels"),
        (content(labels=("a", "a")), "'a' comes twice"),
        (content(labels=("a", 7)), "a class needs a name that is text"),
        ({**content(), "items": []}, "expected images, but it lists none"),
    ],
)
def test_a_broken_file(tmp_path, data, match):
    with pytest.raises(DataError, match=rf"train\.json: .*{match}"):
        read(put(tmp_path, data=data))


def test_whatever_is_in_a_file_nothing_but_sentences_comes_out(tmp_path):
    path = put(tmp_path, pictures=("a.jpg", "b.jpg"))
    group = [annotation("polygon", points=SQUARE, group=2), annotation("bbox", group=2)]
    sample = content(item(*ANNOTATIONS), item(*group, id_="b"))
    survived = 0
    for rng in generators(300):
        path.write_text(json.dumps(mutated(sample, rng)))
        survived += survives(lambda: read(path, on_error="skip"))
        find_datumaro(tmp_path)
    assert survived > 200
