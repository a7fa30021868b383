"""Write data sets in LVIS's format.

    train.json                      images/train/a.jpg

Tools that read LVIS take polygons only, so every mask is traced along the edges of its pixels: each
part is a polygon or, where there are holes, all are one over bridges without width. A data set that
is not federated is one in which every class was looked for in every image.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate._files import writing_whole
from delineate.core.bridges import bridged
from delineate.core.masks import Masks
from delineate.core.polygons import is_hole
from delineate.data.coco_write import annotations, has_own_ids, json_lines
from delineate.data.federated import federated_of, looked_everywhere
from delineate.data.lvis import NEGATIVE, UNEXHAUSTED
from delineate.data.sample import Dataset
from delineate.data.writing import put_images

_HOST = "http://images.cocodataset.org"  # tools take what follows it, or the last two names
_RARE, _COMMON = 10, 100  # images at most


def write_lvis(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write splits; see `delineate.data.formats.Writer`.

    Crowds, which LVIS does not have, get its ``ignore`` and COCO's ``iscrowd``.
    """
    training = splits.get("train") or next(iter(splits.values()))
    images_of = dict(zip(training.classes.names, _counts(training)[0].tolist(), strict=True))
    for split, dataset in splits.items():
        put_images(dataset, folder / "images" / split)
        lists = {
            "images": _images(split, dataset),
            "categories": _categories(dataset, images_of),
            "annotations": _annotations(dataset),
        }
        with writing_whole(folder / f"{split}.json") as file:
            for line in json_lines(lists):
                file.write(line.encode())
    return {split: [f"{split}/{r.name}" for r in d.records] for split, d in splits.items()}


def _images(split: str, dataset: Dataset) -> Iterator[dict[str, Any]]:
    known, classes = federated_of(dataset) or looked_everywhere(dataset), dataset.classes
    for index, record in enumerate(dataset.records):
        yield {
            "id": record.image_id,
            "coco_url": f"{_HOST}/{split}/{record.name}",
            "width": record.size[1],
            "height": record.size[0],
            NEGATIVE: [classes.source_id(label) for label in known.negative[index]],
            UNEXHAUSTED: [classes.source_id(label) for label in known.unexhausted[index]],
        }


def _categories(dataset: Dataset, images_of: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Yield the categories; how frequent one is says the training data."""
    known, classes = federated_of(dataset), dataset.classes
    images, instances = _counts(dataset)
    for label, name in enumerate(classes.names):
        count = images_of.get(name, 0)
        counted = "r" if count <= _RARE else "c" if count <= _COMMON else "f"
        yield {
            "id": classes.source_id(label),
            "name": name,
            "synset": name,
            "synonyms": [name],
            "def": "",
            "frequency": (known and known.frequencies[label]) or counted,
            "image_count": int(images[label]),
            "instance_count": int(instances[label]),
        }


def _counts(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return of each class the number of its images, and of its instances."""
    counts = np.zeros((2, len(dataset.classes)), dtype=np.int64)
    for index in range(len(dataset)):
        labels, times = np.unique(dataset.instances(index).labels, return_counts=True)
        counts[0, labels] += 1
        counts[1, labels] += times
    return counts


def _annotations(dataset: Dataset) -> Iterator[dict[str, Any]]:
    for annotation in annotations(dataset, keep_ids=has_own_ids(dataset), spell=_outlines):
        crowd = annotation.pop("iscrowd")
        yield annotation | ({"iscrowd": 1, "ignore": 1} if crowd else {})


def _outlines(masks: Masks) -> list[list[list[float]]]:
    spelt = []
    for i in range(len(masks)):
        rings = masks.polygons(i)
        whole = [bridged(rings)] if any(map(is_hole, rings)) else rings
        spelt.append([ring.ravel().tolist() for ring in whole])
    return spelt
