"""Mask R-CNN (He et al., 2017): backbone, neck, proposals, and heads over regions."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from delineate.core.classes import ClassMap
from delineate.core.decode_semantic import best_class
from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.panoptic import Panoptic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.core.panoptic_fusion import fuse
from delineate.core.preprocess import Preprocess
from delineate.models.api import (
    BoxMasks,
    FeatureSpec,
    SegModel,
    Target,
    box_masks_to_instances,
)
from delineate.models.backbones import build_backbone
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.roi_heads import RoIHeads
from delineate.models.mask_rcnn.rpn import RPN
from delineate.models.necks import FPN
from delineate.models.semantic import STRIDE, StuffHead, stuff_loss


class BoxMasksAndStuff(NamedTuple):
    """`BoxMasks`, and what the stuff head says of the batch."""

    image: Tensor
    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Tensor
    stuff: Tensor
    """``(b, 1 + S, H / 4, W / 4)`` float32 logits; 0 stands for all things."""


class MaskRCNN(SegModel):
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
        self.stuff: StuffHead | None = None
        if config.stuff_names:
            self.stuff = StuffHead(
                pooled, classes=1 + len(config.stuff_names), channels=config.stuff_channels
            )

    @property
    def panoptic_classes(self) -> PanopticClasses:
        """Its things, and the classes of its stuff head, of which there may be none."""
        return PanopticClasses(self.classes, self.config.stuff)

    def forward(self, images: Tensor, sizes: Tensor) -> BoxMasks | BoxMasksAndStuff:
        """Detect in a batch, with the stuff where there is a head; see `SegModel.forward`."""
        features = self._features(images)
        levels = self.rpn(features, _padded(images))
        proposals = self.rpn.propose(
            levels, sizes, pre_nms=self.config.rpn_pre_nms, post_nms=self.config.rpn_post_nms
        )
        pooled = features[: self.pooled_levels]
        found = self.roi_heads(pooled, proposals, sizes)
        return found if self.stuff is None else BoxMasksAndStuff(*found, self.stuff(pooled).float())

    def losses(self, images: Tensor, sizes: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
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
        losses |= self.roi_heads.losses(pooled, proposals, targets)
        if self.stuff is not None:
            truth = [target.stuff for target in targets]
            losses["stuff"] = self.config.stuff_loss_weight * stuff_loss(self.stuff(pooled), truth)
        return losses

    def to_instances(
        self, raw: BoxMasks | BoxMasksAndStuff, where: Sequence[Geometry]
    ) -> list[Instances]:
        """Paste masks into the original images; see `SegModel.to_instances`."""
        return box_masks_to_instances(BoxMasks(*raw[:5]), where, rule=self.config.paste_rule)

    def to_panoptic(
        self, raw: BoxMasks | BoxMasksAndStuff, where: Sequence[Geometry]
    ) -> list[Panoptic]:
        """Give every pixel of the original images to a segment, by the rules of Panoptic FPN.

        Without a stuff head there are things only, their overlaps resolved by score.
        """
        if not isinstance(raw, BoxMasksAndStuff):
            return super().to_panoptic(raw, where)
        classes, instances = self.panoptic_classes, self.to_instances(raw, where)
        maps = self.to_stuff_maps(raw, where)
        return [
            fuse(found, stuff, classes, stuff_area=self.config.stuff_area)
            for found, stuff in zip(instances, maps, strict=True)
        ]

    def to_stuff_maps(self, raw: BoxMasksAndStuff, where: Sequence[Geometry]) -> list[np.ndarray]:
        """Return what the stuff head says of each pixel, ``(h, w)`` int32: 0 is a thing."""
        logits = raw.stuff.detach().cpu().numpy()
        return [
            best_class(planes, stride=STRIDE, size=geometry.target, target=geometry.source)
            for planes, geometry in zip(logits, where, strict=True)
        ]

    def _features(self, images: Tensor) -> list[Tensor]:
        """Return the maps that the heads share, channels last in memory throughout."""
        images = images.contiguous(memory_format=torch.channels_last)
        return self.neck(self.backbone(images))


def _padded(images: Tensor) -> tuple[int, int]:
    """Return the (height, width) of a batch."""
    return images.shape[-2], images.shape[-1]
