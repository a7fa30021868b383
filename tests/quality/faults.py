"""Clean data, and every fault that the doctor must find in it: planted, and where it is.

folder = clean_set(tmp_path / "clean")           # train.json, val.json, images/
place = FAULTS["empty mask"].plant(Data(folder))  # one fault more, and where it is now
"""

import json
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from delineate.core.masks import Masks
from delineate.data.coco_write import write_coco
from delineate.data.synthetic import SyntheticScenes

SIZE = (96, 128)
CLASSES = ("pebble", "leaf", "star")
SCENES = {"train": 16, "val": 8}
NAMES = {split: f"{split}.json" for split in SCENES}


def clean_set(folder: Path, *, seed: int = 0) -> Path:
    """Write drawn scenes as COCO: objects in one part without holes as polygons, others as RLE."""
    for number, (split, count) in enumerate(SCENES.items()):
        scenes = SyntheticScenes(count, size=SIZE, seed=100 * seed + number, classes=CLASSES)
        write_coco(folder / NAMES[split], scenes)
        with edited(folder / NAMES[split]) as content:
            for annotation in content["annotations"]:
                outlines = Masks.from_coco([annotation["segmentation"]], SIZE).polygons(0)
                if len(outlines) == 1:
                    annotation["segmentation"] = [outlines[0].ravel().tolist()]
    return folder


def linked_copy(source: Path, target: Path) -> Path:
    """Copy a set; its pictures are the same files, which faults replace and never write into."""
    (target / "images").mkdir(parents=True)
    for picture in (source / "images").iterdir():
        os.link(picture, target / "images" / picture.name)
    for name in NAMES.values():
        (target / name).write_bytes((source / name).read_bytes())
    return target


@contextmanager
def edited(path: Path) -> Iterator[dict[str, Any]]:
    content = json.loads(path.read_text())
    yield content
    path.write_text(json.dumps(content))


@dataclass
class Where:
    """Where a fault is: ids of annotations and of the image, or, without them, a whole split."""

    split: str
    image_id: int | None = None
    ids: tuple[int, ...] = ()


