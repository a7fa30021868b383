"""Panoptic quality: how well segments are found, and how well they fit.

The measure is that of Kirillov et al., "Panoptic Segmentation" (2019), as panopticapi computes it.
Segments of one class match where their IoU, void left out of the union, exceeds one half. Over the
matches, and the segments without one, PQ = sum of IoU / (TP + FP / 2 + FN / 2) is SQ, the mean IoU
of matches, times RQ, their share. A prediction that lies by more than half in void or in a crowd of
its class is no error (of several crowds of a class in an image, panopticapi knows the last).

hotcoco matches an image at a time; kept are four numbers a class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import hotcoco.metrics
import hotcoco.panoptic
import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.panoptic import Panoptic, Segment, runs_by_id
from delineate.core.panoptic_classes import PanopticClasses
from delineate.errors import ClassMismatch, DataError

Group = Literal["All", "Things", "Stuff"]

_UNDEFINED = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassQuality:
    """How well one class was segmented, 0 to 1, -1 where it is in neither truth nor prediction.

    Attributes:
        pq: Panoptic quality.
        sq: Segmentation quality: mean IoU of the matches, 0 without any.
        rq: Recognition quality: their share of all segments.
        tp: Matches.
        fp: Predicted segments without one.
        fn: Segments of the truth without one.
    """

    pq: float
    sq: float
    rq: float
    tp: int
    fp: int
    fn: int

    @property
    def defined(self) -> bool:
        """Whether the class occurs at all; if not, no mean counts it."""
        return self.tp + self.fp + self.fn > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupQuality:
    """The mean over the classes of a group that occur, 0 to 1, -1 where none does.

    Attributes:
        pq: Mean panoptic quality.
        sq: Mean segmentation quality.
        rq: Mean recognition quality.
        n: Classes that occur.
    """

    pq: float
    sq: float
    rq: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PanopticResult:
    """The result of a panoptic evaluation.

    Attributes:
        groups: Means over all classes, things and stuff.
        per_class: Class name to its quality, in the order of the joint labels.
        classes: The class table.
        images: Images evaluated.
    """

    groups: Mapping[Group, GroupQuality]
    per_class: Mapping[str, ClassQuality]
    classes: PanopticClasses
    images: int

    def to_json(self) -> dict[str, Any]:
        """Return what panopticapi's ``pq_compute`` returns: fractions from 0 to 1.

        ``{"All": {"pq", "sq", "rq", "n"}, "Things": .., "Stuff": .., "per_class": {id: {..}}}``,
        where ids are the source's, as text. As there, a class that does not occur has zeros; means
        over nothing, with which it fails, are -1.
        """
        groups = {
            str(name): {"pq": group.pq, "sq": group.sq, "rq": group.rq, "n": group.n}
            for name, group in self.groups.items()
        }
        ids = map(str, self.classes.source_ids)
        per_class = {
            source_id: {key: max(0.0, getattr(quality, key)) for key in ("pq", "sq", "rq")}
            for source_id, quality in zip(ids, self.per_class.values(), strict=True)
        }
        return {**groups, "per_class": per_class}


class PanopticMetric:
    """PQ, SQ and RQ, fed image by image.

    Args:
        classes: What the labels mean, in truth and prediction alike.
    """

    def __init__(self, classes: PanopticClasses) -> None:
        self._classes = classes
        self._counts = np.zeros((len(classes), 3), np.int64)  # tp, fp, fn
        self._iou = np.zeros(len(classes))
        self._images = 0

    def update(
        self, truth: Panoptic, predicted: Panoptic, *, areas: Sequence[float] | None = None
    ) -> None:
        """Add one image.

        Args:
            truth: Its annotated segments.
            predicted: A model's.
            areas: Area of each segment of the truth, in their order, as the annotation file states
                them: panopticapi takes these, and counts pixels in predictions only. None: pixels.

        Raises:
            DataError: The two belong to images of different sizes, or there is not one area for
                each segment.
            ClassMismatch: One of them has other classes than the metric.
        """
        if truth.image_size != predicted.image_size:
            raise DataError(
                f"expected a prediction for the image's size (height, width) {truth.image_size}, "
                f"got one for {predicted.image_size}: predict at the original size."
            )
        for panoptic in (truth, predicted):
            if panoptic.classes != self._classes:
                raise ClassMismatch(
                    "expected segments of the metric's classes, got a table of "
                    f"{len(panoptic.classes)} other ones: match the two tables first."
                )
        stated = [float(s.area) for s in truth.segments] if areas is None else list(areas)
        if len(stated) != len(truth.segments):
            raise DataError(
                f"expected an area for each of {len(truth.segments)} segments, got {len(stated)}: "
                "pass those of the same image."
            )
        categories = self._categories(truth.segments, predicted.segments)
        matched = hotcoco.panoptic.PanopticEval(
            _dataset(truth, categories, stated),
            _dataset(predicted, categories, [float(s.area) for s in predicted.segments]),
        )
        matched.evaluate()
        for label, found in matched.results()["per_class"].items():
            self._counts[label] += (found["tp"], found["fp"], found["fn"])
            self._iou[label] += found["iou"]
        self._images += 1

    def merge(self, other: Self) -> None:
        """Add all images of `other`, a metric of the same classes.

        Raises:
            ClassMismatch: Its classes are others.
        """
        if other._classes != self._classes:
            raise ClassMismatch(
                f"expected a metric of the same {len(self._classes)} classes, got one of "
                f"{len(other._classes)} other ones: make both with one class table."
            )
        self._counts += other._counts
        self._iou += other._iou
        self._images += other._images

    def compute(self) -> PanopticResult:
        """Return the numbers over all images so far; more may be added afterwards."""
        rows = zip(self._iou.tolist(), self._counts.tolist(), strict=True)
        qualities = [_quality(iou, *counts) for iou, counts in rows]
        things = len(self._classes.things)
        return PanopticResult(
            groups={
                "All": _mean(qualities),
                "Things": _mean(qualities[:things]),
                "Stuff": _mean(qualities[things:]),
            },
            per_class=dict(zip(self._classes.names, qualities, strict=True)),
            classes=self._classes,
            images=self._images,
        )

    def _categories(self, *sides: Sequence[Segment]) -> list[dict[str, Any]]:
        """Return the classes of an image for hotcoco, which knows them by their labels here."""
        labels = sorted({segment.label for segments in sides for segment in segments})
        return [
            {
                "id": label,
                "name": self._classes.name(label),
                "isthing": int(self._classes.is_thing(label)),
            }
            for label in labels
        ]


def _dataset(
    panoptic: Panoptic, categories: Sequence[Mapping[str, Any]], areas: Sequence[float]
) -> dict[str, Any]:
    """Write one image as hotcoco reads it: an annotation with a mask for each segment."""
    size = panoptic.image_size
    runs = runs_by_id(panoptic.ids)
    annotations = [
        {
            "id": number,
            "image_id": 1,
            "category_id": segment.label,
            "iscrowd": int(segment.crowd),
            "area": area,
            "segmentation": {"size": list(size), "counts": rle.to_string(runs[segment.id], size)},
        }
        for number, (segment, area) in enumerate(zip(panoptic.segments, areas, strict=True), 1)
    ]
    image = {"id": 1, "file_name": "1", "height": size[0], "width": size[1]}
    return {"images": [image], "categories": list(categories), "annotations": annotations}


def _quality(iou: float, tp: int, fp: int, fn: int) -> ClassQuality:
    pq, sq, rq = hotcoco.metrics.panoptic_quality(iou, tp, fp, fn)
    return ClassQuality(pq=pq, sq=sq, rq=rq, tp=tp, fp=fp, fn=fn)


def _mean(qualities: Sequence[ClassQuality]) -> GroupQuality:
    rows = [(q.pq, q.sq, q.rq) for q in qualities if q.defined]
    if not rows:
        return GroupQuality(pq=_UNDEFINED, sq=_UNDEFINED, rq=_UNDEFINED, n=0)
    means: npt.NDArray[np.float64] = np.mean(rows, axis=0)
    pq, sq, rq = means.tolist()
    return GroupQuality(pq=pq, sq=sq, rq=rq, n=len(rows))
