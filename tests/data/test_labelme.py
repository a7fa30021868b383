"""labelme: its own examples and their conversions, every shape, every fault, and back."""

import base64
import io
import json
import pickle
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

from delineate.core.image import read_image
from delineate.data import file_trees
from delineate.data.coco import read_coco
from delineate.data.formats import open_dataset, open_splits
from delineate.data.labelme import find_labelme, is_labelme, read_labelme
from delineate.data.labelme_write import write_labelme
from delineate.data.layouts import Source
from delineate.errors import DataError
from mutations import generators, mutated, survives
from rich_set import CLASSES, ONE, PLAIN, assert_kept, rich_set

SIZE = (40, 60)
RING = np.pad(np.ones((5, 7), bool), 2, constant_values=True)
RING[3:6, 3:8] = False


def png(array, mode=None):
    file = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def shape(label, points, type_="polygon", **more):
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": type_,
        "flags": {},
        "mask": None,
        **more,
    }


TRIANGLE = [[3.5, 2.25], [20.0, 4.0], [9.0, 18.5]]
SHAPES = [
    shape("cat", TRIANGLE),
    shape("cat", [[30.0, 20.0], [22.0, 8.0]], "rectangle"),
    shape("dog", [[44.0, 20.0], [44.0, 29.0]], "circle"),
    shape("dog", [[2.0, 25.0], [12.0, 33.0]], "mask", mask=png(RING.astype(np.uint8))),
]


def page(shapes=SHAPES, **more):
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": SIZE[0],
        "imageWidth": SIZE[1],
        **more,
    }


def put(folder, name="a", content=None, picture=True, **more):
    """Write a file as labelme does, and its picture."""
    folder.mkdir(parents=True, exist_ok=True)
    content = page(imagePath=f"{name}.png", **more) if content is None else content
    (folder / f"{name}.json").write_text(json.dumps(content, indent=2))
    if picture:
        pixels = np.random.default_rng(len(name)).integers(0, 255, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def read(folder, **options):
    return read_labelme(Source(folder), **options)


def outlined(*polygons):
    """Take the pixels whose centres lie inside."""
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    inside = np.zeros(SIZE, bool)
    for polygon in polygons:
        crossings = np.zeros(SIZE, bool)
        for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
            if y1 != y2:
                at = x1 + (ys - y1) * (x2 - x1) / (y2 - y1)
                crossings ^= ((y1 > ys) != (y2 > ys)) & (xs < at)
        inside |= crossings
    return inside


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


# -- the tool's own examples -------------------------------------------------------------------


@pytest.fixture
def examples(shared_data):
    return shared_data / "raw" / "labelme_examples" / "examples"


def test_examples_equal_their_conversion_to_coco(examples):
    folder = examples / "instance_segmentation"
    ours = open_dataset(folder / "data_annotated")
    coco = read_coco(folder / "data_dataset_coco" / "annotations.json")
    assert ours.classes.names == coco.classes.names[1:]
    assert coco.classes.names[0] == "_background_"
    place = {record.name.rpartition("/")[2]: i for i, record in enumerate(coco.records)}
    assert [len(ours.instances(i)) for i in range(3)] == [3, 6, 3]
    for i, record in enumerate(ours.records):
        mine, theirs = ours.instances(i), coco.instances(place[record.name])
        assert (mine.labels + 1).tolist() == theirs.labels.tolist()
        assert mine.masks.to_coco() == theirs.masks.to_coco()


def test_examples_are_close_to_their_conversion_to_voc(examples):
    """Its outlines are drawn half a pixel outwards."""
    folder = examples / "instance_segmentation"
    ours = open_dataset(folder / "data_annotated")
    for i, record in enumerate(ours.records):
        png = folder / "data_dataset_voc" / "SegmentationObject" / f"{record.name[:-4]}.png"
        voc = np.array(Image.open(png))
        drawn = ours.instances(i).masks.label_map()
        for number in range(1, drawn.max() + 1):
            values, counts = np.unique(voc[drawn == number], return_counts=True)
            there = voc == values[counts.argmax()]
            assert iou(drawn == number, there) > 0.93


def test_example_of_primitives(examples):
    with pytest.raises(DataError, match=r"3 broken records .*shape 5: a line has no area; .*shape"):
        open_dataset(examples / "primitives")
    ours = open_dataset(examples / "primitives", on_error="skip")
    assert ours.classes.names == ("circle", "octagon", "polygon", "rectangle")
    assert ours.instances(0).labels.tolist() == [3, 0, 3, 2, 1]
    areas = ours.areas(0)
    assert areas[[0, 2]].tolist() == [100 * 100, 151 * 102 - 0 * 2]
    assert areas[1] == pytest.approx(np.pi * (30**2 + 41**2), rel=0.01)
    content = json.loads((examples / "primitives" / "primitives.json").read_text())
    octagon = read_image(base64.b64decode(content["shapes"][-1]["mask"]))[..., 0] > 0
    np.testing.assert_array_equal(ours.instances(0).masks.crop(4)[0], octagon)
    assert ours.instances(0).boxes[4].tolist() == [417, 305, 517, 405]


def test_example_with_the_picture_in_its_file(examples):
    ours = open_dataset(examples / "tutorial")
    (record,) = ours.records
    assert (record.name, record.path, record.size) == ("apc2016_obj3.png", None, (907, 1210))
    picture = read_image(examples / "tutorial" / "apc2016_obj3.jpg")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours))[0].image, picture)
    assert len(ours[0].instances) == 4