class Data:
    """A set to plant faults in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def train(self) -> Any:
        return edited(self.folder / "train.json")

    def val(self) -> Any:
        return edited(self.folder / "val.json")

    def picture(self, image: Mapping[str, Any]) -> Path:
        """The file of a picture, which is no longer that of other copies of the set."""
        path = self.folder / "images" / image["file_name"]
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
        return path


@dataclass(frozen=True)
class Fault:
    """A fault, as what it is to be found, and what a repair does about it."""

    plant: Callable[[Data], Where]
    kind: str
    severity: str = "error"
    mended: Literal["", "mends", "leaves out"] = ""
    quick: bool = False


# -- pictures and records ----------------------------------------------------------------------


def on_image(change, kind, **options):
    """The third image of the training, whose record or file is changed."""

    def plant(data):
        with data.train() as content:
            image = content["images"][2]
            change(data, content, image)
        return Where("train", image["id"])

    return Fault(plant, kind, **options)


def on_file(change, kind, **options):
    return on_image(lambda data, content, image: change(data.picture(image)), kind, **options)


def damage_inside(path):
    """Break the compressed pixels of a PNG; header, check sums and end stay sound."""
    data = bytearray(path.read_bytes())
    at = data.index(b"IDAT")
    length = struct.unpack(">I", data[at - 4 : at])[0]
    data[at + 4 + length // 2 : at + 4 + length // 2 + 8] = b"\xff" * 8
    data[at + 4 + length : at + 8 + length] = struct.pack(
        ">I", zlib.crc32(data[at : at + 4 + length])
    )
    path.write_bytes(data)


def a_pixel_smaller(data, content, image):
    """As some exporters round; all masks of the picture are polygons."""
    content["annotations"] = [
        a
        for a in content["annotations"]
        if a["image_id"] != image["id"] or isinstance(a["segmentation"], list)
    ]
    path = data.picture(image)
    Image.open(path).crop((0, 0, SIZE[1] - 1, SIZE[0])).save(path)


def store_on_its_side(data, content, image):
    """Labels were drawn on the stored pixels; viewers turn them by their EXIF orientation."""
    lay_on_its_side(data.picture(image))


def lay_on_its_side(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.open(path)
    picture.load()
    picture.save(path, exif=exif)


def list_twice(data, content, image):
    again = {**image, "id": 9001}
    content["images"].append(again)
    own = [a for a in content["annotations"] if a["image_id"] == image["id"]]
    own[-1]["image_id"] = 9001


def twice_listed():
    def plant(data):
        with data.train() as content:
            list_twice(data, content, content["images"][2])
        return Where("train", 9001)

    return Fault(plant, "picture_listed_twice", mended="mends", quick=True)


def twice_listed_in_two_sizes():
    def plant(data):
        with data.train() as content:
            list_twice(data, content, content["images"][2])
            content["images"][-1]["width"] += 1
        return Where("train", 9001)

    return Fault(plant, "picture_listed_twice", mended="leaves out", quick=True)


def same_image_id(data, content, image):
    gone = content["images"][3]["id"]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] != gone]
    content["images"][3]["id"] = image["id"]


# -- annotations -------------------------------------------------------------------------------


def solid(content, least=150):
    """Annotations of an object whose shape is more than a speck, of the fourth image on."""
    first = content["images"][3]["id"]
    return [
        a
        for a in content["annotations"]
        if a["image_id"] >= first and a["area"] >= least and isinstance(a["segmentation"], list)
    ]


def on_annotation(change, kind, **options):
    """One annotation of the training is changed; `change` may return the ids that it concerns."""

    def plant(data):
        with data.train() as content:
            annotation = solid(content)[0]
            ids = change(content, annotation) or (annotation["id"],)
        return Where("train", annotation["image_id"], tuple(ids))

    return Fault(plant, kind, **options)


def updated(**fields):
    def change(content, annotation):
        annotation.update(fields)
        for key in [key for key, value in fields.items() if value is None]:
            del annotation[key]

    return change


def with_mask(bitmap_of, *, restated=True):
    """The object gets another mask, made from its own."""

    def change(content, annotation):
        own = Masks.from_coco([annotation["segmentation"]], SIZE).bitmap(0)
        set_mask(annotation, bitmap_of(own), restated)

    return change


def set_mask(annotation, bitmap, restated=True):
    masks = Masks.from_bitmaps([bitmap], SIZE)
    annotation["segmentation"] = masks.to_coco()[0]
    if restated:
        x0, y0, x1, y1 = masks.boxes()[0].tolist()
        annotation["bbox"] = [x0, y0, x1 - x0, y1 - y0]
        annotation["area"] = float(masks.areas[0])


def rectangle(y0, x0, y1, x1):
    bitmap = np.zeros(SIZE, bool)
    bitmap[y0:y1, x0:x1] = True
    return bitmap


def with_outline(outline_of):
    """The object gets another outline, made from its box; box and area are stated anew."""

    def change(content, annotation):
        outline = outline_of(*annotation["bbox"])
        annotation["segmentation"] = [outline]
        masks = Masks.from_coco([[outline]], SIZE)
        x0, y0, x1, y1 = masks.boxes()[0].tolist()
        annotation["bbox"] = [x0, y0, x1 - x0, y1 - y0]
        annotation["area"] = float(masks.areas[0])

    return change


def bow_tie(x, y, w, h):
    return [10, 10, 50, 60, 50, 10, 10, 60]


def spiky(x, y, w, h):
    return [20, 20, 50, 20, 50, 40, 110, 40, 50, 40.5, 50, 60, 20, 60]


def copy_of(annotation, content, **fields):
    again = {**annotation, "id": 1 + max(a["id"] for a in content["annotations"]), **fields}
    content["annotations"].append(again)
    return again


def of_repeated_points(x, y, w, h):
    corners = [(20, 20), (50, 20), (50, 60), (20, 60)]
    return [v for corner in corners for _ in range(4) for v in corner]


def annotated_twice(content, annotation):
    return annotation["id"], copy_of(annotation, content)["id"]


def outlined_twice(content, annotation):
    set_mask(annotation, rectangle(10, 10, 70, 90))
    again = copy_of(annotation, content)
    set_mask(again, rectangle(10, 10, 71, 90))
    return annotation["id"], again["id"]


def under_two_classes(content, annotation):
    other = 1 + annotation["category_id"] % len(CLASSES)
    return annotation["id"], copy_of(annotation, content, category_id=other)["id"]


def repeat_with_same_id(content, annotation):
    content["annotations"].append(dict(annotation))


def give_id_of_another(content, annotation):
    other = solid(content)[-1]
    other["id"] = annotation["id"]
    annotation["image_id"], other["image_id"] = annotation["image_id"], annotation["image_id"]


def copied_four_times(content, annotation):
    """A trapezium at four places."""
    ids = []
    for x, y in ((4, 4), (70, 4), (4, 50), (70, 50)):
        outline = [x, y, x + 40, y, x + 30, y + 30, x + 10, y + 30]
        again = copy_of(annotation, content, segmentation=[outline])
        set_mask(again, Masks.from_coco([[outline]], SIZE).bitmap(0))
        ids.append(again["id"])
    return ids


def put_among(key, record):
    """Something that is no object stands among the records."""

    def plant(data):
        with data.train() as content:
            content[key].insert(2, record)
        return Where("train")

    return plant


# -- a whole split -----------------------------------------------------------------------------


def on_all(change, kind, **options):
    """Every annotation of the training is changed."""

    def plant(data):
        with data.train() as content:
            for annotation in content["annotations"]:
                change(annotation)
        return Where("train")

    return Fault(plant, kind, **options)


def corners(annotation):
    x, y, w, h = annotation["bbox"]
    annotation["bbox"] = [x, y, x + w, y + h]


def centre(annotation):
    x, y, w, h = annotation["bbox"]
    annotation["bbox"] = [x + w / 2, y + h / 2, w, h]


def shares(annotation):
    x, y, w, h = annotation["bbox"]
    annotation["bbox"] = [x / SIZE[1], y / SIZE[0], w / SIZE[1], h / SIZE[0]]


def box_first_y(annotation):
    x, y, w, h = annotation["bbox"]
    annotation["bbox"] = [y, x, h, w]


def area_of_box(annotation):
    annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]


def moved_points(point):
    """Every outline in another unit; what has none becomes its box."""

    def change(annotation):
        if isinstance(annotation["segmentation"], dict):
            x, y, w, h = annotation["bbox"]
            annotation["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
            annotation["area"] = w * h
        annotation["segmentation"] = [
            [float(v) for x, y in zip(part[::2], part[1::2], strict=True) for v in point(x, y)]
            for part in annotation["segmentation"]
        ]

    return change


def one_lower(annotation):
    annotation["category_id"] -= 1


def most_crowds(data):
    with data.train() as content:
        for annotation in content["annotations"][:-30]:
            annotation["iscrowd"] = 1
    return Where("train")


def without_pictures(data):
    """The training's pictures are elsewhere."""
    for picture in (data.folder / "images").glob("scene_0_*"):
        picture.unlink()
    return Where("train", 1)


