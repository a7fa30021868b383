"""Write data sets as Open Images does.

    annotations/class-descriptions.csv
    annotations/train-annotations-object-segmentation.csv   masks/train/a_c00001_00000001.png
    annotations/train-annotations-bbox.csv                  images/train/a.jpg
    annotations/train-annotations-human-imagelabels.csv

The file of boxes says which masks are crowds, that of image labels which pictures show nothing:
people have verified so for every class.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from delineate._files import write_whole
from delineate.data.naming import Renamed, flat
from delineate.data.open_images_layout import BOXES_FILE, LABELS_FILE, MASKS_FILE
from delineate.data.sample import Dataset
from delineate.data.writing import check_names, common_classes, masks_of, put_images, put_png

Row = list[str | int | float]

_SPLITS = {"val": "validation"}  # what Open Images calls them
_CLASSES = ("LabelName", "DisplayName")
_MASKS = (
    *("MaskPath", "ImageID", "LabelName", "BoxID", "BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax"),
    *("PredictedIoU", "Clicks"),
)
_BOXES = (
    *("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax"),
    *("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"),
)
_LABELS = ("ImageID", "Source", "LabelName", "Confidence")


def write_open_images(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write splits; see `delineate.data.formats.Writer`."""
    check_names(splits)
    annotations = folder / "annotations"
    annotations.mkdir()
    names = common_classes(splits).names
    classes: Iterable[Row] = ([_mid(label), name] for label, name in enumerate(names))
    _write(annotations / "class-descriptions.csv", _CLASSES, classes)
    written = {}
    for split, dataset in splits.items():
        subset = _SPLITS.get(split, split)
        written[split] = [f"{flat(r.name)}{Path(r.name).suffix}" for r in dataset.records]
        renamed = Renamed(dataset, written[split])
        put_images(renamed, folder / "images" / subset)
        masks: list[Row] = []
        boxes: list[Row] = []
        labels: list[Row] = []
        for index in range(len(dataset)):
            before = len(masks)
            for mask, box in _objects(renamed, index, folder / "masks" / subset):
                masks.append(mask)
                boxes.append(box)
            if len(masks) == before:
                image = flat(written[split][index])
                labels += ([image, "verification", _mid(k), 0] for k in range(len(names)))
        _write(annotations / f"{subset}{MASKS_FILE}", _MASKS, masks)
        _write(annotations / f"{subset}{BOXES_FILE}", _BOXES, boxes)
        _write(annotations / f"{subset}{LABELS_FILE}", _LABELS, labels)
    return written


def _objects(dataset: Dataset, index: int, folder: Path) -> Iterator[tuple[Row, Row]]:
    """Write the masks of a picture, and yield the rows of each and of its box."""
    found, masks, crowd = masks_of(dataset, index)
    image = flat(dataset.records[index].name)
    (height, width), edges = masks.size, masks.boxes().tolist()
    for i, label in enumerate(found.labels.tolist()):
        if not masks.areas[i]:
            continue
        mid, box = _mid(label), f"{i:08x}"
        name = f"{image}_{mid.replace('/', '')}_{box}.png"
        put_png(folder / name, masks.bitmap(i))
        x1, y1, x2, y2 = edges[i]
        place = [f"{v:.6f}" for v in (x1 / width, x2 / width, y1 / height, y2 / height)]
        yield (
            [name, image, mid, box, *place, "", ""],
            [image, "xclick", mid, 1, *place, -1, -1, int(crowd[i]), -1, -1],
        )


def _mid(label: int) -> str:
    """Return a machine id for a class; those of Open Images begin with /m/ or /g/."""
    return f"/c/{label + 1:05d}"


def _write(path: Path, columns: Iterable[str], rows: Iterable[Row]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())
