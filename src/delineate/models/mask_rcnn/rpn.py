"""Region proposal network (Ren et al., Faster R-CNN, 2015): where could an object be?"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from delineate.models.api import FeatureSpec, Target
from delineate.models.layers import ConvNorm
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.ops.boxes import at_least, clip, decode, encode, iou
from delineate.ops.losses import binary, smooth_l1
from delineate.ops.matching import match, sample
from delineate.ops.nms import nms

UNIT_WEIGHTS = (1.0, 1.0, 1.0, 1.0)


class Level(NamedTuple):
    """What the network says about one level of features, with ``a`` anchors in all."""

    objectness: Tensor
    """``(b, a)`` logits."""
    deltas: Tensor
    """``(b, a, 4)``."""
    anchors: Tensor
    """``(a, 4)`` float32, position by position, row by row."""


class RPN(nn.Module):
    """A small convolutional head, shared by all levels, that scores and moves anchors.

    Args:
        config: Uses ``anchor_*`` and ``rpn_*``.
        features: What comes in: equal channels on every level.
    """

    cells: Tensor

    def __init__(self, config: MaskRCNNConfig, features: FeatureSpec) -> None:
        super().__init__()
        self.config = config
        self.strides = features.strides
        channels = features.channels[0]
        self.conv = nn.Sequential(
            *(ConvNorm(channels, channels, 3) for _ in range(config.rpn_convs))
        )
        self.objectness = nn.Conv2d(channels, config.anchors_per_cell, 1)
        self.deltas = nn.Conv2d(channels, 4 * config.anchors_per_cell, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)
        cells = [
            cell_anchors(
                sizes,
                config.anchor_ratios,
                rounded=config.anchor_rounding,
                order=config.anchor_order,
            )
            for sizes in config.anchor_sizes
        ]
        self.register_buffer("cells", torch.stack(cells), persistent=False)

    def forward(self, features: Sequence[Tensor], padded: tuple[int, int]) -> list[Level]:
        """Predict on every level.

        Args:
            features: One ``(b, channels, h, w)`` a level.
            padded: (height, width) of the network's input.
        """
        levels = []
        for cells, stride, level in zip(self.cells, self.strides, features, strict=True):
            hidden = self.conv(level)
            objectness = self.objectness(hidden).permute(0, 2, 3, 1).flatten(1)
            deltas = self.deltas(hidden).permute(0, 2, 3, 1).reshape(len(level), -1, 4)
            grid = level.shape[-2:]
            step = (stride, stride)
            if self.config.anchor_spacing == "grid":
                step = (padded[0] // grid[0], padded[1] // grid[1])
            levels.append(Level(objectness, deltas, place_anchors(cells, grid, step)))
        return levels

    def propose(
        self, levels: Sequence[Level], sizes: Tensor, *, pre_nms: int, post_nms: int
    ) -> list[Tensor]:
        """Return the best boxes of each image, ``(n_i, 4)`` float32, without gradient.

        Only the ``pre_nms`` best of each level are decoded at all.

        Args:
            levels: Result of `forward`.
            sizes: ``(b, 2)`` valid height and width of each image, to which boxes are clipped.
            pre_nms: How many of each level go into suppression.
            post_nms: How many of each image come out of it.
        """
        boxes, scores, groups = [], [], []
        for number, level in enumerate(levels):
            objectness = level.objectness.detach().float()
            best, index = objectness.topk(min(pre_nms, objectness.shape[1]), dim=1)
            deltas = level.deltas.detach().gather(1, index[:, :, None].expand(-1, -1, 4))
            boxes.append(decode(deltas, level.anchors[index], UNIT_WEIGHTS))
            scores.append(best.sigmoid() if self.config.rpn_rank == "probability" else best)
            groups.append(torch.full_like(index[0], number))
        clipped = clip(torch.cat(boxes, dim=1), sizes[:, None])
        group = torch.cat(groups)
        smallest = max(self.config.rpn_smallest_side, torch.finfo(clipped.dtype).tiny)
        proposals = []
        for here, score in zip(clipped, torch.cat(scores, dim=1), strict=True):
            large = torch.where(at_least(here, smallest))[0]
            here, score = here[large], score[large]
            keep = nms(here, score, group[large], iou=self.config.rpn_nms_iou, limit=post_nms)
            proposals.append(here[keep])
        return proposals

    def losses(self, levels: Sequence[Level], targets: Sequence[Target]) -> dict[str, Tensor]:
        """Return ``rpn_objectness`` and ``rpn_box``, over anchors sampled in every image."""
        config = self.config
        anchors = torch.cat([level.anchors for level in levels])
        objectness = torch.cat([level.objectness for level in levels], dim=1)
        deltas = torch.cat([level.deltas for level in levels], dim=1)
        logits, truth, moved, wanted = [], [], [], []
        for number, target in enumerate(targets):
            matched = match(
                iou(target.boxes, anchors),
                high=config.rpn_match_high,
                low=config.rpn_match_low,
                keep_best=True,
            )
            positive, negative = sample(
                matched,
                count=config.rpn_samples,
                positive_fraction=config.rpn_positive_fraction,
            )
            chosen = torch.cat([positive, negative])
            logits.append(objectness[number, chosen])
            truth.append((matched[chosen] >= 0).float())
            moved.append(deltas[number, positive])
            wanted.append(encode(target.boxes[matched[positive]], anchors[positive], UNIT_WEIGHTS))
        score = torch.cat(logits)
        return {
            "rpn_objectness": binary(score, torch.cat(truth)),
            "rpn_box": smooth_l1(
                torch.cat(moved), torch.cat(wanted), beta=config.smooth_l1_beta, examples=len(score)
            ),
        }


def cell_anchors(
    sizes: Sequence[float],
    ratios: Sequence[float],
    *,
    rounded: bool,
    order: Literal["ratio", "size"] = "ratio",
) -> Tensor:
    """Return the anchors around (0, 0): ``(len(ratios) * len(sizes), 4)``.

    Args:
        sizes: Square roots of the areas, in pixels.
        ratios: Height over width.
        rounded: Round corners to whole pixels, halves to even, as torchvision does.
        order: Which of the two changes last: all sizes of a ratio first (torchvision), or all
            ratios of a size (detectron2).
    """
    tall = torch.tensor(ratios, dtype=torch.float32).sqrt()
    side = torch.tensor(sizes, dtype=torch.float32)
    width, height = (1 / tall)[:, None] * side, tall[:, None] * side
    if order == "size":
        width, height = width.T, height.T
    width, height = width.flatten(), height.flatten()
    cells = torch.stack([-width, -height, width, height], dim=1) / 2
    return cells.round() if rounded else cells


def place_anchors(cells: Tensor, grid: Sequence[int], step: tuple[int, int]) -> Tensor:
    """Repeat ``cells`` at every position of a feature map: ``(h * w * len(cells), 4)``.

    They are centred on the corners of the map's cells, (0, 0) first, not on their centres.

    Args:
        cells: ``(k, 4)``.
        grid: (h, w) of the feature map.
        step: Pixels between rows and between columns.
    """
    y = torch.arange(grid[0], device=cells.device) * step[0]
    x = torch.arange(grid[1], device=cells.device) * step[1]
    y, x = torch.meshgrid(y, x, indexing="ij")
    shifts = torch.stack([x, y, x, y], dim=-1)
    return (shifts[:, :, None] + cells).reshape(-1, 4)