# -- classes -----------------------------------------------------------------------------------


def on_classes(change, kind, severity="warning", where="train, val", **options):
    """The list of classes of both splits is changed, and annotations with it."""

    def plant(data):
        for split in (data.train(), data.val()):
            with split as content:
                change(content)
        return Where(where)

    return Fault(plant, kind, severity, quick=True, **options)


def on_split(split, change, kind, severity="error", where=None, **options):
    def plant(data):
        with getattr(data, split)() as content:
            change(content)
        return Where(where or split)

    return Fault(plant, kind, severity, quick=True, **options)


def extra_class(name, *, objects=0, of=1):
    """One class more; some objects of another one are given to it."""

    def change(content):
        content["categories"].append({"id": 77, "name": name})
        own = [a for a in content["annotations"] if a["category_id"] == of]
        for annotation in own[:objects]:
            annotation["category_id"] = 77

    return change


def without_class(content, label=2):
    content["annotations"] = [a for a in content["annotations"] if a["category_id"] != label]


def nearly_without_class(content):
    """One object of a class that most pictures of the training show."""
    own = [a for a in content["annotations"] if a["category_id"] == 1]
    gone = {a["id"] for a in own[1:]}
    content["annotations"] = [a for a in content["annotations"] if a["id"] not in gone]


