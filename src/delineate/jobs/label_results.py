"""What a file of a model's results says about the labels of a data set; without torch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

import numpy as np

from delineate.core.boxes import xywh_to_xyxy
from delineate.core.classes import ClassMap
from delineate.core.foreign import all_whole
from delineate.core.instances import Instances
from delineate.core.json_file import read_json
from delineate.core.masks import Masks
from delineate.data.sample import Dataset
from delineate.errors import DataError
from delineate.evaluate.coco_records import JsonObject, Known, Record, Shape, sound_results
from delineate.jobs.opening import Say, plural
from delineate.quality.findings import Finding
from delineate.quality.label_errors import Judged, judged, label_errors
from delineate.quality.shots import Predicted

LEAST_SCORE = 0.05
"""What is less sure says nothing, not even that an object was noticed."""

_PART = 0.5  # of the images, below which results are of these alone

Found = Iterator[tuple[int, Instances]]
"""The position of an image in its split, and what was found in it."""


def check_results(
    splits: Mapping[str, Dataset], results: Path, *, say: Say
) -> tuple[list[Finding], Predicted]:
    """Find labels that results disagree with.

    Results that name fewer than half of the images are of these alone; else a model has seen
    nothing in those that are not named.

    Args:
        splits: Split name -> data set; the results are of one of them.
        results: A file in COCO's result format.
        say: Receives a line where they are of some of the images.

    Returns:
        The findings, and what was found in each image.

    Raises:
        DataError: The results cannot be read, or are of images of no split, or of several.
    """
    split, records = _results(results, splits)
    dataset = splits[split]
    of = {record["image_id"] for record in records}
    if len(of) < _PART * len(dataset):
        say(f"{results} is of {plural(len(of), 'image')} of {len(dataset):,}: no others are judged")
    else:
        of = {record.image_id for record in dataset.records}
    return disagreements({split: (dataset, _read(records, dataset, of))}, dataset.classes)


def disagreements(
    found: Mapping[str, tuple[Dataset, Found]], classes: ClassMap, trained_on: Sequence[str] = ()
) -> tuple[list[Finding], Predicted]:
    """Find labels that predictions disagree with, and return both.

    Args:
        found: Split name -> the data set, its labels indexing `classes`, and what was found in it.
        classes: The classes.
        trained_on: Splits that the model was trained on.
    """
    images: list[Judged] = []
    predicted: dict[tuple[str, int], Instances] = {}
    for split, (dataset, shown) in found.items():
        for index, instances in shown:
            record = dataset.records[index]
            images.append(judged(split, record, dataset.instances(index), instances))
            predicted[split, record.image_id] = instances
    return list(label_errors(images, classes, trained_on=trained_on)), predicted


def _results(path: Path, splits: Mapping[str, Dataset]) -> tuple[str, list[Record]]:
    """Return the split that results belong to, and the results."""
    content = read_json(path)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise DataError(
            f"{path}: expected COCO results (a list of predictions), got other JSON: name a "
            "predictions.json that `delineate predict` wrote, or any file in that format."
        )
    ids = [entry.get("image_id") for entry in content]
    named = set(ids) if all_whole(ids) else {None}
    fitting = [
        split
        for split, dataset in splits.items()
        if named <= {record.image_id for record in dataset.records}
    ]
    if len(fitting) != 1:
        raise DataError(
            f"{path}: expected results for the images of one split, got image ids that fit "
            f"{' and '.join(fitting) or 'none of them'}: name the file of the split that they "
            "were made for."
        )
    dataset = splits[fitting[0]]
    known = Known(
        sizes={record.image_id: record.size for record in dataset.records},
        categories=dataset.classes.source_ids,
    )
    shape: Shape = "segmentation" if all("segmentation" in e for e in content) else "bbox"
    numbered: Mapping[int, JsonObject] = dict(enumerate(content, start=1))
    return fitting[0], sound_results(path, numbered, known, [shape])


def _read(records: Sequence[Record], dataset: Dataset, of: Set[int]) -> Found:
    of_image: dict[int, list[Record]] = {}
    for record in records:
        of_image.setdefault(record["image_id"], []).append(record)
    for index, image in enumerate(dataset.records):
        if image.image_id not in of:
            continue
        mine = of_image.get(image.image_id, [])
        yield index, _instances(mine, image.size, dataset.classes)


def _instances(records: Iterable[Record], size: tuple[int, int], classes: ClassMap) -> Instances:
    sure = [record for record in records if record["score"] >= LEAST_SCORE]
    masks = None
    if all("segmentation" in record for record in sure):
        masks = Masks.from_coco((record["segmentation"] for record in sure), size)
        boxes = masks.boxes()
    else:
        boxes = xywh_to_xyxy(np.array([record["bbox"] for record in sure]).reshape(-1, 4))
    return Instances(
        image_size=size,
        boxes=boxes,
        labels=np.array([classes.label_of(record["category_id"]) for record in sure], np.int64),
        masks=masks,
        scores=np.array([record["score"] for record in sure], np.float32).clip(0, 1),
    )
