"""Planted faults: each is told in one sentence that names file and place, and nothing is written.

With on_error="skip" exactly the broken record is missing afterwards, and is listed.
"""

import errno
import json
import math
import os
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import hotcoco.mask
import numpy as np
import pytest
from PIL import Image

from builders import edited, tiny_coco
from delineate.data.coco import read_coco
from delineate.data.coco_write import write_coco
from delineate.errors import DataError, ImageError, OutputError

SECOND = "image 20 'train_01.png'"  # annotations 110, 113, 116


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and time of change."""
    stats = ((p, p.stat()) for p in sorted(folder.rglob("*")))
    return {str(p): (s.st_size, s.st_mtime_ns) for p, s in stats}


def refused(folder: Path, path: Path, **options: object) -> str:
    """Open a data set that cannot be opened; return the sentence."""
    before = listing(folder)
    with pytest.raises(DataError) as caught:
        read_coco(path, **options)
    assert listing(folder) == before
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


# -- broken records ----------------------------------------------------------------------------


@dataclass
class Fault:
    """A fault, where it is to be found, why, and what is missing without it."""

    plant: Callable[[dict, Path], object]  # changes the file's content or its folder
    where: str
    why: str
    images: list[int] = field(default_factory=lambda: [10, 20, 30, 40])
    annotations: list[int] = field(default_factory=lambda: [110, 113, 116])
    """Of the second image, where that is kept."""


def on_image(why, change, where=SECOND):
    """A fault of the second image, which takes its annotations with it."""
    return Fault(
        lambda content, folder: change(content["images"][1]), where, why, images=[10, 30, 40]
    )


def on_image_id(other):
    """The second image and its annotations have another id."""

    def change(content, folder):
        content["images"][1]["id"] = other
        for annotation in content["annotations"][3:6]:
            annotation["image_id"] = other

    where = f"image {other} 'train_01.png'"
    return Fault(change, where, "expected an id from 0 to 2^63 - 1", images=[10, 30, 40])


def on_file(why, change):
    """A fault of the second image's file."""
    return Fault(
        lambda content, folder: change(folder / "images" / "train_01.png"),
        SECOND,
        why,
        images=[10, 30, 40],
    )


def on_annotation(why, *, where=f"{SECOND}, annotation 113", **fields):
    """A fault of the second annotation of the second image; None removes a field."""

    def change(content, folder):
        annotation = content["annotations"][4]
        assert annotation["id"] == 113
        annotation.update(fields)
        for key in [key for key, value in fields.items() if value is None]:
            del annotation[key]

    return Fault(change, where, why, annotations=[110, 116])


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-200])


def as_truncated_jpeg(path):
    Image.open(path).save(path, "JPEG")
    cut_off(path)


def with_huge_header(path):
    """30000 x 30000 by its header; the rest is the small picture."""
    data = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 30000, 30000) + data[24:29]
    path.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])


def list_twice(content, folder):
    content["images"].append({**content["images"][1], "id": 50})


def repeat_image_id(content, folder):
    content["images"][2]["id"] = 20
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] != 30]


def repeat_annotation(content, folder):
    content["annotations"].append(dict(content["annotations"][4]))


def point_to_no_image(content, folder):
    content["annotations"][4]["image_id"] = 99


