"""What a model's predictions say about the labels of one image, in numbers; no verdict yet."""

from typing import NamedTuple

import numpy as np

from delineate.core import boxes
from delineate.core.boxes import Boxes
from delineate.core.instances import Instances
from delineate.quality.calibration import Bools, Floats, Ints

SAME_OBJECT = 0.5
"""IoU from which a prediction is about an object."""

_TOUCHES = 0.1  # IoU from which it has noticed the object
_PART = 0.5  # share of the smaller of two regions of one class in the other: a part of it, a group


class Said(NamedTuple):
    """What became of n predictions.

    Attributes:
        labels: (n,) their classes.
        scores: (n,) how sure the model is.
        boxes: (n, 4) where they are.
        right: (n,) whether it found an object of its class that no surer one has found.
        misnamed: (n,) whether it is about an object of another class, and not right.
        alone: (n,) whether nothing is annotated there, crowds included.
    """

    labels: Ints
    scores: Floats
    boxes: Boxes
    right: Bools
    misnamed: Bools
    alone: Bools


class Labelled(NamedTuple):
    """What the predictions say of m labels; crowd regions have no rows.

    Attributes:
        labels: (m,) their classes.
        positions: (m,) of the objects among all of the image.
        areas: (m,) in square pixels.
        noticed: (m,) whether any prediction touches the object.
        own: (m,) score of the surest prediction of the same object and class, 0 without.
        other: (m,) score of the surest of the same object and another class that is not right
            about another object, 0 without.
        other_label: (m,) the class that it says.
        drawn: (m,) score of the surest of its class that shows where the object is, be the
            overlap less than `SAME_OBJECT`; 0 without.
        overlap: (m,) the IoU of that one.
    """

    labels: Ints
    positions: Ints
    areas: Floats
    noticed: Bools
    own: Floats
    other: Floats
    other_label: Ints
    drawn: Floats
    overlap: Floats


def opinion(truth: Instances, predicted: Instances) -> tuple[Said, Labelled]:
    """Compare the labels of an image with what a model sees there.

    Overlap is that of the masks where both sides have them, else that of the boxes.

    Args:
        truth: The labels.
        predicted: The predictions with their scores; their labels index the same classes.
    """
    assert predicted.scores is not None, "predictions carry scores"
    scores = predicted.scores.astype(np.float64)
    crowd = np.zeros(len(truth), dtype=bool) if truth.crowd is None else truth.crowd
    objects, regions = truth[~crowd], truth[crowd]
    iou, part = _overlaps(predicted, objects)
    same = predicted.labels[:, None] == objects.labels[None]
    about = iou >= SAME_OBJECT
    touches = (iou >= _TOUCHES) | (same & (part >= _PART))
    in_crowd = (_overlaps(predicted, regions)[1] >= _PART).any(axis=1)
    right = _right(np.where(about & same, iou, 0), scores)
    said = Said(
        labels=predicted.labels,
        scores=scores,
        boxes=predicted.boxes,
        right=right,
        misnamed=~right & (about & ~same).any(axis=1),
        alone=~touches.any(axis=1) & ~in_crowd,
    )
    own, own_row = _surest(about & same, scores)
    loose, loose_row = _surest(touches & same & ~right[:, None], scores)
    other, other_row = _surest(about & ~same & ~right[:, None], scores)
    return said, Labelled(
        labels=objects.labels,
        positions=np.flatnonzero(~crowd),
        areas=_areas(objects),
        noticed=touches.any(axis=0),
        own=own,
        other=other,
        other_label=np.append(predicted.labels, 0)[other_row],
        drawn=np.where(own > 0, own, loose),
        overlap=np.append(iou, np.zeros((1, len(objects))), axis=0)[
            np.where(own > 0, own_row, loose_row), np.arange(len(objects))
        ],
    )


def _overlaps(predicted: Instances, objects: Instances) -> tuple[Floats, Floats]:
    """Return (n, m) intersection over union, and over the smaller of the two."""
    if predicted.masks is None or objects.masks is None:
        iou = boxes.iou(predicted.boxes, objects.boxes)
        a, b = boxes.area(predicted.boxes), boxes.area(objects.boxes)
    else:
        iou = predicted.masks.iou(objects.masks)
        a, b = _areas(predicted), _areas(objects)
    shared = iou / (1 + iou) * (a[:, None] + b[None])
    return iou, shared / np.minimum(a[:, None], b[None]).clip(1)


def _areas(instances: Instances) -> Floats:
    if instances.masks is None:
        return boxes.area(instances.boxes)
    return instances.masks.areas.astype(np.float64)


def _right(overlap: Floats, scores: Floats) -> Bools:
    """Return (n,) which predictions get an object, the surest first, each the one it fits best."""
    right = np.zeros(len(scores), dtype=bool)
    free = np.ones(overlap.shape[1], dtype=bool)
    for i in np.argsort(-scores, kind="stable").tolist():
        fits = overlap[i] * free
        if fits.any():
            free[int(np.argmax(fits))] = False
            right[i] = True
    return right


def _surest(allowed: Bools, scores: Floats) -> tuple[Floats, Ints]:
    """Return (m,) the highest score among the allowed predictions, 0 without, and its row."""
    if not len(scores):
        return np.zeros(allowed.shape[1]), np.zeros(allowed.shape[1], dtype=np.int64)
    chosen = np.where(allowed, scores[:, None], 0)
    return chosen.max(axis=0), chosen.argmax(axis=0)
