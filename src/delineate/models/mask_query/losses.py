"""Losses of a set prediction: how good is each answer, where is its box, which pixels are its.

Scores learn the IoU of what is answered, so that the best drawn object ranks first (varifocal loss,
Zhang et al., VarifocalNet, 2021); boxes learn the generalised IoU; masks the cross-entropy and the
dice loss, at points of a grid around the true object: as many for a small object as for a large.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from delineate.models.api import Target
from delineate.models.mask_query.config import MaskQueryConfig
from delineate.models.mask_query.decoder import Answer
from delineate.models.mask_query.masks import enlarge, mask_logits, sample_windows
from delineate.models.mask_query.matching import Matches, aligned, bipartite
from delineate.models.mask_query.tokens import Queries, Tokens
from delineate.ops.boxes import giou
from delineate.ops.roi import crop_masks


class Truth(NamedTuple):
    """The objects of a batch, one after the other, and what their masks are learned from."""

    boxes: Tensor
    """``(o, 4)``."""
    labels: Tensor
    """``(o,)`` int64."""
    features: Tensor
    """``(o, p, mask channels + 2)`` mask features at the points of each object's grid."""
    points: Tensor
    """``(o, p, 2)``."""
    inside: Tensor
    """``(o, p)`` float32: share of the mask around each point."""
    drawn: Tensor
    """``(o,)`` bool: whether the object has a mask."""
    first: list[int]
    """Number of the first object of each image."""


class Pairs(NamedTuple):
    """Matches of a batch: which answer of which image is for which object, ``(p,)`` each."""

    image: Tensor
    candidate: Tensor
    object: Tensor
    quality: Tensor


def gather_truth(targets: Sequence[Target], features: Tensor, size: int) -> Truth:
    """Lay a grid of ``size x size`` points around every object of a batch."""
    boxes = torch.cat([target.boxes for target in targets])
    counts = [len(target.boxes) for target in targets]
    image = torch.arange(len(targets), device=boxes.device).repeat_interleave(
        torch.tensor(counts, device=boxes.device)
    )
    windows = enlarge(boxes)
    read, points = sample_windows(features, windows, image, size)
    inside = boxes.new_zeros((len(boxes), size, size))
    for number, target in enumerate(targets):
        here = torch.where(image == number)[0]
        if target.masks is not None and len(here) > 0:
            every = torch.arange(len(here), device=boxes.device)
            # `crop_masks` is half a pixel off, as mask losses of old are.
            inside[here] = crop_masks(*target.masks, every, windows[here] - 0.5, size)
    has_mask = torch.tensor([t.masks is not None for t in targets], device=boxes.device)
    starts = [sum(counts[:number]) for number in range(len(counts))]
    labels = torch.cat([target.labels for target in targets])
    return Truth(boxes, labels, read, points, inside.flatten(1), has_mask[image], starts)


def token_losses(
    tokens: Tokens,
    targets: Sequence[Target],
    truth: Truth,
    config: MaskQueryConfig,
    class_weights: Tensor | None = None,
) -> tuple[dict[str, Tensor], Pairs]:
    """Return ``token_class`` and ``token_box``, and which tokens answer for which object."""
    found = [
        aligned(
            tokens.logits[number].detach(),
            tokens.boxes[number].detach(),
            tokens.centres,
            tokens.strides,
            target.boxes,
            target.labels,
            matches=config.token_matches,
        )
        for number, target in enumerate(targets)
    ]
    pairs = join(found, truth)
    wanted = torch.zeros_like(tokens.logits)
    wanted[pairs.image, pairs.candidate, truth.labels[pairs.object]] = pairs.quality
    total = pairs.quality.sum().clamp(min=1)
    apart = 1 - giou(tokens.boxes[pairs.image, pairs.candidate], truth.boxes[pairs.object])
    scores = varifocal(tokens.logits, wanted, class_weights)
    losses = {
        "token_class": config.class_weight * scores.sum() / total,
        "token_box": config.box_weight * (apart * pairs.quality).sum() / total,
    }
    return losses, pairs


