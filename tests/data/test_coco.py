"""COCO in and out: every spelling, exact round trips, real folders against pycocotools."""

import json
import math
import pickle
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools.coco import COCO

from builders import edited, segmentation, tiny_coco, tiny_scenes
from delineate.core.boxes import xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.image import read_image
from delineate.data import annotated, segmentations
from delineate.data.coco import read_coco
from delineate.data.coco_write import write_coco
from delineate.data.derived import Concat, Relabelled, Subset
from delineate.data.formats import open_splits
from delineate.data.naming import renamed
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import DataError, OutputError

# pycocotools 2.0.11 under numpy 2
THEIR_WARNING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
FOLDERS = (
    "coco128",
    "fruits_nuts",
    "gothic_prints",
    "mushrooms",
    "nuclei_dsb2018",
    "potholes",
    "publaynet20",
    "street_facades",
)


def assert_same(ours, theirs):
    """Two sets of instances are equal in every field."""
    assert ours.image_size == theirs.image_size
    np.testing.assert_array_equal(ours.boxes, theirs.boxes)
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    for field in ("scores", "ids", "crowd"):
        np.testing.assert_equal(getattr(ours, field), getattr(theirs, field), field)
    assert (ours.masks is None) == (theirs.masks is None)
    if ours.masks is not None:
        assert ours.masks.to_coco() == theirs.masks.to_coco()


# -- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["string", "counts", "polygons", "flat"])
def test_every_spelling_gives_the_exact_masks(tmp_path, spelling):
    drawn = tiny_scenes(5, crowd=True, empty=True, objects=5)
    options = {"crowd": True, "empty": True, "objects": 5}
    dataset = read_coco(tiny_coco(tmp_path, 5, spelling=spelling, **options))
    assert len(dataset) == 5
    for sample, scene in zip(dataset, drawn, strict=True):
        np.testing.assert_array_equal(sample.image, scene.image)
        dense = sample.instances.masks.to_dense()
        np.testing.assert_array_equal(dense, np.reshape(scene.bitmaps, dense.shape))
        assert sample.instances.labels.tolist() == scene.labels
        assert sample.instances.crowd.tolist() == scene.crowd
    assert dataset.problems == ()


def test_ids_names_and_classes(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path, 2, objects=2))
    assert [record.image_id for record in dataset.records] == [10, 20]
    assert dataset.records[1].name == "train_01.png"
    assert dataset.records[1].path == tmp_path / "images" / "train_01.png"
    assert dataset.records[1].size == (48, 64)
    assert dataset.instances(1).ids.tolist() == [107, 110]
    assert dataset.classes == ClassMap(("disc", "box"), (3, 7))
    assert dataset.name == f"{tmp_path.name}/train"
    assert dataset[1].image_id == 20
    assert dataset[1].name == "train_01.png"


def test_annotations_in_any_order_find_their_image(tmp_path):
    path = tiny_coco(tmp_path, 3, crowd=True)
    straight = read_coco(path)
    with edited(path) as content:
        content["annotations"].reverse()
    reverse = read_coco(path)
    for i in range(3):
        assert_same(reverse.instances(i), straight.instances(i)[::-1])
        assert reverse.areas(i).tolist() == straight.areas(i).tolist()[::-1]


def test_labels_follow_the_order_of_ids_not_of_the_list(tmp_path):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        content["categories"].reverse()
        content["categories"].append({"id": 5, "name": "never used"})
    dataset = read_coco(path)
    assert dataset.classes == ClassMap(("disc", "never used", "box"), (3, 5, 7))
    assert dataset.instances(0).labels.tolist() == [0, 2, 0]


