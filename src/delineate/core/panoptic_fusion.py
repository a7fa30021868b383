"""From what networks find to one segment a pixel, by the rules that were published.

`fuse` is Panoptic FPN's (Kirillov et al., "Panoptic Feature Pyramid Networks", 2019, as
detectron2's ``combine_semantic_and_instance_outputs`` does it), `things_only` the same without a
stuff head, and `fuse_queries` DETR's (Carion et al., "End-to-End Object Detection with
Transformers", 2020, as its ``PostProcessPanoptic`` does it). A pasted mask is decoded in its own
box, one at a time; of a query's map no more than one is ever at the image's size.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from delineate.core.boxes import Size
from delineate.core.foreign import check_size
from delineate.core.instances import Instances
from delineate.core.panoptic import IdMap, Panoptic, Segment
from delineate.core.panoptic_classes import PanopticClasses
from delineate.errors import DataError


def fuse(
    instances: Instances,
    semantic: npt.ArrayLike,
    classes: PanopticClasses,
    *,
    score_threshold: float = 0.5,
    overlap: float = 0.5,
    stuff_area: int = 4096,
) -> Panoptic:
    """Lay instances over a map of stuff, as Panoptic FPN does.

    Instances are taken by falling score. One of which more than a share is covered by those before
    it is left out, another keeps what is free. Stuff gets what remains, if it is enough.

    Args:
        instances: What was found, with scores and masks; labels are those of the things.
        semantic: ``(h, w)`` whole numbers: 0 for things, 1 + k for stuff k, below 0 for void. In
            Panoptic FPN the argmax of the stuff head.
        classes: What the labels mean.
        score_threshold: Instances below it are left out.
        overlap: Greatest share of an instance that may be covered already.
        stuff_area: Pixels that stuff must have left, in the size of the given map.

    Returns:
        Segments 1, 2 .. in the order in which they were taken: instances with their scores, then
        stuff by rising label.

    Raises:
        DataError: Scores or masks are missing, a label is none of the classes', or the map has
            another size than the instances' image.
    """
    ids, segments = _lay(instances, classes, score_threshold, overlap)
    labels = np.asarray(semantic)
    if labels.shape != ids.shape or labels.dtype.kind not in "iu":
        raise DataError(
            f"stuff must be a map of whole numbers of its image's size {ids.shape}, and "
            f"{labels.dtype} of shape {labels.shape} came: take the argmax over the classes, "
            "resized to the image."
        )
    highest = int(labels.max())
    if highest > len(classes.stuff):
        raise DataError(
            f"stuff must be 0 for things or 1 to {len(classes.stuff)}, the number of classes of "
            f"stuff, and {highest} came: use the class table of the model that made the map."
        )
    free = (ids == 0) & (labels > 0)
    areas = np.bincount(labels[free].astype(np.int64), minlength=1)
    for label in np.flatnonzero(areas).tolist():
        if areas[label] >= stuff_area:
            joint = len(classes.things) + label - 1
            segments.append(Segment(id=len(segments) + 1, label=joint, area=int(areas[label])))
            ids[free & (labels == label)] = len(segments)
    return Panoptic(ids=ids, segments=tuple(segments), classes=classes)


def things_only(
    instances: Instances,
    classes: PanopticClasses,
    *,
    score_threshold: float = 0.5,
    overlap: float = 0.5,
) -> Panoptic:
    """Resolve the overlaps of instances by their scores, for models without a stuff head.

    Args:
        instances: As for `fuse`.
        classes: As for `fuse`; its stuff may be empty.
        score_threshold: As for `fuse`.
        overlap: As for `fuse`.

    Raises:
        DataError: As for `fuse`.
    """
    ids, segments = _lay(instances, classes, score_threshold, overlap)
    return Panoptic(ids=ids, segments=tuple(segments), classes=classes)


def fuse_queries(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    masks: npt.NDArray[np.floating[Any]],
    classes: PanopticClasses,
    *,
    size: Size,
    target: Size | None = None,
    score_threshold: float = 0.85,
    least_area: int = 4,
) -> Panoptic:
    """Give each pixel to the query whose mask is strongest there, as DETR does.

    Queries of the same stuff are merged. Those left with `least_area` pixels or fewer are dropped
    and the pixels given away anew, until none is; what was merged is empty by then and dropped too,
    so that a duplicate's pixels go to whatever other query is strongest: the original's way, with
    which its published numbers were made.

    Args:
        scores: ``(n,)`` probability of each query's best class.
        labels: ``(n,)`` joint label of that class; below 0 for "no object".
        masks: ``(n, mh, mw)`` mask logits. Each is resized to `size` (bilinear) when its turn
            comes; padding below and on the right is stretched with the rest, as in the original.
        classes: What the labels mean.
        size: ``(h, w)`` at which pixels are given to queries: that of the preprocessed image.
        target: ``(h, w)`` of the answer, to which the map is brought by nearest neighbours; None:
            `size`. Areas are counted there.
        score_threshold: A query must exceed it.
        least_area: The greatest area that is too small.

    Returns:
        Segments 1, 2 .. by query. There is no void, unless nothing was found.

    Raises:
        DataError: Shapes do not fit together, a label is none of the classes', or a mask is not
            finite.
    """
    given, kinds, maps = np.asarray(scores), np.asarray(labels), np.asarray(masks)
    size = check_size(size)
    target = size if target is None else check_size(target)
    _check_queries(given, kinds, maps, len(classes))
    kept = np.flatnonzero((given > score_threshold) & (kinds >= 0))
    if not kept.size:
        return Panoptic.empty(target, classes)
    ids = _merged(_strongest(maps, kept, size), kinds[kept], len(classes.things))
    ids = _nearest(ids, target)
    areas = np.bincount(ids.ravel(), minlength=kept.size)
    while (areas <= least_area).any():
        kept = kept[areas > least_area]
        if not kept.size:
            return Panoptic.empty(target, classes)
        ids = _nearest(_strongest(maps, kept, size), target)
        areas = np.bincount(ids.ravel(), minlength=kept.size)
    segments = tuple(
        Segment(id=i + 1, label=int(kinds[k]), area=int(areas[i]), score=float(given[k]))
        for i, k in enumerate(kept.tolist())
    )
    return Panoptic(ids=ids + 1, segments=segments, classes=classes)


def _lay(
    instances: Instances, classes: PanopticClasses, threshold: float, overlap: float
) -> tuple[IdMap, list[Segment]]:
    """Lay instances side by side, the surest first."""
    scores, masks = instances.scores, instances.masks
    if scores is None or masks is None:
        raise DataError(
            "instances to be made panoptic need scores and masks, and these have no "
            f"{'scores' if scores is None else 'masks'}: pass what a model found."
        )
    if len(instances) and int(instances.labels.max()) >= len(classes.things):
        raise DataError(
            f"instances to be made panoptic need labels of the {len(classes.things)} things, and "
            f"{int(instances.labels.max())} came: use the class table of their model."
        )
    ids, segments = np.zeros(instances.image_size, np.int32), list[Segment]()
    for i in np.argsort(-scores, kind="stable").tolist():
        score = float(scores[i])
        if score < threshold:
            break
        crop, (x0, y0) = masks.crop(i)
        below = ids[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]]
        free = crop & (below == 0)
        whole, area = int(np.count_nonzero(crop)), int(np.count_nonzero(free))
        if not area or (whole - area) / whole > overlap:
            continue
        label = int(instances.labels[i])
        segments.append(Segment(id=len(segments) + 1, label=label, area=area, score=score))
        below[free] = len(segments)
    return ids, segments


def _check_queries(
    given: npt.NDArray[Any], kinds: npt.NDArray[Any], maps: npt.NDArray[Any], classes: int
) -> None:
    if maps.ndim != 3 or not given.shape == kinds.shape == maps.shape[:1]:
        raise DataError(
            "queries need (n,) scores, (n,) labels and (n, h, w) masks, and "
            f"{given.shape}, {kinds.shape} and {maps.shape} came: pass one of each a query."
        )
    if kinds.size and int(kinds.max()) >= classes:
        raise DataError(
            f"labels of queries must lie below the {classes} of the class table, and "
            f"{int(kinds.max())} came: translate the model's classes to the table's."
        )


def _strongest(maps: npt.NDArray[Any], kept: npt.NDArray[np.int64], size: Size) -> IdMap:
    """Return which of the kept queries is strongest at each pixel, the first among equals.

    The original takes the softmax over queries before, which changes no order.
    """
    best = np.full(size, -np.inf, np.float32)
    winner = np.zeros(size, np.int32)
    for number, k in enumerate(kept.tolist()):
        level = np.ascontiguousarray(maps[k], np.float32)
        if not np.isfinite(level).all():
            raise DataError(
                f"masks of queries must be finite, and that of query {k} is not: the network has "
                "diverged, or its input was not preprocessed as it expects."
            )
        level = np.asarray(cv2.resize(level, size[::-1], interpolation=cv2.INTER_LINEAR))
        stronger = level > best
        winner[stronger] = number
        np.copyto(best, level, where=stronger)
    return winner


def _merged(ids: IdMap, labels: npt.NDArray[Any], things: int) -> IdMap:
    """Give the pixels of queries of the same stuff to the first of them."""
    first: dict[int, int] = {}
    owner = [k if la < things else first.setdefault(la, k) for k, la in enumerate(labels.tolist())]
    merged: IdMap = np.array(owner, np.int32)[ids]
    return merged


def _nearest(ids: IdMap, size: Sequence[int]) -> IdMap:
    """Resize a map of whole numbers by nearest neighbours, with Pillow's choice of them."""
    if ids.shape == tuple(size):
        return ids
    picture = Image.fromarray(ids).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.array(picture, np.int32)
