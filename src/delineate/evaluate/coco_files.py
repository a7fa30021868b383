"""COCO evaluation of a file of results against a file of annotations, no model and no pictures.

The truth file's own ``bbox`` and ``area`` are used as they stand, as pycocotools does; they belong
to the annotator's polygons and differ a little from those of the masks.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hotcoco

from delineate.core.classes import ClassMap
from delineate.errors import DataError
from delineate.evaluate.coco_result import CocoResult, IouType, Totals, read_result


def evaluate_files(
    truth: Path | str, results: Path | str, *, iou_types: Sequence[IouType] | None = None
) -> CocoResult:
    """Evaluate predictions in COCO's result format against annotations in COCO's format.

    Where a result has a box and a mask, each is judged by its own: for ``segm`` the object's
    size is the mask's, as detectron2 evaluates. (pycocotools takes the size of the box when it
    finds one, which moves objects between small, medium and large but leaves AP and AP50 alone.)

    Args:
        truth: Annotations: ``{"images": [...], "annotations": [...], "categories": [...]}``.
        results: ``[{"image_id", "category_id", "score", "bbox" and/or "segmentation"}, ...]``.
        iou_types: Overlap of masks (``segm``), boxes (``bbox``) or both. Defaults to all that the
            results hold.

    Raises:
        DataError: A file cannot be read, is not what it should be, or the two do not belong
            together: a result names an image or a category that the annotations lack.
    """
    annotations, predictions = _annotations(Path(truth)), _results(Path(results))
    with_masks = _have_masks(predictions, results)
    kinds: Sequence[IouType] = iou_types or (("segm", "bbox") if with_masks else ("bbox",))
    if "segm" in kinds and not with_masks:
        raise DataError(
            f"{results}: expected masks (`segmentation`) to evaluate, got boxes only: "
            "evaluate boxes instead (iou_types=('bbox',))."
        )
    try:
        known = hotcoco.COCO(annotations)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{truth}: not COCO annotations ({error}): correct the file.") from error
    _check_records(results, predictions, known)
    _check_sizes(results, predictions, annotations["images"])
    try:
        evaluations = {kind: _evaluate(known, predictions, kind) for kind in kinds}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{results}: not COCO results ({error}): correct the file.") from error
    classes = ClassMap.from_coco(sorted(annotations["categories"], key=lambda c: int(c["id"])))
    truths = Counter(a["category_id"] for a in annotations["annotations"] if not a.get("iscrowd"))
    totals = Totals(
        images=len(annotations["images"]),
        predictions=len(predictions),
        truths=[truths[source_id] for source_id in classes.source_ids],
    )
    return read_result(evaluations, classes.names, totals)


def _evaluate(
    truth: hotcoco.COCO, predictions: list[dict[str, Any]], kind: IouType
) -> hotcoco.COCOeval:
    if kind == "segm":
        predictions = [{k: v for k, v in p.items() if k != "bbox"} for p in predictions]
    evaluation = hotcoco.COCOeval(truth, truth.load_res(predictions), kind)
    evaluation.evaluate()
    return evaluation


def _check_records(
    results: Path | str, predictions: list[dict[str, Any]], truth: hotcoco.COCO
) -> None:
    """Raise DataError where a prediction names an unknown image or category, or has no score."""
    for key, known in (("image_id", truth.get_img_ids()), ("category_id", truth.get_cat_ids())):
        named: list[Any] = [p.get(key) for p in predictions]
        if odd := [value for value in named if not isinstance(value, int)]:
            raise DataError(
                f"{results}: expected a whole number as {key} of every result, got {odd[0]!r}: "
                "write COCO results."
            )
        if foreign := set(named) - set(known):
            raise DataError(
                f"{results}: {key} {min(foreign)} is not in the annotations, which have "
                f"{_some(known)} ({len(foreign)} such ids): evaluate against the data set that "
                "the predictions were made for."
            )
    scores = (p.get("score") for p in predictions)
    if odd := [score for score in scores if not isinstance(score, int | float)]:
        raise DataError(
            f"{results}: expected a number as score of every result, got {odd[0]!r}: write COCO "
            "results; annotations have no scores."
        )


def _check_sizes(
    results: Path | str, predictions: list[dict[str, Any]], images: list[dict[str, Any]]
) -> None:
    """Raise DataError where a predicted mask belongs to an image of another size."""
    sizes = {image["id"]: [image.get("height"), image.get("width")] for image in images}
    for prediction in predictions:
        mask, size = prediction.get("segmentation"), sizes[prediction["image_id"]]
        if isinstance(mask, dict) and None not in size and list(mask.get("size", ())) != size:
            raise DataError(
                f"{results}: expected masks of image {prediction['image_id']} to have its size "
                f"(height, width) {size}, got {mask.get('size')}: bring them back to the "
                "original image."
            )


def _have_masks(predictions: list[dict[str, Any]], results: Path | str) -> bool:
    """Return whether results hold masks; raise DataError where only some of them do."""
    count = sum("segmentation" in p for p in predictions)
    if 0 < count < len(predictions):
        raise DataError(
            f"{results}: expected a mask in every result or in none, got {count} masks in "
            f"{len(predictions)} results: write all of them."
        )
    return count == len(predictions)


def _some(ids: Sequence[int]) -> str:
    shown = ", ".join(str(i) for i in sorted(ids)[:8])
    return shown + (" ..." if len(ids) > 8 else "") if ids else "none"


def _annotations(path: Path) -> dict[str, Any]:
    content = _read_json(path)
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or any(not isinstance(content.get(k), list) for k in lists):
        got = f"the keys {', '.join(list(content)[:8])}" if isinstance(content, dict) else "a list"
        raise DataError(
            f"{path}: expected COCO annotations (lists of images, annotations and categories), "
            f"got {got}: name the annotation file of the data set."
        )
    return content


def _results(path: Path) -> list[dict[str, Any]]:
    content = _read_json(path)
    if not isinstance(content, list) or not all(isinstance(p, dict) for p in content):
        raise DataError(
            f"{path}: expected COCO results (a list of predictions), got other JSON: "
            "name a predictions.json that `delineate predict` wrote, or any file in that format."
        )
    return content


def _read_json(path: Path) -> Any:  # noqa: ANN401
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check the path.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON, got something else ({error}).") from error