def test_ids_from_zero_to_63_bits(tmp_path):
    path = tiny_coco(tmp_path, 3)
    ids = {10: 5, 20: 0, 30: 2**63 - 1}
    with edited(path) as content:
        for image in content["images"]:
            image["id"] = ids[image["id"]]
        for annotation in content["annotations"]:
            annotation["image_id"] = ids[annotation["image_id"]]
    dataset = read_coco(path)
    assert [record.image_id for record in dataset.records] == [5, 0, 2**63 - 1]
    assert [len(dataset.instances(i)) for i in range(3)] == [3, 3, 3]


def test_the_mask_is_the_truth_not_the_box(tmp_path):
    path = tiny_coco(tmp_path, 1)
    right = read_coco(path).instances(0).boxes
    with edited(path) as content:
        content["annotations"][0]["bbox"] = [0, 0, 1, 1]
        del content["annotations"][1]["bbox"]
        del content["annotations"][1]["iscrowd"]
    instances = read_coco(path).instances(0)
    np.testing.assert_array_equal(instances.boxes, right)
    assert instances.crowd.tolist() == [False] * 3


def test_stated_areas_are_kept_and_others_computed(tmp_path):
    path = tiny_coco(tmp_path, 1, objects=5)
    pixels = read_coco(path).areas(0).tolist()
    with edited(path) as content:
        first, second, third, fourth, _ = content["annotations"]
        first["area"] = 12.75
        del second["area"]
        third["area"] = "large"
        fourth["area"] = float("nan")
    assert read_coco(path).areas(0).tolist() == [12.75, *pixels[1:]]


def test_stated_boxes_are_kept_and_others_computed(tmp_path):
    path = tiny_coco(tmp_path, 2, objects=5)
    with edited(path) as content:
        first, second, third, fourth, fifth = content["annotations"][:5]
        first["bbox"] = [1.25, 2, 3.5, 4]
        del second["bbox"]
        third["bbox"] = [1, 2, 3]
        fourth["bbox"] = [1, 2, 3, float("nan")]
        fifth["bbox"] = [1, 2, 3, 10**400]
        content["annotations"].reverse()
    dataset = read_coco(path)
    boxes = dataset.stated_boxes(0)
    from_masks = xyxy_to_xywh(dataset.instances(0).boxes)
    assert dataset.instances(0).ids.tolist() == [113, 110, 107, 104, 101]
    assert boxes.dtype == np.float64
    assert boxes[:4].tolist() == from_masks[:4].tolist()
    assert boxes[4].tolist() == [1.25, 2, 3.5, 4]
    assert dataset.stated_boxes(1).tolist() == xyxy_to_xywh(dataset.instances(1).boxes).tolist()
    dataset.stated_boxes(1)[:] = 0
    assert dataset.stated_boxes(1).all(axis=1).any()


MISSTATED = {
    "NaN": ({"bbox": [1.0, math.nan, 2.0, 3.0], "area": math.nan}, [True, True]),
    "infinite": ({"bbox": [1.0, 1.0, math.inf, 3.0], "area": -math.inf}, [True, True]),
    "words": ({"bbox": "1 1 2 3", "area": "6"}, [True, True]),
    "three numbers": ({"bbox": [1, 1, 2], "area": 6}, [True, False]),
    "an area below 0": ({"bbox": [1, 1, 2, 3], "area": -1}, [False, True]),
    "nothing": ({"bbox": [], "area": None}, [False, False]),
    "zero": ({"bbox": [0, 0, 0, 0], "area": 0}, [False, False]),
}


@pytest.mark.parametrize(("fields", "told"), MISSTATED.values(), ids=MISSTATED)
def test_what_is_stated_and_is_none_is_told_and_computed(tmp_path, fields, told):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        content["annotations"][1].update(fields)
    dataset = read_coco(path)
    stated = dataset.stated(0)
    assert stated.misstated.tolist() == [[False, False], told, [False, False]]
    assert np.isnan(stated.boxes[1]).all() == (told[0] or fields["bbox"] == [])
    assert np.isfinite(dataset.areas(0)).all()
    assert np.isfinite(dataset.stated_boxes(0)).all()


