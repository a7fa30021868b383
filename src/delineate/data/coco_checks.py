"""Look at every record of a COCO file: what is sound is kept, what is broken becomes a Problem.

Nothing is repaired and nothing dropped in silence. An image that is left out takes its annotations
with it, so an annotation is judged only if its image is kept.
"""

import math
import os
from collections.abc import Container, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from delineate.core.boxes import Size
from delineate.core.classes import ID_LIMIT, ClassMap
from delineate.core.json_file import kind
from delineate.data.annotated import Annotation
from delineate.data.pictures import Broken, check_inside, found, in_threads
from delineate.data.sample import ImageRecord, Problem
from delineate.data.segmentations import Compact, compact, outlines, reaches
from delineate.errors import DataError

JsonObject = Mapping[str, Any]


class NoObject(dict[str, Any]):
    """What stands in the place of a record that is no object, so that all others keep theirs.

    Args:
        got: What is in the file.
    """

    def __init__(self, got: object) -> None:
        super().__init__()
        self.got = got


_NUMBERS = frozenset((int, float))
_LARGEST = 1e15  # of the numbers that an annotation states
_NO_BOX = (math.nan,) * 4


# -- images ------------------------------------------------------------------------------------


def check_images(
    listed: Sequence[JsonObject], folders: Sequence[Path] | None
) -> list[ImageRecord | Problem]:
    """Return for each listed image its record, or what is wrong with it or its file.

    Of each file the header and the end are read, not the pixels.

    Args:
        listed: The file's `images`.
        folders: Where image files are looked for, in this order; None: they are not needed.
    """
    ids: set[int] = set()
    names: dict[str, int] = {}

    def on_paper(position: int) -> ImageRecord | Problem:
        image = listed[position]
        try:
            record = _image_record(image)
            if record.image_id in ids:
                raise Broken(
                    "another image of the file has the same id",
                    "give every image its own id",
                    "repeated_id",
                )
            ids.add(record.image_id)
            plain = os.path.normpath(record.name) if "/" in record.name else record.name
            first = names.setdefault(plain, record.image_id)
            if first != record.image_id:
                raise Broken(
                    f"its file is listed already, as image {first}",
                    "join the two records and their annotations",
                    "picture_listed_twice",
                )
        except Broken as broken:
            return _image_problem(_image_place(image, position), broken, image)
        return record

    def on_disk(record: ImageRecord | Problem) -> ImageRecord | Problem:
        if isinstance(record, Problem) or folders is None:
            return record
        try:
            return found(record, folders)
        except Broken as broken:
            place = f"image {record.image_id} {record.name!r}"
            return _image_problem(place, broken, {"id": record.image_id, "file_name": record.name})

    return in_threads(on_disk, map(on_paper, range(len(listed))))


def _image_record(image: JsonObject) -> ImageRecord:
    """Read what the JSON says of an image; where its file is, is yet to be found."""
    image_id = whole(image, "id", "an image")
    if not 0 <= image_id < ID_LIMIT:
        raise Broken("expected an id from 0 to 2^63 - 1", "number the images from 1")
    name = file_name(image, "the folder of images")
    height, width = (whole(image, side, "an image") for side in ("height", "width"))
    if height < 1 or width < 1:
        raise Broken(
            f"the file of annotations says {width} x {height} pixels",
            "state the picture's width and height",
        )
    return ImageRecord(image_id=image_id, name=name, path=None, size=(height, width))


def _image_place(image: JsonObject, position: int) -> str:
    image_id, name = image.get("id"), image.get("file_name")
    if not isinstance(image_id, int):
        return f"image number {position + 1} of the list" + (f" {name!r}" if name else "")
    return f"image {image_id}" + (f" {name!r}" if isinstance(name, str) else "")


def _image_problem(where: str, broken: Broken, image: JsonObject) -> Problem:
    image_id, name = image.get("id"), image.get("file_name")
    return Problem(
        where=where,
        why=broken.why,
        fix=broken.fix,
        action="the image and its annotations left out",
        kind=broken.kind,
        image_id=image_id if isinstance(image_id, int) else None,
        name=name if isinstance(name, str) else "",
    )


# -- annotations -------------------------------------------------------------------------------


def compact_outlines(listed: list[Any]) -> list[Any]:
    """Put the compact form in the place of outlines that surely can be read: a tenth of the memory.

    Args:
        listed: A part of the file's `annotations`, changed in place.
    """
    objects = [annotation for annotation in listed if isinstance(annotation, dict)]
    found = outlines([annotation.get("segmentation") for annotation in objects])
    for annotation, held in zip(objects, found, strict=True):
        if held is not None:
            annotation["segmentation"] = held
    return listed


def check_annotations(
    listed: Sequence[JsonObject],
    kept: Mapping[int, ImageRecord],
    left_out: set[int],
    classes: ClassMap,
    unclassed: Set[int] = frozenset(),
) -> list[Annotation | Problem]:
    """Return for each annotation what it says, or what is wrong with it.

    Args:
        listed: The file's `annotations`.
        kept: The sound images by their id.
        left_out: Ids of broken images; their annotations go with them.
        classes: The file's sound categories.
        unclassed: Ids of broken categories; their annotations go with them, too.
    """
    labels = {source_id: label for label, source_id in enumerate(classes.source_ids)}
    checked: list[Annotation | Problem] = []
    seen: set[int] = set()
    for position, annotation in enumerate(listed):
        owner = annotation.get("image_id")
        if type(owner) is int and owner not in kept and owner in left_out:
            continue
        category = annotation.get("category_id")
        if type(category) is int and category in unclassed:
            continue
        try:
            sound = _annotation(annotation, kept, labels)
            if sound.id in seen:
                raise Broken(
                    "another annotation has the same id",
                    "remove it, or give it its own id",
                    "repeated_id",
                )
            seen.add(sound.id)
            checked.append(sound)
        except Broken as broken:
            checked.append(_annotation_problem(annotation, position, kept, broken))
    return checked


