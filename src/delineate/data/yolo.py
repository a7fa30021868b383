"""Read data sets in YOLO's format for segmentation, as ultralytics defines it.

Each picture has a text file with a line for each object: the number of its class, counted from 0,
and the corners of one closed outline as fractions of the picture's width and height. Several parts
and holes are joined by bridges without width, over which the outline goes there and back: by the
even-odd rule of COCO's rasterisation these leave no trace. ultralytics itself fills with
``cv2.fillPoly``, which also paints the outline and so makes objects about half a pixel larger.

https://docs.ultralytics.com/datasets/segment/
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from delineate.core.boxes import Size
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coco import picture_folders
from delineate.data.collect import Collector
from delineate.data.layouts import Source, Sources, folders, in_order
from delineate.data.pictures import Broken
from delineate.data.sample import ImageRecord
from delineate.data.yolo_labels import LARGEST, counts_from_one, outline, without_name
from delineate.data.yolo_layout import (
    CLASSES_FILE,
    is_yaml,
    open_folder,
    open_yaml,
    read_text,
)
from delineate.data.yolo_pictures import Pair, label_of, pairs
from delineate.errors import DataError

_LOOKED_AT = 20  # label files, to tell whether they are some


def find_yolo(path: Path) -> Sources | None:
    """Find the splits of a YOLO data set; see `delineate.data.formats.Format`."""
    if path.is_file():
        return _splits(path) if is_yaml(path) else None
    if not path.is_dir():
        return None
    described = [
        file
        for file in sorted(path.iterdir())
        if file.suffix.lower() in (".yaml", ".yml") and is_yaml(file)
    ]
    if len(described) > 1:
        described = [file for file in described if file.stem == "data"] or described
    if len(described) > 1:
        raise DataError(
            f"{path}: expected one YAML file that describes the data set, got "
            f"{' and '.join(file.name for file in described[:2])}: name one of them."
        )
    if described:
        return _splits(described[0])
    if not _has_labels(path):
        return folders(path, _has_labels)
    return in_order({split: Source(path, split) for split in open_folder(path).places})


def read_yolo(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a split of a YOLO data set.

    Args:
        source: What `find_yolo` found.
        images: Folder of the pictures; None: where the data set says. If it is given, the labels
            say which of its pictures belong to the split.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: The description of the data set is broken, there are no labels, or see
            `delineate.data.collect.Collector.dataset`.
    """
    folder = source.path.is_dir()
    found = open_folder(source.path, source.split) if folder else open_yaml(source.path)
    if source.split not in found.places:
        raise DataError(
            f"{source.path}: expected the split {source.split!r}, got only "
            f"{', '.join(found.places)}: name one of these."
        )
    elsewhere = None if images is None else picture_folders(source.path, images)[0]
    paired = pairs(found, source.split, elsewhere)
    collector = Collector(source.path, classes=found.classes)
    records = collector.pictures([pair.picture for pair in paired])
    files = {pair.picture.name: _labels_of(pair) for pair in paired}
    if paired and not any(files.values()):
        raise DataError(
            f"{source.path}: expected labels of the {len(paired)} pictures of {source.split!r}, "
            f"such as {paired[0].labels[0]}, found none: put the labels there."
        )
    names = dict(zip(found.classes.source_ids, found.classes.names, strict=True))
    from_one = cache(lambda: counts_from_one(file for file in files.values() if file))

    def read(line: str, size: Size) -> tuple[str, list[float]]:
        if found.keypoints:
            raise Broken("it is key points without a mask", "draw its outline, or remove it")
        label, corners = outline(line, size)
        if label not in names:
            raise without_name(label, names, from_one())
        return names[label], corners

    for name, record in records.items():
        if file := files[name]:
            _collect(collector, record, file, read)
    return collector.dataset(f"{found.roots[-1].resolve().name}/{source.split}", on_error)


def _collect(
    collector: Collector,
    record: ImageRecord,
    file: Path,
    read: Callable[[str, Size], tuple[str, list[float]]],
) -> None:
    """Take the objects of one picture."""
    text = read_text(file, LARGEST)
    with collector.judging_picture(record):
        if text is None:
            raise Broken(f"its labels {file} are no text in UTF-8", "export them again")
    for number, line in enumerate((text or "").splitlines(), start=1):
        if line.strip():
            with collector.judging(f"image {record.name!r}, line {number} of {file.name}"):
                name, corners = read(line, record.size)
                collector.add(record, name, [corners])


def _splits(path: Path) -> Sources:
    """Return the splits that are there, or, if none is, those that the file names."""
    places = open_yaml(path).places
    there = [split for split in places if any(map(_is_there, places[split]))]
    return in_order({split: Source(path, split) for split in there or places})


def _is_there(place: Path) -> bool:
    """Tell whether there are pictures, or at least their labels."""
    return os.path.exists(place) or label_of(place / "_").parent.is_dir()


def _has_labels(folder: Path) -> bool:
    """Tell whether a folder has a list of classes and labels of theirs."""
    if not (folder / CLASSES_FILE).is_file():
        return False
    top = folder / "labels" if (folder / "labels").is_dir() else folder
    files = (file for file in top.rglob("*.txt") if file.name != CLASSES_FILE)
    return any(_is_label(file) for file, _ in zip(files, range(_LOOKED_AT), strict=False))


def _is_label(file: Path) -> bool:
    line = next(iter((read_text(file) or "").splitlines()), "")
    try:
        index, *values = map(float, line.split())
    except ValueError:
        return False
    return len(values) >= 4 and index.is_integer()


def _labels_of(pair: Pair) -> Path | None:
    return next((file for file in pair.labels if os.path.exists(file)), None)