def test_stated_boxes_of_an_empty_image_and_beyond_the_last(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path, 2, empty=True))
    assert dataset.stated_boxes(1).shape == (0, 4)
    with pytest.raises(IndexError):
        dataset.stated_boxes(2)


@pytest.mark.parametrize("through", ["itself", "a subset", "another table", "other names", "two"])
def test_outlines_are_written_point_by_point(tmp_path, through):
    path = tiny_coco(tmp_path / "source", 2, spelling="polygons", crowd=True)
    with edited(path) as content:
        content["annotations"][0]["segmentation"] = [[3, 3, 20.25, 3, 20.25, 3, 20.25, 9, 3, 3.5]]
        drawn = [annotation["segmentation"] for annotation in content["annotations"]]
    dataset = {
        "itself": lambda d: d,
        "a subset": lambda d: Subset(d, [0, 1]),
        "another table": lambda d: Relabelled(d, ClassMap(("disc", "box", "rod"), (3, 7, 9))),
        "other names": lambda d: renamed(d, ["a.png", "b.png"]),
        "two": lambda d: Concat([d]),
    }[through](read_coco(path))
    write_coco(tmp_path / "out.json", dataset)
    written = [
        a["segmentation"] for a in json.loads((tmp_path / "out.json").read_text())["annotations"]
    ]
    crowds = [isinstance(outlines, dict) for outlines in drawn]
    assert [isinstance(outlines, dict) for outlines in written] == crowds
    assert any(crowds)
    for before, after in zip(drawn, written, strict=True):
        assert isinstance(before, dict) or before == after
    again = read_coco(tmp_path / "out.json")
    for i in range(2):
        assert again.instances(i).masks.to_coco() == dataset.instances(i).masks.to_coco()


def test_stated_boxes_survive_writing(tmp_path):
    path = tiny_coco(tmp_path / "a", 1)
    with edited(path) as content:
        content["annotations"][1]["bbox"] = [0.1, 0.2, 0.3, 0.4]
    write_coco(tmp_path / "b" / "train.json", read_coco(path))
    again = read_coco(tmp_path / "b" / "train.json")
    assert again.stated_boxes(0)[1].tolist() == [0.1, 0.2, 0.3, 0.4]


def test_several_parts_and_a_hole(tmp_path):
    path = tiny_coco(tmp_path, 1, objects=2)
    ring = np.zeros((48, 64), bool)
    ring[5:20, 5:20] = True
    ring[10:15, 10:15] = False
    with edited(path) as content:
        parts, hole = content["annotations"]
        parts["segmentation"] = [[0, 0, 4, 0, 4, 3, 0, 3], [10, 0, 12, 0, 12, 3, 10, 3]]
        hole["segmentation"] = segmentation(ring, "string")
    masks = read_coco(path).instances(0).masks
    assert masks.areas.tolist() == [4 * 3 + 2 * 3, 15 * 15 - 5 * 5]
    assert masks.boxes().tolist() == [[0, 0, 12, 3], [5, 5, 20, 20]]
    np.testing.assert_array_equal(masks.bitmap(1), ring)


def test_outline_that_covers_no_pixel(tmp_path):
    path = tiny_coco(tmp_path, 1, objects=1)
    with edited(path) as content:
        content["annotations"][0]["segmentation"] = [[9.1, 9.1, 9.2, 9.1, 9.2, 9.2]]
    instances = read_coco(path).instances(0)
    assert instances.boxes.tolist() == [[0, 0, 0, 0]]
    assert instances.masks.areas.tolist() == [0]


def test_an_image_of_one_pixel(tmp_path):
    path = tiny_coco(tmp_path, 1, objects=1, size=(1, 1))
    with edited(path) as content:
        content["annotations"][0]["segmentation"] = {"size": [1, 1], "counts": "01"}
    assert read_coco(path).instances(0).boxes.tolist() == [[0, 0, 1, 1]]