def query_pairs(queries: Queries, pairs: Pairs, tokens: int) -> Pairs:
    """Return the pairs of those tokens that became queries, by the number of the query."""
    images, count = queries.token.shape
    place = queries.token.new_full((images, tokens), -1)
    number = torch.arange(count, device=place.device).expand(images, -1)
    row, column = torch.where(queries.there)
    place[row, queries.token[row, column]] = number[row, column]
    query = place[pairs.image, pairs.candidate]
    kept = query >= 0
    return Pairs(pairs.image[kept], query[kept], pairs.object[kept], pairs.quality[kept])


def match_queries(answer: Answer, there: Tensor, targets: Sequence[Target], truth: Truth) -> Pairs:
    """Match the queries of each image with its objects, one to one."""
    found = []
    for number, target in enumerate(targets):
        here = torch.where(there[number])[0]
        logits, boxes = answer.logits[number, here].detach(), answer.boxes[number, here].detach()
        pairs = bipartite(logits, boxes, target.boxes, target.labels)
        found.append(pairs._replace(candidate=here[pairs.candidate]))
    return join(found, truth)


def answer_losses(
    answer: Answer,
    there: Tensor,
    pairs: Pairs,
    truth: Truth,
    config: MaskQueryConfig,
    class_weights: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return ``class``, ``box``, ``mask`` and ``dice`` of one stage of the decoder."""
    losses, quality = mask_losses(answer, pairs, truth, config)
    boxes, wanted_boxes = answer.boxes[pairs.image, pairs.candidate], truth.boxes[pairs.object]
    apart = 1 - giou(boxes, wanted_boxes)
    quality = torch.where(truth.drawn[pairs.object], quality, (1 - apart.detach()).clamp(min=0))
    wanted = torch.zeros_like(answer.logits)
    wanted[pairs.image, pairs.candidate, truth.labels[pairs.object]] = quality.clamp(min=0.05)
    count = max(len(pairs.object), 1)
    scores = varifocal(answer.logits, wanted, class_weights) * there[..., None]
    losses["class"] = config.class_weight * scores.sum() / count
    losses["box"] = config.box_weight * apart.sum() / count
    return losses


def mask_losses(
    answer: Answer, pairs: Pairs, truth: Truth, config: MaskQueryConfig
) -> tuple[dict[str, Tensor], Tensor]:
    """Return ``mask`` and ``dice``, and the IoU of each pair's mask, without gradient."""
    logits = mask_logits(
        answer.kernels[pairs.image, pairs.candidate],
        answer.boxes[pairs.image, pairs.candidate].detach(),
        truth.features[pairs.object],
        truth.points[pairs.object],
    )
    inside = truth.inside[pairs.object]
    drawn = truth.drawn[pairs.object].float()
    count = drawn.sum().clamp(min=1)
    entropy = F.binary_cross_entropy_with_logits(logits, inside, reduction="none").mean(dim=1)
    share = logits.sigmoid()
    both = (share * inside).sum(dim=1)
    dice = 1 - (2 * both + 1) / (share.sum(dim=1) + inside.sum(dim=1) + 1)
    with torch.no_grad():
        mine, its = logits > 0, inside > 0.5
        union = (mine | its).sum(dim=1).clamp(min=1)
        quality = (mine & its).sum(dim=1) / union
    losses = {
        "mask": config.mask_weight * (entropy * drawn).sum() / count,
        "dice": config.dice_weight * (dice * drawn).sum() / count,
    }
    return losses, quality


def varifocal(logits: Tensor, wanted: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Return the cross-entropy to ``wanted`` scores, in which easy negatives weigh little.

    Args:
        logits: ``(..., C)``.
        wanted: The same shape; 0 where nothing is.
        class_weights: ``(C,)`` how much what is there counts; None: 1.
    """
    positive = wanted.new_tensor(1.0) if class_weights is None else class_weights
    weight = torch.where(wanted > 0, positive, 0.75 * logits.detach().sigmoid())
    return weight * F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")


def join(found: Sequence[Matches], truth: Truth) -> Pairs:
    """Number the objects of all images through."""
    image = torch.cat(
        [torch.full_like(matches.object, number) for number, matches in enumerate(found)]
    )
    return Pairs(
        image,
        torch.cat([matches.candidate for matches in found]),
        torch.cat([m.object + first for m, first in zip(found, truth.first, strict=True)]),
        torch.cat([matches.quality for matches in found]),
    )
