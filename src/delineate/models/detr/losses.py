"""What DETR minimises, for one layer of the decoder; and for the masks of matched queries."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from delineate.models.detr.matching import Match
from delineate.ops.boxes import from_centres, giou

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0


def set_losses(
    logits: Tensor,
    boxes: Tensor,
    targets: Sequence[tuple[Tensor, Tensor]],
    matches: Sequence[Match],
    *,
    objects: float,
    no_object_weight: float,
    class_weights: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return ``class``, ``box`` and ``giou``, without weights.

    Args:
        logits: ``(b, queries, classes + 1)`` float32, "no object" last.
        boxes: ``(b, queries, 4)`` centre and side, relative to the image.
        targets: Labels ``(n,)`` and boxes ``(n, 4)`` of each image, like those predicted.
        matches: One an image.
        objects: Number of objects in the batch, at least 1, by which sums over objects are divided.
        no_object_weight: Weight in the mean of queries that match nothing, which are most.
        class_weights: ``(classes,)`` by which the share in the mean of the others is multiplied;
            what the mean is divided by does not change, so that "no object" keeps its share.
    """
    nothing = logits.shape[-1] - 1
    wanted = torch.full(logits.shape[:2], nothing, dtype=torch.int64, device=logits.device)
    found_boxes, true_boxes = [], []
    for number, ((labels, true), match) in enumerate(zip(targets, matches, strict=True)):
        wanted[number, match.query] = labels[match.target]
        found_boxes.append(boxes[number, match.query])
        true_boxes.append(true[match.target])
    found, true = torch.cat(found_boxes), torch.cat(true_boxes)
    weight = logits.new_ones(nothing + 1)
    weight[nothing] = no_object_weight
    overlap = giou(from_centres(found), from_centres(true))
    return {
        "class": _class_loss(logits.flatten(0, 1), wanted.flatten(), weight, class_weights),
        "box": (found - true).abs().sum() / objects,
        "giou": (1 - overlap).sum() / objects,
    }


def _class_loss(
    logits: Tensor, wanted: Tensor, weight: Tensor, class_weights: Tensor | None
) -> Tensor:
    """Return the mean cross-entropy by `weight`; class weights raise or lower only the sum."""
    if class_weights is None:
        return F.cross_entropy(logits, wanted, weight)
    weighed = torch.cat([weight[:-1] * class_weights, weight[-1:]])
    mean = F.cross_entropy(logits, wanted, weighed)  # torch divides by the sum of all weights
    return mean * (weighed[wanted].sum() / weight[wanted].sum())


def mask_losses(logits: Tensor, masks: Tensor, *, objects: float) -> dict[str, Tensor]:
    """Return ``mask`` (focal) and ``dice``, without weights.

    Args:
        logits: ``(n, h, w)`` float32 of matched queries, at any size.
        masks: ``(n, H, W)`` truth over the padded input, 0..1, to whose size logits are stretched.
        objects: See `set_losses`.
    """
    size = masks.shape[-2:]
    logits = F.interpolate(logits[:, None], size=size, mode="bilinear", align_corners=False)
    flat, true = logits.flatten(1), masks.to(logits.dtype).flatten(1)
    return {"mask": focal(flat, true).sum() / objects, "dice": dice(flat, true).sum() / objects}


def focal(logits: Tensor, true: Tensor) -> Tensor:
    """Return the mean focal loss (Lin et al., 2017) of each row: ``(n, m)`` to ``(n,)``."""
    entropy = F.binary_cross_entropy_with_logits(logits, true, reduction="none")
    surprise = (logits.sigmoid() - true).abs()  # of 0/1 truth: 1 - p of what is true
    balance = FOCAL_ALPHA * true + (1 - FOCAL_ALPHA) * (1 - true)
    return (balance * surprise**FOCAL_GAMMA * entropy).mean(dim=1)


def dice(logits: Tensor, true: Tensor) -> Tensor:
    """Return the dice loss (Milletari et al., 2016) of each row: ``(n, m)`` to ``(n,)``."""
    found = logits.sigmoid()
    overlap = 2 * (found * true).sum(dim=1)
    return 1 - (overlap + 1) / (found.sum(dim=1) + true.sum(dim=1) + 1)