def test_opening_rasterises_nothing(tmp_path, monkeypatch):
    def read(*_: object) -> None:
        raise AssertionError("read at opening")

    path = tiny_coco(tmp_path, spelling="polygons", crowd=True)
    with monkeypatch.context() as patch:
        patch.setattr(segmentations.rle, "from_segmentation", read)
        dataset = read_coco(path)
        with pytest.raises(AssertionError, match="read at opening"):
            dataset.instances(0)
    assert len(dataset.instances(0)) == 4


@pytest.mark.parametrize("index", [4, -5])
def test_index_outside(tmp_path, index):
    dataset = read_coco(tiny_coco(tmp_path, 4))
    with pytest.raises(IndexError):
        dataset.instances(index)
    with pytest.raises(IndexError):
        dataset[index]


def test_index_from_the_end(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path, 4))
    assert_same(dataset.instances(-1), dataset.instances(3))


@pytest.mark.parametrize("place", [".", "images/photos"])
def test_pictures_are_found_beside_the_file_and_in_folders(tmp_path, place):
    path = tiny_coco(tmp_path, 1)
    (tmp_path / place).mkdir(exist_ok=True)
    shutil.move(tmp_path / "images" / "train_00.png", tmp_path / place / "a.png")
    with edited(path) as content:
        content["images"][0]["file_name"] = "a.png" if place == "." else f"{place}/a.png"
    np.testing.assert_array_equal(read_coco(path)[0].image, tiny_scenes(1)[0].image)


# -- writing -----------------------------------------------------------------------------------


def test_round_trip_is_exact(tmp_path):
    source = tiny_coco(tmp_path / "a", 5, crowd=True, empty=True)
    with edited(source) as content:
        content["annotations"][0]["area"] = 12.75
    dataset = read_coco(source)
    write_coco(tmp_path / "b" / "train.json", dataset)
    copy = read_coco(tmp_path / "b" / "train.json")
    assert copy.classes == dataset.classes
    assert [(r.image_id, r.name, r.size) for r in copy.records] == [
        (r.image_id, r.name, r.size) for r in dataset.records
    ]
    for i in range(5):
        assert_same(copy.instances(i), dataset.instances(i))
        assert copy.areas(i).tolist() == dataset.areas(i).tolist()
        assert copy.records[i].path.read_bytes() == dataset.records[i].path.read_bytes()


@pytest.mark.filterwarnings(THEIR_WARNING)
def test_what_is_written_pycocotools_can_read(tmp_path, capsys):
    dataset = read_coco(tiny_coco(tmp_path, 2, crowd=True))
    write_coco(tmp_path / "copy.json", dataset, copy_images=False)
    theirs = COCO(str(tmp_path / "copy.json"))
    for i in range(2):
        annotations = theirs.loadAnns(theirs.getAnnIds(imgIds=10 * (i + 1)))
        masks = np.stack([theirs.annToMask(a) for a in annotations]).astype(bool)
        np.testing.assert_array_equal(masks, dataset.instances(i).masks.to_dense())
    assert (
        json.loads((tmp_path / "copy.json").read_text())["annotations"][0]["bbox"]
        == json.loads((tmp_path / "train.json").read_text())["annotations"][0]["bbox"]
    )


def test_without_pictures_only_the_file_is_written(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path / "a"))
    write_coco(tmp_path / "half.json", Subset(dataset, [3, 1]), copy_images=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "half.json"]
    half = read_coco(tmp_path / "half.json", images=tmp_path / "a" / "images")
    assert [record.image_id for record in half.records] == [40, 20]
    assert_same(half.instances(0), dataset.instances(3))


