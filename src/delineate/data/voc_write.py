"""Write Pascal VOC's segmentations; see `delineate.data.voc`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from delineate._files import output_error
from delineate.core.maps import IdMap
from delineate.data.coco_write import put_picture
from delineate.data.coded_maps import painted
from delineate.data.naming import flat
from delineate.data.sample import Dataset
from delineate.data.voc import CLASSES, LABELS, OBJECTS, PICTURES, SETS, VOID, palette
from delineate.data.writing import check_names, masks_of, put_lines
from delineate.errors import DataError


def write_voc(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write all splits into one folder; see `delineate.data.formats.Writer`.

    Where objects overlap, the smaller one is seen.

    Raises:
        DataError: There are more than 254 classes, or objects of an image: palettes end there.
    """
    check_names(splits)
    names = list(dict.fromkeys(n for dataset in splits.values() for n in dataset.classes.names))
    _check_count(len(names), "classes")
    for kind in (OBJECTS, CLASSES, PICTURES, SETS):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    table = ["background", *names]
    colours = palette()
    lines = [f"{_plain(n)}:{','.join(map(str, colours[i]))}::" for i, n in enumerate(table)]
    put_lines(folder / LABELS, ["# label:color_rgb:parts:actions", *lines])
    written: dict[str, list[str]] = {}
    for split, dataset in splits.items():
        index = [table.index(name) for name in dataset.classes.names]
        stems = [flat(record.name) for record in dataset.records]
        written[split] = []
        for i, stem in enumerate(stems):
            instances, masks, _ = masks_of(dataset, i)
            _check_count(len(instances), f"objects in {dataset.records[i].name!r}")
            objects = painted(masks)
            kinds = np.array([0, *(index[label] for label in instances.labels)], np.int32)
            _write_map(folder / OBJECTS / f"{stem}.png", objects)
            _write_map(folder / CLASSES / f"{stem}.png", kinds[objects])
            name = stem + Path(dataset.records[i].name).suffix
            put_picture(dataset, i, folder / PICTURES / name)
            written[split].append(name)
        put_lines(folder / SETS / f"{split}.txt", stems)
    return written


def _check_count(count: int, what: str) -> None:
    if count >= VOID:
        raise DataError(
            f"Pascal VOC can number {VOID - 1} {what}, and {count} came: choose another format."
        )


def _plain(name: str) -> str:
    if ":" in name or name.startswith("#"):
        raise DataError(
            f"Pascal VOC's {LABELS} cannot hold a class called {name!r}: rename it, or choose "
            "another format."
        )
    return name


def _write_map(path: Path, indices: IdMap) -> None:
    image = Image.fromarray(indices.astype(np.uint8), mode="L")
    image.putpalette(palette().ravel().tolist())
    try:
        image.save(path)
    except OSError as error:
        raise output_error(path, error) from error
