"""Annotations of COCO's panoptic format: a record of segments and the PNG that holds their ids.

Each is looked at whole when a data set is opened, pixels included: the PNG is the annotation, and
only its pixels tell whether they and the record belong together. At 640 x 480 that takes 5 ms.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.image import ImageArray, read_image
from delineate.core.json_file import kind
from delineate.core.panoptic import ID_LIMIT, IdMap, Panoptic, Segment, areas_by_id
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.coco_annotations import stated_area
from delineate.data.coco_checks import JsonObject, file_name, whole
from delineate.data.pictures import Broken
from delineate.data.sample import ImageRecord, Problem
from delineate.errors import DataError

_THREADS = 8
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class StatedSegment:
    """What a record says of a segment; the area is NaN if it does not say any."""

    id: int
    label: int
    crowd: bool
    area: float
    score: float | None


@dataclass(frozen=True, slots=True)
class PanopticAnnotation:
    """One sound annotation: whose it is, where its map lies, and what is in it."""

    image_id: int
    path: Path
    segments: tuple[StatedSegment, ...]


def read_ids(path: Path) -> IdMap:
    """Return the ``(h, w)`` segment ids of a PNG: R + 256 G + 65536 B.

    Raises:
        ImageError: It is missing or damaged.
    """
    return ids_of(read_image(path))


def ids_of(colours: ImageArray) -> IdMap:
    """Return the ``(h, w)`` ids that ``(h, w, 3)`` RGB stands for."""
    padded = np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA))
    ids: IdMap = padded.view("<i4")[..., 0] & np.int32(0xFFFFFF)
    return ids


def colours_of(ids: IdMap) -> ImageArray:
    """Return the ``(h, w, 3)`` RGB that stands for ids below 2^24."""
    parts: npt.NDArray[np.uint8] = np.ascontiguousarray(ids, "<i4")[..., None].view(np.uint8)
    return np.ascontiguousarray(parts[..., :3])


def read_panoptic(annotation: PanopticAnnotation, classes: PanopticClasses) -> Panoptic:
    """Return the segments of one image, in the order of its record.

    Raises:
        DataError: The map has changed since it was looked at.
    """
    ids = read_ids(annotation.path)
    areas = areas_by_id(ids)
    segments = tuple(
        Segment(id=s.id, label=s.label, area=areas.get(s.id, 0), score=s.score, crowd=s.crowd)
        for s in annotation.segments
    )
    try:
        return Panoptic(ids=ids, segments=segments, classes=classes)
    except DataError as error:
        raise DataError(f"{annotation.path}: {error}") from error


def check_maps(
    listed: Sequence[JsonObject],
    kept: Mapping[int, ImageRecord],
    left_out: set[int],
    classes: PanopticClasses,
    folder: Path,
) -> list[PanopticAnnotation | Problem]:
    """Return for each annotation what it says, or what is wrong with it or its map.

    Args:
        listed: The file's `annotations`.
        kept: The sound images by their id.
        left_out: Ids of broken images; their annotations go with them.
        classes: The file's categories.
        folder: Where the maps lie.
    """
    seen: set[int] = set()

    def on_paper(position: int) -> PanopticAnnotation | Problem:
        try:
            sound = _annotation(listed[position], kept, classes, folder)
            if sound.image_id in seen:
                raise Broken("its image has another annotation already", "remove one of them")
            seen.add(sound.image_id)
        except Broken as broken:
            return _problem(_place(listed[position], position, kept), broken)
        return sound

    def on_disk(checked: PanopticAnnotation | Problem) -> PanopticAnnotation | Problem:
        if isinstance(checked, Problem):
            return checked
        record = kept[checked.image_id]
        try:
            _check_map(checked, record.size)
        except Broken as broken:
            return _problem(f"image {record.image_id} {record.name!r}", broken)
        return checked

    judged = (
        position
        for position, annotation in enumerate(listed)
        if not (isinstance(owner := annotation.get("image_id"), int) and owner in left_out)
    )
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(on_disk, map(on_paper, judged)))


def _annotation(
    annotation: JsonObject, kept: Mapping[int, ImageRecord], classes: PanopticClasses, folder: Path
) -> PanopticAnnotation:
    image_id = whole(annotation, "image_id", "an annotation")
    if image_id not in kept:
        raise Broken(
            f"it belongs to image {image_id}, which the file does not list",
            "add the image to the file's images, or remove the annotation",
        )
    name = file_name(annotation, "the folder of maps")
    segments = annotation.get("segments_info")
    if not isinstance(segments, list):
        raise Broken(f"expected a list as 'segments_info', got {kind(segments)}", "export it again")
    labels = {source_id: label for label, source_id in enumerate(classes.source_ids)}
    stated = tuple(_segment(segment, labels) for segment in segments)
    ids = [segment.id for segment in stated]
    if len(set(ids)) < len(ids):
        raise Broken(
            f"two of its segments have the id {max(ids, key=ids.count)}", "give each its own id"
        )
    return PanopticAnnotation(image_id=image_id, path=folder / name, segments=stated)


def _segment(segment: object, labels: Mapping[int, int]) -> StatedSegment:
    if not isinstance(segment, Mapping):
        raise Broken(f"expected objects in 'segments_info', got {kind(segment)}", "export it again")
    segment_id = whole(segment, "id", "a segment")
    if not 0 < segment_id < ID_LIMIT:
        raise Broken(
            f"expected ids of segments from 1 to {ID_LIMIT - 1}, got {str(segment_id)[:20]}",
            "number them so, 0 is void",
        )
    category = whole(segment, "category_id", "a segment")
    if category not in labels:
        raise Broken(
            f"the category {category} of segment {segment_id} is none of the file's categories",
            "add the category to the file, or correct the segment",
        )
    crowd, score = segment.get("iscrowd", 0), segment.get("score")
    if crowd not in (0, 1):
        raise Broken(f"expected 0 or 1 as 'iscrowd', got {kind(crowd)}", "correct it")
    scored = isinstance(score, int | float) and 0 <= score <= 1
    if score is not None and not scored:
        raise Broken(f"expected a 'score' from 0 to 1, got {kind(score)}", "correct it")
    return StatedSegment(
        id=segment_id,
        label=labels[category],
        crowd=bool(crowd),
        area=stated_area(segment.get("area")),
        score=None if score is None else float(score),
    )


def _check_map(annotation: PanopticAnnotation, size: Size) -> None:
    """Compare a map with its record."""
    try:
        ids = read_ids(annotation.path)
    except DataError as error:
        text = str(error).replace(str(annotation.path), f"its map {annotation.path.name}")
        raise Broken.by(type(error)(text)) from None
    if ids.shape != size:
        raise Broken(
            f"its map has {ids.shape[1]} x {ids.shape[0]} pixels, the file of annotations says "
            f"{size[1]} x {size[0]}",
            "put back the map of this picture, or scale it without mixing colours",
        )
    drawn, stated = areas_by_id(ids).keys(), {segment.id for segment in annotation.segments}
    if nameless := sorted(drawn - stated):
        raise Broken(
            f"its map holds ids without a segment: {_shown(nameless)}",
            "add them to 'segments_info', or paint them black; maps must be saved without loss",
        )
    if missing := sorted(stated - drawn):
        raise Broken(
            f"its map has no pixel of these segments: {_shown(missing)}",
            "remove them from 'segments_info', or draw them",
        )


def _shown(ids: Sequence[int]) -> str:
    more = len(ids) - _SHOWN
    return ", ".join(map(str, ids[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _place(annotation: JsonObject, position: int, kept: Mapping[int, ImageRecord]) -> str:
    owner = annotation.get("image_id")
    if isinstance(owner, int) and owner in kept:
        return f"image {owner} {kept[owner].name!r}"
    return f"annotation number {position + 1} of the list"


def _problem(where: str, broken: Broken) -> Problem:
    return Problem(
        where=where, why=broken.why, fix=broken.fix, action="the image and its annotations left out"
    )