def class_in_most(data):
    with data.val() as content:
        nearly_without_class(content)
    with data.train() as content:
        first = {}
        for annotation in content["annotations"]:
            first.setdefault(annotation["image_id"], annotation)
        for annotation in first.values():
            annotation["category_id"] = 1
    return Where("val")


def keep_objects(label, count):
    def change(content):
        own = [a["id"] for a in content["annotations"] if a["category_id"] == label]
        gone = set(own[count:])
        content["annotations"] = [a for a in content["annotations"] if a["id"] not in gone]

    return change


def class_listed_again(**fields):
    """The first class once more; an object belongs to the second of the two."""

    def change(content):
        first = content["categories"][0]
        own = next(a for a in content["annotations"] if a["category_id"] == first["id"])
        content["categories"].append(first | fields)
        own["category_id"] = content["categories"][-1]["id"]

    return change


def unnamed(name):
    return lambda content: content["categories"][1].update(name=name)


def numbered_from_zero(content):
    for record in content["categories"]:
        record["id"] -= 1
    for annotation in content["annotations"]:
        annotation["category_id"] -= 1


def renamed(content):
    content["categories"][0]["name"] = "boulder"


# -- distributions and pixels ------------------------------------------------------------------


def share_a_picture(data):
    with data.train() as train, data.val() as val:
        image = dict(train["images"][2])
        val["images"].append({**image, "id": 9001})
    return Where("val", 9001)


def empty_some(data):
    with data.train() as content:
        gone = {image["id"] for image in content["images"][:5]}
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] not in gone]
    return Where("train")


def larger_things(data):
    """The validation shows much larger things."""
    scenes = SyntheticScenes(
        SCENES["val"], size=SIZE, seed=77, classes=CLASSES, radii=(0.4, 0.5), objects=(1, 2)
    )
    for picture in (data.folder / "images").glob("scene_1_*"):
        picture.unlink()
    write_coco(data.folder / "val.json", scenes)
    return Where("val")


def leave_out_the_cut(data):
    """Nobody has annotated what the border cuts off. Large pictures, so that it can be told."""
    height, width = 240, 320
    scenes = SyntheticScenes(30, size=(height, width), seed=78, classes=CLASSES, objects=(8, 12))
    write_coco(data.folder / "train.json", scenes)
    with data.train() as content:
        content["annotations"] = [
            a
            for a in content["annotations"]
            if min(a["bbox"][:2]) > 1
            and a["bbox"][0] + a["bbox"][2] < width - 1
            and a["bbox"][1] + a["bbox"][3] < height - 1
        ]
    return Where("train")


def all_in_the_middle(data):
    with data.train() as content:
        for number, annotation in enumerate(content["annotations"]):
            x, y = 50 + number % 7, 35 + number % 5
            outline = [x, y, x + 20 + number % 3, y, x + 18, y + 16, x + 3, y + 15 + number % 4]
            set_mask(annotation, Masks.from_coco([[outline]], SIZE).bitmap(0))
            annotation["segmentation"] = [outline]
        first = {}
        for annotation in content["annotations"]:
            first.setdefault(annotation["image_id"], annotation)
        content["annotations"] = list(first.values())
        for again in range(3):
            for annotation in list(first.values()):
                moved = [
                    v + (7 + 9 * again) * (i % 2)
                    for i, v in enumerate(annotation["segmentation"][0])
                ]
                other = copy_of(annotation, content, segmentation=[moved])
                set_mask(other, Masks.from_coco([[moved]], SIZE).bitmap(0))
    return Where("train")


