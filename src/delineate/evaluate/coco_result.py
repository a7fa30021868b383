"""The twelve COCO numbers, the classes and the curves, read out of a finished evaluation.

The measure is that of Lin et al., "Microsoft COCO: Common Objects in Context" (2014), as
pycocotools computes it: precision is interpolated at 101 recalls, averaged over ten IoU thresholds
from 0.50 to 0.95 and over the classes that have any truth. hotcoco matches and accumulates; the
averages below are pycocotools' own, so every digit is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import hotcoco
import numpy as np
import numpy.typing as npt

from delineate.errors import ConfigError

IouType = Literal["segm", "bbox"]


def kinds(*, masks: bool) -> tuple[IouType, ...]:
    """Return what can be compared: masks and boxes, or boxes alone."""
    return ("segm", "bbox") if masks else ("bbox",)


"""How overlap is measured: of masks or of boxes."""

COCO_LIMIT = 100
"""Detections of a class in an image that count, best first, by COCO's rules."""
_HIGHEST_LIMIT = 1_000_000_000

Curve = npt.NDArray[np.float64]
"""(101,) precision at recall 0.00, 0.01 .. 1.00; -1 where no class has any truth."""

RECALLS: Curve = np.linspace(0, 1, 101)
_IOU_50, _IOU_75 = 0, 5  # positions in the thresholds 0.50, 0.55 .. 0.95
_SIZES = {"s": 1, "m": 2, "l": 3}  # positions in the area ranges; 0 is all sizes
_UNDEFINED = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """How well one class was found, 0 to 1, -1 where it has no truth.

    Attributes:
        truths: Its annotated objects, crowd regions not counted.
        ap: AP over IoU 0.50 to 0.95.
        ap50: AP at IoU 0.50.
        ar: Share of its objects found, averaged over the same IoUs.
    """

    truths: int
    ap: float
    ap50: float
    ar: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoResult:
    """The result of a COCO evaluation.

    Attributes:
        scores: IoU type (``segm``, ``bbox``) to metric name (``AP``, ``AP50`` ...) to its value.
        per_class: Class name to its score in `iou_type`.
        curves: IoU threshold (0.5, 0.75) to precision over `RECALLS`, mean over classes.
        images: Images evaluated.
        truths: Annotated objects, crowd regions not counted.
        predictions: Predicted objects.
        foreign: Predicted objects of images that the truth lacks, which were left out.
        limit: Predictions of a class in an image that count, best first.
        crowded: Images with more objects of a class than that.
        countable: Annotated objects that can count as found under that limit.
        densest: Most objects of one class in an image: a limit that costs nothing.
    """

    scores: Mapping[IouType, Mapping[str, float]]
    per_class: Mapping[str, ClassScore]
    curves: Mapping[float, Curve]
    images: int
    truths: int
    predictions: int
    foreign: int = 0
    limit: int = COCO_LIMIT
    crowded: int = 0
    countable: int = 0
    densest: int = 0

    @property
    def iou_type(self) -> IouType:
        """The IoU type that `per_class` and `curves` are about: the first of `scores`."""
        return next(iter(self.scores))

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return ``{"segm": {"AP": ...}, "bbox": {...}}``: fractions 0 to 1, -1 where undefined."""
        return {str(kind): dict(values) for kind, values in self.scores.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How much was evaluated: images, predictions, objects of each class; and what could not be."""

    images: int
    predictions: int
    truths: Sequence[int]
    foreign: int = 0
    limit: int
    crowded: int
    countable: int
    densest: int


def limits_up_to(limit: int) -> tuple[int, ...]:
    """Return COCO's limits of detections (1, 10, 100) with another last one.

    Raises:
        ConfigError: It is no number of detections.
    """
    return checked_limits((*(fewer for fewer in (1, 10) if fewer < limit), limit))


def checked_limits(limits: Sequence[int]) -> tuple[int, ...]:
    """Return limits of detections as they are.

    Raises:
        ConfigError: They are not whole numbers above 0, each higher than the one before.
    """
    steps = zip((0, *limits), limits, strict=False)
    if not len(limits) or not all(lower < limit <= _HIGHEST_LIMIT for lower, limit in steps):
        raise ConfigError(
            f"expected limits of detections as rising numbers from 1 to {_HIGHEST_LIMIT:,}, got "
            f"{tuple(limits)}: choose others, COCO's are (1, 10, {COCO_LIMIT})."
        )
    return tuple(limits)


def read_result(
    evaluations: Mapping[IouType, hotcoco.COCOeval], names: Sequence[str], totals: Totals
) -> CocoResult:
    """Turn evaluated images into a result.

    Args:
        evaluations: IoU type to its evaluation, matched but not accumulated, in order of interest.
        names: Names of the classes, in the order of the evaluations' category ids.
        totals: Counts to carry along.
    """
    arrays = {}
    for kind, evaluation in evaluations.items():
        evaluation.accumulate()
        found = evaluation.eval
        assert found is not None, "accumulate() leaves a result"
        arrays[kind] = found["precision"], found["recall"], evaluation.params.max_dets
    precision, recall, _ = next(iter(arrays.values()))
    return CocoResult(
        scores={kind: _twelve(*found) for kind, found in arrays.items()},
        per_class={
            name: ClassScore(
                truths=totals.truths[k],
                ap=_mean(precision[:, :, k, 0, -1]),
                ap50=_mean(precision[_IOU_50, :, k, 0, -1]),
                ar=_mean(recall[:, k, 0, -1]),
            )
            for k, name in enumerate(names)
        },
        curves={0.5: _curve(precision[_IOU_50]), 0.75: _curve(precision[_IOU_75])},
        images=totals.images,
        truths=sum(totals.truths),
        predictions=totals.predictions,
        foreign=totals.foreign,
        limit=totals.limit,
        crowded=totals.crowded,
        countable=totals.countable,
        densest=totals.densest,
    )


def _twelve(
    precision: npt.NDArray[np.float64], recall: npt.NDArray[np.float64], max_dets: Sequence[int]
) -> dict[str, float]:
    """Average (IoU, recall, class, size, limit) precision and (IoU, class, size, limit) recall."""
    scores = {
        "AP": _mean(precision[:, :, :, 0, -1]),
        "AP50": _mean(precision[_IOU_50, :, :, 0, -1]),
        "AP75": _mean(precision[_IOU_75, :, :, 0, -1]),
    }
    scores |= {f"AP{s}": _mean(precision[:, :, :, i, -1]) for s, i in _SIZES.items()}
    scores |= {f"AR{limit}": _mean(recall[:, :, 0, i]) for i, limit in enumerate(max_dets)}
    scores |= {f"AR{s}": _mean(recall[:, :, i, -1]) for s, i in _SIZES.items()}
    return scores


def _mean(values: npt.NDArray[np.float64]) -> float:
    """Return the mean of the defined values, in pycocotools' order of summation."""
    defined = values[values > _UNDEFINED]
    return float(np.mean(defined)) if defined.size else _UNDEFINED


def _curve(precision: npt.NDArray[np.float64]) -> Curve:
    """Return the mean over classes of (recall, class, size, limit) precision, for all sizes."""
    by_class = precision[:, :, 0, -1]
    defined = by_class[:, by_class[0] > _UNDEFINED]
    return defined.mean(axis=1) if defined.shape[1] else np.full(len(RECALLS), _UNDEFINED)
