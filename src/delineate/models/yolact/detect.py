"""Which of YOLACT's anchors become detections: suppression in the three ways of the original."""

from typing import NamedTuple

import torch
from torch import Tensor

from delineate.models.yolact.config import YolactConfig
from delineate.ops.nms import fast_nms, nms

Chosen = tuple[Tensor, Tensor, Tensor]
"""Numbers of candidates, their labels, their scores; best first."""


class Detections(NamedTuple):
    """Detections of one image, best first."""

    boxes: Tensor
    """``(n, 4)`` xyxy in pixels of the network's input, which they may leave."""
    scores: Tensor
    """``(n,)`` probabilities of the class."""
    labels: Tensor
    """``(n,)`` int64, 0..C-1."""
    coefficients: Tensor
    """``(n, k)``."""


def detect(
    boxes: Tensor, probabilities: Tensor, coefficients: Tensor, config: YolactConfig
) -> Detections:
    """Choose detections of one image.

    Args:
        boxes: ``(n, 4)`` decoded boxes.
        probabilities: ``(n, 1 + C)``, the background first.
        coefficients: ``(n, k)``.
        config: Its section of detections.
    """
    scores = probabilities[:, 1:]
    candidates = torch.where(scores.amax(dim=1) > config.score_threshold)[0]
    boxes, scores = boxes[candidates], scores[candidates]
    choose = {"fast": _fast, "cross_class": _cross_class, "traditional": _traditional}
    index, labels, best = choose[config.nms](boxes, scores, config)
    limit = config.detections_per_image
    index, labels, best = index[:limit], labels[:limit], best[:limit]
    return Detections(boxes[index], best, labels, coefficients[candidates[index]])


def _fast(boxes: Tensor, scores: Tensor, config: YolactConfig) -> Chosen:
    """Suppress in each class; every candidate runs for every class, however low its score there."""
    ranked, order = scores.t().sort(dim=1, descending=True)
    ranked, order = ranked[:, : config.pre_nms], order[:, : config.pre_nms]
    labels, place = torch.where(fast_nms(boxes[order], iou=config.nms_iou))
    best, rank = ranked[labels, place].sort(descending=True)
    return order[labels, place][rank], labels[rank], best


def _cross_class(boxes: Tensor, scores: Tensor, config: YolactConfig) -> Chosen:
    """Give each candidate its best class, and suppress whatever the class."""
    if not len(boxes):
        return _none(scores)
    best, labels = scores.max(dim=1)
    order = best.argsort(descending=True)[: config.pre_nms]
    order = order[fast_nms(boxes[order][None], iou=config.nms_iou)[0]]
    return order, labels[order], best[order]


def _traditional(boxes: Tensor, scores: Tensor, config: YolactConfig) -> Chosen:
    """Suppress in each class one after the other, best first, only what exceeds the threshold.

    The original counts pixels: a box from 2 to 4 is 3 wide, and an overlap just at the limit
    suppresses.
    """
    if not len(boxes):
        return _none(scores)
    if config.pre_nms_traditional:
        best = scores.argsort(dim=0, descending=True, stable=True)[: config.pre_nms_traditional]
        scores = torch.zeros_like(scores).scatter(0, best, scores.gather(0, best))
    index, labels = torch.where(scores > config.score_threshold)
    best = scores[index, labels]
    counted = boxes[index] - boxes.min()  # above 0, which keeps classes apart in `nms`
    counted[:, 2:] += 1
    just_below = torch.nextafter(torch.tensor(config.nms_iou), torch.tensor(0.0)).item()
    keep = nms(counted, best, labels, iou=just_below, limit=config.detections_per_image)
    return index[keep], labels[keep], best[keep]


def _none(scores: Tensor) -> Chosen:
    nothing = torch.zeros(0, dtype=torch.int64, device=scores.device)
    return nothing, nothing, scores.new_zeros(0)