def enlarge_one(data):
    """One picture and its labels, ten times as large."""
    with data.train() as content:
        image = content["images"][2]
        path = data.picture(image)
        Image.open(path).resize((SIZE[1] * 10, SIZE[0] * 10), Image.Resampling.BILINEAR).save(path)
        image["width"], image["height"] = SIZE[1] * 10, SIZE[0] * 10
        for annotation in content["annotations"]:
            if annotation["image_id"] != image["id"]:
                continue
            bitmap = Masks.from_coco([annotation["segmentation"]], SIZE).bitmap(0)
            large = Masks.from_bitmaps(
                [bitmap.repeat(10, 0).repeat(10, 1)], bitmap.shape and (SIZE[0] * 10, SIZE[1] * 10)
            )
            annotation["segmentation"] = large.to_coco()[0]
            annotation["bbox"] = [10 * v for v in annotation["bbox"]]
            annotation["area"] *= 100
    return Where("train")


def greyed(path):
    Image.open(path).convert("L").save(path)


def of_16_bits(factor):
    def change(path):
        grey = np.asarray(Image.open(path).convert("L"), np.uint16)
        Image.fromarray(grey * np.uint16(factor)).save(path)

    return change


def blank(path):
    Image.new("RGB", (SIZE[1], SIZE[0]), (90, 90, 90)).save(path)


def of_split(fault):
    """The same fault, told of the whole split."""

    def plant(data):
        return Where("train", ids=fault.plant(data).ids)

    return Fault(plant, fault.kind, fault.severity, fault.mended, fault.quick)


RLE_OF_ANOTHER = {"size": [SIZE[1], SIZE[0]], "counts": [SIZE[0] * SIZE[1]]}
CYRILLIC = "st\u0430r"  # its third letter
SPECK = [30.0, 30.0, 33.0, 30.0, 33.0, 32.0, 30.0, 32.0]
LINE = [30.0, 30.0, 31.0, 30.0, 31.0, 60.0, 30.0, 60.0]
NOTHING = [30.1, 30.1, 30.3, 30.1, 30.3, 30.3, 30.1, 30.3]
OUTSIDE = [200.0, 10.0, 240.0, 10.0, 240.0, 40.0, 200.0, 40.0]
OVER_THE_EDGE = [100.0, 10.0, 160.0, 10.0, 160.0, 50.0, 100.0, 50.0]

RECORDS: Mapping[str, Fault] = {
    "picture missing": on_file(Path.unlink, "missing_picture", mended="leaves out", quick=True),
    "picture of text": on_file(
        lambda p: p.write_text("hello"), "unreadable_picture", mended="leaves out", quick=True
    ),
    "picture of 0 bytes": on_file(
        lambda p: p.write_bytes(b""), "unreadable_picture", mended="leaves out", quick=True
    ),
    "picture cut off": on_file(
        lambda p: p.write_bytes(p.read_bytes()[:-200]),
        "unreadable_picture",
        mended="leaves out",
        quick=True,
    ),
    "picture damaged inside": on_file(damage_inside, "unreadable_picture", mended="leaves out"),
    "picture of another size": on_file(
        lambda p: Image.open(p).resize((64, 48)).save(p),
        "wrong_size",
        mended="leaves out",
        quick=True,
    ),
    "picture a pixel smaller": on_image(a_pixel_smaller, "wrong_size", mended="mends", quick=True),
    "labels of the unrotated picture": on_image(
        store_on_its_side, "exif_rotated", mended="mends", quick=True
    ),
    "picture listed twice": twice_listed(),
    "picture listed in two sizes": twice_listed_in_two_sizes(),
    "two images of one id": on_image(same_image_id, "repeated_id", mended="leaves out", quick=True),
    "annotation there twice": on_annotation(
        repeat_with_same_id, "repeated_id", mended="mends", quick=True
    ),
    "two annotations of one id": on_annotation(
        give_id_of_another, "repeated_id", mended="mends", quick=True
    ),
    "annotation of no image": of_split(
        on_annotation(updated(image_id=9009), "unknown_image", mended="leaves out", quick=True)
    ),
    "annotation of no category": on_annotation(
        updated(category_id=99), "unknown_category", mended="leaves out", quick=True
    ),
    "categories counted from 0": on_all(one_lower, "ids_off_by_one", mended="mends", quick=True),
    "box without a mask": on_annotation(
        updated(segmentation=None), "no_mask", mended="leaves out", quick=True
    ),
    "RLE with sides swapped": on_annotation(
        updated(segmentation=RLE_OF_ANOTHER), "unreadable_mask", mended="leaves out", quick=True
    ),
    "crowd mark of 2": on_annotation(
        updated(iscrowd=2), "broken_record", mended="leaves out", quick=True
    ),
    "null among the annotations": Fault(
        put_among("annotations", None), "broken_record", mended="mends", quick=True
    ),
    "text among the images": Fault(
        put_among("images", "a.jpg"), "broken_record", mended="mends", quick=True
    ),
    "null among the categories": Fault(
        put_among("categories", None), "broken_category", mended="mends", quick=True
    ),
}

