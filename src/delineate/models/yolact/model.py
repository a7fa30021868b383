"""YOLACT and YOLACT++ (Bolya et al., 2019 and 2020): masks as sums of shared prototypes."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from delineate.core.boxes import clip as clip_boxes
from delineate.core.classes import ClassMap
from delineate.core.decode_prototypes import assemble
from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.preprocess import Preprocess
from delineate.models.api import FeatureSpec, Target
from delineate.models.backbones import build_backbone
from delineate.models.necks import YolactFPN
from delineate.models.semantic import StuffSegModel
from delineate.models.yolact import losses
from delineate.models.yolact.config import YolactConfig
from delineate.models.yolact.detect import Detections, detect
from delineate.models.yolact.head import (
    MaskIoUNet,
    PredictionHead,
    Predictions,
    ProtoNet,
    crop,
    xavier,
)
from delineate.models.yolact.priors import cell_priors, place_priors
from delineate.ops.boxes import area, clip, decode


class PrototypeMasks(NamedTuple):
    """Detections of a batch whose masks are sums of prototypes, ordered by image, best first."""

    image: Tensor
    """``(n,)`` int64, which image of the batch."""
    boxes: Tensor
    """``(n, 4)`` float32 xyxy in pixels of the network's input, inside the unpadded image."""
    scores: Tensor
    """``(n,)`` float32 in 0..1; of YOLACT++ times the expected overlap of the mask."""
    labels: Tensor
    """``(n,)`` int64, 0..C-1."""
    coefficients: Tensor
    """``(n, k)`` float32 in -1..1, one factor a prototype."""
    prototypes: Tensor
    """``(b, k, h, w)`` float32 from 0 on, spread over the padded input."""
    cell: Tensor
    """``(2,)`` float32: height and width, in pixels of the network's input, of their cells."""


class PrototypeMasksAndStuff(NamedTuple):
    """`PrototypeMasks`, and what the stuff head says of the batch."""

    image: Tensor
    boxes: Tensor
    scores: Tensor
    labels: Tensor
    coefficients: Tensor
    prototypes: Tensor
    cell: Tensor
    stuff: Tensor
    """``(b, 1 + S, h, w)`` float32 logits at the stride of the finest level; 0 stands for all
    things."""