RLE = {"size": [48, 64], "counts": [48 * 64]}
FAULTS = {
    "file missing": on_file("its file is missing in ", Path.unlink),
    "file of zero bytes": on_file("its file is empty (0 bytes)", lambda p: p.write_bytes(b"")),
    "file of text": on_file("its file is no JPEG, PNG,", lambda p: p.write_text("hello there")),
    "file truncated": on_file("its file is truncated or damaged", cut_off),
    "JPEG truncated": on_file("its file is truncated or damaged", as_truncated_jpeg),
    "file 30000 x 30000 by its header": on_file(
        "its file has 30000 x 30000 pixels, more than the limit", with_huge_header
    ),
    "folder instead of a file": on_file(
        "its file is a folder where an image file", lambda p: (p.unlink(), p.mkdir())
    ),
    "another picture's size": on_file(
        "the annotations say 64 x 48 pixels, its file has 63 x 48",
        lambda p: Image.new("RGB", (63, 48)).save(p),
    ),
    "width and height swapped": on_image(
        "the annotations say 48 x 64 pixels, its file has 64 x 48",
        lambda image: image.update(width=48, height=64),
    ),
    "image id below zero": on_image_id(-1),
    "image id of 64 bits": on_image_id(2**63),
    "no width": on_image(
        "needs a whole number as 'width', got nothing", lambda image: image.pop("width")
    ),
    "height of text": on_image(
        "needs a whole number as 'height', got the text '48'",
        lambda image: image.update(height="48"),
    ),
    "height of zero": on_image("says 64 x 0 pixels", lambda image: image.update(height=0)),
    "no file name": on_image(
        "its file's name as 'file_name', got nothing",
        lambda image: image.pop("file_name"),
        where="image 20",
    ),
    "file name out of the folder": on_image(
        "leads out of the folder of images",
        lambda image: image.update(file_name="../train_01.png"),
        where="image 20 '../train_01.png'",
    ),
    "absolute file name": on_image(
        "leads out of the folder of images",
        lambda image: image.update(file_name="/etc/passwd"),
        where="image 20 '/etc/passwd'",
    ),
    "file name with a zero byte": on_image(
        "its file is missing in", lambda image: image.update(file_name="a\0b"), where="image 20"
    ),
    "image listed twice": Fault(
        list_twice, "image 50 'train_01.png'", "its file is listed already, as image 20"
    ),
    "image id twice": Fault(
        repeat_image_id,
        "image 20 'train_02.png'",
        "another image of the file has the same id",
        images=[10, 20, 40],
    ),
    "annotation for an image that is not there": Fault(
        point_to_no_image,
        "annotation 113",
        "it belongs to image 99, which the file does not list",
        annotations=[110, 116],
    ),
    "annotation twice": Fault(
        repeat_annotation, f"{SECOND}, annotation 113", "another annotation has the same id"
    ),
    "annotation without id": on_annotation(
        "needs a whole number as 'id', got nothing",
        where=f"{SECOND}, annotation number 5 of the list",
        id=None,
    ),
    "annotation id of 65 bits": on_annotation(
        "its id has more than 64 bits", where=f"{SECOND}, annotation {2**63}", id=2**63
    ),
    "annotation of an image id in text": on_annotation(
        "needs a whole number as 'image_id', got the text '20'",
        where="annotation 113",
        image_id="20",
    ),
    "annotation of a list of images": on_annotation(
        "needs a whole number as 'image_id', got a list of 1", where="annotation 113", image_id=[20]
    ),
    "category that the file does not define": on_annotation(
        "its category 4 is none of the file's categories", category_id=4
    ),
    "category by name": on_annotation(
        "needs a whole number as 'category_id', got the text 'disc'", category_id="disc"
    ),
    "crowd of text": on_annotation("expected 0 or 1 as 'iscrowd', got the text", iscrowd="no"),
    "crowd of two": on_annotation("expected 0 or 1 as 'iscrowd', got the value 2", iscrowd=2),
    "box without mask": on_annotation("it has a box but no mask", segmentation=None),
    "box with an empty list": on_annotation("it has a box but no mask", segmentation=[]),
    "neither box nor mask": on_annotation("it has no mask", segmentation=None, bbox=None),
    "polygon of two points": on_annotation(
        "a polygon needs at least 3 points, each with x and y, and a list of 4 numbers came",
        segmentation=[[1, 1, 5, 5]],
    ),
    "polygon with NaN": on_annotation(
        "a polygon's coordinates must be finite", segmentation=[[1, 1, 5, math.nan, 5, 5]]
    ),
    "RLE of another size": on_annotation(
        "an RLE must have its image's size, 48 high and 64 wide, and it says 64 and 48",
        segmentation={**RLE, "size": [64, 48]},
    ),
    "RLE that does not fill": on_annotation(
        "an RLE's counts must add up to the 3072 pixels",
        segmentation={**RLE, "counts": [48 * 64 - 1]},
    ),
    "RLE cut off": on_annotation(
        "an RLE's counts must add up to the 3072 pixels", segmentation={**RLE, "counts": "12"}
    ),
    "RLE of 10^9 x 10^9": on_annotation(
        "with at most", segmentation={"size": [10**9, 10**9], "counts": [10**18]}
    ),
    "outline beside the picture": on_annotation(
        "its mask has no pixel in the picture", segmentation=[[70.0, 5, 90, 5, 80, 40]]
    ),
    "outlines above and left": on_annotation(
        "its mask has no pixel in the picture",
        segmentation=[[3.0, -9, 9, -1, 1, 0], [-5.0, 3, 0, 9, -9, 9]],
    ),
    "RLE of nothing": on_annotation(
        "its mask has no pixel in the picture", segmentation={**RLE, "counts": [48 * 64]}
    ),
    "RLE string of nothing": on_annotation(
        "its mask has no pixel in the picture",
        segmentation={
            **RLE,
            "counts": hotcoco.mask.encode(np.zeros((48, 64), np.uint8, "F"))["counts"].decode(),
        },
    ),
    "mask of text": on_annotation("a segmentation must be a list of polygons", segmentation="hi"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_broken_record(tmp_path, fault):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        fault.plant(content, tmp_path)

    sentence = refused(tmp_path, path)
    assert sentence.startswith(f"{path}: 1 broken record ({fault.where}")
    assert fault.why in sentence
    assert sentence.endswith("pass --on-error skip to leave them out.")

    dataset = read_coco(path, on_error="skip")
    (problem,) = dataset.problems
    assert problem.where.startswith(fault.where)
    assert fault.why in problem.why
    assert problem.fix
    assert problem.fix[-1] not in ".:"
    gone = "the annotation" if "annotation" in fault.where else "the image and its annotations"
    assert problem.action == f"{gone} left out"
    assert [record.image_id for record in dataset.records] == fault.images
    for i, record in enumerate(dataset.records):
        ids = dataset.instances(i).ids.tolist()
        first = 92 + 9 * (record.image_id // 10)
        if record.image_id == 20:
            assert ids == fault.annotations
        else:
            assert ids == [first, first + 3, first + 6]


def test_exif_labels_on_the_unrotated_picture(tmp_path):
    path = tiny_coco(tmp_path)
    file = tmp_path / "images" / "train_01.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    Image.open(file).save(file, "JPEG", exif=exif)
    sentence = refused(tmp_path, path)
    assert (
        f"{SECOND}: the labels were drawn on the unrotated picture: it is stored with 64 x 48, as "
        "the annotations say, but its EXIF orientation turns it to 48 x 64" in sentence
    )
    with edited(path) as content:  # labels drawn on the picture as it is seen
        content["images"][1].update(width=48, height=64)
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] != 20]
    assert read_coco(path)[1].image.shape == (64, 48, 3)


def test_many_problems_are_counted_and_five_shown(tmp_path):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        for annotation in content["annotations"][3:]:
            annotation["category_id"] = 4
    (tmp_path / "images" / "train_00.png").unlink()
    sentence = refused(tmp_path, path)
    assert sentence.startswith(f"{path}: 10 broken records (image 10 'train_00.png': its file")
    assert sentence.count("its category 4 is none") == 4
    assert "; and 5 more): mend them, or pass" in sentence
    dataset = read_coco(path, on_error="skip")
    assert len(dataset.problems) == 10
    assert [len(dataset.instances(i)) for i in range(3)] == [0, 0, 0]


def test_annotations_of_a_broken_image_are_no_problems_of_their_own(tmp_path):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        content["annotations"][4]["category_id"] = 4
    (tmp_path / "images" / "train_01.png").unlink()
    (problem,) = read_coco(path, on_error="skip").problems
    assert problem.where == SECOND


@pytest.mark.parametrize(
    ("key", "where"),
    [
        ("annotations", "annotation number 5 of the list"),
        ("images", "image number 5 of the list"),
        ("categories", "category number 3 of the list"),
    ],
)
@pytest.mark.parametrize(("record", "got"), [(None, "nothing"), ([1], "a list of 1"), (5, "5")])
def test_what_is_no_object_is_left_out_and_nothing_else(tmp_path, key, where, record, got):
    path = tiny_coco(tmp_path)
    before = read_coco(path)
    with edited(path) as content:
        content[key].insert(4, record)
    sentence = refused(tmp_path, path)
    assert f"1 broken record ({where}: expected an object, got " in sentence
    dataset = read_coco(path, on_error="skip")
    (problem,) = dataset.problems
    assert problem.where == where
    assert problem.why.endswith(got)
    assert dataset.classes == before.classes
    for i in range(4):
        assert dataset.instances(i).ids.tolist() == before.instances(i).ids.tolist()


def test_a_record_behind_one_that_is_none_keeps_its_number(tmp_path):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        del content["annotations"][5]["id"]
        content["annotations"].insert(2, None)
    _, problem = read_coco(path, on_error="skip").problems
    assert problem.where.endswith("annotation number 7 of the list")


CATEGORIES = {
    "no name": (lambda c: c[0].pop("name"), "category 3", "a category must have an 'id'", [7]),
    "an empty name": (lambda c: c[0].update(name=" "), "category 3 ' '", "needs a name", [7]),
    "a list as name": (lambda c: c[0].update(name=[1]), "category 3", "needs a name", [7]),
    "control characters": (lambda c: c[1].update(name="a\x07"), "category 7", "line breaks", [3]),
    "a text as id": (
        lambda c: c[1].update(id="7"),
        "category number 2 of the list",
        "id must",
        [3],
    ),
    "the same name": (
        lambda c: c.append(c[1] | {"id": 1}),
        "category 1 ",
        "category 7 is called so",
        [3, 7],
    ),
    "listed twice": (lambda c: c.append(c[1]), "category 7", "it is listed twice", [3, 7]),
    "the same id": (lambda c: c.append(c[1] | {"name": "x"}), "category 7", "the same id", [3]),
}


@pytest.mark.parametrize(("change", "where", "why", "left"), CATEGORIES.values(), ids=CATEGORIES)
def test_a_broken_category_is_left_out_with_its_annotations(tmp_path, change, where, why, left):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        change(content["categories"])
        owners = {a["id"]: a["category_id"] for a in content["annotations"]}
    assert why in refused(tmp_path, path)
    dataset = read_coco(path, on_error="skip")
    told = [p for p in dataset.problems if p.kind == "broken_category"]
    assert told
    assert all(p.where.startswith(where) and why in p.why for p in told)
    assert list(dataset.classes.source_ids) == left
    kept = [i for index in range(4) for i in dataset.instances(index).ids.tolist()]
    assert sorted(kept) == sorted(i for i, owner in owners.items() if owner in left)


@pytest.mark.parametrize("owner", [None, [3], {}, "3", True])
def test_what_an_annotation_says_beside_a_broken_category_may_be_anything(tmp_path, owner):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        del content["categories"][0]["name"]
        content["annotations"][4]["category_id"] = owner
    problems = read_coco(path, on_error="skip").problems
    assert [p.annotation_id for p in problems] == [None, 113]


def test_what_an_annotation_says_is_no_number_however_broken_the_category(tmp_path):
    path = tiny_coco(tmp_path)
    with edited(path) as content:
        content["categories"].append({"id": 1})
        content["annotations"][4]["category_id"] = True
    kinds = [p.kind for p in read_coco(path, on_error="skip").problems]
    assert kinds == ["broken_category", "broken_record"]


def test_without_pictures_a_report_still_has_every_problem(tmp_path):
    path = tiny_coco(tmp_path)
    shutil.rmtree(tmp_path / "images")
    dataset = read_coco(path, on_error="report")
    assert len(dataset) == 0
    assert [p.image_id for p in dataset.problems] == [10, 20, 30, 40]
    assert {p.kind for p in dataset.problems} == {"missing_picture"}


def test_no_picture_is_there(tmp_path):
    path = tiny_coco(tmp_path)
    shutil.rmtree(tmp_path / "images")
    for on_error in ("stop", "skip"):
        sentence = refused(tmp_path, path, on_error=on_error)
        assert f"none of its 4 can be used (the first: {SECOND[:6]}10" in sentence
        assert f"its file is missing in {tmp_path})" in sentence
        assert "name the folder of the pictures with --images" in sentence


def test_images_folder_that_is_none(tmp_path):
    path = tiny_coco(tmp_path)
    with pytest.raises(DataError, match=r"none: expected the folder of the pictures"):
        read_coco(path, images=tmp_path / "none")


def test_names_that_are_too_long(tmp_path):
    path = tiny_coco(tmp_path)
    with pytest.raises(DataError, match="expected the folder of the pictures"):
        read_coco(path, images=tmp_path / ("n" * 300))
    with edited(path) as content:
        content["images"][1]["file_name"] = "n" * 300
    (problem,) = read_coco(path, on_error="skip").problems
    assert "its file is missing" in problem.why


def test_file_damaged_after_opening(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path))
    file = tmp_path / "images" / "train_01.png"
    cut_off(file)
    with pytest.raises(ImageError, match=re.escape(f"{file} is truncated or damaged")):
        dataset[1]
    Image.new("RGB", (63, 48)).save(file)
    with pytest.raises(DataError, match=rf"{SECOND}: its instances belong to .* 64 x 48"):
        dataset[1]


