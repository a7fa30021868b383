"""Mask R-CNN (He et al., 2017): backbone, neck, proposals, and heads over regions."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from delineate.core.classes import ClassMap
from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.preprocess import Preprocess
from delineate.models.api import (
    BoxMasks,
    FeatureSpec,
    Target,
    box_masks_to_instances,
)
from delineate.models.backbones import build_backbone
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.roi_heads import RoIHeads
from delineate.models.mask_rcnn.rpn import RPN
from delineate.models.necks import FPN
from delineate.models.semantic import StuffSegModel


class BoxMasksAndStuff(NamedTuple):
    """`BoxMasks`, and what the stuff head says of the batch."""

    image: Tensor
    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Tensor
    stuff: Tensor
    """``(b, 1 + S, h, w)`` float32 logits at the stride of the finest level; 0 stands for all
    things."""


class MaskRCNN(StuffSegModel):
    """Two-stage instance segmentation; see `SegModel` for its verbs.

    Args:
        config: All choices.
        classes: Table of the classes, without a background.
        preprocess: How an image must come in.
    """

    family: ClassVar[str] = "mask_rcnn"
    config: MaskRCNNConfig

    def __init__(self, config: MaskRCNNConfig, classes: ClassMap, preprocess: Preprocess) -> None:
        super().__init__(config, classes, preprocess)
        self.backbone = build_backbone(
            config.backbone,
            strides=config.backbone_strides,
            norm=config.backbone_norm,
            eps=config.backbone_norm_eps,
            stride_in_1x1=config.stride_in_1x1,
            slim_widths=config.slim_widths,
            slim_depths=config.slim_depths,
            dilated="whole" if config.neck == "dilated" else None,
        )
        features: FeatureSpec = self.backbone.features
        self.neck: nn.Module = nn.Identity()
        if config.neck == "fpn":
            self.neck = FPN(
                features,
                config.fpn_channels,
                norm=config.fpn_norm,
                extra_level=config.fpn_extra_level,
            )
            features = self.neck.features
        self.pooled_levels = len(config.backbone_strides)
        self.rpn = RPN(config, features)
        pooled = FeatureSpec(
            features.channels[: self.pooled_levels], features.strides[: self.pooled_levels]
        )
        self.roi_heads = RoIHeads(config, pooled, len(classes))
        self.add_stuff_head(pooled)

    def forward(self, images: Tensor, sizes: Tensor) -> BoxMasks | BoxMasksAndStuff:
        """Detect in a batch, with the stuff where there is a head; see `SegModel.forward`."""
        features = self._features(images)
        levels = self.rpn(features, _padded(images))
        proposals = self.rpn.propose(
            levels, sizes, pre_nms=self.config.rpn_pre_nms, post_nms=self.config.rpn_post_nms
        )
        pooled = features[: self.pooled_levels]
        found = self.roi_heads(pooled, proposals, sizes)
        if self.stuff is None:
            return found
        return BoxMasksAndStuff(*found, self.stuff(pooled, _padded(images)))

    def losses(
        self,
        images: Tensor,
        sizes: Tensor,
        targets: Sequence[Target],
        class_weights: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return rpn_objectness, rpn_box, class, box, mask (where there are masks) and stuff."""
        features = self._features(images)
        levels = self.rpn(features, _padded(images))
        proposals = self.rpn.propose(
            levels,
            sizes,
            pre_nms=self.config.rpn_pre_nms_train,
            post_nms=self.config.rpn_post_nms_train,
        )
        losses = self.rpn.losses(levels, targets)
        pooled = features[: self.pooled_levels]
        losses |= self.roi_heads.losses(pooled, proposals, targets, class_weights)
        return losses | self.stuff_losses(pooled, _padded(images), targets)

    def to_instances(
        self, raw: BoxMasks | BoxMasksAndStuff, where: Sequence[Geometry]
    ) -> list[Instances]:
        """Paste masks into the original images; see `SegModel.to_instances`."""
        return box_masks_to_instances(BoxMasks(*raw[:5]), where, rule=self.config.paste_rule)

    def _features(self, images: Tensor) -> list[Tensor]:
        """Return the maps that the heads share, channels last in memory throughout."""
        images = images.contiguous(memory_format=torch.channels_last)
        return self.neck(self.backbone(images))


def _padded(images: Tensor) -> tuple[int, int]:
    """Return the (height, width) of a batch."""
    return images.shape[-2], images.shape[-1]
