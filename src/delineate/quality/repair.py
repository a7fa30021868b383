"""Write a repaired copy of a data set, in COCO's format, with the list of what was changed.

The source is only read. A split in which nothing is to be done is copied byte for byte, so that the
repair of a repaired copy is that copy.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, Literal

from delineate._files import check_apart, write_whole, writing_folder
from delineate.core.json_file import text_of
from delineate.data.coco import picture_folders, read_content
from delineate.data.coco_write import has_own_ids, write_coco
from delineate.data.collect import PARTS
from delineate.data.format_table import Format
from delineate.data.formats import find_sources, open_source
from delineate.data.layouts import Sources
from delineate.data.lvis import LvisDataset
from delineate.data.naming import uniquely_named
from delineate.data.one_table import in_one_table
from delineate.data.pictures import lies_at
from delineate.data.sample import UNANNOTATED, Dataset, PanopticDataset, Problem
from delineate.errors import DataError
from delineate.quality.changes import NAME, Change, changes_file, sha256
from delineate.quality.mend_categories import join_categories
from delineate.quality.mend_masks import clear_crowds, mend_objects, rewrite_outlines
from delineate.quality.mend_numbers import restate_ids, state_sizes
from delineate.quality.mend_records import (
    check_open,
    join_records,
    leave_out_annotations,
    leave_out_pictures,
    leave_out_unclassed,
    leave_out_what_is_no_record,
    renumber,
    restate_sizes,
    shift_ids,
    turn_labels,
)
from delineate.quality.work import Work

STEPS: tuple[Callable[[Work], None], ...] = (
    leave_out_what_is_no_record,
    restate_ids,
    join_categories,
    state_sizes,
    join_records,
    renumber,
    turn_labels,
    restate_sizes,
    leave_out_pictures,
    rewrite_outlines,
    leave_out_annotations,
    shift_ids,
    leave_out_unclassed,
)
"""The repairs of a split's records, in their order: what is said of all annotations is said of
those that stay, so that another repair finds nothing. What compares splits and masks follows."""

Fix = Literal["mends", "leaves out", "mends or leaves out"]

FIXES: Mapping[str, Fix] = MappingProxyType(
    {
        "picture_listed_twice": "mends or leaves out",
        "exif_rotated": "mends or leaves out",
        "wrong_size": "mends or leaves out",
        "repeated_id": "mends or leaves out",
        "broken_record": "mends or leaves out",
        "missing_picture": "leaves out",
        "unreadable_picture": "leaves out",
        UNANNOTATED: "leaves out",
        "unknown_image": "leaves out",
        "unknown_category": "leaves out",
        "no_mask": "leaves out",
        "mask_outside": "leaves out",
        "unreadable_mask": "leaves out",
        "empty_mask": "leaves out",
        "broken_category": "mends",
        "ids_off_by_one": "mends",
        "transposed_masks": "mends",
        "normalised_coordinates": "mends",
        "percent_coordinates": "mends",
        "all_crowd": "mends",
        "box_convention": "mends",
        "box_disagrees": "mends",
        "area_convention": "mends",
        "area_differs": "mends",
        "duplicate_object": "mends",
    }
)
"""Kinds of findings of which a repair rids the copy, as far as they are certain, and how: no notes,
of objects that are annotated twice only exact copies, and of categories only those that differ in
nothing but the id. What is left out is not in the copy; labels that were drawn on the unrotated
picture are turned where the source is COCO, and left out where it is of another format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What a repair has done: where it wrote, the images of each split, and every change."""

    out: Path
    images: Mapping[str, int]
    changes: tuple[Change, ...]


def repair(
    source: Path,
    out: Path,
    *,
    images: Path | None = None,
    format: str | None = None,
    version: str,
) -> Repair:
    """Write a repaired copy with all its pictures, and ``changes.json``.

    Args:
        source: A data folder or file, in any format.
        out: A folder that is new or empty. It appears last, whole.
        images: Folder of the pictures, where it is not the usual one.
        format: Name of the source's format; None: found out.
        version: Of Delineate, for the list.

    Raises:
        DataError: The source cannot be read, nothing of it is sound, or see `check_repairable`.
        OutputError: The place cannot be written, or see `delineate._files.check_apart`.
    """
    check_apart(source, out)
    out = out.absolute()
    with writing_folder(out) as folder:
        result = _write(source, folder, images, format, version)
    return Repair(
        out=out,
        images={work.split: len(work.content["images"]) for work in result},
        changes=tuple(change for work in result for change in work.changes),
    )


def check_repairable(source: Path, splits: Mapping[str, Dataset]) -> None:
    """Make sure that a copy in COCO's instance format is worth having.

    Raises:
        DataError: It would lose what panoptic or federated data say, or pictures that this user may
            not read; or all labels are of another class than they say, which leaving out those
            without a class would only hide.
    """
    check_open(source, (p for dataset in splits.values() for p in dataset.problems))
    for problem in (p for dataset in splits.values() for p in dataset.problems):
        if problem.kind == "ids_off_by_one":
            raise DataError(
                f"{source}: expected labels of which most can be kept, got {problem.where}, of "
                f"which {problem.why}: {problem.fix}."
            )
    for kind, got in (
        (PanopticDataset, "a panoptic data set, whose stuff"),
        (LvisDataset, "a federated data set, whose lists of what was looked for in each image"),
    ):
        if any(isinstance(dataset, kind) for dataset in splits.values()):
            raise DataError(
                f"{source}: expected instances to repair, got {got} a copy in COCO's instance "
                "format would lose: mend it by hand, or convert it first."
            )


def _write(
    source: Path, folder: Path, images: Path | None, format: str | None, version: str
) -> list[Work]:
    """Write everything into a folder that is nobody's yet."""
    chosen, sources = find_sources(source, format)
    if chosen.name == "coco":
        works = [
            Work(split, place.path, read_content(place.path), picture_folders(place.path, images))
            for split, place in sources.items()
        ]
        read = [work.path for work in works]
    else:
        works, read = _converted(chosen, source, sources, folder, images)
    for work in works:
        for step in STEPS:
            step(work)
    clear_crowds(works)
    for work in works:
        mend_objects(work)
    if chosen.name == "coco":
        _copy_pictures(works, folder / "images")
    written = {}
    for work in works:
        name = source.name if work.path == source else f"{work.split}.json"
        if work.changes:
            write_whole(folder / name, "".join(_lines(work.content)).encode())
        elif work.path != folder / name:
            shutil.copyfile(work.path, folder / name)
        written[name] = sha256(folder / name)
    listed = changes_file(
        [change for work in works for change in work.changes],
        source=source.absolute(),
        before={str(file.relative_to(_base(source))): sha256(file) for file in read},
        after=written,
        version=version,
    )
    write_whole(folder / NAME, listed)
    return works