def test_drawn_scenes_are_written_as_pictures(tmp_path):
    for name, seed in (("train", 1), ("val", 2)):
        scenes = SyntheticScenes(3, size=(40, 50), seed=seed)
        write_coco(tmp_path / f"{name}.json", scenes)
        copy = read_coco(tmp_path / f"{name}.json")
        for i in range(3):
            np.testing.assert_array_equal(copy[i].image, scenes[i].image)
            ours, drawn = copy.instances(i), scenes.instances(i)
            assert ours.masks.to_coco() == drawn.masks.to_coco()
            np.testing.assert_array_equal(ours.labels, drawn.labels)


def test_annotations_without_ids_are_numbered(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path / "a", 2, objects=2))
    other = read_coco(tiny_coco(tmp_path / "b", 1, objects=2, name="more"))
    write_coco(tmp_path / "all.json", Concat([dataset, other]))
    both = read_coco(tmp_path / "all.json")
    assert [both.instances(i).ids.tolist() for i in range(3)] == [[1, 2], [3, 4], [5, 6]]


def test_writing_again_over_the_same_pictures(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path))
    before = (tmp_path / "images" / "train_00.png").read_bytes()
    write_coco(tmp_path / "train.json", dataset)
    assert (tmp_path / "images" / "train_00.png").read_bytes() == before
    scenes = SyntheticScenes(1, size=(40, 40))
    write_coco(tmp_path / "drawn.json", scenes)
    write_coco(tmp_path / "drawn.json", scenes)
    assert len(read_coco(tmp_path / "drawn.json")) == 1


@given(
    arrays.arrays(np.float32, (5, 4), elements=st.floats(0, 1e6, width=32, allow_subnormal=False))
)
def test_boxes_in_an_image_come_back_from_xywh_exactly(corners):
    boxes = np.sort(corners.reshape(5, 2, 2), axis=1).reshape(5, 4)
    back = xyxy_to_xywh(boxes)
    back[:, 2:] += back[:, :2]
    np.testing.assert_array_equal(back.astype(np.float32), boxes)


# -- real folders ------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", FOLDERS)
def test_real_folders_have_no_problems(shared_data, folder):
    splits = open_splits(shared_data / folder)
    assert {"train", "val"} <= set(splits)
    assert all(len(dataset) and not dataset.problems for dataset in splits.values())


@pytest.mark.filterwarnings(THEIR_WARNING)
@pytest.mark.parametrize("folder", FOLDERS)
def test_real_folders_equal_pycocotools(shared_data, folder, capsys):
    path = shared_data / folder / "val.json"
    ours, theirs = read_coco(path), COCO(str(path))
    for i in range(0, len(ours), max(1, len(ours) // 6)):
        record, instances = ours.records[i], ours.instances(i)
        annotations = theirs.loadAnns(theirs.getAnnIds(imgIds=record.image_id))
        assert instances.ids.tolist() == [a["id"] for a in annotations]
        assert instances.crowd.tolist() == [bool(a["iscrowd"]) for a in annotations]
        assert ours.areas(i).tolist() == [a["area"] for a in annotations]
        names = [theirs.cats[a["category_id"]]["name"] for a in annotations]
        assert [ours.classes.name(label) for label in instances.labels.tolist()] == names
        for k, annotation in enumerate(annotations):
            np.testing.assert_array_equal(instances.masks.bitmap(k), theirs.annToMask(annotation))


@pytest.mark.parametrize(("split", "crowds", "empty"), [("train", 7, 0), ("test", 1, 2)])
def test_real_round_trip_with_crowds_and_empty_images(shared_data, tmp_path, split, crowds, empty):
    dataset = read_coco(shared_data / "coco128" / f"{split}.json")
    write_coco(tmp_path / "train.json", dataset)
    copy = read_coco(tmp_path / "train.json")
    assert copy.classes == dataset.classes
    assert sum(dataset.instances(i).crowd.sum() for i in range(len(dataset))) == crowds
    assert sum(len(dataset.instances(i)) == 0 for i in range(len(dataset))) == empty
    for i in range(len(dataset)):
        assert_same(copy.instances(i), dataset.instances(i))
        assert copy.areas(i).tolist() == dataset.areas(i).tolist()
    np.testing.assert_array_equal(copy[0].image, read_image(dataset.records[0].path))


# -- what cannot be written --------------------------------------------------------------------


def test_instances_without_masks_are_no_data_set(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path / "a"))
    boxes = dataset.instances(0).replace(masks=None)
    dataset.instances = lambda _: boxes
    with pytest.raises(DataError, match=r"expected masks, but image 'train_00\.png' has boxes"):
        write_coco(tmp_path / "b" / "train.json", dataset)
    assert not (tmp_path / "b").exists()


def test_two_images_of_one_name(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path))
    with pytest.raises(DataError, match=r"two are called 'train_00\.png'"):
        write_coco(tmp_path / "twice.json", Concat([dataset, dataset]), copy_images=False)


