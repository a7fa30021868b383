"""Which prediction found which object of one image: the greedy matching of COCO at one IoU."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.core import boxes
from delineate.core.instances import Instances


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """How the predictions and the truth of one image correspond.

    Attributes:
        truth_of: (n,) the truth that each prediction found, -1 where it found none.
        nearest: (n,) that truth; where none was found, the object of any class with the highest
            overlap, -1 where the image has no objects.
        overlap: (n,) IoU with `nearest`, 0 without.
        excused: (n,) False alarms inside a crowd region of their class: neither right nor wrong.
        missed: (k,) the objects that no prediction found; crowd regions are never missed.
    """

    truth_of: npt.NDArray[np.int64]
    nearest: npt.NDArray[np.int64]
    overlap: npt.NDArray[np.float64]
    excused: npt.NDArray[np.bool_]
    missed: npt.NDArray[np.int64]

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """(n,) True positives."""
        return np.asarray(self.truth_of >= 0)

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """(n,) False positives."""
        return np.asarray(~self.found & ~self.excused)


def match(truth: Instances, predicted: Instances, *, iou: float = 0.5) -> Matches:
    """Match predictions to objects of their class, the surest prediction first.

    Each takes the object with the highest overlap of at least `iou` that is still free.
    Overlap is that of the masks where both sides have them, else that of the boxes.

    Args:
        truth: The m annotated objects and crowd regions.
        predicted: n predictions with scores.
        iou: The least overlap of a match.
    """
    assert predicted.scores is not None, "predictions carry scores"
    crowd = np.zeros(len(truth), dtype=bool) if truth.crowd is None else truth.crowd
    overlaps = _overlaps(truth, predicted, crowd)
    same_class = predicted.labels[:, None] == truth.labels[None]
    fits = same_class & (overlaps >= iou)
    excusable = (fits & crowd).any(axis=1)
    free = ~crowd
    truth_of = np.full(len(predicted), -1, dtype=np.int64)
    for i in np.argsort(-predicted.scores, kind="stable"):
        candidates = np.flatnonzero(fits[i] & free)
        if candidates.size:
            truth_of[i] = candidates[np.argmax(overlaps[i, candidates])]
            free[truth_of[i]] = False
    nearest, overlap = _nearest(overlaps, crowd, truth_of)
    return Matches(
        truth_of=truth_of,
        nearest=nearest,
        overlap=overlap,
        excused=excusable & (truth_of < 0),
        missed=np.flatnonzero(free),
    )


def _nearest(
    overlaps: npt.NDArray[np.float64],
    crowd: npt.NDArray[np.bool_],
    truth_of: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    if crowd.all():
        return truth_of, np.zeros(len(truth_of))
    objects = np.where(crowd, -1.0, overlaps)
    nearest = np.where(truth_of >= 0, truth_of, objects.argmax(axis=1))
    return nearest, overlaps[np.arange(len(nearest)), nearest]


def _overlaps(
    truth: Instances, predicted: Instances, crowd: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    if truth.masks is None or predicted.masks is None:
        return boxes.iou(predicted.boxes, truth.boxes, crowd)
    return predicted.masks.iou(truth.masks, crowd)
