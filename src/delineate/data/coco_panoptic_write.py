"""Write COCO's panoptic format: a JSON file, the PNG of every image's segments, and pictures."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate._files import output_error, writing_whole
from delineate.core.boxes import xyxy_to_xywh
from delineate.core.image import write_image
from delineate.core.panoptic import Panoptic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.coco_write import check_names, put_image, quietly
from delineate.data.panoptic_maps import colours_of
from delineate.data.sample import Dataset, ImageRecord, PanopticDataset
from delineate.data.things import Things
from delineate.errors import DataError


def write_coco_panoptic(
    path: Path | str, dataset: PanopticDataset, *, copy_images: bool = True
) -> None:
    """Write a data set that `delineate.data.coco_panoptic.read_coco_panoptic` gives back exactly.

    Args:
        path: The JSON file. It appears last, whole, and replaces an older one. Its maps go to the
            folder of the same name, without the suffix.
        dataset: What to write.
        copy_images: Put the pictures into `images/` beside the file.

    Raises:
        DataError: Two images share a name.
        OutputError: The folder cannot be written to, or holds another picture of the same name.
            What was written so far is removed again.
    """
    path = Path(path)
    check_names(dataset)
    with contextlib.ExitStack() as undo:
        for index in range(len(dataset) if copy_images else 0):
            put_image(dataset, index, path.parent / "images", undo)
        items = (
            (record, dataset.panoptic(i), dataset.segment_areas(i))
            for i, record in enumerate(dataset.records)
        )
        _write(path, dataset.panoptic_classes, items)
        undo.pop_all()


def write_coco_panoptic_splits(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write a file for each split, all pictures in one folder; see `formats.Writer`.

    Of data without stuff the objects are the things; see `delineate.data.things.Things`.
    """
    for split, dataset in splits.items():
        whole = dataset if isinstance(dataset, PanopticDataset) else Things(dataset)
        write_coco_panoptic(folder / f"{split}.json", whole)
    return {split: [r.name for r in dataset.records] for split, dataset in splits.items()}


def write_panoptic_results(
    path: Path | str, classes: PanopticClasses, found: Iterable[tuple[ImageRecord, Panoptic]]
) -> None:
    """Write predictions, image by image, that `delineate evaluate --panoptic` measures.

    Args:
        path: As for `write_coco_panoptic`.
        classes: What the labels mean.
        found: Each image and its segments.

    Raises:
        DataError: Two images share a name.
        OutputError: The folder cannot be written to. What was written so far is removed again.
    """
    _write(Path(path), classes, ((record, panoptic, None) for record, panoptic in found))


_Item = tuple[ImageRecord, Panoptic, npt.NDArray[np.float64] | None]  # the last: stated areas


def _write(path: Path, classes: PanopticClasses, items: Iterable[_Item]) -> None:
    """Write maps and then the file; one image's segments are in memory at a time."""
    with contextlib.ExitStack() as undo:
        _make_folders(path.with_suffix(""), undo)
        with writing_whole(path) as file:
            for text in _texts(path, classes, items, undo):
                file.write(text.encode())
        undo.pop_all()


def _texts(
    path: Path,
    classes: PanopticClasses,
    items: Iterable[_Item],
    undo: contextlib.ExitStack,
) -> Iterator[str]:
    """Yield the JSON text, an image a line, each when its map is written."""
    images: list[dict[str, Any]] = []
    names: set[str] = set()
    before = '{"annotations": [\n'
    pictures: set[str] = set()
    for record, panoptic, areas in items:
        if record.name in pictures:
            raise DataError(
                f"{path}: expected one name for each image, but two are called {record.name!r}: "
                "rename one."
            )
        pictures.add(record.name)
        name = _map_name(record.name, names)
        _put_map(path.with_suffix("") / name, panoptic, undo)
        segments = segments_info(panoptic, areas)
        entry = {"image_id": record.image_id, "file_name": name, "segments_info": segments}
        yield before + json.dumps(entry)
        before = ",\n"
        height, width = record.size
        image = {"id": record.image_id, "file_name": record.name}
        images.append({**image, "width": width, "height": height})
    if not images:
        raise DataError(f"{path}: expected images to write, got none: name some.")
    yield f'\n],\n"images": {json.dumps(images)},\n'
    yield f'"categories": {json.dumps(classes.to_coco())}}}\n'


def segments_info(
    panoptic: Panoptic, areas: npt.NDArray[np.float64] | None = None
) -> list[dict[str, Any]]:
    """Return COCO's record of each segment.

    Args:
        panoptic: The segments.
        areas: What to state as their areas; None: their pixels.
    """
    boxes = xyxy_to_xywh(panoptic.masks().boxes()).astype(int).tolist()
    stated = [s.area for s in panoptic.segments] if areas is None else areas.tolist()
    records = []
    for segment, box, area in zip(panoptic.segments, boxes, stated, strict=True):
        record = {
            "id": segment.id,
            "category_id": panoptic.classes.source_id(segment.label),
            "iscrowd": int(segment.crowd),
            "area": int(area) if area == int(area) else float(area),
            "bbox": box,
        }
        records.append(record if segment.score is None else {**record, "score": segment.score})
    return records


def _map_name(name: str, taken: set[str]) -> str:
    """Return the name of an image's map: a.png for a.jpg, or a.jpg.png beside another a.png."""
    numbered = (f"{name}.{number}.png" for number in count(2))
    candidates = chain([str(PurePath(name).with_suffix(".png")), f"{name}.png"], numbered)
    unique = next(candidate for candidate in candidates if candidate.casefold() not in taken)
    taken.add(unique.casefold())
    return unique


def _put_map(target: Path, panoptic: Panoptic, undo: contextlib.ExitStack) -> None:
    """Write one map; `undo` learns how to remove what is new."""
    _make_folders(target.parent, undo)
    if not os.path.lexists(target):
        undo.callback(quietly, target.unlink)
    write_image(target, colours_of(panoptic.ids))


def _make_folders(folder: Path, undo: contextlib.ExitStack) -> None:
    """Make a folder and those above it; `undo` learns how to remove what is new."""
    try:
        for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
            missing.mkdir()
            undo.callback(quietly, missing.rmdir)
    except OSError as error:
        raise output_error(folder, error) from error
