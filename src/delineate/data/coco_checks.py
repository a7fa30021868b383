"""Look at every image of a COCO file: what is sound is kept, what is broken becomes a Problem.

Nothing is repaired and nothing dropped in silence. What is asked of any record is here, too.
"""

import os
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from delineate.core.classes import ID_LIMIT
from delineate.core.json_file import kind
from delineate.data.pictures import Broken, check_inside, found, in_threads
from delineate.data.sample import ImageRecord, Problem

JsonObject = Mapping[str, Any]


class NoObject(dict[str, Any]):
    """What stands in the place of a record that is no object, so that all others keep theirs.

    Args:
        got: What is in the file.
    """

    def __init__(self, got: object) -> None:
        super().__init__()
        self.got = got


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
