"""Which query answers for which object: the cheapest assignment of one to one."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from delineate.ops.assignment import cheapest
from delineate.ops.boxes import from_centres, giou


class Match(NamedTuple):
    """The pairs of one image, by rising number of the query."""

    query: Tensor
    """``(n,)`` int64."""
    target: Tensor
    """``(n,)`` int64."""


@torch.no_grad()
def match_boxes(
    logits: Tensor,
    boxes: Tensor,
    targets: Sequence[tuple[Tensor, Tensor]],
    *,
    class_cost: float,
    box_cost: float,
    giou_cost: float,
) -> list[Match]:
    """Match by class and box (Carion et al., 2020, equations 1 and 2).

    Args:
        logits: ``(b, queries, classes + 1)``, "no object" last.
        boxes: ``(b, queries, 4)`` centre and side, relative to the image.
        targets: Labels ``(n,)`` and boxes ``(n, 4)`` of each image, like those predicted.
        class_cost: Weight of minus the probability of the object's class.
        box_cost: Weight of the L1 distance.
        giou_cost: Weight of minus the generalised IoU.
    """
    matches = []
    for scores, found, (labels, wanted) in zip(logits.softmax(-1), boxes, targets, strict=True):
        corners = giou(from_centres(found)[:, None], from_centres(wanted)[None])
        cost = box_cost * torch.cdist(found, wanted, p=1)
        cost += class_cost * -scores[:, labels] + giou_cost * -corners
        matches.append(Match(*cheapest(cost)))
    return matches