MASKS: Mapping[str, Fault] = {
    "mask outside": on_annotation(
        updated(segmentation=[OUTSIDE]), "mask_outside", mended="leaves out", quick=True
    ),
    "mask empty": on_annotation(updated(segmentation=[NOTHING]), "empty_mask", mended="leaves out"),
    "mask one pixel wide": on_annotation(
        with_outline(lambda *_: LINE), "thin_mask", severity="warning"
    ),
    "mask of a few pixels": on_annotation(
        with_outline(lambda *_: SPECK), "tiny_mask", severity="warning"
    ),
    "mask of the whole picture": on_annotation(
        with_mask(np.ones_like), "whole_picture", severity="warning"
    ),
    "outline over the edge": on_annotation(
        with_outline(lambda *_: OVER_THE_EDGE), "partly_outside", severity="warning"
    ),
    "outline crosses itself": on_annotation(
        with_outline(bow_tie), "self_crossing", severity="warning"
    ),
    "outline of repeated points": on_annotation(
        with_outline(of_repeated_points), "repeated_points", severity="note"
    ),
    "outline with a spike": on_annotation(with_outline(spiky), "outline_spike", severity="note"),
    "two objects in one mask": on_annotation(
        with_mask(lambda own: rectangle(5, 5, 20, 20) | rectangle(70, 100, 85, 120)),
        "far_parts",
        severity="note",
    ),
    "object annotated twice": on_annotation(annotated_twice, "duplicate_object", mended="mends"),
    "object outlined twice": on_annotation(outlined_twice, "duplicate_object"),
    "object of two classes": on_annotation(under_two_classes, "two_classes"),
    "one outline copied": on_annotation(copied_four_times, "copied_shape", severity="note"),
    "box of another object": on_annotation(
        updated(bbox=[1.0, 1.0, 9.0, 9.0]), "box_disagrees", mended="mends"
    ),
    "area of another object": on_annotation(
        updated(area=9999.0), "area_differs", severity="warning", mended="mends"
    ),
    "box of NaN": on_annotation(
        updated(bbox=[math.nan, 1.0, 9.0, 9.0]), "box_disagrees", mended="mends"
    ),
    "box of words": on_annotation(
        updated(bbox=["1", "1", "9", "9"]), "box_disagrees", mended="mends"
    ),
    "area infinite": on_annotation(
        updated(area=math.inf), "area_differs", severity="warning", mended="mends"
    ),
}