def _annotation(
    annotation: JsonObject, kept: Mapping[int, ImageRecord], labels: Mapping[int, int]
) -> Annotation:
    annotation_id = whole(annotation, "id", "an annotation")
    if not -ID_LIMIT <= annotation_id < ID_LIMIT:  # held as int64
        raise Broken("its id has more than 64 bits", "number the annotations from 1")
    image_id = whole(annotation, "image_id", "an annotation")
    if image_id not in kept:
        raise Broken(
            f"it belongs to image {image_id}, which the file does not list",
            "add the image to the file's images, or remove the annotation",
            "unknown_image",
            image_id,
        )
    category = whole(annotation, "category_id", "an annotation")
    if category not in labels:
        raise Broken(
            f"its category {category} is none of the file's categories",
            "add the category to the file, or correct the annotation",
            "unknown_category",
            category,
        )
    crowd = annotation.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise Broken(f"expected 0 or 1 as 'iscrowd', got {kind(crowd)}", "correct it")
    box, area = annotation.get("bbox"), annotation.get("area")
    held_box, held_area = stated_box(box), stated_area(area)
    no_box = bool(box) and math.isnan(held_box[0])
    no_area = area is not None and math.isnan(held_area)
    held = _segmentation(annotation, kept[image_id].size)
    return Annotation(  # by place: by name takes twice as long
        annotation_id,
        image_id,
        labels[category],
        bool(crowd),
        held_area,
        held_box,
        held,
        (no_box, no_area),
    )


def _segmentation(annotation: JsonObject, size: Size) -> Compact:
    segmentation = annotation.get("segmentation")
    if segmentation is None or segmentation == []:
        raise Broken(
            "it has a box but no mask" if annotation.get("bbox") else "it has no mask",
            "add its 'segmentation': outlines or RLE",
            "no_mask",
        )
    try:
        done = isinstance(segmentation, tuple)  # by `compact_outlines`
        held: Compact = segmentation if done else compact(segmentation, size)
    except DataError as error:
        raise Broken.by(error, "unreadable_mask") from None
    if not reaches(held, size):
        raise Broken(
            "its mask has no pixel in the picture",
            "draw it anew, or remove the annotation",
            "mask_outside",
        )
    return held


def stated_area(area: object) -> float:
    """Return an area as a file states it, NaN if that is no area."""
    if (type(area) is float or type(area) is int) and 0 <= area <= _LARGEST:  # false for NaN
        return float(area)
    return math.nan


def stated_box(box: object) -> tuple[float, ...]:
    """Return the four numbers that a file states as a box, NaN if these are none."""
    if not isinstance(box, list) or len(box) != 4 or not _NUMBERS.issuperset(map(type, box)):
        return _NO_BOX
    if not -_LARGEST <= min(box) <= max(box) <= _LARGEST:
        return _NO_BOX
    x, y, width, height = map(float, box)
    return (x, y, width, height) if x + y + width + height < math.inf else _NO_BOX  # not for NaN


def _annotation_problem(
    annotation: JsonObject, position: int, kept: Mapping[int, ImageRecord], broken: Broken
) -> Problem:
    annotation_id, owner = annotation.get("id"), annotation.get("image_id")
    record = kept.get(owner) if isinstance(owner, int) else None
    return Problem(
        where=_annotation_place(annotation, position, kept),
        why=broken.why,
        fix=broken.fix,
        action="the annotation left out",
        kind=broken.kind,
        image_id=None if record is None else record.image_id,
        name="" if record is None else record.name,
        annotation_id=annotation_id if isinstance(annotation_id, int) else None,
        got=broken.got,
    )


def _annotation_place(
    annotation: JsonObject, position: int, kept: Mapping[int, ImageRecord]
) -> str:
    annotation_id, owner = annotation.get("id"), annotation.get("image_id")
    own = (
        f"annotation {annotation_id}"
        if isinstance(annotation_id, int)
        else f"annotation number {position + 1} of the list"
    )
    if isinstance(owner, int) and owner in kept:
        return f"image {owner} {kept[owner].name!r}, {own}"
    return own


def ids_left_out(listed: Sequence[JsonObject], kept: Container[int]) -> set[int]:
    """Return the ids of those images, or categories, of a file that are not kept."""
    ids = (record.get("id") for record in listed)
    return {i for i in ids if type(i) is int and i not in kept}


def check_object(record: JsonObject) -> None:
    """Make sure that a record is one.

    Raises:
        Broken: It is not.
    """
    if isinstance(record, NoObject):
        raise Broken(f"expected an object, got {kind(record.got)}", "export it again, or remove it")


def file_name(record: JsonObject, folder: str) -> str:
    """Return the name of a record's file, which must lie in the folder that is named so."""
    name = record.get("file_name")
    if not isinstance(name, str) or not name.strip():
        raise Broken(f"expected its file's name as 'file_name', got {kind(name)}", "name its file")
    check_inside(name, folder)
    return name


def whole(record: JsonObject, key: str, what: str) -> int:
    """Return the whole number that a record must have under `key`."""
    value = record.get(key)
    if type(value) is int:
        return value
    check_object(record)
    raise Broken(f"{what} needs a whole number as {key!r}, got {kind(value)}", "correct it")