def test_example_of_a_video(examples):
    ours = open_dataset(examples / "video_annotation")
    assert ours.classes.names == ("car", "track")  # labels.txt of the folder
    assert [r.name for r in ours.records] == [f"data_annotated/0000010{i}.jpg" for i in range(5)]


# -- shapes ------------------------------------------------------------------------------------


def test_every_shape(tmp_path):
    ours = read(put(tmp_path))
    assert ours.name == f"{tmp_path.parent.name}/{tmp_path.name}"
    assert ours.classes.names == ("cat", "dog")
    assert ours.instances(0).labels.tolist() == [0, 0, 1, 1]
    triangle, rectangle, circle, mask = ours.instances(0).masks.to_dense()
    assert iou(triangle, outlined(TRIANGLE)) > 0.95
    expected = np.zeros(SIZE, bool)
    expected[8:20, 22:30] = True
    np.testing.assert_array_equal(rectangle, expected)
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    assert iou(circle, np.hypot(xs - 44, ys - 20) <= 9) > 0.97
    drawing = Image.new("1", SIZE[::-1])
    ImageDraw.Draw(drawing).ellipse((35, 11, 53, 29), outline=1, fill=1)  # as labelme draws it
    assert iou(circle, np.array(drawing)) > 0.88
    expected = np.zeros(SIZE, bool)
    expected[25:34, 2:13] = RING
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("type_", ["polygon", None, "oriented_rectangle", "rotation", "rectangle"])
def test_outlines_by_another_name(tmp_path, type_):
    corners = [[5, 5], [12, 5], [12, 9], [5, 9]]
    ours = read(put(tmp_path, shapes=[shape("a", corners, type_)]))
    assert ours.areas(0).tolist() == [28]


def test_a_shape_of_the_first_versions(tmp_path):
    old = {"label": "a", "points": TRIANGLE, "fill_color": None, "line_color": None}
    content = {"shapes": [old], "imagePath": "a.png", "imageData": None, "flags": {}}
    ours = read(put(tmp_path, content=content))
    assert ours.areas(0)[0] == pytest.approx(outlined(TRIANGLE).sum(), abs=6)


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA"])
def test_masks_of_any_depth(tmp_path, mode):
    bitmap = png((RING * 255).astype(np.uint8), mode)
    ours = read(put(tmp_path, shapes=[shape("a", [[2, 25], [12, 33]], "mask", mask=bitmap)]))
    np.testing.assert_array_equal(ours.instances(0).masks.crop(0)[0], RING)


