"""Repairs of COCO records: what is certain is put right, and what is broken is left out.

Every repair takes a `Work`, changes its content, and lists what it did.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from delineate.core import rle
from delineate.core.boxes import Size, xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.image import image_size, orientation, read_image
from delineate.data.annotated import settle
from delineate.data.coco_annotations import check_annotations
from delineate.data.coco_checks import NoObject, check_images
from delineate.data.pictures import FORBIDDEN, lies_at
from delineate.data.sample import ImageRecord, Problem
from delineate.errors import DataError, ImageError
from delineate.quality.records import shift_of
from delineate.quality.work import Record, Work, called_by_id, is_whole, owner_of, told_of


def leave_out_what_is_no_record(work: Work) -> None:
    """Leave out what stands among images, annotations or categories and is no object.

    Of the categories only where no annotation may be of one that is lost there.
    """
    annotations = (a for a in work.content["annotations"] if not isinstance(a, NoObject))
    used = {repr(annotation.get("category_id")) for annotation in annotations}
    all_listed = used <= {repr(c.get("id")) for c in work.content["categories"]}
    for key in ("images", "annotations", *["categories"] * all_listed):
        for position, record in enumerate(work.content[key], start=1):
            if isinstance(record, NoObject):
                what = f"left out number {position} of {key!r}, which is no object"
                kind = "broken_category" if key == "categories" else "broken_record"
                work.done(kind, what, before=record.got)
        work.content[key] = [r for r in work.content[key] if not isinstance(r, NoObject)]


def join_records(work: Work) -> None:
    """Join pictures that are listed twice: the annotations of the second go to the first."""
    first: dict[str, Record] = {}
    moved: dict[int, int] = {}
    kept: list[Record] = []
    for image in work.content["images"]:
        name = image.get("file_name")
        other = first.setdefault(os.path.normpath(name), image) if _is_name(name) else image
        same = all(image.get(key) == other.get(key) for key in ("width", "height"))
        own, others = image.get("id"), other.get("id")
        if other is not image and same and own != others and is_whole(own) and is_whole(others):
            moved[own] = others
            what = f"joined with image {others}, which has the same file"
            work.done("picture_listed_twice", what, image_id=own, before=image)
        else:
            kept.append(image)
    work.content["images"] = kept
    for annotation in work.content["annotations"]:
        if (owner := owner_of(annotation)) is not None and owner in moved:
            annotation["image_id"] = moved[owner]


def turn_labels(work: Work) -> None:
    """Turn labels that were drawn on a picture as it is stored; the picture stays as it is.

    The masks are turned pixel by pixel, so nothing is lost.
    """
    listed = work.by_image()
    for image, seen in zip(work.content["images"], work.looked_at(), strict=True):
        if not isinstance(seen, Problem) or seen.kind != "exif_rotated":
            continue
        turn = orientation(lies_at([folder / image["file_name"] for folder in work.folders]))
        size = image["height"], image["width"]
        turned = [a for a in listed.get(image["id"], ()) if _turned(a, size, turn)]
        image["width"], image["height"] = size
        work.done(
            "exif_rotated",
            f"turned the labels as EXIF orientation {turn} turns the picture",
            image_id=image["id"],
            annotation_ids=_ids(turned),
            before={"width": size[1], "height": size[0]},
            after={"width": size[0], "height": size[1]},
        )


def restate_sizes(work: Work) -> None:
    """State the size of pictures anew that have a pixel more or less, if all masks are polygons.

    Exporters that resize pictures round one side in two ways; the labels fit to that pixel.
    """
    listed = work.by_image()
    for image, seen in zip(work.content["images"], work.looked_at(), strict=True):
        if not isinstance(seen, Problem) or seen.kind != "wrong_size":
            continue
        height, width = image_size(lies_at([folder / seen.name for folder in work.folders]))
        off = abs(image["width"] - width), abs(image["height"] - height)
        own = listed.get(image["id"], ())
        if max(off) > 1 or not all(isinstance(a.get("segmentation"), list) for a in own):
            continue
        before = {"width": image["width"], "height": image["height"]}
        after = {"width": width, "height": height}
        image.update(after)
        what = "stated the size of its file"
        work.done("wrong_size", what, image_id=image["id"], before=before, after=after)


def shift_ids(work: Work) -> None:
    """Shift category ids that are off by one, where that is certain."""
    used = {a["category_id"] for a in work.content["annotations"]}
    listed = work.category_ids()
    if used <= listed or not work.has_every_id():
        return
    shift, certain = shift_of(used, listed)
    if not shift or not certain:
        return
    for annotation in work.content["annotations"]:
        annotation["category_id"] += shift
    work.done(
        "ids_off_by_one",
        f"added {shift:+d} to every category_id",
        annotation_ids=_ids(work.content["annotations"]),
        before=sorted(used),
        after=sorted(i + shift for i in used),
    )


def renumber(work: Work) -> None:
    """Give annotations without an id, or with a taken one, their own; equal ones become one."""
    first: dict[int, Record] = {}
    whole = [a["id"] for a in work.content["annotations"] if is_whole(a.get("id"))]
    free = max(whole, default=0) + 1
    kept: list[Record] = []
    for annotation in work.content["annotations"]:
        own = annotation.get("id")
        if not is_whole(own):
            annotation["id"] = free
            what = "given an id, which has to be a whole number"
            work.done("broken_record", what, annotation_ids=(free,), before=own, after=free)
            kept.append(annotation)
            free += 1
            continue
        other = first.setdefault(own, annotation)
        if other is annotation:
            kept.append(annotation)
        elif other == annotation:
            told = {"annotation_ids": (own,), "before": told_of(annotation)}
            work.done("repeated_id", "removed the second of two equal annotations", **told)
        else:
            annotation["id"] = free
            work.done("repeated_id", "given its own id", annotation_ids=(own,), after=free)
            kept.append(annotation)
            free += 1
    work.content["annotations"] = kept


def leave_out_pictures(work: Work) -> None:
    """Leave out images whose record or picture is broken, with their annotations.

    Raises:
        DataError: No image is left, or see `check_open`.
    """
    images: list[Record] = []
    broken: list[tuple[Record, Problem]] = []
    for image, seen in zip(work.content["images"], work.looked_at(), strict=True):
        problem = _decoded(seen) if isinstance(seen, ImageRecord) else seen
        if problem is None:
            images.append(image)
        else:
            broken.append((image, problem))
    problems = [problem for _, problem in broken]
    check_open(work.path, problems)
    settle(work.path, len(work.content["images"]), len(images), problems, "skip")
    work.content["images"] = images
    owned, kept = work.by_image(), {image["id"] for image in images}
    gone: set[int] = set()
    for image, problem in broken:
        own = image.get("id")
        taken = owned[own] if is_whole(own) and own not in kept | gone else []
        if is_whole(own) and own not in kept:
            gone.add(own)
        work.done(
            problem.kind,
            f"left out with its annotations: {problem.why}",
            image_id=problem.image_id,
            annotation_ids=_ids(taken),
            left_out="image",
            before=image,
        )
    work.content["annotations"] = [
        annotation for annotation in work.content["annotations"] if owner_of(annotation) not in gone
    ]


def check_open(source: Path, problems: Iterable[Problem]) -> None:
    """Make sure that no picture would be left out only because this user may not read it.

    Raises:
        DataError: One would.
    """
    if shut := [problem for problem in problems if problem.kind == FORBIDDEN]:
        more = f", and {len(shut) - 1:,} more" if len(shut) > 1 else ""
        raise DataError(
            f"{source}: expected pictures that can be copied, got {shut[0].where}: {shut[0].why}"
            f"{more}: {shut[0].fix}, then repair."
        )


def leave_out_annotations(work: Work) -> None:
    """Leave out annotations that are broken, whatever their category is."""
    _leave_out(work, work.all_classes(), spared="unknown_category")


def leave_out_unclassed(work: Work) -> None:
    """Leave out annotations of no category.

    They stay where all may be off by one, which is uncertain, or a category lacks its id.
    """
    used, listed = {a["category_id"] for a in work.content["annotations"]}, work.category_ids()
    if not used <= listed and work.has_every_id() and not shift_of(used, listed)[0]:
        _leave_out(work, called_by_id(listed))


def _leave_out(work: Work, classes: ClassMap, spared: str = "") -> None:
    """Leave out annotations with any problem but those of the kind `spared`."""
    records = check_images(work.content["images"], None)
    kept = {record.image_id: record for record in records if isinstance(record, ImageRecord)}
    listed = work.content["annotations"]
    annotations: list[Record] = []
    for annotation, checked in zip(
        listed, check_annotations(listed, kept, set(), classes), strict=True
    ):
        if not isinstance(checked, Problem) or checked.kind == spared:
            annotations.append(annotation)
            continue
        work.done(
            checked.kind,
            f"left out: {checked.why}",
            image_id=checked.image_id,
            annotation_ids=_ids([annotation]),
            left_out="annotation",
            before=told_of(annotation),
        )
    work.content["annotations"] = annotations


def box_of(runs: rle.Runs, size: Size) -> list[float]:
    """Return the box of a mask as COCO states it."""
    box: list[float] = xyxy_to_xywh([rle.bounds(runs, size)])[0].tolist()
    return box


def _turned(annotation: Record, size: Size, turn: int) -> bool:
    """Turn the mask of one annotation from its stored size (h, w); False: it cannot be read."""
    try:
        runs = rle.from_segmentation(annotation.get("segmentation"), size)
    except DataError:
        return False
    bitmap = upright(rle.to_bitmap(runs, size), turn)
    runs, size = rle.from_bitmap(bitmap), (size[1], size[0])
    counts = rle.to_string(runs, size)
    annotation["segmentation"] = {"size": list(size), "counts": counts}
    annotation["bbox"] = box_of(runs, size)
    return True


def upright(stored: np.ndarray, turn: int) -> np.ndarray:
    """Turn an (h, w) array as EXIF orientation 5 to 8 turns a picture.

    https://www.cipa.jp/std/documents/e/DC-X008-Translation-2019-E.pdf, tag 0x0112.
    """
    turned = {
        5: stored.T,
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).T,
        8: np.rot90(stored),
    }
    return turned[turn]


def _decoded(record: ImageRecord) -> Problem | None:
    """Read the pixels of a picture; return what is wrong with them."""
    assert record.path is not None
    try:
        read_image(record.path)
    except ImageError as error:
        return Problem(
            where=f"image {record.image_id} {record.name!r}",
            why=str(error).rstrip("."),
            fix="fetch it again",
            action="left out",
            kind="unreadable_picture",
            image_id=record.image_id,
            name=record.name,
        )
    return None


def _ids(annotations: Sequence[Record]) -> tuple[int, ...]:
    return tuple(a["id"] for a in annotations if is_whole(a.get("id")))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
