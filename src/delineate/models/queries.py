"""What networks with queries return: one map over the whole image for each object."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.core.decode_maps import decode_maps
from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.panoptic import Panoptic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.core.panoptic_fusion import fuse_queries
from delineate.errors import ModelError
from delineate.ops.boxes import iou


class QueryMasks(NamedTuple):
    """Detections of a batch, ordered by image, best first, each with a map of its whole image."""

    image: Tensor
    """``(k,)`` int64, which image of the batch."""
    boxes: Tensor
    """``(k, 4)`` float32 xyxy in pixels of the network's input, inside the unpadded image."""
    scores: Tensor
    """``(k,)`` float32 in 0..1."""
    labels: Tensor
    """``(k,)`` int64, 0..C-1."""
    query: Tensor
    """``(k,)`` int64, which of the network's queries; the fusion of panoptic images needs it."""
    maps: Tensor
    """``(k, mh, mw)`` float32 logits over the padded input; ``(k, 0, 0)`` of boxes alone."""
    padded: Tensor
    """``(2,)`` int64 (height, width) of the padded input."""


def to_instances(
    raw: QueryMasks, where: Sequence[Geometry], *, things: int | None
) -> list[Instances]:
    """Bring boxes and maps into the original images.

    Args:
        raw: Detections of a batch.
        where: How each original image became the network's input.
        things: Labels below it are objects, the others are stuff and left out; None: all are.
    """
    image, boxes, scores, labels, _, maps, padded = (part.detach().cpu().numpy() for part in raw)
    results = []
    for number, geometry in enumerate(where):
        here = image == number
        if things is not None:
            here &= labels < things
        height, width = size = geometry.source
        original = geometry.inverse().boxes(boxes[here])
        masks = None
        if maps.shape[-1]:
            valid = geometry.target
            masks = decode_maps(maps[here], padded=_size(padded), valid=valid, size=size)
        results.append(
            Instances(
                image_size=size,
                boxes=np.clip(original, 0, [width, height, width, height]).astype(np.float32),
                labels=labels[here],
                scores=scores[here],
                masks=masks,
            )
        )
    return results


def to_panoptic(
    raw: QueryMasks,
    where: Sequence[Geometry],
    *,
    classes: PanopticClasses,
    score_threshold: float,
) -> list[Panoptic]:
    """Give every pixel of the original images to one query; see `fuse_queries`.

    Args:
        raw: Detections of a batch.
        where: How each original image became the network's input.
        classes: What the labels mean, those of stuff after those of things.
        score_threshold: Queries must exceed it.

    Raises:
        ModelError: The model gave boxes alone.
    """
    if not raw.maps.shape[-1]:
        raise ModelError(
            "expected a model with masks to answer with panoptic images, got one of boxes alone: "
            "set its option `masks`, or load panoptic weights."
        )
    image, _, scores, labels, query, maps, _ = (part.detach().cpu().numpy() for part in raw)
    results = []
    for number, geometry in enumerate(where):
        here = np.flatnonzero(image == number)
        here = here[query[here].argsort()]  # of equal stuff the first query stays, not the best
        results.append(
            fuse_queries(
                scores[here],
                labels[here],
                maps[here],
                classes,
                size=geometry.target,
                target=geometry.source,
                score_threshold=score_threshold,
            )
        )
    return results


def split_classes(classes: ClassMap, things: int) -> PanopticClasses:
    """Tell things, the first of the classes, from stuff, the others; labels stay as they are."""
    names, ids = classes.names, classes.source_ids
    return PanopticClasses(
        ClassMap(names[:things], ids[:things]), ClassMap(names[things:], ids[things:])
    )


ALIKE = 0.98
"""Mean overlap with the first one from which all boxes or masks of an image count as alike."""


def collapse_warning(raw: QueryMasks) -> str | None:
    """Return a sentence if the queries say the same thing in every image, as a failed training has.

    Boxes, or masks where there are any, are alike when on average they overlap the best one by
    `ALIKE`. Images with fewer than two detections tell nothing.

    Args:
        raw: Detections of a batch, of a model whose threshold lets most queries through.
    """
    told, boxes_alike, masks_alike = False, True, raw.maps.shape[-1] > 0
    for number in raw.image.unique().tolist():
        here = raw.image == number
        if int(here.sum()) < 2:
            continue
        told = True
        boxes = raw.boxes[here]
        boxes_alike &= float(iou(boxes[:1], boxes[1:]).mean()) >= ALIKE
        masks_alike &= masks_alike and _overlap(raw.maps[here] > 0) >= ALIKE
    if not told or not (boxes_alike or masks_alike):
        return None
    return (
        f"all queries give nearly the same {'masks' if masks_alike else 'boxes'}: the queries have "
        "collapsed; lower the learning rate, clip the gradient, or train boxes first."
    )


def _overlap(masks: Tensor) -> float:
    """Return the mean IoU of ``(n, ...)`` masks, except the first, with the first."""
    first, others = masks[:1].flatten(1), masks[1:].flatten(1)
    union = (first | others).sum(dim=1)
    overlap = (first & others).sum(dim=1) / union.clamp(min=1)
    return float(torch.where(union > 0, overlap, 1.0).mean())


def _size(pair: np.ndarray) -> Size:
    return int(pair[0]), int(pair[1])