SPLITS: Mapping[str, Fault] = {
    "boxes as corners": on_all(corners, "box_convention", mended="mends", quick=True),
    "boxes by their centres": on_all(centre, "box_convention", mended="mends", quick=True),
    "boxes as shares": on_all(shares, "box_convention", mended="mends", quick=True),
    "outlines y before x": on_all(
        moved_points(lambda x, y: (y, x)), "transposed_masks", mended="mends", quick=True
    ),
    "outlines as shares": on_all(
        moved_points(lambda x, y: (x / SIZE[1], y / SIZE[0])),
        "normalised_coordinates",
        mended="mends",
        quick=True,
    ),
    "outlines in percent": on_all(
        moved_points(lambda x, y: (100 * x / SIZE[1], 100 * y / SIZE[0])),
        "percent_coordinates",
        mended="mends",
        quick=True,
    ),
    "areas of the boxes": on_all(
        area_of_box, "area_convention", severity="warning", mended="mends"
    ),
    "areas of 0": on_all(
        lambda a: a.update(area=0), "area_convention", severity="warning", mended="mends"
    ),
    "everything a crowd": on_all(
        lambda a: a.update(iscrowd=1), "all_crowd", mended="mends", quick=True
    ),
    "most a crowd": Fault(most_crowds, "mostly_crowd", "warning", quick=True),
    "pictures without objects": Fault(empty_some, "empty_images", "note", quick=True),
    "split without objects": on_split(
        "val", lambda content: content["annotations"].clear(), "no_objects"
    ),
    "no picture where it is looked for": Fault(without_pictures, "missing_picture", quick=True),
    "one picture in two splits": Fault(share_a_picture, "picture_in_two_splits", quick=True),
}

CLASS_FAULTS: Mapping[str, Fault] = {
    "class without objects": on_classes(extra_class("acorn"), "unused_class"),
    "background as a class": on_classes(extra_class("__background__"), "background_class"),
    "class names in two cases": on_classes(extra_class("Pebble", objects=3), "similar_names"),
    "class names in the plural": on_classes(extra_class("pebbles", objects=3), "similar_names"),
    "class name misspelt": on_classes(extra_class("peble", objects=1), "similar_names"),
    "class name with a space": on_classes(extra_class("star ", objects=12, of=3), "odd_name"),
    "class name in two scripts": on_classes(extra_class(CYRILLIC, objects=3, of=3), "odd_name"),
    "class name of look-alikes": on_classes(
        extra_class(CYRILLIC, objects=3, of=3), "similar_names"
    ),
    "class that is not learnt": on_split(
        "train", without_class, "class_missing_in_train", where="val"
    ),
    "class that is not measured": on_split("val", without_class, "class_missing_in_val", "warning"),
    "other ids in one split": on_split("val", numbered_from_zero, "class_ids_differ"),
    "other names in one split": on_split("val", renamed, "class_names_differ"),
    "class listed twice": on_split(
        "train", class_listed_again(), "broken_category", mended="mends"
    ),
    "class under two ids": on_split(
        "train", class_listed_again(id=77), "broken_category", mended="mends"
    ),
    "class under two ids, not equal": on_split(
        "train", class_listed_again(id=77, supercategory="fish"), "broken_category"
    ),
    "two classes of one id": on_classes(
        class_listed_again(name="acorn"), "broken_category", "error", where="train"
    ),
    "class without a name": on_classes(unnamed(None), "broken_category", "error", where="train"),
    "class of an empty name": on_classes(unnamed(" "), "broken_category", "error", where="train"),
    "class of few objects": on_split("train", keep_objects(3, 6), "rare_class", "warning"),
    "classes in other shares": Fault(class_in_most, "class_shift", "note", quick=True),
}

PIXELS: Mapping[str, Fault] = {
    "objects of another size": Fault(larger_things, "size_shift", "warning"),
    "nothing at the border": Fault(leave_out_the_cut, "border_avoided", "note"),
    "all in the middle": Fault(all_in_the_middle, "centred_objects", "note"),
    "one picture much larger": Fault(enlarge_one, "mixed_sizes", "note", quick=True),
    "one grey picture": of_split(on_file(greyed, "grey_among_coloured", severity="note")),
    "picture of 16 bits": of_split(on_file(of_16_bits(256), "deep_pictures", severity="note")),
    "12 bits in 16": on_file(of_16_bits(16), "dark_picture", severity="warning"),
    "picture of one colour": on_file(blank, "blank_picture", severity="warning"),
}

FAULTS: Mapping[str, Fault] = {**RECORDS, **MASKS, **SPLITS, **CLASS_FAULTS, **PIXELS}
