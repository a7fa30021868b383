"""Every choice that makes one Mask R-CNN, as plain values."""

from dataclasses import dataclass
from typing import Literal

from delineate.errors import ConfigError
from delineate.models.option_rules import (
    ANCHORS,
    BACKBONE,
    STUFF,
    Rule,
    at_least,
    check,
    check_anchors,
    check_order,
    check_stuff,
    positive,
    share,
    strides,
)
from delineate.models.options import StuffOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRCNNConfig(StuffOptions):
    """Plain values from which a `MaskRCNN` is built; the defaults are torchvision's first model.

    Sizes are in pixels of the network's input. A value for training and one for detection are
    told apart by ``_train``.

    Raises:
        ConfigError: A value is out of its range, or two contradict one another.
    """

    family: Literal["mask_rcnn"] = "mask_rcnn"

    # Backbone; see delineate.models.backbones.build_backbone
    backbone: str = "resnet50"
    backbone_norm: Literal["batch", "frozen"] = "frozen"
    backbone_norm_eps: float = 1e-5
    backbone_strides: tuple[int, ...] = (4, 8, 16, 32)
    stride_in_1x1: bool = False
    slim_widths: tuple[int, ...] = (24, 32, 64, 128, 192)
    slim_depths: tuple[int, ...] = (2, 2, 2, 2)

    # Neck: a feature pyramid; none (C4: the RoI head is the backbone's last stage); or none, and
    # the last stage dilated to stride 16 (DC5), still asked for as 32 in `backbone_strides`
    neck: Literal["fpn", "none", "dilated"] = "fpn"
    fpn_channels: int = 256
    fpn_norm: Literal["none", "batch"] = "none"
    fpn_extra_level: bool = True

    # Region proposals; anchors have one tuple of sizes a level
    anchor_sizes: tuple[tuple[float, ...], ...] = ((32,), (64,), (128,), (256,), (512,))
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    anchor_rounding: bool = True
    anchor_order: Literal["ratio", "size"] = "ratio"  # which of the two changes last
    anchor_spacing: Literal["stride", "grid"] = "grid"
    rpn_convs: int = 1
    rpn_match_high: float = 0.7
    rpn_match_low: float = 0.3
    rpn_samples: int = 256
    rpn_positive_fraction: float = 0.5
    rpn_pre_nms: int = 1000
    rpn_pre_nms_train: int = 2000
    rpn_post_nms: int = 1000
    rpn_post_nms_train: int = 2000
    rpn_nms_iou: float = 0.7
    rpn_smallest_side: float = 1e-3  # 0 keeps all that have an area
    rpn_rank: Literal["probability", "logit"] = "probability"  # large logits are equal as the first

    # Regions of interest
    background: Literal["first", "last"] = "first"
    roi_aligned: bool = False
    roi_sampling_ratio: int = 2
    roi_canonical_size: float = 224
    roi_level_margin: float = 1e-6
    roi_match_iou: float = 0.5
    roi_samples: int = 512
    roi_positive_fraction: float = 0.25

    # Box head
    box_pool_size: int = 7
    box_convs: int = 0
    box_conv_channels: int = 256
    box_norm: Literal["none", "batch"] = "none"
    box_fcs: int = 2
    box_fc_width: int = 1024
    box_class_agnostic: bool = False

    # Mask head
    mask_pool_size: int = 14
    mask_convs: int = 4
    mask_channels: int = 256
    mask_norm: Literal["none", "batch"] = "none"
    mask_targets: Literal["soft", "binary"] = "soft"
    smooth_l1_beta: float = 1 / 9  # of all boxes; 0 is plain L1

    # Detections
    score_threshold: float = 0.05
    nms_iou: float = 0.5
    smallest_side: float = 1e-2
    detections_per_image: int = 100
    paste_rule: Literal["integer", "half_pixel"] = "integer"

    def __post_init__(self) -> None:
        check(self, RULES)
        check_stuff(self)
        check_order(self, "rpn_match_low", "rpn_match_high")
        check_anchors(self.anchor_sizes, self.anchor_strides, levels_by="fpn_extra_level")
        if self.neck == "none" and self.backbone_strides != (16,):
            raise ConfigError(
                "expected `backbone_strides` to be (16,) where `neck` is 'none' (C4), got "
                f"{self.backbone_strides}: set both."
            )
        if self.stuff_names and self.neck != "fpn":
            raise ConfigError(
                "expected `neck` to be 'fpn' where there are `stuff_names`, got "
                f"{self.neck!r}: change either."
            )
        if self.neck == "dilated" and self.backbone_strides != (32,):
            raise ConfigError(
                "expected `backbone_strides` to be (32,) where `neck` is 'dilated' (DC5), got "
                f"{self.backbone_strides}: set both."
            )

    @property
    def anchor_strides(self) -> tuple[int, ...]:
        """Stride of each level of anchors."""
        strides = (16,) if self.neck == "dilated" else self.backbone_strides
        extra = self.neck == "fpn" and self.fpn_extra_level
        return (*strides, 2 * strides[-1]) if extra else strides

    @property
    def anchors_per_cell(self) -> int:
        """Anchors at each position of each level."""
        return len(self.anchor_sizes[0]) * len(self.anchor_ratios)


RULES: tuple[Rule, ...] = (
    at_least(
        1,
        *("fpn_channels", "rpn_samples", "rpn_pre_nms", "rpn_pre_nms_train"),
        *("rpn_post_nms", "rpn_post_nms_train", "roi_samples", "box_pool_size"),
        *("box_conv_channels", "box_fcs", "box_fc_width", "mask_pool_size", "mask_channels"),
        "detections_per_image",
    ),
    at_least(
        0,
        *("rpn_convs", "roi_sampling_ratio", "box_convs", "mask_convs", "rpn_smallest_side"),
        *("smallest_side", "roi_level_margin", "smooth_l1_beta"),
    ),
    share(
        *("rpn_match_high", "rpn_match_low", "rpn_nms_iou", "roi_match_iou"),
        *("score_threshold", "nms_iou"),
    ),
    (
        "above 0 and below 1",
        lambda value: 0 < value < 1,
        ("rpn_positive_fraction", "roi_positive_fraction"),
    ),
    positive("roi_canonical_size"),
    strides("backbone_strides"),
    *BACKBONE,
    *ANCHORS,
    *STUFF,
)
"""What is expected of the options, one by one."""