def test_a_mask_that_was_moved(tmp_path):
    bitmap = png(RING.astype(np.uint8))
    moved = [shape("a", [[-3.4, 35.2], [6.6, 43.4]], "mask", mask=bitmap)]
    ours = read(put(tmp_path, shapes=moved))
    expected = np.zeros(SIZE, bool)
    expected[35:40, 0:8] = RING[:5, 3:]
    np.testing.assert_array_equal(ours.instances(0).masks.bitmap(0), expected)


def test_groups_are_objects_of_several_parts(tmp_path):
    square = [[1, 1], [4, 5]]
    shapes = [
        shape("a", square, "rectangle", group_id=1),
        shape("b", square, "rectangle", group_id=1),
        shape("a", [[50, 30], [52, 31]], "rectangle", group_id=2),
        shape("a", [[2, 25], [12, 33]], "mask", mask=png(RING.astype(np.uint8)), group_id=1),
        shape("a", [[2, 2], [10, 4]], "rectangle", group_id=1),
        shape("a", [[20, 20], [21, 21]], "rectangle"),
    ]
    ours = read(put(tmp_path, shapes=shapes))
    assert [ours.classes.names[i] for i in ours.instances(0).labels] == ["a", "b", "a", "a"]
    assert ours.areas(0).tolist() == [12 + 16 - 4 + RING.sum(), 12, 2, 1]


def test_what_is_no_object(tmp_path):
    shapes = [shape("__ignore__", TRIANGLE), *SHAPES]
    assert len(read(put(tmp_path, shapes=shapes)).instances(0)) == 4
    shapes = [shape("_background_", TRIANGLE), *SHAPES]
    with pytest.raises(DataError, match="shape 1: '_background_' is no object"):
        read(put(tmp_path, shapes=shapes))


def test_crowd(tmp_path):
    flags = [{"crowd": True}, {"crowd": False}, {"other": True}, None]
    shapes = [shape("a", TRIANGLE, flags=value) for value in flags]
    crowd = read(put(tmp_path, shapes=shapes)).instances(0).crowd
    assert crowd.tolist() == [True, False, False, False]


# -- classes, folders, pictures ----------------------------------------------------------------


@pytest.mark.parametrize("place", [".", ".."])
def test_labels_txt_gives_the_order(tmp_path, place):
    folder = put(tmp_path / "data")
    labels = "\ufeff__ignore__\n_background_\n dog \r\n\ncat\nowl\n"
    (folder / place / "labels.txt").write_text(labels, encoding="utf-8", newline="")
    ours = read(folder)
    assert ours.classes.names == ("dog", "cat", "owl")
    assert ours.instances(0).labels.tolist() == [1, 1, 0, 0]
    put(folder, shapes=[shape("cow", TRIANGLE)])
    with pytest.raises(DataError, match="class 'cow' is none of those that the data set lists"):
        read(folder)


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"a\na\n", "'a' comes twice"), (b"\xff\xfe", "text in UTF-8"), (b"a\x01", "rename")],
)
def test_labels_txt_that_is_broken(tmp_path, content, match):
    (put(tmp_path) / "labels.txt").write_bytes(content)
    with pytest.raises(DataError, match=rf"labels\.txt: .*{match}"):
        read(tmp_path)


def test_folders_of_splits_with_folders_in_them(tmp_path):
    put(tmp_path / "train" / "b", "b")
    put(tmp_path / "train" / "a", "a")
    put(tmp_path / "val", "c")
    (tmp_path / "labels.txt").write_text("dog\ncat\n")
    splits = open_splits(tmp_path)
    names = {split: [r.name for r in data.records] for split, data in splits.items()}
    assert names == {"train": ["a/a.png", "b/b.png"], "val": ["c.png"]}
    assert {data.classes.names for data in splits.values()} == {("dog", "cat")}


