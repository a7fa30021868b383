"""Repairs of COCO records whose ids or sizes are no whole numbers, where these are certain.

An id 7.0 means 7. An id "7" means it where, read so, every reference of the file leads somewhere.
The size of a picture is that of its file, as far as no side that is stated says otherwise.
"""

import re
from collections.abc import Mapping
from typing import Any

from delineate.core.boxes import Size
from delineate.core.image import image_size, stored_size
from delineate.data.coco_checks import file_name
from delineate.data.pictures import Broken, lies_at
from delineate.errors import DataError
from delineate.quality.work import Record, Work, is_whole

_EXACT = 2.0**53  # up to which every whole number is a float
_DIGITS = re.compile(r"0|[1-9][0-9]{0,17}")

_IDS = (
    *(("images", "id"), ("categories", "id"), ("annotations", "id")),
    *(("annotations", "image_id"), ("annotations", "category_id")),
)


def restate_ids(work: Work) -> None:
    """Write ids as whole numbers; none that another record has already."""
    texts = _every_reference_fits(work.content)
    for key, field in _IDS:
        records = work.content[key]
        taken = {r["id"] for r in records if is_whole(r.get("id"))} if field == "id" else set()
        restated: list[Record] = []
        before: list[Any] = []
        for record in records:
            own = record.get(field)
            meant = _meant(own, texts=texts)
            if is_whole(own) or meant is None or meant in taken:
                continue
            if field == "id":
                taken.add(meant)
            record[field] = meant
            restated.append(record)
            before.append(own)
        if restated:
            ids = [r["id"] for r in restated if key == "annotations" and is_whole(r.get("id"))]
            work.done(
                "broken_category" if key == "categories" else "broken_record",
                f"wrote every {field!r} of the {key} as a whole number",
                annotation_ids=tuple(ids),
                before=list(dict.fromkeys(before)),
                after=list(dict.fromkeys(r[field] for r in restated)),
            )


def state_sizes(work: Work) -> None:
    """State the size of its file for a picture whose record has none."""
    for image in work.content["images"]:
        stated = image.get("height"), image.get("width")
        if all(is_whole(side) and side > 0 for side in stated):
            continue
        size = _size_of_file(work, image, stated)
        if size is None:
            continue
        before = {key: image.get(key) for key in ("width", "height")}
        image["height"], image["width"] = size
        own = image.get("id")
        work.done(
            "broken_record",
            "stated the size of its file",
            image_id=own if is_whole(own) else None,
            before=before,
            after={"width": size[1], "height": size[0]},
        )


def _size_of_file(work: Work, image: Record, stated: tuple[Any, Any]) -> Size | None:
    """Return the (h, w) that a picture has, as it is seen or stored; None: unknown or uncertain."""
    try:
        name = file_name(image, "the folder of images")
        picture = lies_at(folder / name for folder in work.folders)
        sizes = {image_size(picture), stored_size(picture)}
    except (Broken, DataError):
        return None
    known = [(i, side) for i in (0, 1) if (side := _meant(stated[i], texts=True) or 0) > 0]
    fits = [size for size in sizes if all(size[i] == side for i, side in known)]
    return fits[0] if len(fits) == 1 else None


def _every_reference_fits(content: Mapping[str, Any]) -> bool:
    """Tell whether every annotation has an image and a category, texts read as numbers."""
    listed = {
        key: {_meant(record.get("id"), texts=True) for record in content[key]} - {None}
        for key in ("images", "categories")
    }
    return all(
        _meant(annotation.get("image_id"), texts=True) in listed["images"]
        and _meant(annotation.get("category_id"), texts=True) in listed["categories"]
        for annotation in content["annotations"]
    )


def _meant(value: Any, *, texts: bool) -> int | None:  # noqa: ANN401 - a stranger's JSON
    """Return the whole number that a value is, or means; None: none."""
    if is_whole(value):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    if texts and isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return None
