"""Non-maximum suppression within groups: among boxes that overlap, the best one stays."""

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from delineate.ops.boxes import iou as box_iou


def nms(boxes: Tensor, scores: Tensor, groups: Tensor, *, iou: float, limit: int) -> Tensor:
    """Return the indices of the boxes that stay, best first.

    Boxes of different groups do not suppress each other. Equal scores keep their order.

    Args:
        boxes: ``(n, 4)`` float.
        scores: ``(n,)`` float.
        groups: ``(n,)`` int64: the class, or the pyramid level, of each box.
        iou: A box that overlaps a better one of its group by more than this is dropped.
        limit: Keep at most this many.
    """
    return batched_nms(boxes.float(), scores.float(), groups, iou)[:limit]


def fast_nms(boxes: Tensor, *, iou: float) -> Tensor:
    """Return which boxes stay, ``(groups, n)``, in one step for all (Bolya et al., YOLACT, 2019).

    A box is dropped where it overlaps any better one of its group by more than ``iou``, even one
    that is itself dropped: a little more goes than in `nms`.

    Args:
        boxes: ``(groups, n, 4)``, best first.
        iou: A box that overlaps a better one by more than this is dropped.
    """
    if boxes.numel() == 0:
        return torch.zeros(boxes.shape[:2], dtype=torch.bool, device=boxes.device)
    overlaps = torch.stack([box_iou(group, group) for group in boxes])
    return overlaps.triu_(diagonal=1).amax(dim=1) <= iou