def test_places_of_a_data_set(tmp_path):
    put(tmp_path / "deep" / "er", "b")
    assert find_labelme(tmp_path) == {"train": Source(tmp_path)}
    assert [r.name for r in read(tmp_path).records] == ["deep/er/b.png"]
    file = tmp_path / "deep" / "er" / "b.json"
    assert find_labelme(file) == {"train": Source(file)}
    assert [r.name for r in read(file).records] == ["b.png"]
    put(tmp_path / ".hidden", "c")
    assert len(read(tmp_path)) == 1
    assert find_labelme(tmp_path / "deep" / "er" / "b.png") is None
    assert find_labelme(tmp_path / "none") is None


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"shapes": []}', '{"images": [], "annotations": []}', "\x89PNG"]
)
def test_what_is_not_labelmes(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert not is_labelme(tmp_path / "a.json")
    assert find_labelme(tmp_path) is None


PATHS = {
    "sub/a.png": ("labels/sub/a.png", "labels/sub/a.png"),
    "sub\\a.png": ("labels/sub/a.png", "labels/sub/a.png"),
    "..\\images\\a.png": ("images/a.png", "images/a.png"),
    "../../out/a.png": ("../out/a.png", "out/a.png"),
    "C:\\Users\\me\\a.png": ("labels/a.png", "labels/a.png"),
    "/home/me/a.png": ("labels/a.png", "labels/a.png"),
    "elsewhere/a.png": ("labels/a.png", "labels/elsewhere/a.png"),
    "back\\slash.png": ("labels/back\\slash.png", "labels/back\\slash.png"),
    "1:30.png": ("labels/1:30.png", "labels/1:30.png"),
}


@pytest.mark.parametrize("image_path", PATHS)
def test_paths_of_pictures(tmp_path, image_path):
    lies, name = PATHS[image_path]
    top = tmp_path / "top"
    put(top / "labels", picture=False, content=page(imagePath=image_path))
    put(tmp_path)
    target = top / lies
    target.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "a.png").rename(target)
    (record,) = read(top).records
    assert record.name == name
    assert record.path.resolve() == target.resolve()


def test_pictures_elsewhere(tmp_path):
    put(tmp_path / "labels", "a")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "labels" / "a.png").rename(tmp_path / "pictures" / "a.png")
    with pytest.raises(DataError, match=r"'a\.png': its file is missing"):
        read(tmp_path / "labels")
    ours = read(tmp_path / "labels", images=tmp_path / "pictures")
    assert ours.records[0].path == tmp_path / "pictures" / "a.png"
    with pytest.raises(DataError, match="check --images"):
        read(tmp_path / "labels", images=tmp_path / "none")


@pytest.mark.parametrize(("stated", "match"), [((40, 60), None), ((None, None), None)])
def test_size_that_is_not_stated(tmp_path, stated, match):
    ours = read(put(tmp_path, imageHeight=stated[0], imageWidth=stated[1]))
    assert ours.records[0].size == SIZE


def test_size_is_that_of_the_turned_picture(tmp_path):
    put(tmp_path, imageHeight=60, imageWidth=40)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / "a.png", exif=exif)
    assert read(tmp_path).records[0].size == (60, 40)
    put(tmp_path, picture=False)
    with pytest.raises(DataError, match="drawn on the unrotated picture"):
        read(tmp_path)


def test_a_picture_in_its_file_counts_where_there_is_no_other(tmp_path):
    pixels = np.random.default_rng(3).integers(0, 255, (*SIZE, 3), np.uint8)
    put(tmp_path, picture=False, imageData=png(pixels))
    ours = read(tmp_path)
    assert (ours.records[0].name, ours.records[0].path) == ("a.png", None)
    np.testing.assert_array_equal(ours[0].image, pixels)
    put(tmp_path, imageData=png(pixels))
    assert read(tmp_path).records[0].path == tmp_path / "a.png"


