"""The losses of YOLACT: boxes, classes, masks made of prototypes, semantics, mask quality.

All but the semantic one are sums over the batch divided by its number of positive anchors.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from delineate.models.api import Target
from delineate.models.yolact.config import YolactConfig
from delineate.models.yolact.head import MaskIoUNet, Predictions, crop
from delineate.ops.boxes import covered, encode, iou
from delineate.ops.losses import class_focal, slot_weights, smooth_l1
from delineate.ops.masks import masks_at_stride, masks_on_grid
from delineate.ops.matching import BACKGROUND, IGNORED, give_each_its_best, match

DELTA_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""Inverse of SSD's variances 0.1 and 0.2."""
CROWD_COVER = 0.7
"""An anchor that lies in a crowd region by more than this share is no example of background."""
SMALLEST_MASK = 25
"""Masks of up to so many prototype cells teach nothing about the quality of masks."""


def match_priors(priors: Tensor, target: Target, config: YolactConfig) -> Tensor:
    """Return the object of each anchor, `BACKGROUND` or `IGNORED`: ``(n,)`` int64."""
    quality = iou(target.boxes, priors)
    matched = match(quality, high=config.match_high, low=config.match_low, keep_best=False)
    matched = give_each_its_best(matched, quality)
    if target.crowds is not None and len(target.crowds):
        in_crowd = covered(priors, target.crowds).amax(dim=1) > CROWD_COVER
        matched[in_crowd & (matched < 0)] = IGNORED
    return matched


def box_loss(deltas: Tensor, priors: Tensor, targets: Sequence[Target], matched: Tensor) -> Tensor:
    """Return the smooth L1 distance of the boxes of positive anchors, a positive.

    Args:
        deltas: ``(b, n, 4)``.
        priors: ``(n, 4)``.
        targets: b truths.
        matched: ``(b, n)``, see `match_priors`.
    """
    positive = matched >= 0
    wanted = [
        encode(target.boxes[owner[owner >= 0]], priors[owner >= 0], DELTA_WEIGHTS)
        for target, owner in zip(targets, matched, strict=True)
    ]
    return smooth_l1(deltas[positive], torch.cat(wanted), beta=1.0, examples=int(positive.sum()))