# -- files that are no COCO data set -----------------------------------------------------------

CATEGORY = {"id": 1, "name": "a"}

NO_COCO = {
    "a list": ([1, 2], "got a list of 2"),
    "an empty list": ([], "got a list of 0"),
    "results": ([{"image_id": 1, "score": 0.5}], "got COCO results (a list of predictions)"),
    "a number": (7, "got the value 7"),
    "labelme": ({"version": "5", "shapes": []}, "got an object with the keys version, shapes"),
    "nothing": ({}, "got an empty object"),
    "images in an object": (
        {"images": {}, "annotations": [], "categories": []},
        "expected a list as 'images', got an empty object",
    ),
    "annotations of null": (
        {"images": [], "annotations": None, "categories": []},
        "expected a list as 'annotations', got nothing",
    ),
    "images of numbers": (
        {"images": [3], "annotations": [{}], "categories": [{"id": 1, "name": "a"}]},
        "image number 1 of the list: expected an object, got the value 3): export it again",
    ),
    "no images": (
        {"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]},
        "expected at least one of 'images', got none",
    ),
    "no categories": (
        {"images": [{"id": 1}], "annotations": [], "categories": []},
        "expected at least one of 'categories', got none",
    ),
    "category without a name": (
        {"images": [{"id": 1}], "annotations": [], "categories": [{"id": 1}]},
        "a category must have an 'id' and a 'name'",
    ),
    "category of a negative id": (
        {"images": [{}], "annotations": [], "categories": [{"id": -1, "name": "a"}]},
        "a class's id must be a whole number from 0 to 2^63 - 1, and [-1] came",
    ),
    "categories of one id": (
        {"images": [{}], "annotations": [], "categories": [CATEGORY, CATEGORY | {"name": "b"}]},
        "none of its 2 can be used (the first: category 1 'a': another category has the same id",
    ),
    "categories of null": (
        {"images": [{}], "annotations": [], "categories": [None]},
        "category number 1 of the list: expected an object, got nothing): export it again",
    ),
}


@pytest.mark.parametrize(("content", "says"), NO_COCO.values(), ids=NO_COCO)
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_json_that_is_not_coco(tmp_path, content, says, on_error):
    path = tiny_coco(tmp_path)
    path.write_text(json.dumps(content))
    assert says in refused(tmp_path, path, on_error=on_error)


def test_truncated_json(tmp_path):
    path = tiny_coco(tmp_path)
    path.write_bytes(path.read_bytes()[:500])
    assert "the file breaks off after 500 characters" in refused(tmp_path, path)


# -- places that cannot be written -------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_disk_full_or_forbidden_while_pictures_are_copied(tmp_path, monkeypatch, code):
    dataset = read_coco(tiny_coco(tmp_path / "a"))
    real, copied = shutil.copyfile, []

    def copy(source, target):
        real(source, target)
        copied.append(target)
        if len(copied) == 3:
            raise OSError(code, os.strerror(code))

    before = listing(tmp_path)
    monkeypatch.setattr(shutil, "copyfile", copy)
    words = rf"train_02\.png cannot be written \({os.strerror(code)}"
    with pytest.raises(OutputError, match=words):
        write_coco(tmp_path / "b" / "train.json", dataset)
    assert len(copied) == 3
    assert listing(tmp_path).keys() == before.keys()


def test_disk_full_while_the_file_is_written(tmp_path, monkeypatch):
    dataset = read_coco(tiny_coco(tmp_path / "a"))

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = listing(tmp_path)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"train\.json cannot be written \(No space"):
        write_coco(tmp_path / "b" / "train.json", dataset)
    assert listing(tmp_path).keys() == before.keys()


def test_failure_leaves_an_older_data_set_alone(tmp_path):
    tiny_coco(tmp_path / "b", 2)
    before = listing(tmp_path / "b")
    dataset = read_coco(tiny_coco(tmp_path / "a", 3, seed=0, name="other"))
    dataset.areas = lambda _: np.zeros(1)  # breaks while the JSON is written
    with pytest.raises(ValueError, match="zip"):
        write_coco(tmp_path / "b" / "train.json", dataset)
    after = listing(tmp_path / "b")
    assert after.keys() == before.keys()
    assert after[str(tmp_path / "b" / "train.json")] == before[str(tmp_path / "b" / "train.json")]
