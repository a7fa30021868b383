"""Read and write maps of object numbers: ``images/NAME.jpg`` and ``masks/NAME.png``.

The pixels of object n have the value n, the rest 0: 8 or 16 bits, or a palette. `predict
--label-masks` writes such maps, and so do Cellpose and StarDist. What the numbers are may be said
by `classes.json` beside the folders: ``{"classes": ["cell"], "objects": {"NAME.png": {"1":
"cell"}}, "crowd": {"NAME.png": [2]}}``. Without it all are of one class, "object".
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from delineate._files import write_whole
from delineate.core.image import IMAGE_SUFFIXES
from delineate.core.json_file import kind, read_json
from delineate.core.panoptic import runs_by_id
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coco_write import put_picture
from delineate.data.coded_maps import painted, sized_map
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, folders
from delineate.data.naming import flat
from delineate.data.pictures import Broken
from delineate.data.png_instances import ONE_CLASS
from delineate.data.sample import Dataset
from delineate.data.writing import masks_of, put_png
from delineate.errors import DataError

LABELS = "classes.json"
_MAPS = ("masks", "labels")
_MOST = 65535  # objects of an image that 16 bits can number
_LOOKED_AT = 20  # pictures, to tell whether a data set is of this format


def find_png_ids(path: Path) -> Sources | None:
    """Find the splits of a data set in this format; see `delineate.data.formats.Format`."""
    return folders(path, _is_one)


def _is_one(path: Path) -> bool:
    maps = _maps(path)
    if maps is None or not (path / "images").is_dir():
        return False
    for number, picture in enumerate((path / "images").iterdir()):
        if (maps / f"{picture.stem}.png").exists():
            return True
        if number == _LOOKED_AT:
            return False
    return False


def read_png_ids(
    source: Source, *, images: Path | str | None, on_error: OnError
) -> AnnotatedDataset:
    """Open a split; see `delineate.data.formats.open_dataset`.

    Raises:
        DataError: Also where the maps tell objects from the background only, not one another.
    """
    root, maps = source.path, _maps(source.path)
    assert maps is not None
    folder = Path(images) if images is not None else root / "images"
    classes, named, crowds = _labels(root / LABELS)
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES)
    collector = Collector(root, classes=classes, otherwise=ONE_CLASS)
    shown: set[tuple[int, ...]] = set()
    for name, record in collector.pictures([Listed(f.name, (f,)) for f in files]).items():
        with collector.judging_picture(record):
            path = maps / f"{Path(name).stem}.png"
            objects = sorted(runs_by_id(sized_map(path, record)).items())
            shown.add(tuple(number for number, _ in objects))
            kinds, regions = named.get(path.name, {}), crowds.get(path.name, ())
            for number, runs in objects:
                with collector.judging(f"image {name!r}, object {number}"):
                    if classes is not None and str(number) not in kinds:
                        raise Broken(f"{LABELS} does not say of which class it is", "name it there")
                    label = kinds.get(str(number), ONE_CLASS)
                    collector.add(record, label, runs, crowd=number in regions)
    if len(files) > 1 and classes is None and shown <= {(), (255,)} and (255,) in shown:
        raise DataError(
            f"{maps}: expected maps in which each object has a number of its own, got maps of two "
            "values, 0 and 255, which do not tell touching objects apart: number the objects."
        )
    return collector.dataset(root.resolve().name, on_error)


def write_png_ids(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write a folder for each split; see `delineate.data.formats.Writer`.

    Where objects overlap, the smaller one is seen.
    """
    written: dict[str, list[str]] = {}
    for split, dataset in splits.items():
        place, names = folder / split, dataset.classes.names
        for below in ("images", "masks"):
            (place / below).mkdir(parents=True)
        objects: dict[str, dict[str, str]] = {}
        crowds: dict[str, list[int]] = {}
        written[split] = []
        for i, record in enumerate(dataset.records):
            stem = flat(record.name)
            instances, masks, crowd = masks_of(dataset, i)
            if len(instances) > _MOST:
                raise DataError(
                    f"a map can number {_MOST} objects, and {record.name!r} has {len(instances)}: "
                    "choose another format."
                )
            picture = stem + Path(record.name).suffix
            put_picture(dataset, i, place / "images" / picture)
            put_png(place / "masks" / f"{stem}.png", painted(masks).astype(np.uint16))
            written[split].append(picture)
            numbered = enumerate(instances.labels.tolist(), start=1)
            objects[f"{stem}.png"] = {str(number): names[label] for number, label in numbered}
            if crowd.any():
                crowds[f"{stem}.png"] = (np.flatnonzero(crowd) + 1).tolist()
        content = {"classes": list(names), "objects": objects, "crowd": crowds}
        write_whole(place / LABELS, json.dumps(content, indent=1).encode())
    return written


def _maps(path: Path) -> Path | None:
    return next((path / name for name in _MAPS if (path / name).is_dir()), None)


def _labels(
    path: Path,
) -> tuple[list[str] | None, dict[str, dict[str, str]], dict[str, list[int]]]:
    if not path.exists():
        return None, {}, {}
    content: Any = read_json(path)
    if isinstance(content, dict):
        classes, objects = content.get("classes"), content.get("objects")
        crowd = content.get("crowd", {})
        if (
            isinstance(classes, list)
            and isinstance(objects, dict)
            and isinstance(crowd, dict)
            and all(isinstance(name, str) for name in classes)
            and all(isinstance(of_one, dict) for of_one in objects.values())
            and all(isinstance(of_one, list) for of_one in crowd.values())
        ):
            return classes, objects, crowd
    raise DataError(
        f'{path}: expected {{"classes": [names], "objects": {{"NAME.png": {{"1": class}}}}}}, got '
        f"{kind(content)}: write it so, or remove it if all objects are of one class."
    )
