"""COCO's panoptic format in and out: exact round trips, and every way in which it can be broken."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from builders import edited, tiny_coco
from delineate.core.panoptic import Panoptic
from delineate.data.coco import read_coco
from delineate.data.coco_panoptic import (
    is_coco_panoptic,
    read_coco_panoptic,
    read_panoptic_results,
)
from delineate.data.coco_panoptic_write import write_coco_panoptic, write_panoptic_results
from delineate.data.formats import open_dataset, open_splits
from delineate.data.panoptic_maps import colours_of, ids_of
from delineate.data.sample import PanopticDataset
from delineate.errors import ConfigError, DataError, OutputError
from panoptic_cases import CLASSES, panoptic, random_panoptic, tiny_coco_panoptic


def assert_same(ours, theirs):
    np.testing.assert_array_equal(ours.ids, theirs.ids)
    assert ours.segments == theirs.segments
    assert ours.classes == theirs.classes


def assert_same_dataset(ours, theirs):
    assert len(ours) == len(theirs)
    for i in range(len(ours)):
        assert_same(ours.panoptic(i), theirs.panoptic(i))
        np.testing.assert_array_equal(ours.segment_areas(i), theirs.segment_areas(i))
        for key in ("image_id", "name", "size"):
            assert getattr(ours.records[i], key) == getattr(theirs.records[i], key)


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


# -- reading -------------------------------------------------------------------------------------


def test_what_was_drawn_is_read(tmp_path):
    dataset: PanopticDataset = read_coco_panoptic(tiny_coco_panoptic(tmp_path))
    assert len(dataset) == 3
    assert dataset.panoptic_classes == CLASSES
    assert dataset.classes == CLASSES.things
    assert dataset.problems == ()
    for i in range(2):
        drawn = random_panoptic(2 * i)
        assert_same(dataset.panoptic(i), drawn)
        things = [s for s in drawn.segments if CLASSES.is_thing(s.label)]
        found = dataset.instances(i)
        assert found.ids.tolist() == [s.id for s in things]
        assert dataset.areas(i).tolist() == [s.area for s in things]
        for k, thing in enumerate(things):
            np.testing.assert_array_equal(found.masks.bitmap(k), drawn.ids == thing.id)
        assert len(things) > 1
        sample = dataset[i]
        assert sample.image.shape == (24, 30, 3)
        assert (sample.image_id, sample.name) == (10 * (i + 1), f"p{i}.png")
    assert dataset.panoptic(2).segments == ()
    assert dataset.areas(2).shape == (0,)
    assert dataset.stated_boxes(2).shape == (0, 4)
    with pytest.raises(IndexError):
        dataset.panoptic(3)


def test_ids_have_three_bytes():
    ids = np.array([[0, 1, 255, 256, 65535, 65536, (1 << 24) - 1]], np.int32)
    colours = colours_of(ids)
    assert colours[0, 3].tolist() == [0, 1, 0]
    assert colours[0, 5].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(ids_of(colours), ids)


def test_the_sample_of_panopticapi(shared_data, tmp_path):
    folder = shared_data / "evalpairs" / "panopticapi_sample"
    dataset = open_dataset(folder / "panoptic_examples.json", images=folder / "input_images")
    assert (len(dataset.classes), len(dataset.panoptic_classes.stuff)) == (80, 53)
    # Its own conversion to the detection format: all segments, in the order of the file.
    detection = json.loads((folder / "panoptic_coco_detection_format.json").read_text())
    masks = [m["counts"] for i in range(2) for m in dataset.panoptic(i).masks().to_coco()]
    assert masks == [a["segmentation"]["counts"] for a in detection["annotations"]]
    # Written and read again, nothing has changed, down to the records.
    path = tmp_path / "val.json"
    write_coco_panoptic(path, dataset)
    assert_same_dataset(open_dataset(tmp_path), dataset)
    stated = json.loads((folder / "panoptic_examples.json").read_text())["annotations"]
    for ours, theirs in zip(json.loads(path.read_text())["annotations"], stated, strict=True):
        assert ours == theirs


def test_the_table_of_formats_knows_it(tmp_path):
    path = tiny_coco_panoptic(tmp_path / "p")
    assert is_coco_panoptic(path)
    assert open_dataset(path).panoptic(0).segments
    assert list(open_splits(tmp_path / "p")) == ["val"]
    other = tiny_coco(tmp_path / "c")
    assert not is_coco_panoptic(other)
    assert not is_coco_panoptic(tmp_path / "none.json")
    assert isinstance(open_dataset(path), PanopticDataset)
    assert not isinstance(open_dataset(other), PanopticDataset)
    with pytest.raises(DataError, match="broken record"):
        read_coco(path)


def test_stated_areas_are_kept_beside_counted_ones(tmp_path):
    path = tiny_coco_panoptic(tmp_path)
    with edited(path) as content:
        first, second, *_ = content["annotations"][0]["segments_info"]
        first["area"] = 12.5
        del second["area"]
    dataset = read_coco_panoptic(path)
    counted = [s.area for s in random_panoptic(0).segments]
    assert dataset.segment_areas(0).tolist() == [12.5, *counted[1:]]
    assert [s.area for s in dataset.panoptic(0).segments] == counted
    write_coco_panoptic(tmp_path / "out" / "val.json", dataset)
    assert_same_dataset(read_coco_panoptic(tmp_path / "out" / "val.json"), dataset)


def test_pictures_are_needed_only_where_they_are_read(tmp_path):
    path = tiny_coco_panoptic(tmp_path)
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(DataError, match="its file is missing"):
        read_coco_panoptic(path)
    dataset = read_coco_panoptic(path, with_pictures=False)
    assert len(dataset.panoptic(0).segments) > 3
    with pytest.raises(DataError, match="opened without its pictures"):
        dataset[0]


# -- broken files --------------------------------------------------------------------------------

SEGMENTS = "segments_info"


def first(content):
    return content["annotations"][0]


def segment(content):
    return first(content)[SEGMENTS][0]


BROKEN = {
    "no list of segments": (lambda c: first(c).update({SEGMENTS: 7}), "expected a list as 'segm"),
    "no segments": (lambda c: first(c).pop(SEGMENTS), "expected a list as 'segments_info', got no"),
    "null as annotation": (
        lambda c: c["annotations"].__setitem__(0, None),
        "expected an object, got nothing",
    ),
    "text as segment": (lambda c: first(c)[SEGMENTS].append("x"), "expected objects in 'segm"),
    "segment without id": (lambda c: segment(c).pop("id"), "a segment needs a whole number as 'id"),
    "id of void": (lambda c: segment(c).update(id=0), "ids of segments from 1 to 16777215, got 0"),
    "id beyond three bytes": (lambda c: segment(c).update(id=1 << 24), "got 16777216"),
    "id of a thousand digits": (lambda c: segment(c).update(id=10**1000), "got 1000000000"),
    "id is true": (lambda c: segment(c).update(id=True), "whole number as 'id'"),
    "an id twice": (
        lambda c: first(c)[SEGMENTS].append(dict(segment(c))),
        "two of its segments have the id",
    ),
    "an id without pixels": (
        lambda c: first(c)[SEGMENTS].append({"id": 5, "category_id": 3}),
        "its map has no pixel of these segments: 5",
    ),
    "pixels without segment": (
        lambda c: first(c)[SEGMENTS].pop(),
        "its map holds ids without a segment",
    ),
    "unknown category": (lambda c: segment(c).update(category_id=4), "the category 4 of segment"),
    "category as text": (lambda c: segment(c).update(category_id="3"), "whole number as 'category"),
    "crowd of 2": (lambda c: segment(c).update(iscrowd=2), "expected 0 or 1 as 'iscrowd'"),
    "score of 2": (lambda c: segment(c).update(score=2), "expected a 'score' from 0 to 1"),
    "score as text": (lambda c: segment(c).update(score="1"), "expected a 'score' from 0 to 1"),
    "no file name": (lambda c: first(c).pop("file_name"), "its file's name as 'file_name'"),
    "file elsewhere": (
        lambda c: first(c).update(file_name="../p0.png"),
        "out of the folder of map",
    ),
    "no such map": (lambda c: first(c).update(file_name="q.png"), "its map q.png does not exist"),
    "map of another size": (
        lambda c: c["images"][0].update(width=31),
        "map has 30 x 24 pixels, the file of annotations says 31 x 24",
    ),
    "another annotation": (
        lambda c: c["annotations"].append(first(c)),
        "its image has another annotation already",
    ),
    "unknown image": (lambda c: first(c).update(image_id=99), "belongs to image 99"),
    "no annotation": (lambda c: c["annotations"].pop(0), "it has no annotation"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told_or_left_out(tmp_path, name):
    path = tiny_coco_panoptic(tmp_path)
    change, message = BROKEN[name]
    with edited(path) as content:
        change(content)
    with pytest.raises(DataError) as stopped:
        read_coco_panoptic(path, with_pictures=False)
    assert message in str(stopped.value)
    assert "--on-error skip" in str(stopped.value)
    dataset = read_coco_panoptic(path, on_error="skip", with_pictures=False)
    assert any(message in problem.why for problem in dataset.problems)
    kept = [record.image_id for record in dataset.records]
    assert kept == ([10, 20, 30] if name == "another annotation" else [20, 30])
    assert_same(dataset.panoptic(kept.index(20)), random_panoptic(2))


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_maps_may_have_an_alpha_or_a_palette(tmp_path, mode):
    path = tiny_coco_panoptic(tmp_path)
    map_path = tmp_path / "val" / "p0.png"
    picture = Image.open(map_path)
    if mode == "RGBA":
        picture.putalpha(7)
    else:
        picture = picture.quantize(256)
    picture.save(map_path)
    assert_same(read_coco_panoptic(path).panoptic(0), random_panoptic(0))


@pytest.mark.parametrize("what", ["cut off", "no image", "jpeg", "grey", "empty"])
def test_a_damaged_map_is_told(tmp_path, what):
    path = tiny_coco_panoptic(tmp_path)
    map_path = tmp_path / "val" / "p0.png"
    if what == "cut off":
        map_path.write_bytes(map_path.read_bytes()[:-60])
    elif what == "jpeg":
        Image.open(map_path).convert("RGB").save(map_path, "JPEG")
    elif what == "grey":
        Image.open(map_path).convert("L").save(map_path)
    else:
        map_path.write_bytes(b"" if what == "empty" else b"GIF89a" * 10)
    dataset = read_coco_panoptic(path, on_error="skip")
    (problem,) = dataset.problems
    assert problem.where == "image 10 'p0.png'"
    expected = "ids without a segment" if what in ("jpeg", "grey") else "its map p0.png"
    assert expected in problem.why
    assert len(dataset) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["categories"][0].pop("isthing"), r"must say whether it is a thing"),
        (lambda c: c["categories"].append(c["categories"][0]), "comes twice"),
        (lambda c: c["categories"].append(None), "categories: expected an object, got nothing"),
        (lambda c: c.update(categories=[]), "at least one of 'categories'"),
        (lambda c: c.pop("annotations"), "expected a COCO data set"),
        (lambda c: c["annotations"].clear(), "none of its 3 can be used"),
    ],
)
def test_a_file_that_is_no_such_data_set_is_refused(tmp_path, change, message):
    path = tiny_coco_panoptic(tmp_path)
    with edited(path) as content:
        change(content)
    with pytest.raises(DataError, match=message):
        read_coco_panoptic(path, on_error="skip")


def test_maps_that_are_not_there(tmp_path):
    path = tiny_coco_panoptic(tmp_path)
    shutil.rmtree(tmp_path / "val")
    with pytest.raises(DataError, match=r"expected its maps, PNGs, in the folder .*val"):
        read_coco_panoptic(path)
    with pytest.raises(ConfigError, match="on_error"):
        read_coco_panoptic(path, on_error="ignore")


# -- writing -------------------------------------------------------------------------------------


def test_round_trip_with_pictures(tmp_path):
    dataset = read_coco_panoptic(tiny_coco_panoptic(tmp_path / "a"))
    write_coco_panoptic(tmp_path / "b" / "val.json", dataset)
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")
    again = read_coco_panoptic(tmp_path / "b" / "val.json")
    assert_same_dataset(again, dataset)
    np.testing.assert_array_equal(again[1].image, dataset[1].image)
    write_coco_panoptic(tmp_path / "b" / "val.json", again)  # over itself
    assert_same_dataset(read_coco_panoptic(tmp_path / "b" / "val.json"), dataset)


def test_results_round_trip_with_scores(tmp_path):
    truth = read_coco_panoptic(tiny_coco_panoptic(tmp_path))
    found = [
        panoptic([[1, 1, 2], [0, 3, 3]], {1: 0, 2: 1, 3: 4}, scores={1: 0.25, 2: 1.0})
        if record.image_id == 10
        else Panoptic.empty(record.size, CLASSES)
        for record in truth.records
    ]
    found[0] = random_panoptic(1)
    path = tmp_path / "out" / "predictions.json"
    write_panoptic_results(path, CLASSES, zip(truth.records, found, strict=True))
    results, foreign = read_panoptic_results(path, truth)
    assert foreign == 0
    for i, value in enumerate(found):
        assert_same(results.panoptic(i), value)


def test_two_pictures_of_one_stem_have_two_maps(tmp_path):
    path = tiny_coco_panoptic(tmp_path)
    (tmp_path / "images" / "p1.png").rename(tmp_path / "images" / "p0.jpg")
    with edited(path) as content:
        content["images"][1]["file_name"] = "p0.jpg"
    dataset = read_coco_panoptic(path)
    write_coco_panoptic(tmp_path / "out" / "val.json", dataset)
    assert {"val/p0.png", "val/p0.jpg.png"} <= set(files_in(tmp_path / "out"))
    assert_same_dataset(read_coco_panoptic(tmp_path / "out" / "val.json"), dataset)


def test_a_failure_leaves_nothing(tmp_path):
    dataset = read_coco_panoptic(tiny_coco_panoptic(tmp_path / "a"))
    (tmp_path / "a" / "val" / "p1.png").unlink()
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError):
        write_coco_panoptic(tmp_path / "b" / "val.json", dataset)
    assert list((tmp_path / "b").iterdir()) == []


def test_another_picture_of_the_same_name_is_not_replaced(tmp_path):
    dataset = read_coco_panoptic(tiny_coco_panoptic(tmp_path / "a"))
    tiny_coco_panoptic(tmp_path / "b")
    Image.new("RGB", (30, 24), "red").save(tmp_path / "b" / "images" / "p0.png")
    with pytest.raises(OutputError, match="another picture"):
        write_coco_panoptic(tmp_path / "b" / "val.json", dataset)


# -- results -------------------------------------------------------------------------------------


@pytest.fixture
def truth(tmp_path):
    return read_coco_panoptic(tiny_coco_panoptic(tmp_path / "truth"))


def test_results_need_annotations_alone_and_any_order(tmp_path, truth):
    path = tiny_coco_panoptic(tmp_path / "found", first_seed=1)
    with edited(path) as content:
        del content["images"], content["categories"]
        content["annotations"].reverse()
        content["annotations"].append({"image_id": 77, "file_name": "x.png", SEGMENTS: []})
    results, foreign = read_panoptic_results(path, truth)
    assert foreign == 1
    assert_same(results.panoptic(0), random_panoptic(1))
    assert [r.image_id for r in results.records] == [10, 20, 30]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["annotations"].pop(), "got none for 1 of them, such as image 30 'p2.png'"),
        (lambda c: segment(c).update(category_id=4), "the category 4"),
        (lambda c: c.update(annotations={}), "expected panoptic results"),
        (lambda c: c.update(annotations=[1]), "expected panoptic results"),
        (lambda c: first(c).update(image_id="10"), "whole number as 'image_id'"),
    ],
)
def test_results_that_do_not_fit_are_refused(tmp_path, truth, change, message):
    path = tiny_coco_panoptic(tmp_path / "found")
    with edited(path) as content:
        change(content)
    with pytest.raises(DataError, match=message) as refused:
        read_panoptic_results(path, truth)
    assert "skip" not in str(refused.value)


def test_results_of_another_format_are_refused(tmp_path, truth):
    path = tmp_path / "predictions.json"
    path.write_text('[{"image_id": 10, "category_id": 3, "score": 1}]')
    with pytest.raises(DataError, match="expected panoptic results"):
        read_panoptic_results(path, truth)
