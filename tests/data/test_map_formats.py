"""Formats that keep objects in pictures: Pascal VOC, Cityscapes, Mapillary, MOTS, our PNGs."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from delineate.core.maps import read_map
from delineate.data.comparison import differences
from delineate.data.conversion import convert
from delineate.data.format_table import FORMATS
from delineate.data.formats import find_sources, open_dataset, open_source, open_splits
from delineate.data.layouts import Source
from delineate.data.naming import Renamed, renamed
from delineate.data.voc import palette
from delineate.errors import DataError
from mutations import generators, mutated, mutated_bytes, survives
from rich_set import CLASSES, ONE, PLAIN, assert_kept, rich_set

MAPS = ("voc", "cityscapes", "png_ids", "coco_panoptic")
RAW = "raw/datumaro_formats/tests/assets"


def put_map(path, values, dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, dtype)).save(path)


def put_picture(path, height, width):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (90, 80, 70)).save(path)


def found(dataset, index=0):
    instances = dataset.instances(index)
    names = [dataset.classes.names[label] for label in instances.labels]
    return dict(zip(names, instances.masks.areas.tolist(), strict=True))


# -- writing and reading again -----------------------------------------------------------------


@pytest.mark.parametrize("classes", [CLASSES, ONE])
def test_one_png_for_each_object_keeps_everything(tmp_path, classes):
    splits = rich_set(tmp_path / "a", classes)
    (tmp_path / "b").mkdir()
    names = FORMATS["png_instances"].write(tmp_path / "b", splits)
    assert_kept(splits, names, open_splits(tmp_path / "b"), classes=False, order=False)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("classes", [CLASSES, PLAIN, ONE])
def test_maps_lose_overlaps_and_nothing_else(tmp_path, name, classes):
    if name == "voc" and classes is CLASSES:
        pytest.skip("its file of labels cannot hold these names: see the test of that")
    splits = rich_set(tmp_path / "a", classes)
    result = convert(splits, name, tmp_path / "b")
    again = open_splits(tmp_path / "b")
    assert [d.classes.names for d in again.values()] == [tuple(classes)] * 2
    told = {(loss.kind, loss.image, loss.number) for s in result.losses.values() for loss in s}
    # What lies below: a disc, one of two twins, and a picture-filling object below another.
    hidden = {
        ("mask", "street one (2).png", 5),
        ("missing", "nested/grün 日本.jpg", 4),
        ("mask", "it's 100%, #1 & more.png", 1),
    }
    crowd = {("crowd", "nested/grün 日本.jpg", 1)} if name == "voc" else set()
    assert told == hidden | crowd


@pytest.mark.parametrize("name", MAPS)
def test_nuclei_lose_one_pixel_in_which_two_overlap(tmp_path, name, shared_data):
    splits = open_splits(shared_data / "nuclei_dsb2018" / "mini_val.json")
    result = convert(splits, name, tmp_path / "b")
    (loss,) = result.losses["train"]
    assert (loss.kind, loss.area) == ("mask", 697)
    assert loss.iou == pytest.approx(696 / 697)
    with pytest.raises(DataError, match="but 1 of 348 objects would not come back"):
        convert(splits, name, tmp_path / "c", strict=True)
    assert not (tmp_path / "c").exists()


def test_more_objects_than_a_palette_has_colours(tmp_path, shared_data):
    splits = open_splits(shared_data / "nuclei_dsb2018" / "train.json")
    with pytest.raises(DataError, match="can number 254 objects in"):
        convert(splits, "voc", tmp_path / "b")


def test_classes_that_voc_cannot_name(tmp_path):
    with pytest.raises(DataError, match=r"labelmap\.txt cannot hold a class called 'key: value'"):
        convert(rich_set(tmp_path / "a", CLASSES), "voc", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_cityscapes_own_classes_keep_its_numbers(tmp_path):
    splits = rich_set(tmp_path / "a", ("car", "person"))
    convert(splits, "cityscapes", tmp_path / "b")
    assert not (tmp_path / "b" / "label_colors.txt").exists()
    (path,) = (tmp_path / "b" / "gtFine" / "val").rglob("plain_gtFine_instanceIds.png")
    assert set(np.unique(read_map(path)).tolist()) == {0, 24000}
    (path,) = (tmp_path / "b" / "gtFine" / "train").rglob("nested_*_instanceIds.png")
    assert 24 in np.unique(read_map(path))  # the crowd is a class alone


def test_too_many_classes_for_cityscapes(tmp_path):
    splits = rich_set(tmp_path / "a", [f"c{i}" for i in range(65)])
    with pytest.raises(DataError, match="can number 64 classes, and 65 came"):
        convert(splits, "cityscapes", tmp_path / "b")


# -- what others wrote -------------------------------------------------------------------------


def test_vocs_palette_is_the_published_one():
    colours = palette().tolist()
    published = {0: [0, 0, 0], 1: [128, 0, 0], 5: [128, 0, 128], 15: [192, 128, 128]}
    published |= {20: [0, 64, 128], 255: [224, 224, 192]}
    assert {i: colours[i] for i in published} == published


def test_voc_of_labelmes_converter_agrees_with_its_coco(shared_data):
    examples = shared_data / "raw" / "labelme_examples" / "examples" / "instance_segmentation"
    voc = open_dataset(examples / "data_dataset_voc")
    coco = open_dataset(examples / "data_dataset_coco" / "annotations.json")
    names = [r.name.removeprefix("JPEGImages/") for r in coco.records]
    assert len(voc) == len(coco) == 3
    # In the maps later shapes hide earlier ones, and outlines are drawn a pixel wider.
    for difference in differences(coco, voc, names):
        assert difference.kind == "mask", difference
        assert difference.iou > 0.9, difference


def test_voc_maps_of_indices_and_of_colours_agree(tmp_path):
    objects = np.array([[0, 1, 1, 255], [0, 2, 2, 255], [0, 2, 0, 3]])
    kinds = np.array([[0, 15, 15, 255], [0, 7, 255, 255], [0, 7, 0, 1]])
    (tmp_path / "ImageSets" / "Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Segmentation" / "val.txt").write_text("i\nc\n")
    for name in "ic":
        put_picture(tmp_path / "JPEGImages" / f"{name}.jpg", 3, 4)
        for kind, values in (("Object", objects), ("Class", kinds)):
            path = tmp_path / f"Segmentation{kind}" / f"{name}.png"
            put_map(path, values if name == "i" else palette()[values])
    splits = open_splits(tmp_path)
    assert list(splits) == ["val"]
    expected = {"person": 2, "car": 3, "aeroplane": 1}
    assert found(splits["val"], 0) == found(splits["val"], 1) == expected


def test_voc_takes_the_class_that_most_of_an_object_shows(tmp_path):
    put_picture(tmp_path / "JPEGImages" / "a.jpg", 2, 5)
    put_map(tmp_path / "SegmentationObject" / "a.png", [[1, 1, 1, 1, 1], [2, 2, 2, 2, 2]])
    put_map(tmp_path / "SegmentationClass" / "a.png", [[15, 7, 15, 7, 15], [255, 255, 255, 7, 0]])
    assert found(open_dataset(tmp_path)) == {"person": 5, "car": 5}


def test_voc_says_what_is_wrong(tmp_path):
    put_picture(tmp_path / "JPEGImages" / "a.jpg", 2, 3)
    put_map(tmp_path / "SegmentationObject" / "a.png", [[1, 2, 3], [1, 2, 3]])
    put_map(tmp_path / "SegmentationClass" / "a.png", [[1, 0, 40], [1, 255, 40]])
    with pytest.raises(DataError, match=r"object 2: its pixels are of no class.*number 40"):
        open_dataset(tmp_path)
    assert found(open_dataset(tmp_path, on_error="skip")) == {"aeroplane": 2}
    put_map(tmp_path / "SegmentationClass" / "a.png", [[1, 0]])
    with pytest.raises(DataError, match=r"map a\.png has 2 x 1 pixels, the picture 3 x 2"):
        open_dataset(tmp_path)
    put_map(tmp_path / "SegmentationClass" / "a.png", np.full((2, 3, 3), 9))
    with pytest.raises(DataError, match=r"shows the colour \(9, 9, 9\), which is no class's"):
        open_dataset(tmp_path)
    (tmp_path / "SegmentationClass" / "a.png").unlink()
    with pytest.raises(DataError, match=r"it has no map a\.png"):
        open_dataset(tmp_path)


def put_voc(root, name, objects, kinds):
    put_map(root / "SegmentationObject" / f"{name}.png", objects)
    put_map(root / "SegmentationClass" / f"{name}.png", kinds)


def test_voc_pictures_of_the_same_name_in_two_folders(tmp_path):
    sets = tmp_path / "ImageSets" / "Segmentation"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("a/1\nb/1\n")
    for name, kinds in (("a/1", [[7, 0]]), ("b/1", [[15, 15]])):
        put_picture(tmp_path / "JPEGImages" / f"{name}.JPG", 1, 2)
        put_voc(tmp_path, name, [[1, 1]], kinds)
    dataset = open_dataset(tmp_path)
    assert [record.name for record in dataset.records] == ["a/1.JPG", "b/1.JPG"]
    assert [found(dataset, i) for i in range(2)] == [{"car": 2}, {"person": 2}]
    put_picture(tmp_path / "1.jpg", 1, 2)
    put_voc(tmp_path, "../1", [[1, 1]], [[7, 7]])
    (sets / "train.txt").write_text(f"a/1\n../1\n{'x' * 300}\n")
    with pytest.raises(DataError, match=r"image '\.\./1\.jpg': its file's name leads out"):
        open_dataset(tmp_path)
    assert len(open_dataset(tmp_path, on_error="skip").problems) == 2


def test_voc_pictures_without_a_map_are_left_out(tmp_path):
    for name in "abc":
        put_picture(tmp_path / "JPEGImages" / f"{name}.jpg", 1, 2)
        put_voc(tmp_path, name, [[1, 1]], [[7, 0]])
    (tmp_path / "SegmentationClass" / "b.png").unlink()
    (tmp_path / "SegmentationObject" / "c.png").write_bytes(b"no picture")
    dataset = open_dataset(tmp_path, on_error="skip")
    assert [record.name for record in dataset.records] == ["a.jpg"]
    assert [problem.action for problem in dataset.problems] == [
        "the image and its objects left out"
    ] * 2


def test_voc_maps_in_dark_colours(tmp_path):
    put_picture(tmp_path / "JPEGImages" / "a.jpg", 1, 3)
    red = [[[128, 0, 0], [128, 0, 0], [0, 0, 0]]]  # aeroplane, whose numbers are below 256
    put_voc(tmp_path, "a", red, red)
    assert found(open_dataset(tmp_path)) == {"aeroplane": 2}
    put_voc(tmp_path, "a", [[[255, 0, 0], [255, 0, 0], [0, 0, 0]]], red)
    assert found(open_dataset(tmp_path)) == {"aeroplane": 2}


@pytest.mark.parametrize("colour", ["#804080", "9" * 20 + ",0,0", "1,2", "256,0,0", "-1,0,0"])
def test_voc_labels_with_other_colours(tmp_path, colour):
    put_picture(tmp_path / "JPEGImages" / "a.jpg", 1, 2)
    put_voc(tmp_path, "a", [[0, 1]], [[0, 1]])
    (tmp_path / "labelmap.txt").write_text(f"background:0,0,0::\nroad:{colour}::\n")
    with pytest.raises(DataError, match=r"labelmap\.txt: expected lines such as .* got 'road:"):
        open_dataset(tmp_path)


def test_cityscapes_names_the_wrong_line(tmp_path):
    put_map(tmp_path / "gtFine" / "train" / "x" / "a_gtFine_instanceIds.png", [[0, 1]])
    (tmp_path / "label_colors.txt").write_text("0 0 0 unlabeled\n1 2 road\n")
    with pytest.raises(DataError, match="got '1 2 road'"):
        open_dataset(tmp_path)


def test_cityscapes_pictures_whose_names_are_patterns(tmp_path):
    name = "a [1]"
    path = tmp_path / "gtFine" / "train" / "x" / f"{name}_gtFine_instanceIds.png"
    put_map(path, [[0, 26001]], np.uint16)
    put_picture(tmp_path / "leftImg8bit" / "train" / "x" / f"{name}_leftImg8bit.JPG", 1, 2)
    assert found(open_dataset(tmp_path)) == {"car": 1}


TABLES = {
    "voc": ("labelmap.txt", b"# label:color\nbackground:0,0,0::\nroad:128,64,128::\n"),
    "cityscapes": ("label_colors.txt", b"0 0 0 unlabeled\n128 64 128 road\n"),
    "png_ids": ("classes.json", {"classes": ["road"], "objects": {"a.png": {"1": "road"}},
                                 "crowd": {"a.png": [1]}}),
    "mapillary": ("config_v1.2.json", {"labels": [{"name": "road", "instances": True}]}),
}  # fmt: skip


def put_tables(root, name):
    """A data set of each format with a map and a table of classes, without that table."""
    put_picture(root / "images" / "a.jpg", 1, 2)
    match name:
        case "voc":
            put_picture(root / "JPEGImages" / "a.jpg", 1, 2)
            put_voc(root, "a", [[0, 1]], [[0, 1]])
        case "cityscapes":
            put_map(root / "gtFine" / "train" / "x" / "a_gtFine_instanceIds.png", [[0, 1]])
            put_picture(root / "leftImg8bit" / "train" / "x" / "a_leftImg8bit.png", 1, 2)
        case "png_ids":
            put_map(root / "masks" / "a.png", [[0, 1]])
        case _:
            put_picture(root / "train" / "images" / "a.jpg", 1, 2)
            put_map(root / "train" / "v1.2" / "instances" / "a.png", [[0, 1]])


@pytest.mark.parametrize("name", TABLES)
def test_spoilt_tables_of_classes(tmp_path, name):
    put_tables(tmp_path, name)
    file, content = TABLES[name]
    whole = 0
    for rng in generators(200):
        if isinstance(content, bytes):
            (tmp_path / file).write_bytes(mutated_bytes(content, rng))
        else:
            (tmp_path / file).write_text(json.dumps(mutated(content, rng)))
        whole += survives(lambda: open_dataset(tmp_path, format=name, on_error="skip"))
    assert 0 < whole < 200


@pytest.mark.parametrize(
    ("folder", "counts"),
    [
        ("cityscapes_dataset/dataset", {"train": [1], "val": [0], "test": [2, 1]}),
        ("mapillary_vistas_dataset/v1.2", {"train": [3], "val": [3]}),
        ("mapillary_vistas_dataset/v2.0", {"train": [5], "val": [2, 3]}),
        ("mapillary_vistas_dataset/dataset_with_meta_file", {"train": [3]}),
    ],
)
def test_samples_of_datumaro(shared_data, folder, counts):
    splits = open_splits(shared_data / RAW / folder, on_error="skip")
    got = {s: [len(d.instances(i)) for i in range(len(d))] for s, d in splits.items()}
    assert got == counts


def test_mapillary_counts_from_nothing(tmp_path):
    config = {"labels": [{"name": "bird", "instances": True}, {"name": "road", "instances": False}]}
    (tmp_path / "config_v1.2.json").write_text(json.dumps(config))
    put_picture(tmp_path / "training" / "images" / "a.jpg", 2, 3)
    path = tmp_path / "training" / "v1.2" / "instances" / "a.png"
    put_map(path, [[0, 1, 256], [0, 1, 256]], np.uint16)
    dataset = open_dataset(tmp_path)
    assert dataset.instances(0).masks.areas.tolist() == [2, 2]
    assert dataset.classes.names == ("bird",)
    put_picture(tmp_path / "training" / "images" / "b.jpg", 2, 3)
    assert [problem.name for problem in open_dataset(tmp_path).problems] == ["b.jpg"]
    (tmp_path / "config_v1.2.json").write_text("[]")
    with pytest.raises(DataError, match=r"expected Mapillary's configuration .* got a list of 0"):
        open_dataset(tmp_path)


def test_mots(tmp_path, shared_data):
    put_picture(tmp_path / "images" / "0000" / "000001.png", 2, 4)
    path = tmp_path / "instances" / "0000" / "000001.png"
    put_map(path, [[0, 1001, 2003, 10000], [0, 1002, 2003, 10000]], np.uint16)
    dataset = open_dataset(tmp_path)
    assert dataset.classes.names == ("car", "pedestrian")
    assert dataset.instances(0).labels.tolist() == [0, 0, 1]
    (tmp_path / "instances" / "labels.txt").write_text("tree\nhouse\n")
    assert open_dataset(tmp_path).classes.names == ("tree", "house")
    # Datumaro's mock-ups are turned on their side: pictures of 1 x 5, maps of 5 x 1.
    with pytest.raises(
        DataError, match=r"none of its 2 .*has 5 x 1 pixels, the picture 1 x 5\): put back"
    ):
        open_splits(shared_data / RAW / "mots_dataset", on_error="skip")


def test_nuclei_as_they_were_published_agree_with_their_coco(shared_data):
    ours = open_dataset(shared_data / "raw" / "nuclei_dsb2018" / "stage1_train")
    assert ours.classes.names == ("object",)
    coco = open_splits(shared_data / "nuclei_dsb2018")
    known = {
        r.name.split("/")[-1].rsplit(".", 1)[0]: (d, i)
        for d in coco.values()
        for i, r in enumerate(d.records)
    }
    checked = 0
    for i, record in enumerate(ours.records):
        stem = record.name.split("/")[0]
        if stem in known:
            dataset, j = known[stem]
            expected = sorted(m["counts"] for m in dataset.instances(j).masks.to_coco())
            assert sorted(m["counts"] for m in ours.instances(i).masks.to_coco()) == expected
            checked += len(expected)
    assert checked > 100


def test_masks_of_two_values_are_refused(tmp_path):
    for name in "ab":
        put_picture(tmp_path / "images" / f"{name}.jpg", 4, 4)
        put_map(tmp_path / "masks" / f"{name}.png", [[0, 255, 0, 255]] * 4)
    with pytest.raises(DataError, match="do not tell touching objects apart: number the objects"):
        open_dataset(tmp_path)
    put_map(tmp_path / "masks" / "a.png", [[0, 1, 0, 2]] * 4)
    assert found(open_dataset(tmp_path))["object"] == 4


def test_numbers_without_a_class(tmp_path):
    put_picture(tmp_path / "images" / "a.jpg", 1, 3)
    put_map(tmp_path / "masks" / "a.png", [[0, 1, 2]])
    labels = tmp_path / "classes.json"
    labels.write_text('{"classes": ["x"], "objects": {"a.png": {"1": "x"}}}')
    with pytest.raises(DataError, match=r"object 2: classes\.json does not say of which class"):
        open_dataset(tmp_path)
    labels.write_text('{"classes": ["x"], "objects": {"a.png": {"1": "x", "2": "z"}}}')
    with pytest.raises(DataError, match="its class 'z' is none of those"):
        open_dataset(tmp_path)
    labels.write_text('{"classes": "x"}')
    with pytest.raises(DataError, match=r'expected {"classes": \[names\].*got an object with'):
        open_dataset(tmp_path)


def test_a_picture_without_its_map(tmp_path):
    for name in "ab":
        put_picture(tmp_path / "images" / f"{name}.jpg", 1, 3)
    put_map(tmp_path / "masks" / "a.png", [[0, 1, 2]])
    with pytest.raises(DataError, match=r"image 'b\.jpg': it has no map b\.png"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", [*MAPS, "png_instances", "coco"])
def test_each_format_tells_its_own(tmp_path, name):
    convert(rich_set(tmp_path / "a", PLAIN), name, tmp_path / "b")
    chosen, sources = find_sources(tmp_path / "b")
    assert (chosen.name, list(sources)) == (name, ["train", "val"])


def test_maps_of_every_depth(tmp_path):
    values = np.array([[0, 1, 200], [3, 3, 3]])
    for name, dtype in (("a.png", np.uint8), ("b.png", np.uint16), ("c.tif", np.int32)):
        put_map(tmp_path / name, values, dtype)
        np.testing.assert_array_equal(read_map(tmp_path / name), values)
    indexed = Image.fromarray(values.astype(np.uint8))
    indexed.putpalette(palette().ravel().tolist())
    indexed.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_map(tmp_path / "p.png"), values)
    put_map(tmp_path / "rgb.png", np.stack([values, values * 0 + 1, values * 0 + 2], axis=2))
    np.testing.assert_array_equal(read_map(tmp_path / "rgb.png"), values + 256 + 2 * 65536)
    put_map(tmp_path / "one.png", values > 1, bool)
    np.testing.assert_array_equal(read_map(tmp_path / "one.png"), values > 1)
    with pytest.raises(DataError, match="more than the limit"):
        read_map(tmp_path / "a.png", max_pixels=5)
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(DataError, match="should hold whole numbers"):
        read_map(tmp_path / "f.tif")
    shutil.copy(tmp_path / "a.png", tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_map(tmp_path / "cut.png")


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_of_pictures_that_is_none_is_one_sentence(tmp_path, name):
    images = tmp_path / "nowhere"
    with pytest.raises(DataError) as error:
        open_source(FORMATS[name], Source(tmp_path), images=images, on_error="skip")
    assert str(error.value) == (
        f"{images}: expected the folder of the pictures, found no folder there: check --images."
    )


@pytest.mark.parametrize("name", ["voc", "open_images", "label_studio"])
def test_pictures_named_by_bytes_that_are_no_utf_8(tmp_path, name):
    splits = {
        split: renamed(data, [f"caf\udce9{i}.png" for i in range(len(data))])
        for split, data in rich_set(tmp_path / "a", PLAIN).items()
    }
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match=r"expected names in UTF-8, got 'caf\\udce90\.png'"):
        FORMATS[name].write(tmp_path / "b", splits)


class Boxes(Renamed):
    def instances(self, index):
        return super().instances(index).replace(masks=None)


@pytest.mark.parametrize("name", [*MAPS[:3], "png_instances", "labelme", "cvat"])
def test_boxes_alone_cannot_be_written(tmp_path, name):
    data = rich_set(tmp_path / "a", PLAIN)["train"]
    (tmp_path / "b").mkdir()
    boxes = Boxes(data, [r.name for r in data.records])
    with pytest.raises(DataError, match="has boxes only: no format of masks can hold it"):
        FORMATS[name].write(tmp_path / "b", {"train": boxes})
