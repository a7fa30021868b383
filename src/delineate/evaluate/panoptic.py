"""Panoptic quality: how well segments are found, and how well they fit.

The measure is that of Kirillov et al., "Panoptic Segmentation" (2019), as panopticapi computes it.
Segments of one class match where their IoU, void left out of the union, exceeds one half. Over the
matches, and the segments without one, PQ = sum of IoU / (TP + FP / 2 + FN / 2) is SQ, the mean IoU
of matches, times RQ, their share. A prediction that lies by more than half in void or in a crowd of
its class is no error (of several crowds of a class in an image, panopticapi knows the last).

Matching is done here, image by image, with four numbers a class to keep: hotcoco's evaluator takes
whole data sets, and where it is given masks it counts their areas instead of taking the stated
ones. Where the two are equal it agrees, which a test asserts; the formula is hotcoco's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import hotcoco.metrics
import numpy as np
import numpy.typing as npt

from delineate.core.panoptic import ID_LIMIT, IdMap, Panoptic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.errors import ClassMismatch, DataError

Group = Literal["All", "Things", "Stuff"]

_UNDEFINED = -1.0
_VOID = 0
_ID_BITS = 24
_LEAST_IOU = _MOST_EXCUSED = 0.5
_TP, _FP, _FN = range(3)


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

    def summary(self) -> dict[str, float]:
        """Return the five numbers that a training follows: PQ, SQ, RQ, PQ_things, PQ_stuff."""
        whole = self.groups["All"]
        return {
            "PQ": whole.pq,
            "SQ": whole.sq,
            "RQ": whole.rq,
            "PQ_things": self.groups["Things"].pq,
            "PQ_stuff": self.groups["Stuff"].pq,
        }


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
        counts, iou = _match(truth, predicted, stated)
        self._counts += counts
        self._iou += iou
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


def _match(
    truth: Panoptic, predicted: Panoptic, areas: Sequence[float]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Match the segments of one image.

    Returns:
        For each class (tp, fp, fn), and the sum of the matches' IoU.
    """
    counts, iou = np.zeros((len(truth.classes), 3), np.int64), np.zeros(len(truth.classes))
    common = _common_pixels(truth.ids, predicted.ids)
    stated = {s.id: area for s, area in zip(truth.segments, areas, strict=True)}
    found, recognised = set[int](), set[int]()
    for (ours, theirs), pixels in common.items():
        if not ours or not theirs or truth.segment(ours).crowd:
            continue
        other = predicted.segment(theirs)
        if (label := truth.segment(ours).label) != other.label:
            continue
        union = other.area + stated[ours] - pixels - common.get((_VOID, theirs), 0)
        if union > 0 and pixels / union > _LEAST_IOU:  # stated areas may be nonsense
            counts[label, _TP] += 1
            iou[label] += pixels / union
            found.add(ours)
            recognised.add(theirs)
    crowds = {s.label: s.id for s in truth.segments if s.crowd}  # the last one of each class
    for segment in truth.segments:
        counts[segment.label, _FN] += not segment.crowd and segment.id not in found
    for segment in predicted.segments:
        excused = common.get((_VOID, segment.id), 0)
        if segment.label in crowds:
            excused += common.get((crowds[segment.label], segment.id), 0)
        is_error = excused / segment.area <= _MOST_EXCUSED
        counts[segment.label, _FP] += segment.id not in recognised and is_error
    return counts, iou


def _common_pixels(truth: IdMap, predicted: IdMap) -> dict[tuple[int, int], int]:
    """Return how many pixels each pair of ids has in common; only spans of pixels are sorted."""
    pairs = (truth.ravel().astype(np.int64) << _ID_BITS) | predicted.ravel()
    starts = np.concatenate([[0], np.flatnonzero(pairs[1:] != pairs[:-1]) + 1])
    values, owner = np.unique(pairs[starts], return_inverse=True)
    pixels = np.bincount(owner, weights=np.diff(starts, append=pairs.size)).astype(np.int64)
    keys = zip((values >> _ID_BITS).tolist(), (values % ID_LIMIT).tolist(), strict=True)
    return dict(zip(keys, pixels.tolist(), strict=True))


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
