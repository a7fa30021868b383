"""COCO average precision of boxes and masks, fed image by image.

A thin layer over hotcoco's streaming evaluator, which matches an image at once and keeps about 45
bytes per prediction, never a mask. Its numbers are pycocotools' to the last bit whatever the order
of the images or the number of workers: ties between equal scores are broken by image id, as
pycocotools does.
"""

import copy
from collections.abc import Sequence
from typing import Any, Self

import hotcoco
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.errors import DataError
from delineate.evaluate.coco_result import (
    CocoResult,
    IouType,
    Totals,
    and_beyond,
    checked_limits,
    read_result,
)


class CocoMetric:
    """Box and mask AP and AR as COCO defines them.

    Objects are small, medium or large by their area (below 32 x 32, below 96 x 96, above): a
    predicted mask by its pixels and a predicted box by its sides, as torchvision and detectron2
    evaluate; an annotated object by `areas` where given, else by its mask.

    Args:
        classes: What the labels mean, in truth and prediction alike.
        iou_types: How overlap is measured: of masks (``segm``), of boxes (``bbox``), or both. The
            first is the one that classes and curves are reported for.
        max_dets: The recall limits; the best-scored predictions of a class in an image count up to
            the last. COCO's are 1, 10 and 100; raise the last for images with more objects, or
            read `CocoResult.beyond`, for which up to `BEYOND` are matched in any case.

    Raises:
        ConfigError: The recall limits do not rise from 1 or more.
    """

    def __init__(
        self,
        classes: ClassMap,
        *,
        iou_types: Sequence[IouType] = ("segm", "bbox"),
        max_dets: Sequence[int] = (1, 10, 100),
    ) -> None:
        self._classes = classes
        self._max_dets = checked_limits(max_dets)
        self._evaluators = {kind: _evaluator(classes, kind, self._max_dets) for kind in iou_types}
        self._image_ids: set[int] = set()
        self._highest_id = 0
        self._truths = np.zeros(len(classes), dtype=np.int64)
        self._predictions = 0
        self._crowded = self._countable = self._densest = 0

    def update(
        self,
        truth: Instances,
        predicted: Instances,
        *,
        image_id: int | None = None,
        areas: npt.ArrayLike | None = None,
        boxes: npt.ArrayLike | None = None,
    ) -> None:
        """Add one image.

        Args:
            truth: Its annotated objects; `crowd` marks regions where predictions do not count.
            predicted: What a model found in it, with scores.
            image_id: The data set's id of the image. It decides ties, and metrics that are to be
                merged need it. Defaults to the highest so far + 1.
            areas: (n,) areas of the truth as the annotation file states them. COCO's are those of
                the polygons and differ a little from the number of pixels.
            boxes: (n, 4) boxes of the truth as the annotation file states them, xywh. COCO's are
                those of the polygons; needed for published numbers to the last digit.

        Raises:
            DataError: Truth and prediction belong to different images, the image was added
                before, scores or masks are missing, or a label is not among the classes.
        """
        if image_id is None:
            image_id = self._highest_id + 1
        self._check(truth, predicted, image_id)
        height, width = truth.image_size
        image = {"id": image_id, "width": width, "height": height}
        for kind, evaluator in self._evaluators.items():
            annotations = self._annotations(truth, image_id, kind, areas, boxes)
            evaluator.update([image], annotations, self._detections(predicted, image_id, kind))
        self._image_ids.add(image_id)
        self._highest_id = max(self._highest_id, image_id)
        counted = truth.labels if truth.crowd is None else truth.labels[~truth.crowd]
        of_class = np.bincount(counted, minlength=len(self._classes))
        self._truths += of_class
        self._crowded += bool((of_class > self._max_dets[-1]).any())
        self._countable += int(np.minimum(of_class, self._max_dets[-1]).sum())
        self._densest = max(self._densest, int(of_class.max(initial=0)))
        self._predictions += len(predicted)

    def merge(self, other: Self) -> None:
        """Add all images of `other`, a metric of the same classes and settings.

        Raises:
            DataError: The two differ in classes, IoU types or limits, or have an image in common,
                perhaps because images were not given their ids.
        """
        ours, theirs = ((*m._classes.names, *m._evaluators, *m._max_dets) for m in (self, other))
        if ours != theirs:
            raise DataError(
                "expected metrics of the same classes, IoU types and limits, got "
                f"{ours} and {theirs}: make both alike."
            )
        if twice := self._image_ids & other._image_ids:
            raise DataError(
                f"expected metrics of different images, got image {min(twice)} in both: give "
                "update() the data set's image_id wherever metrics are to be merged."
            )
        for kind, evaluator in self._evaluators.items():
            merged = hotcoco.StreamingEval.merge([evaluator, other._evaluators[kind]])
            self._evaluators[kind] = merged
        self._image_ids |= other._image_ids
        self._highest_id = max(self._highest_id, other._highest_id)
        self._truths += other._truths
        self._predictions += other._predictions
        self._crowded += other._crowded
        self._countable += other._countable
        self._densest = max(self._densest, other._densest)

    def compute(self) -> CocoResult:
        """Return the numbers over all images so far; more may be added afterwards."""
        by_id = np.argsort(self._classes.source_ids)
        totals = Totals(
            images=len(self._image_ids),
            predictions=self._predictions,
            truths=self._truths[by_id].tolist(),
            limit=self._max_dets[-1],
            crowded=self._crowded,
            countable=self._countable,
            densest=self._densest,
        )
        evaluations = {k: copy.copy(e).finalize() for k, e in self._evaluators.items()}
        return read_result(evaluations, [self._classes.names[k] for k in by_id], totals)

    def _check(self, truth: Instances, predicted: Instances, image_id: int) -> None:
        where = f"image {image_id}"
        if image_id in self._image_ids:
            raise DataError(f"{where} was evaluated already: add every image once.")
        if truth.image_size != predicted.image_size:
            raise DataError(
                f"{where}: expected predictions for its size (height, width) {truth.image_size}, "
                f"got {predicted.image_size}: bring them back to the original image first."
            )
        if predicted.scores is None:
            raise DataError(f"{where}: expected predictions with scores, got none: set `scores`.")
        for what, instances in (("truth", truth), ("predictions", predicted)):
            if len(instances) and instances.labels.max() >= len(self._classes):
                raise DataError(
                    f"{where}: the {what} have label {instances.labels.max()}, but there are "
                    f"only {len(self._classes)} classes: map both to one ClassMap by name."
                )
            if "segm" in self._evaluators and instances.masks is None and len(instances):
                raise DataError(
                    f"{where}: the {what} have no masks to compare: "
                    'give masks, or evaluate boxes only (iou_types=("bbox",)).'
                )

    def _annotations(
        self,
        truth: Instances,
        image_id: int,
        kind: IouType,
        areas: npt.ArrayLike | None,
        boxes: npt.ArrayLike | None,
    ) -> list[dict[str, Any]]:
        """Return the truth as COCO annotations with what evaluation by `kind` reads."""
        xywh = xyxy_to_xywh(truth.boxes)
        if boxes is not None:
            xywh = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        crowd = np.zeros(len(truth)) if truth.crowd is None else truth.crowd
        if areas is None:
            areas = xywh[:, 2] * xywh[:, 3] if truth.masks is None else truth.masks.areas
        columns: dict[str, list[Any]] = {
            "id": list(range(1, len(truth) + 1)),
            "image_id": [image_id] * len(truth),
            "category_id": self._category_ids(truth),
            "area": np.asarray(areas, dtype=np.float64).tolist(),
            "bbox": xywh.tolist(),
            "iscrowd": crowd.astype(int).tolist(),
        }
        if kind == "segm":
            columns["segmentation"] = [] if truth.masks is None else truth.masks.to_coco()
        return _records(columns)

    def _detections(
        self, predicted: Instances, image_id: int, kind: IouType
    ) -> list[dict[str, Any]]:
        """Return predictions as COCO results: a mask without its box, so that it gives the size."""
        assert predicted.scores is not None, "checked on entry"
        columns: dict[str, list[Any]] = {
            "image_id": [image_id] * len(predicted),
            "category_id": self._category_ids(predicted),
            "score": predicted.scores.tolist(),
        }
        if kind == "bbox":
            columns["bbox"] = xyxy_to_xywh(predicted.boxes).tolist()
        else:
            columns["segmentation"] = [] if predicted.masks is None else predicted.masks.to_coco()
        return _records(columns)

    def _category_ids(self, instances: Instances) -> list[int]:
        return [self._classes.source_id(label) for label in instances.labels.tolist()]


def _evaluator(classes: ClassMap, kind: IouType, max_dets: Sequence[int]) -> hotcoco.StreamingEval:
    params = hotcoco.Params(kind)
    params.max_dets = and_beyond(max_dets)
    pairs = zip(classes.source_ids, classes.names, strict=True)
    categories = [{"id": source_id, "name": name} for source_id, name in pairs]
    return hotcoco.StreamingEval(categories, kind, params=params)


def _records(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
