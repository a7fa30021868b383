"""Repairs of COCO annotations: outlines in other units, crowds, masks of nothing, copies, boxes.

Only what is certain is done. Outlines that cross themselves stay: the mask is the truth.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from delineate.core import rle
from delineate.data.coco_annotations import stated_box
from delineate.quality.checks import examine
from delineate.quality.conventions import written_so
from delineate.quality.findings import Finding
from delineate.quality.mend_records import box_of
from delineate.quality.work import Record, Work, owner_of, told_of

_Point = Callable[[float, float, int, int], tuple[float, float]]

POINTS: Mapping[str, _Point] = MappingProxyType(
    {
        "transposed_masks": lambda x, y, w, h: (y, x),
        "normalised_coordinates": lambda x, y, w, h: (x * w, y * h),
        "percent_coordinates": lambda x, y, w, h: (x * w / 100, y * h / 100),
    }
)
"""Where a point (x, y) of an outline in another unit lies in a picture of w x h pixels."""

_REMOVED = ("empty_mask", "duplicate_object")
_STATED = {"box_disagrees": "bbox", "area_differs": "area"}
_ALL_STATED = {"box_convention": "bbox", "area_convention": "area"}
_LOOKED_FOR = (*_REMOVED, *_STATED, *_ALL_STATED)


def rewrite_outlines(work: Work) -> None:
    """Write outlines in pixels, x first, where all or most of them are written in another way.

    The few that fit their pictures or boxes as they are stay so.
    """
    dataset = work.dataset(any_class=True)
    for finding in examine({work.split: dataset}, quick=True, only=tuple(POINTS)):
        if finding.score < 1:
            continue
        sizes = {image["id"]: image for image in work.content["images"]}
        rewritten = [
            annotation
            for annotation in work.content["annotations"]
            if (image := sizes.get(owner_of(annotation)))
            and _rewrite(annotation, image, finding.kind)
        ]
        work.done(
            finding.kind,
            "rewrote outlines in pixels, x first",
            annotation_ids=tuple(a["id"] for a in rewritten if isinstance(a.get("id"), int)),
        )


def clear_crowds(works: Sequence[Work]) -> None:
    """Take the mark of a crowd from all annotations of splits in which all have it."""
    splits = {work.split: work for work in works}
    datasets = {split: work.dataset() for split, work in splits.items()}
    for finding in examine(datasets, quick=True, only=("all_crowd",)):
        work = splits[finding.place.split]
        marked = [a for a in work.content["annotations"] if a.get("iscrowd")]
        for annotation in marked:
            annotation["iscrowd"] = 0
        ids = tuple(a["id"] for a in marked)
        work.done(finding.kind, "cleared", annotation_ids=ids, before=1, after=0)


def mend_objects(work: Work) -> None:
    """Remove masks of nothing and exact copies; state boxes and areas as the masks have them.

    Boxes stay where they may be what is right, and all masks transposed.
    """
    found = defaultdict(list)
    for finding in examine({work.split: work.dataset()}, only=(*_LOOKED_FOR, "transposed_masks")):
        found[finding.kind].append(finding)
    if found["transposed_masks"]:
        found["box_disagrees"].clear()
    gone = _remove(work, (finding for kind in _REMOVED for finding in found[kind]))
    for kind, key in _STATED.items():
        _restate(work, kind, key, {f.place.ids[0] for f in found[kind]} - gone)
    for kind, key in _ALL_STATED.items():
        if found[kind]:
            _restate(work, kind, key, {a["id"] for a in work.content["annotations"]})


def _remove(work: Work, findings: Iterable[Finding]) -> set[int]:
    """Remove what must go; return the ids."""
    gone: dict[int, Finding] = {}
    for finding in findings:
        if finding.kind == "duplicate_object":
            if finding.score == 1 and finding.place.ids[0] not in gone:
                gone.setdefault(finding.place.ids[1], finding)
        elif finding.severity != "note":
            gone.setdefault(finding.place.ids[0], finding)
    kept: list[Record] = []
    for annotation in work.content["annotations"]:
        if (cause := gone.get(annotation["id"])) is None:
            kept.append(annotation)
            continue
        work.done(
            cause.kind,
            f"removed: {cause.why}",
            image_id=cause.place.image_id,
            annotation_ids=(annotation["id"],),
            left_out=None if cause.kind == "duplicate_object" else "annotation",
            before=told_of(annotation),
        )
    work.content["annotations"] = kept
    return set(gone)


def _restate(work: Work, kind: str, key: str, ids: set[int]) -> None:
    """State the boxes or areas of some annotations anew, as their masks have them."""
    sizes = {image["id"]: (image["height"], image["width"]) for image in work.content["images"]}
    for annotation in work.content["annotations"]:
        if annotation["id"] not in ids:
            continue
        size = sizes[annotation["image_id"]]
        runs = rle.from_segmentation(annotation["segmentation"], size)
        before = annotation.get(key)
        annotation[key] = box_of(runs, size) if key == "bbox" else rle.area(runs)
        if annotation[key] != before:
            work.done(
                kind,
                f"stated the {'box' if key == 'bbox' else 'area'} of its mask",
                image_id=annotation["image_id"],
                annotation_ids=(annotation["id"],),
                before=before,
                after=annotation[key],
            )


def _rewrite(annotation: Record, image: Record, kind: str) -> bool:
    """Rewrite the outlines of one annotation; False: it has none that are written so."""
    outlines = annotation.get("segmentation")
    width, height = image["width"], image["height"]
    if not isinstance(outlines, list) or not outlines:
        return False
    parts = outlines if isinstance(outlines[0], list) else [outlines]
    try:
        points = np.concatenate([np.array(part, np.float64).reshape(-1, 2) for part in parts])
        bounds = np.concatenate([points.min(axis=0), points.max(axis=0)])[None]
        point = POINTS[kind]
        rewritten = [_moved(part, lambda x, y: point(x, y, width, height)) for part in parts]
    except (TypeError, ValueError):  # not numbers, or not pairs: left out later
        return False
    stated = np.array([stated_box(annotation.get("bbox"))])
    if not written_so(kind, bounds, stated, np.array([[width, height]], np.float64)):
        return False
    annotation["segmentation"] = rewritten
    return True


def _moved(part: list[Any], point: Callable[[float, float], tuple[float, float]]) -> list[float]:
    pairs = zip(part[0::2], part[1::2], strict=True)
    return [value for x, y in pairs for value in point(x, y)]
