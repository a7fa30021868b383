"""Write any data set as labelme files, each beside its picture in the folder of its split.

An object without holes becomes polygons along the edges of its pixels, joined by a group where it
has several parts; one with holes becomes a mask, which labelme shows from version 5.3 on. Both are
exact. ``labels.txt`` begins as labelme's converters want it.
"""

import base64
import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from delineate._files import write_whole
from delineate.core.masks import Masks
from delineate.core.polygons import is_hole
from delineate.data.coco_write import put_image
from delineate.data.labelme import LABELS_FILE
from delineate.data.labelme_shapes import BACKGROUND, CROWD, IGNORED
from delineate.data.sample import Dataset
from delineate.data.writing import masks_of, put_bytes
from delineate.errors import DataError

_VERSION = "5.5.0"  # whose shapes these are


def write_labelme(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write the splits into folders of their names; see `delineate.data.formats.Writer`.

    Raises:
        DataError: A class has a name that labelme reserves or cannot list, or an image no masks.
    """
    names = dict.fromkeys(name for data in splits.values() for name in data.classes.names)
    for name in names:
        if name in (IGNORED, BACKGROUND) or name != name.strip():
            raise DataError(
                f"expected classes with names that labelme can list, got {name!r}, which it "
                "reserves or strips of its blanks: rename the class."
            )
    for split, dataset in splits.items():
        for index, record in enumerate(dataset.records):
            target = folder / split / record.name
            with contextlib.ExitStack() as undo:
                put_image(dataset, index, folder / split, undo)
                content = json.dumps(_page(dataset, index))
                put_bytes(target.with_suffix(".json"), content.encode())
                undo.pop_all()
    lines = [IGNORED, BACKGROUND, *names]
    write_whole(folder / LABELS_FILE, "".join(f"{line}\n" for line in lines).encode())
    return {split: [r.name for r in dataset.records] for split, dataset in splits.items()}


def _page(dataset: Dataset, index: int) -> dict[str, Any]:
    record = dataset.records[index]
    instances, masks, crowd = masks_of(dataset, index)
    shapes: list[dict[str, Any]] = []
    for i, label in enumerate(instances.labels.tolist()):
        forms = list(_forms(masks, i))
        for form in forms:
            shape = {
                "label": dataset.classes.names[label],
                "points": form["points"],
                "group_id": i + 1 if len(forms) > 1 else None,
                "description": "",
                "shape_type": form["shape_type"],
                "flags": {CROWD: True} if crowd[i] else {},
                "mask": form.get("mask"),
            }
            shapes.append(shape)
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": Path(record.name).name,
        "imageData": None,
        "imageHeight": record.size[0],
        "imageWidth": record.size[1],
    }


def _forms(masks: Masks, i: int) -> Iterator[dict[str, Any]]:
    """Yield the polygons of mask `i`, or its bitmap if it has holes; nothing if it is empty."""
    outlines = masks.polygons(i)
    if not any(map(is_hole, outlines)):
        for outline in outlines:
            yield {"shape_type": "polygon", "points": outline.tolist()}
        return
    crop, (x0, y0) = masks.crop(i)
    height, width = crop.shape
    yield {
        "shape_type": "mask",
        "points": [[x0, y0], [x0 + width - 1, y0 + height - 1]],
        "mask": _png(crop),
    }


def _png(bitmap: npt.NDArray[np.bool_]) -> str:
    """Encode a mask as labelme does: grey, 0 and 1."""
    file = io.BytesIO()
    Image.fromarray(bitmap.astype(np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
