"""Write any data set in COCO's format: outlines or run lengths, boxes, areas, and the pictures."""

import contextlib
import filecmp
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate._files import output_error, writing_whole
from delineate.core.image import read_image, write_image
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.sample import Dataset, StatedDataset
from delineate.errors import DataError, OutputError

More = Callable[[int], Iterable[Mapping[str, Any]]]
"""What the annotations of image `i` say beside COCO's own keys: one mapping for each instance."""


def write_coco(
    path: Path | str,
    dataset: Dataset,
    *,
    copy_images: bool = True,
    keep_ids: bool = True,
    info: Mapping[str, Any] | None = None,
    more: More | None = None,
    count: Callable[[int], Iterable[int]] = range,
) -> None:
    """Write a data set that `read_coco` gives back exactly.

    Objects whose source has outlines keep them, point by point; the others, and crowds, are
    compressed run lengths.

    Args:
        path: The JSON file. It appears last, whole, and replaces an older one.
        dataset: What to write. Nothing but the pictures it makes itself is decoded.
        copy_images: Put the pictures into `images/` beside the file. False: write the JSON alone,
            whose file names are then relative to the folder that the data set was read from.
        keep_ids: Keep the ids of annotations if the data set has them. False: number them from 1.
        info: What the file says of itself, as COCO's `info`.
        more: Keys that the annotations of image `i` get beside COCO's own.
        count: Counts through the pictures, as `range` does; what shows progress does so here.

    Raises:
        DataError: An image has no masks, or two images share a name, or two annotations an id.
        OutputError: The folder cannot be written to, or holds another picture of the same name.
            Pictures copied so far are removed again.
    """
    path = Path(path)
    check_names(dataset)
    with contextlib.ExitStack() as undo:
        for index in count(len(dataset) if copy_images else 0):
            put_image(dataset, index, path.parent / "images", undo)
        with writing_whole(path) as file:
            for line in json_lines(_lists(dataset, keep_ids, more), info):
                file.write(line.encode())
        undo.pop_all()


