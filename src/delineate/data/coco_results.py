"""Predictions in COCO's result format: a list of objects with image, category, score, box and mask.

The format: https://cocodataset.org/#format-results.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate._files import writing_whole
from delineate.core.boxes import Size, xywh_to_xyxy, xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.json_file import kind, read_json
from delineate.data.sample import Dataset
from delineate.errors import DataError

JsonObject = Mapping[str, Any]


def write_results(
    path: Path | str, predictions: Iterable[tuple[int, Instances]], classes: ClassMap
) -> None:
    """Write predictions as they come; the file appears when all are written.

    Args:
        path: The JSON file; an older one is replaced.
        predictions: (image id, scored instances), an image at a time.
        classes: The table that their labels index; its source ids are written.

    Raises:
        DataError: Instances have no scores.
        OutputError: The file cannot be written. Nothing is left of it.
    """
    with writing_whole(path) as file:
        separator = b"[\n"
        for image_id, instances in predictions:
            for result in _results(image_id, instances, classes):
                file.write(separator + json.dumps(result).encode())
                separator = b",\n"
        file.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def read_results(path: Path | str, dataset: Dataset) -> list[Instances]:
    """Read predictions made for a data set.

    Args:
        path: A file in COCO's result format, with boxes, masks or both.
        dataset: Knows the images and the classes.

    Returns:
        For each image of the data set its predictions in the order of the file. Boxes are the
        file's, or those of the masks where it has none; masks are None where the file has none.

    Raises:
        DataError: The file holds no results, or one of an unknown image or class, or only some have
            boxes or masks, or one is broken.
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, list) or not all(isinstance(result, dict) for result in content):
        raise DataError(
            f"{path}: expected COCO results (a list of predictions), got {kind(content)}: name a "
            "file of predictions, such as the predictions.json of `delineate predict`."
        )
    keys = [key for key in ("bbox", "segmentation") if any(key in result for result in content)]
    if content and not keys:
        raise DataError(
            f"{path}: expected 'segmentation' or 'bbox' in every result, got "
            f"{kind(content[0])}: export the predictions with their masks."
        )
    place = {record.image_id: i for i, record in enumerate(dataset.records)}
    results: list[list[JsonObject]] = [[] for _ in dataset.records]
    for position, result in enumerate(content):
        _check(result, f"{path}, result {position + 1}", keys, place)
        results[place[result["image_id"]]].append(result)
    predictions = []
    for record, of_image in zip(dataset.records, results, strict=True):
        try:
            predictions.append(_instances(of_image, record.size, dataset.classes, keys))
        except DataError as error:
            raise DataError(f"{path}, image {record.image_id} {record.name!r}: {error}") from error
    return predictions


def _results(image_id: int, instances: Instances, classes: ClassMap) -> Iterable[dict[str, Any]]:
    if instances.scores is None:
        raise DataError(
            f"image {image_id}: expected predictions, got instances without scores: "
            "write ground truth with write_coco."
        )
    boxes, scores = xyxy_to_xywh(instances.boxes).tolist(), instances.scores.tolist()
    for i, label in enumerate(instances.labels.tolist()):
        result: dict[str, Any] = {
            "image_id": image_id,
            "category_id": classes.source_id(label),
            "score": scores[i],
            "bbox": boxes[i],
        }
        if instances.masks is not None:
            result["segmentation"] = instances.masks[[i]].to_coco()[0]
        yield result


def _check(result: JsonObject, where: str, keys: Sequence[str], known: Mapping[int, int]) -> None:
    """Check all of a result but its mask."""
    for key in keys:
        if key not in result:
            raise DataError(
                f"{where}: expected {key!r} in every result as in others of this file, got "
                f"{kind(dict(result))}: export all predictions alike."
            )
    image_id, score = result.get("image_id"), result.get("score")
    if type(image_id) is not int or image_id not in known:
        raise DataError(
            f"{where}: its image_id, {kind(image_id)}, is none of the {len(known)} images of the "
            "data set: use the data set that the predictions were made for."
        )
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise DataError(
            f"{where}: expected a score from 0 to 1, got {kind(score)}: export the scores again."
        )
    box = result.get("bbox", [0, 0, 0, 0])
    numbers = isinstance(box, list) and all(type(value) in (int, float) for value in box)
    if not numbers or len(box) != 4 or not np.isfinite(box).all() or min(box[2:]) < 0:
        raise DataError(
            f"{where}: expected a 'bbox' of x, y, width and height, got {kind(box)}: "
            "export the boxes again."
        )


def _instances(
    results: Sequence[JsonObject], size: Size, classes: ClassMap, keys: Sequence[str]
) -> Instances:
    masks = None
    if "segmentation" in keys or not keys:
        masks = Masks.from_coco((result["segmentation"] for result in results), size)
    if "bbox" in keys or masks is None:
        boxes = xywh_to_xyxy([result["bbox"] for result in results])
    else:
        boxes = masks.boxes()
    return Instances(
        image_size=size,
        boxes=boxes,
        labels=np.array([_label(result, classes) for result in results], dtype=np.int64),
        masks=masks,
        scores=np.array([result["score"] for result in results], dtype=np.float32),
    )


def _label(result: JsonObject, classes: ClassMap) -> int:
    category = result.get("category_id")
    if type(category) is not int:
        raise DataError(
            f"expected a whole number as category_id, got {kind(category)}: export it again."
        )
    return classes.label_of(category)
