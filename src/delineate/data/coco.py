"""Read data sets in COCO's format: one JSON file, its pictures in `images/` beside it.

The format: https://cocodataset.org/#format-data. Instances have the annotation's id, and `crowd`
where `iscrowd` is 1.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from delineate.core.json_file import kind, read_json
from delineate.core.json_keys import first_mark, has_keys
from delineate.core.json_stream import collector_held_back, read_lists
from delineate.data.annotated import (
    AnnotatedDataset,
    Annotation,
    OnError,
    check_on_error,
    settle,
)
from delineate.data.coco_annotations import check_annotations, compact_outlines
from delineate.data.coco_categories import check_categories
from delineate.data.coco_checks import NoObject, check_images, ids_left_out
from delineate.data.layouts import Sources, files, split_named
from delineate.data.pictures import check_folder
from delineate.data.sample import ImageRecord, Problem
from delineate.errors import DataError

_EXPECTED = "a COCO data set (an object with the lists images, annotations and categories)"


def find_coco(path: Path) -> Sources | None:
    """Find the splits of a data set in COCO's format; see `delineate.data.formats.Format`."""
    return files(path, ".json", is_coco)


def is_coco(path: Path) -> bool:
    """Tell by its keys whether a file holds annotations of instances in COCO's format."""
    return (
        first_mark(path) == "{"
        and has_keys(path, "images", "annotations", "categories")
        and not has_keys(path, "segments_info")
        and not has_keys(path, "neg_category_ids", "not_exhaustive_category_ids")
    )


@collector_held_back()
def read_coco(
    path: Path | str, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a data set in COCO's format.

    The whole file is checked, and the header and end of every picture; no pixels are read.

    Args:
        path: The JSON file.
        images: Folder of the pictures. By default each is looked for in `images/` beside the file,
            then beside the file itself.
        on_error: What broken records do: "stop" raises, "skip" leaves exactly them out and lists
            them as `problems`, "report" does so even if no image is left. An image that is left out
            takes its annotations with it.

    Raises:
        DataError: The file is no COCO data set; or a record is broken and `on_error` is "stop", or
            no image is left and it is not "report".
    """
    check_on_error(on_error)
    path = Path(path)
    return dataset_of(path, streamed_content(path), picture_folders(path, images), on_error)


def dataset_of(
    path: Path,
    content: Mapping[str, list[Any]],
    folders: Sequence[Path] | None,
    on_error: OnError,
    *,
    make: Callable[..., AnnotatedDataset] = AnnotatedDataset,
    known: Sequence[Problem] = (),
) -> AnnotatedDataset:
    """Make a data set of the content of a file in COCO's format.

    Args:
        path: The file, for messages.
        content: What `streamed_content` returns.
        folders: Where its pictures are looked for; None: they are not needed.
        on_error: As for `read_coco`.
        make: Takes what `AnnotatedDataset` takes.
        known: Problems that were found before.

    Raises:
        DataError: As `read_coco`.
    """
    classes, unusable = check_categories(path, content["categories"])
    looked_at = check_images(content["images"], folders)
    records = [record for record in looked_at if isinstance(record, ImageRecord)]
    kept = {record.image_id: record for record in records}
    left_out = ids_left_out(content["images"], kept)
    unclassed = ids_left_out(content["categories"], frozenset(classes.source_ids))
    checked = check_annotations(content["annotations"], kept, left_out, classes, unclassed)
    problems = [p for p in (*known, *looked_at, *unusable, *checked) if isinstance(p, Problem)]

    settle(path, len(looked_at), len(records), problems, on_error)
    return make(
        name=f"{path.resolve().parent.name}/{path.stem}",
        classes=classes,
        records=records,
        annotations=[a for a in checked if isinstance(a, Annotation)],
        problems=problems,
    )


def streamed_content(path: Path) -> dict[str, list[Any]]:
    """Read the file piece by piece, outlines compacted, and check its outermost structure."""
    return checked_content(path, read_lists(path, {"annotations": compact_outlines}))


def read_content(path: Path) -> dict[str, list[Any]]:
    """Read the file and check its outermost structure."""
    return checked_content(path, read_json(path))


def checked_content(path: Path, content: Any) -> dict[str, list[Any]]:  # noqa: ANN401 - JSON
    """Check the outermost structure of what a file holds, and return it.

    What stands in its lists and is no object becomes a `NoObject`.
    """
    if not isinstance(content, dict):
        first = content[0] if isinstance(content, list) and content else None
        of_results = isinstance(first, dict) and "score" in first
        got = "COCO results (a list of predictions)" if of_results else kind(content)
        raise DataError(f"{path}: expected {_EXPECTED}, got {got}: name the annotation file.")
    for key in ("images", "annotations", "categories"):
        if key not in content:
            raise DataError(f"{path}: expected {_EXPECTED}, got {kind(content)}: name such a file.")
        if not isinstance(content[key], list):
            raise DataError(
                f"{path}: expected a list as {key!r}, got {kind(content[key])}: export it again."
            )
        for position, record in enumerate(content[key]):
            if not isinstance(record, dict):
                content[key][position] = NoObject(record)
    for key in ("images", "categories"):
        if not content[key]:
            raise DataError(f"{path}: expected at least one of {key!r}, got none: export it again.")
    return content


def picture_folders(path: Path, images: Path | str | None) -> list[Path]:
    """Return where pictures are looked for, in this order.

    By default: in `images/` beside the file; beside it; and, of ``annotations/instances_val2017``,
    in folders called ``val2017`` or ``val`` within ``images/`` and beside ``annotations/``, as COCO
    itself and others lay them out.

    Raises:
        DataError: `images` is no folder.
    """
    if images is not None:
        check_folder(images)
        return [Path(images)]
    apart = path.parent.name.lower() == "annotations"
    root = path.parent.parent if apart else path.parent
    places = [path.parent / "images", path.parent]
    for name in filter(None, (path.stem.rpartition("_")[2], split_named(path.stem))):
        places.append(root / "images" / name)
        if apart:  # else there may be maps
            places.append(root / name)
    places += [root / "images", root]
    return [p for p in dict.fromkeys(places) if p.is_dir()]