def test_many_files_are_read_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(file_trees, "_AT_ONCE", 2)
    for number in range(5):
        put(tmp_path, f"{number}")
    (tmp_path / "9.json").write_text(json.dumps(page(imagePath="1.png")))
    ours = read(tmp_path, on_error="skip")
    assert [r.name for r in ours.records] == [f"{i}.png" for i in range(5)]
    assert [len(ours.instances(i)) for i in range(5)] == [4] * 5
    assert [str(p) for p in ours.problems] == [
        "image '1.png': it is listed already: join the two records (the second record left out)"
    ]


# -- faults ------------------------------------------------------------------------------------

BOX = [[2, 25], [12, 33]]
FAULTS = {
    "it should be an object, and is nothing": None,
    "a line has no area": shape("a", [[1, 2], [3, 4]], "line"),
    "'cube' is no type of shape that is known": shape("a", TRIANGLE, "cube"),
    "the value 7 is no type of shape": shape("a", TRIANGLE, 7),
    "a rectangle should have 2 points, and has 3": shape("a", TRIANGLE, "rectangle"),
    "a circle should have 2 points, and has 3": shape("a", TRIANGLE, "circle"),
    "an ellipse's radii must be above 0": shape("a", [[5, 5], [5, 5]], "circle"),
    "its points should be pairs x, y of finite numbers": shape("a", [[1, 2], [3]]),
    "and are a list of 0": shape("a", []),
    "and are the text": shape("a", "TRIANGLE"),
    "within 1000000 pixels": shape("a", [[1, 2], [3, 10**400], [4, 5]]),
    "of finite numbers within": shape("a", [[1, 2], [3, float("nan")], [4, 5]]),
    "at least 3 points": shape("a", [[1, 2], [3, 4]]),
    "its group should be a whole number": shape("a", TRIANGLE, group_id=[1]),
    "it has no class": shape(" ", TRIANGLE),
    "it has no class): mend": shape(7, TRIANGLE),
    "a class needs a name without line breaks": shape("a\nb", TRIANGLE),
    "no pixel in the picture": shape("a", [[100, 2], [200, 2], [100, 9]]),
    "its mask has no pixel": shape("a", BOX, "mask", mask=png(np.zeros((9, 11), np.uint8))),
    "PNG in base64, and is nothing": shape("a", BOX, "mask"),
    "its mask is no base64": shape("a", BOX, "mask", mask="a"),
    "no JPEG, PNG": shape("a", BOX, "mask", mask="abcd"),
    "its mask has 11 x 9 pixels, and its box 5 x 9": shape(
        "a", [[2, 25], [6, 33]], "mask", mask=png(RING.astype(np.uint8))
    ),
    "more than the limit": shape("a", BOX, "mask", mask=png(np.ones((9000, 9000), bool))),
}


@pytest.mark.parametrize("match", FAULTS)
def test_a_broken_shape(tmp_path, match):
    put(tmp_path, shapes=[*SHAPES, FAULTS[match]])
    with pytest.raises(DataError, match=rf"image 'a\.png', shape 5: .*{re.escape(match)}"):
        read(tmp_path)
    ours = read(tmp_path, on_error="skip")
    assert len(ours.instances(0)) == 4
    assert [p.action for p in ours.problems] == ["the object left out"]


def test_a_broken_part_takes_its_object_with_it(tmp_path):
    grouped = [shape("a", TRIANGLE, group_id=3), shape("a", [[1, 1]], "point", group_id=3)]
    ours = read(put(tmp_path, shapes=[*SHAPES, *grouped]), on_error="skip")
    assert len(ours.instances(0)) == 4
    assert [p.where for p in ours.problems] == ["image 'a.png', shape 6"]