def test_two_annotations_of_one_id(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path))
    instances = dataset.instances(0)
    dataset.instances = lambda _: instances
    with pytest.raises(DataError, match=r"annotation 101 of image 'train_01\.png'"):
        write_coco(tmp_path / "twice.json", dataset, copy_images=False)
    assert not (tmp_path / "twice.json").exists()


@pytest.mark.parametrize("drawn", [True, False])
def test_another_picture_in_the_way(tmp_path, drawn):
    read = read_coco(tiny_coco(tmp_path / "a"))
    dataset = SyntheticScenes(2, size=(48, 64)) if drawn else read
    name = dataset.records[1].name
    other = tiny_coco(tmp_path / "b", 1).parent / "images" / "train_00.png"
    other.rename(other.with_name(name))
    with pytest.raises(OutputError, match=f"{name} exists and is another picture"):
        write_coco(tmp_path / "b" / "new.json", dataset)
    assert [p.name for p in (tmp_path / "b" / "images").iterdir()] == [name]
    assert not (tmp_path / "b" / "new.json").exists()


def test_masks_stay_in_memory_up_to_a_limit(tmp_path, monkeypatch):
    path = tiny_coco(tmp_path, 2, objects=3)
    probe = read_coco(path)
    monkeypatch.setattr(annotated, "_HELD_BYTES", annotated._bytes(probe.instances(0)))
    data = read_coco(path)
    assert len(data.instances(0)) == len(data.instances(1)) == 3
    assert data.instances(0) is data.instances(-2)
    assert data.instances(1) is not data.instances(1)
    assert_same(data.instances(1), data[1].instances)


def test_a_copy_for_another_process_holds_no_masks(tmp_path):
    data = read_coco(tiny_coco(tmp_path, 2, objects=3))
    before = len(pickle.dumps(data))
    first = data.instances(0)
    copied = pickle.loads(pickle.dumps(data))
    assert len(pickle.dumps(data)) == before
    assert_same(copied.instances(0), first)


@pytest.mark.parametrize("place", ["images/val2017", "val2017", "images/val", "val", "images"])
def test_pictures_where_coco_and_others_lay_them(tmp_path, place):
    path = tiny_coco(tmp_path / "annotations", 2, name="instances_val2017")
    shutil.move(tmp_path / "annotations" / "images", tmp_path / place)
    assert len(read_coco(path)) == 2
    assert list(open_splits(tmp_path)) == ["val"]


def test_pictures_of_a_split_come_before_those_of_all(tmp_path):
    for name, seed in (("instances_train", 0), ("instances_val", 1)):
        path = tiny_coco(tmp_path / "annotations", 1, name=name, seed=seed)
        with edited(path) as content:
            old, content["images"][0]["file_name"] = content["images"][0]["file_name"], "a.png"
        target = tmp_path / "images" / name.partition("_")[2] / "a.png"
        target.parent.mkdir(parents=True)
        (path.parent / "images" / old).rename(target)
    for name, dataset in open_splits(tmp_path).items():
        assert dataset.records[0].path == tmp_path / "images" / name / "a.png"
