"""The twelve COCO numbers, the classes and the curves, read out of a finished evaluation.

The measure is that of Lin et al., "Microsoft COCO: Common Objects in Context" (2014), as
pycocotools computes it: precision is interpolated at 101 recalls, averaged over ten IoU thresholds
from 0.50 to 0.95 and over the classes that have any truth. hotcoco matches and accumulates; the
averages below are pycocotools' own, so every digit is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import hotcoco
import numpy as np
import numpy.typing as npt

from delineate.errors import ConfigError

IouType = Literal["segm", "bbox"]
"""How overlap is measured: of masks or of boxes."""

Scores = Mapping[str, float]
"""Name of a measure (``AP``, ``AP50`` ...) to its value."""

COCO_LIMIT = 100
"""Detections of a class in an image that count, best first, by COCO's rules."""
BEYOND = 1000
"""Detections that count when it is told what the limit costs."""
_HIGHEST_LIMIT = 1_000_000_000


def kinds(*, masks: bool) -> tuple[IouType, ...]:
    """Return what can be compared: masks and boxes, or boxes alone."""
    return ("segm", "bbox") if masks else ("bbox",)


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
        beyond: Where images are crowded under a lower limit, the `scores` under that of `BEYOND`;
            else empty.
    """

    scores: Mapping[IouType, Scores]
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
    beyond: Mapping[IouType, Scores] = field(default_factory=dict)

    @property
    def iou_type(self) -> IouType:
        """The IoU type that `per_class` and `curves` are about: the first of `scores`."""
        return next(iter(self.scores))

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return ``{"segm": {"AP": ...}, "bbox": {...}}``: fractions 0 to 1, -1 where undefined.

        With ``segm@1000`` and ``bbox@1000`` where there are scores `beyond` the limit.
        """
        beyond = {f"{kind}@{BEYOND}": dict(values) for kind, values in self.beyond.items()}
        return {str(kind): dict(values) for kind, values in self.scores.items()} | beyond


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


def and_beyond(limits: Sequence[int]) -> list[int]:
    """Return limits of detections and `BEYOND`, for what `read_result` needs."""
    return [*limits, BEYOND] if limits[-1] < BEYOND else list(limits)


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
            Its limits are those of the totals and, perhaps, one more; see `and_beyond`.
        names: Names of the classes, in the order of the evaluations' category ids.
        totals: Counts to carry along.
    """
    arrays, beyond = dict[IouType, _Arrays](), dict[IouType, Scores]()
    for kind, evaluation in evaluations.items():
        evaluation.accumulate()
        found, limits = evaluation.eval, list(evaluation.params.max_dets)
        assert found is not None, "accumulate() leaves a result"
        whole = _Arrays(found["precision"], found["recall"], limits)
        last = limits.index(totals.limit)
        arrays[kind] = whole.at([*range(last + 1)])
        if totals.crowded and last + 1 < len(limits):
            beyond[kind] = _twelve(*whole.at([*range(last), last + 1]))
    precision, recall, _ = next(iter(arrays.values()))
    return CocoResult(
        scores={kind: _twelve(*found) for kind, found in arrays.items()},
        beyond=beyond,
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


class _Arrays(NamedTuple):
    """What an evaluation accumulates."""

    precision: npt.NDArray[np.float64]
    """(IoU, recall, class, size, limit)."""
    recall: npt.NDArray[np.float64]
    """(IoU, class, size, limit)."""
    limits: list[int]

    def at(self, which: list[int]) -> "_Arrays":
        """Return it for some of the limits."""
        kept = [self.limits[i] for i in which]
        return _Arrays(self.precision[..., which], self.recall[..., which], kept)


def _twelve(
    precision: npt.NDArray[np.float64], recall: npt.NDArray[np.float64], max_dets: Sequence[int]
) -> Scores:
    """Average what `_Arrays` describes, under the last limit."""
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