class Yolact(StuffSegModel):
    """One-stage instance segmentation; see `SegModel` for its verbs.

    Args:
        config: All choices.
        classes: Table of the classes, without a background.
        preprocess: How an image must come in.
    """

    family: ClassVar[str] = "yolact"
    config: YolactConfig
    cells: Tensor

    def __init__(self, config: YolactConfig, classes: ClassMap, preprocess: Preprocess) -> None:
        super().__init__(config, classes, preprocess)
        self.backbone = build_backbone(
            config.backbone,
            strides=config.backbone_strides,
            norm=config.backbone_norm,
            eps=config.backbone_norm_eps,
            stride_in_1x1=False,
            slim_widths=config.slim_widths,
            slim_depths=config.slim_depths,
            deformable_every=config.deformable_every,
        )
        self.neck = YolactFPN(
            self.backbone.features,
            config.fpn_channels,
            norm=config.fpn_norm,
            extra_levels=config.fpn_extra_levels,
        )
        features: FeatureSpec = self.neck.features
        channels = features.channels[0]
        self.strides = features.strides
        self.head = PredictionHead(config, channels, len(classes))
        self.proto = ProtoNet(config, channels)
        self.semantic = nn.Conv2d(channels, len(classes), 1)
        xavier(self.semantic)
        self.mask_iou = MaskIoUNet(len(classes)) if config.mask_iou else None
        self.merged_levels = len(config.backbone_strides)
        merged = slice(self.merged_levels)
        self.add_stuff_head(FeatureSpec(features.channels[merged], features.strides[merged]))
        self.register_buffer("cells", cell_priors(config), persistent=False)

    def forward(self, images: Tensor, sizes: Tensor) -> PrototypeMasks | PrototypeMasksAndStuff:
        """Detect in a batch, with the stuff where there is a head; see `SegModel.forward`."""
        levels = self.features(images)
        predictions = self.head(levels)
        prototypes = self.proto(levels[0]).float()
        size = (images.shape[2], images.shape[3])
        cell = images.new_tensor(
            [size[0] / prototypes.shape[2], size[1] / prototypes.shape[3]], dtype=torch.float32
        )
        chosen = self.detections(predictions, self.priors(levels, size))
        found = [
            self._rescore(_inside(detections, here), planes, cell)
            for detections, here, planes in zip(chosen, sizes, prototypes, strict=True)
        ]
        counts = torch.tensor([len(part.boxes) for part in found], device=images.device)
        image = torch.arange(len(images), device=images.device).repeat_interleave(counts)
        joined = (torch.cat(part) for part in zip(*found, strict=True))
        raw = PrototypeMasks(image, *joined, prototypes, cell)
        if self.stuff is None:
            return raw
        return PrototypeMasksAndStuff(*raw, self.stuff(levels[: self.merged_levels], size))

    def losses(
        self,
        images: Tensor,
        sizes: Tensor,
        targets: Sequence[Target],
        class_weights: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return box, class and, where there are masks, mask, semantic and of YOLACT++ mask_iou.

        Of a model with a stuff head also stuff.
        """
        config, size = self.config, (images.shape[2], images.shape[3])
        levels = self.features(images)
        predictions, prototypes = self.head(levels), self.proto(levels[0])
        semantic = self.semantic(levels[0])
        stuff = self.stuff_losses(levels[: self.merged_levels], size, targets)
        with torch.autocast(images.device.type, enabled=False):
            priors = self.priors(levels, size)
            matched = torch.stack([losses.match_priors(priors, t, config) for t in targets])
            box = losses.box_loss(predictions.deltas, priors, targets, matched)
            label = losses.class_loss(predictions.logits, targets, matched, config, class_weights)
            terms = {"box": config.box_weight * box, "class": config.class_weight * label} | stuff
            if any(target.masks is None for target in targets):
                return terms
            mask, quality = losses.mask_losses(
                predictions, prototypes, self.mask_iou, targets, matched, size=size, config=config
            )
            terms["mask"] = config.mask_weight * mask
            if self.mask_iou is not None:
                terms["mask_iou"] = config.mask_iou_weight * quality
            terms["semantic"] = config.semantic_weight * losses.semantic_loss(
                semantic, targets, size
            )
        return terms

    def to_instances(
        self, raw: PrototypeMasks | PrototypeMasksAndStuff, where: Sequence[Geometry]
    ) -> list[Instances]:
        """Assemble masks in the original images; see `SegModel.to_instances`."""
        image, boxes, scores, labels, coefficients, prototypes, cell = (
            part.detach().cpu().numpy() for part in raw[:7]
        )
        results = []
        for number, (geometry, planes) in enumerate(zip(where, prototypes, strict=True)):
            here = image == number
            height, width = cell / _scale(geometry)
            results.append(
                Instances(
                    image_size=geometry.source,
                    boxes=clip_boxes(geometry.inverse().boxes(boxes[here]), geometry.source),
                    labels=labels[here],
                    scores=scores[here],
                    masks=assemble(
                        planes,
                        coefficients[here],
                        boxes[here] / np.tile(cell[::-1], 2),
                        geometry.source,
                        cell=(float(height), float(width)),
                    ),
                )
            )
        return results

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the maps that the heads share, channels last in memory throughout."""
        images = images.contiguous(memory_format=torch.channels_last)
        return self.neck(self.backbone(images))

    def priors(self, levels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Return all anchors ``(n, 4)`` for maps of an input of that (height, width)."""
        grids = [(level.shape[2], level.shape[3]) for level in levels]
        steps: list[tuple[float, float]] = [(stride, stride) for stride in self.strides]
        if self.config.anchor_spacing == "grid":
            steps = [(size[0] / rows, size[1] / columns) for rows, columns in grids]
        return place_priors(self.cells, grids, steps)

    def detections(self, predictions: Predictions, priors: Tensor) -> list[Detections]:
        """Choose the detections of each image, not yet rescored."""
        boxes = decode(predictions.deltas, priors, losses.DELTA_WEIGHTS)
        probabilities = predictions.logits.float().softmax(dim=2)
        coefficients = predictions.coefficients.float()
        return [
            detect(*parts, self.config)
            for parts in zip(boxes, probabilities, coefficients, strict=True)
        ]

    def _rescore(self, found: Detections, prototypes: Tensor, cell: Tensor) -> Detections:
        """Multiply scores by the expected overlap of their masks, where the model tells it."""
        if self.mask_iou is None:
            return found
        masks = losses.combine(found.coefficients, prototypes)
        masks = crop(masks, found.boxes / cell.flip(0).repeat(2))
        scores = found.scores * self.mask_iou(masks, found.labels).float()
        order = scores.argsort(descending=True, stable=True)
        return Detections(*(part[order] for part in found._replace(scores=scores.clamp(max=1))))


def _inside(found: Detections, size: Tensor) -> Detections:
    """Cut boxes at the edges of an image of (height, width), and drop what lies outside."""
    boxes = clip(found.boxes, size)
    kept = torch.where(area(boxes) > 0)[0]
    return Detections(*(part[kept] for part in found._replace(boxes=boxes)))


def _scale(geometry: Geometry) -> np.ndarray:
    """Return how many pixels of the target one of the source is (high, wide); it only resizes."""
    return np.array([geometry.matrix[1, 1], geometry.matrix[0, 0]])
