"""Write data sets in YOLO's format for segmentation.

    data.yaml                       names, and the folders of the splits
    images/train/a.jpg              labels/train/a.txt

Objects are traced along the edges of their pixels, so that reading gives back the very masks. Crowd
regions, which the format cannot say, are left out, as ultralytics' own converter does.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from delineate._files import write_whole
from delineate.core.bridges import bridged
from delineate.data.sample import Dataset
from delineate.data.writing import common_classes, masks_of, put_bytes, put_images
from delineate.data.yolo_pictures import label_of


def write_yolo(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write splits; see `delineate.data.formats.Writer`."""
    names = common_classes(splits).names
    for split, dataset in splits.items():
        pictures = folder / "images" / split
        put_images(dataset, pictures)
        for index, record in enumerate(dataset.records):
            lines = "".join(_lines(dataset, index))
            put_bytes(label_of(pictures / record.name), lines.encode())
    # ultralytics wants both of these keys, whatever they say
    places = {split: f"images/{split}" if split in splits else None for split in ("train", "val")}
    places |= {split: f"images/{split}" for split in splits}
    content = {**places, "names": dict(enumerate(names))}
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=1000)
    write_whole(folder / "data.yaml", text.encode())
    return {split: _as_read(dataset) for split, dataset in splits.items()}


def _as_read(dataset: Dataset) -> list[str]:
    """Return the names that the reader gives: without the folder that all pictures lie in."""
    names = [PurePosixPath("/", record.name) for record in dataset.records]
    top = os.path.commonpath([name.parent for name in names]) if names else "/"
    return [name.relative_to(top).as_posix() for name in names]


def _lines(dataset: Dataset, index: int) -> Iterator[str]:
    found, masks, crowd = masks_of(dataset, index)
    height, width = found.image_size
    for i in np.flatnonzero(~crowd).tolist():
        rings = masks.polygons(i)
        if rings:
            corners = (bridged(rings) / (width, height)).ravel().tolist()
            yield f"{found.labels[i]} {' '.join(f'{v:.10g}' for v in corners)}\n"