def write_coco_splits(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write a file for each split, all pictures in one folder; see `formats.Writer`.

    Annotations keep their ids unless two of a split have the same, as in formats of maps.
    """
    for split, dataset in splits.items():
        write_coco(folder / f"{split}.json", dataset, keep_ids=has_own_ids(dataset))
    return {split: [r.name for r in dataset.records] for split, dataset in splits.items()}


def has_own_ids(dataset: Dataset) -> bool:
    """Tell whether no two annotations have the same id, as they may in formats of maps."""
    found = [dataset.instances(i).ids for i in range(len(dataset))]
    ids = [i for of_one in found if of_one is not None for i in of_one.tolist()]
    return len(set(ids)) == len(ids)


def check_names(dataset: Dataset) -> None:
    """Make sure that no two images share a name."""
    names: set[str] = set()
    for record in dataset.records:
        if record.name in names:
            raise DataError(
                f"{dataset.name}: expected one name for each image, but two are called "
                f"{record.name!r}: rename one."
            )
        names.add(record.name)


def put_picture(dataset: Dataset, index: int, target: Path) -> None:
    """Copy or make one picture, whose folder is there.

    Raises:
        OutputError: It cannot be written.
        DataError: It cannot be read.
    """
    source = dataset.records[index].path
    if source is None:
        write_image(target, dataset[index].image)
        return
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if error.filename == str(source):
            raise DataError(
                f"{source}: expected a picture, but it cannot be read ({error.strerror}): put it "
                "back, or leave it out."
            ) from error
        raise output_error(target, error) from error


def put_image(dataset: Dataset, index: int, folder: Path, undo: contextlib.ExitStack) -> None:
    """Copy or make one picture; `undo` learns how to remove it and its folders."""
    target = folder / dataset.records[index].name
    try:
        if target.exists():
            _check_same(dataset, index, target)
            return
        for missing in reversed([place for place in target.parents if not place.exists()]):
            missing.mkdir()
            undo.callback(quietly, missing.rmdir)
        undo.callback(quietly, target.unlink)
        put_picture(dataset, index, target)
    except OSError as error:
        raise output_error(target, error) from error


def _check_same(dataset: Dataset, index: int, target: Path) -> None:
    """Make sure that a picture that lies there already is the one to be put there."""
    source = dataset.records[index].path
    if source is not None:
        same = filecmp.cmp(source, target, shallow=False)
    else:
        same = np.array_equal(read_image(target), dataset[index].image)
    if not same:
        raise OutputError(
            f"{target} exists and is another picture than that of {dataset.name!r}: "
            "write to an empty folder."
        )


def quietly(remove: Callable[[], None]) -> None:
    """Remove something if that can be done."""
    with contextlib.suppress(OSError):
        remove()


def _lists(
    dataset: Dataset, keep_ids: bool, more: More | None
) -> dict[str, Iterable[Mapping[str, Any]]]:
    classes = dataset.classes
    images = (
        {"id": r.image_id, "file_name": r.name, "width": r.size[1], "height": r.size[0]}
        for r in dataset.records
    )
    categories = (
        {"id": source_id, "name": name}
        for source_id, name in zip(classes.source_ids, classes.names, strict=True)
    )
    found = annotations(dataset, keep_ids=keep_ids, more=more)
    return {"images": images, "categories": categories, "annotations": found}


def json_lines(
    lists: Mapping[str, Iterable[Mapping[str, Any]]], info: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Yield an object of lists as JSON, one record a line, so that never all are in memory.

    Args:
        lists: Name -> records.
        info: What comes before them, under that name.
    """
    before = "{" if info is None else f'{{"info": {json.dumps(info)},\n'
    for name, records in lists.items():
        yield f'{before}"{name}": ['
        separator = "\n"
        for record in records:
            yield separator + json.dumps(record)
            separator = ",\n"
        yield "\n]"
        before = ",\n"
    yield "}\n"


def annotations(
    dataset: Dataset,
    *,
    keep_ids: bool,
    spell: Callable[[Masks], Sequence[Any]] = Masks.to_coco,
    more: More | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the annotations of all images as COCO's records.

    Args:
        dataset: Where they are.
        keep_ids: As for `write_coco`.
        spell: Gives the segmentation of each mask that has no outlines in its source.
        more: As for `write_coco`.

    Raises:
        DataError: An image has no masks, or two annotations have the same id.
    """
    seen: set[int] = set()
    for index, record in enumerate(dataset.records):
        instances = dataset.instances(index)
        if instances.masks is None:
            raise DataError(
                f"{dataset.name}: expected masks, but image {record.name!r} has boxes only: "
                "COCO needs the masks of every image."
            )
        ids = _ids(instances if keep_ids else instances.replace(ids=None), start=len(seen) + 1)
        columns = (
            ids,
            instances.labels.tolist(),
            _as_drawn(dataset, index, spell(instances.masks)),
            dataset.areas(index).tolist(),
            dataset.stated_boxes(index).tolist(),
            np.zeros(len(ids), bool) if instances.crowd is None else instances.crowd,
            [{}] * len(ids) if more is None else more(index),
        )
        for id_, label, mask, area, box, crowd, known in zip(*columns, strict=True):
            if id_ in seen:
                raise DataError(
                    f"{dataset.name}: expected ids that are used once, but annotation {id_} of "
                    f"image {record.name!r} has that of another: number them anew (ids=None)."
                )
            seen.add(id_)
            yield {
                "id": id_,
                "image_id": record.image_id,
                "category_id": dataset.classes.source_id(label),
                "segmentation": mask,
                "area": area,
                "bbox": box,
                "iscrowd": int(crowd),
                **known,
            }


def _as_drawn(dataset: Dataset, index: int, spelled: Sequence[Any]) -> list[Any]:
    """Return the outlines of an image's objects as their source has them, else what is given."""
    if not isinstance(dataset, StatedDataset):
        return list(spelled)
    stated = dataset.stated(index)
    return [
        mask if outlines is None or crowd else [part.ravel().tolist() for part in outlines]
        for mask, outlines, crowd in zip(spelled, stated.outlines, stated.crowd, strict=True)
    ]


def _ids(instances: Instances, start: int) -> list[int]:
    if instances.ids is None:
        return list(range(start, start + len(instances)))
    ids: list[int] = instances.ids.tolist()
    return ids
