"""Which token, and which query, answers for which object."""

from typing import NamedTuple

import torch
from torch import Tensor

from delineate.ops.assignment import cheapest
from delineate.ops.boxes import giou, iou

_REACH = 1.0  # a token may answer for an object whose centre is nearer than this many strides
_SCORE_POWER, _IOU_POWER = 0.5, 4.0


class Matches(NamedTuple):
    """Pairs of one image, ``(p,)`` each."""

    candidate: Tensor
    """int64, which token or query."""
    object: Tensor
    """int64, which object."""
    quality: Tensor
    """float32 in 0..1: the score that a token should give; ones for queries."""


def aligned(
    logits: Tensor,
    boxes: Tensor,
    centres: Tensor,
    strides: Tensor,
    truth: Tensor,
    labels: Tensor,
    *,
    matches: int,
) -> Matches:
    """Give every object the tokens that see it best (Feng et al., TOOD, 2021).

    Tokens in its box, or near its centre, are ranked by ``score ** 0.5 * IoU ** 4``. A token that
    several objects want goes to the one it overlaps most.

    Args:
        logits: ``(n, classes)`` of the tokens of one image.
        boxes: ``(n, 4)`` they predict.
        centres: ``(n, 2)``.
        strides: ``(n,)``.
        truth: ``(objects, 4)``.
        labels: ``(objects,)``.
        matches: Tokens an object, at most.
    """
    if len(truth) == 0:
        none = labels.new_zeros(0)
        return Matches(none, none, truth.new_zeros(0))
    overlap = iou(truth, boxes)
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    half = (truth[:, 2:] - truth[:, :2]) / 2
    reach = torch.maximum(half[:, None], _REACH * strides[:, None])
    near = ((centres - middle[:, None]).abs() < reach).all(dim=2)
    score = logits.t()[labels].sigmoid()
    metric = (score**_SCORE_POWER * overlap.clamp(min=1e-3) ** _IOU_POWER) * near
    best, index = metric.topk(min(matches, len(boxes)), dim=1)
    is_mine = torch.zeros_like(near).scatter_(1, index, best > 0)
    wanted = (overlap + 1e-6).masked_fill(~is_mine, -1)
    most, owner = wanted.max(dim=0)
    token = torch.where(most >= 0)[0]
    owner = owner[token]
    held = metric[owner, token]
    highest = metric.new_zeros(len(truth)).scatter_reduce_(0, owner, held, "amax")
    reached = overlap.new_zeros(len(truth)).scatter_reduce_(0, owner, overlap[owner, token], "amax")
    quality = held / highest[owner].clamp(min=1e-12) * reached[owner]
    return Matches(token, owner, quality)


def bipartite(logits: Tensor, boxes: Tensor, truth: Tensor, labels: Tensor) -> Matches:
    """Give every object one query of its own, at the least cost (Carion et al., DETR, 2020).

    The cost is a focal one of the class and the generalised IoU of the boxes.

    Args:
        logits: ``(k, classes)`` of the queries of one image.
        boxes: ``(k, 4)``.
        truth: ``(objects, 4)``.
        labels: ``(objects,)``.
    """
    score = logits.sigmoid().clamp(1e-6, 1 - 1e-6)
    positive = -0.25 * (1 - score) ** 2 * score.log()
    negative = -0.75 * score**2 * (1 - score).log()
    cost = 2 * (positive - negative).t()[labels] - 3 * giou(truth[:, None], boxes[None])
    which, query = cheapest(cost)
    return Matches(query, which, cost.new_ones(len(query)))
