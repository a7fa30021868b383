"""Non-maximum suppression within groups: among boxes that overlap, the best one stays."""

from torch import Tensor
from torchvision.ops import batched_nms


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