FILES = {
    "breaks off after": '{"shapes": [',
    "a file of labelme .* got an object with the keys": '{"shapes": 7, "imagePath": "a.png"}',
    "a file of labelme .* got a list of 0": "[]",
    "it names no picture: imagePath is nothing": '{"shapes": []}',
    "its imageData is no base64": json.dumps(page(imagePath="x.png", imageData=7)),
    "its file is no JPEG, PNG": json.dumps(page(imagePath="x.png", imageData="abcd")),
    "the annotations say 60 x 40 pixels, its file has 3 x 2": json.dumps(
        page(imagePath="x.png", imageData=png(np.zeros((2, 3), np.uint8)))
    ),
    "an image's size must be two whole numbers": json.dumps(page(imageHeight="40")),
}


@pytest.mark.parametrize("match", FILES)
def test_a_broken_file(tmp_path, match):
    put(tmp_path)
    (tmp_path / "b.json").write_text(FILES[match])
    with pytest.raises(DataError, match=rf"1 broken record \(file 'b\.json': .*{match}"):
        read(tmp_path)
    ours = read(tmp_path, on_error="skip")
    assert len(ours) == 1
    assert [p.action for p in ours.problems] == ["the file left out"]


def test_nothing_of_use(tmp_path):
    with pytest.raises(DataError, match="expected objects of at least one class"):
        open_dataset(put(tmp_path, shapes=[]))


def test_whatever_is_in_a_file_nothing_but_sentences_comes_out(tmp_path):
    put(tmp_path, "b")
    put(tmp_path)
    shapes = [*SHAPES, shape("dog", TRIANGLE, group_id=1), shape("dog", BOX, "line", group_id=1)]
    content = page(shapes, imageData=png(np.zeros((*SIZE, 3), np.uint8)))
    survived = 0
    for rng in generators(300):
        (tmp_path / "a.json").write_text(json.dumps(mutated(content, rng)))
        survived += survives(lambda: read(tmp_path, on_error="skip"))
    assert survived > 250


# -- and back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [CLASSES, PLAIN, ONE])
def test_everything_is_kept(tmp_path, classes):
    splits = rich_set(tmp_path / "original", classes)
    (tmp_path / "written").mkdir()
    names = write_labelme(tmp_path / "written", splits)
    assert_kept(splits, names, open_splits(tmp_path / "written"))


def test_what_is_written(tmp_path):
    splits = rich_set(tmp_path / "original", ONE)
    folder = tmp_path / "written"
    folder.mkdir()
    write_labelme(folder, splits)
    assert (folder / "labels.txt").read_text() == "__ignore__\n_background_\nnucleus\n"
    content = json.loads((folder / "train" / "street one (2).json").read_text())
    assert content["imagePath"] == "street one (2).png"
    assert (content["imageHeight"], content["imageWidth"]) == (40, 64)
    kinds = [(s["shape_type"], s["group_id"]) for s in content["shapes"]]
    assert kinds == [
        ("mask", None),  # a ring
        ("polygon", 2),
        ("polygon", 2),
        *[("polygon", None)] * 4,
    ]
    box = content["shapes"][0]["points"]
    mask = read_image(base64.b64decode(content["shapes"][0]["mask"]))
    assert mask.shape[:2] == (box[1][1] - box[0][1] + 1, box[1][0] - box[0][0] + 1)
    nested = json.loads((folder / "train" / "nested" / "grün 日本.json").read_text())
    assert nested["imagePath"] == "grün 日本.jpg"
    assert nested["shapes"][0]["flags"] == {"crowd": True}


@pytest.mark.parametrize("name", ["__ignore__", "_background_", " a", "a "])
def test_names_that_labelme_reserves(tmp_path, name):
    splits = rich_set(tmp_path / "original", [name])
    with pytest.raises(DataError, match="names that labelme can list, got"):
        write_labelme(tmp_path, splits)
