"""Look at every annotation of a COCO file: what is sound is kept, the rest becomes a Problem.

Nothing is repaired and nothing dropped in silence. An image that is left out takes its annotations
with it, so an annotation is judged only if its image is kept. What is wrong with an annotation is
decided for each alone; that nothing is wrong with many is told together, in two thirds of the time.
"""

import itertools
import math
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from delineate.core.boxes import Size
from delineate.core.classes import ID_LIMIT, ClassMap
from delineate.core.json_file import kind
from delineate.data.annotated import Annotation
from delineate.data.coco_checks import JsonObject, whole
from delineate.data.pictures import Broken
from delineate.data.sample import ImageRecord, Problem
from delineate.data.segmentations import Compact, compact, outlines, reaches
from delineate.errors import DataError

_NUMBERS = frozenset((int, float))
_LARGEST = 1e15  # of the numbers that an annotation states
_NO_BOX = (math.nan,) * 4
_TOGETHER = 256  # annotations that are looked at at once


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
    for first in range(0, len(listed), _TOGETHER):
        part = listed[first : first + _TOGETHER]
        try:
            checked += _surely_sound(part, kept, labels, seen)
        except (Broken, AttributeError, KeyError, OverflowError, TypeError, ValueError):
            gone = _Gone(left_out, unclassed)
            checked += _one_by_one(part, first, kept, labels, seen, gone)
    return checked


def _surely_sound(
    part: Sequence[JsonObject],
    kept: Mapping[int, ImageRecord],
    labels: Mapping[int, int],
    seen: set[int],
) -> list[Annotation]:
    """Return annotations that have everything, all of it right; `seen` gets their ids.

    Raises:
        Broken, AttributeError, KeyError, OverflowError, TypeError, ValueError: Something is
            missing or wrong, or may be, with one of them; `seen` is as it was.
    """
    ids = [annotation["id"] for annotation in part]
    owners = [annotation["image_id"] for annotation in part]
    categories = [annotation["category_id"] for annotation in part]
    if not set(map(type, itertools.chain(ids, owners, categories))) <= {int}:
        raise TypeError
    if (
        not seen.isdisjoint(ids)
        or len(set(ids)) < len(ids)
        or not -ID_LIMIT <= min(ids) <= max(ids) < ID_LIMIT
    ):
        raise ValueError
    crowd = [annotation.get("iscrowd", 0) for annotation in part]
    if not set(crowd) <= {0, 1}:
        raise ValueError
    boxes = [annotation["bbox"] for annotation in part]
    if set(map(type, boxes)) != {list} or set(map(len, boxes)) != {4}:
        raise ValueError
    stated = _stated(list(itertools.chain.from_iterable(boxes)))
    areas = _stated([annotation["area"] for annotation in part])
    if min(areas) < 0:
        raise ValueError
    held = []
    for annotation, owner in zip(part, owners, strict=True):
        size, mask = kept[owner].size, annotation["segmentation"]
        surely = type(mask) is tuple and reaches(mask, size)
        held.append(mask if surely else _segmentation(annotation, size))
    columns = (
        ids,
        owners,
        [labels[c] for c in categories],
        map(bool, crowd),
        areas,
        zip(*[iter(stated)] * 4, strict=True),
        held,
    )
    sound = list(map(Annotation, *columns))
    seen.update(ids)
    return sound


def _stated(numbers: list[Any]) -> list[float]:
    """Return numbers of a size that an annotation may state.

    Raises:
        OverflowError, TypeError, ValueError: One is none, or too large.
    """
    if not _NUMBERS.issuperset(map(type, numbers)):
        raise TypeError
    values = np.fromiter(numbers, np.float64, len(numbers))
    if not np.abs(values).max() <= _LARGEST:  # nor is NaN
        raise ValueError
    stated: list[float] = values.tolist()
    return stated


class _Gone(NamedTuple):
    """Ids of what is left out, which takes its annotations with it."""

    images: Set[int]
    categories: Set[int]


def _one_by_one(
    part: Sequence[JsonObject],
    first: int,
    kept: Mapping[int, ImageRecord],
    labels: Mapping[int, int],
    seen: set[int],
    gone: _Gone,
) -> list[Annotation | Problem]:
    """Return for each annotation from place `first` on what it says, or what is wrong with it."""
    checked: list[Annotation | Problem] = []
    for position, annotation in enumerate(part, first):
        owner = annotation.get("image_id")
        if type(owner) is int and owner not in kept and owner in gone.images:
            continue
        category = annotation.get("category_id")
        if type(category) is int and category in gone.categories:
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
