"""Box arithmetic on tensors: overlap, clipping, and the deltas a network predicts.

Boxes are ``(..., 4)`` float32 ``(x1, y1, x2, y2)`` in pixels; x2 and y2 are edges, so a box is
``x2 - x1`` wide. The delta parametrisation is that of R-CNN (Girshick et al., 2014, appendix C).
"""

import math

import torch
from torch import Tensor

MAX_LOG_SCALE = math.log(1000 / 16)
"""A delta may enlarge a box at most this much (natural logarithm), so that exp stays finite."""


def area(boxes: Tensor) -> Tensor:
    """Return the area of each box: ``(..., 4)`` to ``(...)``."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the ``(n, m)`` intersection over union of boxes ``a (n, 4)`` and ``b (m, 4)``.

    A box without area overlaps nothing, not even itself. Written with in-place operations: for 50
    objects and 200 000 anchors the matrix itself is the only thing that is large.
    """
    width = torch.minimum(a[:, None, 2], b[:, 2])
    width.sub_(torch.maximum(a[:, None, 0], b[:, 0])).clamp_(min=0)
    height = torch.minimum(a[:, None, 3], b[:, 3])
    height.sub_(torch.maximum(a[:, None, 1], b[:, 1])).clamp_(min=0)
    intersection = width.mul_(height)
    union = (area(a)[:, None] + area(b)).sub_(intersection)
    return intersection.div_(union.clamp_(min=torch.finfo(union.dtype).tiny))


def covered(a: Tensor, b: Tensor) -> Tensor:
    """Return the ``(n, m)`` share of each box ``a (n, 4)`` that lies in each box ``b (m, 4)``."""
    low = torch.maximum(a[:, None, :2], b[:, :2])
    high = torch.minimum(a[:, None, 2:], b[:, 2:])
    common = (high - low).clamp_(min=0).prod(dim=-1)
    return common / area(a)[:, None].clamp(min=torch.finfo(a.dtype).tiny)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Return the generalised IoU of boxes, -1 to 1: ``(..., 4)`` and ``(..., 4)`` to ``(...)``.

    Shapes broadcast. It still falls with the distance where boxes do not touch (Rezatofighi et al.,
    2019). Boxes without area have an IoU of 0.
    """
    tiny = torch.finfo(torch.float32).tiny
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    intersection = (high - low).clamp(min=0).prod(dim=-1)
    union = area(a) + area(b) - intersection
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    hull = (high - low).prod(dim=-1).clamp(min=tiny)
    return intersection / union.clamp(min=tiny) - (hull - union) / hull


def from_centres(boxes: Tensor) -> Tensor:
    """Turn ``(..., 4)`` boxes (centre x, centre y, width, height) into corners."""
    half = boxes[..., 2:] / 2
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], dim=-1)


def to_centres(boxes: Tensor) -> Tensor:
    """Turn ``(..., 4)`` corners into (centre x, centre y, width, height)."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def clip(boxes: Tensor, sizes: Tensor) -> Tensor:
    """Move the corners of boxes into their images.

    Args:
        boxes: ``(n, 4)`` or ``(b, n, 4)``.
        sizes: ``(2,)``, ``(n, 2)`` or, for batched boxes, ``(b, 1, 2)``: (height, width) of the
            image of each box.
    """
    limit = sizes.to(boxes.dtype).flip(-1)
    limit = torch.cat([limit, limit], dim=-1).expand_as(boxes)
    return torch.minimum(boxes.clamp(min=0), limit)


def at_least(boxes: Tensor, side: float) -> Tensor:
    """Return which boxes have both sides of at least ``side`` pixels: ``(..., 4)`` to ``(...)``."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return (sides >= side).all(dim=-1)


def encode(boxes: Tensor, reference: Tensor, weights: tuple[float, ...]) -> Tensor:
    """Return the deltas ``(n, 4)`` that turn ``reference`` into ``boxes``.

    Args:
        boxes: ``(n, 4)`` boxes to reach.
        reference: ``(n, 4)`` boxes to start from: anchors or proposals.
        weights: Factors of (dx, dy, dw, dh), to bring them to unit variance.
    """
    centre, side = _centre_and_side(boxes.float())
    start, scale = _centre_and_side(reference.float())
    deltas = torch.cat([(centre - start) / scale, torch.log(side / scale)], dim=-1)
    return deltas * deltas.new_tensor(weights)


def decode(deltas: Tensor, reference: Tensor, weights: tuple[float, ...]) -> Tensor:
    """Apply predicted ``deltas (..., 4)`` to ``reference (..., 4)``: the inverse of `encode`.

    Computed in float32 whatever the precision of the network.
    """
    deltas = deltas.float()
    deltas = deltas / deltas.new_tensor(weights)
    start, scale = _centre_and_side(reference.float())
    centre = deltas[..., :2] * scale + start
    half = deltas[..., 2:].clamp(max=MAX_LOG_SCALE).exp() * scale * 0.5
    return torch.cat([centre - half, centre + half], dim=-1)


def _centre_and_side(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Split boxes into centres (x, y) and sides (width, height)."""
    side = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * side, side