def _converted(
    format: Format, source: Path, sources: Sources, folder: Path, images: Path | None
) -> tuple[list[Work], list[Path]]:
    """Write a data set of another format as COCO; also return the files that it was read from."""
    splits = {
        split: open_source(format, place, images=images, on_error="skip")
        for split, place in sources.items()
    }
    check_repairable(source, splits)
    for split, dataset in uniquely_named(in_one_table(splits)).items():
        write_coco(folder / f"{split}.json", dataset, keep_ids=has_own_ids(dataset))
    works = []
    for split, dataset in splits.items():
        path = folder / f"{split}.json"
        work = Work(split, path, read_content(path), [folder / "images"])
        for problem in dataset.problems:
            what = f"left out: {problem.where}: {problem.why}"
            work.done(problem.kind, what, image_id=problem.image_id, left_out=_part(problem))
        works.append(work)
    pictures = {record.path for dataset in splits.values() for record in dataset.records}
    inside = [source] if source.is_file() else sorted(source.rglob("*"))
    return works, [file for file in inside if file.is_file() and file not in pictures]


def _part(problem: Problem) -> Literal["annotation", "image"]:
    return "annotation" if problem.action in PARTS else "image"


def _copy_pictures(works: Sequence[Work], folder: Path) -> None:
    """Copy the pictures of all splits; what another split calls so already gets another name."""
    taken: dict[PurePath, Path] = {}
    for work in works:
        for image in work.content["images"]:
            name = image["file_name"]
            picture = lies_at([place / name for place in work.folders])
            free = PurePath(name)
            while taken.setdefault(free, picture) != picture:
                free = work.split / free
            if free != PurePath(name):
                image["file_name"] = free.as_posix()
                work.done(
                    "renamed_picture",
                    "two splits have different pictures of this name",
                    image_id=image["id"],
                    before=name,
                    after=image["file_name"],
                )
            target = folder / free
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(picture, target)


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the JSON text, the keys in their order, one record a line."""
    before = "{"
    for key, value in content.items():
        yield f"{before}{text_of(key)}: "
        before = ",\n"
        if isinstance(value, list):
            yield "[" + ",".join(f"\n{text_of(v)}" for v in value) + "\n]"
        else:
            yield text_of(value)
    yield "}\n"


def _base(source: Path) -> Path:
    return source.parent if source.is_file() else source
