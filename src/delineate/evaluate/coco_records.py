"""The records of COCO's files, each checked before it counts: a broken one is no AP of 0.

Masks are read by `delineate.core.rle` and handed on in one spelling; an annotation's own ``bbox``
and ``area`` are handed on as they stand.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.foreign import check_size, short
from delineate.errors import DataError

JsonObject = Mapping[str, Any]
Record = dict[str, Any]
Shape = Literal["bbox", "segmentation"]
"""A box or a mask, by its key in a record."""

_LARGEST = 1e15  # of numbers that mean pixels or scores; above it lie infinity and slips


@dataclass(frozen=True, slots=True)
class Known:
    """What records may refer to: image ids with their sizes (height, width), category ids.

    Sizes are left unread, None, where no masks are evaluated.
    """

    sizes: Mapping[int, Size | None]
    categories: Collection[int]


def images_by_id(path: Path, listed: Sequence[JsonObject]) -> dict[int, JsonObject]:
    """Return the images of a truth file by their ids.

    Raises:
        DataError: An id is no whole number, or there twice.
    """
    images: dict[int, JsonObject] = {}
    for number, image in enumerate(listed, start=1):
        image_id = image.get("id")
        if type(image_id) is not int or image_id in images:
            raise DataError(
                f"{path}, image {number} of the list: expected a whole number of its own as 'id', "
                f"got {short(image_id)}{' again' * (type(image_id) is int)}: correct the file."
            )
        images[image_id] = image
    return images


def sizes_of(path: Path, images: Mapping[int, JsonObject]) -> dict[int, Size | None]:
    """Return (height, width) by image id.

    Raises:
        DataError: An image has none.
    """
    sizes: dict[int, Size | None] = {}
    for image_id, image in images.items():
        try:
            sizes[image_id] = check_size((image.get("height"), image.get("width")))
        except DataError as error:
            raise DataError(f"{path}, image {image_id}: {error}") from error
    return sizes


def sound_annotations(
    path: Path, listed: Sequence[JsonObject], known: Known, shapes: Collection[Shape]
) -> list[Record]:
    """Return what an evaluation reads of the truth's annotations, numbered from 1 on.

    Raises:
        DataError: One is broken, or has none of `shapes`.
    """
    sound = []
    for number, annotation in enumerate(listed, start=1):
        try:
            record = _record(annotation, known, shapes)
            record["id"] = number
            record["iscrowd"] = _crowd(annotation.get("iscrowd", 0))
            record["area"] = _area(annotation.get("area"), record)
        except DataError as error:
            raise DataError(f"{path}, annotation {number} of the list: {error}") from error
        sound.append(record)
    return sound


def sound_results(
    path: Path, numbered: Mapping[int, JsonObject], known: Known, shapes: Collection[Shape]
) -> list[Record]:
    """Return what an evaluation reads of results, given by their number in the file.

    Raises:
        DataError: One is broken, or has none of `shapes`.
    """
    sound = []
    for number, result in numbered.items():
        try:
            record = _record(result, known, shapes)
            record["score"] = _score(result.get("score"))
        except DataError as error:
            raise DataError(f"{path}, result {number}: {error}") from error
        sound.append(record)
    return sound


def _record(record: JsonObject, known: Known, shapes: Collection[Shape]) -> Record:
    image_id = _one_of(known.sizes, record, "image_id")
    sound = {"image_id": image_id, "category_id": _one_of(known.categories, record, "category_id")}
    if "bbox" in shapes:
        sound["bbox"] = _box(record.get("bbox"))
    if "segmentation" in shapes:
        size = known.sizes[image_id]
        assert size is not None, "sizes are read where masks are"
        runs = rle.from_segmentation(record.get("segmentation"), size)
        sound["segmentation"] = {"size": list(size), "counts": rle.to_string(runs, size)}
    return sound


def _one_of(known: Collection[int], record: JsonObject, key: str) -> Any:  # noqa: ANN401
    value = record.get(key)
    if type(value) is not int:
        raise DataError(f"expected a whole number as {key}, got {short(value)}: export it again.")
    if value not in known:
        raise DataError(
            f"{key} {value} is not in the annotations' file, which has {_some(known)}: evaluate "
            "against the data set that the predictions were made for."
        )
    return value


def _box(box: object) -> list[float]:
    numbers = isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))
    if not isinstance(box, list) or not numbers or min(box[2:]) < 0:
        got = "no box (null, or no 'bbox' at all)" if box is None else short(box)
        raise DataError(
            "expected four numbers as 'bbox' (x, y, width and height, these not below 0), got "
            f"{got}: state the box, or export the file again."
        )
    return box


def _score(score: object) -> object:
    if not _is_number(score):
        raise DataError(
            f"expected a number as score, got {short(score)}: write COCO results; annotations have "
            "no scores."
        )
    return score


def _crowd(crowd: object) -> int:
    if crowd not in (0, 1):
        raise DataError(f"expected 0 or 1 as 'iscrowd', got {short(crowd)}: correct it.")
    return int(crowd is True or crowd == 1)


def _area(area: Any, record: Record) -> Any:  # noqa: ANN401 - a stranger's JSON
    """Return the stated area; where there is none that of the mask, or else of the box."""
    if area is None and "segmentation" in record:
        mask = record["segmentation"]
        return rle.area(rle.from_string(mask["counts"], tuple(mask["size"])))
    if area is None:
        return record["bbox"][2] * record["bbox"][3]
    if not _is_number(area) or area < 0:
        raise DataError(f"expected a number of pixels as 'area', got {short(area)}: correct it.")
    return area


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and -_LARGEST <= value <= _LARGEST  # type: ignore[operator]


def _some(ids: Collection[int]) -> str:
    shown = ", ".join(str(i) for i in sorted(ids)[:8])
    return (shown + " ..." * (len(ids) > 8)) or "none"