def class_loss(
    logits: Tensor,
    targets: Sequence[Target],
    matched: Tensor,
    config: YolactConfig,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return the loss of the classes, a positive, over all anchors or the hardest of them.

    Args:
        logits: ``(b, n, 1 + C)``, the background first.
        targets: b truths.
        matched: ``(b, n)``, see `match_priors`.
        config: Says which: ``"focal"`` takes all anchors, ``"hard_negatives"`` the positives and,
            of each image, a few times as many negatives that look most like an object (Liu et al.,
            SSD, 2016).
        class_weights: ``(C,)``, see `SegModel.losses`.
    """
    logits, weights = logits.float(), slot_weights(class_weights, background=0)
    slots = torch.zeros_like(matched)
    for row, target, owner in zip(slots, targets, matched, strict=True):
        row[owner >= 0] = target.labels[owner[owner >= 0]] + 1
    positives = max(int((matched >= 0).sum()), 1)
    if config.class_loss == "focal":
        known = matched != IGNORED
        options = {"gamma": config.focal_gamma, "alpha": config.focal_alpha}
        return class_focal(logits[known], slots[known], weights, **options) / positives
    chosen = (matched >= 0) | hardest(logits, matched, config.negatives_per_positive)
    return F.cross_entropy(logits[chosen], slots[chosen], weights, reduction="sum") / positives


@torch.no_grad()
def hardest(logits: Tensor, matched: Tensor, ratio: int) -> Tensor:
    """Return the negatives that look most like an object, ``(b, n)`` bool.

    Args:
        logits: ``(b, n, 1 + C)``.
        matched: ``(b, n)``.
        ratio: How many there are of an image at most, in multiples of its positives.
    """
    looks = torch.logsumexp(logits, dim=2) - logits[:, :, 0]
    looks = looks.masked_fill(matched != BACKGROUND, 0)
    chosen = torch.zeros_like(matched, dtype=torch.bool)
    for row, look, owner in zip(chosen, looks, matched, strict=True):
        count = min(ratio * int((owner >= 0).sum()), len(owner) - 1)
        row[look.topk(count).indices] = True
    return chosen & (matched == BACKGROUND)


def mask_losses(
    predictions: Predictions,
    prototypes: Tensor,
    mask_iou: MaskIoUNet | None,
    targets: Sequence[Target],
    matched: Tensor,
    *,
    size: tuple[int, int],
    config: YolactConfig,
) -> tuple[Tensor, Tensor]:
    """Return the loss of the masks and that of their quality, each a positive.

    A mask is compared everywhere, but predicted only within its true box, one cell wider. The mean
    is taken over the area of that box, so that small objects count as much as large ones.

    Args:
        predictions: Of the head.
        prototypes: ``(b, k, h, w)``.
        mask_iou: The network that tells the quality, if there is one.
        targets: b truths, with masks.
        matched: ``(b, n)``, see `match_priors`.
        size: (height, width) of the network's input.
        config: Says how many masks of an image are looked at.
    """
    grid = (prototypes.shape[2], prototypes.shape[3])
    to_cells = prototypes.new_tensor([grid[1] / size[1], grid[0] / size[0]] * 2).float()
    total = predictions.coefficients.sum().float() * 0  # a gradient of 0 where nothing is positive
    shown, labels, overlaps = [], [], []
    for number, target in enumerate(targets):
        anchors = torch.where(matched[number] >= 0)[0]
        found = len(anchors)
        if not found:
            continue
        if found > config.mask_samples:
            order = torch.randperm(found, device=anchors.device)
            anchors = anchors[order[: config.mask_samples]]
        owner = matched[number, anchors]
        true = true_masks(target, size, grid, soft=config.soft_masks)[owner]
        boxes = target.boxes[owner] * to_cells
        coefficients = predictions.coefficients[number, anchors].float()
        masks = crop(combine(coefficients, prototypes[number].float()), boxes)
        loss = F.binary_cross_entropy(masks, true, reduction="none").sum(dim=(1, 2))
        sides = boxes[:, 2:] - boxes[:, :2]
        total = total + (loss / sides[:, 0] / sides[:, 1]).sum() * (found / len(anchors))
        large = true.sum(dim=(1, 2)) > SMALLEST_MASK
        shown.append(masks[large])
        labels.append(target.labels[owner[large]])
        overlaps.append(_overlap(masks[large] > 0.5, true[large] > 0.5))
    positives = max(int((matched >= 0).sum()), 1)
    if mask_iou is None or not shown:
        return total / positives, prototypes.sum().float() * 0
    guesses = mask_iou(torch.cat(shown), torch.cat(labels)).float()
    quality = F.smooth_l1_loss(guesses, torch.cat(overlaps), reduction="sum")
    return total / positives, quality / positives


def true_masks(
    target: Target, size: tuple[int, int], grid: tuple[int, int], *, soft: bool
) -> Tensor:
    """Return the masks of a truth on the grid of the prototypes: ``(n, h, w)`` float32.

    Args:
        target: With masks.
        size: (height, width) of the network's input.
        grid: Of the prototypes.
        soft: Say which share of each cell is covered; otherwise 0 or 1, by the bilinear value at
            its centre, as the original does.
    """
    if not soft:
        return (masks_on_grid(*target.masks, size, grid) > 0.5).float()
    stride = round(size[0] / grid[0])
    if grid == tuple(-(-side // stride) for side in size):
        return masks_at_stride(*target.masks, size, stride=stride)
    return masks_on_grid(*target.masks, size, grid)


def semantic_loss(logits: Tensor, targets: Sequence[Target], size: tuple[int, int]) -> Tensor:
    """Return the cross-entropy of ``logits (b, C, h, w)``: which classes are where, an image.

    It is summed over the classes and averaged over the cells.

    Args:
        logits: Of every class for itself; there is no background.
        targets: b truths, with masks.
        size: (height, width) of the network's input.
    """
    grid = (logits.shape[2], logits.shape[3])
    wanted = torch.zeros_like(logits, dtype=torch.float32)
    for planes, target in zip(wanted, targets, strict=True):
        masks = masks_on_grid(*target.masks, size, grid) > 0.5
        for label, mask in zip(target.labels.tolist(), masks, strict=True):
            planes[label][mask] = 1
    loss = F.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="sum")
    return loss / (grid[0] * grid[1] * len(logits))


def combine(coefficients: Tensor, prototypes: Tensor) -> Tensor:
    """Return ``(n, h, w)`` probabilities from ``(n, k)`` and ``(k, h, w)``."""
    return torch.einsum("nk,khw->nhw", coefficients, prototypes).sigmoid()


@torch.no_grad()
def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return the intersection over union ``(n,)`` of boolean masks ``(n, h, w)`` in pairs."""
    common, either = (a & b).sum(dim=(1, 2)), (a | b).sum(dim=(1, 2))
    return common / either.clamp(min=1)
