"""Semantic quality: how well each pixel's class is known, whatever segment it belongs to.

IoU of a class is the pixels that truth and prediction agree on over those that either gives to it;
the mean is over the classes that occur, as mmsegmentation and torchmetrics take it. hotcoco counts
pixels and divides; kept is one matrix of classes by classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import hotcoco.metrics
import numpy as np
import numpy.typing as npt

from delineate.errors import ClassMismatch, DataError

_UNDEFINED = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticResult:
    """The result of a semantic evaluation: fractions from 0 to 1, -1 where undefined.

    Attributes:
        miou: Mean IoU over the classes in truth or prediction.
        accuracy: Share of the truth's pixels whose class is right.
        mean_accuracy: Mean over the classes in the truth of the share of their pixels found.
        iou: Class name to its IoU.
        images: Images evaluated.
    """

    miou: float
    accuracy: float
    mean_accuracy: float
    iou: Mapping[str, float]
    images: int

    def to_json(self) -> dict[str, Any]:
        """Return ``{"mIoU", "aAcc", "mAcc", "IoU": {name: ..}}``, mmsegmentation's names."""
        return {
            "mIoU": self.miou,
            "aAcc": self.accuracy,
            "mAcc": self.mean_accuracy,
            "IoU": dict(self.iou),
        }


class SemanticMetric:
    """Mean IoU, IoU of classes and pixel accuracy, fed image by image.

    Args:
        names: The classes in the order of their labels, for example `PanopticClasses.names`.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        # Rows are the truth's classes, columns the prediction's; the last of both is void.
        self._confusion = np.zeros((len(self._names) + 1,) * 2, np.uint64)
        self._images = 0

    def update(self, truth: npt.ArrayLike, predicted: npt.ArrayLike) -> None:
        """Add one image.

        Args:
            truth: ``(h, w)`` labels; pixels below 0 are void and not counted.
            predicted: ``(h, w)`` labels; one below 0 is wrong wherever the truth has a class.

        Raises:
            DataError: They are no maps of whole numbers of one size, or a label is none of the
                classes'.
        """
        given = np.asarray(truth), np.asarray(predicted)
        if any(m.dtype.kind not in "iu" for m in given) or given[0].shape != given[1].shape:
            raise DataError(
                "expected two maps of whole numbers of one size, got "
                f"{given[0].dtype} of shape {given[0].shape} and {given[1].dtype} of shape "
                f"{given[1].shape}: take the argmax, at the image's own size."
            )
        void = len(self._names)
        if any(m.size and int(m.max()) >= void for m in given):
            highest = max(int(m.max()) for m in given if m.size)
            raise DataError(
                f"expected labels below the {void} classes, got {highest}: use one class table, "
                "and -1 for void."
            )
        ignored = void + 1
        self._confusion += hotcoco.metrics.pixel_confusion(
            np.where(given[0] < 0, ignored, given[0]),
            np.where(given[1] < 0, void, given[1]),
            void + 1,
            ignore_index=ignored,
        )
        self._images += 1

    def merge(self, other: Self) -> None:
        """Add all images of `other`, a metric of the same classes.

        Raises:
            ClassMismatch: Its classes are others.
        """
        if other._names != self._names:
            raise ClassMismatch(
                f"expected a metric of the same {len(self._names)} classes, got one of "
                f"{len(other._names)} other ones: make both with one class table."
            )
        self._confusion += other._confusion
        self._images += other._images

    def compute(self) -> SemanticResult:
        """Return the numbers over all images so far; more may be added afterwards."""
        measured = hotcoco.metrics.mean_iou(self._confusion)
        iou, accuracy = (measured[key][: len(self._names)] for key in ("IoU", "Acc"))
        return SemanticResult(
            miou=_mean(iou),
            accuracy=measured["aAcc"],
            mean_accuracy=_mean(accuracy),
            iou=dict(zip(self._names, iou, strict=True)),
            images=self._images,
        )


def _mean(values: Sequence[float]) -> float:
    """Return the mean of what is defined."""
    defined = [value for value in values if value > _UNDEFINED]
    return float(np.mean(defined)) if defined else _UNDEFINED
