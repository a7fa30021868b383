"""COCO evaluation of a file of results against a file of annotations, no model and no pictures.

The truth file's own ``bbox`` and ``area`` are used as they stand, as pycocotools does; they belong
to the annotator's polygons and differ a little from those of the masks.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hotcoco

from delineate.core.classes import ClassMap
from delineate.core.json_file import read_json
from delineate.errors import DataError
from delineate.evaluate.coco_names import joined_by_name
from delineate.evaluate.coco_records import (
    JsonObject,
    Known,
    Record,
    Shape,
    images_by_id,
    sizes_of,
    sound_annotations,
    sound_results,
)
from delineate.evaluate.coco_result import (
    COCO_LIMIT,
    CocoResult,
    IouType,
    Totals,
    and_beyond,
    kinds,
    limits_up_to,
    read_result,
)


def evaluate_files(
    truth: Path | str,
    results: Path | str,
    *,
    iou_types: Sequence[IouType] | None = None,
    limit: int = COCO_LIMIT,
) -> CocoResult:
    """Evaluate predictions in COCO's result format against annotations in COCO's format.

    Where a result has a box and a mask, each is judged by its own: for ``segm`` the object's
    size is the mask's, as detectron2 evaluates. (pycocotools takes the size of the box when it
    finds one, which moves objects between small, medium and large but leaves AP and AP50 alone.)

    Where results also have ``file_name`` they are joined to the truth by that, whatever their
    ``image_id``: see `delineate.evaluate.coco_names`. Those of other pictures are left out, and
    counted as `CocoResult.foreign`.

    Args:
        truth: Annotations: ``{"images": [...], "annotations": [...], "categories": [...]}``.
        results: ``[{"image_id", "category_id", "score", "bbox" and/or "segmentation"}, ...]``.
        iou_types: Overlap of masks (``segm``), boxes (``bbox``) or both. Defaults to all that the
            results hold.
        limit: Results of a class in an image that count, best first.

    Raises:
        ConfigError: The limit is no number of results.
        DataError: A file cannot be read, is not what it should be, an entry of it is broken, or
            the two do not belong together: a result names an image or a category that the
            annotations lack, or no result is of a picture of theirs.
    """
    truth, results, max_dets = Path(truth), Path(results), limits_up_to(limit)
    annotations, predictions = _annotations(truth), _results(results)
    with_masks = _all_have(results, predictions, "segmentation")
    compared = iou_types or kinds(masks=with_masks)
    if "segm" in compared and not with_masks:
        raise DataError(
            f"{results}: expected masks (`segmentation`) to evaluate, got boxes only: "
            "evaluate boxes instead (iou_types=('bbox',))."
        )
    classes = _classes(truth, annotations["categories"])
    images = images_by_id(truth, annotations["images"])
    shapes = _shapes_to_read(compared, with_masks, _all_have(results, predictions, "bbox"))
    of_truth: list[Shape] = [_SHAPES[kind] for kind in compared]
    need_sizes = "segmentation" in (*shapes, *of_truth)
    known = Known(
        sizes=sizes_of(truth, images) if need_sizes else dict.fromkeys(images),
        categories=classes.source_ids,
    )
    joined = joined_by_name(results, predictions, images)
    sound = sound_results(results, joined, known, shapes)
    objects = sound_annotations(truth, annotations["annotations"], known, of_truth)
    indexed = _truth(truth, known, classes, objects)
    evaluations = {kind: _evaluate(indexed, sound, kind, max_dets) for kind in compared}
    crowds = Counter((a["image_id"], a["category_id"]) for a in objects if not a["iscrowd"])
    truths = Counter(a["category_id"] for a in objects if not a["iscrowd"])
    totals = Totals(
        images=len(images),
        predictions=len(sound),
        truths=[truths[source_id] for source_id in classes.source_ids],
        foreign=len(predictions) - len(joined),
        limit=limit,
        crowded=len({image_id for (image_id, _), count in crowds.items() if count > limit}),
        countable=sum(min(count, limit) for count in crowds.values()),
        densest=max(crowds.values(), default=0),
    )
    return read_result(evaluations, classes.names, totals)


_SHAPES: dict[IouType, Shape] = {"segm": "segmentation", "bbox": "bbox"}


def _shapes_to_read(kinds: Sequence[IouType], masks: bool, boxes: bool) -> list[Shape]:
    """Return what is read of results: a box comes from the mask where only masks are there."""
    shapes: list[Shape] = []
    if "bbox" in kinds and (boxes or not masks):
        shapes.append("bbox")
    if "segm" in kinds or not shapes:
        shapes.append("segmentation")
    return shapes


def _truth(path: Path, known: Known, classes: ClassMap, objects: list[Record]) -> hotcoco.COCO:
    images = [
        {"id": image_id} if size is None else {"id": image_id, "height": size[0], "width": size[1]}
        for image_id, size in known.sizes.items()
    ]
    pairs = zip(classes.source_ids, classes.names, strict=True)
    categories = [{"id": source_id, "name": name} for source_id, name in pairs]
    try:
        return hotcoco.COCO({"images": images, "annotations": objects, "categories": categories})
    except (ValueError, TypeError, OverflowError) as error:  # ids beyond 64 bits
        raise DataError(f"{path}: not COCO annotations ({error}): correct the file.") from error


def _evaluate(
    truth: hotcoco.COCO, predictions: list[Record], kind: IouType, max_dets: Sequence[int]
) -> hotcoco.COCOeval:
    if kind == "segm":  # hotcoco takes the size of an object from its box where there is one
        predictions = [{k: v for k, v in p.items() if k != "bbox"} for p in predictions]
    evaluation = hotcoco.COCOeval(truth, truth.load_res(predictions), kind)
    evaluation.params.max_dets = and_beyond(max_dets)
    evaluation.evaluate()
    return evaluation


def _all_have(path: Path, predictions: Sequence[JsonObject], key: Shape) -> bool:
    """Return whether results have what `key` names; raise DataError where only some do."""
    count = sum(key in p for p in predictions)
    if 0 < count < len(predictions):
        raise DataError(
            f"{path}: expected {key!r} in every result or in none, got it in {count} of "
            f"{len(predictions)} results: write all of them."
        )
    return count == len(predictions)


def _classes(path: Path, categories: Sequence[Any]) -> ClassMap:
    """Return the categories in the order of their ids, which is that of the evaluation."""
    try:
        classes = ClassMap.from_coco(categories)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    pairs = sorted(zip(classes.source_ids, classes.names, strict=True))
    return ClassMap(tuple(name for _, name in pairs), tuple(source_id for source_id, _ in pairs))


def _annotations(path: Path) -> dict[str, list[JsonObject]]:
    content = read_json(path)
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(_is_list_of_objects(content.get(k)) for k in lists):
        got = f"the keys {', '.join(list(content)[:8])}" if isinstance(content, dict) else "a list"
        raise DataError(
            f"{path}: expected COCO annotations (lists of images, annotations and categories), "
            f"got {got}: name the annotation file of the data set."
        )
    return content


def _results(path: Path) -> Sequence[JsonObject]:
    content = read_json(path)
    if not _is_list_of_objects(content):
        raise DataError(
            f"{path}: expected COCO results (a list of predictions), got other JSON: "
            "name a predictions.json that `delineate predict` wrote, or any file in that format."
        )
    return content  # type: ignore[no-any-return]


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
