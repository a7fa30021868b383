"""Set prediction with mask kernels: tokens, distinct queries, a short decoder, one mask each.

The family of DETR (Carion et al., 2020) rebuilt to learn from random weights in minutes: queries
are chosen among dense tokens (RT-DETR, Zhao et al., 2024; Dense distinct queries, Zhang et al.,
2023), look at their own windows instead of whole images (Sparse R-CNN, Sun et al., 2021;
Mask2Former, Cheng et al., 2022), and give one object and one mask each. After the decoder nothing
is suppressed.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from delineate.core.classes import ClassMap
from delineate.core.decode_logits import draw_logits
from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.preprocess import Preprocess
from delineate.models.api import SegModel, Target
from delineate.models.backbones import build_backbone
from delineate.models.mask_query.config import MaskQueryConfig
from delineate.models.mask_query.decoder import Decoder
from delineate.models.mask_query.losses import (
    answer_losses,
    gather_truth,
    mask_losses,
    match_queries,
    query_pairs,
    token_losses,
)
from delineate.models.mask_query.masks import STRIDE, MaskFeatures, cells_of, window_logits
from delineate.models.mask_query.tokens import Queries, TokenHead, Tokens, select
from delineate.models.necks import FPN

STRIDES = (4, 8, 16, 32)


class MaskMaps(NamedTuple):
    """Detections of a batch, ordered by image, best first, with a map of logits each."""

    image: Tensor
    """``(k,)`` int64, which image of the batch."""
    boxes: Tensor
    """``(k, 4)`` float32 xyxy in pixels of the network's input, inside the unpadded image."""
    scores: Tensor
    """``(k,)`` float32 in 0..1."""
    labels: Tensor
    """``(k,)`` int64, 0..C-1."""
    windows: Tensor
    """``(k, 4)`` int64 x0, y0, x1, y1: the cells of 4 x 4 pixels that each map covers."""
    logits: Tensor
    """``(cells,)`` float32: the maps one after the other, row by row; above 0 is foreground."""


class MaskQuery(SegModel):
    """Instance segmentation by queries; see `SegModel` for its verbs.

    Args:
        config: All choices.
        classes: Table of the classes, without a background.
        preprocess: How an image must come in.
    """

    family: ClassVar[str] = "mask_query"
    config: MaskQueryConfig

    def __init__(self, config: MaskQueryConfig, classes: ClassMap, preprocess: Preprocess) -> None:
        super().__init__(config, classes, preprocess)
        self.backbone = build_backbone(
            config.backbone,
            strides=STRIDES,
            norm=config.backbone_norm,
            eps=config.backbone_norm_eps,
            stride_in_1x1=config.stride_in_1x1,
            slim_widths=config.slim_widths,
            slim_depths=config.slim_depths,
        )
        self.neck = FPN(
            self.backbone.features, config.channels, norm=config.neck_norm, extra_level=False
        )
        self.tokens = TokenHead(config, len(classes))
        self.masks = MaskFeatures(config.channels, config.mask_channels, norm=config.neck_norm)
        self.decoder = Decoder(config, len(classes))

    def forward(self, images: Tensor, sizes: Tensor) -> MaskMaps:
        """Detect in a batch; see `SegModel.forward`."""
        config = self.config
        levels, tokens = self._tokens(images)
        features = self.masks(levels[0])
        queries = self._select(tokens, sizes, config.queries)
        answer = self.decoder(queries, levels, features, sizes)[-1]
        scores, labels = answer.logits.sigmoid().max(dim=2)
        scores = scores.masked_fill(~queries.there | _is_flat(answer.boxes), -1)
        best, order = scores.topk(min(config.detections_per_image, scores.shape[1]), dim=1)
        image, place = torch.where(best > config.score_threshold)
        query = order[image, place]
        boxes = answer.boxes[image, query]
        windows = cells_of(boxes, (features.shape[-2], features.shape[-1]))
        logits = window_logits(answer.kernels[image, query], boxes, features, image, windows)
        return MaskMaps(image, boxes, scores[image, query], labels[image, query], windows, logits)

    def losses(
        self,
        images: Tensor,
        sizes: Tensor,
        targets: Sequence[Target],
        class_weights: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return ``token_*`` and, of each stage, ``class``, ``box``, ``mask`` and ``dice``.

        Names of the last stage have no number; those of the one before end in ``_1`` and so on.
        """
        config = self.config
        levels, tokens = self._tokens(images)
        features = self.masks(levels[0])
        truth = gather_truth(targets, features, config.mask_points)
        losses, pairs = token_losses(tokens, targets, truth, config, class_weights)
        queries = self._select(tokens, sizes, config.queries_train)
        answers = self.decoder(queries, levels, features, sizes)
        chosen = query_pairs(queries, pairs, tokens.logits.shape[1])
        first, _ = mask_losses(answers[0], chosen, truth, config)
        losses |= {f"token_{name}": loss for name, loss in first.items()}
        for number, answer in enumerate(reversed(answers[1:])):
            pairs = match_queries(answer, queries.there, targets, truth)
            found = answer_losses(answer, queries.there, pairs, truth, config, class_weights)
            losses |= {f"{name}_{number}" if number else name: found[name] for name in found}
        return losses

    def to_instances(self, raw: MaskMaps, where: Sequence[Geometry]) -> list[Instances]:
        """Draw the maps into the original images; see `SegModel.to_instances`."""
        image, boxes, scores, labels, windows, logits = (
            part.detach().float().cpu().numpy() if part.is_floating_point() else part.cpu().numpy()
            for part in raw
        )
        areas = (windows[:, 2] - windows[:, 0]) * (windows[:, 3] - windows[:, 1])
        starts = areas.cumsum() - areas
        results = []
        for number, geometry in enumerate(where):
            here = image == number
            height, width = geometry.source
            original = geometry.inverse().boxes(boxes[here])
            limit = np.array([width, height, width, height])
            masks = draw_logits(logits, starts[here], windows[here], geometry, stride=STRIDE)
            results.append(
                Instances(
                    image_size=geometry.source,
                    boxes=np.clip(original, 0, limit).astype(np.float32),
                    labels=labels[here],
                    scores=scores[here],
                    masks=masks,
                )
            )
        return results

    def _tokens(self, images: Tensor) -> tuple[list[Tensor], Tokens]:
        """Return the pyramid, channels last in memory throughout, and what its cells say."""
        images = images.contiguous(memory_format=torch.channels_last)
        levels = self.neck(self.backbone(images))
        dense = [levels[STRIDES.index(stride)] for stride in self.config.token_strides]
        return levels, self.tokens(dense)

    def _select(self, tokens: Tokens, sizes: Tensor, limit: int) -> Queries:
        config = self.config
        return select(
            tokens,
            sizes,
            candidates=config.candidates,
            limit=limit,
            distinct_iou=config.distinct_iou,
        )


def _is_flat(boxes: Tensor) -> Tensor:
    """Return which boxes have no area: ``(b, k)`` bool."""
    return (boxes[..., 2:] <= boxes[..., :2]).any(dim=2)
